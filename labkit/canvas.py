"""Paint on a float image with soft, anti-aliased shapes; project points of a face by its pose; light a landscape.

The tools of `labkit.drawing`: none of them knows what a face is.
"""

from functools import lru_cache

import cv2
import numpy as np

_SUBPIXEL_BITS = 4  # cv2 takes integer coordinates; these many bits are the fraction


class Canvas:
    """A square picture being painted. pixels: float32 (size, size, 3), RGB in 0 to 255. Points are pixels (x, y), float."""

    def __init__(self, size: int, colour=(0, 0, 0)):
        self.size = size
        self.pixels = np.empty((size, size, 3), np.float32)
        self.pixels[:] = colour

    def paint(self, shapes, colour, opacity=1.0, blur=0.0, width=0.0, clip=None):
        """Fill polygons, or draw lines where `width` is given. `blur`: standard deviation of the edge in pixels.

        clip: another shape, outside of which nothing changes.
        """
        window, mask = self.mask(shapes, blur, width)
        if mask is None:
            return
        if clip is not None:
            mask = mask * self._inside(clip, window)
        region = self.pixels[window]
        region += (mask * opacity)[..., None] * (np.asarray(colour, np.float32) - region)

    def multiply(self, shapes, factor, blur=0.0, width=0.0, clip=None):
        """Darken (factor below 1) or brighten what lies inside; `factor` may be one for each colour."""
        window, mask = self.mask(shapes, blur, width)
        if mask is None:
            return
        if clip is not None:
            mask = mask * self._inside(clip, window)
        self.pixels[window] *= 1 + mask[..., None] * (np.asarray(factor, np.float32) - 1)

    def paste(self, other: "Canvas", shape, blur=0.0):
        """Show another canvas of the same size inside `shape`."""
        window, mask = self.mask([shape], blur)
        if mask is None:
            return
        region = self.pixels[window]
        region += mask[..., None] * (other.pixels[window] - region)

    def mask(self, shapes, blur=0.0, width=0.0):
        """The window (two slices) that the shapes touch and their coverage there, float32 0 to 1; (None, None) outside."""
        if isinstance(shapes, np.ndarray):
            shapes = [shapes]
        margin = 3 * blur + width / 2 + 1.5
        low = np.floor(np.min([shape.min(0) for shape in shapes], 0) - margin)
        high = np.ceil(np.max([shape.max(0) for shape in shapes], 0) + margin)
        x0, y0 = (int(v) for v in np.clip(low, 0, self.size))
        x1, y1 = (int(v) for v in np.clip(high, 0, self.size))
        if x1 - x0 < 1 or y1 - y0 < 1:
            return None, None
        drawn = cover(shapes, (x0, y0), (y1 - y0, x1 - x0), width)
        if blur > 0.3:
            drawn = soften(drawn, blur)
        return (slice(y0, y1), slice(x0, x1)), drawn.astype(np.float32) * (1 / 255)

    def _inside(self, clip, window):
        rows, columns = window
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        return cover([clip], (columns.start, rows.start), shape).astype(np.float32) * (1 / 255)


def cover(shapes, corner, shape, width=0.0):
    """uint8 coverage of polygons (of lines where `width` is given) in a window whose upper left corner is at `corner`."""
    mask = np.zeros(shape, np.uint8)
    scale = 1 << _SUBPIXEL_BITS
    fixed = [np.rint((points - corner) * scale).astype(np.int32) for points in shapes]
    if width == 0:
        cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    else:  # a line thinner than a pixel is a pale one
        cv2.polylines(mask, fixed, False, 255 * min(1.0, width), max(1, round(width)), cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask


def soften(image, deviation):
    """Gaussian blur; wide ones as two box filters, which cost the same at any width."""
    if deviation < 2:
        return cv2.GaussianBlur(image, (0, 0), deviation)
    side = max(3, 2 * round(deviation * 1.22) + 1)
    return cv2.blur(cv2.blur(image, (side, side), borderType=cv2.BORDER_REPLICATE), (side, side), borderType=cv2.BORDER_REPLICATE)


def smooth(points, closed=False, steps=5) -> np.ndarray:
    """A Catmull-Rom curve through control points (n, 2): about n * steps points."""
    points = np.asarray(points, float)
    return _catmull_rom(len(points), closed, steps) @ points


@lru_cache(maxsize=256)
def _catmull_rom(n, closed, steps):
    """The matrix that takes n control points to the points of the curve."""
    t = np.arange(steps) / steps
    weights = 0.5 * np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], 1)
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


class View:
    """Where a point of the head lies in the picture: parallel projection of a head turned by yaw and pitch.

    Points are (x, y) on a face seen from the front, in eye distances; `lift` raises them towards the viewer.
    """

    CENTRE_DEPTH = 1.0  # of the point between the eyes, before the axis that the head turns about

    def __init__(self, yaw, pitch, origin, scale):
        self.cos = np.array([np.cos(yaw), np.cos(pitch)])
        self.sin = np.array([np.sin(yaw), np.sin(pitch)])
        self.origin, self.scale = np.asarray(origin, float), scale
        # Crops are centred on the eyes, so a turned head moves the other way; not wholly, because finders centre the head a little.
        self.recentre = 0.85 * self.CENTRE_DEPTH * self.sin

    def project(self, points, lift=0.0) -> np.ndarray:
        """Points on the surface of the face (n, 2) -> pixels (n, 2)."""
        points = np.asarray(points, float)
        x, y = points[:, 0], points[:, 1]
        depth = self.CENTRE_DEPTH - 0.52 * x * x - 0.10 * y * np.abs(y) + lift
        return self._place(points * self.cos + depth[:, None] * self.sin)

    def outline(self, points, depth=0.0) -> np.ndarray:
        """Points on the head's visible edge, which is not the same part of the head in every pose."""
        return self._place(np.asarray(points, float) * (1 + 0.05 * self.sin**2) + depth * self.sin)

    def _place(self, points):
        return self.origin + self.scale * (points - self.recentre)


def hills(rows, view: View, size: int):
    """Sums of axis-aligned Gaussians, each the product of one curve in x and one in y.

    rows: (K, 4 + A): x, y, standard deviations in x and y, then A amplitudes. Returns A arrays float32 (size, size).
    """
    rows = np.asarray(rows, np.float32)
    centres = view.project(rows[:, :2])
    deviations = rows[:, 2:4] * view.scale * np.maximum(view.cos, 0.5)
    pixels = np.arange(size)
    in_x, in_y = (np.exp(-0.5 * ((pixels - centres[:, axis, None]) / deviations[:, axis, None]) ** 2).astype(np.float32) for axis in (0, 1))
    return [(in_y * amplitude[:, None]).T @ in_x for amplitude in rows[:, 4:].T]


def slopes(height):
    """Horizontal and vertical slope of a height in pixels: two float32 arrays of its shape."""
    return (
        cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REPLICATE),
        cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REPLICATE),
    )
