"""What a network says of images: logits, probabilities, how right it is, and what its trunk makes of them."""

from collections.abc import Iterator

import numpy as np
import torch

from labkit import devices
from labkit.faces import BLOCK
from labkit.loop.batches import to_batch
from labkit.loop.losses import labels_of, loss
from labkit.loop.rules import LOSS


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
    outputs = _batch_by_batch(model, model, images, device, precision, batch_size)
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
        parts = [predict(model, block, device, precision, mirror) for block in _blocks(images)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    # Both in one batch: for a face or two that is faster.
    seen = np.concatenate([images, images[:, :, ::-1]]) if mirror else images
    result = {}
    for name, z in predict_logits(model, seen, device, precision).items():
        result[name] = (z.sigmoid() if name in model.multilabel else z.softmax(1)).cpu().numpy()
        if mirror:
            result[name] = result[name].reshape(2, len(images), -1).mean(0)
    return result


def validate(model, faces, device=None, precision="float32", features=None) -> dict[str, float]:
    """`validation_loss`, cross entropy without weights, and, for each target of which `faces` holds a label,
    `validation_accuracy_<target>` of the labelled images. `features`: what `describe` gave of them, so that
    the trunk is not asked again."""
    device = devices.best_device(device)
    if features is None:
        logits = predict_logits(model, faces.images, device, precision)
    else:
        model, context = devices.prepare(model, device, precision)
        model.eval()
        with torch.no_grad(), context:
            logits = {name: scores.float() for name, scores in model.answers(features).items()}
    row = {LOSS: float(loss(logits, labels_of(faces, model, device)))}
    for name, scores in logits.items():
        labels = torch.from_numpy(faces.targets[name]).to(device)
        if name in model.multilabel:
            right, known = (scores > 0) == (labels > 0.5), ~labels.isnan()
        else:
            right, known = scores.argmax(1) == labels, labels != -1
        if known.any():
            row[f"validation_accuracy_{name}"] = float(right[known].float().mean())
    return row


def describe(model, images, device=None, precision="float32") -> torch.Tensor:
    """What the trunk of `model` makes of images, see `FaceNet.described`: float (N, K) on the device."""
    parts = [images] if isinstance(images, np.ndarray) else _blocks(images)
    return torch.cat(
        [d for i in parts for d in _batch_by_batch(model, model.described, i, device, precision)]
    )


def _blocks(images) -> Iterator[np.ndarray]:
    """Images on disk, some at a time."""
    return (images[start : start + BLOCK] for start in range(0, len(images), BLOCK))


@torch.no_grad()
def _batch_by_batch(model, asked, images, device, precision, batch_size=None) -> list:
    """What `asked`, the network or a part of it, says of each batch."""
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
            outputs.append(asked(batch))
    return outputs
