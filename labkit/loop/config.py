"""`TrainConfig`: everything that decides a training beside data, model and seed."""

import math
from dataclasses import dataclass, field

import torch

from labkit import augment, devices
from labkit.loop.losses import BALANCED, LOSSES, VOTES, kind_of
from labkit.loop.rules import LOSS, PLATEAU, SCHEDULES

OPTIMIZERS = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "sgd": (torch.optim.SGD, {"fused": True, "momentum": 0.9, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
}
CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": (*SCHEDULES, PLATEAU),
    "scale": ("unit", "standard"),
    "precision": devices.PRECISIONS,
}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training beside data, model and seed.

    Attributes:
        epochs, batch_size: 1 or more.
        optimizer: "adam", "adamw", "sgd" (Nesterov momentum 0.9) or "rmsprop".
        learning_rate: of a step, above 0; with a schedule the highest.
        weight_decay: None takes torch's default of the optimizer: 0.01 for AdamW (without it AdamW is Adam),
            else 0.
        schedule: "constant"; "one_cycle", up and down in one wave; or "plateau": times `reduce_by`, in 0..1,
            whenever what is watched has not become better for `reduce_after` epochs.
        reduce_by, reduce_after: of "plateau", see there; a factor between 0 and 1, and 1 epoch or more.
        augment: step -> amount, see `labkit.augment`.
        scale: "unit" leaves images in 0..1, "standard" subtracts the mean and divides by the deviation of the
            training images; a frozen trunk keeps the scale that it has.
        loss: one of `labkit.loop.losses.LOSSES` for all targets of class indices, or target -> one of them.
            "votes" learns from `FaceSet.votes`, soft labels. "softmax_twice" is a common mistake, kept so
            that its price can be measured.
        class_weights: target -> "balanced" or a weight a class, see `labkit.loop.losses.class_weights`.
        label_smoothing: 0 to below 1.
        l1: module, such as "hidden" -> what the sum of its weights' absolute values counts for in the loss.
        average: decay of a moving average of the weights, 0 (none) to below 1, which replaces them at the end
            (`labkit.loop.average`).
        watch: what patience and plateau watch in each epoch's row: "validation_loss", or
            "validation_accuracy_<target>".
        patience: epochs without a better value of what is watched after which training stops, and the weights
            of the best epoch are restored; None = never.
        until: what an epoch's row has to reach, name -> value: "validation_accuracy_<target>" at least, or
            "validation_loss" at most. The epoch in which all of them hold together is the last.
        frozen: names of modules of the network, such as "features", whose weights and normalisation
            statistics stay as they are.
        precision: number format of the network's layers, "float32" or "bfloat16"; the weights themselves and
            the loss are float32 in both. Every machine has float32; for the other see `devices.has_bfloat16`.

    Raises:
        ValueError: for a value that is none of these; the message says which are.
    """

    epochs: int = 20
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float | None = None
    schedule: str = "constant"
    reduce_by: float = 0.1
    reduce_after: int = 5
    augment: dict[str, float | dict] = field(default_factory=dict)
    scale: str = "unit"
    loss: str | dict[str, str] = "cross_entropy"
    class_weights: dict = field(default_factory=dict)
    label_smoothing: float = 0.0
    l1: dict[str, float] = field(default_factory=dict)
    average: float = 0.0
    watch: str = LOSS
    patience: int | None = None
    until: dict[str, float] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    precision: str = "float32"

    def __post_init__(self):
        if isinstance(self.frozen, str):
            raise ValueError(f"frozen: expected a list of module names, got the text '{self.frozen}'")
        object.__setattr__(self, "frozen", tuple(self.frozen))  # JSON and TOML give lists
        for name, choices in CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        for kind in self.loss.values() if isinstance(self.loss, dict) else [self.loss]:
            _check_choice("loss", kind, LOSSES)
        for name in ("epochs", "batch_size"):
            if not isinstance(getattr(self, name), int):
                raise ValueError(f"{name}: expected a whole number, got {getattr(self, name)!r}")
        if self.epochs < 1 or self.batch_size < 1 or not self.learning_rate > 0:
            got = f"{self.epochs}, {self.batch_size}, {self.learning_rate}"
            raise ValueError(f"epochs, batch_size and learning_rate must be above 0, got {got}")
        if not (0 <= self.average < 1 and 0 <= self.label_smoothing < 1):
            got = f"{self.average}, {self.label_smoothing}"
            raise ValueError(f"average and label_smoothing must be 0 or more and below 1, got {got}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience: expected 1 epoch or more, or None, got {self.patience}")
        if not (0 < self.reduce_by < 1 and self.reduce_after >= 1):
            got = f"{self.reduce_by}, {self.reduce_after}"
            raise ValueError(
                f"reduce_by must lie between 0 and 1, reduce_after be 1 epoch or more, got {got}"
            )
        expected = f"'{BALANCED}' or a list of numbers above 0"
        if not isinstance(self.class_weights, dict):
            raise ValueError(f"class_weights: expected target -> {expected}, got {self.class_weights}")
        for target, wanted in self.class_weights.items():
            is_list = isinstance(wanted, (list, tuple)) and all(0 < weight < math.inf for weight in wanted)
            if not (is_list or (isinstance(wanted, str) and wanted == BALANCED)):
                raise ValueError(f"class_weights: {target}: expected {expected}, got {wanted}")
            if kind_of(target, self.loss) == VOTES:
                raise ValueError(f"class_weights: {target}: votes have no single class to weigh")
        for name, wanted in (("l1", self.l1), ("until", self.until)):
            values = wanted.values() if isinstance(wanted, dict) else [None]
            if not all(type(v) in (int, float) and 0 <= v < math.inf for v in values):
                raise ValueError(f"{name}: expected name -> a number of 0 or more, got {wanted}")
        if high := [name for name, value in self.until.items() if name != LOSS and value > 1]:
            raise ValueError(f"until: {high[0]}: expected a share, 0 to 1, got {self.until[high[0]]}")
        augment.check(self.augment)


def _check_choice(name: str, value, choices) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got '{value}'")


def check(config: TrainConfig, model, train, validation) -> None:
    """Raise ValueError where a config does not fit the network and the images that `training.fit` is
    given."""
    if not len(train):
        raise ValueError("fit: no image to train on")
    heads = ", ".join(model.heads)
    for target in model.heads:
        if target not in train.targets:
            has = ", ".join(train.targets)
            raise ValueError(f"fit: the network predicts {target}; {train.source or 'the data'} has {has}")
    for field_of, named in (("loss", config.loss), ("class_weights", config.class_weights)):
        for target in named if isinstance(named, dict) else ():
            if target not in model.heads:
                raise ValueError(f"{field_of}: target '{target}', the network predicts {heads}")
    for target in model.heads:
        if kind_of(target, config.loss) == VOTES and target not in train.votes:
            some = ", ".join(train.votes) or "no target"
            raise ValueError(f"loss: 'votes' for {target}, but {train.source} has votes for {some}")
    for field_of, named in (("frozen", config.frozen), ("l1", config.l1)):
        for name in named:
            if name not in dict(model.named_modules()):
                choices = ", ".join(name for name, _ in model.named_children())
                raise ValueError(
                    f"{field_of}: the network has no module '{name}'; it has {choices}, and theirs"
                )
    fixed = {id(p) for name in config.frozen for p in model.get_submodule(name).parameters()}
    if all(id(parameter) in fixed for parameter in model.parameters()):
        raise ValueError(f"frozen: nothing is left to train without {', '.join(config.frozen)}")
    for name in config.l1:
        weights = [p for p in model.get_submodule(name).parameters() if p.ndim > 1]
        if not weights or name in config.frozen:
            raise ValueError(f"l1: '{name}' has no weights that are trained")
    watching = {
        "patience": [config.watch] if config.patience is not None else [],
        "plateau": [config.watch] if config.schedule == PLATEAU else [],
        "until": list(config.until),
    }
    for rule, watched in watching.items():
        if watched:
            _check_watched(rule, watched, model, validation)


def _check_watched(rule: str, watched: list[str], model, validation) -> None:
    what = " and the ".join(name.replace("_", " ") for name in watched)
    if not validation:
        raise ValueError(f"{rule} watches the {what}: give validation images, or do without {rule}")
    known = [target for target in model.heads if validation.labelled(target).any()]
    if not known:
        raise ValueError(
            f"{rule} watches the {what}: no validation image is labelled with {', '.join(model.heads)}"
        )
    names = [LOSS, *(f"validation_accuracy_{target}" for target in known)]
    for name in watched:
        if name not in names:
            of = "until" if rule == "until" else "watch"
            raise ValueError(f"{of}: expected one of {', '.join(names)}, got '{name}'")
