"""What the pixels of a face are before light falls on them, and the tools that materials are painted with."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np


@dataclass
class Surface:
    """P pixels of some material; its painters change them in place.

    Attributes:
        place: float32 (P, 3), where on the mean head, eye distances: what is painted is painted there.
        colour: float32 (P, 3), share of red, green and blue light that is sent back, linear.
        normal: float32 (P, 3), in the picture: x right, y up, z to the viewer; not of length 1.
        shine: float32 (P,), strength of highlights.
        open: float32 (P,), share of the light from all around that gets there.
        lit: float32 (P,), share of the lamp's light that gets there.
    """

    place: np.ndarray
    colour: np.ndarray
    normal: np.ndarray
    shine: np.ndarray
    open: np.ndarray
    lit: np.ndarray

    def mix(self, amount, colour, shine=None):
        """Cover with a colour, amount float (P,) in 0 to 1."""
        self.colour += amount[:, None] * (colour - self.colour)
        if shine is not None:
            self.shine += amount * (np.float32(shine) - self.shine)

    def part(self, which) -> "Surface":
        """A copy of the pixels at `which`; `put` brings them back."""
        return Surface(**{name: values[which] for name, values in vars(self).items()})

    def put(self, which, part: "Surface"):
        """Take over the pixels of a part, except for their places."""
        for name in ("colour", "normal", "shine", "open", "lit"):
            getattr(self, name)[which] = getattr(part, name)


def linear(colour) -> np.ndarray:
    """RGB 0 to 255 as a screen shows it -> linear light, float32 0 to 1."""
    return ((np.asarray(colour, np.float32) / 255) ** 2.2).astype(np.float32)


def ramp(low, high, values) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between; the other way round where low > high."""
    t = np.clip((values - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def spot(x, y, middle, extent) -> np.ndarray:
    """A soft spot: 1 in its middle, a Gaussian with standard deviations extent / sqrt(2)."""
    return np.exp(-(((x - middle[0]) / extent[0]) ** 2) - ((y - middle[1]) / extent[1]) ** 2)


@cache
def grain(kind: str) -> np.ndarray:
    """Noise of mean 0 and deviation about 1, float32 (256, 256), the same everywhere.

    Args:
        kind: "blotches" of several sizes, "fine" for pores and strands, "coarse" for locks and folds.
    """
    octaves = {
        "blotches": ((8, 0.5), (24, 0.35), (80, 0.25)),
        "fine": ((128, 1.0),),
        "coarse": ((16, 1.0),),
    }
    random = np.random.default_rng(1)
    every = {}
    for name, parts in octaves.items():
        sizes = [(random.standard_normal((n, n)).astype(np.float32), weight) for n, weight in parts]
        layers = [weight * cv2.resize(s, (256, 256), interpolation=cv2.INTER_CUBIC) for s, weight in sizes]
        every[name] = sum(layers)
    return every[kind]


def sampled(texture, x, y) -> np.ndarray:
    """A texture, float32 (H, W) or (H, W, C), at points in its pixels, repeated beyond its edges:
    (P,) or (P, C). Bilinear."""
    rows = max(1, -(-len(x) // 256))  # OpenCV wants pictures, not lists, of at most 32,767 pixels a side
    points = np.zeros((2, rows * 256), np.float32)
    points[0, : len(x)], points[1, : len(x)] = x, y
    grid = points.reshape(2, rows, 256)
    found = cv2.remap(texture, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return found.reshape(rows * 256, *texture.shape[2:])[: len(x)]
