"""Training on more than one data set: `RunSpec.also`, `own` and `only`."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from labkit import augment, datasets, evaluation, plan, running, runs
from labkit.faces import UNLABELLED, FaceSet, joined
from labkit.labels import EMOTIONS, SMILES


def some(n, seed=0, size=32, channels=3, **targets):
    classes = {"smile": SMILES, "emotion": EMOTIONS}
    images = np.random.default_rng(seed).integers(0, 256, (n, size, size, channels), np.uint8)
    values = {name: np.array(labels, np.int64) for name, labels in targets.items()}
    return FaceSet(images, values, {name: classes[name] for name in values}, source=f"set {seed}")


def test_sets_are_joined_in_order_with_the_targets_asked_for_alone():
    first, second = some(3, 1, smile=[0, 1, -1], emotion=[1, 2, 3]), some(2, 2, smile=[1, 0])
    both = joined([first, second], ["smile"])
    assert both.targets["smile"].tolist() == [0, 1, -1, 1, 0] and set(both.targets) == {"smile"}
    assert np.array_equal(both.images, np.concatenate([first.images, second.images]))


def test_a_set_that_lacks_one_of_several_targets_is_not_labelled_in_it():
    first, second = some(2, 1, smile=[0, 1]), some(1, 2, emotion=[3])
    units = {"targets": {"units": np.ones((1, 2), np.float32)}, "classes": {"units": ("a", "b")}}
    both = joined([first, replace(second, **units)])
    assert both.targets["smile"].tolist() == [0, 1, -1]
    assert np.isnan(both.targets["units"][:2]).all() and both.targets["units"][2].tolist() == [1, 1]
    both = joined([first, second], ["smile", "emotion"])
    assert both.targets["emotion"].tolist() == [-1, -1, 3] and both.targets["smile"].tolist() == [0, 1, 1]


def test_several_data_sets_are_loaded_as_one(tmp_path):
    for i, folder in enumerate(["smiling", "not smiling", "smiling"]):
        file = tmp_path / "mine" / folder / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((48, 48, 3), 60 * i, np.uint8))
    datasets.import_data("folders", tmp_path / "mine", tmp_path, progress=False)
    faces = datasets.load("folders+builtin", tmp_path, size=32, n=20)
    assert faces.counts("set") == {"folders": 3, "builtin": 20} and not faces.labelled("emotion")[:3].any()
    assert faces.targets["smile"][:3].tolist() == [0, 1, 1] and faces.labelled("glasses")[:3].sum() == 0
    each = {datasets.identity(name, tmp_path) for name in ("folders", "builtin", "folders+builtin")}
    assert len(each) == 3 and datasets.views("folders+builtin", tmp_path) == ["face"]
    assert datasets.available("folders+builtin", tmp_path)
    assert datasets.is_name("folders+genki4k") and not datasets.is_name("folders+faces.zip")
    assert evaluation.evaluate("smile", "folders", data_dir=tmp_path)["targets"]["smile"]["n"] == 3
    assert not datasets.available("folders+genki4k", tmp_path)
    with pytest.raises(datasets.DataMissing, match="GENKI-4K is not imported"):
        datasets.load("folders+genki4k", tmp_path, size=32)
    with pytest.raises(ValueError, match="each data set once, got builtin, builtin"):
        datasets.load("builtin+builtin", tmp_path, size=32)


def test_happy_faces_smile_where_smiles_are_not_labelled():
    happy = EMOTIONS.index("happy")
    both = joined([some(1, smile=[0]), some(4, 1, emotion=[happy, 0, -1, 6])], ["smile"])
    assert both.targets["smile"].tolist() == [0, 1, 0, -1, 0]


@pytest.mark.parametrize(
    "other, words",
    [
        (some(2, size=48, smile=[0, 1]), "differ in size or channels"),
        (some(2, channels=1, smile=[0, 1]), "differ in size or channels"),
        (some(2), "target 'smile': set 0 has other classes"),
    ],
)
def test_sets_that_do_not_fit_are_refused(other, words):
    with pytest.raises(ValueError, match=words):
        joined([some(2, smile=[0, 1]), other], ["smile"])


def test_only_some_classes_stay_labelled():
    faces = some(5, emotion=[0, 3, 4, 6, -1])
    assert faces.only("emotion", ["happy", "neutral"]).targets["emotion"].tolist() == [-1, 3, -1, 6, -1]
    with pytest.raises(ValueError, match=r"emotion: expected classes out of angry.*got 'glad'"):
        faces.only("emotion", ["glad"])


SPEC = runs.RunSpec(
    data={"name": "builtin", "n": 40, "size": 32},
    split={"kind": "random", "test": 0.5},
    model="1x32 1x16",
    targets=("smile",),
    also=({"name": "builtin", "n": 30, "size": 32, "seed": 1},),
)


def test_what_is_trained_on_is_so_many_of_its_own_and_all_of_the_others(tmp_path):
    faces = running.faces_of(SPEC, tmp_path)
    train = running.parts_of(SPEC, faces)["train"]
    for own, n in ((None, 50), (5, 35), (0, 30), (99, 50)):
        seen = running.trained_on(replace(SPEC, own=own), train, tmp_path)
        assert len(seen) == n
        assert np.array_equal(seen.images[: n - 30], train.images[: n - 30])


def test_a_row_is_another_where_other_data_stand_beside(tmp_path):
    alone = replace(SPEC, also=())
    keys = {spec.key(running.identity_of(spec, tmp_path)) for spec in (SPEC, alone, replace(SPEC, own=3))}
    assert len(keys) == 3
    again = runs.RunSpec.from_dict(SPEC.as_dict())
    assert again == SPEC and again.key("") == SPEC.key("")


def test_a_row_that_trains_on_others_alone_is_measured_on_its_own(tmp_path):
    config = replace(SPEC.config, epochs=1)
    result, _ = running.train(replace(SPEC, own=0, config=config), tmp_path, progress=False)
    assert result.error is None
    assert {part: of["smile"]["n"] for part, of in result.metrics.items()} == {"train": 20, "test": 20}
    assert result.images_per_second > 0


@pytest.mark.parametrize(
    "change, words",
    [
        ({"also": ({"n": 3},)}, "also: expected a list of options with a name"),
        ({"own": -1}, "own: expected a whole number of 0 or more"),
        ({"own": 0, "also": ()}, "own: 0 leaves nothing to train on"),
    ],
)
def test_specs_that_make_no_sense_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        replace(SPEC, **change)


def test_the_untouched_half_of_the_photographs_is_the_same_in_every_row():
    for id in ("builtin-transfer", "builtin-photographs"):
        table = plan.read_table(id, "full", data_dir="data", reports_dir="reports", whole=True)
        splits = {str(sorted(spec.split.items())) for row in table.rows for spec in row.specs}
        assert splits == {"[('kind', 'random'), ('seed', 2026), ('test', 0.5)]"}


# What is done to test images


@pytest.mark.parametrize("name", augment.CORRUPTIONS)
def test_a_stronger_change_changes_more_and_keeps_shape_and_type(name):
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[0, 16:48, 20:40] = (230, 120, 60)
    image[0, ::4] = 90
    changed = [augment.CORRUPTIONS[name](image, s) for s in augment.STRENGTHS]
    assert all(c.shape == image.shape and c.dtype == np.uint8 for c in changed)
    apart = [np.abs(c.astype(int) - image).mean() for c in changed]
    assert apart[2] > apart[0] > 0
    grey = augment.CORRUPTIONS[name](image[..., :1], 2)
    assert grey.shape == (1, 64, 64, 1)


def test_only_what_has_a_label_is_trained_on(faces):
    labels = faces.targets["side"].copy()
    labels[::3] = UNLABELLED
    partly = replace(faces, targets={**faces.targets, "side": labels})
    spec = runs.RunSpec({"name": "x"}, {"kind": "random"}, "tiny", ("side",))
    assert len(running.trained_on(spec, partly)) == (labels != UNLABELLED).sum() < len(faces)
    assert running.trained_on(spec, faces) is faces
    both = runs.RunSpec({"name": "x"}, {"kind": "random"}, "tiny", ("side", "marks"))
    known = (labels != UNLABELLED) | ~np.isnan(faces.targets["marks"]).all(1)
    assert len(running.trained_on(both, partly)) == known.sum()


def test_other_data_in_a_table_keep_the_targets_that_they_have(tmp_path):
    for i, folder in enumerate(["smiling", "not smiling"]):
        file = tmp_path / "mine" / folder / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((48, 48, 3), 60 * i, np.uint8))
    datasets.import_data("folders", tmp_path / "mine", tmp_path, progress=False)
    (tmp_path / "plan.toml").write_text("""
[lab.a.spec]
targets = ["glasses", "smile"]
model = "1x32"
data = { name = "builtin", n = 40, size = 32 }
split = { kind = "by_subject", test = 0.2 }
[table.t]
lab = "a"
title = "t"
""")
    own, other = (
        plan.read_table("t", "quick", data, tmp_path, tmp_path).rows[0].specs[0] for data in ("", "folders")
    )
    assert own.targets == ("glasses", "smile") and own.split["kind"] == "by_subject"
    assert other.targets == ("smile",) and other.split == {"kind": "random", "test": 0.2}
    assert datasets.targets("folders", tmp_path) == ["smile"] and datasets.knows_people("builtin")
