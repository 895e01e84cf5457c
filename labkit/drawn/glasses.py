"""Glasses: frames drawn as lines, lenses with a reflection or dark."""

import cv2
import numpy as np

from labkit.drawn.surface import linear

_BITS = 6


def draw(picture, person, view, who, towards):
    """Draw the glasses that `who` wears on a picture of linear light, float32 (S, S, 3), in place."""
    if who.glasses == "none":
        return
    random = np.random.default_rng([who.seed, 5])
    width, height = random.uniform(0.29, 0.37), random.uniform(0.20, 0.27)
    power = 2.0 if who.glasses == "round" else random.uniform(3.2, 6.0)
    if who.glasses == "round":
        height = max(height, width * 0.82)
    turn = np.linspace(0, 2 * np.pi, 49)
    cos, sin = np.cos(turn), np.sin(turn)
    x, y = (
        np.sign(cos) * np.abs(cos) ** (2 / power) * width,
        np.sign(sin) * np.abs(sin) ** (2 / power) * height,
    )
    front = float(person.eyes[:, 2].mean()) + person.radius + 0.19
    colour, thick = linear(who.frame_colour), random.uniform(0.022, 0.06)
    lenses = []
    for side in (-1, 1):
        bulge = front - 0.16 * np.abs(0.5 + x * side - 0.2) ** 1.5
        lenses.append(view.project(np.stack([side * 0.5 + x, -0.045 + y, bulge], 1))[0])
    bridge = view.project(
        np.array([[0.5 - width, 0.03, front - 0.03], [0, 0.07, front], [width - 0.5, 0.03, front - 0.03]])
    )[0]
    turned = view.axes[2, 0]  # how far x points to the viewer: which temple is seen
    covers = np.zeros(picture.shape[:2], np.uint8)
    for lens in lenses:
        cv2.fillPoly(covers, [_fixed(lens)], 255, cv2.LINE_AA, _BITS)
    glass = (covers.astype(np.float32) / 255)[..., None]
    size = len(picture)
    if who.glasses == "dark":
        picture *= 1 - 0.93 * glass
    else:
        picture *= 1 - 0.06 * glass
    rows, columns = np.mgrid[:size, :size].astype(np.float32) / size
    slant = np.clip(1 - np.abs(columns - rows * 0.6 - 0.08 - 0.35 * float(towards[0])) / 0.05, 0, 1)[
        ..., None
    ]
    picture += glass * slant * np.float32(0.10 + 0.25 * max(float(towards[2]) - 0.75, 0))
    frame = np.zeros(picture.shape[:2], np.uint8)
    pixels = max(1, round(thick * view.scale))
    arms = []
    for side in (-1, 1):
        if side * turned > -0.25:
            arms.append(
                view.project(
                    np.array([[side * (0.5 + width), 0.04, front - 0.2], [side * 1.17, 0.03, -0.75]])
                )[0]
            )
    for line, closed in [
        *((lens, True) for lens in lenses),
        (bridge, False),
        *((arm, False) for arm in arms),
    ]:
        cv2.polylines(frame, [_fixed(line)], closed, 255, pixels, cv2.LINE_AA, _BITS)
    faint = min(1.0, thick * view.scale / pixels + 0.35)
    cover = (frame.astype(np.float32) * np.float32(faint / 255))[..., None]
    picture += cover * (colour * np.float32(0.7) - picture)


def _fixed(points):
    return np.rint(points * (1 << _BITS)).astype(np.int32)
