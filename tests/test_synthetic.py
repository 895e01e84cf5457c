from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from labkit import detect
from labkit.drawn import scene
from labkit.drawn.anatomy import OTHER_UNITS, FaceParameters, Identity, landmarks
from labkit.synthetic import (
    ACTION_UNITS,
    CODED,
    EMOTIONS,
    PROTOTYPES,
    draw,
    labels,
    make,
    sample,
    sample_emotion,
    sample_identity,
    sheet,
)

UPPER_FACE = {"AU1", "AU2", "AU4", "AU5", "AU7", "AU43"}
WHOLE_FACE = {"AU6", "AU9", "AU12"}  # cheeks move the lids
ATTRIBUTES = ("wrinkles", "freckles", "glasses", "hair_colour", "hair_top", "skin", "age", "beard")


@pytest.fixture(scope="module")
def faces():
    return make(120, size=48, seed=3)


def difference(first, second):
    return np.abs(first.astype(int) - second).sum(axis=-1)


# Images and labels


def test_images_and_targets_have_the_promised_shapes(faces):
    assert faces.images.shape == (120, 48, 48, 3)
    assert set(faces.targets) == {"smile", "emotion", "high_level_emotion", "action_units", *ATTRIBUTES}
    assert faces.targets["action_units"].shape == (120, 15)
    assert faces.classes["emotion"] == EMOTIONS
    assert faces.classes["hair_colour"] == ("black", "blond", "brown", "grey", "bald")
    assert len(set(faces.names)) == 120


@pytest.mark.parametrize("size", [32, 65, 256])
def test_any_size_can_be_drawn(size):
    image = draw(FaceParameters(), size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.std() > 20


@pytest.mark.parametrize("size", [31, 257])
def test_sizes_outside_the_range_are_refused(size):
    with pytest.raises(ValueError, match="expected 32 to 256"):
        draw(FaceParameters(), size)


def test_grey_faces_have_one_channel_and_the_same_labels(faces):
    grey = make(10, size=48, seed=3, colour=False)
    assert grey.images.shape == (10, 48, 48, 1)
    assert np.array_equal(grey.targets["smile"], faces.targets["smile"][:10])


def test_no_face_at_all_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        make(0)
    with pytest.raises(ValueError, match="at least one name"):
        make(1, subjects=[])


def test_same_seed_same_pixels_whatever_the_number(faces):
    again = make(7, size=48, seed=3)
    assert np.array_equal(again.images, faces.images[:7])
    assert make(7, size=48, seed=3).fingerprint == again.fingerprint
    assert make(7, size=48, seed=4).fingerprint != again.fingerprint


def test_the_global_random_state_is_neither_used_nor_changed():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    first = make(2, size=48).images
    assert np.array_equal(np.random.get_state()[1], before)
    np.random.seed(1)
    assert np.array_equal(make(2, size=48).images, first)


def test_no_two_pictures_are_alike(faces):
    assert len({image.tobytes() for image in faces.images}) == 120


# People


def test_a_person_has_five_pictures_and_the_same_attributes_in_all(faces):
    people, counts = np.unique(faces.subjects, return_counts=True)
    assert len(people) == 24 and (counts == 5).all()
    for person in people:
        theirs = faces.subjects == person
        assert all(len(set(faces.targets[name][theirs])) == 1 for name in ATTRIBUTES)


def test_named_subjects_take_turns_and_keep_their_looks():
    two = make(4, size=48, subjects=["ana", "ben"])
    one = make(1, size=48, subjects=["ben"])
    assert two.subjects.tolist() == ["ana", "ben", "ana", "ben"]
    assert all(one.targets[name][0] == two.targets[name][1] for name in ATTRIBUTES)


def test_shares_are_what_the_labs_need():
    rng = np.random.default_rng(0)
    emotions = [sample_emotion(rng) for _ in range(2000)]
    rows = [labels(sample(rng, emotion=emotion), emotion) for emotion in emotions]
    assert 0.38 < np.mean([row["smile"] for row in rows]) < 0.6
    emotions = np.bincount([row["emotion"] for row in rows if row["emotion"] >= 0], minlength=7)
    assert emotions.min() > 0.06 * 2000 and emotions.max() < 0.4 * 2000
    assert np.mean([row["action_units"] for row in rows], axis=0).min() > 0.02
    for name in ("wrinkles", "freckles", "glasses", "age"):
        assert 0.2 < np.mean([row[name] for row in rows]) < 0.6
    assert np.bincount([row["hair_top"] for row in rows]).min() > 0.07 * 2000


# Labels follow from what is drawn


def test_labels_follow_from_the_parameters():
    who = Identity(
        wrinkles=0.9,
        freckles=0.5,
        glasses="round",
        hair_top="hat",
        hair_colour="grey",
        age=0.8,
        skin=0.9,
        beard="full",
    )
    row = labels(FaceParameters(who, {"AU12": CODED, "AU6": CODED - 0.01, "AU5": 1.0}), "happy")
    assert row["smile"] == 1
    assert row["emotion"] == EMOTIONS.index("happy")
    assert row["high_level_emotion"] == 1
    assert dict(zip(ACTION_UNITS, row["action_units"])) == {
        name: float(name == "AU12") for name in ACTION_UNITS
    }
    assert (row["wrinkles"], row["freckles"], row["glasses"], row["beard"], row["age"], row["skin"]) == (
        1,
        1,
        1,
        1,
        1,
        2,
    )
    assert (row["hair_top"], row["hair_colour"]) == (2, 3)


def test_what_cannot_be_seen_is_not_labelled():
    assert labels(FaceParameters(Identity(hair_top="scarf")))["hair_colour"] == -1
    row = labels(FaceParameters(), "neutral")
    assert (row["emotion"], row["high_level_emotion"]) == (6, -1)
    assert labels(FaceParameters(), "mixed")["emotion"] == -1


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_sampled_emotions_show_their_action_units_and_no_smile_where_there_is_none(emotion):
    rng = np.random.default_rng(1)
    for _ in range(60):
        units = sample(rng, emotion=emotion).action_units
        coded = {name for name, value in units.items() if value >= CODED}
        assert any(
            {name for name, full in variant.items() if full > 0.6} <= coded for variant in PROTOTYPES[emotion]
        )
        assert all(0 <= value <= 1 for value in units.values())
        if emotion not in ("happy", "surprise"):
            assert "AU12" not in coded


def test_unknown_names_are_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"unknown AU99; expected names from AU17"):
        FaceParameters(action_units={"AU99": 1.0})
    with pytest.raises(ValueError, match=r"expected one of .*happy.* got 'bored'"):
        sample(np.random.default_rng(0), emotion="bored")


# What is drawn


def test_action_units_are_the_fifteen_of_the_table():
    header = "AU17,AU1,AU2,AU25,AU27,AU4,AU7,AU23,AU24,AU6,AU12,AU15,AU14,AU11,AU26"
    assert ",".join(ACTION_UNITS) == header


@pytest.mark.parametrize("unit", [*ACTION_UNITS, *OTHER_UNITS])
@pytest.mark.parametrize("skin", [0.1, 0.9])
def test_an_action_unit_changes_its_own_region(unit, skin):
    still = FaceParameters(Identity(skin=skin))
    changed = difference(draw(still, 96), draw(replace(still, action_units={unit: 1.0}), 96))
    assert changed.max() > 60
    below_nose = int(96 * (scene.EYE_LINE + scene.EYE_DISTANCE * 0.55))
    share_above = changed[:below_nose].sum() / changed.sum()
    if unit in UPPER_FACE:
        assert share_above > 0.99
    elif unit not in WHOLE_FACE:
        assert share_above < 0.25


@pytest.mark.parametrize("unit", list(ACTION_UNITS))
def test_a_stronger_action_unit_changes_more(unit):
    still, half, full = (draw(FaceParameters(action_units={unit: value}), 96) for value in (0.0, 0.5, 1.0))
    assert difference(still, full).sum() > 1.2 * difference(still, half).sum() > 0


def test_lip_corners_rise_in_a_smile_and_fall_in_sadness():
    def corner(unit):
        return landmarks(FaceParameters(action_units={unit: 1.0}), 1)["mouth_corner"]

    neutral = landmarks(FaceParameters(), 1)["mouth_corner"]
    assert corner("AU12")[1] < neutral[1] - 0.1 and corner("AU12")[0] > neutral[0] + 0.1
    assert corner("AU15")[1] > neutral[1] + 0.1


def test_only_closed_eyes_are_closed():
    for units in ({"AU4": 1, "AU6": 1, "AU7": 1}, {"AU43": 1}):
        marks = landmarks(FaceParameters(action_units=units), 1)
        assert (marks["lower_lid"][1] - marks["upper_lid"][1] < 0.03) == ("AU43" in units)


@pytest.mark.parametrize(
    "change",
    [
        {"wrinkles": 0.8},
        {"freckles": 0.6},
        {"glasses": "round"},
        {"hair_colour": "blond"},
        {"beard": "full"},
        {"skin": 0.9},
    ]
    + [{"hair_top": top} for top in ("bald", "hat", "scarf")],
)
def test_every_attribute_is_visible(change):
    plain = draw(FaceParameters(), 64)
    assert difference(plain, draw(FaceParameters(Identity(**change)), 64)).max() > 40


def test_a_turned_head_moves_and_a_frontal_one_is_nearly_symmetric():
    image = draw(FaceParameters(Identity(hair_style="short"), light=(0.0, -0.4)), 96)[10:80, 20:76].astype(
        float
    )
    turned = draw(FaceParameters(Identity(hair_style="short"), light=(0.0, -0.4), yaw=0.4), 96)[
        10:80, 20:76
    ].astype(float)
    asymmetry = np.abs(image - image[:, ::-1]).mean()
    assert asymmetry < 8
    assert np.abs(turned - turned[:, ::-1]).mean() > 2 * asymmetry


def test_faces_are_framed_as_the_crop_of_detect():
    assert (scene.EYE_LINE, scene.EYE_DISTANCE) == (detect.EYE_LINE, detect.EYE_DISTANCE)


def test_drawing_leaves_its_parameters_alone():
    parameters = sample(np.random.default_rng(5), sample_identity(np.random.default_rng(6)))
    first = draw(parameters)
    assert np.array_equal(draw(parameters), first)


def test_a_linear_model_sees_smiles_in_people_it_has_not_met():
    faces = make(500, size=32, seed=11, colour=False)
    pixels = faces.images.reshape(500, -1) / 255.0
    pixels = (pixels - pixels.mean(1, keepdims=True)) / pixels.std(1, keepdims=True)
    model = LogisticRegression(C=0.003, max_iter=60).fit(pixels[:350], faces.targets["smile"][:350])
    chance = max(np.mean(faces.targets["smile"][350:]), 1 - np.mean(faces.targets["smile"][350:]))
    assert model.score(pixels[350:], faces.targets["smile"][350:]) > chance + 0.08


def test_a_sheet_shows_images_row_by_row():
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1) * np.ones((1, 4, 5, 3), np.uint8)
    page = sheet(images, columns=2, gap=1)
    assert page.shape == (10, 12, 3)
    assert (page[0, 0, 0], page[0, 6, 0], page[5, 0, 0], page[5, 6, 0]) == (0, 1, 2, 255)
