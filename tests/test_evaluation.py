"""`labkit evaluate`: what it says against scikit-learn and the training's own figures, on every way to name
data."""

import json

import numpy as np
import pytest
from downloads import encoded, noise, zipped
from sklearn import metrics as sk

from labkit import __main__ as commands
from labkit import datasets, evaluation, models, running, runs, training
from labkit.faces import FaceSet, resized
from labkit.formats import cache

CLASSES = ("not smiling", "smiling")


def bright_and_dark(n=40):
    """Pictures of 64x64: smiling ones are bright below, the others above; every tenth label is wrong."""
    rng = np.random.default_rng(3)
    images = rng.integers(0, 60, (n, 64, 64, 3), dtype=np.uint8)
    smile = np.arange(n) % 2
    images[smile == 1, 32:] += 120
    images[smile == 0, :32] += 120
    return images, np.where(np.arange(n) % 10 == 9, 1 - smile, smile)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A folder where the pictures are imported as `folders`."""
    folder = tmp_path_factory.mktemp("data")
    images, labels = bright_and_dark()
    files = {f"{CLASSES[y]}/{i:02d}.png": encoded(image) for i, (image, y) in enumerate(zip(images, labels))}
    datasets.import_data("folders", zipped(folder / "faces.zip", files), folder, progress=False)
    return folder


SPEC = runs.RunSpec(
    {"name": "folders", "view": "photo", "size": 32},
    {"kind": "random", "test": 0.25},
    "1x32 1x16",
    ("smile",),
    training.TrainConfig(epochs=8, precision="float32"),
)


@pytest.fixture(scope="module")
def kept(data_dir, one_thread):
    store = runs.Store(data_dir / "rows", data_dir / "runs")
    result, _ = running.run(SPEC, store, data_dir, progress=False)
    running.publish(SPEC, store, data_dir / "smile.pt", data_dir)
    return result, data_dir / "runs" / result.key / "weights.pt", data_dir / "smile.pt"


def test_figures_agree_with_scikit_learn_and_with_the_row(kept, data_dir):
    result, weights, _ = kept
    found = evaluation.evaluate(weights, "folders", data_dir=data_dir)
    figures = found["targets"]["smile"]
    faces = datasets.load("folders", data_dir, size=32, view="photo")
    said = training.predict(models.load(weights)[0], faces.images)["smile"]
    true, answered = faces.targets["smile"], said.argmax(1)
    assert figures["accuracy"] == pytest.approx(sk.accuracy_score(true, answered))
    assert figures["macro_f1"] == pytest.approx(sk.f1_score(true, answered, average="macro"))
    assert figures["log_loss"] == pytest.approx(
        sk.log_loss(true, said / said.sum(1, keepdims=True)), rel=1e-5
    )
    assert (found["n"], found["copies"]) == (40, 30) and found["ms_per_face"] > 0
    assert figures["without_copies"]["n"] == 10
    assert figures["without_copies"]["accuracy"] == pytest.approx(result.value())


def test_a_published_network_needs_no_data_of_its_own(kept, data_dir, tmp_path):
    _, weights, published = kept
    by_name = evaluation.evaluate(weights, "folders", data_dir=data_dir)
    by_file = evaluation.evaluate(published, data_dir / "faces.zip", data_dir=tmp_path / "nothing")
    assert by_file["targets"] == by_name["targets"] and by_file["copies"] == by_name["copies"] == 30
    with pytest.raises(datasets.DataMissing):
        evaluation.evaluate(weights, data_dir / "faces.zip", data_dir=tmp_path / "nothing")


def test_a_file_is_read_as_its_import_would_be(kept, data_dir, tmp_path, monkeypatch):
    """In memory, or where there is little of that in a temporary file; what cannot be read is named."""
    images, labels = bright_and_dark()
    files = {f"{CLASSES[y]}/{i:02d}.png": encoded(image) for i, (image, y) in enumerate(zip(images, labels))}
    files |= {"smiling/broken.png": files["smiling/01.png"][:50], "smiling/note.jpg": b"no picture"}
    file = zipped(tmp_path / "some.zip", files)
    (tmp_path / "meminfo").write_text("MemAvailable: 100 kB")
    for much in (True, False):
        if not much:
            monkeypatch.setattr(cache, "MEMORY", tmp_path / "meminfo")
        for view, colour in (("photo", True), ("face", False)):
            faces, left_out = datasets.read(file, 32, (view,), colour, progress=False)
            there = datasets.load("folders", data_dir, 32, view, colour=colour)
            assert (faces.images == there.images[:]).all() and faces.names.tolist() == there.names.tolist()
            assert (faces.targets["smile"] == there.targets["smile"]).all()
            assert set(left_out) == {"smiling/broken.png", "smiling/note.jpg"}
            assert isinstance(faces.images, np.memmap) is not much
    _, _, published = kept
    result = evaluation.evaluate(published, file)
    assert set(result["unread"]) == set(left_out) and result["n"] == 40
    assert "2 files left out: smiling/broken.png: " in evaluation.text(result)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["meminfo", "some.zip"]


def test_an_imported_data_set_goes_before_a_folder_of_its_name(kept, data_dir, tmp_path, monkeypatch):
    _, weights, _ = kept
    (tmp_path / "folders" / "happy").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert evaluation.evaluate(weights, "folders", data_dir=data_dir)["n"] == 40
    with pytest.raises(ValueError, match="folders: holds no files"):
        evaluation.evaluate(weights, "./folders", data_dir=data_dir)


def test_another_sources_labels_of_the_same_are_measured_beside(kept, monkeypatch):
    _, _, published = kept
    images, labels = bright_and_dark()
    monkeypatch.setitem(evaluation.ANOTHER_OPINION, "smile_voted", "smile")
    voted = np.where(np.arange(len(labels)) < 10, -1, 1 - labels)
    targets = {"smile": labels.astype(np.int64), "smile_voted": voted.astype(np.int64)}
    faces = FaceSet(resized(images, 32), targets, dict.fromkeys(targets, CLASSES))
    monkeypatch.setattr(evaluation, "_read", lambda *_: (faces, {}))
    found = evaluation.evaluate(published, "these")["targets"]
    assert found["smile"]["n"] == 40 and found["smile_voted"]["n"] == 30
    assert found["smile_voted"]["accuracy"] < 0.5 < found["smile"]["accuracy"]


def test_classes_in_another_order_and_images_without_labels():
    faces = FaceSet(
        np.zeros((3, 8, 8, 1), np.uint8),
        {"smile": np.array([0, 1, -1])},
        {"smile": ("smiling", "not smiling")},
    )
    assert evaluation.labels_for(faces, "smile", list(CLASSES)).tolist() == [1, 0, -1]
    with pytest.raises(ValueError, match="has smiling, not smiling; the network knows yes, no"):
        evaluation.labels_for(faces, "smile", ["yes", "no"])


def test_what_does_not_fit_is_named(kept, data_dir):
    _, weights, _ = kept
    with pytest.raises(
        ValueError, match="split 'public_test': Your own folders, photo has no official splits"
    ):
        evaluation.evaluate(weights, "folders", "public_test", data_dir)
    with pytest.raises(FileNotFoundError, match=r"none\.zip: no such file"):
        evaluation.evaluate(weights, data_dir / "none.zip", data_dir=data_dir)
    animals = zipped(
        data_dir / "animals.zip",
        {f"{kind}/{i}.png": encoded(noise(40, 40)) for kind in ("cat", "dog") for i in range(2)},
    )
    with pytest.raises(ValueError, match="has labels for class; the network predicts smile"):
        evaluation.evaluate(weights, animals, data_dir=data_dir)


def test_copies_are_found_and_targets_without_a_label_left_out(kept, data_dir, monkeypatch):
    """Whatever this CPU made of the pictures' last bit."""
    _, _, published = kept
    faces = datasets.load("folders", data_dir, size=32, view="photo")
    moved = np.clip(
        faces.images.astype(int) + np.random.default_rng(0).integers(-1, 2, faces.images.shape), 0, 255
    ).astype(np.uint8)
    targets = faces.targets | {"mood": np.full(40, -1)}
    other = FaceSet(moved, targets, faces.classes | {"mood": ("a", "b")}, source="moved")
    monkeypatch.setattr(evaluation, "_read", lambda *_: (other, {}))
    assert evaluation.evaluate(published, "folders", data_dir=data_dir)["copies"] == 30
    none = FaceSet(
        moved,
        {"smile": np.full(40, -1), "mood": np.zeros(40, np.int64)},
        other.classes,
        source="nobody labelled",
    )
    monkeypatch.setattr(evaluation, "_read", lambda *_: (none, {}))
    with pytest.raises(ValueError, match="nobody labelled has labels for mood; the network predicts smile"):
        evaluation.evaluate(published, "folders", data_dir=data_dir)


def test_colours_follow_the_network(kept, data_dir):
    about = {"size": 48, "view": "photo", "channels": 1}
    assert evaluation.read_faces("folders", about, data_dir).images.shape == (40, 48, 48, 1)
    assert evaluation.read_faces("builtin", about | {"channels": 3}).images.shape == (1000, 48, 48, 3)


def test_the_command_prints_one_object_or_a_table(kept, data_dir, capsys):
    _, weights, _ = kept
    commands.evaluate(str(weights), "folders", data_dir=data_dir, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert {
        "accuracy",
        "macro_precision",
        "macro_recall",
        "macro_f1",
        "log_loss",
        "calibration_error",
        "per_class",
        "n",
        "ms_per_face",
    } <= set(printed)
    commands.evaluate(str(weights), "folders", data_dir=data_dir)
    text = capsys.readouterr().out
    assert (
        f"accuracy {printed['accuracy']:.4f}" in text
        and "30 images also stand in what it was trained on" in text
    )
