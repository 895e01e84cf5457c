"""What a built-in picture is made of: who is in it, what the face does, where it looks, light and camera."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from labkit.labels import ACTION_UNITS, OTHER_UNITS

HAIR_STYLES = ("short", "fringe", "parted", "long", "curly", "receding")
HATS = ("beanie", "cap", "brim")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GLASSES = ("none", "round", "square", "dark")


@dataclass(frozen=True)
class Identity:
    """What stays the same in all pictures of one person. Amounts lie in 0 to 1.

    Attributes:
        masculine: 0 to 1.
        age: 0 about 18 years, 1 about 80; down to -1 a child's.
        weight: -1 to 1.
        ancestry: shares of `head.ANCESTRIES`, summing to 1; of the shape alone, colours are given below.
        features: shape of nose, mouth, chin and so on: name -> -1 to 1, of `head.Head.features`.
        skin: 0 very light to 1 very dark, along `skin.TONES`.
        blush, gloss: amounts of red on cheeks and nose, and of shine.
        wrinkles, freckles, lashes: amounts.
        hair_colour, hair_style: names from `hair.COLOURS` and `HAIR_STYLES`.
        hairline: 0 low to 1 high.
        hair_top: what is seen on the head: "hair", "bald", "hat" or "scarf".
        hat, hat_colour: a name from `HATS`; RGB of hat or scarf.
        glasses, frame_colour: a name from `GLASSES`; RGB.
        beard: a name from `BEARDS`.
        brow_thickness: a factor around 1.
        lip_colour: 0 the skin's, 1 lipstick.
        eye_shadow: make-up on the lids.
        iris: RGB.
        teeth: 0 yellowish, 1 white.
        seed: of freckles, strands of hair and what else is drawn by chance.
    """

    masculine: float = 0.35
    age: float = 0.15
    weight: float = 0.0
    ancestry: tuple[float, float, float] = (0.2, 0.3, 0.5)
    features: Mapping[str, float] = field(default_factory=dict)
    skin: float = 0.2
    blush: float = 0.4
    gloss: float = 0.3
    wrinkles: float = 0.0
    freckles: float = 0.0
    lashes: float = 0.4
    hair_colour: str = "brown"
    hair_style: str = "short"
    hairline: float = 0.4
    hair_top: str = "hair"
    hat: str = "beanie"
    hat_colour: tuple[int, int, int] = (60, 70, 110)
    glasses: str = "none"
    frame_colour: tuple[int, int, int] = (45, 38, 36)
    beard: str = "none"
    brow_thickness: float = 1.0
    lip_colour: float = 0.15
    eye_shadow: float = 0.0
    iris: tuple[int, int, int] = (92, 62, 40)
    teeth: float = 0.7
    seed: int = 0

    def __hash__(self):  # equal identities have it in common; `features` is a dict and has none
        return hash((self.seed, self.skin, self.age, self.hair_top, self.glasses))


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
        distance: of the camera, in eye distances; small bulges the nose.
        light: where it comes from, right and down; its length below 1, the rest from the front.
        contrast: share of the light that has a direction.
        softness: of the shadows, 0 to 1.
        exposure: factor of the brightness.
        furrows: depth of those that age and action units make, 1 as they are, 0 none.
        mouth_light: how much light gets into an open mouth, 1 as it is, 0 none: teeth are dark.
        warmth: -1 blue to 1 orange.
        saturation, steepness: of colours, 1 as they are; of dark against bright, 0 as it is.
        background: RGB of its upper and its lower end.
        clothes: RGB.
        occlusion: how far something out of focus reaches into the picture.
        blur: standard deviation in pixels of a picture 64 pixels wide.
        noise: standard deviation in grey levels.
        resolution: share of the pixels a side that the camera had, enlarged afterwards.
        jpeg: quality; 100 leaves the picture as it is.
        grey: a picture without colour.
        seed: of background and noise.

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
    distance: float = 14.0
    light: tuple[float, float] = (-0.4, -0.5)
    contrast: float = 0.5
    softness: float = 0.5
    exposure: float = 1.0
    furrows: float = 1.0
    mouth_light: float = 1.0
    warmth: float = 0.0
    saturation: float = 1.0
    steepness: float = 0.0
    background: tuple[tuple[int, int, int], tuple[int, int, int]] = ((150, 160, 170), (110, 120, 135))
    clothes: tuple[int, int, int] = (70, 80, 100)
    occlusion: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    resolution: float = 1.0
    jpeg: int = 100
    grey: bool = False
    seed: int = 0

    def __post_init__(self):
        if not self.distance >= 4:
            raise ValueError(f"distance: expected 4 eye distances or more, got {self.distance}")
        unknown = set(self.action_units) - set(ACTION_UNITS) - set(OTHER_UNITS)
        if unknown:
            choices = ", ".join([*ACTION_UNITS, *OTHER_UNITS])
            raise ValueError(
                f"action_units: unknown {', '.join(sorted(unknown))}; expected names from {choices}"
            )
