"""The built-in faces: drawn, seeded, labelled, with nothing to download. Taught in notebook 00.

`sample` draws the lot of one picture (`FaceParameters`), `draw` paints it, `make` paints many and labels
them. Labels follow from what was painted: emotions from their usual action units, a smile from the lip corner
puller, attributes from the identity.
"""

import zlib

import numpy as np

from labkit.drawn.anatomy import FaceParameters, Identity
from labkit.drawn.face import draw
from labkit.faces import UNLABELLED, FaceSet
from labkit.labels import (
    ACTION_UNITS,
    ATTRIBUTES,
    EMOTIONS,
    GROUPS,
    HAIR_COLOURS,
    HAIR_TOPS,
    HIGH_LEVEL,
    HIGH_LEVEL_OF,
    SMILES,
)

__all__ = [
    "ACTION_UNITS",
    "EMOTIONS",
    "PROTOTYPES",
    "FaceParameters",
    "Identity",
    "draw",
    "labels",
    "make",
    "sample",
    "sample_emotion",
    "sample_identity",
    "sheet",
]

# Raised when other faces are drawn, or labels follow from them in another way: kept rows belong to a version.
VERSION = 1
CODED = 0.2  # from this intensity on an action unit counts as present: trace movements are not coded
PICTURES_A_SUBJECT = 5
MIXED = "mixed"  # action units that make no basic emotion

# Usual action units of each emotion at full strength, after EMFACS (Friesen and Ekman 1983); a row a variant.
PROTOTYPES = {
    "angry": (
        {"AU4": 1.0, "AU7": 0.8, "AU23": 0.9, "AU24": 0.5, "AU17": 0.4},
        {"AU4": 1.0, "AU7": 0.8, "AU23": 0.7, "AU24": 0.9},
        {"AU4": 1.0, "AU7": 0.6, "AU5": 0.4, "AU10": 0.6, "AU25": 0.8, "AU16": 0.7, "AU26": 0.3},
    ),
    "disgust": (
        {"AU9": 1.0, "AU10": 0.7, "AU4": 0.5, "AU7": 0.7, "AU17": 0.6, "AU11": 0.5},
        {"AU9": 0.9, "AU10": 1.0, "AU4": 0.4, "AU7": 0.6, "AU25": 0.7, "AU11": 0.5, "AU6": 0.4},
    ),
    "fear": (
        {"AU1": 1.0, "AU2": 0.6, "AU4": 0.7, "AU5": 1.0, "AU20": 0.9, "AU25": 0.8},
        {"AU1": 1.0, "AU4": 0.6, "AU5": 0.9, "AU20": 0.7, "AU25": 0.8, "AU26": 0.5},
    ),
    "happy": (
        {"AU12": 1.0, "AU6": 0.9, "AU25": 0.9},
        {"AU12": 0.9, "AU6": 0.8, "AU25": 0.9, "AU26": 0.5},
        {"AU12": 0.9, "AU6": 0.6},
        {"AU12": 0.8, "AU25": 0.7},
    ),
    "sad": (
        {"AU1": 1.0, "AU4": 0.7, "AU15": 1.0, "AU17": 0.5},
        {"AU1": 0.8, "AU4": 0.4, "AU15": 0.9, "AU11": 0.5},
        {"AU4": 0.6, "AU15": 1.0, "AU17": 0.8, "AU6": 0.3},
    ),
    "surprise": (
        {"AU1": 1.0, "AU2": 1.0, "AU5": 0.8, "AU25": 0.9, "AU26": 0.9},
        {"AU1": 1.0, "AU2": 1.0, "AU5": 1.0, "AU25": 1.0, "AU27": 0.9},
    ),
    "neutral": ({},),
}
SHARES = {"happy": 0.26, MIXED: 0.20} | {name: 0.09 for name in EMOTIONS if name != "happy"}
SKIN_RANGES = ((0.0, 0.30), (0.40, 0.62), (0.74, 1.0))
BEARD_CHANCES = {"none": 0.42, "stubble": 0.18, "moustache": 0.1, "goatee": 0.1, "full": 0.2}
CLASSES = {
    "smile": SMILES,
    "emotion": EMOTIONS,
    "high_level_emotion": HIGH_LEVEL,
    "action_units": tuple(ACTION_UNITS),
    **{name: classes for name, classes in (ATTRIBUTES | GROUPS).items() if name != "not_human"},
}


def make(
    n: int,
    size: int = 64,
    colour: bool = True,
    seed: int = 0,
    subjects=None,
    progress: bool = False,
    drawn=None,
) -> FaceSet:
    """`n` built-in faces with every label that the labs use. Image i depends on `seed`, i and its subject's
    name, never on `n`.

    Args:
        n: how many, 1 or more.
        size: pixels a side, 32 to 256.
        colour: False makes grey images, of one channel.
        seed: of people and pictures.
        subjects: names of the people, taken in turn; by default a new person after every five pictures. A
            name looks the same wherever it stands, for one `seed`.
        drawn: uint8 (m, size, size, 3), the first images as an earlier call with these options drew them:
            they are not drawn again.

    Returns:
        A `FaceSet` with images uint8 (n, size, size, 3), or (n, size, size, 1) without `colour`, and the
        targets `smile` (2 classes), `emotion` (7, in FER2013's order; -1 where the action units make none of
        them), `high_level_emotion` (negative, positive, surprise; -1 for neutral and none), `action_units`
        float32 (n, 15), and the attributes and groups `wrinkles`, `freckles`, `glasses`, `hair_colour` (-1
        under a scarf), `hair_top`, `skin`, `age`, `beard`.

    Raises:
        ValueError: where n is below 1, size outside 32 to 256, or subjects empty.

    Example:
        >>> make(10, size=64).images.shape
        (10, 64, 64, 3)
    """
    if n < 1:
        raise ValueError(f"n: expected at least 1 face, got {n}")
    names = _subjects(n, subjects)
    people = {name: _person(seed, name) for name in dict.fromkeys(names)}
    images = np.empty((n, size, size, 3), np.uint8)
    known = min(n, 0 if drawn is None else len(drawn))
    if known:
        images[:known] = drawn[:known]
    rows = []
    for i in _counted(n, progress):
        rng = np.random.default_rng([seed, i, 7])  # the third number keeps pictures and people apart
        emotion = sample_emotion(rng)
        parameters = sample(rng, people[names[i]], emotion)
        if i >= known:
            images[i] = draw(parameters, size)
        rows.append(labels(parameters, emotion))
    targets = {}
    for name in CLASSES:
        dtype = np.float32 if name == "action_units" else np.int64
        targets[name] = np.array([row[name] for row in rows], dtype)
    faces = FaceSet(
        images=images,
        targets=targets,
        classes=dict(CLASSES),
        subjects=np.array(names),
        names=np.array([f"face{i:06d}.png" for i in range(n)]),
        source=f"built-in faces, seed {seed}",
    )
    return faces if colour else faces.grey()


def _subjects(n, subjects):
    if subjects is None:
        return [f"person{i // PICTURES_A_SUBJECT:05d}" for i in range(n)]
    if len(subjects) == 0:
        raise ValueError("subjects: expected at least one name, got none")
    return [str(subjects[i % len(subjects)]) for i in range(n)]


def _person(seed, name):
    """The person who has this name in all pictures of one `seed`."""
    return sample_identity(np.random.default_rng([seed, zlib.crc32(name.encode())]))


def _counted(n, progress):
    """0 to n - 1, with a progress bar where it is asked for."""
    if not progress:
        return range(n)
    from tqdm.auto import tqdm

    return tqdm(range(n), desc="drawing faces", unit="face")


def labels(parameters: FaceParameters, emotion: str = MIXED) -> dict:
    """What `parameters` are labelled as: target -> class index; `action_units` -> list of fifteen 0 or 1."""
    who = parameters.identity
    units = {name: float(parameters.action_units.get(name, 0) >= CODED) for name in ACTION_UNITS}
    colour = UNLABELLED if who.hair_top == "scarf" else HAIR_COLOURS.index(who.hair_colour)
    return {
        "smile": int(units["AU12"]),
        "emotion": _index(EMOTIONS, emotion),
        "high_level_emotion": _index(HIGH_LEVEL, HIGH_LEVEL_OF.get(emotion)),
        "action_units": list(units.values()),
        "wrinkles": int(who.wrinkles >= 0.35),
        "freckles": int(who.freckles > 0),
        "glasses": int(who.glasses != "none"),
        "hair_colour": colour,
        "hair_top": HAIR_TOPS.index(who.hair_top),
        "skin": int(np.searchsorted((0.35, 0.68), who.skin)),
        "age": int(who.age >= 0.5),
        "beard": int(who.beard != "none"),
    }


def _index(classes, label):
    return classes.index(label) if label in classes else UNLABELLED


# One person. The order of the draws must stay: a seed's faces hang on it.


def sample_identity(rng: np.random.Generator) -> Identity:
    """One person at random: skin, age and attributes about balanced, proportions about those of adults."""

    def around(middle, deviation, reach=2.0):
        return middle + deviation * _bounded(rng.normal(), -reach, reach)

    old, masculine = rng.random() < 0.45, rng.random() < 0.5
    age = rng.uniform(0.55, 1.0) if old else rng.uniform(0.0, 0.42)
    skin = rng.uniform(*SKIN_RANGES[rng.integers(3)])
    wrinkled = rng.random() < (0.85 if old else 0.08)
    hair = _sample_hair(rng, old, masculine, skin)
    return Identity(
        skin=skin,
        age=age,
        wrinkles=rng.uniform(0.45, 0.9) if wrinkled else rng.uniform(0.0, 0.12),
        freckles=_sometimes(rng, 0.45 if skin < 0.65 else 0.15, 0.3, 1.0),
        glasses=_pick(rng, {"none": 0.6, "round": 0.18, "square": 0.19, "dark": 0.03}),
        beard=_pick(rng, BEARD_CHANCES) if masculine else "none",
        brow_thickness=around(1.15 if masculine else 0.8, 0.2),
        lip_fullness=around(0.9 if masculine else 1.08, 0.14) + 0.25 * skin,
        lip_colour=rng.uniform(0.0, 0.3) if masculine else rng.uniform(0.15, 1.0),
        lashes=rng.uniform(0.0, 0.35) if masculine else rng.uniform(0.35, 1.0),
        eye_size=around(0.96 if masculine else 1.06, 0.09),
        eye_tilt=around(0.01, 0.02),
        iris=_sample_iris(rng, skin),
        face_width=around(1.0, 0.045),
        jaw_width=around(1.07 if masculine else 0.97, 0.06),
        face_length=around(1.03 if masculine else 0.98, 0.035),
        nose_width=around(1.0 + 0.15 * skin, 0.10),
        nose_length=around(1.0, 0.05),
        mouth_width=around(1.0, 0.07),
        mouth_height=around(0.0, 0.025),
        brow_height=around(-0.015 if masculine else 0.02, 0.02),
        seed=int(rng.integers(2**31)),
        **hair,
    )


def _sample_hair(rng, old, masculine, skin):
    bald, scarf = (0.16, 0.03) if masculine else (0.05, 0.2)
    hair_top = _pick(rng, {"hair": 0.56, "bald": bald, "hat": 0.2, "scarf": scarf})
    grey = 0.9 if old else 0.02
    if skin < 0.35:
        colours = {"black": 0.22, "blond": 0.36, "brown": 0.42, "grey": grey}
    else:
        colours = {"black": 0.70, "blond": 0.06, "brown": 0.24, "grey": grey}
    colour = _pick(rng, colours)
    if masculine:
        styles = {"short": 0.5, "fringe": 0.1, "parted": 0.12, "curly": 0.15, "receding": 0.05, "long": 0.04}
        if old:
            styles["receding"] = 0.35
    else:
        styles = {"short": 0.08, "fringe": 0.22, "parted": 0.15, "curly": 0.2, "long": 0.45}
    hat_colour = tuple(int(v) for v in np.clip(rng.uniform(25, 210) + rng.normal(0, 36, 3), 10, 240))
    return {
        "hair_top": hair_top,
        "hair_colour": "bald" if hair_top == "bald" else colour,
        "hair_style": _pick(rng, styles),
        "hat": _pick(rng, {"beanie": 0.4, "cap": 0.4, "brim": 0.2}),
        "hat_colour": hat_colour,
    }


def _sample_iris(rng, skin):
    brown, light_brown = (72, 46, 28), (96, 66, 40)
    fair = {brown: 0.3, light_brown: 0.3, (86, 110, 130): 0.15, (110, 140, 165): 0.15, (92, 112, 78): 0.1}
    middle = _pick(rng, fair if skin < 0.35 else {brown: 0.67, light_brown: 0.33})
    return tuple(int(v) for v in np.clip(np.array(middle) + rng.normal(0, 8, 3), 15, 220))


# One picture


def sample_emotion(rng: np.random.Generator) -> str:
    """One of EMOTIONS, or "mixed": action units that make no basic emotion."""
    return _pick(rng, SHARES)


def sample(
    rng: np.random.Generator, identity: Identity | None = None, emotion: str | None = None
) -> FaceParameters:
    """The parameters of one picture at random.

    Args:
        identity: who is in the picture; None = a person at random.
        emotion: what it shows, one of EMOTIONS or "mixed"; None = one at random.

    Raises:
        ValueError: where the emotion is another.
    """
    who = identity or sample_identity(rng)
    emotion = emotion or sample_emotion(rng)
    if emotion not in SHARES:
        raise ValueError(f"emotion: expected one of {', '.join(SHARES)}, got '{emotion}'")
    turn = rng.normal(0, 1, 3)
    angle, reach = rng.uniform(-np.pi, 0.3), rng.uniform(0.1, 0.85)
    base = rng.uniform(30, 225)
    tints = np.clip(base + rng.normal(0, 16, (2, 3)) + rng.normal(0, 25, (2, 1)), 0, 255).astype(int)
    return FaceParameters(
        identity=who,
        action_units=sample_units(rng, emotion),
        asymmetry=_bounded(rng.normal(0, 0.35), -1, 1),
        gaze=tuple(np.clip(rng.normal(0, 0.35, 2), -1, 1).tolist()),
        yaw=_bounded(0.22 * turn[0], -0.6, 0.6),
        pitch=_bounded(0.12 * turn[1], -0.3, 0.3),
        roll=_bounded(0.06 * turn[2], -0.2, 0.2),
        zoom=float(rng.uniform(0.84, 1.08)),
        shift=tuple(rng.normal(0, 0.018, 2).tolist()),
        light=(float(reach * np.cos(angle)), float(reach * np.sin(angle))),
        contrast=float(rng.uniform(0.25, 0.85)),
        exposure=_bounded(rng.normal(0.92 + 0.35 * who.skin, 0.14), 0.6, 1.6),  # cameras meter the face
        warmth=float(rng.normal(0, 0.5)),
        background=tuple(tuple(row) for row in tints.tolist()),
        clothes=tuple(np.clip(rng.uniform(20, 220) + rng.normal(0, 30, 3), 0, 255).astype(int).tolist()),
        occlusion=_sometimes(rng, 0.06, 0.1, 0.35),
        blur=_sometimes(rng, 0.45, 0.3, 1.0),
        noise=_sometimes(rng, 0.6, 1, 6),
        jpeg=int(rng.integers(30, 96)) if rng.random() < 0.6 else 100,
        seed=int(rng.integers(2**31)),
    )


def sample_units(rng: np.random.Generator, emotion: str) -> dict[str, float]:
    """Intensities of the action units that show `emotion`, subtle or strong, varied as people vary."""
    units = {}
    for name in ("AU1", "AU2", "AU4", "AU7", "AU12", "AU15"):
        if rng.random() < 0.15:
            units[name] = rng.uniform(0.02, 0.12)
    if emotion == MIXED:
        return units | _mixed_units(rng)
    variants = PROTOTYPES[emotion]
    strong = rng.beta(2.2, 1.4)  # 0 subtle to 1 full
    for name, full in variants[rng.integers(len(variants))].items():
        if full > 0.6 or rng.random() < 0.75:
            units[name] = _bounded(full * (0.35 + 0.65 * strong) * rng.uniform(0.8, 1.15), CODED + 0.06, 1)
    if emotion == "surprise" and rng.random() < 0.25:
        units["AU12"] = rng.uniform(0.3, 0.6)
    if emotion == "happy" and rng.random() < 0.15:
        units["AU14"] = rng.uniform(0.4, 1.0)
    if emotion in ("neutral", "angry", "sad") and rng.random() < 0.06:
        units["AU43"] = rng.uniform(0.4, 1.0)
    if emotion == "neutral" and rng.random() < 0.25:  # speech
        units["AU25"] = rng.uniform(0.3, 0.8)
        if rng.random() < 0.4:
            units["AU26"] = rng.uniform(0.25, 0.5)
    return {name: float(value) for name, value in units.items()}


def _mixed_units(rng):
    """A few action units that move together by chance, rare ones rather than common; most with a smile, as
    half of all pictures."""
    smiling = rng.random() < 0.85
    numbers = [14, 17, 23, 24, 11, 25, 1, 2, 4, 7, 6, 26, 5, 10]
    if not smiling:
        numbers += [15, 20, 14, 24, 23]
    units = {}
    for number in rng.choice(numbers, size=rng.integers(1, 5), replace=False):
        units[f"AU{number}"] = float(rng.uniform(0.35, 1.0))
    if smiling:
        units["AU12"] = float(rng.uniform(0.35, 1.0))
    return units


def _bounded(value, low, high):
    return float(min(max(value, low), high))


def _sometimes(rng, chance, low, high):
    """With this `chance` a number between `low` and `high`, else 0."""
    return float(rng.uniform(low, high)) if rng.random() < chance else 0.0


def _pick(rng, chances):
    """One key of `chances`, as likely as its value says."""
    left = rng.random() * sum(chances.values())
    for name, chance in chances.items():
        left -= chance
        if left < 0:
            return name
    return name


def sheet(images, columns: int = 10, gap: int = 2) -> np.ndarray:
    """Images of one size on white, row by row: uint8 (rows * (H + gap), columns * (W + gap), C)."""
    images = np.asarray(images)
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    page = np.full((rows * (height + gap), columns * (width + gap), channels), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        page[y : y + height, x : x + width] = image
    return page
