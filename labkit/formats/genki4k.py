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

    Returns:
        A `Reading` with the targets smile (not smiling, smiling) and pose (frontal, turned: yaw beyond 0.25
        radians to either side).

    Raises:
        WrongLayout: where the pictures or `labels.txt` are missing.
        ValueError: where a line is not as above, or pictures and lines do not match.
    """
    tables = [name for name in files.ending("labels.txt") if name.split("/")[-1].lower() == "labels.txt"]
    numbered = {}
    for name in files.sizes:
        if match := PICTURE.search(name):
            numbered[int(match[1])] = name
    if not numbered or not tables:
        missing = "labels.txt" if numbered else "files/file0001.jpg ..."
        raise WrongLayout(f"expected files/file0001.jpg ... and labels.txt, but there is no {missing}")
    lines = [line.split() for line in files.text(tables[0]).splitlines() if line.strip()]
    poses = np.array([_genki_line(f"{tables[0]} line {i}", parts) for i, parts in enumerate(lines, 1)])
    for number in sorted(set(range(1, len(lines) + 1)) ^ set(numbered)):
        problem = "has no line in labels.txt"
        if number not in numbered:
            problem = f"is missing, labels.txt has {len(lines)} lines"
        raise ValueError(f"{files.path}: file{number:04d}.jpg {problem}; download GENKI-4K again")
    members = [numbered[number] for number in sorted(numbered)]
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
    )


def _genki_line(where, parts):
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if len(values) != 4 or values[0] not in (0, 1) or not np.isfinite(values).all():
        raise ValueError(
            f"{where}: '{' '.join(parts)[:60]}', expected 'smile yaw pitch roll' with smile 0 or 1"
        )
    return values
