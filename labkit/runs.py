"""Rows of tables: what is to be trained (`RunSpec`), what came out (`RunResult`), and the store that keeps them.

A spec is plain data. Its key is a hash of the spec, of the identity of its data (`datasets.identity`) and of `ENGINE`, so a row
that is kept never has to be trained again, on no machine, and a row whose spec or data changed is another row. A store is two folders:
  rows/<key>.json   the result: small, committed for the full profile, so that a fresh clone goes on from it
  runs/<key>/       weights.pt: not committed
Everything is written to a temporary name, then renamed: a killed process leaves no half row, and two processes that finish
the same row leave one of the two equal results.
"""

import hashlib
import json
import platform
import subprocess
import time
import traceback
import uuid
import warnings
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm.auto import tqdm

from labkit import augment, datasets, devices, metrics, models, splits, training
from labkit.training import TrainConfig

# Raise it when the numbers that training gives change on purpose: all kept rows are then trained anew.
ENGINE = 1


@dataclass(frozen=True)
class RunSpec:
    """One training. `data`: options of `datasets.load`; `split`: options of `splits.make` (its seed is this spec's unless
    it names one); `model`: a name or blocks, see `models.find`; `targets`: what the network predicts; `oversample`: the
    target whose classes are made equally frequent in training, or None; `copies`: so many stored copies of each training
    image are added, see `augment.stored_copies`; `mirror`: what is measured is the mean prediction of an image and its mirror
    image; `group`: a target of the data; the accuracy of each of its classes is measured too; `start`: another spec, as a dict,
    that is trained first: its convolutions are where this network begins (transfer)."""

    data: dict
    split: dict
    model: str
    targets: tuple[str, ...]
    config: TrainConfig = field(default_factory=TrainConfig)
    seed: int = 0
    oversample: str | None = None
    copies: int = 0
    mirror: bool = False
    group: str | None = None
    start: dict | None = None

    @classmethod
    def from_dict(cls, values: dict) -> "RunSpec":
        """The inverse of `dataclasses.asdict`. Raises TypeError for a field that does not exist."""
        return cls(**{**values, "targets": tuple(values["targets"]), "config": TrainConfig(**values.get("config", {}))})

    def as_dict(self) -> dict:
        """Plain values, exactly as JSON gives them back."""
        return json.loads(json.dumps(asdict(self)))

    def key(self, identity: str) -> str:
        """16 hexadecimal digits: the same for the same training. Settings at their default are left out, so that a setting
        which is added later leaves the kept rows as they are."""
        spec = _changed(self) | {"config": _changed(self.config)}
        content = json.dumps([spec, identity, ENGINE], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def _changed(settings) -> dict:
    """The fields of a dataclass that are not at their default."""
    defaults = {f.name: f.default_factory() if f.default_factory is not MISSING else f.default for f in fields(settings)}
    return {name: getattr(settings, name) for name, default in defaults.items() if getattr(settings, name) != default}


@dataclass(frozen=True)
class RunResult:
    """What came out of a spec. `metrics`: part ("train", "validation", "test") -> target -> `metrics.classification`;
    None for a target of which the part holds no label; `history`: one dict an epoch; `seconds`: of training; `identity`: of its data;
    `layout`: memory layout of the network, "" in rows made before it was recorded; `error`: the last line of the traceback where it
    failed."""

    key: str
    spec: dict
    engine: int
    identity: str
    device: str
    versions: dict
    commit: str
    time: str
    metrics: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    stopped: str = ""
    parameters: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    precision: str = ""
    layout: str = ""
    error: str | None = None

    def value(self, measure: str = "accuracy", target: str | None = None, part: str = "test") -> float:
        """One figure, of the first target unless one is named; part "run" has what training took: epochs, seconds_per_epoch,
        parameters. Raises ValueError where the row failed or the part has no label of the target."""
        if self.error:
            raise ValueError(f"row {self.key} failed: {self.error}")
        if part == "run":
            epochs = len(self.history)
            return {"epochs": epochs, "seconds_per_epoch": self.seconds / epochs, "parameters": self.parameters}[measure]
        target = target or self.spec["targets"][0]
        if self.metrics[part][target] is None:
            raise ValueError(f"row {self.key}: no image of the {part} part is labelled with {target}")
        return self.metrics[part][target][measure]


class Store:
    """Kept rows and weights. `rows` and `runs` are folders, made when first written to."""

    def __init__(self, rows: str | Path, runs: str | Path):
        self.rows, self.runs = Path(rows), Path(runs)
        self._by_spec: dict[str, RunResult] | None = None

    def read(self, key: str) -> RunResult | None:
        """The kept result of this key, or None; also None, with a warning, where its file is damaged: the row is then trained anew."""
        return self._read(self.rows / f"{key}.json")

    def _read(self, path: Path) -> RunResult | None:
        try:
            return RunResult(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            warnings.warn(f"{path}: damaged ({error}); its row counts as not kept", stacklevel=3)
            return None

    def find(self, spec: RunSpec) -> RunResult | None:
        """The kept result of this spec whatever the identity of its data: for a clone that has the rows but not the data. A
        row that failed is no result."""
        if self._by_spec is None:  # read once: a table asks for dozens
            rows = filter(None, map(self._read, sorted(self.rows.glob("*.json"))))
            self._by_spec = {RunSpec.from_dict(r.spec).key(""): r for r in rows if r.engine == ENGINE and not r.error}
        return self._by_spec.get(spec.key(""))

    def write(self, result: RunResult, model=None) -> None:
        """Keep a result, and its weights first, since the row is what says that the run is whole."""
        self._by_spec = None
        if model is not None:
            folder = self.runs / result.key
            folder.mkdir(parents=True, exist_ok=True)
            models.save(folder / "weights.pt", model, spec=result.spec)
        self.rows.mkdir(parents=True, exist_ok=True)
        temporary = self.rows / f".{result.key}.{uuid.uuid4().hex}.tmp"
        temporary.write_text(json.dumps(asdict(result), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(self.rows / f"{result.key}.json")


@lru_cache(maxsize=3)
def _load(options: str, data_dir: str):
    return datasets.load(**json.loads(options), data_dir=data_dir)


def faces_of(spec: RunSpec, data_dir="data"):
    """The FaceSet of a spec; the last three stay in memory, since neighbouring rows mostly share theirs."""
    return _load(json.dumps(spec.data, sort_keys=True), str(data_dir))


def identity_of(spec: RunSpec, data_dir="data") -> str:
    """That of the spec's data; with a `start`, of both data sets. Opens no picture."""
    own = datasets.identity(spec.data["name"], data_dir, spec.data.get("view"))
    if not spec.start:
        return own
    return hashlib.sha256((identity_of(RunSpec.from_dict(spec.start), data_dir) + own).encode()).hexdigest()


def parts_of(spec: RunSpec, faces) -> dict:
    """part -> FaceSet; the training part not yet oversampled."""
    split = splits.make(faces, **{"seed": spec.seed, **spec.split})
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    return {name: faces.take(index) for name, index in parts.items() if len(index)}


def new_model(spec: RunSpec, faces):
    """The untrained network of a spec: one head a target, as many outputs as it has classes."""
    missing = [t for t in (*spec.targets, *filter(None, [spec.group])) if t not in faces.targets]
    if missing:
        raise ValueError(f"target '{missing[0]}': {faces.source} has {', '.join(faces.targets)}")
    outputs = {t: len(faces.classes[t]) for t in spec.targets}
    multilabel = tuple(t for t in spec.targets if faces.is_multilabel(t))
    return models.build(spec.model, outputs, multilabel, faces.images.shape[-1], spec.seed)


def _measure(model, faces, spec: RunSpec) -> dict:
    """target -> its figures, None where nothing is labelled; with `spec.group` also `by_group`: class of the group -> its figures."""
    predicted = training.predict(model, faces.images, precision=spec.config.precision, mirror=spec.mirror)

    def figures(target, index):
        measure = metrics.multilabel if faces.is_multilabel(target) else metrics.classification
        labels = faces.targets[target][index]
        return measure(labels, predicted[target][index], faces.classes[target]) if faces.labelled(target)[index].any() else None

    measured = {target: figures(target, slice(None)) for target in spec.targets}
    if spec.group:
        members = {name: faces.targets[spec.group] == i for i, name in enumerate(faces.classes[spec.group])}
        for target in filter(measured.get, spec.targets):
            groups = {name: figures(target, index) for name, index in members.items()}
            measured[target]["by_group"] = {name: of_group for name, of_group in groups.items() if of_group}
    return measured


@lru_cache(maxsize=1)
def _first_training(options: str, data_dir: str):
    """The model and fields of a `start`; the last stays in memory, since the seeds and folds of a row share it."""
    spec = RunSpec.from_dict(json.loads(options))
    return _train(spec, faces_of(spec, data_dir), data_dir, False)


def _train(spec: RunSpec, faces, data_dir, progress, **of_fit):
    """Train a spec and measure every part; returns the model and the fields of its result."""
    parts = parts_of(spec, faces)
    train = parts["train"]
    if spec.oversample:
        train = train.take(splits.oversample(train, np.arange(len(train)), spec.oversample, spec.seed))
    if spec.copies:
        copies = augment.stored_copies(train.images, spec.copies, spec.seed)
        every = train.take(np.tile(np.arange(len(train)), 1 + spec.copies))
        train = replace(every, images=np.concatenate([train.images, copies]))
    model, before = new_model(spec, faces), 0.0
    if spec.start:
        first, of_first = _first_training(json.dumps(spec.start, sort_keys=True), str(data_dir))
        model.features.load_state_dict(first.features.state_dict())
        before = of_first["seconds"]
    start = time.perf_counter()
    history = training.fit(model, train, parts.get("validation"), spec.config, spec.seed, progress=progress, **of_fit)
    seconds = max(time.perf_counter() - start, history.rows[-1]["seconds"])  # those before it was broken off count
    rounded = [{name: round(value, 5) for name, value in row.items()} for row in history.rows]
    return model, {
        "metrics": {name: _measure(model, part, spec) for name, part in parts.items()},
        "history": rounded,
        "stopped": history.stopped,
        "precision": spec.config.precision,
        "layout": devices.layout_of(model, spec.config.precision),
        "parameters": models.count_parameters(model),
        "seconds": round(before + seconds, 2),
        "images_per_second": round(len(train) * len(rounded) / seconds, 1),
    }


def provenance() -> dict:
    """Where and with what a row is made: device, versions, git commit, time (UTC)."""
    device, threads = devices.best_device(), torch.get_num_threads()
    names = {"cpu": "CPU (1 thread)" if threads == 1 else f"CPU ({threads} threads)", "mps": f"Apple GPU ({platform.machine()})"}
    root = Path(__file__).parents[1]
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    git = subprocess.run(command, capture_output=True, text=True) if (root / ".git").exists() else None
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__, "opencv": cv2.__version__}
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else names[device.type],
        "versions": versions,
        "commit": git.stdout.strip() if git else "",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def kept(spec: RunSpec, store: Store, data_dir="data") -> RunResult | None:
    """The kept result of `spec`, unless it failed; None where it has to be trained. Without its data a spec can only be read:
    raises `datasets.DataMissing` where it was never kept."""
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


def train(spec: RunSpec, data_dir="data", progress: bool = True, **of_fit):
    """Train `spec`, here and now; returns its result and its network, on the CPU, which is None where the training failed: then
    the result says why. Keeps nothing, so that a worker elsewhere can do it. of_fit: `checkpoint` and `after_epoch` of `training.fit`."""
    identity, model = "", None
    try:
        identity = identity_of(spec, data_dir)
        model, fields = _train(spec, faces_of(spec, data_dir), data_dir, progress, **of_fit)
        model = model.cpu()  # who asked may have no GPU
    except Exception as error:  # whatever is wrong with one row stops no other
        fields = {"error": traceback.format_exception_only(error)[-1].strip().split("\n")[0]}
    common = {"key": spec.key(identity), "spec": spec.as_dict(), "engine": ENGINE, "identity": identity}
    return RunResult(**common, **provenance(), **fields), model


def run(
    spec: RunSpec, store: Store, data_dir="data", force: bool = False, progress: bool = True, checkpoint: bool = False, after_epoch=None
) -> tuple[RunResult, bool]:
    """The result of `spec`, and whether it had to be trained. Kept rows are read, others trained and kept; a training that
    fails is kept with its error and tried again by the next call. checkpoint: keep each epoch in `runs/<key>/checkpoint.pt` until the
    row is whole, and go on from there; after_epoch: as `training.fit` has it."""
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
    specs: list[RunSpec], store: Store, data_dir="data", force: bool = False, progress: bool = True, workers: int = 1, scheduler: str = ""
) -> list[RunResult]:
    """All of `specs` in their order; says how many rows were kept and how many trained. A failed row stops no other, nor does
    one whose data is missing, unless that is so of all.

    workers: so many rows at once, each with its share of this machine's cores. scheduler: address of a Dask cluster whose
    workers train instead; they open the data under the same `data_dir`. Raises RuntimeError, after all other rows, where a
    row took its worker down again and again."""
    if workers < 1:
        raise ValueError(f"workers: expected 1 or more, got {workers}")
    unique = {json.dumps(spec.as_dict(), sort_keys=True): spec for spec in specs}
    results = {} if force else _kept_of(unique, store, data_dir)
    todo = {name: spec for name, spec in unique.items() if not results.get(name)}
    label = f"{len(unique) - len(todo)} rows kept, training"
    with tqdm(total=len(todo), desc=label, unit="row", disable=not progress) as bar:
        if scheduler or (workers > 1 and len(todo) > 1):
            trained = _train_on_workers(todo, data_dir, min(workers, len(todo)), scheduler)
        else:
            trained = ((name, train(spec, data_dir, progress), None) for name, spec in todo.items())
        lost = []
        for name, outcome, error in trained:
            if error:
                lost.append(error)
            else:
                results[name], model = outcome
                if results[name].identity:  # without its data nobody knows which row it would be
                    store.write(results[name], model)
            bar.update()
    if lost:
        raise RuntimeError(f"{len(lost)} rows were lost with their workers; run again to try them again. The first: {lost[0]}")
    return [results[json.dumps(spec.as_dict(), sort_keys=True)] for spec in specs]


def _kept_of(specs: dict, store: Store, data_dir) -> dict:
    """name -> kept result, where there is one. Raises `datasets.DataMissing` where none is, and the data of all are missing."""
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


def _train_on_workers(todo: dict, data_dir, workers: int, scheduler: str):
    """Yield (name, (result, network), error) of each spec in `todo` as workers finish them."""
    from labkit import cluster

    tasks = {name: (spec, str(Path(data_dir).resolve()), False) for name, spec in todo.items()}
    if tasks:
        with cluster.connect(workers, scheduler) as client:
            yield from cluster.each(client, train, tasks)


def trained_model(result: RunResult, store: Store, data_dir="data", progress: bool = True):
    """The network of a kept row: of those that are published or in the store. Where neither has it, it is trained once more.
    Raises ValueError where the data is no longer what the row was trained on."""
    model = _kept_model(result, store)
    if model is not None:
        return model
    spec = RunSpec.from_dict(result.spec)
    if identity_of(spec, data_dir) != result.identity:
        raise ValueError(f"row {result.key} was trained on other data than {spec.data['name']} holds now; run it again")
    path = store.runs / result.key / "weights.pt"
    model, _ = _train(spec, faces_of(spec, data_dir), data_dir, progress)
    path.parent.mkdir(parents=True, exist_ok=True)
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
    """What using the network of a spec takes beside its weights: classes of each target, size, channels and view of the images,
    whether predictions average the mirror image, the data, and the signatures of all images that it was trained on."""
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
    own = splits.signatures(parts_of(spec, faces_of(spec, data_dir))["train"].images)
    return np.concatenate([_trained_on(RunSpec.from_dict(spec.start), data_dir), own]) if spec.start else own


def publish(spec: RunSpec, store: Store, path: str | Path, data_dir="data") -> RunResult:
    """Write the network of a kept row to `path`, with its key and all that `about` says; returns the row. Where the row's weights are
    not here, it is trained anew and kept anew, so that weights and figures are of one training. Raises ValueError for a row that is
    not kept."""
    result = kept(spec, store, data_dir)
    if result is None:
        raise ValueError(f"{path}: its row is not kept yet; train it first")
    model = _kept_model(result, store)
    if model is None:
        result, model = train(spec, data_dir)
        store.write(result, model)
    if model is None:
        raise ValueError(f"{path}: its training failed: {result.error}")
    models.save(path, model, row=result.key, **about(spec, data_dir))
    return result
