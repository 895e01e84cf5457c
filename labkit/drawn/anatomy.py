"""What a built-in face is made of: its parameters, its landmarks and how action units move them.

All of it tables. Lengths are in eye distances (the distance between the pupils, about 63 mm in an adult), x
to the right, y down, the origin midway between the eyes. Tables describe the right half of the picture
(x > 0); the left half is its mirror image. Action units as in Ekman, Friesen and Hager, Facial Action Coding
System (2002).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from labkit.labels import ACTION_UNITS, OTHER_UNITS

HAIR_COLOURS = {  # RGB; "bald" has the colour of what is left around the ears
    "black": (30, 25, 24),
    "blond": (208, 170, 104),
    "brown": (92, 58, 36),
    "grey": (172, 170, 168),
    "bald": (96, 84, 76),
}
HAIR_STYLES = ("short", "fringe", "parted", "long", "curly", "receding")
HATS = ("beanie", "cap", "brim")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
SKIN_TONES = (
    (247, 214, 190),
    (240, 199, 169),
    (224, 174, 138),
    (194, 140, 102),
    (158, 108, 78),
    (122, 82, 58),
    (94, 62, 48),
)


@dataclass(frozen=True)
class Identity:
    """What stays the same in all pictures of one person. Scales are factors around 1, amounts lie in 0 to 1.

    Attributes:
        skin: 0 very light to 1 very dark, along `SKIN_TONES`.
        age: 0 about 18 years, 1 about 80.
        wrinkles, freckles, lashes: amounts.
        hair_colour, hair_style: names from `HAIR_COLOURS` and `HAIR_STYLES`.
        hair_top: what is seen on the head: "hair", "bald", "hat" or "scarf".
        hat, hat_colour: a name from `HATS`; RGB of hat or scarf.
        glasses: "none", "round", "square" or "dark".
        beard: a name from `BEARDS`.
        lip_colour: 0 nearly skin, 1 lipstick.
        iris: RGB.
        eye_tilt: the outer corner up, in eye distances.
        mouth_height: shift of the mouth, in eye distances.
        brow_height: shift of the brows upwards, in eye distances.
        brow_thickness, lip_fullness, eye_size, face_width, jaw_width, face_length: scales.
        nose_width, nose_length, mouth_width, cheeks: scales.
        seed: of freckles and strands of hair.
    """

    skin: float = 0.2
    age: float = 0.25
    wrinkles: float = 0.0
    freckles: float = 0.0
    hair_colour: str = "brown"
    hair_style: str = "parted"
    hair_top: str = "hair"
    hat: str = "beanie"
    hat_colour: tuple[int, int, int] = (60, 70, 110)
    glasses: str = "none"
    beard: str = "none"
    brow_thickness: float = 1.0
    lip_fullness: float = 1.0
    lip_colour: float = 0.3
    lashes: float = 0.4
    eye_size: float = 1.0
    eye_tilt: float = 0.0
    iris: tuple[int, int, int] = (92, 62, 40)
    face_width: float = 1.0
    jaw_width: float = 1.0
    face_length: float = 1.0
    nose_width: float = 1.0
    nose_length: float = 1.0
    mouth_width: float = 1.0
    mouth_height: float = 0.0
    cheeks: float = 1.0
    brow_height: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class FaceParameters:
    """One picture of one face. Angles in radians, intensities 0 to 1, the rest as noted.

    Attributes:
        identity: who is in it.
        action_units: intensity by name, from `ACTION_UNITS` and `OTHER_UNITS`; what is missing is 0.
        asymmetry: -1 to 1; how much stronger the right half of the picture moves than the left.
        gaze: -1 to 1, right and down.
        yaw: turned to the right of the picture.
        pitch: looking down.
        roll: clockwise.
        zoom: 1 is the crop of `labkit.detect`.
        shift: of the face, right and down, as part of the picture's side.
        light: where it comes from, right and down; its length below 1.
        contrast: share of the light that has a direction.
        exposure: factor of the brightness.
        warmth: -1 blue to 1 orange.
        background: RGB of its upper and its lower end.
        clothes: RGB.
        occlusion: how far something out of focus reaches into the picture.
        blur: standard deviation in pixels of a picture 64 pixels wide.
        noise: standard deviation in grey levels.
        jpeg: quality; 100 leaves the picture as it is.
        seed: of background, skin texture and noise.

    Raises:
        ValueError: where an action unit is none of these names.
    """

    identity: Identity = field(default_factory=Identity)
    action_units: Mapping[str, float] = field(default_factory=dict)
    asymmetry: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    light: tuple[float, float] = (-0.4, -0.5)
    contrast: float = 0.5
    exposure: float = 1.0
    warmth: float = 0.0
    background: tuple[tuple[int, int, int], tuple[int, int, int]] = ((150, 160, 170), (110, 120, 135))
    clothes: tuple[int, int, int] = (70, 80, 100)
    occlusion: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    jpeg: int = 100
    seed: int = 0

    def __post_init__(self):
        unknown = set(self.action_units) - set(ACTION_UNITS) - set(OTHER_UNITS)
        if unknown:
            choices = ", ".join([*ACTION_UNITS, *OTHER_UNITS])
            raise ValueError(
                f"action_units: unknown {', '.join(sorted(unknown))}; expected names from {choices}"
            )


LANDMARKS = {
    "brow_inner": (0.20, -0.285),
    "brow_middle": (0.52, -0.37),
    "brow_outer": (0.84, -0.265),
    "eye_inner": (0.265, 0.025),
    "eye_outer": (0.75, -0.02),
    "upper_lid": (0.50, -0.105),
    "lower_lid": (0.52, 0.085),
    "nose_wing": (0.255, 0.66),
    "cheek": (0.62, 0.50),
    "mouth_corner": (0.40, 1.085),
    "upper_lip_top": (0.0, 0.955),
    "upper_lip": (0.0, 1.08),
    "lower_lip": (0.0, 1.08),
    "lower_lip_bottom": (0.0, 1.235),
    "chin": (0.0, 1.80),
}

# Where each action unit takes each landmark at intensity 1.
MOTION = {
    "AU1": {"brow_inner": (0.01, -0.17), "brow_middle": (0.0, -0.07), "upper_lid": (0.0, -0.01)},
    "AU2": {"brow_outer": (0.02, -0.17), "brow_middle": (0.0, -0.13), "upper_lid": (0.0, -0.015)},
    "AU4": {
        "brow_inner": (-0.08, 0.11),
        "brow_middle": (-0.04, 0.12),
        "brow_outer": (-0.01, 0.05),
        "upper_lid": (0.0, 0.03),
    },
    "AU5": {"upper_lid": (0.0, -0.06)},
    "AU6": {
        "lower_lid": (0.0, -0.045),
        "upper_lid": (0.0, 0.02),
        "cheek": (0.0, -0.13),
        "brow_outer": (0.0, 0.03),
    },
    "AU7": {"upper_lid": (0.0, 0.035), "lower_lid": (0.0, -0.045)},
    "AU9": {
        "nose_wing": (0.02, -0.08),
        "brow_inner": (-0.03, 0.07),
        "upper_lip_top": (0.0, -0.06),
        "upper_lip": (0.0, -0.03),
    },
    "AU10": {
        "upper_lip_top": (0.0, -0.09),
        "upper_lip": (0.0, -0.09),
        "nose_wing": (0.03, -0.04),
        "mouth_corner": (0.0, -0.01),
    },
    "AU11": {"nose_wing": (0.02, -0.02), "upper_lip_top": (0.0, -0.02)},
    "AU12": {
        "mouth_corner": (0.17, -0.16),
        "upper_lip_top": (0.0, 0.0),
        "upper_lip": (0.0, -0.035),
        "lower_lip": (0.0, -0.03),
        "lower_lip_bottom": (0.0, -0.04),
        "cheek": (0.03, -0.08),
        "nose_wing": (0.03, -0.01),
        "lower_lid": (0.0, -0.015),
    },
    "AU14": {"mouth_corner": (0.04, -0.01), "upper_lip_top": (0.0, 0.025), "lower_lip_bottom": (0.0, -0.03)},
    "AU15": {"mouth_corner": (0.0, 0.13), "lower_lip_bottom": (0.0, -0.01)},
    "AU16": {"lower_lip": (0.0, 0.07), "lower_lip_bottom": (0.0, 0.05)},
    "AU17": {
        "lower_lip": (0.0, -0.06),
        "lower_lip_bottom": (0.0, -0.07),
        "upper_lip": (0.0, -0.06),
        "upper_lip_top": (0.0, -0.035),
        "mouth_corner": (-0.01, 0.03),
        "chin": (0.0, -0.07),
    },
    "AU20": {"mouth_corner": (0.15, 0.05), "upper_lip_top": (0.0, 0.03), "lower_lip_bottom": (0.0, -0.03)},
    "AU23": {"upper_lip_top": (0.0, 0.045), "lower_lip_bottom": (0.0, -0.055), "mouth_corner": (-0.10, 0.0)},
    "AU24": {"upper_lip_top": (0.0, 0.085), "lower_lip_bottom": (0.0, -0.10), "mouth_corner": (-0.03, 0.005)},
    "AU25": {
        "upper_lip": (0.0, -0.04),
        "upper_lip_top": (0.0, -0.025),
        "lower_lip": (0.0, 0.10),
        "lower_lip_bottom": (0.0, 0.08),
    },
    "AU26": {
        "lower_lip": (0.0, 0.17),
        "lower_lip_bottom": (0.0, 0.16),
        "chin": (0.0, 0.17),
        "mouth_corner": (-0.03, 0.05),
    },
    "AU27": {
        "lower_lip": (0.0, 0.42),
        "lower_lip_bottom": (0.0, 0.40),
        "chin": (0.0, 0.36),
        "mouth_corner": (-0.08, 0.15),
        "upper_lip": (0.0, -0.05),
        "upper_lip_top": (0.0, -0.035),
    },
    "AU43": {"upper_lid": (0.0, 0.17)},
}

# The face as a landscape: x, y, standard deviations in x and y, height (lit by the light), darkness
# (occlusion), blush.
RELIEF = (
    (0.00, -0.75, 0.60, 0.35, 0.10, -0.03, 0.0),  # forehead
    (0.98, -0.30, 0.16, 0.34, -0.06, 0.05, 0.0),  # temple
    (0.42, -0.27, 0.28, 0.11, 0.055, -0.03, 0.0),  # brow ridge
    (0.44, -0.06, 0.24, 0.16, -0.10, 0.10, 0.12),  # eye socket
    (0.22, -0.02, 0.08, 0.11, -0.05, 0.09, 0.1),  # inner corner
    (0.50, 0.16, 0.20, 0.06, -0.012, 0.07, 0.1),  # below the eye
    (0.00, 0.20, 0.085, 0.30, 0.13, -0.05, 0.05),  # ridge of the nose
    (0.00, 0.58, 0.125, 0.12, 0.20, -0.05, 0.35),  # tip of the nose
    (0.20, 0.64, 0.075, 0.07, 0.085, 0.03, 0.25),  # wing of the nose
    (0.00, 0.78, 0.17, 0.05, -0.05, 0.16, 0.1),  # below the nose
    (0.66, 0.40, 0.27, 0.22, 0.10, -0.04, 0.45),  # cheekbone
    (0.00, 1.02, 0.36, 0.26, 0.10, -0.01, 0.0),  # muzzle
    (0.00, 0.86, 0.035, 0.07, -0.025, 0.05, 0.0),  # philtrum
    (0.00, 1.37, 0.20, 0.06, -0.05, 0.13, 0.0),  # below the lower lip
    (0.00, 1.60, 0.24, 0.16, 0.15, -0.03, 0.1),  # chin
    (0.75, 1.05, 0.20, 0.30, -0.04, 0.03, 0.0),  # hollow of the cheek
)

# What an action unit adds to the landscape at intensity 1; rows as in RELIEF.
BULGES = {
    "AU1": ((0.22, -0.52, 0.16, 0.08, 0.05, 0.0, 0.0),),
    "AU4": ((0.00, -0.22, 0.09, 0.10, 0.06, 0.05, 0.1), (0.30, -0.20, 0.14, 0.07, 0.03, 0.12, 0.0)),
    "AU6": ((0.62, 0.36, 0.22, 0.15, 0.13, -0.03, 0.3), (0.55, 0.16, 0.20, 0.04, -0.03, 0.12, 0.0)),
    "AU9": ((0.13, 0.15, 0.05, 0.14, 0.03, 0.10, 0.1), (0.26, 0.48, 0.08, 0.10, 0.05, 0.05, 0.2)),
    "AU11": ((0.36, 0.62, 0.07, 0.12, -0.04, 0.12, 0.0), (0.50, 0.58, 0.12, 0.10, 0.05, 0.0, 0.1)),
    "AU12": ((0.60, 0.50, 0.20, 0.17, 0.15, -0.06, 0.45), (0.64, 0.95, 0.08, 0.13, -0.06, 0.10, 0.0)),
    "AU14": ((0.50, 1.07, 0.05, 0.06, -0.07, 0.32, 0.0), (0.60, 1.00, 0.09, 0.12, 0.06, 0.0, 0.0)),
    "AU15": ((0.44, 1.30, 0.08, 0.09, 0.05, 0.08, 0.0),),
    "AU17": ((0.00, 1.52, 0.19, 0.12, 0.11, 0.0, 0.1), (0.00, 1.34, 0.26, 0.04, -0.06, 0.16, 0.0)),
    "AU23": ((0.00, 1.30, 0.24, 0.05, 0.04, 0.05, 0.0), (0.34, 1.08, 0.06, 0.10, 0.03, 0.10, 0.0)),
    "AU24": (
        (0.00, 0.93, 0.26, 0.06, 0.05, -0.03, 0.0),
        (0.00, 1.26, 0.24, 0.06, 0.06, -0.03, 0.0),
        (0.46, 1.09, 0.06, 0.07, 0.0, 0.15, 0.0),
    ),
    "AU27": ((0.62, 0.95, 0.14, 0.30, -0.10, 0.10, 0.0),),
    "age": (
        (0.52, 0.24, 0.18, 0.07, 0.04, 0.05, 0.1),
        (0.60, 1.38, 0.14, 0.14, 0.07, 0.0, 0.0),
        (0.78, 0.80, 0.14, 0.25, -0.07, 0.08, 0.0),
    ),
}

# Furrows: four points, the landmark their far end follows, the depth at rest, and what each action unit or
# wrinkles add.
FURROWS = (
    (((0.27, 0.60), (0.40, 0.74), (0.50, 0.92), (0.53, 1.08)), "mouth_corner", 0.10,  # nasolabial
     {"AU12": 0.7, "AU6": 0.15, "AU11": 0.4, "AU10": 0.3, "AU9": 0.2, "AU20": 0.2, "wrinkles": 0.45}),
    (((0.29, 0.56), (0.34, 0.59), (0.38, 0.65), (0.43, 0.75)), "nose_wing", 0.0,
     {"AU11": 0.9, "AU9": 0.35, "AU10": 0.25}),
    (((0.42, 1.16), (0.44, 1.23), (0.45, 1.30), (0.45, 1.38)), "mouth_corner", 0.0,
     {"AU15": 0.38, "AU17": 0.12, "wrinkles": 0.35}),
    (((0.34, 0.15), (0.46, 0.20), (0.58, 0.20), (0.70, 0.16)), "lower_lid", 0.08,
     {"AU6": 0.45, "AU7": 0.30, "AU12": 0.1, "wrinkles": 0.55}),
    (((0.80, -0.03), (0.87, -0.06), (0.94, -0.10), (1.00, -0.15)), "eye_outer", 0.0,  # crow's feet
     {"AU6": 0.55, "wrinkles": 0.5}),
    (((0.81, 0.03), (0.88, 0.04), (0.95, 0.04), (1.02, 0.04)), "eye_outer", 0.0,
     {"AU6": 0.6, "wrinkles": 0.55}),
    (((0.79, 0.09), (0.86, 0.12), (0.92, 0.16), (0.98, 0.21)), "eye_outer", 0.0,
     {"AU6": 0.5, "wrinkles": 0.4}),
    (((0.08, -0.44), (0.095, -0.35), (0.09, -0.26), (0.07, -0.16)), "brow_inner", 0.0,
     {"AU4": 0.7, "AU9": 0.25, "wrinkles": 0.3}),
    (((0.00, -0.57), (0.25, -0.60), (0.50, -0.60), (0.72, -0.54)), "brow_middle", 0.0,
     {"AU1": 0.35, "AU2": 0.4, "wrinkles": 0.6}),
    (((0.00, -0.70), (0.25, -0.735), (0.50, -0.735), (0.70, -0.69)), "brow_middle", 0.0,
     {"AU1": 0.35, "AU2": 0.4, "wrinkles": 0.65}),
    (((0.00, -0.84), (0.20, -0.87), (0.40, -0.875), (0.58, -0.84)), "brow_middle", 0.0,
     {"AU1": 0.25, "AU2": 0.25, "wrinkles": 0.5}),
    (((0.03, 0.02), (0.08, 0.04), (0.12, 0.08), (0.15, 0.14)), "brow_inner", 0.0, {"AU9": 0.7}),
    (((0.02, 0.12), (0.08, 0.15), (0.12, 0.19), (0.15, 0.25)), "brow_inner", 0.0, {"AU9": 0.6}),
    (((0.00, 1.38), (0.10, 1.37), (0.19, 1.40), (0.26, 1.46)), "chin", 0.06,
     {"AU17": 0.7, "AU24": 0.1, "wrinkles": 0.1}),
    (((0.60, 0.72), (0.67, 0.85), (0.70, 1.00), (0.69, 1.15)), "cheek", 0.0,
     {"AU12": 0.12, "wrinkles": 0.25}),
)  # fmt: skip

# The outline of the head, from its top to the chin.
OUTLINE = (
    (0.0, -1.74), (0.55, -1.62), (0.93, -1.22), (1.08, -0.65), (1.09, -0.05), (1.05, 0.48),
    (0.95, 0.95), (0.75, 1.36), (0.44, 1.68), (0.20, 1.79), (0.0, 1.80),
)  # fmt: skip


_NAMES = list(LANDMARKS)
_MOVES = {unit: np.array([moves.get(name, (0.0, 0.0)) for name in _NAMES]) for unit, moves in MOTION.items()}


def strength(parameters: FaceParameters, side: int = 0) -> dict[str, float]:
    """Intensity, 0 to 1, of every action unit in one half of the face, and of wrinkles and age.

    Args:
        parameters: of the picture.
        side: 1 right, -1 left, 0 the mean of both.
    """
    factor = 1 + 0.35 * side * parameters.asymmetry
    units = {}
    for name, value in parameters.action_units.items():
        if value > 0:
            units[name] = min(1.0, max(0.0, value * factor))
    who = parameters.identity
    return units | {"wrinkles": who.wrinkles, "age": max(0.0, 2 * who.age - 1)}


def landmarks(parameters: FaceParameters, side: int) -> dict[str, np.ndarray]:
    """Landmarks of one half of the face, x > 0 for both halves: name -> (2,) in eye distances."""
    places = proportioned(parameters.identity).copy()
    for unit, intensity in strength(parameters, side).items():
        if unit in _MOVES:
            places += intensity * _MOVES[unit]
    points = dict(zip(_NAMES, places))  # views: the limits below change `places` too
    points["lower_lip"][1] = max(points["lower_lip"][1], points["upper_lip"][1])
    points["upper_lip_top"][1] = min(points["upper_lip_top"][1], points["upper_lip"][1] - 0.025)
    points["lower_lip_bottom"][1] = max(points["lower_lip_bottom"][1], points["lower_lip"][1] + 0.03)
    narrowest = 0.085 * (1 - parameters.action_units.get("AU43", 0.0)) + 0.012  # only AU43 shuts the eye
    points["upper_lid"][1] = min(points["upper_lid"][1], points["lower_lid"][1] - narrowest)
    return points


@lru_cache(maxsize=64)
def proportioned(who: Identity) -> np.ndarray:
    """Landmarks of a relaxed face with this person's proportions: (number of landmarks, 2)."""
    places = np.array(list(LANDMARKS.values()))
    x, y = (dict(zip(_NAMES, places[:, axis : axis + 1])) for axis in (0, 1))  # views of single numbers
    for name in ("upper_lid", "lower_lid"):
        y[name] *= who.eye_size
    y["eye_outer"] -= who.eye_tilt
    for name in ("brow_inner", "brow_middle", "brow_outer"):
        y[name] -= who.brow_height
    x["nose_wing"] *= who.nose_width
    y["nose_wing"] *= who.nose_length
    x["mouth_corner"] *= who.mouth_width
    for name in ("upper_lip_top", "lower_lip_bottom"):
        y[name] += (who.lip_fullness - 1) * (y[name] - LANDMARKS["upper_lip"][1])
    for name in ("mouth_corner", "upper_lip_top", "upper_lip", "lower_lip", "lower_lip_bottom"):
        y[name] += who.mouth_height
    y["chin"] *= who.face_length
    return places
