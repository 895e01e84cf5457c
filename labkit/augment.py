"""Augmentation of whole batches on the device that trains.

Each function takes float images (B, C, H, W) in 0..1 and a `torch.Generator` of the same device, and returns
images of the same shape, each image with a draw of its own. Mirror, rotation, shift and zoom are one affine
warp, which costs a twentieth of what a per-image pipeline of the same steps does. Taught in notebook 01.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

GEOMETRY = {"mirror", "rotate", "shift", "zoom"}


def uniform(n: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    """`n` draws between `low` and `high`, shape (n, 1, 1, 1)."""
    return torch.empty(n, 1, 1, 1, device=generator.device).uniform_(low, high, generator=generator)


@lru_cache(maxsize=8)
def _centres(n: int, device: torch.device) -> torch.Tensor:
    """Where the centres of `n` pixels lie in -1..1, as grid_sample counts: float32 (n,)."""
    return (2 * torch.arange(n, device=device) + 1) / n - 1


def geometry(images, generator, mirror=0.0, rotate=0.0, shift=0.0, zoom=0.0):
    """Mirror, rotate, shift and zoom in one affine warp. What comes in at the border repeats the border.

    Args:
        images: float (B, C, H, W).
        generator: where each image's own draws come from.
        mirror: the chance that an image is mirrored left to right, 0 to 1.
        rotate: degrees, at most so far either way.
        shift: share of the side, at most so far either way, across and down.
        zoom: share by which an image becomes at most larger or smaller, below 1.

    Returns:
        float (B, C, H, W).
    """
    n, _, height, width = images.shape
    angle = uniform(n, -rotate, rotate, generator) * (math.pi / 180)
    scale = 1.0 / (1.0 + uniform(n, -zoom, zoom, generator))
    flip = torch.where(uniform(n, 0, 1, generator) < mirror, -1.0, 1.0)
    across, down = uniform(n, -2 * shift, 2 * shift, generator), uniform(n, -2 * shift, 2 * shift, generator)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    x, y = _centres(width, images.device).view(1, 1, -1, 1), _centres(height, images.device).view(1, -1, 1, 1)
    # One sum over all pixels, a tenth of F.affine_grid's matrix product.
    from_x = torch.cat([flip * (cos * x + across), sin * x], 3)
    from_y = torch.cat([-flip * sin * y, cos * y + down], 3)
    return F.grid_sample(images, from_x + from_y, padding_mode="border", align_corners=False)


def brightness(images, generator, amount):
    """Multiply every pixel by 1 ± `amount`."""
    return (images * uniform(len(images), 1 - amount, 1 + amount, generator)).clamp(0, 1)


def contrast(images, generator, amount):
    """Stretch the distance from each image's own mean by 1 ± `amount`."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return (mean + (images - mean) * uniform(len(images), 1 - amount, 1 + amount, generator)).clamp(0, 1)


def saturation(images, generator, amount):
    """Stretch the distance from grey by 1 ± `amount`; a grey image stays as it is."""
    grey = images.mean(1, keepdim=True)
    return (grey + (images - grey) * uniform(len(images), 1 - amount, 1 + amount, generator)).clamp(0, 1)


def noise(images, generator, amount):
    """Add normal noise; its deviation is drawn for each image between 0 and `amount`."""
    deviation = uniform(len(images), 0, amount, generator)
    normal = torch.empty_like(images).normal_(generator=generator)
    return (images + deviation * normal).clamp(0, 1)


def blur(images, generator, amount):
    """Gaussian blur over 5x5 pixels; its sigma is drawn for each image between 0 and `amount` pixels."""
    n, channels, height, width = images.shape
    sigma = uniform(n, 0, amount, generator).clamp(min=1e-3).view(n, 1)
    weights = torch.exp(-(torch.arange(-2, 3, device=images.device) ** 2) / (2 * sigma**2))
    weights = (weights / weights.sum(1, keepdim=True)).repeat_interleave(channels, 0)  # (B*C, 5)
    flat = F.pad(images.reshape(1, n * channels, height, width), (2, 2, 2, 2), mode="replicate")
    flat = F.conv2d(flat, weights[:, None, :, None], groups=n * channels)
    return F.conv2d(flat, weights[:, None, None, :], groups=n * channels).view_as(images)


def erase(images, generator, amount):
    """Grey out a square of a side drawn between 0 and `amount` of the image's.

    Source:
        Random erasing, Zhong et al. 2017.
    """
    n, _, height, width = images.shape
    half = uniform(n, 0, amount / 2, generator)
    rows = torch.linspace(0, 1, height, device=images.device).view(1, 1, -1, 1)
    columns = torch.linspace(0, 1, width, device=images.device).view(1, 1, 1, -1)
    in_rows = (rows - uniform(n, 0, 1, generator)).abs() < half
    in_columns = (columns - uniform(n, 0, 1, generator)).abs() < half
    return torch.where(in_rows & in_columns, images.mean((1, 2, 3), keepdim=True), images)


STEPS: dict[str, Callable] = {
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "blur": blur,
    "noise": noise,
    "erase": erase,
}


def stored_copies(images, copies: int, seed: int = 0):
    """The smile report's augmented data set: `copies` further versions of each image, made once and stored.

    Each version gets 0 to 3 steps, drawn at random, of: mirror left to right; rotation by 90, 180 or 270
    degrees; saturation changed by up to half. Rotating a face upside down is the report's choice, kept to
    repeat its table.

    Args:
        images: uint8 (N, H, W, C), H = W.
        copies: versions of each image.
        seed: of the steps.

    Returns:
        uint8 (copies * N, H, W, C), one whole set after the other.
    """
    rng = np.random.default_rng(seed)

    def mirror(image):
        return image[:, ::-1]

    def quarter_turns(image):
        return np.rot90(image, rng.integers(1, 4))

    def resaturated(image):
        grey = image.mean(-1, keepdims=True)
        return np.clip(grey + (image - grey) * rng.uniform(0.5, 1.5), 0, 255).astype(np.uint8)

    made = np.empty((copies * len(images), *images.shape[1:]), np.uint8)
    for i in range(len(made)):
        image = images[i % len(images)]
        steps = rng.permutation([mirror, quarter_turns, resaturated])
        for step in steps[: rng.integers(0, 4)]:
            image = step(image)
        made[i] = image
    return made


def check(amounts: Mapping[str, float]) -> None:
    """Check the amounts that `augment` is to be given: name of a step -> amount.

    Raises:
        ValueError: for a step that is not known, an amount below 0, or a zoom of 1 or more.
    """
    known = sorted(GEOMETRY | set(STEPS))
    for name, amount in amounts.items():
        if name not in known:
            raise ValueError(f"augment: expected steps out of {', '.join(known)}, got '{name}'")
        if not amount >= 0:
            raise ValueError(f"augment: '{name}' must be 0 or more, got {amount}")
        if name == "zoom" and amount >= 1:
            raise ValueError(
                f"augment: 'zoom' must be below 1, at which a face could shrink to nothing, got {amount}"
            )


def augment(images: torch.Tensor, amounts: Mapping[str, float], generator: torch.Generator) -> torch.Tensor:
    """Every step that `amounts` names, geometry first.

    Args:
        images: float (B, C, H, W) in 0..1.
        amounts: name of a step, of `GEOMETRY` or `STEPS`, -> amount, for instance
            `{"mirror": 0.5, "rotate": 10, "shift": 0.1, "noise": 0.05}`.
        generator: of the same device as the images; each image gets draws of its own.

    Returns:
        float (B, C, H, W).
    """
    warp = {name: amount for name, amount in amounts.items() if name in GEOMETRY}
    if warp:
        images = geometry(images, generator, **warp)
    for name, step in STEPS.items():
        if amounts.get(name):
            images = step(images, generator, amounts[name])
    return images
