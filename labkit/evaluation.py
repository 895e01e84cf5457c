"""Any kept network on any data set that labkit reads, behind `python -m labkit evaluate WEIGHTS DATA`."""

import time
from pathlib import Path

import numpy as np

from labkit import datasets, metrics, models, running, runs, splits, training
from labkit.faces import FaceSet
from labkit.labels import ANOTHER_OPINION, meant, plain

BUILTIN_IMAGES = 1000


def load_network(weights: str | Path, data_dir="data"):
    """Open a network and say what it is.

    The file of a kept row holds no more than its spec, so that the data it was trained on must be imported.

    Args:
        weights: a published network by its name, or a weights file.
        data_dir: where imported data sets lie.

    Returns:
        (network, about), `about` being what `running.about` says.

    Raises:
        ValueError: for another or a damaged file.
        FileNotFoundError: where there is none.
        datasets.DataMissing: where the data of a kept row is not imported.
    """
    network, about = models.load(weights)
    if "classes" not in about:
        spec = runs.RunSpec.from_dict(about["spec"])
        about = running.about(spec, data_dir)
    return network, about


def kept_networks(store: runs.Store) -> dict[str, str | Path]:
    """Every network that can be opened here.

    Args:
        store: of rows, some of which have their weights beside them.

    Returns:
        label -> what `load_network` takes: first the published ones, by their names, then those of the store.
    """
    found: dict[str, str | Path] = {path.stem: path.stem for path in sorted(models.WEIGHTS.glob("*.pt"))}
    for weights in sorted(store.runs.glob("*/weights.pt")):
        result = store.read(weights.parent.name)
        if result and not result.error:
            spec = result.spec
            label = f"{spec['model']}, {spec['data']['name']}, seed {spec['seed']} ({result.key[:8]})"
            found[label] = weights
    return found


def read_faces(data: str | Path, about: dict, data_dir="data", n: int = BUILTIN_IMAGES) -> FaceSet:
    """Faces in the size, view and colours that a network takes; where the data has no such view, the face or
    else what there is.

    Args:
        data: an imported data set by its name, "builtin", or else a file or folder.
        about: what `load_network` says of the network.
        data_dir: where imported data sets lie.
        n: how many built-in faces to draw.
    """
    return _read(data, about, data_dir, n, progress=False)[0]


def _read(data, about, data_dir, n, progress) -> tuple[FaceSet, dict[str, str]]:
    """What `read_faces` returns, and the files that were left out: name -> why."""
    size, views, colour = about["size"], (about["view"], "face"), about["channels"] == 3
    named = datasets.is_name(data)
    if not (named and datasets.available(data, data_dir)) and (not named or Path(data).exists()):
        return datasets.read(data, size, views, colour, progress)
    there = datasets.views(data, data_dir)
    view = next((view for view in views if view in there), there[0])
    options = {"n": n} if data == "builtin" else {}
    return datasets.load(data, data_dir, size, view, colour=colour, **options), {}


def labels_for(faces: FaceSet, target: str, classes: list[str], mapping: dict | None = None) -> np.ndarray:
    """The labels of a target, coded as a network codes its classes.

    Classes may be called as `labkit.labels.SYNONYMS` has them.

    Args:
        faces: with labels of this target.
        target: its name.
        classes: the network's, in its order.
        mapping: a class of the faces -> the network's, for names that are no synonyms.

    Returns:
        int64 (N,), -1 = not labelled, or labelled with a class that the network does not know; or float32 (N,
        K), as the faces have it, for K labels an image.

    Raises:
        ValueError: where the network knows none of the classes, or the mapping names one that does not exist.
    """
    theirs = faces.classes[target]
    if tuple(classes) == tuple(theirs) and not mapping:
        return faces.targets[target]
    known = {meant(name): i for i, name in enumerate(classes)}
    renamed = {plain(name): wanted for name, wanted in (mapping or {}).items()}
    codes = [known.get(meant(renamed.get(plain(name), name)), -1) for name in theirs]
    for name, wanted in (mapping or {}).items():
        if meant(wanted) not in known:
            raise ValueError(f"map {name}={wanted}: the network knows {', '.join(classes)}")
    if faces.is_multilabel(target) or max(codes) < 0:
        network = f"the network knows {', '.join(classes)}"
        raise ValueError(f"target '{target}': {faces.source} has {', '.join(theirs)}; {network}")
    return np.array([*codes, -1])[faces.targets[target]]  # the last for images without a label


def unknown_to(faces: FaceSet, target: str, labels: np.ndarray) -> dict[str, int]:
    """Class -> images, of the classes that `labels_for` left out since the network does not know them."""
    if faces.is_multilabel(target):
        return {}
    lost = faces.labelled(target) & (labels == -1)
    return {name: n for name, n in faces.take(lost).counts(target).items() if n}


def evaluate(
    weights: str | Path,
    data: str | Path,
    split: str = "",
    data_dir="data",
    mapping: dict | None = None,
    progress: bool = False,
) -> dict:
    """All figures of a network on a data set, or on one of its official splits.

    Args:
        weights: a published network by its name, or a weights file.
        data: an imported data set by its name, "builtin", or a file or folder.
        split: one of the data set's official splits; "" = all images.
        data_dir: where imported data sets lie.
        mapping: a class of the data -> the network's, as `labels_for` takes it.
        progress: True shows a bar while files are read.

    Returns:
        `weights, data, split, n, copies` (images that it was trained on), `ms_per_face`, `left_out` (target
        -> class that the network does not know -> images), `unread` (file that was left out -> why), and
        `targets`: target -> what `metrics` gives, and
        `without_copies`, the same without those images, or None where no labelled image is left.

    Raises:
        ValueError: where split or targets do not fit.
    """
    network, about = load_network(weights, data_dir)
    faces, unread = _read(data, about, data_dir, BUILTIN_IMAGES, progress)
    faces = _as_named(_of_split(faces, split), network, about, mapping or {})
    theirs = [name for classes in faces.classes.values() for name in classes]
    for name in mapping or {}:
        if plain(name) not in map(plain, theirs):
            raise ValueError(f"map {name}={mapping[name]}: {faces.source} has {', '.join(theirs)}")
    targets = _common_targets(network, faces)
    training.predict(network, faces.images[:8], mirror=about["mirror"])  # the first call builds kernels
    start = time.perf_counter()
    predicted = training.predict(network, faces.images, mirror=about["mirror"])
    seconds = time.perf_counter() - start
    copies = splits.copied(faces.images, about["trained_on"].numpy())
    measured, left_out = {}, {}
    for target in targets:
        head = _head(network, target)
        classes, probabilities = about["classes"][head], predicted[head]
        labels = labels_for(faces, target, classes, mapping)
        if lost := unknown_to(faces, target, labels):
            left_out[target] = lost
        measure = metrics.multilabel if head in network.multilabel else metrics.classification
        measured[target] = measure(labels, probabilities, classes)
        others, rest = faces.labelled(target) & ~copies, None
        if labels.ndim == 1:
            others &= labels != -1
        if others.any():
            rest = measure(labels[others], probabilities[others], classes)
        measured[target]["without_copies"] = rest
    return {
        "weights": str(weights),
        "data": faces.source,
        "split": split or None,
        "n": len(faces),
        "copies": int(copies.sum()),
        "ms_per_face": round(seconds / len(faces) * 1000, 4),
        "left_out": left_out,
        "unread": unread,
        "targets": measured,
    }


def _as_named(faces: FaceSet, network, about: dict, mapping: dict) -> FaceSet:
    """Folders that mean no target by themselves are the network's one target where it knows some of them, or
    of several targets the only one that knows them all."""
    if list(faces.targets) != ["class"]:
        return faces
    renamed = {plain(name): wanted for name, wanted in mapping.items()}
    folders = {meant(renamed.get(plain(name), name)) for name in faces.classes["class"]}
    known = {target: folders & {meant(name) for name in about["classes"][target]} for target in network.heads}
    enough = 1 if len(known) == 1 else len(folders)
    (target, *others) = [name for name, some in known.items() if len(some) >= enough] or [None]
    return faces.renamed("class", target) if target and not others else faces


def _of_split(faces: FaceSet, split: str) -> FaceSet:
    """The faces of an official split, "" = all."""
    if not split:
        return faces
    there = [] if faces.split is None else sorted(set(faces.split))
    if split not in there:
        raise ValueError(f"split '{split}': {faces.source} has {', '.join(there) or 'no official splits'}")
    return faces.take(faces.split == split)


def _common_targets(network, faces: FaceSet) -> list[str]:
    """What the network predicts and some face has a label for, be it another source's label of the same."""
    labelled = [target for target in faces.targets if faces.labelled(target).any()]
    targets = [target for target in labelled if _head(network, target)]
    if not labelled:
        raise ValueError(
            f"{faces.source}: no picture has a label; sort them into folders named as their class"
        )
    if not targets:
        predicts = f"the network predicts {', '.join(network.heads)}"
        if labelled == ["class"]:
            predicts += (
                "; name folders as the classes of one of these, or give a table with a column a target"
            )
        raise ValueError(f"{faces.source} has labels for {', '.join(labelled)}; {predicts}")
    return targets


def _head(network, target: str) -> str | None:
    """The output of the network that a target of the data is about."""
    return next((head for head in (target, ANOTHER_OPINION.get(target)) if head in network.heads), None)


def flat(result: dict) -> dict:
    """What `--json` prints: the figures of a single target stand beside the rest, several stay one object
    a target."""
    if len(result["targets"]) > 1:
        return result
    ((target, figures),) = result["targets"].items()
    rest = {name: value for name, value in result.items() if name != "targets"}
    return rest | {"target": target} | figures


def text(result: dict) -> str:
    """What `evaluate` returned, for a reader."""
    split = f", {result['split']}" if result["split"] else ""
    counts = f"{result['n']:,} images, {result['ms_per_face']:.2f} ms a face"
    lines = [f"{result['weights']} on {result['data']}{split}: {counts}"]
    if unread := list(result["unread"].items()):
        some = "; ".join(f"{name}: {why}" for name, why in unread[:3])
        lines.append(f"  {len(unread)} files left out: {some}{' ...' if len(unread) > 3 else ''}")
    for target, figures in result["targets"].items():
        lines += _lines_of_target(target, figures)
        if lost := result["left_out"].get(target):
            each = ", ".join(f"{name} {n:,}" for name, n in lost.items())
            lines.append(f"  left out, since the network does not know them: {each}")
        if result["copies"]:
            rest = figures["without_copies"]
            without = f"accuracy {rest['accuracy']:.4f} on the other {rest['n']:,}" if rest else "no other"
            lines.append(f"  {result['copies']:,} images also stand in what it was trained on; {without}")
    return "\n".join(lines)


def _lines_of_target(target: str, figures: dict) -> list[str]:
    scalars = {name: value for name, value in figures.items() if isinstance(value, float)}
    written = [f"{name.replace('_', ' ')} {value:.4f}" for name, value in scalars.items()]
    lines = [f"{target}: {', '.join(written)}"]
    there = next(iter(figures["per_class"].values()))
    shown = [name for name in ("precision", "recall", "f1", "accuracy", "balanced_accuracy") if name in there]
    wide = max(14, 1 + max(map(len, figures["per_class"])))
    heads = "".join(f"{name.split('_')[0]:>10}" for name in shown)
    lines.append(f"  {'':<{wide}}{heads}{'n':>8}")
    for name, row in figures["per_class"].items():
        none = {one for one in shown if row[one] is None or not row["n"]}
        values = "".join(f"{'-' if one in none else format(row[one], '.4f'):>10}" for one in shown)
        lines.append(f"  {name:<{wide}}{values}{row['n']:>8,}")
    return lines
