"""Light: a lamp with soft shadows, the sky and the ground, highlights.

Lambert's cosine, wrapped a little around the edge because light wanders under the skin; highlights after
Blinn (1977).
"""

from dataclasses import dataclass

import numpy as np

from labkit.drawn.head import DIRECTIONS, load, unit_rows

WRAP = np.array([0.28, 0.12, 0.07], np.float32)  # red light wanders furthest


@dataclass(frozen=True)
class Light:
    """One lamp, and light from above and from below.

    Attributes:
        towards: float (3,), where the lamp stands, of the picture, a unit vector.
        lamp, sky, ground: float32 (3,), linear RGB.
        softness: of the lamp's shadows, 0 to 1.
    """

    towards: np.ndarray
    lamp: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    softness: float

    @classmethod
    def of(cls, parameters) -> "Light":
        right, down = parameters.light
        front = np.sqrt(max(1 - right * right - down * down, 0.02))
        towards = unit_rows(np.array([right, -down, front]))
        strong, around = 0.35 + 2.3 * parameters.contrast, 1.05 - 0.55 * parameters.contrast
        return cls(
            towards=towards,
            lamp=np.array([1.02, 0.98, 0.93], np.float32) * np.float32(strong),
            sky=np.array([0.92, 0.98, 1.05], np.float32) * np.float32(around),
            ground=np.array([0.62, 0.56, 0.50], np.float32) * np.float32(around),
            softness=parameters.softness,
        )

    @property
    def halfway(self) -> np.ndarray:
        """Between lamp and viewer, a unit vector."""
        return unit_rows(self.towards + np.array([0, 0, 1.0]))

    def reached(self, axes) -> np.ndarray:
        """Share of the lamp's light that reaches each vertex of a head turned by `axes`: float32 (V,)."""
        of_head = self.towards @ axes  # the transpose turns back
        sharp = 4 * 12 ** (1 - self.softness)
        weights = np.exp(sharp * ((DIRECTIONS * of_head).sum(1) - 1))
        weights[weights < 0.02 * weights.max()] = 0
        weights /= weights.sum()
        reached = np.zeros(load().reached.shape[1], np.float32)
        for weight, row in zip(weights, load().reached):
            if weight:
                reached += np.float32(weight) * row
        return reached

    def on(self, surface, gleam=0.0) -> np.ndarray:
        """The light that a surface sends to the viewer: linear, float32 (P, 3).

        Args:
            gleam: float (P,), further highlights, such as those in the eyes.
        """
        normal = unit_rows(surface.normal)
        nx, ny, nz = normal.T
        lx, ly, lz = self.towards.astype(np.float32)
        facing = (nx * lx + ny * ly + nz * lz)[:, None]
        diffuse = np.clip((facing + WRAP) / (1 + WRAP), 0, 1) * surface.lit[:, None]
        up = (0.5 + 0.5 * ny)[:, None]
        around = (self.sky * up + self.ground * (1 - up)) * (surface.open * (0.75 + 0.25 * nz))[:, None]
        hx, hy, hz = self.halfway.astype(np.float32)
        mirror = np.clip(nx * hx + ny * hy + nz * hz, 0, 1) ** 18 * surface.shine * surface.lit * 0.9
        grazing = (1 - np.clip(nz, 0, 1)) ** 4 * 0.36 * surface.open * surface.shine
        return (
            surface.colour * (diffuse * self.lamp + around)
            + (mirror + gleam)[:, None] * self.lamp
            + grazing[:, None] * self.sky
        ).astype(np.float32)
