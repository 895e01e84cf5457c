"""Paint soft, anti-aliased shapes on a float image.

Knows nothing of faces: `labkit.drawn.face` and its parts paint with it. A shape is a polygon or a line,
float (n, 2), x and y in pixels; where `shapes` is asked for, one, a list, or an array (K, n, 2) of them.
"""

from functools import lru_cache

import cv2
import numpy as np

_BITS = 4  # cv2 takes integer coordinates; these many bits are the fraction
_ONE = 1 << _BITS
_TURN = np.linspace(0, 2 * np.pi, 17)[:-1]
CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], 1)  # of radius 1


class Canvas:
    """A square picture being painted.

    Attributes:
        size: pixels a side.
        pixels: float32 (3, size, size), RGB in 0 to 255. Colours come first because numpy is several times
            faster on long rows than on triples.
    """

    def __init__(self, size: int, colour=(0, 0, 0)):
        self.size = size
        self.pixels = np.empty((3, size, size), np.float32)
        self.pixels[:] = planes(colour)

    def paint(self, shapes, colour, opacity=1.0, blur=0.0, width=0.0, clip=None):
        """Fill polygons, or draw lines where `width` is given.

        Where an even number of polygons overlap, nothing is filled.

        Args:
            shapes: polygons or lines; None = all of `clip`.
            colour: RGB, 0 to 255.
            opacity: 0 to 1.
            blur: standard deviation of the edge in pixels.
            width: of the lines in pixels; 0 = filled polygons.
            clip: what `mask` gave for another shape; nothing changes outside it.
        """
        window, mask = self._clipped(shapes, blur, width, clip)
        if mask is not None:
            region = self.pixels[:, *window]
            if opacity != 1:
                mask = mask * np.float32(opacity)
            region += mask * (planes(colour) - region)

    def multiply(self, shapes, factor, blur=0.0, width=0.0, clip=None):
        """Darken (factor below 1) or brighten what lies inside."""
        window, mask = self._clipped(shapes, blur, width, clip)
        if mask is not None:
            self.pixels[:, *window] *= 1 + mask * (np.float32(factor) - 1)

    def darken_rim(self, clip, factor, blur):
        """Darken a shape (as `mask` gave it) towards its edge, to `factor` on it, as if it were round."""
        window, inside = clip
        if inside is not None:
            depth = np.minimum(2 * soften(inside, blur) - 1, 1)  # 0 on the edge, 1 well inside
            self.pixels[:, *window] *= 1 - (1 - np.float32(factor)) * inside * (1 - depth)

    def paste(self, other: "Canvas", shape, blur=0.0):
        """Show another canvas of the same size inside `shape`."""
        window, mask = self.mask(shape, blur)
        if mask is not None:
            region = self.pixels[:, *window]
            region += mask * (other.pixels[:, *window] - region)

    def mask(self, shapes, blur=0.0, width=0.0):
        """Where the shapes lie, as `clip` takes it.

        Args:
            shapes: polygons, or lines where `width` is given.
            blur: standard deviation of the edge in pixels.
            width: of the lines in pixels; 0 = filled polygons.

        Returns:
            The window (two slices) that the shapes touch and their coverage there, float32 0 to 1;
            (None, None) where they are outside.
        """
        fixed = _fixed(shapes)
        points = fixed.reshape(-1, 2) if isinstance(fixed, np.ndarray) else np.concatenate(fixed)
        x, y, across, down = cv2.boundingRect(points)
        margin = int(3 * blur + 0.5 * width + 2)
        left = max((x >> _BITS) - margin, 0)
        upper = max((y >> _BITS) - margin, 0)
        right = min((x + across >> _BITS) + margin, self.size)
        lower = min((y + down >> _BITS) + margin, self.size)
        if right <= left or lower <= upper:
            return None, None
        window = slice(upper, lower), slice(left, right)
        return window, _cover(fixed, window, blur, width)

    def _clipped(self, shapes, blur, width, clip):
        if clip is None:
            return self.mask(shapes, blur, width)
        window, inside = clip
        if window is None or shapes is None:
            return clip
        return window, inside * _cover(_fixed(shapes), window, blur, width)


def planes(colour):
    """An RGB colour as float32 (3, 1, 1), for arithmetic with (3, H, W)."""
    return np.asarray(colour, np.float32).reshape(3, 1, 1)


def _fixed(shapes):
    if isinstance(shapes, np.ndarray):  # one shape, or many of the same length at once
        fixed = np.rint(shapes * _ONE).astype(np.int32)
        return fixed[None] if shapes.ndim == 2 else fixed
    return [np.rint(points * _ONE).astype(np.int32) for points in shapes]


def _cover(fixed, window, blur, width):
    rows, columns = window
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    corner = (columns.start << _BITS, rows.start << _BITS)
    if width == 0:
        cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, _BITS, (-corner[0], -corner[1]))
    else:  # a line thinner than a pixel is a pale one
        corner = np.array(corner, np.int32)
        if isinstance(fixed, np.ndarray):
            lines = list(fixed - corner)
        else:
            lines = [points - corner for points in fixed]
        cv2.polylines(mask, lines, False, 255 * min(1.0, width), max(1, round(width)), cv2.LINE_AA, _BITS)
    if blur > 0.4:
        mask = soften(mask, blur)
    return np.multiply(mask, np.float32(1 / 255), dtype=np.float32)


def draw_lines(mask, lines, values, width):
    """Draw each line on a uint8 picture in its own grey value.

    Args:
        mask: uint8 (H, W), drawn on.
        lines: float (K, n, 2) in pixels.
        values: K grey values, 0 to 255.
        width: of all lines in pixels.
    """
    fixed = np.rint(lines * _ONE).astype(np.int32)
    for points, value in zip(fixed, values):
        cv2.polylines(mask, [points], False, float(value), max(1, round(width)), cv2.LINE_AA, _BITS)


def soften(image, deviation):
    """About a Gaussian blur of this deviation in pixels: the small kernels that OpenCV is fastest at, and box
    filters twice, which cost the same at any width."""
    for side, least in ((3, 0.85), (5, 1.25), (7, 2.0)):
        if deviation < least:
            return cv2.GaussianBlur(image, (side, side), 0)
    side = (2 * round(deviation * 1.22) + 1,) * 2
    once = cv2.blur(image, side, borderType=cv2.BORDER_REPLICATE)
    return cv2.blur(once, side, borderType=cv2.BORDER_REPLICATE)


def smooth(points, closed=False, steps=4) -> np.ndarray:
    """Catmull-Rom curves through control points.

    Args:
        points: float (..., n, 2).
        closed: True where a curve ends where it began.
        steps: points of the curve from one control point to the next.

    Returns:
        float (..., n * steps, 2) of closed curves, (..., (n - 1) * steps + 1, 2) of others.
    """
    points = np.asarray(points, float)
    return _catmull_rom(points.shape[-2], closed, steps) @ points


@lru_cache(maxsize=256)
def _catmull_rom(n, closed, steps):
    """The matrix that takes n control points to the points of the curve."""
    t = np.arange(steps) / steps
    before, start = -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3
    end, after = t + 4 * t**2 - 3 * t**3, -(t**2) + t**3
    weights = 0.5 * np.stack([before, start, end, after], 1)  # of the four control points around a segment
    segments = n if closed else n - 1
    matrix = np.zeros((segments * steps + (not closed), n))
    for segment in range(segments):
        for k in range(4):
            index = segment + k - 1
            index = index % n if closed else min(max(index, 0), n - 1)
            matrix[segment * steps : (segment + 1) * steps, index] += weights[:, k]
    if not closed:
        matrix[-1, -1] = 1
    return matrix


def band(upper, lower) -> np.ndarray:
    """The polygon between two curves that run the same way."""
    return np.concatenate([upper, lower[::-1]])


def moved(points, x, y) -> np.ndarray:
    """The points, x further to the right and y further down."""
    return points + np.array([x, y])


def closed(points) -> np.ndarray:
    """A polygon as a line that ends where it began."""
    return np.concatenate([points, points[:1]])
