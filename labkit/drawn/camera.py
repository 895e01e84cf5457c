"""The camera: where points of the head land in the picture, what is behind it, and what the sensor makes of
both."""

from dataclasses import dataclass

import cv2
import numpy as np

from labkit.drawn.surface import linear

EYE_LINE = 0.38  # the crop of labkit.detect: how far below the upper edge the eyes lie,
EYE_DISTANCE = 0.36  # and how far they are apart, both as parts of the side
NARROWEST, WIDEST = (
    0.90,
    1.18,
)  # finders frame the head as much as the eyes: the crop of a turned head is wider


def rotation(yaw: float, pitch: float, roll: float = 0.0) -> np.ndarray:
    """The matrix that turns a head: right in the picture, down, clockwise. Its rows give x, y and z of the
    picture."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    lean = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return lean @ nod @ turn


@dataclass(frozen=True)
class View:
    """How the head is seen.

    Attributes:
        axes: float (3, 3), from the head's x, y, z to the picture's x right, y up, z to the viewer.
        distance: of the camera, eye distances.
        scale: pixels an eye distance, at the eyes.
        origin: float (2,), the point of the plane that lies between the eyes.
        middle: float (2,), where it lands, pixels.
    """

    axes: np.ndarray
    distance: float
    scale: float
    origin: np.ndarray
    middle: np.ndarray

    @classmethod
    def of(cls, parameters, eyes, size: int) -> "View":
        """The view that frames these eyes, float (2, 3), as `labkit.detect` crops a face."""
        p = parameters
        axes = rotation(p.yaw, p.pitch, p.roll)
        turned = turn(eyes, axes)
        flat = turned[:, :2] * (p.distance / (p.distance - turned[:, 2:]))
        apart = np.sqrt(((flat[1] - flat[0]) ** 2).sum())
        scale = EYE_DISTANCE * size * p.zoom / np.clip(apart, NARROWEST, WIDEST)
        middle = np.array([(0.5 + p.shift[0]) * size - 0.5, (EYE_LINE + p.shift[1]) * size - 0.5])
        return cls(axes, p.distance, scale, flat.mean(0), middle)

    def project(self, points):
        """Points of the head (..., 3) -> pixels float32 (..., 2) and depth float32 (...)."""
        turned = turn(points, self.axes)
        flat = turned[..., :2] * (self.distance / (self.distance - turned[..., 2:]))
        away = (flat - self.origin) * self.scale * np.array([1, -1])
        return (self.middle + away).astype(np.float32), turned[..., 2].astype(np.float32)


def turn(vectors, axes) -> np.ndarray:
    """Vectors (..., 3) of the head, in the picture. Written out, since the last digits of a library's matrix
    product differ between processors."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    axes = axes.astype(vectors.dtype)
    return np.stack([x * row[0] + y * row[1] + z * row[2] for row in axes], -1)


def background(parameters, size: int, random) -> np.ndarray:
    """Two colours that run into each other and a few things out of focus: linear, float32 (size, size, 3)."""
    upper, lower = (np.asarray(colour, np.float32) for colour in parameters.background)
    small = 32
    picture = upper + (lower - upper) * np.linspace(0, 1, small, dtype=np.float32)[:, None, None]
    picture = np.ascontiguousarray(np.broadcast_to(picture, (small, small, 3)))
    spread = random.uniform(0, 40) * (random.random() < 0.6)
    rough = cv2.resize(
        random.standard_normal((9, 9)).astype(np.float32), (small, small), interpolation=cv2.INTER_CUBIC
    )
    picture += spread * rough[..., None]
    for _ in range(random.integers(0, 5)):
        colour = tuple(float(c) for c in upper + random.uniform(-70, 70) + random.uniform(-25, 25, 3))
        centre, extent = random.uniform(-4, small + 4, 2), random.uniform(2, 14, 2)
        if random.random() < 0.5:
            corner = tuple(int(v) for v in centre - extent), tuple(int(v) for v in centre + extent)
            cv2.rectangle(picture, *corner, colour, -1)
        else:
            axes = tuple(int(v) + 1 for v in extent)
            cv2.ellipse(
                picture, tuple(int(v) for v in centre), axes, random.uniform(0, 180), 0, 360, colour, -1
            )
    picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.5, 2.5))
    return linear(np.clip(cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR), 0, 255))


def occlude(picture, amount: float, random):
    """Something out of focus before the face, from the left or right edge. Changes `picture`."""
    size = len(picture)
    colour = tuple(
        float(c) for c in linear(np.clip(random.uniform(20, 220) + random.uniform(-25, 25, 3), 0, 255))
    )
    centre = (random.choice([0, size]), random.uniform(0.2, 1.0) * size)
    extent = (amount * size, random.uniform(0.12, 0.35) * size)
    cover = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(
        cover, (tuple(map(float, centre)), (2 * extent[0], 2 * extent[1]), random.uniform(-30, 30)), 1.0, -1
    )
    cover = cv2.GaussianBlur(cover, (0, 0), 0.02 * size)[..., None]
    picture += cover * (np.array(colour, np.float32) - picture)


def photograph(light, parameters, size: int, random) -> np.ndarray:
    """What a camera makes of linear light, float32 (S, S, 3): uint8 (size, size, 3), RGB."""
    p = parameters
    picture = cv2.resize(light, (size, size), interpolation=cv2.INTER_AREA)
    picture *= np.array([1 + 0.12 * p.warmth, 1, 1 - 0.15 * p.warmth], np.float32) * np.float32(p.exposure)
    picture /= 1 + np.maximum(picture - 0.6, 0) * 0.8  # film and sensors roll off before they clip
    picture = np.clip(picture, 0, 1) ** np.float32(1 / 2.2)
    if p.steepness:
        picture = np.clip(0.5 + (picture - 0.5) * np.float32(1 + p.steepness), 0, 1)
    if p.grey or p.saturation != 1:
        grey = (
            picture[..., :1] * np.float32(0.299)
            + picture[..., 1:2] * np.float32(0.587)
            + picture[..., 2:] * np.float32(0.114)
        )
        picture = np.clip(grey + (picture - grey) * np.float32(0 if p.grey else p.saturation), 0, 1)
    picture = np.rint(picture * 255).astype(np.uint8)
    if p.resolution < 1:
        fewer = max(12, round(size * p.resolution))
        small = cv2.resize(picture, (fewer, fewer), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    if p.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), p.blur * size / 64)
    if p.noise > 0:
        grains = random.standard_normal((size, size, 1 if p.grey or p.seed % 2 else 3), np.float32)
        picture = np.clip(np.rint(picture + grains * np.float32(p.noise)), 0, 255).astype(np.uint8)
    if p.jpeg < 100:
        _, file = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(p.jpeg)])
        picture = np.ascontiguousarray(cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1])
    return picture
