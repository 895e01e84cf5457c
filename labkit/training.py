"""Training and prediction: one loop for every lab.

Images stay uint8 in memory and move to the device once; each batch is picked by index, brought to 0..1, augmented as a
whole and trained on. Number format and memory layout follow from the config and the network alone, see `labkit.devices`. Taught in
notebook 02, which writes the loop out and asserts that `fit` takes the same steps.
"""

import copy
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from labkit import augment, devices
from labkit import checkpoint as checkpoints

OPTIMIZERS = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "sgd": (torch.optim.SGD, {"fused": True, "momentum": 0.9, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
}


def one_cycle(done: float) -> float:
    """Share of the highest rate once `done` (0..1) of the steps are over: up in a line for 20 % of them, then down to 0
    along a cosine (after Smith and Topin 2018)."""
    return 0.04 + 0.96 * done / 0.2 if done < 0.2 else 0.5 * (1 + math.cos(math.pi * (done - 0.2) / 0.8))


def multi_margin(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(B,): the mean over the K classes of how far each wrong one comes closer than 1 to the right one, as torch's `multi_margin_loss`,
    which Apple's GPUs lack: sum over j != y of max(0, 1 - z_y + z_j), divided by K."""
    right = logits.gather(1, labels[:, None])
    gaps = (1 - right + logits).clamp(min=0).scatter(1, labels[:, None], 0.0)
    return gaps.sum(1) / logits.shape[1]


SCHEDULES = {"constant": lambda done: 1.0, "one_cycle": one_cycle}
SCALES = ("unit", "standard")
# logits (B, K), class indices (B,), label smoothing -> loss of each image (B,)
LOSSES = {
    "cross_entropy": lambda z, y, smoothing: F.cross_entropy(z, y, reduction="none", label_smoothing=smoothing),
    "softmax_twice": lambda z, y, smoothing: F.cross_entropy(z.softmax(1), y, reduction="none", label_smoothing=smoothing),
    "multi_margin": lambda z, y, _: multi_margin(z, y),
}
CHOICES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "scale": SCALES, "loss": LOSSES, "precision": devices.PRECISIONS}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training beside data, model and seed.

    epochs, batch_size: 1 or more.
    optimizer: one of `OPTIMIZERS`. learning_rate: of a step, above 0; with a schedule the highest.
    weight_decay: None takes torch's default of the optimizer, 0.01 for AdamW (without it AdamW is Adam), 0 for the others.
    schedule: "constant", or "one_cycle" (see that function).
    augment: step -> amount, see `labkit.augment`.
    scale: "unit" leaves images in 0..1, "standard" subtracts the mean and divides by the deviation of the training images.
    loss: one of `LOSSES`; "softmax_twice" is a common mistake, kept so that its price can be measured.
    label_smoothing: 0 to below 1.
    average: decay of a moving average of the weights, which replaces them at the end (`moving_average`); 0 = none, to below 1.
    patience: epochs without a better validation loss after which training stops; None = never.
    precision: number format of the network's layers, "float32" or "bfloat16"; the weights themselves and the loss are float32 in
        both. Every machine has float32; for the other see `devices.has_bfloat16`.
    """

    epochs: int = 20
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float | None = None
    schedule: str = "constant"
    augment: dict[str, float] = field(default_factory=dict)
    scale: str = "unit"
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0
    average: float = 0.0
    patience: int | None = None
    precision: str = "float32"

    def __post_init__(self):
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: expected one of {', '.join(choices)}, got '{getattr(self, name)}'")
        if self.epochs < 1 or self.batch_size < 1 or not self.learning_rate > 0:
            raise ValueError(
                f"epochs, batch_size and learning_rate must be above 0, got {self.epochs}, {self.batch_size}, {self.learning_rate}"
            )
        if not (0 <= self.average < 1 and 0 <= self.label_smoothing < 1):
            raise ValueError(f"average and label_smoothing must be 0 or more and below 1, got {self.average}, {self.label_smoothing}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience: expected 1 epoch or more, or None, got {self.patience}")
        augment.check(self.augment)


@dataclass
class History:
    """What happened. `rows`: one dict an epoch (`epoch, train_loss`, with validation also `validation_loss` and
    `validation_accuracy_<target>`, and `seconds` since training began, validation included); `best_epoch`: the epoch whose weights
    the model now has; `stopped`: why training ended."""

    rows: list[dict] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""


def to_batch(images: torch.Tensor) -> torch.Tensor:
    """uint8 (B, H, W, C) -> float32 (B, C, H, W) in 0..1; the pixels stay where they lie, which is the channels_last layout."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def loss(logits: dict, targets: dict, label_smoothing: float = 0.0, kind: str = "cross_entropy") -> torch.Tensor:
    """Sum over the targets of the mean loss over the labelled images: `LOSSES[kind]` for class indices (-1 left out), cross
    entropy of the sigmoid for 0/1 labels (NaN left out). A target without any label in the batch adds 0."""
    total = torch.zeros((), device=next(iter(logits.values())).device)
    for name, labels in targets.items():
        scores = logits[name].float()
        if labels.ndim == 1:
            labelled = labels != -1
            each = LOSSES[kind](scores, labels.clamp(min=0), label_smoothing)
            summed, count = (each * labelled).sum(), labelled.sum()
        else:
            coded = ~labels.isnan()
            each = F.binary_cross_entropy_with_logits(scores, labels.nan_to_num(), reduction="none")
            summed, count = (each * coded).sum(), coded.sum()
        total = total + summed / count.clamp(min=1)
    return total


def _set_scale(model, images: np.ndarray, scale: str) -> None:
    if scale == "standard":
        pixels = images.reshape(-1, images.shape[-1])
        model.mean.copy_(torch.from_numpy(pixels.mean(0) / 255))
        model.deviation.copy_(torch.from_numpy(pixels.std(0) / 255).clamp(min=1e-3))


def moving_average(model, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """The exponential moving average of weights and normalisation statistics, begun at the first step's. Its decay rises from step n's
    (1 + n) / (10 + n) to `decay`, so that the random weights of the beginning, which would weigh 0.999^360 = 70 % after 360 steps
    at 0.999, are forgotten first (as TensorFlow's ExponentialMovingAverage does)."""

    def moved(kept, new, n):
        share = min(decay, float(1 + n) / float(10 + n))
        return torch.lerp(kept, new, 1 - share) if kept.is_floating_point() else new

    return torch.optim.swa_utils.AveragedModel(model, avg_fn=moved, use_buffers=True)


def _labels(faces, model, device) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(faces.targets[name]).to(device) for name in model.heads}


@dataclass
class _EarlyStopping:
    """Watches the validation loss and keeps the weights of its best epoch."""

    patience: int
    best_loss: float = math.inf
    best_epoch: int = 0
    weights: dict | None = None

    def state_dict(self) -> dict:
        return vars(self).copy()

    def load_state_dict(self, state: dict) -> None:
        vars(self).update(state)

    def is_over(self, row: dict, model) -> bool:
        if row["validation_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = row["validation_loss"], row["epoch"]
            self.weights = copy.deepcopy(model.state_dict())
        return row["epoch"] - self.best_epoch >= self.patience


def make_optimizer(model, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer that `config` names, over all parameters of `model`."""
    kind, options = OPTIMIZERS[config.optimizer]
    decay = {} if config.weight_decay is None else {"weight_decay": config.weight_decay}
    return kind(model.parameters(), config.learning_rate, **options, **decay)


def step(model, batch, labels, optimizer, context, label_smoothing: float = 0.0, kind: str = "cross_entropy") -> torch.Tensor:
    """Forward, loss, backward, one step of the optimizer; returns the loss, not yet waited for."""
    with context:
        logits = model(batch)
    value = loss(logits, labels, label_smoothing, kind)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.detach()


def batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """`order`, image indices (N,), in batches of `size`; a last batch of one image joins the one before, since one image alone has
    no deviation to be normalised by."""
    parts = list(order.split(size))
    if len(parts) > 1 and size > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def fit(
    model,
    train,
    validation=None,
    config: TrainConfig | None = None,
    seed: int = 0,
    device=None,
    progress: bool = True,
    checkpoint: Path | None = None,
    after_epoch: Callable[[dict], bool | None] | None = None,
) -> History:
    """Train `model` in place on the FaceSet `train`, for the targets that it has heads for.

    validation: a FaceSet on which every epoch is measured; with `config.patience` the weights of the epoch with the lowest validation loss
        are restored, and `History.stopped` says so.
    seed: decides order, augmentation and dropout.
    progress: show a bar.
    checkpoint: a file that is written after each epoch; where it is there already, training goes on from it (`labkit.checkpoint`). It
        must be of the same training; who gives it removes it when it is no longer needed.
    after_epoch: told each epoch's row of the history; what it returns as True ends the training.

    Raises ValueError where there is nothing to train on, patience has no validation to watch, or the device lacks the number format,
    and FloatingPointError where the loss is no longer finite.
    """
    config = config or TrainConfig()
    if not len(train):
        raise ValueError("fit: no image to train on")
    if config.patience is not None and not validation:
        raise ValueError("patience watches the validation loss: give validation images, or patience=None")
    if config.patience is not None and not any(validation.labelled(target).any() for target in model.heads):
        raise ValueError(f"patience watches the validation loss: no validation image is labelled with {', '.join(model.heads)}")
    device = devices.best_device(device)
    _set_scale(model, train.images, config.scale)
    run = _Run.begin(model, config, len(train), seed, device)
    images, labels = torch.from_numpy(train.images).to(device), _labels(train, model, device)
    history, start, ended = History(), time.perf_counter(), False
    with devices.seeded(seed, device), tqdm(total=config.epochs, unit="epoch", disable=not progress, leave=False) as bar:
        if checkpoint and (facts := checkpoints.load(checkpoint, device, run.generator, run.parts())):
            history.rows, ended = facts["rows"], facts["ended"]
            start -= history.rows[-1]["seconds"]
            bar.update(len(history.rows))
        while len(history.rows) < config.epochs and not ended:
            row = {"epoch": len(history.rows) + 1, "train_loss": run.epoch(images, labels, config)}
            if validation:
                row |= validate(run.measured(), validation, device, config.precision)
            if not math.isfinite(row["train_loss"] + row.get("validation_loss", 0.0)):
                raise FloatingPointError(f"epoch {row['epoch']}: the loss is no longer finite; try a lower learning rate")
            history.rows.append(row | {"seconds": time.perf_counter() - start})
            bar.set_postfix(loss=row["train_loss"])
            bar.update()
            over = run.stopping is not None and run.stopping.is_over(row, run.measured())
            ended = bool(after_epoch and after_epoch(history.rows[-1])) or over
            if checkpoint:
                checkpoints.save(checkpoint, device, run.generator, run.parts(), {"rows": history.rows, "ended": ended})
    _settle(run, history, config)
    return history


@dataclass
class _Run:
    """What a training holds beside its data."""

    model: torch.nn.Module
    context: AbstractContextManager  # the forward pass runs in it
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    average: torch.optim.swa_utils.AveragedModel | None
    stopping: _EarlyStopping | None
    generator: torch.Generator  # draws order and augmentation

    @classmethod
    def begin(cls, model, config: TrainConfig, n: int, seed: int, device: torch.device) -> "_Run":
        """Ready for the first epoch over `n` images."""
        model, context = devices.prepare(model, device, config.precision)
        optimizer = make_optimizer(model, config)
        steps = config.epochs * len(batches(torch.arange(n), config.batch_size))
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: SCHEDULES[config.schedule](step / steps))
        average = moving_average(model, config.average) if config.average else None
        stopping = _EarlyStopping(config.patience) if config.patience is not None else None
        return cls(model, context, optimizer, scheduler, average, stopping, torch.Generator(device=device).manual_seed(seed))

    def parts(self) -> dict:
        """What a checkpoint keeps, by name."""
        named = {name: getattr(self, name) for name in ("model", "optimizer", "scheduler", "average", "stopping")}
        return {name: part for name, part in named.items() if part is not None}

    def measured(self):
        """The network that is validated, and kept in the end: the averaged one where there is one."""
        return self.average.module if self.average else self.model

    def epoch(self, images: torch.Tensor, labels: dict, config: TrainConfig) -> float:
        """One pass over all images, uint8 (N, H, W, C), in a new order; returns their mean loss."""
        order = torch.randperm(len(images), generator=self.generator, device=images.device)
        total = torch.zeros((), device=images.device)
        self.model.train()
        for index in batches(order, config.batch_size):
            batch = augment.augment(to_batch(images.index_select(0, index)), config.augment, self.generator)
            of_batch = {name: values[index] for name, values in labels.items()}
            total += len(index) * step(self.model, batch, of_batch, self.optimizer, self.context, config.label_smoothing, config.loss)
            self.scheduler.step()
            if self.average:
                self.average.update_parameters(self.model)
        return float(total) / len(images)


def _settle(run: _Run, history: History, config: TrainConfig) -> None:
    """Give the model the weights that training ends with, and say which these are."""
    last = history.best_epoch = history.rows[-1]["epoch"]
    if run.average:
        run.model.load_state_dict(run.average.module.state_dict())
    all_done = f"all {config.epochs} epochs done" if last == config.epochs else f"ended after epoch {last}"
    history.stopped = f"{all_done}; the weights are those of the last"
    if run.stopping:
        stopping = run.stopping
        run.model.load_state_dict(stopping.weights)
        history.best_epoch = stopping.best_epoch
        waited = last - stopping.best_epoch >= config.patience and last < config.epochs
        why = f"no better validation loss for {config.patience} epochs" if waited else all_done
        history.stopped = f"{why}; the weights of epoch {stopping.best_epoch}, the best, are restored"


@torch.no_grad()
def predict_logits(model, images: np.ndarray, device=None, precision: str = "float32", batch_size=None) -> dict[str, torch.Tensor]:
    """target -> float32 (N, K) on `device`. images: uint8 (N, H, W, C). batch_size: None = 128 on a CPU, whose caches hold no more,
    512 elsewhere."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != len(model.mean) or not len(images):
        expected = f"uint8 images of shape (N, H, W, {len(model.mean)}), N above 0"
        raise ValueError(f"predict: the network takes {expected}; got {images.dtype} {images.shape}")
    device = devices.best_device(device)
    batch_size = batch_size or (128 if device.type == "cpu" else 512)
    model, context = devices.prepare(model, device, precision)
    model.eval()
    outputs = []
    for start in range(0, len(images), batch_size):
        with context:
            outputs.append(model(to_batch(torch.from_numpy(images[start : start + batch_size]).to(device))))
    return {name: torch.cat([output[name].float() for output in outputs]) for name in model.heads}


def predict(model, images: np.ndarray, device=None, precision: str = "float32", mirror: bool = False) -> dict[str, np.ndarray]:
    """Probabilities: target -> float32 (N, K); softmax where an image has one class, sigmoid where it has several labels.

    images: uint8 (N, H, W, C). mirror: average the probabilities of each image and of its mirror image.
    """

    seen = np.concatenate([images, images[:, :, ::-1]]) if mirror else images  # in one batch: for a face or two that is faster
    logits = predict_logits(model, seen, device, precision)
    result = {name: (z.sigmoid() if name in model.multilabel else z.softmax(1)).cpu().numpy() for name, z in logits.items()}
    return {name: p.reshape(2, len(images), -1).mean(0) for name, p in result.items()} if mirror else result


def validate(model, faces, device=None, precision: str = "float32") -> dict[str, float]:
    """`validation_loss` and, for each target of which `faces` holds a label, `validation_accuracy_<target>` of the labelled images."""
    device = devices.best_device(device)
    logits = predict_logits(model, faces.images, device, precision)
    row = {"validation_loss": float(loss(logits, _labels(faces, model, device)))}
    for name, scores in logits.items():
        labels = torch.from_numpy(faces.targets[name]).to(device)
        if name in model.multilabel:
            right = (scores > 0) == (labels > 0.5)
            known = ~labels.isnan()
        else:
            right, known = scores.argmax(1) == labels, labels != -1
        if known.any():
            row[f"validation_accuracy_{name}"] = float(right[known].float().mean())
    return row
