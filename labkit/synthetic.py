"""The built-in faces: modelled, lit and photographed here, seeded, labelled, with nothing to download.
Taught in notebook 00, how they are rendered in notebook 01.

`sample_identity` draws the lot of a person, `sample` that of one picture (`FaceParameters`), `draw` renders
it, `make` renders many and labels them. Labels follow from what was drawn: emotions from their usual action
units, a smile from the lip corner puller, attributes and groups from the identity.
"""

import os
import zlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from labkit.drawn import camera, head, people, pictures
from labkit.drawn.face import draw, worn
from labkit.drawn.parameters import FaceParameters, Identity
from labkit.drawn.people import sample_identity
from labkit.drawn.pictures import CODED, MIXED, PROTOTYPES, SMILE, sample, sample_emotion
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
    POSES,
    SMILES,
)

__all__ = [
    "ACTION_UNITS",
    "CODED",
    "EMOTIONS",
    "PROTOTYPES",
    "SMILE",
    "FaceParameters",
    "Identity",
    "draw",
    "labels",
    "landmarks",
    "make",
    "parameters",
    "sample",
    "sample_emotion",
    "sample_identity",
    "sequence",
    "sheet",
]

# Raised when other faces are drawn, or labels follow from them in another way: kept rows belong to a version.
VERSION = 3
PICTURES_A_SUBJECT = 5
TURNED = 0.26  # radians, 15 degrees, of yaw or pitch: from here on a face counts as turned
ALONE, TOGETHER = 200, 50  # so many pictures are drawn by one process; more are shared out, so many at a time
CLASSES = {
    "smile": SMILES,
    "emotion": EMOTIONS,
    "high_level_emotion": HIGH_LEVEL,
    "action_units": tuple(ACTION_UNITS),
    "pose": POSES,
    **{name: classes for name, classes in (ATTRIBUTES | GROUPS).items() if name != "not_human"},
}
LANDMARKS = {  # name -> where on the mean head, x and y in eye distances; "*" = left and right in the picture
    "brow_inner_*": (0.18, 0.25), "brow_middle_*": (0.52, 0.34), "brow_outer_*": (0.90, 0.23),
    "eye_inner_*": (0.31, -0.03), "eye_outer_*": (0.69, 0.02), "upper_lid_*": (0.50, 0.085),
    "lower_lid_*": (0.50, -0.105), "nose_wing_*": (0.24, -0.60), "mouth_corner_*": (0.36, -1.02),
    "nose_bridge": (0.0, 0.0), "nose_tip": (0.0, -0.52), "upper_lip_top": (0.0, -0.89),
    "upper_lip": (0.0, -0.99), "lower_lip": (0.0, -1.03), "lower_lip_bottom": (0.0, -1.19), "chin": (0.0,
-1.66), }  # fmt: skip


def make(
    n: int,
    size: int = 64,
    colour: bool = True,
    seed: int = 0,
    subjects=None,
    progress: bool = False,
    drawn=None,
    shares: Mapping | None = None,
    without=(),
) -> FaceSet:
    """`n` built-in faces with every label that the labs use. Image i depends on `seed`, i and its person,
    never on `n`. Many are drawn on all cores.

    Args:
        n: how many, 1 or more.
        size: pixels a side, 32 to 512.
        colour: False makes grey images, of one channel.
        seed: of people and pictures.
        subjects: names of the people, taken in turn; by default a new person after every five pictures. A
            name looks the same wherever it stands, for one `seed`.
        progress: show a bar.
        drawn: uint8 (m, size, size, 3), the first images as an earlier call with these options drew them:
            they are not drawn again.
        shares: group -> class -> how frequent, such as {"skin": {"light": 0.95, "dark": 0.05}}, for a set
            that is short of somebody; groups and classes as in `drawn.people.SHARES`, even by default.
        without: ingredients of the pictures to leave out, of `drawn.pictures.INGREDIENTS`, such as "teeth".

    Returns:
        A `FaceSet` with images uint8 (n, size, size, 3), or (n, size, size, 1) without `colour`, and the
        targets `smile` (2 classes), `emotion` (7, in FER2013's order; -1 where the action units make none of
        them), `high_level_emotion` (negative, positive, surprise; -1 for neutral and none), `action_units`
        float32 (n, 15) with `intensities`, `pose` (frontal, turned by 15 degrees or more), and the
        attributes and groups `wrinkles`, `freckles`, `glasses`, `hair_colour` (-1 under a scarf), `hair_top`,
        `skin`, `age`, `sex`, `beard`.

    Raises:
        ValueError: where n is below 1, size outside 32 to 512, subjects empty, or a share not one.

    Example:
        >>> make(10, size=64).images.shape
        (10, 64, 64, 3)
    """
    every, names, emotions = _sampled(n, seed, subjects, shares, without)
    known = min(n, 0 if drawn is None else len(drawn))
    images = np.empty((n, size, size, 3), np.uint8)
    images[:known] = drawn[:known] if known else 0
    for first, block in _draw_all(every[known:], size, progress):
        images[known + first : known + first + len(block)] = block
    faces = _labelled(images, every, emotions, names, f"built-in faces, seed {seed}")
    return faces if colour else faces.grey()


def parameters(
    n: int, seed: int = 0, subjects=None, shares: Mapping | None = None, without=()
) -> list[FaceParameters]:
    """What `make` draws with these arguments: pose, gaze, light, intensities of every picture, unrounded."""
    return _sampled(n, seed, subjects, shares, without)[0]


def sequence(
    identity: Identity, action_units: Mapping, n: int = 16, size: int = 64, seed: int = 0
) -> FaceSet:
    """A face that moves from rest to its apex: `n` frames, labelled one by one.

    Args:
        identity: whose face.
        action_units: intensity of each at the apex, 0 to 1.
        n: frames, 2 or more; the first is at rest, the last the apex.
        size: pixels a side.
        seed: of pose, light and camera, which stay as they are.
    Raises:
        ValueError: for fewer than two frames.
    """
    if n < 2:
        raise ValueError(f"n: expected at least 2 frames, got {n}")
    plain = sample(np.random.default_rng([seed, 9]), identity, "neutral")
    onset = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, n))  # slow, fast, slow
    moving = [{name: float(amount * share) for name, amount in action_units.items()} for share in onset]
    every = [replace(plain, action_units=units) for units in moving]
    images = np.concatenate([block for _, block in _draw_all(every, size, False)])
    return _labelled(
        images, every, [MIXED] * n, ["person00000"] * n, f"a built-in face in motion, seed {seed}"
    )


def _sampled(n, seed, subjects, shares, without=()):
    """Parameters, person's name and emotion of each picture."""
    if n < 1:
        raise ValueError(f"n: expected at least 1 face, got {n}")
    people.check_shares(shares or {})
    names = _subjects(n, subjects)
    known = {name: _person(seed, name, shares) for name in dict.fromkeys(names)}
    every, emotions = [], []
    for i, name in enumerate(names):
        rng = np.random.default_rng([seed, i, 7])  # the third number keeps pictures and people apart
        emotions.append(sample_emotion(rng))
        every.append(pictures.without(sample(rng, known[name], emotions[-1]), without))
    return every, names, emotions


def _labelled(images, every, emotions, names, source) -> FaceSet:
    rows = [labels(parameters, emotion) for parameters, emotion in zip(every, emotions)]
    targets = {
        name: np.array([row[name] for row in rows], np.float32 if name == "action_units" else np.int64)
        for name in CLASSES
    }
    strengths = [[letter(p.action_units.get(unit, 0.0)) for unit in ACTION_UNITS] for p in every]
    return FaceSet(
        images=images,
        targets=targets,
        classes=dict(CLASSES),
        intensities={"action_units": np.array(strengths, np.float32)},
        subjects=np.array(names),
        names=np.array([f"face{i:06d}.png" for i in range(len(every))]),
        source=source,
    )


def _draw_all(every, size, progress):
    """Yield (index of the first, images) of blocks of pictures, drawn on all cores where there are many."""
    from tqdm.auto import tqdm

    blocks = [(i, every[i : i + TOGETHER]) for i in range(0, len(every), TOGETHER)]
    with tqdm(total=len(every), desc="drawing faces", unit="face", disable=not progress) as bar:
        for first, images in _drawn_blocks(blocks, size, len(every)):
            bar.update(len(images))
            yield first, images


def _drawn_blocks(blocks, size, n):
    cores = min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, n // ALONE
    )
    if cores < 2:
        for block in blocks:
            yield _draw_block(*block, size)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=cores, return_as="generator_unordered")
    yield from parallel(delayed(_draw_block)(*block, size) for block in blocks)


def _draw_block(first, every, size):
    return first, np.stack([draw(parameters, size) for parameters in every])


def _subjects(n, subjects):
    if subjects is None:
        return [f"person{i // PICTURES_A_SUBJECT:05d}" for i in range(n)]
    if len(subjects) == 0:
        raise ValueError("subjects: expected at least one name, got none")
    return [str(subjects[i % len(subjects)]) for i in range(n)]


def _person(seed, name, shares=None):
    """The person who has this name in all pictures of one `seed`."""
    return sample_identity(np.random.default_rng([seed, zlib.crc32(name.encode())]), shares)


def letter(intensity: float) -> int:
    """An intensity 0 to 1 as coders write it: 0 not coded, 1 to 5 for A to E."""
    return 0 if intensity < CODED else min(5, 1 + int((intensity - CODED) / ((1 - CODED) / 5)))


def labels(parameters: FaceParameters, emotion: str = MIXED) -> dict:
    """What `parameters` are labelled as: target -> class index; `action_units` -> list of fifteen 0 or 1."""
    who = parameters.identity
    units = {name: float(parameters.action_units.get(name, 0) >= CODED) for name in ACTION_UNITS}
    colour = UNLABELLED if who.hair_top == "scarf" else HAIR_COLOURS.index(who.hair_colour)
    return {
        "smile": int(parameters.action_units.get("AU12", 0.0) >= SMILE),
        "emotion": _index(EMOTIONS, emotion),
        "high_level_emotion": _index(HIGH_LEVEL, HIGH_LEVEL_OF.get(emotion)),
        "action_units": list(units.values()),
        "pose": int(max(abs(parameters.yaw), abs(parameters.pitch)) >= TURNED),
        "wrinkles": int(who.wrinkles >= 0.35),
        "freckles": int(who.freckles > 0),
        "glasses": int(who.glasses != "none"),
        "hair_colour": colour,
        "hair_top": HAIR_TOPS.index(who.hair_top),
        "skin": int(np.searchsorted((0.35, 0.68), who.skin)),
        "age": int(who.age >= 0.5),
        "sex": int(who.masculine >= 0.5),
        "beard": int(who.beard != "none"),
    }


def _index(classes, label):
    return classes.index(label) if label in classes else UNLABELLED


def landmarks(parameters: FaceParameters, size: int = 64) -> dict[str, tuple[float, float]]:
    """Where points of the face lie in the picture: name -> x, y in pixels of a picture of this size."""
    person, shape = worn(parameters.identity).person, head.load()
    view = camera.View.of(parameters, person.eyes, size)
    pixels = view.project(person.moved(parameters.action_units, parameters.asymmetry))[0]
    flesh = np.unique(shape.triangles[shape.part == 0])
    front = flesh[shape.mean[flesh, 2] > -0.3]
    found = {}
    for name, (x, y) in LANDMARKS.items():
        for word, side in (("left", -1), ("right", 1)) if "*" in name else (("", 1),):
            apart = ((shape.mean[front, :2] - (side * x, y)) ** 2).sum(1)
            found[name.replace("*", word)] = tuple(map(float, pixels[front[apart.argmin()]]))
    return found


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
