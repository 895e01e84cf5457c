"""A small renderer: triangles in, for every pixel the triangle that is seen there.

A z-buffer in NumPy, in four steps: which triangles face the viewer, which pixels each of them could cover,
which it does cover (barycentric coordinates, Pineda 1988), and which of those that cover a pixel is nearest.
No triangle is looped over: all candidates of all triangles are one long array. Knows nothing of faces.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Visible:
    """What is seen, P pixels that some triangle covers.

    Attributes:
        pixel: int64 (P,), row * size + column, ascending.
        triangle: int64 (P,), which triangle is nearest there.
        corners: int (P, 3), its vertices.
        weights: float32 (P, 3), how much of each corner: barycentric coordinates, summing to 1.
        depth: float32 (P,).
    """

    pixel: np.ndarray
    triangle: np.ndarray
    corners: np.ndarray
    weights: np.ndarray
    depth: np.ndarray

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Values of the vertices, float32 (V, K), at the pixels: (P, K)."""
        first, second, third = self.corners.T
        at = values.take(first, 0) * self.weights[:, :1]
        at += values.take(second, 0) * self.weights[:, 1:2]
        at += values.take(third, 0) * self.weights[:, 2:]
        return at


def rasterise(xy, depth, triangles, size: int, both_sides: bool = False) -> Visible:
    """Find out which triangle is seen in each pixel.

    Args:
        xy: float32 (V, 2), where the vertices lie in the picture, in pixels, y down; pixel (i, j) is the
            point x = j, y = i.
        depth: float32 (V,), larger is nearer.
        triangles: int (T, 3); seen from their front the corners run anticlockwise.
        size: of the picture, pixels a side.
        both_sides: also show triangles from behind.
    """
    xs, ys = xy[:, 0][triangles.T], xy[:, 1][triangles.T]  # (3, T) each
    x1, y1, x2, y2 = xs[1] - xs[0], ys[1] - ys[0], xs[2] - xs[0], ys[2] - ys[0]
    area = x1 * y2 - y1 * x2  # y runs down: negative where the front is seen
    (left, right), (top, bottom) = _pixels_between(xs, size), _pixels_between(ys, size)
    facing = np.abs(area) > 1e-6 if both_sides else area < -1e-6
    kept = np.flatnonzero(facing & (right >= left) & (bottom >= top))
    # All pixels in the bounding boxes of all triangles, one after the other, and whose each of them is.
    left, top = left[kept], top[kept]
    wide = right[kept] - left + 1
    count = wide * (bottom[kept] - top + 1)
    owner = np.repeat(np.arange(len(kept), dtype=np.int32), count)
    number = np.arange(len(owner), dtype=np.int32) - (np.cumsum(count, dtype=np.int32) - count)[owner]
    row = number // wide[owner]
    column = number - row * wide[owner] + left[owner]
    row += top[owner]
    # Barycentric coordinates are linear in x and y.
    x = column.astype(np.float32) - xs[0, kept][owner]
    y = row.astype(np.float32) - ys[0, kept][owner]
    inverse = 1 / area[kept]
    second = (y2[kept] * inverse)[owner] * x - (x2[kept] * inverse)[owner] * y
    third = (x1[kept] * inverse)[owner] * y - (y1[kept] * inverse)[owner] * x
    inside = np.flatnonzero((second >= -1e-5) & (third >= -1e-5) & (second + third <= 1.00001))
    owner, second, third = owner[inside], second[inside], third[inside]
    pixel = row[inside] * size + column[inside]
    at = depth[triangles[kept].T]
    near = at[0][owner] + second * (at[1] - at[0])[owner] + third * (at[2] - at[0])[owner]
    # Written from far to near: what is written last stays.
    order = np.argsort(near)
    nearest = np.full(size * size, -1)
    nearest[pixel[order]] = order
    seen = np.flatnonzero(nearest >= 0)
    best = nearest[seen]
    second, third, triangle = second[best], third[best], kept[owner[best]]
    weights = np.stack([1 - second - third, second, third], 1)
    return Visible(seen, triangle, triangles[triangle], weights, near[best])


def _pixels_between(corners, size):
    """First and last pixel between the least and greatest of three coordinates (3, T): int32 (T,) each."""
    low = np.minimum(np.minimum(corners[0], corners[1]), corners[2])
    high = np.maximum(np.maximum(corners[0], corners[1]), corners[2])
    return np.ceil(low.clip(0, size)).astype(np.int32), np.floor(high.clip(-1, size - 1)).astype(np.int32)
