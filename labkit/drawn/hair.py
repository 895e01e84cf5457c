"""Hair and what else covers the head of a built-in face."""

import numpy as np

from labkit.drawn.canvas import CIRCLE, band, closed, moved, smooth
from labkit.drawn.scene import MIRROR, across

# A style: hairline and outer edge of the right half, from the middle downwards, each as many points; then how
# strands run: "up" from the hairline to the crown, "down" beside the face, or in "curls".
STYLES = {
    "short": (
        ((0, -1.02), (0.45, -1.0), (0.78, -0.86), (0.93, -0.55), (1.0, -0.2), (1.04, 0.12)),
        ((0, -1.90), (0.60, -1.76), (1.03, -1.32), (1.17, -0.7), (1.15, -0.2), (1.07, 0.14)),
        "up",
    ),
    "fringe": (
        ((0, -0.60), (0.45, -0.58), (0.80, -0.56), (0.98, -0.40), (1.0, 0.2), (0.97, 0.95)),
        ((0, -2.0), (0.66, -1.84), (1.14, -1.36), (1.30, -0.65), (1.30, 0.2), (1.10, 1.05)),
        "up",
    ),
    "parted": (
        ((0, -1.08), (0.38, -0.98), (0.76, -0.76), (0.95, -0.40), (1.0, 0.0), (1.04, 0.3)),
        ((0, -2.0), (0.66, -1.82), (1.10, -1.32), (1.24, -0.65), (1.20, 0.0), (1.08, 0.36)),
        "down",
    ),
    "long": (
        ((0, -1.08), (0.38, -0.92), (0.80, -0.55), (0.98, 0.1), (0.98, 1.0), (1.0, 2.7)),
        ((0, -1.98), (0.70, -1.80), (1.20, -1.2), (1.36, -0.1), (1.42, 1.0), (1.55, 2.7)),
        "down",
    ),
    "curly": (
        ((0, -0.96), (0.42, -0.94), (0.78, -0.8), (0.95, -0.45), (1.02, 0.0), (1.04, 0.4)),
        ((0, -2.15), (0.80, -1.95), (1.36, -1.4), (1.52, -0.6), (1.44, 0.1), (1.18, 0.5)),
        "curls",
    ),
    "receding": (
        ((0, -1.2), (0.35, -1.36), (0.70, -1.2), (0.92, -0.65), (1.0, -0.2), (1.04, 0.1)),
        ((0, -1.80), (0.57, -1.67), (0.97, -1.26), (1.12, -0.68), (1.13, -0.15), (1.07, 0.12)),
        "up",
    ),
}


_CURVES = {name: (across(hairline), across(edge)) for name, (hairline, edge, _) in STYLES.items()}


def hair_edges(scene):
    """Hairline and outer edge in pixels, left to right, with as many points each."""
    who, view = scene.who, scene.view
    run = STYLES[who.hair_style][2]
    hairline, edge = (curve.copy() for curve in _CURVES[who.hair_style])
    if run == "down":  # the parting is on one side
        hairline[:, 0] += (0.3 if who.seed % 2 else -0.3) * np.maximum(0, 1 - np.abs(hairline[:, 0])) ** 1.5
    if run == "curls":
        edge = edge * (1 + scene.of_person(5).normal(0, 0.022, (len(edge), 1)))
    if who.hair_top == "hat":  # pressed flat
        edge[:, 0] *= 0.94
    width = (who.face_width, 1)
    return view.project(hairline * width, 0.03), view.outline(edge * width, -0.05)


def hair_behind(scene, canvas):
    """The hair behind head and neck, darker than the rest; a bald head and a scarf show none."""
    if scene.who.hair_top in ("bald", "scarf"):
        return
    canvas.paint(hair_edges(scene)[1], scene.hair * 0.5, blur=0.02 * scene.unit)


def hair(scene, canvas):
    """Hair in the person's style, shaded and with strands, or what is left of it around a bald head."""
    if scene.who.hair_top == "bald":
        shaved_sides(scene, canvas)
    if scene.who.hair_top in ("bald", "scarf"):
        return
    unit = scene.unit
    hairline, edge = hair_edges(scene)
    shape = band(hairline, edge)
    canvas.multiply(band(hairline, moved(hairline, 0, 0.10 * unit)), 0.74, 0.06 * unit)
    inside = canvas.mask(shape, 0.012 * unit)
    canvas.paint(None, scene.hair, clip=inside)
    strands(scene, canvas, hairline, edge, inside)
    canvas.darken_rim(inside, 0.5, 0.07 * unit)
    light = scene.light * 0.3 * unit
    middle = 0.5 * (hairline + edge)[8:-8] + light
    sheen = band(moved(middle, 0, -0.08 * unit), moved(middle, 0, 0.08 * unit))
    canvas.paint(sheen, scene.hair * 1.25 + 28, 0.32, 0.09 * unit, clip=inside)


def strands(scene, canvas, hairline, edge, inside):
    """Lines along the hair, half of them lighter, half of them darker than it."""
    unit, run = scene.unit, STYLES[scene.who.hair_style][2]
    lines = STRANDS[run](scene.of_person(2), hairline, edge, unit)
    half = len(lines) // 2
    canvas.multiply(lines[:half], 0.70, 0.010 * unit, 0.030 * unit, clip=inside)
    canvas.paint(lines[half:], scene.hair * 1.25 + 12, 0.5, 0.010 * unit, 0.024 * unit, clip=inside)


def _up(random, hairline, edge, unit, n=56):
    part = random.uniform(0, 1, n)
    index = np.linspace(0, 1, len(hairline))
    foot = np.stack([np.interp(part, index, hairline[:, k]) for k in (0, 1)], 1)
    tip = np.stack([np.interp(0.5 + (part - 0.5) * 0.62, index, edge[:, k]) for k in (0, 1)], 1)
    bend = 0.5 * (foot + tip) + random.normal(0, 0.035, (n, 2)) * unit + 0.12 * (foot - foot.mean(0)) * (1, 0)
    return smooth(np.stack([foot, bend, tip], 1))


def _down(random, hairline, edge, unit, n=56):
    depth = random.uniform(0.02, 0.98, (n, 1, 1))
    middle = len(hairline) // 2
    inner = np.stack([hairline[middle::-1], hairline[middle:]])
    outer = np.stack([edge[middle::-1], edge[middle:]])
    side = random.integers(0, 2, n)
    lines = (1 - depth) * inner[side] + depth * outer[side]
    return lines + random.normal(0, 0.02, (n, 1, 2)) * unit


# A curl, open towards each side.
ARCS = np.stack([np.roll(CIRCLE, k, axis=0)[:11] for k in range(len(CIRCLE))])


def _curls(random, hairline, edge, unit, n=80):
    depth, index = random.uniform(0, 1, (n, 1)), random.integers(0, len(hairline), n)
    centres = (1 - depth) * hairline[index] + depth * edge[index] + random.normal(0, 0.04, (n, 2)) * unit
    arcs = ARCS[random.integers(0, len(ARCS), n)]
    return centres[:, None] + arcs * random.uniform(0.05, 0.11, (n, 1, 1)) * unit


STRANDS = {"up": _up, "down": _down, "curls": _curls}


def shaved_sides(scene, canvas):
    """What is left of the hair beside a bald head."""
    patch = smooth([(0.99, -0.62), (1.10, -0.70), (1.13, -0.2), (1.06, 0.12), (1.0, -0.2)], closed=True)
    sides = [scene.view.outline(patch * (side * scene.who.face_width, 1), -0.1) for side in (1, -1)]
    canvas.paint(sides, scene.hair, 0.4, 0.05 * scene.unit)


# Hats and scarves: lower edge, then the crown, right halves from the middle

CROWNS = {
    "beanie": (
        ((0, -0.80), (0.6, -0.74), (1.13, -0.52)),
        ((0, -2.12), (0.8, -1.9), (1.2, -1.2), (1.2, -0.55)),
    ),
    "cap": (
        ((0, -0.86), (0.6, -0.80), (1.13, -0.56)),
        ((0, -2.0), (0.8, -1.82), (1.17, -1.2), (1.17, -0.58)),
    ),
    "brim": (
        ((0, -0.84), (0.6, -0.84), (1.10, -0.80)),
        ((0, -2.2), (0.75, -2.25), (1.02, -1.6), (1.12, -0.82)),
    ),
}
BRIMS = {
    "cap": (((0, -0.90), (0.55, -0.86), (1.0, -0.66)), ((0, -0.50), (0.55, -0.52), (1.02, -0.62))),
    "brim": (((0, -0.92), (0.9, -0.94), (1.75, -1.0)), ((0, -0.60), (0.9, -0.66), (1.78, -0.96))),
}


def hat(scene, canvas):
    """A beanie, cap or hat with a brim, where it is what covers the head."""
    if scene.who.hair_top != "hat":
        return
    kind, unit, width = scene.who.hat, scene.unit, (scene.who.face_width, 1)
    colour, project = np.array(scene.who.hat_colour, float), scene.view.project
    edge, crown = (across(half) * width for half in CROWNS[kind])
    lower = project(edge, 0.1)
    shape = np.concatenate([lower, scene.view.outline(crown)[::-1]])
    canvas.multiply(band(lower, moved(lower, 0, 0.2 * unit)), 0.55, 0.09 * unit)
    inside = canvas.mask(shape, 0.01 * unit)
    canvas.paint(None, colour, clip=inside)
    light = scene.light * unit
    canvas.darken_rim(inside, 0.5, 0.16 * unit)
    bright = lower.mean(0) + (0, -0.6 * unit) + 0.4 * light
    spot = moved(0.35 * CIRCLE * unit * (1.6, 1), *bright)
    canvas.paint(spot, colour * 1.15 + 30, 0.4, 0.18 * unit, clip=inside)
    if kind == "beanie":
        fold = moved(lower, 0, -0.32 * unit)
        canvas.paint(band(lower, fold), colour * 0.86 + 8, 1, 0.01 * unit)
        canvas.multiply(np.stack([lower, fold], 1), 0.78, 0.012 * unit, 0.03 * unit)
    else:
        upper_rim, lower_rim = (across(half) * width for half in BRIMS[kind])
        canvas.multiply(moved(lower, 0, -0.12 * unit), 0.6, 0.02 * unit, 0.16 * unit, clip=inside)
        rim = band(project(upper_rim, 0.3), project(lower_rim, 0.45))
        canvas.multiply(moved(rim, 0, 0.08 * unit), 0.7, 0.08 * unit)
        canvas.paint(rim, colour * 0.72, 1, 0.008 * unit)
        canvas.paint(project(lower_rim, 0.45), colour * 1.1 + 15, 0.6, 0.012 * unit, 0.03 * unit)


# A scarf: the edge of its opening, then its outer edge.
SCARF = (
    ((0, -0.86), (0.55, -0.78), (0.92, -0.38), (1.0, 0.15),
     (0.96, 0.75), (0.80, 1.25), (0.48, 1.62), (0, 1.76)),
    ((0, -2.0), (0.75, -1.82), (1.2, -1.2), (1.36, -0.3),
     (1.34, 0.8), (1.3, 1.6), (1.6, 2.6), (0, 3.2)),
)  # fmt: skip


def scarf(scene, canvas):
    """A scarf around head and neck, where it is what covers the head."""
    if scene.who.hair_top != "scarf":
        return
    colour, unit, width = np.array(scene.who.hat_colour, float), scene.unit, (scene.who.face_width, 1)
    inner, outer = (smooth(half) for half in SCARF)
    inner[:, 1] += np.clip(inner[:, 1] / 1.8, 0, 1) * (scene.right["chin"][1] - 1.8)  # gives way to the jaw
    hole, edge = (np.concatenate([half, half[-2:0:-1] * MIRROR]) * width for half in (inner, outer))
    hole, edge = scene.view.project(hole, -0.05), scene.view.outline(edge)
    canvas.multiply(closed(hole), 0.66, 0.05 * unit, 0.10 * unit)
    cloth = canvas.mask([edge, hole], 0.008 * unit)
    canvas.paint(None, colour, clip=cloth)
    middle, light = hole.mean(0), scene.light
    for grow, factor in ((1.08, 0.72), (1.20, 1.16), (1.34, 0.80), (1.5, 1.12)):
        fold = closed(middle + (hole - middle) * grow + 0.05 * light * unit)
        canvas.multiply(fold, factor, 0.03 * unit, 0.06 * unit, clip=cloth)
