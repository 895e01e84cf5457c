"""Skin: its tone, what age, blood, sun and make-up add, furrows, brows, lips, beard.

Everything is a function of the place on the mean head, in eye distances, y up, so that it moves with the
face.
"""

from functools import cache

import cv2
import numpy as np

from labkit.drawn.surface import Surface, grain, linear, ramp, sampled, spot

TONES = (
    (247, 214, 190), (240, 199, 169), (224, 174, 138), (194, 140, 102), (158, 108, 78), (122, 82, 58),
    (94, 62, 48),
)  # fmt: skip
LIPSTICKS = ((170, 40, 50), (190, 80, 90), (120, 30, 45), (200, 95, 85))
SHADOWS = ((120, 80, 70), (90, 80, 110), (110, 70, 90))  # of the eyes

# Furrows: points of the right half (x, y), depth at rest, and what wrinkles and each action unit add.
FURROWS = (
    (((0.27, -0.58), (0.40, -0.72), (0.50, -0.90), (0.53, -1.05)), 0.08,  # nasolabial
     {"AU12": 0.7, "AU6": 0.2, "AU11": 0.35, "AU10": 0.4, "AU9": 0.25, "AU20": 0.2, "wrinkles": 0.45}),
    (((0.28, -0.54), (0.33, -0.58), (0.39, -0.66), (0.45, -0.79)), 0.0,
     {"AU11": 1.0, "AU9": 0.35, "AU10": 0.25}),
    (((0.42, -1.13), (0.44, -1.20), (0.45, -1.26), (0.45, -1.34)), 0.0,
     {"AU15": 0.5, "AU17": 0.12, "wrinkles": 0.35}),
    (((0.34, -0.16), (0.46, -0.21), (0.58, -0.21), (0.70, -0.17)), 0.05,  # below the eye
     {"AU6": 0.55, "AU7": 0.35, "AU12": 0.1, "wrinkles": 0.5}),
    (((0.80, 0.02), (0.87, 0.05), (0.94, 0.09), (1.00, 0.14)), 0.0, {"AU6": 0.65, "wrinkles": 0.5}),
    (((0.81, -0.04), (0.88, -0.05), (0.95, -0.05), (1.02, -0.05)), 0.0, {"AU6": 0.7, "wrinkles": 0.55}),
    (((0.79, -0.10), (0.86, -0.13), (0.92, -0.17), (0.98, -0.22)), 0.0, {"AU6": 0.6, "wrinkles": 0.4}),
    (((0.08, 0.43), (0.095, 0.34), (0.09, 0.25), (0.07, 0.15)), 0.0,
     {"AU4": 0.75, "AU9": 0.25, "wrinkles": 0.3}),
    (((0.00, 0.55), (0.25, 0.58), (0.50, 0.58), (0.72, 0.52)), 0.0,
     {"AU1": 0.4, "AU2": 0.4, "wrinkles": 0.6}),
    (((0.00, 0.68), (0.25, 0.71), (0.50, 0.71), (0.70, 0.67)), 0.0,
     {"AU1": 0.4, "AU2": 0.4, "wrinkles": 0.65}),
    (((0.00, 0.82), (0.20, 0.85), (0.40, 0.85), (0.58, 0.82)), 0.0,
     {"AU1": 0.25, "AU2": 0.25, "wrinkles": 0.5}),
    (((0.03, -0.03), (0.08, -0.05), (0.12, -0.09), (0.15, -0.15)), 0.0, {"AU9": 0.8}),
    (((0.02, -0.13), (0.08, -0.16), (0.12, -0.20), (0.15, -0.26)), 0.0, {"AU9": 0.7}),
    (((0.00, -1.30), (0.10, -1.29), (0.19, -1.32), (0.26, -1.38)), 0.05,
     {"AU17": 0.8, "AU24": 0.15, "wrinkles": 0.1}),
    (((0.60, -0.70), (0.67, -0.82), (0.70, -0.97), (0.69, -1.11)), 0.0, {"AU12": 0.12, "wrinkles": 0.25}),
    (((0.46, -0.93), (0.495, -0.99), (0.50, -1.05), (0.465, -1.12)), 0.0, {"AU14": 1.0}),  # dimple
    (((0.385, -0.96), (0.41, -1.00), (0.41, -1.04), (0.385, -1.08)), 0.0, {"AU23": 0.6, "AU24": 0.7}),
    (((0.05, -0.86), (0.055, -0.80), (0.05, -0.74), (0.045, -0.70)), 0.12, {}),  # philtrum
)  # fmt: skip
PLANE, FINE = (-1.3, 1.3, -1.95, 1.3), 64  # what the maps of furrows cover, and their pixels an eye distance

# Middle line of a brow, its half thickness, and what grows where: over |x|.
BROW_X = (0.0, 0.13, 0.17, 0.32, 0.55, 0.72, 0.85, 0.96)
BROW_Y = (0.235, 0.24, 0.252, 0.290, 0.330, 0.320, 0.240, 0.16)
BROW_THICK = (0.0, 0.0, 0.046, 0.060, 0.052, 0.040, 0.024, 0.0)


def tone(skin: float) -> np.ndarray:
    """The colour of skin 0 (very light) to 1 (very dark), linear RGB."""
    steps = np.arange(len(TONES))
    tones = linear(TONES) * np.array([1.0, 0.86, 0.90], np.float32)  # as photographs show them
    return np.array([np.interp(skin * steps[-1], steps, tones[:, k]) for k in range(3)], np.float32)


def paint(surface: Surface, lips, mouth, who, units: dict, axes, hair_colour, depth: float = 1.0):
    """Paint skin.

    Args:
        surface: its pixels.
        lips, mouth: float32 (P,), how much of a pixel is lip, or the inside of the mouth.
        who: an `Identity`.
        units: intensity of each action unit.
        axes: float (2, 3), where x and y of the head point in the picture.
        hair_colour: linear RGB.
        depth: of the furrows, a factor.
    """
    x, y, z = surface.place.T
    across, front = np.abs(x), z > -0.75
    shift = who.seed % 97
    blotches = sampled(grain("blotches"), x * 40 + 128 + shift, y * 40 + 128)
    flesh = tone(who.skin)
    surface.colour[:] = flesh * (1 + (0.035 + 0.05 * who.age) * blotches)[:, None]
    surface.shine[:] = 0.04 + 0.22 * who.gloss
    red = spot(across, y, (0.62, -0.40), (0.28, 0.21)) + 0.9 * spot(x, y, (0, -0.52), (0.16, 0.13))
    red += 0.25 * spot(x, y, (0, -1.45), (0.3, 0.15)) + 0.3 * spot(across, y, (0.95, -0.35), (0.2, 0.3))
    surface.colour *= 1 - (who.blush * (red * front))[:, None] * np.array([0.03, 0.30, 0.26], np.float32)
    sockets = spot(across, y, (0.46, -0.17), (0.20, 0.075)) * (0.10 + 0.16 * max(who.age, 0))
    surface.colour *= 1 - sockets[:, None] * np.array([0.8, 1, 0.85], np.float32)
    if who.freckles:
        dots = ramp(0.75, 1.4, sampled(grain("fine"), x * 62 + 128 + shift, y * 62 + 128))
        dots *= spot(x, y, (0, -0.33), (0.8, 0.42)) * (0.95 * who.freckles) * front
        surface.colour *= 1 - dots[:, None] * np.array([0.42, 0.58, 0.66], np.float32)
    if who.age > 0.6:
        dots = ramp(1.5, 2.0, sampled(grain("blotches"), x * 75 + shift, y * 75)) * (who.age - 0.6) * front
        surface.colour *= 1 - dots[:, None] * np.array([0.35, 0.5, 0.55], np.float32)
    if who.eye_shadow:
        lid = spot(across, y, (0.52, 0.14), (0.26, 0.085)) * (0.75 * who.eye_shadow) * front
        surface.mix(lid, linear(SHADOWS[who.seed % len(SHADOWS)]) * (0.5 + flesh))
    pores = sampled(grain("fine"), x * 150 + 31, y * 150 + 77) * front
    surface.colour *= 1 + (0.02 * pores)[:, None]
    surface.normal[:, :2] += (0.03 * pores + 0.03 * blotches * front)[:, None]
    if depth > 0:
        furrows(surface, who, units, axes, front, depth)
    if who.beard != "none":
        beard(surface, across, y, z, who, lips, blotches, hair_colour)
    _lips(surface, lips * front, who, flesh)
    brows(surface, across, y, front, who, hair_colour)
    inside = ramp(0.3, 0.8, mouth)
    surface.mix(inside, np.array([0.035, 0.008, 0.008], np.float32), shine=0.05)
    surface.open *= 1 - 0.8 * inside
    surface.lit *= 1 - 0.8 * inside


def _lips(surface, lips, who, flesh):
    amount = ramp(0.35, 0.75, lips)
    bare = flesh * np.array([0.84, 0.48, 0.46], np.float32)
    stick = linear(LIPSTICKS[who.seed % len(LIPSTICKS)])
    share = np.float32(0.75 * who.lip_colour)
    surface.mix(amount, bare * (1 - share) + stick * share)
    surface.shine *= 1 + (0.8 + who.lip_colour) * amount


def brows(surface, across, y, front, who, hair_colour):
    """Hair of the brows: strokes that lean outward."""
    middle, thick = (np.interp(across, BROW_X, v).astype(np.float32) for v in (BROW_Y, BROW_THICK))
    thick = thick * who.brow_thickness + 1e-4
    away = (y - middle) / thick
    strokes = sampled(grain("fine"), across * 110 - away * 9 + who.seed % 50, away * 5 + 90)
    amount = (1 - ramp(0.45, 1.25, np.abs(away) + 0.16 * strokes)) * front * (across > 0.12) * (across < 0.95)
    amount = (amount * np.clip(0.72 + 0.18 * who.brow_thickness + 0.12 * strokes, 0, 0.92)).astype(np.float32)
    dark = hair_colour * np.float32(min(0.55, 0.11 / hair_colour.mean()))
    surface.mix(amount, dark * np.exp(0.25 * strokes)[:, None].astype(np.float32), shine=0.03)


def beard(surface, across, y, z, who, lips, blotches, hair_colour):
    """Stubble, moustache, goatee or full beard."""
    cheek = -0.60 + 0.42 * ramp(0.50, 1.05, across)  # above it nothing grows
    jaw = ramp(0.0, 0.22, cheek - y) * ramp(-2.05, -1.7, y)
    clean = spot(across, y, (0.58, -0.60), (0.27, 0.22))
    top = -0.735 - 0.10 * across - 0.55 * np.maximum(across - 0.22, 0)
    bottom = -0.895 - 0.12 * across - 0.62 * np.maximum(across - 0.24, 0)
    lip = ramp(-0.04, 0.04, top - y) * ramp(-0.05, 0.0, y - bottom) * ramp(0.50, 0.36, across)
    lip *= 1 - 0.3 * spot(across, y, (0, -0.78), (0.04, 0.2))  # the philtrum
    chin = np.exp(-(((y + 1.47) / 0.28) ** 4) - (across / 0.34) ** 4)
    sides = np.exp(-(((across - 0.43) / 0.085) ** 4) - ((y + 1.15) / 0.25) ** 4)
    amount = {
        "stubble": 0.45 * np.maximum(jaw * (1 - 0.8 * clean), lip),
        "moustache": 0.95 * lip,
        "goatee": 0.92 * np.maximum(np.maximum(lip, chin), sides),
        "full": 0.95 * np.maximum(jaw * (1 - clean), lip),
    }[who.beard]
    strands = sampled(grain("fine"), across * 95 + 40, y * 42 + who.seed % 60)
    amount = np.clip(amount * (1 + 0.10 * blotches + 0.16 * strands), 0, 0.97) * (z > -1.2)
    amount = (amount * (1 - ramp(0.25, 0.7, lips))).astype(np.float32)
    shade = np.exp(0.18 * strands).astype(np.float32)[:, None]
    surface.mix(amount, (hair_colour * 0.85 + 0.1 * linear((60, 45, 36))) * shade, shine=0.05)
    if who.beard == "full":
        surface.normal[:, :2] += (0.15 * amount * strands)[:, None]


@cache
def furrow_maps() -> dict[str, np.ndarray]:
    """How deep each furrow is at rest, with wrinkles, and with each action unit: name -> float32 (H, W)."""
    left, right, low, high = PLANE
    width, height = int((right - left) * FINE), int((high - low) * FINE)
    maps: dict = {}
    for points, at_rest, adds in FURROWS:
        line = np.zeros((2 * height, 2 * width), np.uint8)
        for side in (1, -1):
            curve = _curve(np.array(points)) * (side, 1)
            pixels = np.stack([curve[:, 0] - left, high - curve[:, 1]], 1) * (2 * FINE)
            cv2.polylines(line, [np.rint(pixels).astype(np.int32)], False, 255, 4, cv2.LINE_AA)
        soft = cv2.resize(line, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        soft = cv2.GaussianBlur(soft, (0, 0), 0.034 * FINE)
        soft /= soft.max()
        for name, depth in {"rest": at_rest, **adds}.items():
            if depth:
                maps[name] = maps.get(name, 0) + np.float32(depth) * soft
    return maps


def _curve(points, steps=6):
    """A Catmull-Rom curve through points (n, 2)."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:]):
        pieces.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        )
    return np.concatenate([*pieces, points[-1:]])


def furrows(surface, who, units, axes, front, factor):
    """Valleys of the skin: they bend its normal and hold less light."""
    maps, (left, _, _, high) = furrow_maps(), PLANE
    depth = maps["rest"] * np.float32(0.6 + 0.8 * max(who.age, 0)) + maps["wrinkles"] * np.float32(
        who.wrinkles
    )
    for unit, amount in units.items():
        if unit in maps:
            depth = depth + maps[unit] * np.float32(min(1.0, amount))
    depth = np.minimum(depth, 1.0)
    scale = FINE / 8 * 0.065
    slope_x = cv2.Sobel(depth, cv2.CV_32F, 1, 0, scale=scale)
    slope_y = cv2.Sobel(depth, cv2.CV_32F, 0, 1, scale=-scale)
    x, y, _ = surface.place.T
    inside = front & (np.abs(x) < 1.28) & (y > -1.9) & (y < 1.28)
    found = sampled(cv2.merge([depth, slope_x, slope_y]), (x - left) * FINE, (high - y) * FINE)
    found *= (inside * (factor * (0.6 + 0.4 * max(who.age, 0))))[:, None]
    surface.normal += found[:, 1:2] * axes[0] + found[:, 2:] * axes[1]
    surface.colour *= 1 - 0.40 * found[:, :1] * np.array([0.85, 1.0, 1.05], np.float32)
