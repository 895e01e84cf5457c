"""Training and prediction: one loop for every lab.

Images stay uint8 in memory and move to the device once; each batch is picked by index, brought to 0..1,
augmented as a whole and trained on. Number format and memory layout follow from the config and the network
alone, see `labkit.devices`. Taught in notebook 02, which writes the loop out and asserts that `fit` takes the
same steps.
"""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from labkit import augment, devices
from labkit.loop import checkpoint as checkpoints
from labkit.loop.average import MovingAverage
from labkit.loop.batches import batches, set_scale, to_batch
from labkit.loop.config import OPTIMIZERS, TrainConfig, check
from labkit.loop.graph import Recorded, can_record
from labkit.loop.losses import LOSSES, class_weights, labels_of, loss, multi_margin
from labkit.loop.prediction import describe, predict, predict_logits, validate
from labkit.loop.rules import LOSS, PLATEAU, SCHEDULES, Patience, Until, make_scheduler, one_cycle

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "History",
    "TrainConfig",
    "batches",
    "fit",
    "loss",
    "make_optimizer",
    "multi_margin",
    "one_cycle",
    "predict",
    "predict_logits",
    "step",
    "to_batch",
    "validate",
]


@dataclass
class History:
    """What happened.

    Attributes:
        rows: one dict an epoch: `epoch, train_loss`; with validation `validation_loss` and
            `validation_accuracy_<target>`; with the schedule "plateau" `learning_rate`; `seconds` since
            training began.
        best_epoch: the epoch whose weights the model now has.
        stopped: why training ended.
        cut_short: `after_epoch` ended it, so that it is not the whole training that its config describes.
    """

    rows: list[dict] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""
    cut_short: bool = False


def make_optimizer(model, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer that `config` names, over all parameters of `model` that are not frozen."""
    kind, options = OPTIMIZERS[config.optimizer]
    decay = {} if config.weight_decay is None else {"weight_decay": config.weight_decay}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return kind(trained, config.learning_rate, **options, **decay)


def step(
    model, batch, labels, optimizer, context, label_smoothing=0.0, kind="cross_entropy", weights=None, l1=()
) -> torch.Tensor:
    """Forward, loss, backward, one step of the optimizer.

    Args:
        model, optimizer: the network, and what changes its weights.
        batch: float (B, C, H, W) in 0..1.
        labels, label_smoothing, kind, weights: as `loss` takes them.
        context: the forward pass runs in it, see `devices.prepare`.
        l1: (factor, weights), whose absolute values are added to the loss, each as often as its factor says.
    Returns:
        The loss, a scalar on the device, not yet waited for.
    """
    with context:
        logits = model(batch)
    value = loss(logits, labels, label_smoothing, kind, weights)
    for factor, weight in l1:
        value = value + factor * weight.abs().sum()
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.detach()


def fit(
    model,
    train,
    validation=None,
    config: TrainConfig | None = None,
    seed: int = 0,
    device=None,
    progress: bool = True,
    checkpoint: Path | None = None,
    after_epoch: Callable[[dict, torch.nn.Module], bool | None] | None = None,
) -> History:
    """Train `model` in place on the FaceSet `train`, for the targets that it has heads for.

    Args:
        model: a network with `heads`, such as `models.FaceNet`.
        train: what it learns from.
        validation: a FaceSet on which every epoch is measured; patience and plateau need one.
        config: how it is trained; None = the defaults of `TrainConfig`.
        seed: decides order, augmentation and dropout.
        device: as `devices.best_device` takes it.
        progress: show a bar.
        checkpoint: a file that is written after each epoch; where it is there already, training goes on from
            it, unless it is of another training. Who gives it removes it when it is no longer needed.
        after_epoch: told each epoch's row of the history and the network; what it returns as True ends the
            training. What it remembers itself is not in the checkpoint.
    Returns:
        What happened, epoch by epoch.
    Raises:
        ValueError: where there is nothing to train on, nothing to watch, a frozen module that the network has
            not, or where the device lacks the number format.
        FloatingPointError: where the loss is no longer finite.
    """
    config = config or TrainConfig()
    check(config, model, train, validation)
    device = devices.best_device(device)
    if "features" not in config.frozen:  # a trunk that stays as it is was made for the scale that it has
        set_scale(model, train, config.scale)
    run = _Run.begin(model, train, config, seed, device)
    history, start, ended = History(), time.perf_counter(), False
    with (
        devices.seeded(seed, device),
        tqdm(total=config.epochs, unit="epoch", disable=not progress, leave=False) as bar,
    ):
        if checkpoint and (facts := checkpoints.load(checkpoint, run.of, device, run.generator, run.parts())):
            history.rows, ended = facts["rows"], facts["ended"]
            start -= history.rows[-1]["seconds"]
            bar.update(len(history.rows))
        while len(history.rows) < config.epochs and not ended:
            row = run.row(len(history.rows) + 1, validation) | {"seconds": time.perf_counter() - start}
            history.rows.append(row)
            bar.set_postfix(loss=row["train_loss"])
            bar.update()
            rules = [rule for rule in (run.patience, Until(config.until), after_epoch) if rule]
            ending = [rule for rule in rules if rule(row, run.measured())]  # each is told
            ended = bool(ending)
            history.cut_short = after_epoch in ending and row["epoch"] < config.epochs
            if checkpoint:
                facts = {"rows": history.rows, "ended": ended}
                checkpoints.save(checkpoint, run.of, device, run.generator, run.parts(), facts)
    _settle(run, history)
    return history


@dataclass
class _Run:
    """What a training holds."""

    of: str  # which training it is, for its checkpoint
    config: TrainConfig
    images: torch.Tensor | object  # uint8 (N, H, W, C) on the device; images on disk stay there
    kept: bool  # in their place lies what a frozen trunk makes of them, float (N, K)
    labels: dict[str, torch.Tensor]
    weights: dict[str, torch.Tensor]  # of the classes
    l1: list[tuple[float, torch.Tensor]]  # weights that are kept small, see `step`
    model: torch.nn.Module
    frozen: list[torch.nn.Module]
    fixed: list[torch.nn.Parameter]  # theirs, which may be trained again afterwards
    context: AbstractContextManager  # the forward pass runs in it
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    average: MovingAverage | None
    patience: Patience | None
    generator: torch.Generator  # draws order and augmentation
    device: torch.device
    seen: torch.Tensor | None = None  # what a frozen trunk makes of the validation images

    @classmethod
    def begin(cls, model, train, config: TrainConfig, seed: int, device: torch.device) -> "_Run":
        """Ready for the first epoch."""
        model, context = devices.prepare(model, device, config.precision)
        frozen = [model.get_submodule(name) for name in config.frozen]
        fixed = [p for module in frozen for p in module.parameters() if p.requires_grad]
        for parameter in fixed:
            parameter.requires_grad_(False)
        optimizer = make_optimizer(model, config)
        steps = config.epochs * len(batches(torch.arange(len(train)), config.batch_size))
        if kept := keeps_features(model, config):
            images = describe(model, train.images, device, config.precision)
        else:
            in_memory = isinstance(train.images, np.ndarray)
            images = torch.from_numpy(train.images).to(device) if in_memory else train.images
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        weights = {name: class_weights(train, name, wanted) for name, wanted in config.class_weights.items()}
        return cls(
            of=f"{config}, seed {seed}, {len(train)} images, {shapes}",
            config=config,
            images=images,
            kept=kept,
            labels=labels_of(train, model, device, config.loss),
            weights={name: torch.from_numpy(values).to(device) for name, values in weights.items()},
            l1=[
                (factor, weight)
                for name, factor in config.l1.items()
                for weight in model.get_submodule(name).parameters()
                if weight.ndim > 1  # no bias, no normalisation
            ],
            model=model,
            frozen=frozen,
            fixed=fixed,
            context=context,
            optimizer=optimizer,
            scheduler=make_scheduler(optimizer, config, steps),
            average=MovingAverage(model, config.average) if config.average else None,
            patience=Patience(config.patience, config.watch) if config.patience is not None else None,
            generator=torch.Generator(device=device).manual_seed(seed),
            device=device,
        )

    def parts(self) -> dict:
        """What a checkpoint keeps, by name."""
        names = ("model", "optimizer", "scheduler", "average", "patience")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def measured(self):
        """The network that is validated, and kept in the end: the averaged one where there is one."""
        return self.average.module if self.average else self.model

    def pixels(self, index: torch.Tensor) -> torch.Tensor:
        """uint8 (B, H, W, C) on the device."""
        if isinstance(self.images, torch.Tensor):
            return self.images.index_select(0, index)
        return torch.from_numpy(self.images[index.cpu().numpy()]).to(self.device)

    def step(self, index: torch.Tensor) -> torch.Tensor:
        """Train on the images at `index`; returns their loss, a scalar on the device."""
        labels = {name: values[index] for name, values in self.labels.items()}
        of_loss = self.config.label_smoothing, self.config.loss, self.weights, self.l1
        if self.kept:
            network, batch = self.model.answers, self.images.index_select(0, index)
        else:
            network, batch = self.model, to_batch(self.pixels(index))
            batch = augment.augment(batch, self.config.augment, self.generator)
        return step(network, batch, labels, self.optimizer, self.context, *of_loss)

    @cached_property
    def fast_step(self) -> Callable:
        """`step`, recorded where that is possible."""
        config = self.config
        if can_record(self.device, self.images, config.augment):
            return Recorded(self.step, config.batch_size, self.optimizer, self.generator)
        return self.step

    def epoch(self) -> float:
        """One pass over all images in a new order; returns their mean loss."""
        config, n = self.config, len(self.images)
        order = torch.randperm(n, generator=self.generator, device=self.device)
        total = torch.zeros((), device=self.device)
        self.model.train()
        for module in self.frozen:
            module.eval()  # its normalisation keeps its statistics
        for index in batches(order, config.batch_size):
            total += len(index) * self.fast_step(index)
            if config.schedule != PLATEAU:
                self.scheduler.step()
            if self.average:
                self.average.update(self.model)
        return float(total) / n

    def row(self, number: int, validation) -> dict:
        """Train and measure an epoch; returns its row of the history, without seconds."""
        row = {"epoch": number, "train_loss": self.epoch()}
        if validation:
            of_validation = self.device, self.config.precision
            if self.kept and self.seen is None:
                self.seen = describe(self.model, validation.images, *of_validation)
            row |= validate(self.measured(), validation, *of_validation, self.seen)
        if not math.isfinite(row["train_loss"] + row.get(LOSS, 0.0)):
            raise FloatingPointError(
                f"epoch {number}: the loss is no longer finite; try a lower learning rate"
            )
        return row | self.reduce_rate(row)

    def reduce_rate(self, row: dict) -> dict:
        """Tell "plateau" of an epoch; returns the rate that it was trained with, for the history."""
        if self.config.schedule != PLATEAU:
            return {}
        rate = float(self.optimizer.param_groups[0]["lr"])
        self.scheduler.step(row[self.config.watch])
        return {"learning_rate": rate}


def keeps_features(model, config: TrainConfig) -> bool:
    """Whether the trunk is asked once about each image, since it makes the same of it in every epoch: where
    it is frozen and images are not augmented."""
    shared = not isinstance(model.features, torch.nn.ModuleDict)
    return "features" in config.frozen and not config.augment and shared


def _settle(run: _Run, history: History) -> None:
    """Give the model the weights that training ends with, and say which these are."""
    config, last = run.config, history.rows[-1]["epoch"]
    for parameter in run.fixed:
        parameter.requires_grad_(True)
    history.best_epoch = last
    if run.average:
        run.model.load_state_dict(run.average.module.state_dict())
    all_done = f"all {config.epochs} epochs done" if last == config.epochs else f"ended after epoch {last}"
    history.stopped = f"{all_done}; the weights are those of the last"
    if Until(config.until)(history.rows[-1]):
        asked = " and ".join(f"{name.replace('_', ' ')} {value}" for name, value in config.until.items())
        history.stopped = f"{asked} reached in epoch {last}; the weights are those of that epoch"
    elif run.patience:
        run.model.load_state_dict(run.patience.weights)
        best = history.best_epoch = run.patience.best_epoch
        waited = last - best >= config.patience and last < config.epochs
        better = f"no better {config.watch.replace('_', ' ')} for {config.patience} epochs"
        history.stopped = (
            f"{better if waited else all_done}; the weights of epoch {best}, the best, are restored"
        )
