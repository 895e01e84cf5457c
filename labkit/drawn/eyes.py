"""Eyes, teeth and tongue."""

import numpy as np

from labkit.drawn.surface import Surface, linear, ramp

IRIS = 0.112  # radius of an iris in eye distances
WHITE = np.array([0.60, 0.55, 0.52], np.float32)


def paint(surface: Surface, outward, who, radius: float, gaze, axes, wide: float = 0.0):
    """White, iris and pupil, shaded by the upper lid.

    Args:
        surface: pixels of one eye.
        outward: float32 (P, 3), unit vectors from the eye's centre, of the head.
        radius: of the eye, eye distances.
        gaze: float (3,), where the eye looks, of the head, a unit vector.
        axes: float (3, 3), where x, y and z of the head point in the picture.
        wide: 0 to 1, how far the upper lid is raised: it shades less.
    """
    x, y, _ = outward.T
    angle = np.degrees(np.arccos(np.clip(outward @ gaze.astype(np.float32), -1, 1)))
    edge = np.degrees(np.arcsin(min(0.95, IRIS / radius)))
    iris, pupil = ramp(edge + 1.0, edge - 2.0, angle), ramp(edge * 0.50, edge * 0.38, angle)
    ring = ramp(edge * 0.70, edge, angle) * iris
    spokes = 1 + 0.22 * np.sin(17 * np.arctan2(y - gaze[1], x - gaze[0]) + who.seed % 7) * (1 - pupil)
    white = WHITE * (1 - 0.16 * ramp(0.2, 0.9, np.abs(x)))[:, None]
    colour = linear(who.iris) * (spokes * (1.0 - 0.72 * ring))[:, None].astype(np.float32)
    surface.colour[:] = white + iris[:, None] * (colour - white)
    surface.colour *= (1 - 0.96 * pupil)[:, None]
    surface.colour *= (1 - (0.78 - 0.55 * wide) * ramp(-0.08, 0.38, y) - 0.2 * ramp(-0.3, -0.6, y))[:, None]
    surface.normal[:] = outward @ axes.astype(np.float32)
    surface.shine[:] = 0.0
    surface.open[:] = 0.62
    np.minimum(surface.lit, 0.85, out=surface.lit)


def glint(normal, halfway) -> np.ndarray:
    """The lamp, mirrored in wet eyes: float (P,)."""
    facing = np.clip(normal @ halfway.astype(np.float32), 0, 1)
    return facing**260


def teeth(surface: Surface, here, who, lower: bool):
    """Teeth: darker further back in the mouth, thin gaps, gums above.

    Args:
        here: float32 (P, 3), eye distances, where they are now.
    """
    x, _, z = here.T
    depth = (0.10 + 0.90 * ramp(-0.25, 0.12, z)) * (0.80 if lower else 1.0)
    gap = 1 - 0.16 * ramp(0.80, 0.97, np.cos(x * (2 * np.pi / 0.135)))
    enamel = linear((252, 244 - 14 * (1 - who.teeth), 232 - 44 * (1 - who.teeth))) * np.float32(
        0.80 + 0.2 * who.teeth
    )
    surface.colour[:] = enamel * (depth * gap)[:, None]
    height = surface.place[:, 1]
    gums = ramp(-0.845, -0.805, height) if not lower else ramp(-1.155, -1.19, height)
    surface.mix(gums.astype(np.float32), np.array([0.34, 0.10, 0.09], np.float32) * depth[:, None])
    surface.shine[:], surface.open[:], surface.lit[:] = 0.18, 0.85, 0.75
    surface.normal[:] = surface.normal * 0.4 + np.array([0, 0, 0.6], np.float32)


def tongue(surface: Surface):
    surface.colour[:] = np.array([0.26, 0.065, 0.065], np.float32)
    surface.shine[:], surface.open[:], surface.lit[:] = 0.1, 0.35, 0.3


def lashes(surface: Surface, who, flesh):
    """Lashes are thin: the fewer there are, the more skin shines through."""
    x, y, _ = surface.place.T
    dark = ramp(-0.03, 0.03, y) * ramp(0.80, 0.70, np.abs(x)) * (0.62 + 0.36 * who.lashes)
    surface.colour[:] = flesh * (0.72 - 0.70 * dark[:, None])
    surface.shine[:] = 0
