"""From images as they are stored to batches as networks take them."""

import numpy as np
import torch


def to_batch(images: torch.Tensor) -> torch.Tensor:
    """uint8 (B, H, W, C) -> float32 (B, C, H, W) in 0..1; the pixels stay where they lie, which is the
    channels_last layout."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """`order`, image indices (N,), in batches of `size`; a last batch of one image joins the one before,
    since one image alone has no deviation to be normalised by."""
    parts = list(order.split(size))
    if len(parts) > 1 and size > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def set_scale(model, faces, scale: str) -> None:
    """Tell a network the mean and deviation of its training images, a FaceSet, unless `scale` is "unit"."""
    if scale != "standard":
        return
    counts = np.zeros((faces.images.shape[-1], 256))  # how often each value occurs in each channel
    for block in faces.blocks():
        counts += [np.bincount(block[..., c].ravel(), minlength=256) for c in range(block.shape[-1])]
    values, share = np.arange(256) / 255, counts / counts.sum(1, keepdims=True)
    mean = share @ values
    deviation = np.sqrt((share * (values - mean[:, None]) ** 2).sum(1))
    model.mean.copy_(torch.from_numpy(mean))
    model.deviation.copy_(torch.from_numpy(deviation).clamp(min=1e-3))
