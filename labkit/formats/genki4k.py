"""GENKI-4K: 4,000 photographs with a table of smiles and head poses."""

import re

import numpy as np

from labkit.formats.reading import Reading, WrongLayout, basenames, photo_and_face
from labkit.labels import POSES, SMILES

PIXELS = 96  # the usual photograph is 180x192, the labs train at 64: half as much again leaves room to crop
PICTURE = re.compile(r"(?:^|/)files/file(\d+)\.jpe?g$", re.IGNORECASE)
TURNED_RADIANS = 0.25  # about 14 degrees: beyond it one cheek is visibly narrower; a quarter of GENKI-4K


def read(files, track=iter) -> Reading:
    """`files/file0001.jpg` ... beside `labels.txt`, whose line N is `smile yaw pitch roll` of picture N.

    Or the whole GENKI-R2009a release, whose `GENKI-4K_Images.txt` names the picture of each line of
    `GENKI-4K_Labels.txt`; its other pictures are left out.

    Returns:
        A `Reading` with the targets smile (not smiling, smiling) and pose (frontal, turned: yaw beyond 0.25
        radians to either side).

    Raises:
        WrongLayout: where the pictures or their labels are missing.
        ValueError: where a line is not as above, or pictures and lines do not match.
    """
    pictures = {}
    for name in files.sizes:
        if match := PICTURE.search(name):
            pictures[int(match[1])] = name
    lists = {name.split("/")[-1].lower(): name for name in files.ending(".txt")}
    named = [lists.get(f"genki-4k_{what}.txt") for what in ("images", "labels")]
    if pictures and all(named):
        table, members = named[1], _members_of_list(files, *named, pictures.values())
    elif pictures and "labels.txt" in lists:
        table, members = lists["labels.txt"], _members_by_number(files, lists["labels.txt"], pictures)
    else:
        missing = "labels.txt" if pictures else "files/file0001.jpg ..."
        raise WrongLayout(f"expected files/file0001.jpg ... and labels.txt, but there is no {missing}")
    poses = np.array(
        [_genki_line(f"{table} line {i}", line) for i, line in enumerate(_lines(files, table), 1)]
    )
    others = len(pictures) - len(members)
    return Reading(
        layout="as downloaded",
        names=basenames(members),
        targets={
            "smile": poses[:, 0].astype(np.int64),
            "pose": (np.abs(poses[:, 1]) > TURNED_RADIANS).astype(np.int64),
        },
        classes={"smile": SMILES, "pose": POSES},
        views={"photo": (PIXELS, 3), "face": (PIXELS, 3)},
        files=files,
        pictures=np.array(members),
        render=photo_and_face(PIXELS),
        detected=("face",),
        notes=[f"{others:,} pictures of other subsets are left out"] if others else [],
    )


def _lines(files, table):
    return [line for line in files.text(table).splitlines() if line.strip()]


def _members_by_number(files, table, pictures):
    """The picture of each line of `labels.txt`, by its number."""
    n = len(_lines(files, table))
    for number in sorted(set(range(1, n + 1)) ^ set(pictures)):
        problem = "has no line in labels.txt"
        if number not in pictures:
            problem = f"is missing, labels.txt has {n} lines"
        raise ValueError(f"{files.path}: file{number:04d}.jpg {problem}; download GENKI-4K again")
    return [pictures[number] for number in sorted(pictures)]


def _members_of_list(files, images, labels, pictures):
    """The picture of each line of the list of images, by its name."""
    by_name = {name.split("/")[-1].lower(): name for name in pictures}
    names = [line.strip() for line in _lines(files, images)]
    n = len(_lines(files, labels))
    if len(names) != n:
        raise ValueError(f"{files.path}: {images} names {len(names)} pictures, {labels} has {n} lines")
    for name in names:
        if name.lower() not in by_name:
            raise ValueError(f"{files.path}: {name}, named in {images}, is missing; download GENKI again")
    return [by_name[name.lower()] for name in names]


def _genki_line(where, line):
    try:
        values = [float(part) for part in line.split()]
    except ValueError:
        values = []
    if len(values) != 4 or values[0] not in (0, 1) or not np.isfinite(values).all():
        shown = " ".join(line.split())[:60]
        raise ValueError(f"{where}: '{shown}', expected 'smile yaw pitch roll' with smile 0 or 1")
    return values
