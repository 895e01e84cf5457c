"""Who is who from frame to frame, what is said of whom, and when nothing is."""

import itertools
import math

import cv2
import numpy as np
import pytest

from labkit import camera, detect, evaluation, follow, synthetic, training
from labkit.faces import FaceSet


@pytest.fixture(scope="module")
def networks():
    return {name: evaluation.load_network(name) for name in ("smile", "emotion")}


def face(x, y=100.0, height=100.0, eyes=0.355):
    left, right = x + height * (0.375 - eyes / 2), x + height * (0.375 + eyes / 2)
    return detect.Face(
        (x, y, 0.75 * height, height), 0.99, ((left, y + 0.4 * height), (right, y + 0.4 * height))
    )


@pytest.fixture
def numbers(monkeypatch):
    """`numbers(frames)`: the numbers of the faces seen in each of these frames, lists of faces, at 10 frames
    a second."""

    def follow_all(frames, **options):
        watcher, shown = follow.Watcher({}, **options), []
        frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
        for i, given in enumerate(frames):
            monkeypatch.setattr(detect, "find_faces", lambda *_, given=given, **__: given)
            shown.append([seen.number for seen in watcher.watch(frame, i / 10)])
        return shown

    return follow_all


def test_two_faces_keep_their_numbers_whatever_their_order(numbers):
    frames = [[face(50 + 12 * i), face(400 - 12 * i)][:: 1 if i % 2 else -1] for i in range(12)]
    assert numbers(frames) == [[]] + [[1, 2]] * 11


def test_a_face_that_is_missed_for_half_a_second_is_the_same_and_after_two_seconds_another(numbers):
    assert numbers([[face(100)]] * 3 + [[]] * 5 + [[face(130)]] * 2) == [[], [1], [1]] + [[]] * 5 + [[1], [1]]
    assert numbers([[face(100)]] * 3 + [[]] * 20 + [[face(100)]] * 3)[-3:] == [[], [2], [2]]


def test_a_false_face_of_one_frame_is_not_shown(numbers):
    frames = [[face(100)], [face(100), face(400, 300)], [face(100)], [face(100)]]
    assert numbers(frames) == [[], [1], [1], [1]]
    assert numbers(frames[:1], sure=1) == [[1]]


def test_a_small_face_does_not_take_over_a_large_ones_number(numbers):
    assert numbers([[face(100, height=160)]] * 2 + [[face(130, 140, height=60)]] * 2) == [[], [1], [], [2]]


@pytest.mark.parametrize(
    ("left", "came"), [(face(460), face(305)), (face(260, height=150), face(330, height=70))]
)
def test_who_stays_keeps_the_number_when_one_leaves_and_another_comes(numbers, left, came):
    """The best pairs of all must not give the one who left somebody else's face, and that one the
    newcomer's."""
    frames = [[face(380), left]] * 2 + [[face(382), came]] * 2
    assert [seen[0] for seen in numbers(frames)[1:]] == [1, 1, 1]


def test_the_whole_frame_is_searched_now_and_then_and_when_a_face_is_lost(monkeypatch):
    asked, there = [], [face(100)]
    monkeypatch.setattr(detect, "find_faces", lambda *_, near=None: asked.append(near) or list(there))
    watcher, frame = follow.Watcher({}), np.zeros((480, 640, 3), np.uint8)
    for i in range(7):  # 25 frames a second
        watcher.find(frame, i / 25)
    assert [near is None for near in asked] == [True, False, False, False, False, True, False]
    there.clear()
    asked.clear()
    assert watcher.find(frame, 7 / 25) == [] and [near is None for near in asked] == [False, True], (
        "lost: looked for everywhere at once"
    )
    watcher.find(frame, 8 / 25)
    assert asked[2:] == [None], "with nobody to follow every frame is searched"
    watcher.find(frame, 0.0)
    assert asked[3:] == [None], "a film that begins again"


def test_where_a_face_was_it_is_found_again():
    frames = [frame for frame, _ in itertools.islice(camera.film(), 0, 12, 3)]
    watcher = follow.Watcher({})
    for i, frame in enumerate(frames):
        followed, searched = watcher.find(frame, i / 25), detect.find_faces(frame, 60)
        assert len(followed) == len(searched) == 2
        from_left = [sorted(faces, key=lambda face: face.box[0]) for faces in (followed, searched)]
        for one, other in zip(*from_left):
            np.testing.assert_allclose(one.eyes, other.eyes, atol=0.04 * other.box[3])


def test_one_who_jumps_across_the_picture_is_another(numbers):
    assert numbers([[face(50)]] * 2 + [[face(400)]] * 2) == [[], [1], [], [2]]


def test_smoothing_is_exponential_and_does_not_depend_on_the_rate():
    before, now = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert follow.smoothed(None, now, 0.1) is now
    np.testing.assert_allclose(
        follow.smoothed(before, now, follow.SMOOTHING), [math.exp(-1), 1 - math.exp(-1)]
    )
    slow, fast = follow.smoothed(before, now, 0.2), before
    for _ in range(10):
        fast = follow.smoothed(fast, now, 0.02)
    np.testing.assert_allclose(slow, fast)


def test_a_label_changes_only_when_another_is_clearly_ahead():
    said, shown = None, []
    for p in (0.2, 0.45, 0.52, 0.54, 0.49, 0.56, 0.52, 0.46, 0.44):
        said = follow.steady(said, np.array([1 - p, p]))
        shown.append(said)
    assert shown == [0, 0, 0, 0, 0, 1, 1, 1, 0]


@pytest.mark.parametrize(("given", "crop", "why"), [
    (face(100), "plain", ""),
    (face(100, height=30), "plain", "too small"),
    (face(100), "dark", "too dark"),
    (face(100), "flat", "too dark"),
    (face(100, eyes=0.15), "plain", "turned away"),
    (detect.Face((100, 100, 75, 100), 1.0, None), "plain", "turned away"),
])  # fmt: skip
def test_what_cannot_be_judged_is_said_to_be_so(given, crop, why):
    plain = synthetic.draw(synthetic.FaceParameters(), 32)
    crops = {"plain": plain, "dark": plain // 8, "flat": np.full_like(plain, 120)}
    assert follow.problem(given, crops[crop]) == why


def test_two_networks_that_say_the_same_thing_are_refused(networks):
    with pytest.raises(
        ValueError, match="networks smile, again: expected each to say something else, got smile, smile"
    ):
        follow.Watcher({"smile": networks["smile"], "again": networks["smile"]})


def test_nothing_is_predicted_of_a_face_that_cannot_be_judged(networks, monkeypatch):
    monkeypatch.setattr(detect, "find_faces", lambda *_, **__: [face(100, height=30)])
    watcher = follow.Watcher(networks, sure=1)
    (seen,) = watcher.watch(np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8), 0.0)
    assert (seen.problem, seen.said, seen.probabilities) == ("too small", {}, {})


def test_crops_are_those_of_training(networks):
    frame, _ = next(camera.film())
    faces = detect.find_faces(frame, 60)
    colour = follow.crops_of(frame, faces, networks["smile"][1])
    grey = follow.crops_of(frame, faces, networks["emotion"][1])
    assert colour.shape == (2, 64, 64, 3) and grey.shape == (2, 48, 48, 1)
    assert np.array_equal(colour[1], detect.crop_face(frame, faces[1], 64))
    assert np.array_equal(grey[:1], FaceSet(detect.crop_face(frame, faces[0], 48)[None]).grey().images)


def test_a_network_of_whole_heads_sees_more_and_says_what_it_is_published_for(networks):
    """`attributes` has learnt from pictures with hair and neck: its crops hold the face with room around."""
    both = networks | {"attributes": evaluation.load_network("attributes")}
    about, (frame, _) = both["attributes"][1], next(camera.film())
    watcher = follow.Watcher(both, sure=1)
    (one, *_) = seen = watcher.watch(frame, 0.0)
    assert set(one.said) == {"smile", "emotion", "glasses", "hair_colour", "age"}
    crop = follow.crops_of(frame, [one.face], about)[0]
    room = round(about["size"] * about["margin"] / (1 + 2 * about["margin"]))
    inner = detect.crop_face(frame, one.face, about["size"] - 2 * room)
    cut = crop[room : room + len(inner), room : room + len(inner)]
    assert np.abs(cut.astype(int) - inner).mean() < 6
    words = [line for line, _ in camera.bar_lines(one)]
    assert any(line.startswith(("1 glasses: no", "1 glasses: yes")) for line in words) and len(words) == 5
    assert all(len(camera.bar_lines(face)) == 5 for face in seen if not face.problem)


def test_all_faces_of_a_frame_are_one_batch_and_say_what_predict_says(networks, monkeypatch):
    frame, _ = next(camera.film())
    batches, predict = [], training.predict
    monkeypatch.setattr(
        training,
        "predict",
        lambda network, images, **o: batches.append(len(images)) or predict(network, images, **o),
    )
    seen = follow.Watcher(networks, sure=1).watch(frame, 0.0)
    assert batches == [2, 2] and [one.number for one in seen] == [1, 2]
    for one in seen:
        for target, (network, about) in networks.items():
            expected = predict(network, follow.crops_of(frame, [one.face], about), mirror=True)[target][0]
            assert list(one.probabilities[target]) == about["classes"][target]
            np.testing.assert_allclose(list(one.probabilities[target].values()), expected, atol=0.02)
            assert one.said[target] == about["classes"][target][expected.argmax()]


def test_a_smile_that_lasts_is_seen_and_a_single_odd_frame_is_not(networks):
    who, watcher, said = synthetic.Identity(skin=0.1), follow.Watcher(networks), []
    for i in range(30):
        smiles = i == 8 or i >= 16
        page = np.full((480, 640, 3), 128, np.uint8)
        page[100:356, 200:456] = synthetic.draw(
            synthetic.FaceParameters(who, {"AU12": 1.0, "AU25": 0.8} if smiles else {}), 256
        )
        said += [one.said["smile"] for one in watcher.watch(page, i / 30)]
    assert said[:15] == ["not smiling"] * 15, "the odd frame is smoothed away"
    assert said[-6:] == ["smiling"] * 6 and said == sorted(said, key=["not smiling", "smiling"].index), (
        "and it changes once"
    )


def test_the_picture_is_not_changed(networks):
    frame, _ = next(camera.film())
    before = frame.copy()
    follow.Watcher(networks).watch(frame, 0.0)
    assert np.array_equal(frame, before) and cv2.countNonZero(frame[:, :, 0]) > 0
