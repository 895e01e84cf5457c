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
from labkit.faces import BLOCK
from labkit.loop import checkpoint as checkpoints
from labkit.loop.average import MovingAverage
from labkit.loop.batches import batches, set_scale, to_batch
from labkit.loop.config import OPTIMIZERS, TrainConfig, check
from labkit.loop.graph import Recorded, can_record
from labkit.loop.losses import LOSSES, VOTES, class_weights, kind_of, loss, multi_margin
from labkit.loop.rules import LOSS, PLATEAU, SCHEDULES, Patience, make_scheduler, one_cycle

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
    model, batch, labels, optimizer, context, label_smoothing=0.0, kind="cross_entropy", weights=None
) -> torch.Tensor:
    """Forward, loss, backward, one step of the optimizer.

    Args:
        model, optimizer: the network, and what changes its weights.
        batch: float (B, C, H, W) in 0..1.
        labels, label_smoothing, kind, weights: as `loss` takes them.
        context: the forward pass runs in it, see `devices.prepare`.
    Returns:
        The loss, a scalar on the device, not yet waited for.
    """
    with context:
        logits = model(batch)
    value = loss(logits, labels, label_smoothing, kind, weights)
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
            rules = [rule for rule in (run.patience, after_epoch) if rule]
            ending = [rule for rule in rules if rule(row, run.measured())]  # each is told
            ended = bool(ending)
            history.cut_short = after_epoch in ending and row["epoch"] < config.epochs
            if checkpoint:
                facts = {"rows": history.rows, "ended": ended}
                checkpoints.save(checkpoint, run.of, device, run.generator, run.parts(), facts)
    _settle(run, history)
    return history


def _labels(faces, model, device, kind: str | dict = "cross_entropy") -> dict[str, torch.Tensor]:
    """What `loss` compares the network's answers with: labels, or votes for a loss that takes those."""
    values = {name: faces.targets[name] for name in model.heads}
    values |= {name: faces.votes[name] for name in model.heads if kind_of(name, kind) == VOTES}
    return {name: torch.from_numpy(labels).to(device) for name, labels in values.items()}


@dataclass
class _Run:
    """What a training holds."""

    of: str  # which training it is, for its checkpoint
    config: TrainConfig
    images: torch.Tensor | object  # uint8 (N, H, W, C) on the device; images on disk stay there
    labels: dict[str, torch.Tensor]
    weights: dict[str, torch.Tensor]  # of the classes
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
        in_memory = isinstance(train.images, np.ndarray)
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        weights = {name: class_weights(train, name, wanted) for name, wanted in config.class_weights.items()}
        return cls(
            of=f"{config}, seed {seed}, {len(train)} images, {shapes}",
            config=config,
            images=torch.from_numpy(train.images).to(device) if in_memory else train.images,
            labels=_labels(train, model, device, config.loss),
            weights={name: torch.from_numpy(values).to(device) for name, values in weights.items()},
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
        batch = augment.augment(to_batch(self.pixels(index)), self.config.augment, self.generator)
        labels = {name: values[index] for name, values in self.labels.items()}
        of_loss = self.config.label_smoothing, self.config.loss, self.weights
        return step(self.model, batch, labels, self.optimizer, self.context, *of_loss)

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
            row |= validate(self.measured(), validation, self.device, self.config.precision)
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
    if run.patience:
        run.model.load_state_dict(run.patience.weights)
        best = history.best_epoch = run.patience.best_epoch
        waited = last - best >= config.patience and last < config.epochs
        better = f"no better {config.watch.replace('_', ' ')} for {config.patience} epochs"
        history.stopped = (
            f"{better if waited else all_done}; the weights of epoch {best}, the best, are restored"
        )


@torch.no_grad()
def predict_logits(
    model, images, device=None, precision="float32", batch_size=None
) -> dict[str, torch.Tensor]:
    """What the network says before softmax or sigmoid.

    Args:
        model: the network.
        images: uint8 (N, H, W, C), N above 0.
        device: as `devices.best_device` takes it.
        precision: number format of its layers, "float32" or "bfloat16".
        batch_size: None = 128 on a CPU, whose caches hold no more, 512 elsewhere.
    Returns:
        target -> float32 (N, K), on the device.
    Raises:
        ValueError: for images of another type, or another number of channels than the network takes.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != len(model.mean) or not len(images):
        expected = f"uint8 images of shape (N, H, W, {len(model.mean)}), N above 0"
        raise ValueError(f"predict: the network takes {expected}; got {images.dtype} {images.shape}")
    device = devices.best_device(device)
    batch_size = batch_size or (128 if device.type == "cpu" else 512)
    model, context = devices.prepare(model, device, precision)
    model.eval()
    outputs = []
    for start in range(0, len(images), batch_size):
        batch = to_batch(torch.from_numpy(images[start : start + batch_size]).to(device))
        with context:
            outputs.append(model(batch))
    return {name: torch.cat([output[name].float() for output in outputs]) for name in model.heads}


def predict(model, images, device=None, precision="float32", mirror: bool = False) -> dict[str, np.ndarray]:
    """Probabilities: softmax where an image has one class, sigmoid where it has several labels.

    Args:
        model, device, precision: as `predict_logits` takes them.
        images: uint8 (N, H, W, C), N above 0, in memory or on disk.
        mirror: average the probabilities of each image and of its mirror image.
    Returns:
        target -> float32 (N, K), in 0..1.
    """
    if not isinstance(images, np.ndarray):  # on disk
        blocks = [images[start : start + BLOCK] for start in range(0, len(images), BLOCK)]
        parts = [predict(model, block, device, precision, mirror) for block in blocks]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    # Both in one batch: for a face or two that is faster.
    seen = np.concatenate([images, images[:, :, ::-1]]) if mirror else images
    result = {}
    for name, z in predict_logits(model, seen, device, precision).items():
        result[name] = (z.sigmoid() if name in model.multilabel else z.softmax(1)).cpu().numpy()
        if mirror:
            result[name] = result[name].reshape(2, len(images), -1).mean(0)
    return result


def validate(model, faces, device=None, precision="float32") -> dict[str, float]:
    """`validation_loss`, cross entropy without weights, and, for each target of which `faces` holds a label,
    `validation_accuracy_<target>` of the labelled images."""
    device = devices.best_device(device)
    logits = predict_logits(model, faces.images, device, precision)
    row = {LOSS: float(loss(logits, _labels(faces, model, device)))}
    for name, scores in logits.items():
        labels = torch.from_numpy(faces.targets[name]).to(device)
        if name in model.multilabel:
            right, known = (scores > 0) == (labels > 0.5), ~labels.isnan()
        else:
            right, known = scores.argmax(1) == labels, labels != -1
        if known.any():
            row[f"validation_accuracy_{name}"] = float(right[known].float().mean())
    return row
