"""Where the points of a face lie in the picture, and what every part needs while one picture is painted."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labkit.drawn.anatomy import HAIR_COLOURS, OUTLINE, SKIN_TONES, FaceParameters, landmarks
from labkit.drawn.canvas import smooth

EYE_LINE = 0.38  # the crop of labkit.detect: how far below the upper edge the eyes lie,
EYE_DISTANCE = 0.36  # and how far they are apart, both as parts of the side
MIRROR = np.array([-1.0, 1.0])
SIDES = np.array([[[1.0, 1.0]], [[-1.0, 1.0]]])  # takes a shape of the right half to both halves
_CURVATURE = np.array([0.52, 0.08])  # of the face, across and along
# Where between the middle of the lips and a corner a curve has its points.
_PARTS = np.array([0.0, 0.25, 0.55, 0.82, 0.95])


class View:
    """Parallel projection of a head turned by yaw and pitch.

    Points are (x, y) on a face seen from the front, in eye distances; `lift` raises them towards the viewer.
    """

    DEPTH = 1.0  # of the point between the eyes before the axis that the head turns about

    def __init__(self, yaw, pitch, origin, unit):
        self.cos = np.array([np.cos(yaw), np.cos(pitch)])
        self.sin = np.array([np.sin(yaw), np.sin(pitch)])
        self.unit = unit
        # Crops are centred on the eyes, so a turned head moves the other way; not wholly, because finders err
        # towards the head's middle.
        self.origin = np.asarray(origin, float)
        self.centre = self.origin - 0.85 * self.DEPTH * self.sin * unit

    def project(self, points, lift=0.0) -> np.ndarray:
        """Points on the face's surface, float (..., 2) -> pixels, float (..., 2)."""
        points = np.asarray(points, float)
        depth = self.DEPTH + lift - (points * points).dot(_CURVATURE)
        return self.centre + points * (self.unit * self.cos) + depth[..., None] * (self.unit * self.sin)

    def outline(self, points, depth=0.0) -> np.ndarray:
        """Points on the head's visible edge, which is another part of the head in every pose."""
        middle = self.centre + self.unit * depth * self.sin
        return middle + np.asarray(points, float) * (self.unit * (1 + 0.05 * self.sin**2))


@dataclass(frozen=True)
class Scene:
    """One picture while it is painted.

    Attributes:
        parameters: what is to be seen in it.
        view: takes points of the face to pixels.
        size: of the canvas in pixels.
        unit: pixels an eye distance.
        right, left: landmarks of the picture's right and left half, name -> (2,); x > 0 in both.
        skin, hair: colours, float (3,) RGB.
        random: of this picture; what belongs to the person is drawn from `of_person`.
    """

    parameters: FaceParameters
    view: View
    size: int
    unit: float
    right: dict
    left: dict
    skin: np.ndarray
    hair: np.ndarray
    random: np.random.Generator

    @property
    def who(self):
        return self.parameters.identity

    def of_person(self, part: int) -> np.random.Generator:
        """Random numbers for one part of the person, the same in every picture."""
        return np.random.default_rng([self.who.seed, part])

    def halves(self):
        """(1, landmarks) for the right half of the picture, (-1, landmarks) for the left."""
        return (1, self.right), (-1, self.left)

    def pair(self, name):
        """A landmark in the right and in the left half, x > 0 in both: (2, 2)."""
        return np.stack([self.right[name], self.left[name]])

    def both(self, points, lift=0.0, is_closed=False):
        """A smooth curve through points of the right half and its mirror image: (2, n, 2) in pixels."""
        return self.view.project(smooth(points, is_closed) * SIDES, lift)

    @cached_property
    def light(self):
        """Where the light comes from, (2,)."""
        return np.array(self.parameters.light)

    @cached_property
    def lip_curves(self):
        """Upper edge of the lips, upper and lower edge of the opening, lower edge: each (n, 2), left to
        right, before the pose."""
        right, left = self.right, self.left
        names = ("upper_lip_top", "upper_lip", "lower_lip", "lower_lip_bottom")
        heights = {name: 0.5 * (left[name][1] + right[name][1]) for name in names}
        roundness = min(1.0, (heights["lower_lip"] - heights["upper_lip"]) / 0.35)
        parabola = _PARTS**2.0
        ellipse = 1 - np.sqrt(1 - _PARTS**2)
        open_shape = (1 - roundness) * parabola + roundness * ellipse
        bow = self.who.lip_fullness * np.array([0.012, -0.022, -0.012, 0.0, 0.0])

        def edge(name, rise, extra=0.0):
            middle = heights[name]
            halves = []
            for corner in (left["mouth_corner"] * MIRROR, right["mouth_corner"]):
                inner = np.stack([_PARTS * corner[0], middle + rise * (corner[1] - middle) + extra], 1)
                halves.append(np.concatenate([inner, corner[None]]))
            return smooth(np.concatenate([halves[0][:0:-1], halves[1]]))

        return (
            edge("upper_lip_top", parabola, bow),
            edge("upper_lip", open_shape, 0.4 * bow),
            edge("lower_lip", open_shape),
            edge("lower_lip_bottom", 0.5 * (parabola + ellipse)),
        )


def across(points):
    """A smooth curve from left to right through the points of a right half, the first of them in the middle,
    and their mirror images."""
    points = np.asarray(points, float)
    return smooth(np.concatenate([points[:0:-1] * MIRROR, points]))


def set_scene(parameters: FaceParameters, size: int) -> Scene:
    """The scene of `parameters` on a canvas of `size` pixels."""
    unit = EYE_DISTANCE * parameters.zoom * size
    origin = np.array([0.5 + parameters.shift[0], EYE_LINE + parameters.shift[1]]) * size
    return Scene(
        parameters=parameters,
        view=View(parameters.yaw, parameters.pitch, origin, unit),
        size=size,
        unit=unit,
        right=landmarks(parameters, 1),
        left=landmarks(parameters, -1),
        skin=between(SKIN_TONES, parameters.identity.skin),
        hair=np.array(HAIR_COLOURS[parameters.identity.hair_colour], float),
        random=np.random.default_rng(parameters.seed),
    )


def between(colours, position) -> np.ndarray:
    """The colour at `position` (0 to 1) along a row of colours: (3,) float."""
    colours = np.asarray(colours, float)
    steps = np.arange(len(colours))
    return np.array([np.interp(position * steps[-1], steps, channel) for channel in colours.T])


def head_outline(scene) -> np.ndarray:
    """The edge of the head (n, 2) before the pose: the jaw as wide as the person's, the chin where the jaw
    has dropped to."""
    who, drop = scene.who, scene.right["chin"][1] - OUTLINE[-1][1]
    half = np.array(OUTLINE)
    lower = np.clip((half[:, 1] - 0.3) / 1.5, 0, 1)
    half[:, 0] *= who.face_width * (1 + lower * (who.jaw_width - 1)) * (1 - 0.25 * lower * max(0.0, drop))
    half[:, 1] += lower**1.5 * drop
    return smooth(np.concatenate([half, half[-2:0:-1] * MIRROR]), closed=True)
