"""The skin of a built-in face as a landscape that light falls on.

Bumps, furrows, blush, shading, pores, freckles.
"""

from functools import lru_cache

import cv2
import numpy as np

from labkit.drawn.anatomy import BULGES, FURROWS, LANDMARKS, RELIEF, strength
from labkit.drawn.canvas import CIRCLE, draw_lines, smooth, soften


def _table(rows):
    """Rows of RELIEF or BULGES as an array; those on the middle line count half, because they stand in both
    halves of the face."""
    table = np.array(rows)
    table[:, 4:] *= np.where(table[:, :1] == 0, 0.5, 1.0)
    return table


_RELIEF, _BULGES = _table(RELIEF), {name: _table(rows) for name, rows in BULGES.items()}


def landscape(scene):
    """Height in pixels, darkness and blush of the face: three float32 (size, size)."""
    units = [strength(scene.parameters, side) for side in (1, -1)]
    rows = [_RELIEF, _RELIEF * (-1, 1, 1, 1, 1, 1, 1)]
    for side, amounts in zip((1, -1), units):
        for name, amount in amounts.items():
            if name in _BULGES:
                rows.append(_BULGES[name] * (side, 1, 1, 1, amount, amount, amount))
    height, darkness, blush = hills(np.concatenate(rows), scene)
    lines = furrows(scene, units)
    return scene.unit * (height - 0.035 * lines), darkness + 0.36 * lines, blush


def hills(rows, scene):
    """Sums of axis-aligned Gaussians.

    Each is the product of one curve in x and one in y, so that a matrix product adds them all.

    Args:
        rows: float (K, 4 + A): x, y, standard deviations in x and y, then A amplitudes.

    Returns:
        A arrays float32 (size, size).
    """
    centres = scene.view.project(rows[:, :2])
    deviations = rows[:, 2:4] * scene.unit * np.maximum(scene.view.cos, 0.5)
    # Hills are smooth: a large picture enlarges them, and the products stay too small to start threads.
    coarse = min(scene.size, 96)
    pixels = (np.arange(coarse, dtype=np.float32) + 0.5) * (scene.size / coarse) - 0.5
    offsets = ((pixels - centres[:, :, None]) / deviations[:, :, None]).astype(np.float32)  # (K, 2, coarse)
    # The limit because arithmetic on denormal numbers is slow.
    curves = np.exp(-0.5 * np.minimum(offsets * offsets, 40))
    along_x, along_y = curves[:, 0], curves[:, 1]
    amplitudes = rows[:, 4:].T.astype(np.float32)
    sums = [(along_y * amplitude[:, None]).T @ along_x for amplitude in amplitudes]
    return sums if coarse == scene.size else [_enlarged(total, scene.size) for total in sums]


def _enlarged(field, size):
    """A smooth field at a larger size, its slopes smooth too, for light shows every kink."""
    return soften(cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC), 1.2 * size / len(field))


_FURROW_POINTS = np.array([row[0] for row in FURROWS])
_FOLLOWING = np.linspace(0.15, 1, 4)[:, None]  # a furrow's near end stays, its far end goes with the landmark


def furrows(scene, units):
    """Depth of all furrows, float32 (size, size), 0 to about 1."""
    mask = np.zeros((scene.size, scene.size), np.uint8)
    for (side, marks), amounts in zip(scene.halves(), units):
        depths, moves = [], []
        for _, landmark, rest, causes in FURROWS:
            depths.append(rest + sum(amounts.get(name, 0) * part for name, part in causes.items()))
            moves.append(marks[landmark] - LANDMARKS[landmark])
        depths, moves = np.array(depths), np.array(moves)
        shown = depths > 0.04
        curves = smooth(_FURROW_POINTS[shown] + _FOLLOWING * moves[shown, None]) * (side, 1)
        draw_lines(mask, scene.view.project(curves), 255 * np.minimum(depths[shown], 0.8), 0.035 * scene.unit)
    return np.multiply(soften(mask, 0.028 * scene.unit), np.float32(1.5 / 255), dtype=np.float32)


def lighting(scene, height, darkness):
    """How bright the skin is (float32 (size, size), about 1) and how much it shines (0 to about 0.1)."""
    p, view = scene.parameters, scene.view
    right = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    middle = view.outline(np.array([[0.0, 0.1]]), depth=0.25)[0]
    pixels = np.arange(scene.size, dtype=np.float32)
    across = (pixels - np.float32(middle[0])) / np.float32(scene.unit * 1.1)
    along = (pixels - np.float32(middle[1])) / np.float32(scene.unit * 1.9)
    right -= 0.28 * across + 0.85 * across**3  # the head itself, round as an egg
    down -= (0.20 * along + 0.45 * along**3)[:, None]
    x, y = (np.float32(v) for v in p.light)
    toward = np.sqrt(max(0.05, 1 - p.light[0] ** 2 - p.light[1] ** 2)).astype(np.float32)
    length = 1 / np.sqrt(1 + right * right + down * down)
    facing = (toward - x * right - y * down) * length
    directed = (p.contrast / max(0.62, toward)) * np.maximum(facing, -0.15)
    shade = (1 - p.contrast) + directed + 0.1 * (length - 1)
    shade = np.clip(shade, 0.14, 1.35) * np.clip(1 - darkness, 0.25, 1.3)
    shine = np.maximum((facing + length) / np.sqrt(2 + 2 * toward), 0.05)
    for _ in range(4):  # to the power of 16
        shine = shine * shine
    return shade.astype(np.float32), shine.astype(np.float32) * np.float32(0.07 * p.contrast + 0.02)


@lru_cache(maxsize=1)
def _grain():
    """Two tiles of noise, float32 (256, 256), deviation about 1: blotches and pores. Each face shows another
    part of them."""
    pores = np.random.default_rng(0).standard_normal((256, 256), np.float32)
    blotches = cv2.GaussianBlur(pores, (0, 0), 3)
    return blotches / blotches.std(), pores


def texture(scene, skin):
    """Pores and blotches."""
    y, x = scene.random.integers(0, 192, 2)
    blotches, pores = (tile[y : y + 64, x : x + 64] for tile in _grain())
    both = 0.03 * blotches + (0.010 + 0.015 * scene.who.age) * pores
    skin.pixels *= 1 + cv2.resize(both, (scene.size, scene.size), interpolation=cv2.INTER_CUBIC)


def freckles(scene, skin):
    """Freckles over nose and cheeks, at the same places in every picture of a person."""
    amount = scene.who.freckles
    if amount <= 0:
        return
    random = scene.of_person(1)
    n = int(60 + 70 * amount)
    x = np.clip(random.normal(0, 0.42, n) + random.choice([-0.25, 0.25], n), -0.98, 0.98)
    y = 0.36 + random.normal(0, 0.15, n) + 0.1 * np.abs(x)
    radii = random.uniform(0.007, 0.019, n) * scene.unit
    dots = scene.view.project(np.stack([x, y], 1))[:, None] + radii[:, None, None] * CIRCLE[::2]
    skin.paint(dots, scene.skin * (0.68, 0.50, 0.40), 0.34 + 0.33 * amount, 0.006 * scene.unit)
