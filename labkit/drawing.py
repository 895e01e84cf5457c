"""Draw a built-in face: one small function a part, in the order of painting.

`draw(parameters, size)` paints skin as a landscape (RELIEF, FURROWS in `labkit.anatomy`) that the light falls on; lips, brows,
freckles and beard are colour on that skin; eyes, mouth, hair, glasses and hats lie over it. Everything is numpy and OpenCV.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from labkit.anatomy import BULGES, FURROWS, HAIR_COLOURS, OUTLINE, RELIEF, SKIN_TONES, FaceParameters, landmarks, strength
from labkit.canvas import Canvas, View, cover, hills, slopes, smooth, soften

EYE_LINE = 0.38  # the crop of labkit.detect: how far below the upper edge the eyes lie
EYE_DISTANCE = 0.32  # and how far they are apart, both as parts of the side
MIRROR = np.array([-1.0, 1.0])


@dataclass
class Scene:
    """What every part needs while one picture is painted."""

    parameters: FaceParameters
    view: View
    size: int  # of the canvas
    right: dict  # landmarks of the two halves, x > 0 in both
    left: dict
    random: np.random.Generator  # this picture: background, texture
    skin: np.ndarray  # (3,) RGB
    hair: np.ndarray
    unit: float  # pixels an eye distance

    @property
    def who(self):
        return self.parameters.identity

    def amount(self, name):
        return self.parameters.action_units.get(name, 0.0)

    def halves(self):
        """(1, landmarks) for the right half of the picture, (-1, landmarks) for the left."""
        return (1, self.right), (-1, self.left)

    def curve(self, points, side=1, closed=False, lift=0.0):
        """A smooth curve through points of one half of the face, as pixels."""
        return self.view.project(smooth(points, closed) * (side, 1), lift)


def draw(parameters: FaceParameters, size: int = 64) -> np.ndarray:
    """One picture of one face: uint8 (size, size, 3), RGB. The same parameters give the same pixels.

    size: 32 to 256. Raises ValueError outside.
    """
    if not 32 <= size <= 256:
        raise ValueError(f"size: expected 32 to 256, got {size}")
    scene = _scene(parameters, max(112, min(2 * size, size * 3 // 2 + 32)))
    canvas = Canvas(scene.size)
    background(scene, canvas)
    hair_behind(scene, canvas)
    neck(scene, canvas)
    ears(scene, canvas)
    head(scene, canvas)
    for side, marks in scene.halves():
        eye(scene, canvas, side, marks)
    mouth_opening(scene, canvas)
    for part in (glasses, hair_front, top, occlusion):
        part(scene, canvas)
    return photograph(scene, canvas, size)


def _scene(parameters, size):
    who = parameters.identity
    unit = EYE_DISTANCE * parameters.zoom * size
    origin = np.array([0.5 + parameters.shift[0], EYE_LINE + parameters.shift[1]]) * size
    return Scene(
        parameters=parameters,
        view=View(parameters.yaw, parameters.pitch, origin, unit),
        size=size,
        right=landmarks(parameters, 1),
        left=landmarks(parameters, -1),
        random=np.random.default_rng(parameters.seed),
        skin=between(SKIN_TONES, who.skin),
        hair=np.array(HAIR_COLOURS[who.hair_colour], float),
        unit=unit,
    )


def between(colours, position):
    """The colour at `position` (0 to 1) along a row of colours: (3,) float."""
    colours = np.asarray(colours, float)
    return np.array([np.interp(position * (len(colours) - 1), np.arange(len(colours)), channel) for channel in colours.T])


# Behind the face


def background(scene, canvas):
    upper, lower = (np.asarray(colour, np.float32) for colour in scene.parameters.background)
    canvas.pixels += np.linspace(0, 1, canvas.size, dtype=np.float32)[:, None, None] * (lower - upper) + upper
    random, size = scene.random, canvas.size
    for _ in range(random.integers(0, 5)):
        centre, extent = random.uniform(0, size, 2), random.uniform(0.08, 0.5, 2) * size
        corners = centre + extent * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        shape = smooth(corners, True) if random.random() < 0.4 else corners
        canvas.paint(shape, upper + random.uniform(-55, 55, 3), random.uniform(0.3, 0.9), random.uniform(0.005, 0.06) * size)


def neck(scene, canvas):
    view, width = scene.view, 0.66 * scene.who.face_width
    y = scene.right["chin"][1]
    column = view.outline(
        [(-width, 0.9), (width, 0.9), (width * 1.05, y + 0.5), (width * 1.5, 3), (-width * 1.5, 3), (-width * 1.05, y + 0.5)]
    )
    canvas.paint(column, scene.skin * 0.72, blur=0.02 * scene.unit)
    canvas.multiply(view.outline([(-width, 0.9), (width, 0.9), (width * 0.9, y + 0.22), (-width * 0.9, y + 0.22)]), 0.6, 0.08 * scene.unit)
    shoulders = smooth([(-2.6, 2.6), (-1.5, 2.22), (-0.72, 2.0), (-0.3, 2.3), (0, 2.42), (0.3, 2.3), (0.72, 2.0), (1.5, 2.22), (2.6, 2.6)])
    canvas.paint(view.outline(np.vstack([shoulders, [(2.6, 4), (-2.6, 4)]])), scene.parameters.clothes, blur=0.015 * scene.unit)


def ears(scene, canvas):
    if scene.who.hair_top == "scarf" or scene.who.hair_style == "long" and scene.who.hair_top != "bald":
        return
    width = scene.who.face_width
    for side in (1, -1):
        ear = smooth([(1.02, -0.16), (1.14, -0.22), (1.22, -0.08), (1.19, 0.18), (1.12, 0.42), (1.03, 0.46)], closed=True)
        inner = smooth([(1.08, -0.08), (1.15, -0.10), (1.16, 0.08), (1.10, 0.26)])
        canvas.paint(scene.view.outline(ear * (side * width, 1), -0.25), scene.skin * (0.92, 0.82, 0.80), blur=0.008 * scene.unit)
        canvas.multiply(scene.view.outline(inner * (side * width, 1), -0.25), 0.72, 0.02 * scene.unit, width=0.05 * scene.unit)


# The skin: colour first, then the light on it


def outline_points(scene):
    """The edge of the head (n, 2), before the pose."""
    who, drop = scene.who, scene.right["chin"][1] - 1.80
    half = np.array(OUTLINE)
    lower = np.clip((half[:, 1] - 0.3) / 1.5, 0, 1)
    half[:, 0] *= who.face_width * (1 + lower * (who.jaw_width - 1))
    half[:, 1] += lower**1.5 * drop
    half[:, 0] *= 1 - 0.25 * lower * max(0.0, drop)
    return smooth(np.vstack([half, half[-2:0:-1] * MIRROR]), closed=True)


def head(scene, canvas):
    """Colour on skin, light on both, inside the edge of the head."""
    skin = Canvas(canvas.size, scene.skin)
    height, darkness, blush = landscape(scene)
    skin.pixels += blush[..., None] * (np.array([14, -16, -14], np.float32) * (0.5 + 0.5 * scene.skin[0] / 255))
    texture(scene, skin)
    for part in (freckles, beard, lips, brows):
        part(scene, skin)
    shade, shine = lighting(scene, height, darkness)
    skin.pixels *= shade[..., None] ** np.array([0.9, 1.05, 1.12], np.float32)  # shadows on skin are warm
    skin.pixels += shine[..., None] * np.array([255, 245, 235], np.float32)
    nostrils(scene, skin)
    canvas.paste(skin, scene.view.outline(outline_points(scene)), blur=0.006 * scene.unit)


def landscape(scene):
    """Height in pixels, darkness and blush of the face: three float32 (size, size)."""
    units = [strength(scene.parameters, side) for side in (1, -1)]
    rows = []
    for side, amounts in zip((1, -1), units):
        bulges = [(row, amount) for name, amount in amounts.items() for row in BULGES.get(name, ())]
        for row, amount in [(row, 1.0) for row in RELIEF] + bulges:
            half = 0.5 if row[0] == 0 else 1.0  # the middle stands once, not twice
            rows.append((row[0] * side, *row[1:4], *(half * amount * value for value in row[4:])))
    height, darkness, blush = hills(rows, scene.view, scene.size)
    lines = furrows(scene, units)
    return scene.unit * (height - 0.03 * lines), darkness + 0.42 * lines, blush


def furrows(scene, units):
    """Depth of all furrows of the face, float32 (size, size), 0 to about 1."""
    size, deep = scene.size, np.zeros((scene.size, scene.size), np.float32)
    mask = np.zeros((size, size), np.uint8)
    for (side, marks), amounts, rest in zip(scene.halves(), units, (scene.right, scene.left)):
        for points, follows, resting, causes in FURROWS:
            depth = min(1.0, resting + sum(amounts.get(name, 0) * weight for name, weight in causes.items()))
            if depth > 0.04:
                curve = scene.curve(follow(points, follows, rest), side)
                fixed = np.rint(curve * 16).astype(np.int32)
                cv2.polylines(mask, [fixed], False, 255 * depth, max(1, round(0.035 * scene.unit)), cv2.LINE_AA, 4)
    return np.add(deep, soften(mask, 0.03 * scene.unit), dtype=np.float32) * (1.5 / 255)


def follow(points, name, marks):
    """Points of a furrow, its far end moved as far as the landmark has moved."""
    from labkit.anatomy import LANDMARKS

    points = np.array(points)
    move = marks[name] - LANDMARKS[name]
    return points + np.linspace(0.15, 1, len(points))[:, None] * move


def lighting(scene, height, darkness):
    """How bright the skin is and how much it shines: two float32 (size, size)."""
    p, view, size = scene.parameters, scene.view, scene.size
    right, down = slopes(height)
    middle = view.outline([(0.0, 0.1)], depth=0.25)[0]
    across, along = ((np.arange(size, dtype=np.float32) - middle[axis]) / (scene.unit * reach) for axis, reach in ((0, 1.1), (1, 1.9)))
    right -= (0.28 * across + 0.85 * across**3)[None, :]  # the head itself, round as an egg
    down -= (0.20 * along + 0.45 * along**3)[:, None]
    x, y = p.light
    toward = np.sqrt(max(0.05, 1 - x * x - y * y))
    length = 1 / np.sqrt(1 + right**2 + down**2)
    facing = (toward - x * right - y * down) * length
    shade = (1 - p.contrast) + p.contrast * np.maximum(facing, -0.15) / max(0.6, toward)
    shade -= 0.10 * (1 - length)
    shade = np.clip(shade, 0.12, 1.45) * np.clip(1 - darkness, 0.25, 1.3)
    halfway = np.clip((toward + 1 - x * right - y * down) * length / np.sqrt(2 + 2 * toward), 0, 1)
    shine = halfway**24 * (0.10 * p.contrast + 0.02)
    return shade.astype(np.float32), shine.astype(np.float32)


def texture(scene, skin):
    """Pores and blotches."""
    small = scene.random.standard_normal((scene.size // 2, scene.size // 2), np.float32)
    coarse = cv2.resize(cv2.blur(small, (9, 9)), (scene.size, scene.size), interpolation=cv2.INTER_LINEAR)
    fine = cv2.resize(small, (scene.size, scene.size), interpolation=cv2.INTER_LINEAR)
    skin.pixels *= (1 + 0.12 * coarse + (0.012 + 0.02 * scene.who.age) * fine)[..., None]


def freckles(scene, skin):
    amount = scene.who.freckles
    if amount <= 0:
        return
    random = np.random.default_rng([scene.who.seed, 1])
    n = int(50 + 60 * amount)
    x = random.normal(0, 0.5, n)
    y = random.normal(0.42, 0.22, n) - 0.1 * (np.abs(x) < 0.2)
    places = scene.view.project(np.stack([x, y], 1))
    radii = random.uniform(0.010, 0.030, n) * scene.unit
    angles = np.linspace(0, 2 * np.pi, 7)[:-1]
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    dots = [place + radius * circle for place, radius in zip(places, radii)]
    skin.paint(dots, scene.skin * (0.66, 0.50, 0.40), 0.35 + 0.5 * amount, 0.006 * scene.unit)


def brows(scene, skin):
    thick = 0.055 * scene.who.brow_thickness
    colour = 0.55 * scene.hair + 0.25 * scene.skin * 0.5
    for side, marks in scene.halves():
        inner, middle, outer = marks["brow_inner"], marks["brow_middle"], marks["brow_outer"]
        upper = [
            inner + (-0.03, -0.6 * thick),
            0.5 * (inner + middle) + (0, -1.15 * thick),
            middle + (0.06, -0.9 * thick),
            outer + (0.03, 0),
        ]
        lower = [middle + (0.06, 0.5 * thick), 0.5 * (inner + middle) + (0, 0.75 * thick), inner + (-0.03, 0.9 * thick)]
        curve = np.vstack([scene.curve(upper, side, lift=0.05), scene.curve([outer + (0.03, 0), *lower], side, lift=0.05)])
        skin.paint(curve, colour, 0.85, 0.018 * scene.unit)


def lip_curves(scene):
    """Upper edge, opening's upper and lower edge, lower edge of the lips: (n, 2) each, from left to right, before the pose."""
    right, left = scene.right, scene.left
    corners = left["mouth_corner"] * MIRROR, right["mouth_corner"]

    def middle(name):
        return 0.5 * (left[name][1] + right[name][1])

    def edge(centre, shape):
        """A curve from corner to corner through heights given as (part of the way, how far from centre to corner, extra)."""
        points = [corners[0]]
        for part, rise, extra in shape:
            corner = corners[int(part > 0)]
            points.append((abs(part) * corner[0], centre + (corner[1] - centre) * rise + extra))
        return smooth([*points, corners[1]], steps=6)

    bow = 0.022 * scene.who.lip_fullness
    top = edge(
        middle("upper_lip_top"), ((-0.62, 0.42, -0.01), (-0.22, 0.02, -bow), (0, 0, bow * 0.5), (0.22, 0.02, -bow), (0.62, 0.42, -0.01))
    )
    inner = ((-0.6, 0.32, 0.0), (-0.25, 0.05, 0.0), (0, 0, 0.012), (0.25, 0.05, 0.0), (0.6, 0.32, 0.0))
    upper = edge(middle("upper_lip"), inner)
    lower = edge(middle("lower_lip"), inner)
    bottom = edge(middle("lower_lip_bottom"), ((-0.65, 0.38, 0.0), (-0.3, 0.06, 0.0), (0, 0, 0.0), (0.3, 0.06, 0.0), (0.65, 0.38, 0.0)))
    return top, upper, lower, bottom


def lips(scene, skin):
    top, upper, lower, bottom = (scene.view.project(curve, 0.12) for curve in lip_curves(scene))
    tint = scene.who.lip_colour
    colour = scene.skin * (0.90 - 0.08 * tint, 0.66 - 0.22 * tint, 0.66 - 0.14 * tint)
    soft = 0.014 * scene.unit
    skin.multiply(np.vstack([bottom, bottom[::-1] + (0, 0.07 * scene.unit)]), 0.88, 0.04 * scene.unit)
    skin.paint(np.vstack([top, upper[::-1]]), colour * 0.84, 0.9, soft)
    skin.paint(np.vstack([lower, bottom[::-1]]), colour, 0.9, soft)
    gloss = 0.5 * (lower + bottom)[8:-8]
    skin.multiply(gloss, 1.16, 0.03 * scene.unit, width=0.05 * scene.unit)


def beard(scene, skin):
    kind = scene.who.beard
    if kind == "none":
        return
    top = lip_curves(scene)[0]
    colour = 0.75 * scene.hair + 0.08 * scene.skin
    corner, chin = scene.right["mouth_corner"], scene.right["chin"][1]
    moustache = np.vstack([top, top[::-1] + (0, -0.13)])
    shapes = [scene.view.project(moustache, 0.12)]
    if kind in ("full", "stubble"):
        cheek = smooth(
            [
                (1.06, 0.30),
                (0.93, 0.62),
                (corner[0] + 0.28, 0.92),
                (corner[0] + 0.08, corner[1] + 0.02),
                (0.36, corner[1] + 0.2),
                (0, corner[1] + 0.24),
            ]
        )
        jaw = np.array([(0, chin + 0.1), (0.9, chin), (1.2, 0.9)])
        half = np.vstack([cheek, jaw])
        shapes.append(scene.view.project(half, 0.0))
        shapes.append(scene.view.project(half * MIRROR, 0.0))
    elif kind == "goatee":
        patch = smooth(
            [
                (-0.46, corner[1]),
                (-0.30, 1.34),
                (0, 1.33),
                (0.30, 1.34),
                (0.46, corner[1]),
                (0.42, 1.6),
                (0.2, chin + 0.05),
                (-0.2, chin + 0.05),
                (-0.42, 1.6),
            ],
            True,
        )
        shapes.append(scene.view.project(patch, 0.1))
    opacity = 0.30 if kind == "stubble" else 0.88
    for shape in shapes:
        skin.paint(shape, colour, opacity, 0.035 * scene.unit)


def nostrils(scene, skin):
    length = scene.who.nose_length
    for side, marks in scene.halves():
        x = marks["nose_wing"][0] * 0.48
        y = 0.715 * length + 0.5 * (marks["nose_wing"][1] - 0.66)
        hole = smooth([(x - 0.055, y), (x, y - 0.028), (x + 0.06, y + 0.005), (x, y + 0.02)], True)
        skin.paint(scene.view.project(hole * (side, 1), 0.2), scene.skin * (0.30, 0.20, 0.18), 0.85, 0.014 * scene.unit)
        wx, wy = marks["nose_wing"]
        wing = smooth([(wx - 0.02, wy - 0.10), (wx + 0.02, wy - 0.01), (wx - 0.04, wy + 0.06)])
        skin.multiply(scene.view.project(wing * (side, 1), 0.08), 0.72, 0.018 * scene.unit, width=0.03 * scene.unit)


# Over the skin


def eye(scene, canvas, side, marks):
    """White, iris, pupil, highlight, then lids and lashes."""
    inner, outer, top, bottom = (marks[name] for name in ("eye_inner", "eye_outer", "upper_lid", "lower_lid"))
    above = [inner, (0.38, 0.62 * top[1] + 0.30 * inner[1]), top, (0.65, 0.55 * top[1] + 0.4 * outer[1]), outer]
    below = [outer, (0.65, 0.72 * bottom[1]), bottom, (0.36, 0.75 * bottom[1]), inner]
    upper, lower = scene.curve(above, side), scene.curve(below, side)
    opening = np.vstack([upper, lower])
    shade = 0.62 + 0.3 * scene.parameters.exposure
    canvas.paint(opening, np.array([238, 232, 228]) * shade, 1, 0.006 * scene.unit)
    gaze = np.array(scene.parameters.gaze) * (0.09, 0.045)
    centre = scene.view.project(np.array([(0.505 * side, -0.01)]) + gaze)[0]
    circle = np.stack([np.cos(_TURN), np.sin(_TURN)], 1) * scene.unit
    iris = np.array(scene.who.iris, float)
    canvas.paint(centre + circle * 0.098, iris * 0.42, 1, clip=opening)
    canvas.paint(centre + circle * 0.078, iris * 1.0, 0.9, 0.010 * scene.unit, clip=opening)
    canvas.paint(centre + circle * 0.042, (12, 10, 10), 1, clip=opening)
    canvas.multiply(np.vstack([upper, upper[::-1] + (0, 0.06 * scene.unit)]), 0.60, 0.025 * scene.unit, clip=opening)
    light = np.array(scene.parameters.light)
    canvas.paint(centre + circle * 0.024 + light * 0.07 * scene.unit, (255, 255, 255), 0.95, clip=opening)
    lashes = scene.who.lashes
    canvas.paint(upper, scene.skin * 0.16, 0.75 + 0.25 * lashes, 0.008 * scene.unit, width=(0.028 + 0.03 * lashes) * scene.unit)
    canvas.multiply(lower, 0.70, 0.01 * scene.unit, width=0.022 * scene.unit)
    fold = np.array(above) + np.array([(0, -0.03), (0, -0.055), (0, -0.06), (0, -0.06), (0.02, -0.03)])
    canvas.multiply(scene.curve(fold, side), 0.66, 0.012 * scene.unit, width=0.028 * scene.unit)


_TURN = np.linspace(0, 2 * np.pi, 17)[:-1]


def mouth_opening(scene, canvas):
    """The line between the lips, or what shows between them: teeth above, tongue, teeth below."""
    _, upper, lower, _ = lip_curves(scene)
    place = scene.view.project
    gap = float((lower - upper)[:, 1].max())
    line = place(0.5 * (upper + lower), 0.12)
    if gap > 0.02:
        opening = np.vstack([place(upper, 0.1), place(lower, 0.1)[::-1]])
        canvas.paint(opening, (52, 18, 18), 1, 0.006 * scene.unit)
        if gap > 0.2:
            tongue = lower + (0, -0.14)
            canvas.paint(np.vstack([place(tongue, 0.05), place(lower, 0.05)[::-1]]), (158, 72, 72), 0.75, 0.03 * scene.unit, clip=opening)
            lower_teeth(scene, canvas, lower, opening)
        upper_teeth(scene, canvas, upper, opening, gap)
    canvas.paint(
        line if gap <= 0.02 else place(upper, 0.12), scene.skin * (0.30, 0.16, 0.15), 0.75, 0.008 * scene.unit, width=0.024 * scene.unit
    )
    for end in (0, -1):
        canvas.multiply(line[end : end + 1 or None] + _TURN_PIXEL * 0.035 * scene.unit, 0.62, 0.025 * scene.unit)


_TURN_PIXEL = np.stack([np.cos(_TURN), np.sin(_TURN)], 1)


def upper_teeth(scene, canvas, upper, opening, gap):
    """A white band below the upper lip, darker towards the corners; more of it when the corners are pulled up."""
    show = min(0.05 + 0.10 * scene.amount("AU12") + 0.07 * scene.amount("AU10"), 0.15) + 0.02 * (gap > 0.2)
    inner = upper[3:-3] * (0.94, 1)
    edge = inner + (0, show)
    light = 0.65 + 0.3 * scene.parameters.exposure
    band = np.vstack([scene.view.project(inner, 0.05), scene.view.project(edge, 0.05)[::-1]])
    canvas.paint(band, np.array([240, 234, 222]) * light, 0.97, 0.008 * scene.unit, clip=opening)
    left, right = inner[0][0], inner[-1][0]
    for x in (left, right):
        corner = smooth([(x, 0.9), (x * 0.75, 0.95), (x * 0.7, 1.2), (x, 1.3)], True)
        canvas.multiply(scene.view.project(corner, 0.05), 0.62, 0.05 * scene.unit, clip=opening)
    if scene.unit > 30:
        y = float(inner[len(inner) // 2][1])
        gaps = [scene.view.project([(x, y - 0.03), (x, y + show)], 0.05) for x in np.arange(-0.24, 0.25, 0.08)]
        canvas.multiply(gaps, 0.86, 0.004 * scene.unit, width=0.012 * scene.unit, clip=opening)


def lower_teeth(scene, canvas, lower, opening):
    inner = lower[6:-6] * (0.8, 1)
    band = np.vstack([scene.view.project(inner + (0, -0.06), 0.05), scene.view.project(inner, 0.05)[::-1]])
    canvas.paint(band, (196, 186, 172), 0.8, 0.012 * scene.unit, clip=opening)


def glasses(scene, canvas):
    kind = scene.who.glasses
    if kind == "none":
        return
    shape = _LENSES["round" if kind == "round" else "square"]
    frame = np.array([38, 32, 32]) if scene.who.seed % 3 else np.array([120, 84, 48])
    width = (0.045 + 0.012 * (scene.who.seed % 4)) * scene.unit
    for side in (1, -1):
        lens = scene.curve(np.array(shape), side, closed=True, lift=0.12)
        canvas.paint(lens, (30, 30, 34) if kind == "dark" else (215, 225, 235), 0.88 if kind == "dark" else 0.10)
        streak = scene.curve([(0.30, -0.16), (0.42, -0.18), (0.34, 0.06), (0.26, 0.06)], side, True, 0.12)
        canvas.paint(streak, (255, 255, 255), 0.16, 0.02 * scene.unit, clip=lens)
        closed = np.vstack([lens, lens[:1]])
        canvas.multiply(closed + (0, 0.04 * scene.unit), 0.85, 0.03 * scene.unit, width=width)
        canvas.paint(closed, frame, 0.95, width=width)
        canvas.paint(scene.view.project([(0.86 * side, -0.10), (1.12 * side, -0.08)]), frame, 0.9, width=width)
    canvas.paint(scene.curve([(-0.14, -0.04), (0, -0.09), (0.14, -0.04)], lift=0.2), frame, 0.95, width=width)


_LENSES = {
    "round": ((0.50, -0.27), (0.76, -0.18), (0.85, 0.04), (0.74, 0.26), (0.50, 0.34), (0.26, 0.26), (0.15, 0.04), (0.24, -0.18)),
    "square": ((0.50, -0.24), (0.84, -0.22), (0.90, -0.04), (0.80, 0.22), (0.50, 0.28), (0.22, 0.22), (0.13, -0.02), (0.18, -0.22)),
}


# Hair and what covers the head

HAIRLINES = {  # the lower edge of the hair on the forehead, from the middle to the temple
    "short": ((0, -1.02), (0.45, -1.0), (0.78, -0.86), (0.93, -0.55), (1.0, -0.2)),
    "fringe": ((0, -0.62), (0.45, -0.60), (0.80, -0.58), (0.96, -0.40), (1.02, 0.0)),
    "parted": ((0, -1.08), (0.40, -0.98), (0.80, -0.70), (0.98, -0.35), (1.05, 0.1)),
    "long": ((0, -1.08), (0.38, -0.92), (0.80, -0.55), (0.98, 0.0), (1.02, 0.8)),
    "curly": ((0, -0.98), (0.42, -0.95), (0.78, -0.82), (0.95, -0.45), (1.06, 0.0)),
    "receding": ((0, -1.15), (0.35, -1.32), (0.70, -1.18), (0.92, -0.65), (1.02, -0.2)),
}
VOLUMES = {"short": 0.12, "fringe": 0.20, "parted": 0.20, "long": 0.26, "curly": 0.38, "receding": 0.06}


def hair_behind(scene, canvas):
    who = scene.who
    if who.hair_top in ("bald", "scarf"):
        return
    grow = VOLUMES[who.hair_style] * (0.4 if who.hair_top == "hat" else 1)
    points = outline_points(scene)
    points = points[points[:, 1] < (0.3 if who.hair_style != "curly" else 0.6)] * (1 + grow / 1.1, 1 + grow / 1.9)
    canvas.paint(scene.view.outline(points, -0.15), scene.hair * 0.62, blur=0.02 * scene.unit)
    if who.hair_style == "long":
        fall = smooth(
            [
                (0.9, -1.2),
                (1.28, -0.6),
                (1.34, 0.4),
                (1.42, 1.5),
                (1.30, 2.6),
                (0.5, 2.7),
                (-0.5, 2.7),
                (-1.30, 2.6),
                (-1.42, 1.5),
                (-1.34, 0.4),
                (-1.28, -0.6),
                (-0.9, -1.2),
            ],
            True,
        )
        canvas.paint(scene.view.outline(fall, -0.3), scene.hair * 0.62, blur=0.02 * scene.unit)


def hair_front(scene, canvas):
    who = scene.who
    if who.hair_top in ("bald", "scarf"):
        if who.hair_top == "bald":
            bald_sides(scene, canvas)
        return
    grow = VOLUMES[who.hair_style] * (0.4 if who.hair_top == "hat" else 1)
    line = np.array(HAIRLINES[who.hair_style]) * (who.face_width, 1)
    lower = scene.view.project(smooth(np.vstack([line[::-1] * MIRROR, line[1:]])), 0.03)
    half = np.array([point for point in OUTLINE if point[1] < line[-1, 1] - 0.1] + [(1.07, line[-1, 1])]) * (who.face_width, 1)
    crown = smooth(np.vstack([half[::-1], half[1:] * MIRROR]))  # from right to left, over the top
    upper = scene.view.outline(crown * (1 + grow / 1.1, 1 + grow / 1.9), -0.05)
    shape = np.vstack([lower, upper])
    canvas.multiply(lower + (0, 0.05 * scene.unit), 0.72, 0.06 * scene.unit, width=0.10 * scene.unit)
    canvas.paint(shape, scene.hair, 1, 0.015 * scene.unit)
    strands(scene, canvas, lower, upper, shape)


def strands(scene, canvas, lower, upper, shape):
    """Lines from the hairline to the crown, some lighter, some darker."""
    random = np.random.default_rng([scene.who.seed, 2])
    n = 44
    part = random.uniform(0, 1, n)
    start = np.stack([np.interp(part, np.linspace(0, 1, len(lower)), lower[:, k]) for k in (0, 1)], 1)
    end = np.stack([np.interp(part * 0.8 + 0.1, np.linspace(0, 1, len(upper)), upper[::-1, k]) for k in (0, 1)], 1)
    bend = 0.5 * (start + end) + random.normal(0, 0.12 if scene.who.hair_style == "curly" else 0.05, (n, 2)) * scene.unit
    lines = [smooth(np.stack(points)) for points in zip(start, bend, end)]
    canvas.multiply(lines[: n // 2], 0.66, 0.008 * scene.unit, width=0.035 * scene.unit, clip=shape)
    canvas.multiply(lines[n // 2 :], 1.28, 0.008 * scene.unit, width=0.03 * scene.unit, clip=shape)
    light = np.array(scene.parameters.light) * scene.unit
    band = 0.45 * lower[3:-3] + 0.55 * upper.mean(0) + 0.3 * light
    canvas.multiply(band, 1.25, 0.12 * scene.unit, width=0.2 * scene.unit, clip=shape)


def bald_sides(scene, canvas):
    width = scene.who.face_width
    for side in (1, -1):
        patch = smooth([(0.99, -0.62), (1.10, -0.70), (1.13, -0.2), (1.06, 0.12), (1.0, -0.2)], True) * (side * width, 1)
        canvas.paint(scene.view.outline(patch, -0.1), scene.hair, 0.55, 0.04 * scene.unit)


def top(scene, canvas):
    {"hat": hat, "scarf": scarf}.get(scene.who.hair_top, lambda *_: None)(scene, canvas)


def hat(scene, canvas):
    colour = np.array(scene.who.hat_colour, float)
    width = scene.who.face_width
    project, outline = scene.view.project, scene.view.outline
    brim = smooth([(-1.12, -0.55), (-0.6, -0.74), (0, -0.80), (0.6, -0.74), (1.12, -0.55)]) * (width, 1)
    lower = project(brim, 0.1)
    crown = outline(smooth([(1.2, -0.6), (1.18, -1.2), (0.8, -1.85), (0, -2.1), (-0.8, -1.85), (-1.18, -1.2), (-1.2, -0.6)]) * (width, 1))
    canvas.multiply(lower + (0, 0.10 * scene.unit), 0.55, 0.08 * scene.unit, width=0.16 * scene.unit)
    canvas.paint(np.vstack([lower, crown]), colour, 1, 0.01 * scene.unit)
    band = np.vstack([lower, lower[::-1] + (0, -0.28 * scene.unit)])
    canvas.multiply(band, 0.72, 0.012 * scene.unit)
    light = np.array(scene.parameters.light) * 0.5 * scene.unit
    canvas.multiply(
        crown[5:-5] * 0.75 + 0.25 * lower.mean(0) + light, 1.25, 0.15 * scene.unit, width=0.3 * scene.unit, clip=np.vstack([lower, crown])
    )


def scarf(scene, canvas):
    colour = np.array(scene.who.hat_colour, float)
    width = scene.who.face_width
    inner = smooth([(0, -0.86), (0.55, -0.78), (0.92, -0.38), (1.0, 0.15), (0.96, 0.75), (0.80, 1.25), (0.48, 1.62), (0, 1.76)]) * (
        width,
        1,
    )
    inner = np.vstack([inner, inner[-2:0:-1] * MIRROR])
    outer = smooth([(0, -2.0), (0.75, -1.82), (1.2, -1.2), (1.36, -0.3), (1.34, 0.8), (1.3, 1.6), (1.6, 2.6), (0, 3.2)]) * (width, 1)
    outer = np.vstack([outer, outer[-2:0:-1] * MIRROR])
    hole, edge = scene.view.project(inner, -0.05), scene.view.outline(outer)
    canvas.multiply(np.vstack([hole, hole[:1]]), 0.66, 0.05 * scene.unit, width=0.10 * scene.unit)
    canvas.paint([edge, hole], colour, 1, 0.01 * scene.unit)
    middle = hole.mean(0)
    for grow, factor in ((1.10, 0.74), (1.22, 1.18), (1.36, 0.80)):
        fold = middle + (hole - middle) * grow
        canvas.multiply(np.vstack([fold, fold[:1]]), factor, 0.03 * scene.unit, width=0.06 * scene.unit)


def occlusion(scene, canvas):
    """Something out of focus before the face, from the left or right edge."""
    reach = scene.parameters.occlusion
    if reach <= 0:
        return
    random = np.random.default_rng([scene.parameters.seed, 3])
    x = canvas.size * reach
    y, extent = random.uniform(0.2, 1.0) * canvas.size, random.uniform(0.12, 0.35) * canvas.size
    shape = smooth([(-9, y - extent), (x * 0.7, y - extent * 0.7), (x, y), (x * 0.7, y + extent * 0.7), (-9, y + extent)], True)
    if random.random() < 0.5:
        shape = shape * MIRROR + (canvas.size, 0)
    colour = scene.skin * 0.9 if random.random() < 0.5 else random.uniform(20, 220, 3)
    canvas.paint(shape, colour, 1, 0.02 * canvas.size)


# The camera


def photograph(scene, canvas, size):
    """Light on the whole scene, roll, size, blur, noise, JPEG: uint8 (size, size, 3)."""
    p = scene.parameters
    gain = p.exposure * np.array([1 + 0.08 * p.warmth, 1.0, 1 - 0.10 * p.warmth], np.float32)
    picture = np.clip(canvas.pixels * gain, 0, 255).astype(np.uint8)
    if p.roll:
        turn = cv2.getRotationMatrix2D(tuple(scene.view.origin), -np.degrees(p.roll), 1)
        picture = cv2.warpAffine(picture, turn, picture.shape[:2], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    if p.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), p.blur * size / 64)
    if p.noise > 0:
        noise = scene.random.standard_normal(picture.shape, np.float32) * p.noise
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if p.jpeg < 100:
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(p.jpeg)])[1]
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return picture
