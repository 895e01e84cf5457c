"""`labkit.detect`: the geometry of crops exactly, against points that the test places itself."""

import numpy as np
import pytest

from labkit import detect
from labkit.detect import EYE_DISTANCE, EYE_LINE, Face


def _points(size):
    """Where the crop's eyes have to lie, in the pixel coordinates of a crop of `size`."""
    across = np.array([0.5 - EYE_DISTANCE / 2, 0.5 + EYE_DISTANCE / 2]) * size - 0.5
    return np.column_stack([across, np.full(2, EYE_LINE * size - 0.5)])


def _face(middle, distance, degrees=0.0):
    """A face as a finder would return it, with eyes `distance` apart, turned clockwise by `degrees`."""
    angle = np.deg2rad(degrees)
    half = np.array([np.cos(angle), np.sin(angle)]) * distance / 2
    side = distance / 0.37
    corner = np.array(middle) - [side / 2, side * 0.4]
    return Face((*corner, side, side), 0.99, (tuple(middle - half), tuple(middle + half)))


def test_a_picture_without_a_face_gives_none():
    assert detect.find_faces(np.full((120, 160, 3), 127, np.uint8)) == []
    assert detect.main_face([], (120, 160)) is None


@pytest.mark.parametrize("degrees", [0, 20, -75, 180])
@pytest.mark.parametrize("margin", [0.0, 0.15])
def test_crop_matrix_puts_the_eyes_at_the_stated_places(degrees, margin):
    face = _face(np.array([210.5, 133.25]), 57.0, degrees)
    matrix = detect.crop_matrix(face, 64, margin)
    places = np.column_stack([np.array(face.eyes), np.ones(2)]) @ matrix.T
    middle = 31.5
    expected = (_points(64) - middle) / (1 + 2 * margin) + middle
    np.testing.assert_allclose(places, expected, atol=1e-9)
