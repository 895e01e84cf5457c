"""Augmentation of whole batches on the device that trains.

Each function takes float images (B, C, H, W) in 0..1 and a `torch.Generator` of the same device, and returns
images of the same shape, each image with a draw of its own. Mirror, rotation, shift and zoom are one affine
warp, which costs a twentieth of what a per-image pipeline of the same steps does. Taught in notebook 01.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F

GEOMETRY = {"mirror", "rotate", "shift", "zoom"}
COARSE = (2, 3, 4, 6)
HARDER, SHARE, EACH = "harder", "share", "each"
SELECTING = {"coarse", HARDER}  # steps that take as many images out of a batch as the draw says


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


def exposure(images, generator, amount):
    """Raise every pixel to a power between 1 / 2^`amount` (brighter) and 2^`amount` (darker)."""
    power = 2 ** uniform(len(images), -amount, amount, generator)
    return images.clamp(0, 1) ** power


def tint(images, generator, amount):
    """Multiply each channel by 1 ± `amount`, as a wrong white balance does."""
    n, channels = images.shape[:2]
    factor = uniform(n * channels, 1 - amount, 1 + amount, generator).view(n, channels, 1, 1)
    return (images * factor).clamp(0, 1)


def grey(images, generator, amount):
    """Take the colour away from a share `amount` of the images."""
    chosen = uniform(len(images), 0, 1, generator) < amount
    return torch.where(chosen, images.mean(1, keepdim=True), images)


def glare(images, generator, amount):
    """Overexpose a share `amount` of the images: 1.5 to 4.5 times as bright, cut off at white."""
    chosen = uniform(len(images), 0, 1, generator) < amount
    return torch.where(chosen, (images * uniform(len(images), 1.5, 4.5, generator)).clamp(0, 1), images)


def coarse(images, generator, amount):
    """Give a share `amount` of the images a half, a third, a quarter or a sixth of the pixels a side,
    enlarged again."""
    side, drawn = images.shape[-1], uniform(len(images), 0, 1, generator).flatten()
    changed = images.clone()
    for i, times in enumerate(COARSE):
        chosen = (drawn >= i * amount / len(COARSE)) & (drawn < (i + 1) * amount / len(COARSE))
        small = F.interpolate(images[chosen], max(1, side // times), mode="area")
        changed[chosen] = F.interpolate(small, side, mode="bilinear", align_corners=False)
    return changed


STEPS: dict[str, Callable] = {
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "blur": blur,
    "noise": noise,
    "erase": erase,
    "exposure": exposure,
    "tint": tint,
    "grey": grey,
    "coarse": coarse,
    "glare": glare,
}
STRENGTHS = (1, 2, 3)  # of `CORRUPTIONS`: seen at once, strong, nearly too strong for a person


def _jpeg(images, quality):
    return [
        cv2.imdecode(cv2.imencode(".jpg", i, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_UNCHANGED)
        for i in images
    ]


def _each(images, function):
    changed = np.stack([function(image.astype(np.float32)) for image in images])
    return np.clip(np.rint(changed.reshape(images.shape)), 0, 255).astype(np.uint8)


def _moved(images, across, down, zoom):
    side = images.shape[1]
    middle = (side - 1) / 2
    warp = np.array(
        [[zoom, 0, middle * (1 - zoom) + across * side], [0, zoom, middle * (1 - zoom) + down * side]]
    )
    return _each(images, lambda i: cv2.warpAffine(i, warp, (side, side), borderMode=cv2.BORDER_REPLICATE))


def _fewer(image, share):
    side = len(image)
    small = cv2.resize(image, (round(side * share),) * 2, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)


# What is done to test images to see what a network bears: name -> a function of images, uint8 (N, H, W, C),
# and strength, 1 to 3, that gives uint8 (N, H, W, C). Nothing is drawn by chance but noise, which has a seed.
CORRUPTIONS: dict[str, Callable] = {
    "grey": lambda x, s: _each(x, lambda i: i + (i.mean(-1, keepdims=True) - i) * (s / 3)),
    "low resolution": lambda x, s: _each(x, lambda i: _fewer(i, (0.33, 0.22, 0.15)[s - 1])),
    "blur": lambda x, s: _each(x, lambda i: cv2.GaussianBlur(i, (0, 0), (1.7, 2.8, 4)[s - 1] * len(i) / 64)),
    "dark": lambda x, s: _each(x, lambda i: i * (0.3, 0.15, 0.07)[s - 1]),
    "bright": lambda x, s: _each(x, lambda i: i * (2.0, 3.0, 4.5)[s - 1]),
    "low contrast": lambda x, s: _each(x, lambda i: 128 + (i - 128) * (0.3, 0.15, 0.08)[s - 1]),
    "noise": lambda x, s: np.clip(
        x + np.random.default_rng(s).normal(0, (20, 40, 70)[s - 1], x.shape), 0, 255
    ).astype(np.uint8),
    "JPEG": lambda x, s: np.stack(_jpeg(x, (12, 7, 4)[s - 1])).reshape(x.shape),
    "box shifted": lambda x, s: _moved(x, 0.06 * s, 0.06 * s, 1.0),
    "box too large": lambda x, s: _moved(x, 0, 0, (0.7, 0.55, 0.42)[s - 1]),
    "box too small": lambda x, s: _moved(x, 0, 0, (1.3, 1.5, 1.7)[s - 1]),
    "colour cast": lambda x, s: _each(
        x, lambda i: i * np.array([1 + 0.2 * s, 1, 1 - 0.25 * s])[: i.shape[-1]]
    ),
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


def check(amounts: Mapping) -> None:
    """Check the amounts that `augment` is to be given.

    Raises:
        ValueError: for a step that is not known, an amount below 0, or a zoom of 1 or more.
    """
    harder = amounts.get(HARDER)
    if harder is not None:
        chances = [harder.get(SHARE, -1), harder.get(EACH, 1)] if isinstance(harder, Mapping) else [-1]
        if not all(0 <= chance <= 1 for chance in chances):
            rule = f"'{HARDER}' must be steps with a '{SHARE}', and an '{EACH}' if need be, from 0 to 1"
            raise ValueError(f"augment: {rule}, got {harder!r}")
        check({name: amount for name, amount in harder.items() if name not in (SHARE, EACH)})
        amounts = {name: amount for name, amount in amounts.items() if name != HARDER}
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


def augment(images: torch.Tensor, amounts: Mapping, generator: torch.Generator) -> torch.Tensor:
    """Every step that `amounts` names, geometry first.

    Args:
        images: float (B, C, H, W) in 0..1.
        amounts: name of a step, of `GEOMETRY` or `STEPS`, -> amount, for instance
            `{"mirror": 0.5, "rotate": 10, "shift": 0.1, "noise": 0.05}`. With
            `"harder": {"share": 0.4, "each": 0.3, ...}` that share of the images gets the steps named there
            instead, each step with a chance of its own (the geometry as one; 1 without "each"): a network
            learns to bear much, one trouble at a time, while most of what it sees stays as it will be.
        generator: of the same device as the images; each image gets draws of its own.

    Returns:
        float (B, C, H, W).
    """
    changed = _steps(images, amounts, generator)
    if harder := amounts.get(HARDER):
        chosen = (uniform(len(images), 0, 1, generator) < harder[SHARE]).flatten()
        if chosen.any():
            changed = changed.clone()
            changed[chosen] = _steps(images[chosen], harder, generator, harder.get(EACH, 1))
    return changed


def _steps(images, amounts, generator, chance=1):
    def some(changed):
        if chance == 1:
            return changed
        return torch.where(uniform(len(images), 0, 1, generator) < chance, changed, images)

    warp = {name: amount for name, amount in amounts.items() if name in GEOMETRY}
    if warp:
        images = some(geometry(images, generator, **warp))
    for name, step in STEPS.items():
        if amounts.get(name):
            images = some(step(images, generator, amounts[name]))
    return images
