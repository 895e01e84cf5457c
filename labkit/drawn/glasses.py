"""Glasses: frames drawn as lines, lenses with a reflection or dark."""

import cv2
import numpy as np

from labkit.drawn.surface import linear

_BITS = 6


def draw(picture, person, view, who, towards):
    """Draw the glasses that `who` wears on a picture of linear light, in place.

    Args:
        picture: float32 (S, S, 3).
        person: whose eyes they sit before, `head.Person`.
        view: `camera.View`.
        towards: float (3,), where the lamp stands, of the picture.
    """
    if who.glasses == "none":
        return
    random = np.random.default_rng([who.seed, 5])
    width, x, y = _rim(who, random)
    thick = random.uniform(0.022, 0.06)
    front = float(person.eyes[:, 2].mean()) + person.radius + 0.19
    lenses = []
    for side in (-1, 1):
        bulge = front - 0.16 * np.abs(0.5 + x * side - 0.2) ** 1.5
        lenses.append(view.project(np.stack([side * 0.5 + x, -0.045 + y, bulge], 1))[0])
    _glaze(picture, lenses, who, towards)
    lines = [(lens, True) for lens in lenses]
    lines += [(view.project(np.array(line))[0], False) for line in _bridge_and_arms(width, front, view)]
    _frame(picture, lines, linear(who.frame_colour) * np.float32(0.7), thick * view.scale)


def _rim(who, random):
    """Half the width of a lens, and its outline around (0, 0): a superellipse, x and y in eye distances."""
    width, height = random.uniform(0.29, 0.37), random.uniform(0.20, 0.27)
    power = 2.0 if who.glasses == "round" else random.uniform(3.2, 6.0)
    if who.glasses == "round":
        height = max(height, width * 0.82)
    turn = np.linspace(0, 2 * np.pi, 49)
    x, y = (np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(turn), np.sin(turn)))
    return width, x * width, y * height


def _bridge_and_arms(width, front, view):
    """Lines of the frame beside the rims, each a list of points; the arm on the far side is hidden."""
    lines = [[(0.5 - width, 0.03, front - 0.03), (0, 0.07, front), (width - 0.5, 0.03, front - 0.03)]]
    turned = view.axes[2, 0]  # how far x points to the viewer
    for side in (-1, 1):
        if side * turned > -0.25:
            lines.append([(side * (0.5 + width), 0.04, front - 0.2), (side * 1.17, 0.03, -0.75)])
    return lines


def _glaze(picture, lenses, who, towards):
    """Lenses: dark or nearly clear, with a slanting reflection."""
    size = len(picture)
    covers = np.zeros((size, size), np.uint8)
    for lens in lenses:
        cv2.fillPoly(covers, [_fixed(lens)], 255, cv2.LINE_AA, _BITS)
    glass = (covers.astype(np.float32) / 255)[..., None]
    picture *= 1 - (0.93 if who.glasses == "dark" else 0.06) * glass
    rows, columns = np.mgrid[:size, :size].astype(np.float32) / size
    slant = np.clip(1 - np.abs(columns - rows * 0.6 - 0.08 - 0.35 * float(towards[0])) / 0.05, 0, 1)
    picture += glass * slant[..., None] * np.float32(0.10 + 0.25 * max(float(towards[2]) - 0.75, 0))


def _frame(picture, lines, colour, thick):
    """Lines, each with whether it is closed, `thick` pixels wide; below a pixel they are pale."""
    frame, pixels = np.zeros(picture.shape[:2], np.uint8), max(1, round(thick))
    for line, closed in lines:
        cv2.polylines(frame, [_fixed(line)], closed, 255, pixels, cv2.LINE_AA, _BITS)
    faint = min(1.0, thick / pixels + 0.35)
    cover = (frame.astype(np.float32) * np.float32(faint / 255))[..., None]
    picture += cover * (colour - picture)


def _fixed(points):
    return np.rint(points * (1 << _BITS)).astype(np.int32)
