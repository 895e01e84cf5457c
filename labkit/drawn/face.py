"""Draw a built-in face: `draw(parameters, size)`.

The skin is a landscape that light falls on (`labkit.drawn.skin`, tables in `labkit.drawn.anatomy`); lips,
brows, freckles and beard are colour on that skin; eyes, teeth, hair, glasses and hats lie over it. Then a
camera takes the picture. Everything is numpy and OpenCV.
"""

import cv2
import numpy as np

from labkit.drawn.anatomy import FaceParameters
from labkit.drawn.canvas import Canvas, planes, smooth
from labkit.drawn.hair import hair, hair_behind, hat, scarf
from labkit.drawn.parts import beard, brows, ears, eyes, glasses, lips, mouth, nose
from labkit.drawn.scene import MIRROR, across, head_outline, set_scene
from labkit.drawn.skin import freckles, landscape, lighting, texture


def draw(parameters: FaceParameters, size: int = 64) -> np.ndarray:
    """One picture of one face. The same parameters give the same pixels.

    Args:
        parameters: all that is to be seen in the picture.
        size: pixels a side, 32 to 256.

    Returns:
        uint8 (size, size, 3), RGB.

    Raises:
        ValueError: for another size.
    """
    if not 32 <= size <= 256:
        raise ValueError(f"size: expected 32 to 256 pixels, got {size}")
    scene = set_scene(parameters, max(80, size * 5 // 4))
    canvas = Canvas(scene.size)
    behind = (background, hair_behind, body, ears)
    face = (head, eyes, mouth)
    before = (glasses, hair, hat, scarf, occlusion)
    for part in (*behind, *face, *before):
        part(scene, canvas)
    return photograph(scene, canvas, size)


def background(scene, canvas):
    """Two colours that run into each other and a few things out of focus.

    Painted small, because nothing in it is sharp.
    """
    upper, lower = (np.asarray(colour, np.float32) for colour in scene.parameters.background)
    random, size = scene.random, canvas.size // 3
    small = Canvas(size)
    small.pixels += np.linspace(0, 1, size, dtype=np.float32)[:, None] * planes(lower - upper) + planes(upper)
    for _ in range(random.integers(0, 5)):
        centre, extent = random.uniform(0, size, 2), random.uniform(0.08, 0.5, 2) * size
        corners = centre + extent * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        shape = smooth(corners, closed=True) if random.random() < 0.4 else corners
        colour = upper + random.uniform(-55, 55) + random.uniform(-18, 18, 3)
        small.paint(shape, colour, random.uniform(0.3, 0.9), random.uniform(0.01, 0.06) * size)
    for plane, sharp in zip(canvas.pixels, small.pixels):
        cv2.resize(sharp, (canvas.size, canvas.size), dst=plane)


def body(scene, canvas):
    """Neck, the shadow of the jaw on it, and clothes."""
    view, unit, width = scene.view, scene.unit, 0.64 * scene.who.face_width
    y = scene.right["chin"][1]
    neck = np.array([(width, 0.9), (width * 1.03, y + 0.4), (width * 1.5, 3)])
    shadow = np.array([(width, 0.9), (width, y + 0.1), (0.3, y + 0.3)])
    canvas.paint(view.outline(_mirrored(neck)), scene.skin * 0.74, blur=0.02 * unit)
    canvas.multiply(view.outline(_mirrored(shadow)), 0.6, 0.07 * unit)
    collar = across([(0, 2.42), (0.3, 2.3), (0.72, 2.0), (1.5, 2.22), (2.6, 2.6)])
    clothes = np.concatenate([collar, [(2.6, 4), (-2.6, 4)]])
    canvas.paint(view.outline(clothes), scene.parameters.clothes, blur=0.015 * unit)


def _mirrored(half):
    """The polygon of a right half and its mirror image."""
    return np.concatenate([half, half[::-1] * MIRROR])


def head(scene, canvas):
    """Colour on skin, light on both, inside the edge of the head."""
    skin = Canvas(canvas.size, scene.skin)
    height, darkness, blush = landscape(scene)
    skin.pixels += blush * planes(np.array([14, -16, -14]) * (0.5 + 0.5 * scene.skin[0] / 255))
    texture(scene, skin)
    for part in (freckles, beard, lips, brows):
        part(scene, skin)
    shade, shine = lighting(scene, height, darkness)
    skin.pixels *= 1 + (shade - 1) * planes([0.94, 1.02, 1.05])  # shadows on skin are warm
    skin.pixels += shine * planes([255, 245, 235])
    nose(scene, skin)
    canvas.paste(skin, scene.view.outline(head_outline(scene)), blur=0.006 * scene.unit)


def occlusion(scene, canvas):
    """Something out of focus before the face, from the left or right edge."""
    reach, size = scene.parameters.occlusion, canvas.size
    if reach <= 0:
        return
    random = np.random.default_rng([scene.parameters.seed, 3])
    x, y, extent = size * reach, random.uniform(0.2, 1.0) * size, random.uniform(0.12, 0.35) * size
    above = [(-9, y - extent), (x * 0.7, y - extent * 0.7)]
    below = [(x * 0.7, y + extent * 0.7), (-9, y + extent)]
    shape = smooth([*above, (x, y), *below], closed=True)
    if random.random() < 0.5:
        shape = shape * MIRROR + (size, 0)
    if random.random() < 0.5:
        colour = scene.skin * 0.9
    else:
        colour = random.uniform(20, 220) + random.uniform(-25, 25, 3)
    canvas.paint(shape, colour, 1, 0.02 * size)


def photograph(scene, canvas, size):
    """What a camera makes of it: exposure, roll, resolution, blur, noise, JPEG: uint8 (size, size, 3)."""
    p = scene.parameters
    red, blue = p.exposure * (1 + 0.08 * p.warmth), p.exposure * (1 - 0.10 * p.warmth)
    bright = canvas.pixels * planes([red, p.exposure, blue])
    bright -= np.maximum(0.55 * bright - 113, 0)  # film and sensors roll off before they clip
    picture = cv2.merge(list(np.clip(bright, 0, 255).astype(np.uint8)))
    if p.roll:
        turn = cv2.getRotationMatrix2D(tuple(scene.view.origin), -np.degrees(p.roll), 1)
        picture = cv2.warpAffine(
            picture, turn, picture.shape[:2], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    if p.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), p.blur * size / 64)
    if p.noise > 0:
        grain = scene.random.standard_normal((size, size, 1), np.float32) * np.float32(p.noise)
        picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    if p.jpeg < 100:
        _, file = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(p.jpeg)])
        picture = cv2.imdecode(file, cv2.IMREAD_COLOR)
    return picture
