"""`labkit.runs`: a row is trained once, kept under a key that says all that decides it, and found again."""

import json
import threading
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from labkit import datasets, metrics, models, running, runs, splits, training
from labkit.runs import RunResult, RunSpec, Store
from labkit.training import TrainConfig

pytestmark = pytest.mark.usefixtures("one_thread")
SPEC = RunSpec(
    data={"name": "halves", "size": 16},
    split={"kind": "random", "test": 0.25, "validation": 0.25},
    model="1x16 1x8",
    targets=("side",),
    config=TrainConfig(epochs=2, batch_size=16, precision="float32"),
)
BROKEN = replace(SPEC, model="1x64 1x32")  # too large for images of 16 pixels

DEFAULTS = {
    "epochs": 20,
    "batch_size": 32,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "weight_decay": None,
    "schedule": "constant",
    "reduce_by": 0.1,
    "reduce_after": 5,
    "augment": {},
    "scale": "unit",
    "loss": "cross_entropy",
    "class_weights": {},
    "label_smoothing": 0.0,
    "l1": {},
    "average": 0.0,
    "watch": "validation_loss",
    "patience": None,
    "until": {},
    "frozen": [],
    "precision": "float32",
}


@pytest.fixture(autouse=True)
def halves(monkeypatch, faces):
    """`datasets.load` gives the faces of the tests under the name `halves` and knows no other; counts its
    calls."""
    calls = []

    def load(name, data_dir="data", **options):
        calls.append((name, data_dir, *options))
        if name != "halves":
            raise datasets.DataMissing(f"{name} is not imported")
        return faces

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.setattr(
        datasets,
        "identity",
        lambda name, data_dir="data", view=None: datasets.load(name, data_dir).fingerprint,
    )
    running._load.cache_clear()
    yield calls
    running._load.cache_clear()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "reports" / "rows", tmp_path / "runs")


@pytest.fixture
def no_training(monkeypatch):
    def refuse(*arguments, **options):
        pytest.fail("trained a row that is kept")

    return lambda: monkeypatch.setattr(training, "fit", refuse)


def run(spec, store, **options):
    return running.run(spec, store, progress=False, **options)


def files_of(store):
    return sorted(
        str(p.relative_to(store.rows.parents[1])) for p in store.rows.parents[1].rglob("*") if p.is_file()
    )


# Keys


def test_the_key_is_stable():
    assert SPEC.key("f" * 64) == "20874999f81ce0ef", (
        "the way of making keys changed: every row that anybody kept would be trained anew"
    )
    assert SPEC.key("f" * 64) == RunSpec.from_dict(SPEC.as_dict()).key("f" * 64)
    same = replace(SPEC, data={"size": 16, "name": "halves"})  # order says nothing
    assert same.key("f" * 64) == SPEC.key("f" * 64)


OWN_DEFAULTS = {
    "config": DEFAULTS,
    "seed": 0,
    "oversample": None,
    "copies": 0,
    "mirror": False,
    "group": None,
    "start": None,
}


def test_a_setting_that_is_added_later_leaves_kept_rows_as_they_are(store):
    """A default is not in the key: so it may not change either, unless the engine's number is raised with
    it."""
    defaults = RunSpec({"name": "builtin"}, {"kind": "random"}, "tiny", ("smile",)).as_dict()
    assert (runs.ENGINE, *(defaults[name] for name in OWN_DEFAULTS)) == (1, *OWN_DEFAULTS.values()), (
        "a default changed: kept rows would stand for another training than theirs. Raise "
        "runs.ENGINE and change it here too; "
        "a setting that is new needs only a line here"
    )
    result, _ = run(SPEC, store)
    older = result.spec | {"config": {"epochs": 2, "batch_size": 16}}
    store.write(replace(result, spec=older))  # as it was written before the other settings were thought of
    assert store.find(SPEC).spec == older and store.find(replace(SPEC, seed=5)) is None


def test_everything_that_decides_a_training_is_in_the_key(monkeypatch):
    others = {
        "data": {"name": "halves", "size": 32},
        "split": {"kind": "random", "test": 0.2},
        "model": "1x16",
        "targets": ("marks",),
        "config": replace(SPEC.config, epochs=3),
        "seed": 1,
        "oversample": "side",
        "copies": 2,
        "mirror": True,
        "group": "side",
        "start": {"data": {"name": "halves"}},
        "also": ({"name": "halves"},),
        "own": 5,
        "only": {"side": ["left"]},
    }
    assert set(others) == set(asdict(SPEC))
    keys = [
        SPEC.key("a"),
        SPEC.key("b"),
        *(replace(SPEC, **{name: value}).key("a") for name, value in others.items()),
    ]
    settings = {
        "epochs": 3,
        "batch_size": 8,
        "optimizer": "sgd",
        "learning_rate": 1e-4,
        "weight_decay": 0.1,
        "schedule": "one_cycle",
        "reduce_by": 0.5,
        "reduce_after": 2,
        "augment": {"mirror": 0.5},
        "scale": "standard",
        "loss": "multi_margin",
        "class_weights": {"side": "balanced"},
        "label_smoothing": 0.1,
        "l1": {"hidden": 1e-4},
        "average": 0.9,
        "watch": "validation_accuracy_side",
        "patience": 2,
        "until": {"validation_accuracy_side": 0.9},
        "frozen": ("features",),
        "precision": "bfloat16",
    }
    assert set(settings) == set(asdict(SPEC.config))
    changed = [
        replace(SPEC, config=replace(SPEC.config, **{name: value}))
        for name, value in settings.items()
        if name != "epochs"
    ]
    keys += [spec.key("a") for spec in changed]
    monkeypatch.setattr(runs, "ENGINE", runs.ENGINE + 1)
    keys.append(SPEC.key("a"))
    assert len(set(keys)) == len(keys) == 36
    assert all(len(key) == 16 and set(key) <= set("0123456789abcdef") for key in keys)


def test_a_spec_survives_json_and_refuses_what_it_does_not_know():
    spec = replace(
        SPEC,
        config=replace(SPEC.config, augment={"mirror": 0.5}, patience=3, frozen=("heads",)),
        oversample="side",
        also=({"name": "others"},),
        own=3,
        only={"side": ["left"]},
    )
    assert RunSpec.from_dict(json.loads(json.dumps(spec.as_dict()))) == spec
    least = {"data": {"name": "x"}, "split": {"kind": "random"}, "model": "tiny", "targets": ["side"]}
    assert RunSpec.from_dict(least).config == TrainConfig()
    for part in ("data", "split"):
        with pytest.raises(ValueError, match=f"{part}: expected options with a"):
            RunSpec.from_dict(least | {part: {}})
    with pytest.raises(TypeError, match="epoch"):
        RunSpec.from_dict(spec.as_dict() | {"config": {"epoch": 3}})
    with pytest.raises(TypeError, match="modle"):
        RunSpec.from_dict(spec.as_dict() | {"modle": "tiny"})


# One row


def test_a_row_says_what_was_trained_and_what_came_out(store, faces):
    result, trained = run(SPEC, store)
    assert trained and result.error is None and result.spec == SPEC.as_dict()
    assert (
        result.key == SPEC.key(faces.fingerprint)
        and result.identity == faces.fingerprint
        and result.engine == runs.ENGINE
    )
    assert [row["epoch"] for row in result.history] == [1, 2] and "validation_loss" in result.history[0]
    assert {part: figures["side"]["n"] for part, figures in result.metrics.items()} == {
        "train": 24,
        "validation": 12,
        "test": 12,
    }
    assert (
        (result.precision, result.layout) == ("float32", "channels_last")
        and result.seconds > 0
        and result.images_per_second > 0
    )
    assert (
        set(result.versions) == {"python", "torch", "numpy", "opencv"}
        and result.versions["torch"] == torch.__version__
    )
    assert files_of(store) == [f"reports/rows/{result.key}.json", f"runs/{result.key}/weights.pt"]

    split = splits.make(
        faces, "random", seed=0, test=0.25, validation=0.25
    )  # measured anew, from the weights
    model = running.trained_model(result, store)
    test = faces.take(split.test)
    probabilities = training.predict(model, test.images, precision="float32")["side"]
    expected = metrics.classification(test.targets["side"], probabilities, faces.classes["side"])
    assert result.metrics["test"]["side"]["confusion"] == expected["confusion"]
    assert result.value() == expected["accuracy"]
    assert result.value("log_loss", target="side", part="test") == pytest.approx(
        expected["log_loss"], rel=1e-4
    )
    assert result.parameters == sum(p.numel() for p in model.parameters())


def test_a_kept_row_is_read_and_not_trained(store, no_training):
    first, _ = run(SPEC, store)
    no_training()
    again, trained = run(SPEC, store)
    assert not trained and again == first
    with pytest.raises(pytest.fail.Exception, match="trained a row that is kept"):
        run(replace(SPEC, seed=1), store)
    with pytest.raises(pytest.fail.Exception, match="trained a row that is kept"):
        run(SPEC, store, force=True)


def test_force_trains_again_to_the_same_figures(store):
    first, _ = run(SPEC, store)
    again, trained = run(SPEC, store, force=True)
    assert trained and again.key == first.key
    histories = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in r.history] for r in (again, first)
    ]
    assert again.metrics == first.metrics and histories[0] == histories[1]


def test_the_row_follows_the_data(store, monkeypatch, make_faces):
    first, _ = run(SPEC, store)
    monkeypatch.setattr(datasets, "load", lambda name, data_dir, **options: make_faces(seed=1))
    running._load.cache_clear()
    second, trained = run(SPEC, store)
    assert trained and second.key != first.key and second.spec == first.spec
    assert running.trained_model(first, store), "its weights are here, whatever became of the data"
    (store.runs / first.key / "weights.pt").unlink()
    with pytest.raises(ValueError, match=f"row {first.key} was trained on other data"):
        running.trained_model(first, store)


def test_seeds_draw_their_own_split_unless_the_split_names_one(faces):
    def test_images(spec):
        return running.parts_of(spec, faces)["test"].names.tolist()

    assert test_images(SPEC) != test_images(replace(SPEC, seed=1))
    fixed = replace(SPEC, split={**SPEC.split, "seed": 4})
    assert test_images(fixed) == test_images(replace(fixed, seed=1))
    assert list(running.parts_of(replace(SPEC, split={"kind": "random"}), faces)) == ["train", "test"]


def test_oversampling_adds_copies_to_training_alone(store, monkeypatch, faces):
    labels = faces.targets["side"]
    few = faces.take(np.flatnonzero((labels == 0) | (np.arange(48) < 12)))  # 24 and 6
    monkeypatch.setattr(datasets, "load", lambda name, data_dir, **options: few)
    seen = []
    fit = training.fit

    def watched(model, train, validation, *rest, **options):
        seen.append((train, validation))
        return fit(model, train, validation, *rest, **options)

    monkeypatch.setattr(training, "fit", watched)
    spec = replace(
        SPEC,
        split={"kind": "stratified", "target": "side", "test": 0.2, "validation": 0.2},
        oversample="side",
    )
    result, _ = run(spec, store)
    (train, validation), parts = seen[0], running.parts_of(spec, few)
    assert train.counts("side") == {"right": 14, "left": 14} and parts["train"].counts("side") == {
        "right": 14,
        "left": 4,
    }
    assert set(train.names) == set(parts["train"].names)
    assert validation.names.tolist() == parts["validation"].names.tolist()
    assert (
        result.metrics["train"]["side"]["n"] == 18
    )  # measured on the images themselves, not on their copies


def test_mirror_measures_the_mean_with_the_mirror_image(store, faces):
    """Bright left and bright right halves change places in the mirror: a network that tells them apart then
    knows nothing."""
    plain, _ = run(replace(SPEC, config=replace(SPEC.config, epochs=10)), store)
    mirrored, _ = run(replace(SPEC, config=replace(SPEC.config, epochs=10), mirror=True), store)
    assert plain.value("log_loss") < 0.1 and mirrored.value("log_loss") > 0.5


def test_each_class_of_a_group_is_measured(store, faces):
    result, _ = run(replace(SPEC, targets=("side", "marks"), group="side"), store)
    test = running.parts_of(SPEC, faces)["test"].targets["side"]
    whole, groups = result.metrics["test"]["side"], result.metrics["test"]["side"]["by_group"]
    assert {name: g["n"] for name, g in groups.items()} == {
        "right": (test == 0).sum(),
        "left": (test == 1).sum(),
    }
    assert sum(g["accuracy"] * g["n"] for g in groups.values()) == pytest.approx(
        whole["accuracy"] * whole["n"]
    )
    assert groups["left"]["per_class"]["left"]["recall"] == groups["left"]["accuracy"]
    assert set(result.metrics["test"]["marks"]["by_group"]) == {"right", "left"}
    with pytest.raises(ValueError, match="target 'pose': two halves has side, marks"):
        running.new_model(replace(SPEC, group="pose"), faces)


def test_a_start_is_trained_first_and_its_convolutions_are_where_the_network_begins(store, faces):
    first = replace(SPEC, targets=("marks",), seed=7)
    spec = replace(SPEC, start=first.as_dict(), config=replace(SPEC.config, epochs=1, learning_rate=1e-9))
    running._first_training.cache_clear()
    result, _ = run(spec, store)
    of_first, _ = run(first, store)
    moved, expected = (
        running.trained_model(r, store, progress=False).features.state_dict() for r in (result, of_first)
    )
    assert all(torch.allclose(moved[name], expected[name], atol=1e-6) for name in expected)
    assert result.identity != faces.fingerprint
    of_start = running._first_training(json.dumps(spec.start, sort_keys=True), "data")[1]
    assert result.seconds >= of_start["seconds"]  # rounded: the second training may be too short to show
    assert not run(spec, store)[1], "kept"


def test_several_targets_are_measured_each_in_its_way(store):
    result, _ = run(replace(SPEC, targets=("marks", "side")), store)
    assert set(result.metrics["test"]) == {"marks", "side"}
    assert "micro_f1" in result.metrics["test"]["marks"] and "log_loss" in result.metrics["test"]["side"]
    assert (
        result.value() == result.metrics["test"]["marks"]["accuracy"]
    )  # the first target speaks for the row
    assert result.value("macro_f1", target="side") == result.metrics["test"]["side"]["macro_f1"]


# Rows that fail


def test_a_failed_row_is_kept_with_its_error_and_stops_no_other(store):
    wrong = [
        BROKEN,
        replace(SPEC, targets=("smile",)),
        replace(SPEC, split={"kind": "k_fold"}),
        replace(SPEC, model="huge"),
        replace(SPEC, oversample="smile"),
    ]
    results = running.run_all([*wrong, SPEC], store, progress=False)
    assert [bool(r.error) for r in results] == [True] * 5 + [False]
    assert results[0].error == "ValueError: architecture '1x64 1x32' takes images of 64 pixels, got 16"
    assert results[1].error == "ValueError: target 'smile': two halves has side, marks"
    assert results[2].error == "ValueError: split: k_fold: missing a required argument: 'fold'"
    assert results[3].error.startswith("ValueError: architecture 'huge': expected blocks")
    for result in results[:5]:
        assert store.read(result.key) == result and result.metrics == {}
        with pytest.raises(ValueError, match=f"row {result.key} failed: "):
            result.value()
    assert [name for name in files_of(store) if name.endswith(".pt")] == [f"runs/{results[5].key}/weights.pt"]


def test_a_row_that_was_cut_short_never_stands_for_the_whole_one(store):
    short, _ = run(SPEC, store, after_epoch=lambda row, model: True)
    assert short.error == "cut short after epoch 1 of 2" and len(short.history) == 1
    whole, trained = run(SPEC, store)
    assert trained and whole.error is None and len(whole.history) == 2 and whole.key == short.key


def test_a_failed_row_is_tried_again(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            training,
            "fit",
            lambda *arguments, **options: (_ for _ in ()).throw(FloatingPointError("epoch 1: not finite")),
        )
        failed, _ = run(SPEC, store)
    assert failed.error == "FloatingPointError: epoch 1: not finite"
    assert store.read(failed.key).error
    mended, trained = run(SPEC, store)
    assert trained and mended.key == failed.key and mended.error is None
    assert store.read(failed.key) == mended


def test_an_unforeseen_error_of_one_row_stops_no_other(store, monkeypatch):
    fit = training.fit
    errors = {1: KeyError("kind"), 2: TypeError("batch_size"), 3: MemoryError()}

    def broken(model, train, validation, config, seed, **options):
        if seed in errors:
            raise errors[seed]
        return fit(model, train, validation, config, seed, **options)

    monkeypatch.setattr(training, "fit", broken)
    results = running.run_all([replace(SPEC, seed=seed) for seed in range(4)], store, progress=False)
    assert [r.error for r in results] == [None, "KeyError: 'kind'", "TypeError: batch_size", "MemoryError"]


def test_groups_and_targets_without_a_label_lose_no_training(store, monkeypatch, faces):
    """The accuracy of a group that nobody belongs to is unknown; the network, and all other figures, are
    there."""
    none = faces.targets | {"mood": np.full(48, -1), "hat": np.where(np.arange(48) < 24, 0, -1)}
    few = replace(faces, targets=none, classes=faces.classes | {"mood": ("a", "b"), "hat": ("no", "yes")})
    monkeypatch.setattr(datasets, "load", lambda name, data_dir, **options: few)
    running._load.cache_clear()
    result, _ = run(replace(SPEC, targets=("side", "mood"), group="hat"), store)
    assert result.error is None and result.metrics["test"]["mood"] is None
    assert set(result.metrics["test"]["side"]["by_group"]) == {"no"}
    assert (
        json.loads((store.rows / f"{result.key}.json").read_text(), parse_constant=pytest.fail)["metrics"][
            "test"
        ]["mood"]
        is None
    )
    with pytest.raises(ValueError, match="no image of the test part is labelled with mood"):
        result.value(target="mood")


# Many rows, data that is missing, weights that are missing


def test_a_row_whose_data_is_missing_stops_no_other(store):
    absent = replace(SPEC, data={"name": "genki4k", "size": 16})
    first, second = running.run_all([absent, SPEC], store, progress=False)
    assert first.error == "labkit.datasets.DataMissing: genki4k is not imported" and second.error is None
    assert files_of(store) == [f"reports/rows/{second.key}.json", f"runs/{second.key}/weights.pt"], (
        "nobody knows which row it would be"
    )
    first, second = running.run_all([absent, SPEC], store, progress=False, force=True)
    assert first.error and second.error is None
    with pytest.raises(datasets.DataMissing, match="genki4k is not imported"):
        running.run_all([absent, replace(absent, seed=1)], store, progress=False)


@pytest.mark.parametrize("content", ["", '{"key": "1', "[]", '{"key": "1"}', "\x00\xff"])
def test_a_damaged_row_is_named_and_trained_anew(store, content):
    first, _ = run(SPEC, store)
    path = store.rows / f"{first.key}.json"
    path.write_text(content, encoding="latin-1")
    with pytest.warns(UserWarning, match=rf"{first.key}\.json: damaged .*; its row counts as not kept"):
        again, trained = run(SPEC, store)
    assert trained and again.metrics == first.metrics and store.read(first.key) == again


def test_rows_come_in_the_order_asked_for_and_data_is_loaded_once(store, halves, no_training):
    specs = [replace(SPEC, seed=seed) for seed in (2, 0, 1)]
    results = running.run_all(specs, store, data_dir="somewhere", progress=False)
    assert [r.spec["seed"] for r in results] == [2, 0, 1]
    assert [call for call in halves if "size" in call] == [
        ("halves", "somewhere", "size")
    ]  # the others ask for the identity
    no_training()
    assert running.run_all(specs, store, data_dir="somewhere", progress=False) == results


def test_a_row_without_its_data_is_found_by_its_spec(store, no_training):
    absent = replace(SPEC, data={"name": "genki4k", "size": 16})
    with pytest.raises(datasets.DataMissing, match="genki4k is not imported"):
        run(absent, store)
    result, _ = run(SPEC, store)
    failed = replace(
        result,
        key=absent.key("another"),
        spec=absent.as_dict(),
        identity="another",
        metrics={},
        error="RuntimeError: no",
    )
    older = replace(result, key="1" * 16, spec=absent.as_dict(), engine=runs.ENGINE - 1)
    for row in (failed, older):
        store.write(row)
    with pytest.raises(
        datasets.DataMissing
    ):  # neither a failed row nor one of another engine stands for the figures
        run(absent, store)
    kept = replace(result, key=absent.key(result.identity), spec=absent.as_dict())
    store.write(kept)
    no_training()
    assert run(absent, store) == (kept, False)


def test_a_row_without_its_weights_is_trained_once_more(store, no_training, faces):
    result, _ = run(SPEC, store)
    weights = store.runs / result.key / "weights.pt"
    first = running.trained_model(result, store)
    weights.unlink()
    second = running.trained_model(result, store, progress=False)
    assert weights.exists()
    no_training()
    third = running.trained_model(result, store)
    for a, b, c in zip(*(model.state_dict().values() for model in (first, second, third))):
        assert torch.equal(a, b) and torch.equal(a, c)
    assert models.load(weights)[1] == {"spec": SPEC.as_dict()}


def test_many_writers_of_one_row_leave_one_whole_row(store):
    model = running.new_model(SPEC, running.faces_of(SPEC))
    result = RunResult(
        SPEC.key("f"),
        SPEC.as_dict(),
        1,
        "f",
        "",
        {},
        "",
        "",
        history=[{"epoch": i, "train_loss": 0.5} for i in range(300)],
    )
    faults = []

    def write():
        try:
            for _ in range(8):
                store.write(result, model)
        except Exception as error:
            faults.append(error)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    while any(w.is_alive() for w in writers):
        assert store.read(result.key) in (None, result)  # never half a row
    assert faults == []
    assert store.read(result.key) == result
    models.load(store.runs / result.key / "weights.pt")
    assert files_of(store) == [f"reports/rows/{result.key}.json", f"runs/{result.key}/weights.pt"]


def test_a_published_network_needs_neither_store_nor_data(store, tmp_path, monkeypatch, faces):
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    with pytest.raises(ValueError, match="its row is not kept yet"):
        running.publish(SPEC, store, tmp_path / "halves.pt")
    run(SPEC, store)
    result = running.publish(SPEC, store, tmp_path / "halves.pt")
    network, meta = models.load("halves")
    assert (meta["classes"], meta["size"], meta["channels"], meta["mirror"]) == (
        {"side": ["right", "left"]},
        16,
        1,
        False,
    )
    monkeypatch.setattr(datasets, "load", lambda *_, **__: pytest.fail("the data was read"))
    again = running.trained_model(result, runs.Store(tmp_path / "no", tmp_path / "no"))
    expected = training.predict(network, faces.images, precision="float32")["side"]
    assert np.array_equal(training.predict(again, faces.images, precision="float32")["side"], expected)
    assert np.mean(expected.argmax(1) == faces.targets["side"]) > 0.9


def test_publishing_never_puts_new_weights_under_an_old_row(store, tmp_path, monkeypatch):
    """Without its weights a row is trained anew, and the row that is kept then is that training's."""
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    first, _ = run(SPEC, store)
    store.write(replace(first, seconds=1e6))
    (store.runs / first.key / "weights.pt").unlink()
    result = running.publish(SPEC, store, tmp_path / "halves.pt")
    assert result.seconds < 1e6 and store.read(result.key) == result
    assert models.load("halves")[1]["row"] == result.key


def test_the_images_of_a_start_count_as_trained_on(store, monkeypatch, make_faces, faces):
    other = make_faces(seed=4, channels=3)
    monkeypatch.setattr(
        datasets, "load", lambda name, data_dir, **options: other if name == "other" else faces
    )
    running._load.cache_clear()
    first = replace(SPEC, data={"name": "other"})
    seen = running.about(replace(SPEC, start=first.as_dict()))["trained_on"].numpy()
    assert splits.copied(other.images, seen).sum() == splits.copied(faces.images, seen).sum() == 24
    assert not splits.copied(make_faces(seed=5).images, seen).any()


# The golden row

GOLDEN_FACES = "e77b97429356"
GOLDEN = {"train_loss": [1.22352, 0.92574], "validation_loss": [0.88646, 0.61123]}


def test_the_golden_row_moves_only_with_the_engine(store, monkeypatch, make_faces):
    drawn = make_faces(n=64, size=32)
    assert drawn.fingerprint[:12] == GOLDEN_FACES, (
        "the faces of conftest.py changed: the golden numbers need to be taken anew"
    )
    monkeypatch.setattr(datasets, "load", lambda name, data_dir: drawn)
    augment = {"mirror": 0.1, "rotate": 10, "shift": 0.1, "noise": 0.05}
    spec = RunSpec(
        data={"name": "halves"},
        split={"kind": "random", "test": 0.2, "validation": 0.2},
        model="1x32 1x16",
        targets=("side", "marks"),
        config=TrainConfig(
            2, 8, schedule="one_cycle", augment=augment, scale="standard", average=0.7, precision="float32"
        ),
        seed=3,
        oversample="side",
    )
    result, _ = run(spec, store)
    assert result.error is None
    numbers = {name: [row[name] for row in result.history] for name in GOLDEN}
    assert (runs.ENGINE, numbers) == (
        1,
        {name: pytest.approx(values, abs=1e-3) for name, values in GOLDEN.items()},
    ), (
        "training's numbers moved. If that was meant, raise runs.ENGINE, so that all kept rows "
        "are trained anew, and put the new "
        "numbers here; if it was not, this change alters every published row"
    )
