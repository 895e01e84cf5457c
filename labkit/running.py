"""Train rows: one, all of a table, here or on other machines; and the network of a row that is kept.

`run` and `run_all` read what the store has and train what it lacks. What is trained follows from the
`RunSpec` alone; `train` keeps nothing, so that a worker elsewhere can do it.
"""

import hashlib
import json
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from labkit import augment, datasets, devices, metrics, models, runs, splits, training
from labkit.faces import joined
from labkit.runs import RunResult, RunSpec, Store
from labkit.workers import transfer


@lru_cache(maxsize=3)
def _load(options: str, data_dir: str):
    return datasets.load(**json.loads(options), data_dir=data_dir)


def faces_of(spec: RunSpec, data_dir="data"):
    """The FaceSet of a spec; the last three stay in memory, since neighbours mostly share theirs."""
    return _with_only(spec, _load(json.dumps(spec.data, sort_keys=True), str(data_dir)))


def _with_only(spec, faces):
    for target, names in (spec.only or {}).items():
        faces = faces.only(target, names)
    return faces


def identity_of(spec: RunSpec, data_dir="data") -> str:
    """That of the spec's data; with a `start` or `also`, of all its data sets. Opens no picture."""
    own = datasets.identity(spec.data["name"], data_dir, spec.data.get("view"))
    for options in spec.also:
        other = datasets.identity(options["name"], data_dir, options.get("view"))
        own = hashlib.sha256((own + other).encode()).hexdigest()
    if not spec.start:
        return own
    named = isinstance(spec.start, str)
    first = transfer.identity(spec.start) if named else identity_of(RunSpec.from_dict(spec.start), data_dir)
    return hashlib.sha256((first + own).encode()).hexdigest()


def parts_of(spec: RunSpec, faces) -> dict:
    """part -> FaceSet; the training part not yet oversampled."""
    split = splits.make(faces, **{"seed": spec.seed, **spec.split})
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    return {name: faces.take(index) for name, index in parts.items() if len(index)}


def trained_on(spec: RunSpec, train, data_dir="data"):
    """The FaceSet that training sees: so many images of its own training part as the spec says, all of those
    sets that it names beside, and of all these only what has a label to learn."""
    own = train if spec.own is None else train.take(np.arange(min(spec.own, len(train))))
    if not spec.also:
        return _labelled(spec, own)
    others = [_load(json.dumps(options, sort_keys=True), str(data_dir)) for options in spec.also]
    others = [_with_only(spec, faces) for faces in others]
    kept_targets = dict.fromkeys((*spec.targets, *filter(None, [spec.oversample])))
    return _labelled(spec, joined([own, *others] if len(own) else others, list(kept_targets)))


def _labelled(spec, faces):
    known = [faces.labelled(target) for target in spec.targets if target in faces.targets]
    chosen = np.any(known, axis=0) if known else np.ones(len(faces), bool)
    return faces if chosen.all() else faces.take(chosen)


def new_model(spec: RunSpec, faces):
    """The untrained network of a spec: one head a target, as many outputs as it has classes."""
    missing = [t for t in (*spec.targets, *filter(None, [spec.group])) if t not in faces.targets]
    if missing:
        raise ValueError(f"target '{missing[0]}': {faces.source} has {', '.join(faces.targets)}")
    outputs = {t: len(faces.classes[t]) for t in spec.targets}
    multilabel = tuple(t for t in spec.targets if faces.is_multilabel(t))
    size, channels = faces.images.shape[-2:]
    return models.build(spec.model, outputs, multilabel, channels, spec.seed, size)


def _measure(model, faces, spec: RunSpec) -> dict:
    """target -> its figures, None where nothing is labelled; with `spec.group` also `by_group`: class of the
    group -> its figures."""
    predicted = training.predict(model, faces.images, precision=spec.config.precision, mirror=spec.mirror)

    def figures(target, index):
        measure = metrics.multilabel if faces.is_multilabel(target) else metrics.classification
        if not faces.labelled(target)[index].any():
            return None
        return measure(faces.targets[target][index], predicted[target][index], faces.classes[target])

    measured = {target: figures(target, slice(None)) for target in spec.targets}
    if spec.group:
        members = {name: faces.targets[spec.group] == i for i, name in enumerate(faces.classes[spec.group])}
        for target in filter(measured.get, spec.targets):
            of_groups = {name: figures(target, index) for name, index in members.items()}
            measured[target]["by_group"] = {name: found for name, found in of_groups.items() if found}
    return measured


@lru_cache(maxsize=1)
def _first_training(options: str, data_dir: str):
    """The model and fields of a `start`; the last stays in memory, since the seeds and folds of a row share
    it."""
    spec = RunSpec.from_dict(json.loads(options))
    return _train(spec, faces_of(spec, data_dir), data_dir, False)


def _train(spec: RunSpec, faces, data_dir, progress, **of_fit):
    """Train a spec and measure every part; returns the model and the fields of its result."""
    parts = parts_of(spec, faces)
    train = trained_on(spec, parts["train"], data_dir)
    if spec.oversample:
        train = train.take(splits.oversample(train, np.arange(len(train)), spec.oversample, spec.seed))
    if spec.copies:
        copies = augment.stored_copies(train.images, spec.copies, spec.seed)
        every = train.take(np.tile(np.arange(len(train)), 1 + spec.copies))
        train = replace(every, images=np.concatenate([train.images, copies]))
    model, before = new_model(spec, faces), 0.0
    if isinstance(spec.start, str):
        transfer.begin(model, spec.start, data_dir)
    elif spec.start:
        first, of_first = _first_training(json.dumps(spec.start, sort_keys=True), str(data_dir))
        transfer.take_trunk(model, first)
        before = of_first["seconds"]
    start = time.perf_counter()
    history = training.fit(
        model, train, parts.get("validation"), spec.config, spec.seed, progress=progress, **of_fit
    )
    # Seconds before it was broken off count.
    seconds = max(time.perf_counter() - start, history.rows[-1]["seconds"])
    rounded = [{name: round(value, 5) for name, value in row.items()} for row in history.rows]
    short = f"cut short after epoch {len(rounded)} of {spec.config.epochs}" if history.cut_short else None
    return model, {
        "error": short,  # so that it never stands for the whole row
        "metrics": {name: _measure(model, part, spec) for name, part in parts.items()},
        "history": rounded,
        "stopped": history.stopped,
        "precision": spec.config.precision,
        "layout": devices.layout_of(model, spec.config.precision),
        "parameters": models.count_parameters(model, spec.config.frozen),
        "seconds": round(before + seconds, 2),
        "images_per_second": round(len(train) * len(rounded) / seconds, 1),
    }


def kept(spec: RunSpec, store: Store, data_dir="data") -> RunResult | None:
    """The kept result of `spec`, unless it failed; None where it has to be trained. Without its data a spec
    can only be read: raises `datasets.DataMissing` where it was never kept."""
    try:
        result = store.read(spec.key(identity_of(spec, data_dir)))
    except datasets.DataMissing:
        result = store.find(spec)
        if result is None:
            raise
    return None if result is None or result.error else result


def is_kept(spec: RunSpec, store: Store, data_dir="data") -> bool:
    """Whether `kept` finds a result."""
    try:
        return kept(spec, store, data_dir) is not None
    except (OSError, ValueError):
        return False


def can_train(spec: RunSpec, data_dir="data") -> bool:
    """Whether its data sets are imported, and the weights that it begins with are here."""
    names = [spec.data["name"], *(options["name"] for options in spec.also)]
    if not all(datasets.available(name, data_dir) for name in names):
        return False
    return spec.start != transfer.IMAGENET or transfer.has_imagenet(spec.model, data_dir)


def train(spec: RunSpec, data_dir="data", progress: bool = True, after_epoch=None, checkpoint=None):
    """Train `spec`, here and now. Keeps nothing, so that a worker elsewhere can do it.

    Args:
        after_epoch, checkpoint: as `training.fit` has them.
    Returns:
        Its result, and its network on the CPU: None where the training failed, and then the result says why.
    """
    identity, model = "", None
    try:
        identity = identity_of(spec, data_dir)
        model, fields = _train(
            spec, faces_of(spec, data_dir), data_dir, progress, after_epoch=after_epoch, checkpoint=checkpoint
        )
        model = model.cpu()  # who asked may have no GPU
    except Exception as error:  # whatever is wrong with one row stops no other
        fields = {"error": traceback.format_exception_only(error)[-1].strip().split("\n")[0]}
    common = {"key": spec.key(identity), "spec": spec.as_dict(), "engine": runs.ENGINE, "identity": identity}
    return RunResult(**common, **runs.provenance(), **fields), model


def run(
    spec: RunSpec,
    store: Store,
    data_dir="data",
    force: bool = False,
    progress: bool = True,
    checkpoint: bool = False,
    after_epoch=None,
) -> tuple[RunResult, bool]:
    """One row: read where it is kept, otherwise trained and kept.

    A training that fails is kept with its error and tried again by the next call.

    Args:
        force: train it even where it is kept.
        checkpoint: keep each epoch in `runs/<key>/checkpoint.pt` until the row is whole, and go on from there
            after a kill.
        after_epoch: as `training.fit` has it. A row that it cuts short is kept with that as its error: it has
            its history, and is trained as a whole when it is asked for again.
    Returns:
        The result, and whether it had to be trained.
    Raises:
        datasets.DataMissing: where the row was never kept and its data is not imported.
    """
    result = None if force else kept(spec, store, data_dir)
    if result:
        return result, False
    file = store.runs / spec.key(identity_of(spec, data_dir)) / "checkpoint.pt" if checkpoint else None
    result, model = train(spec, data_dir, progress, checkpoint=file, after_epoch=after_epoch)
    store.write(result, model)
    if file:
        file.unlink(missing_ok=True)
    return result, True


def run_all(
    specs: list[RunSpec],
    store: Store,
    data_dir="data",
    force: bool = False,
    progress: bool = True,
    workers: int = 1,
    scheduler: str = "",
) -> list[RunResult]:
    """Many rows, in the order of `specs`. A failed row stops no other, nor does one whose data is missing.

    Args:
        force: train them even where they are kept.
        progress: show a bar, which says how many rows were kept and how many are trained.
        workers: so many rows at once, each with its share of this machine's cores.
        scheduler: address of a Dask cluster whose workers train instead; they open the data under the same
            `data_dir`.
    Raises:
        datasets.DataMissing: where no row is kept and the data of all are missing.
        OSError: after all other rows, where a row took its worker down again and again.
    """
    if workers < 1:
        raise ValueError(f"workers: expected 1 or more, got {workers}")
    unique = {json.dumps(spec.as_dict(), sort_keys=True): spec for spec in specs}
    results = {} if force else _kept_of(unique, store, data_dir)
    todo = {name: spec for name, spec in unique.items() if not results.get(name)}
    label = f"{len(unique) - len(todo)} rows kept, training"
    with tqdm(total=len(todo), desc=label, unit="row", disable=not progress) as bar:
        lost = []
        asked = ((name, spec, None) for name, spec in todo.items())
        trained = train_each(asked, data_dir, min(workers, len(todo)), scheduler, len(todo), progress)
        for name, outcome, error in trained:
            if error:
                lost.append(error)
            else:
                results[name], model = outcome
                if results[name].identity:  # without its data nobody knows which row it would be
                    store.write(results[name], model)
            bar.update()
    if lost:
        sentence = f"{len(lost)} rows were lost with their workers; run again to try them again."
        raise OSError(f"{sentence} The first: {lost[0]}")
    return [results[json.dumps(spec.as_dict(), sort_keys=True)] for spec in specs]


def _kept_of(specs: dict, store: Store, data_dir) -> dict:
    """name -> kept result, where there is one. Raises `datasets.DataMissing` where none is, and the data of
    all are missing."""
    found, missing = {}, []
    for name, spec in specs.items():
        try:
            found[name] = kept(spec, store, data_dir)
        except datasets.DataMissing as error:
            missing.append(error)
        except (OSError, ValueError):  # training it will say what is wrong with its data
            continue
    if missing and len(missing) == len(specs):
        raise missing[0]
    return found


def train_each(asked, data_dir="data", workers=1, scheduler="", at_once=None, progress=False) -> Iterator:
    """Train specs as they come up, here or on workers. Keeps nothing.

    Args:
        asked: of (name, spec, what is called after each epoch or None). The next is taken when there is room
            for it, and what was yielded has been looked at.
        workers, scheduler: as `run_all` takes them.
        at_once: so many may wait or train at the same time on workers; None = as many as there are workers.
    Yields:
        (name, (result, network), error) as they finish. `error` is None, or what took the worker down.
    """
    if workers <= 1 and not scheduler:
        for name, spec, after_epoch in asked:
            yield name, train(spec, data_dir, progress, after_epoch), None
        return
    from labkit.workers import cluster

    folder = str(Path(data_dir).resolve())
    tasks = ((name, (spec, folder, False, after_epoch)) for name, spec, after_epoch in asked)
    with cluster.connect(workers, scheduler) as client:
        yield from cluster.each(client, train, tasks, at_once)


def trained_model(result: RunResult, store: Store, data_dir="data", progress: bool = True):
    """The network of a kept row: of those that are published or in the store. Where neither has it, it is
    trained once more. Raises ValueError where the data is no longer what the row was trained on."""
    model = _kept_model(result, store)
    if model is not None:
        return model
    spec = RunSpec.from_dict(result.spec)
    if identity_of(spec, data_dir) != result.identity:
        name = spec.data["name"]
        raise ValueError(f"row {result.key} was trained on other data than {name} holds now; run it again")
    path = store.runs / result.key / "weights.pt"
    model, _ = _train(spec, faces_of(spec, data_dir), data_dir, progress)
    models.save(path, model, spec=result.spec)
    return model


def _kept_model(result: RunResult, store: Store):
    for path in (*models.WEIGHTS.glob("*.pt"), store.runs / result.key / "weights.pt"):
        if path.exists():
            model, meta = models.load(path)
            if meta.get("row", path.parent.name) == result.key:
                return model
    return None


def about(spec: RunSpec, data_dir="data") -> dict:
    """What using the network of a spec takes beside its weights: classes of each target, size, channels and
    view of the images, whether predictions average the mirror image, the data, and the signatures of all
    images that it was trained on."""
    faces = faces_of(spec, data_dir)
    size, channels = faces.images.shape[-2:]
    return {
        "classes": {target: list(faces.classes[target]) for target in spec.targets},
        "size": size,
        "channels": channels,
        "view": spec.data.get("view"),
        "mirror": spec.mirror,
        "data": faces.source,
        "trained_on": torch.from_numpy(_trained_on(spec, data_dir)),
    }


def _trained_on(spec: RunSpec, data_dir) -> np.ndarray:
    """`splits.signatures` of the training images, and of those of its `start`."""
    train = trained_on(spec, parts_of(spec, faces_of(spec, data_dir))["train"], data_dir)
    own = splits.signatures(train.images)
    if isinstance(spec.start, str):
        return np.concatenate([transfer.signatures(spec.start), own])
    return np.concatenate([_trained_on(RunSpec.from_dict(spec.start), data_dir), own]) if spec.start else own


def publish(spec: RunSpec, store: Store, path: str | Path, data_dir="data", half=False, **more):
    """Write the network of a kept row to `path`, with its key, all that `about` says, and `more`, such as the
    `margin` and `shown` that the camera asks for; returns the row, trained and kept anew where its weights
    are not here. `half` as `models.save` takes it. Raises ValueError for a row that is not kept."""
    result = kept(spec, store, data_dir)
    if result is None:
        raise ValueError(f"{path}: its row is not kept yet; train it first")
    model = _kept_model(result, store)
    if model is None:
        result, model = train(spec, data_dir)
        store.write(result, model)
    if model is None:
        raise ValueError(f"{path}: its training failed: {result.error}")
    models.save(path, model, half, row=result.key, **about(spec, data_dir), **more)
    return result
