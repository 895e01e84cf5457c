"""Any kept network on any data set that labkit reads, behind `python -m labkit evaluate WEIGHTS DATA`."""

import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from labkit import datasets, metrics, models, running, runs, splits, training
from labkit.faces import FaceSet

BUILTIN_IMAGES = 1000


def load_network(weights: str | Path, data_dir="data"):
    """`(network, about)` of a published network by its name, or of a weights file; `about` is what `running.about` says. The file of
    a kept row holds no more than its spec, so that the data it was trained on must be imported. Raises what `models.load`
    raises, and `datasets.DataMissing`."""
    network, about = models.load(weights)
    if "classes" not in about:
        spec = runs.RunSpec.from_dict(about["spec"])
        about = running.about(spec, data_dir)
    return network, about


def kept_networks(store: runs.Store) -> dict[str, str | Path]:
    """Every network that can be opened here: label -> what `load_network` takes. First the published ones, by their names, then those
    that a store keeps beside their rows."""
    found: dict[str, str | Path] = {path.stem: path.stem for path in sorted(models.WEIGHTS.glob("*.pt"))}
    for weights in sorted(store.runs.glob("*/weights.pt")):
        result = store.read(weights.parent.name)
        if result and not result.error:
            found[
                f"{result.spec['model']}, {result.spec['data']['name']}, seed {result.spec['seed']} ({result.key[:8]})"
            ] = weights
    return found


def read_faces(data: str | Path, about: dict, data_dir="data", n: int = BUILTIN_IMAGES) -> FaceSet:
    """The faces of an imported data set by its name, or of a file or folder, in the size, view and colours that the network
    takes; where the data has no such view, the face or else what there is. n: how many built-in faces to draw."""
    known = data == "builtin" or (data in datasets.SOURCES and not Path(data).exists())
    with (
        nullcontext((data, data_dir)) if known else datasets.imported(data, progress=False) as (name, folder)
    ):
        there = datasets.views(name, folder)
        view = next((view for view in (about["view"], "face") if view in there), there[0])
        options = {"colour": about["channels"] == 3} | ({"n": n} if name == "builtin" else {})
        return datasets.load(name, folder, about["size"], view, **options)


def labels_for(faces: FaceSet, target: str, classes: list[str]) -> np.ndarray:
    """The labels of `target`, coded as the network codes its classes. Raises ValueError where a class is unknown to it."""
    theirs = faces.classes[target]
    if tuple(classes) == tuple(theirs):
        return faces.targets[target]
    if faces.is_multilabel(target) or not set(theirs) <= set(classes):
        raise ValueError(
            f"target '{target}': {faces.source} has {', '.join(theirs)}; the network knows {', '.join(classes)}"
        )
    order = np.array([classes.index(name) for name in theirs] + [-1])  # the last for images without a label
    return order[faces.targets[target]]


def evaluate(weights: str | Path, data: str | Path, split: str = "", data_dir="data") -> dict:
    """All figures of a network on a data set, or on one of its official splits.

    Returns `weights, data, split, n, copies` (images that it was trained on), `ms_per_face`, and `targets`: target ->
    what `metrics` gives, and `without_copies`, the same without those images. Raises ValueError where split or targets do not fit.
    """
    network, about = load_network(weights, data_dir)
    faces = read_faces(data, about, data_dir)
    if split:
        there = [] if faces.split is None else sorted(set(faces.split))
        if split not in there:
            raise ValueError(
                f"split '{split}': {faces.source} has {', '.join(there) or 'no official splits'}"
            )
        faces = faces.take(faces.split == split)
    targets = [target for target in network.heads if target in faces.targets and faces.labelled(target).any()]
    if not targets:
        there = [target for target in faces.targets if faces.labelled(target).any()]
        raise ValueError(
            f"{faces.source} has labels for {', '.join(there)}; the network predicts {', '.join(network.heads)}"
        )
    training.predict(network, faces.images[:8], mirror=about["mirror"])  # the first call builds kernels
    start = time.perf_counter()
    predicted = training.predict(network, faces.images, mirror=about["mirror"])
    seconds = time.perf_counter() - start
    copies = splits.copied(faces.images, about["trained_on"].numpy())
    measured = {}
    for target in targets:
        labels, probabilities = labels_for(faces, target, about["classes"][target]), predicted[target]
        measure = metrics.multilabel if target in network.multilabel else metrics.classification
        measured[target] = measure(labels, probabilities, about["classes"][target])
        others = faces.labelled(target) & ~copies
        rest = (
            measure(labels[others], probabilities[others], about["classes"][target]) if others.any() else None
        )
        measured[target]["without_copies"] = rest
    return {
        "weights": str(weights),
        "data": faces.source,
        "split": split or None,
        "n": len(faces),
        "copies": int(copies.sum()),
        "ms_per_face": round(seconds / len(faces) * 1000, 4),
        "targets": measured,
    }


def flat(result: dict) -> dict:
    """What `--json` prints: the figures of a single target stand beside the rest, several stay one object a target."""
    if len(result["targets"]) > 1:
        return result
    ((target, figures),) = result["targets"].items()
    return {name: value for name, value in result.items() if name != "targets"} | {"target": target} | figures


def text(result: dict) -> str:
    """The same for a reader."""
    split = f", {result['split']}" if result["split"] else ""
    lines = [
        f"{result['weights']} on {result['data']}{split}: {result['n']:,} images, {result['ms_per_face']:.2f} ms a face"
    ]
    for target, figures in result["targets"].items():
        scalars = {name: value for name, value in figures.items() if isinstance(value, float)}
        lines.append(
            f"{target}: "
            + ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in scalars.items())
        )
        lines.append(f"  {'':<14}{'precision':>10}{'recall':>10}{'f1':>10}{'n':>8}")
        for name, row in figures["per_class"].items():
            lines.append(
                f"  {name:<14}{row['precision']:>10.4f}{row['recall']:>10.4f}{row['f1']:>10.4f}{row['n']:>8,}"
            )
        if result["copies"]:
            rest = figures["without_copies"]
            without = f"accuracy {rest['accuracy']:.4f} on the other {rest['n']:,}" if rest else "no other"
            lines.append(f"  {result['copies']:,} images also stand in what it was trained on; {without}")
    return "\n".join(lines)
