"""Rows of tables: what is to be trained (`RunSpec`), what came out (`RunResult`), and the store that keeps
them.

A spec is plain data. Its key is a hash of the spec, of the identity of its data (`datasets.identity`) and of
`ENGINE`, so a row that is kept never has to be trained again, on no machine, and a row whose spec or data
changed is another row. A store is two folders:
  rows/<key>.json   the result: small, committed for the full profile, so that a fresh clone goes on from it
  runs/<key>/       weights.pt: not committed
Everything is written to a temporary name, then renamed: a killed process leaves no half row, and two
processes that finish the same row leave one of the two equal results.
"""

import hashlib
import json
import platform
import subprocess
import warnings
from dataclasses import MISSING, asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import torch

from labkit import devices, models
from labkit.places import whole_file
from labkit.training import TrainConfig

# Raise it when the numbers that training gives change on purpose: all kept rows are then trained anew.
ENGINE = 1
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class RunSpec:
    """One training, as plain data.

    Attributes:
        data: options of `datasets.load`, its name among them.
        split: options of `splits.make`; its seed is this spec's unless it names one.
        model: a name, blocks or layers, see `models.find`.
        targets: what the network predicts.
        config: how it is trained.
        seed: decides weights, split, order, augmentation and dropout.
        oversample: the target whose classes are made equally frequent in training, or None.
        copies: so many stored copies of each training image are added, see `augment.stored_copies`.
        mirror: what is measured is the mean prediction of an image and its mirror image.
        group: a target of the data; the accuracy of each of its classes is measured too.
        start: where this network's convolutions begin (transfer): another spec, as a dict, that is trained
            first; the name of a published network of the same trunk; or "imagenet", see
            `labkit.nets.pretrained`.
        also: options of `datasets.load` of further sets, all of whose images are trained on too. Where one
            has emotions but no smiles, happy counts as smiling.
        only: target -> the classes that are learnt and measured; images of others count as unlabelled.
            None = all.
        own: so many images of its own training part are trained on; None = all, 0 = those of `also` alone.
    """

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
    start: dict | str | None = None
    also: tuple[dict, ...] = ()
    own: int | None = None
    only: dict | None = None

    def __post_init__(self):
        object.__setattr__(self, "also", tuple(self.also))  # JSON and TOML give lists
        for options in self.also:
            if not isinstance(options, dict) or "name" not in options:
                raise ValueError(f"also: expected a list of options with a name, got {list(self.also)}")
        if self.own is not None and not (type(self.own) is int and self.own >= 0):
            raise ValueError(f"own: expected a whole number of 0 or more, or None, got {self.own!r}")
        if self.own == 0 and not self.also:
            raise ValueError("own: 0 leaves nothing to train on without `also`")
        for name, needed in (("data", "name"), ("split", "kind")):
            given = getattr(self, name)
            if not isinstance(given, dict) or needed not in given:
                raise ValueError(f"{name}: expected options with a {needed}, got {given}")

    @classmethod
    def from_dict(cls, values: dict) -> "RunSpec":
        """The inverse of `dataclasses.asdict`. Raises TypeError for a field that does not exist."""
        return cls(
            **{
                **values,
                "targets": tuple(values["targets"]),
                "config": TrainConfig(**values.get("config", {})),
            }
        )

    def as_dict(self) -> dict:
        """Plain values, exactly as JSON gives them back."""
        return json.loads(json.dumps(asdict(self)))

    def key(self, identity: str) -> str:
        """16 hexadecimal digits: the same for the same training. Settings at their default are left out, so
        that a setting which is added later leaves the kept rows as they are."""
        spec = _changed(self) | {"config": _changed(self.config)}
        content = json.dumps([spec, identity, ENGINE], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def _changed(settings) -> dict:
    """The fields of a dataclass that are not at their default."""
    defaults = {
        f.name: f.default_factory() if f.default_factory is not MISSING else f.default
        for f in fields(settings)
    }
    return {
        name: getattr(settings, name)
        for name, default in defaults.items()
        if getattr(settings, name) != default
    }


def provenance() -> dict:
    """Where and with what a row is made: device, versions, git commit, time (UTC)."""
    device, threads = devices.best_device(), torch.get_num_threads()
    names = {
        "cpu": "CPU (1 thread)" if threads == 1 else f"CPU ({threads} threads)",
        "mps": f"Apple GPU ({platform.machine()})",
    }
    root = Path(__file__).parents[1]
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    git = subprocess.run(command, capture_output=True, text=True) if (root / ".git").exists() else None
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    versions |= {"numpy": np.__version__, "opencv": cv2.__version__}
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else names[device.type],
        "versions": versions,
        "commit": git.stdout.strip() if git else "",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@dataclass(frozen=True)
class RunResult:
    """What came out of a spec.

    Attributes:
        key, spec, engine, identity: which training it was, on which data.
        device, versions, commit, time: where, with what and when (UTC) it was made.
        metrics: part ("train", "validation", "test") -> target -> `metrics.classification`; None for a target
            of which the part holds no label.
        history: one dict an epoch, see `training.History`.
        stopped: why training ended.
        parameters: how many numbers were trained.
        seconds: of training. images_per_second: trained on.
        precision: number format. layout: memory layout of the network, "" in rows made before it was
            recorded.
        error: the last line of the traceback where it failed, else None.
    """

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

    def has(self, part: str, target: str | None = None, group: str | None = None) -> bool:
        """Whether `value` finds a figure: the part is there, and holds labels of the target, in the group."""
        if part == "run":
            return True
        of_part = self.metrics.get(part, {})
        if target == "mean":
            return any(of_part.values())
        figures = of_part.get(target or self.spec["targets"][0])
        return figures is not None and (group is None or group in figures.get("by_group", ()))

    def value(
        self,
        measure: str = "accuracy",
        target: str | None = None,
        part: str = "test",
        group: str | None = None,
    ) -> float:
        """One figure.

        Args:
            measure: one of those that `metrics.classification` gives.
            target: None = the first; "mean" = the mean over all that the part has labels of.
            part: "train", "validation" or "test"; "run" has what training took: epochs, seconds_per_epoch,
                parameters.
            group: a class of `spec.group`, whose images alone count; None = all images count.
        Raises:
            ValueError: where the row failed, or the part has no label of the target.
        """
        if self.error:
            raise ValueError(f"row {self.key} failed: {self.error}")
        if part == "run":
            epochs = len(self.history)
            return {
                "epochs": epochs,
                "seconds_per_epoch": self.seconds / epochs,
                "parameters": self.parameters,
            }[measure]
        if target == "mean":
            measured = [of_target for of_target in self.metrics[part].values() if of_target is not None]
            return sum(of_target[measure] for of_target in measured) / len(measured)
        target = target or self.spec["targets"][0]
        if self.metrics[part][target] is None:
            raise ValueError(f"row {self.key}: no image of the {part} part is labelled with {target}")
        figures = self.metrics[part][target]
        return (figures["by_group"][group] if group else figures)[measure]


def _no_number(text: str):
    raise ValueError(f"holds {text}")


def _checked(result: RunResult, key: str) -> RunResult:
    """The result, where it can be believed. What else is wrong with it raises what Python raises."""
    spec = RunSpec.from_dict(result.spec)
    if result.key != key or (result.engine == ENGINE and spec.key(result.identity) != key):
        raise ValueError("is not the row that its name says")
    for part, targets in result.metrics.items():
        if part not in PARTS:
            raise ValueError(f"has a part '{part}', expected {', '.join(PARTS)}")
        for target, figures in targets.items():
            if figures and not 0 <= figures["accuracy"] <= 1:
                raise ValueError(f"{target} has the accuracy {figures['accuracy']}")
    texts = (result.device, result.commit, result.time, result.precision, result.layout, result.identity)
    if not all(isinstance(text, str) for text in texts) or not isinstance(result.engine, int):
        raise ValueError("has something else for a text")
    numbers = [result.seconds, result.parameters, *(epoch["train_loss"] for epoch in result.history)]
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("has a word for a number")
    float(result.seconds)
    return result


class Store:
    """Kept rows and weights. `rows` and `runs` are folders, made when first written to."""

    def __init__(self, rows: str | Path, runs: str | Path):
        self.rows, self.runs = Path(rows), Path(runs)
        self._by_spec: dict[str, RunResult] | None = None

    def read(self, key: str) -> RunResult | None:
        """The kept result of this key, or None; also None, with a warning, where its file is damaged: the row
        is then trained anew."""
        return self._read(self.rows / f"{key}.json")

    def _read(self, path: Path) -> RunResult | None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
            return _checked(RunResult(**values), path.stem)
        except FileNotFoundError:
            return None
        except Exception as error:  # how a file is damaged decides what Python raises
            warnings.warn(f"{path}: damaged ({error}); its row counts as not kept", stacklevel=3)
            return None

    def find(self, spec: RunSpec) -> RunResult | None:
        """The kept result of this spec whatever the identity of its data: for a clone that has the rows but
        not the data. A row that failed is no result."""
        if self._by_spec is None:  # read once: a table asks for dozens
            rows = filter(None, map(self._read, sorted(self.rows.glob("*.json"))))
            self._by_spec = {
                RunSpec.from_dict(r.spec).key(""): r for r in rows if r.engine == ENGINE and not r.error
            }
        return self._by_spec.get(spec.key(""))

    def write(self, result: RunResult, model=None) -> None:
        """Keep a result, and its weights first, since the row is what says that the run is whole."""
        self._by_spec = None
        if model is not None:
            models.save(self.runs / result.key / "weights.pt", model, spec=result.spec)
        text = json.dumps(asdict(result), indent=1, allow_nan=False) + "\n"
        with whole_file(self.rows / f"{result.key}.json") as temporary:
            temporary.write_text(text, encoding="utf-8")
