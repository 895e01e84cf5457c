"""What training makes small: a loss of each target, weighted where classes are rare, summed over the
targets."""

import numpy as np
import torch
import torch.nn.functional as F

BALANCED = "balanced"


def multi_margin(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How far each wrong class comes closer than 1 to the right one, on average: torch's `multi_margin_loss`,
    which Apple's GPUs lack.

    Args:
        logits: float (B, K).
        labels: int64 (B,), class indices.
    Returns:
        (B,): the sum over j != y of max(0, 1 - z_y + z_j), divided by K.
    """
    right = logits.gather(1, labels[:, None])
    gaps = (1 - right + logits).clamp(min=0).scatter(1, labels[:, None], 0.0)
    return gaps.sum(1) / logits.shape[1]


def squared_error(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(B,): the mean over the K classes of (probability - 1 or 0)^2, which many reports call "mean squared
    error"."""
    return (logits.softmax(1) - F.one_hot(labels, logits.shape[1])).square().mean(1)


VOTES = "votes"  # cross entropy with the shares of `FaceSet.votes`, in place of class indices

# logits (B, K), class indices (B,), label smoothing -> loss of each image (B,)
LOSSES = {
    "cross_entropy": lambda z, y, smoothing: F.cross_entropy(
        z, y, reduction="none", label_smoothing=smoothing
    ),
    "softmax_twice": lambda z, y, s: F.cross_entropy(z.softmax(1), y, reduction="none", label_smoothing=s),
    "multi_margin": lambda z, y, _: multi_margin(z, y),
    "squared_error": lambda z, y, _: squared_error(z, y),
    VOTES: lambda z, shares, s: F.cross_entropy(z, shares, reduction="none", label_smoothing=s),
}


def loss(
    logits: dict,
    targets: dict,
    label_smoothing: float = 0.0,
    kind: str | dict = "cross_entropy",
    weights: dict | None = None,
) -> torch.Tensor:
    """The sum over the targets of the mean loss over the images that are labelled.

    Args:
        logits: target -> float (B, K).
        targets: target -> int64 (B,), class indices, -1 left out; or float (B, K), 0 or 1, NaN left out,
            whose loss is the cross entropy of the sigmoid; or, where the kind is "votes", float (B, K), the
            shares of the classes, NaN left out.
        label_smoothing: 0 to below 1, of class indices.
        kind: one of `LOSSES` for class indices, or target -> one of them; a target that is not named has
            cross entropy.
        weights: target -> (K,). Of class indices they weigh the images of each class, and the mean is divided
            by the sum of the weights, as torch's `CrossEntropyLoss` does without label smoothing; of 0/1
            labels they weigh the ones, as `pos_weight` of its `BCEWithLogitsLoss` does. None, or a target
            that is not named: all 1.
    Returns:
        A scalar. A target without any label in the batch adds 0.
    """
    total = torch.zeros((), device=next(iter(logits.values())).device)
    for name, labels in targets.items():
        scores, weight = logits[name].float(), (weights or {}).get(name)
        chosen = kind_of(name, kind)
        if chosen == VOTES:
            share = ~labels.isnan().any(1)
            each = LOSSES[VOTES](scores, labels.nan_to_num(1 / labels.shape[1]), label_smoothing)
        elif labels.ndim == 1:
            known = labels.clamp(min=0)
            each = LOSSES[chosen](scores, known, label_smoothing)
            share = (labels != -1) if weight is None else (labels != -1) * weight[known]
        else:
            share = ~labels.isnan()
            each = F.binary_cross_entropy_with_logits(
                scores, labels.nan_to_num(), reduction="none", pos_weight=weight
            )
        summed, count = (each * share).sum(), share.sum()
        total = total + summed / (count.clamp(min=1) if weight is None else count.clamp(min=1e-12))
    return total


def kind_of(target: str, kind: str | dict) -> str:
    """Which of `LOSSES` a target has, of what `TrainConfig.loss` says."""
    return kind.get(target, "cross_entropy") if isinstance(kind, dict) else kind


def class_weights(faces, target: str, wanted) -> np.ndarray:
    """The weight of each class of a target in training.

    Args:
        faces: the training images' `FaceSet`.
        target: one of its targets.
        wanted: "balanced", or K numbers above 0 in the order of the classes.
    Returns:
        float32 (K,). "balanced": for class indices n / (K * count), as scikit-learn's `compute_class_weight`;
        for 0/1 labels zeros / ones. A class without an image has weight 1.
    Raises:
        ValueError: for a target that the images have not, or another number of weights than it has classes.
    """
    if target not in faces.targets:
        raise ValueError(f"class_weights: target '{target}', expected one of {', '.join(faces.targets)}")
    labels, classes = faces.targets[target], faces.classes[target]
    if wanted != BALANCED:
        if len(wanted) != len(classes):
            raise ValueError(f"class_weights: {target} has {len(classes)} classes, got {len(wanted)} weights")
        return np.array(wanted, np.float32)
    if labels.ndim == 1:
        counts = np.bincount(labels[labels != -1], minlength=len(classes))
        return np.where(counts > 0, counts.sum() / (len(classes) * np.maximum(counts, 1)), 1).astype(
            np.float32
        )
    ones, zeros = np.nansum(labels, 0), np.nansum(1 - labels, 0)
    return np.where((ones > 0) & (zeros > 0), zeros / np.maximum(ones, 1), 1).astype(np.float32)


def labels_of(faces, model, device, kind: str | dict = "cross_entropy") -> dict[str, torch.Tensor]:
    """What `loss` compares the answers of `model` with, on the device: labels, or votes for a loss that takes
    those."""
    values = {name: faces.targets[name] for name in model.heads}
    values |= {name: faces.votes[name] for name in model.heads if kind_of(name, kind) == VOTES}
    return {name: torch.from_numpy(labels).to(device) for name, labels in values.items()}
