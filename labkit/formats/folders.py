"""Pictures sorted into folders, each named as its class."""

import numpy as np

from labkit.formats import archives, decoding
from labkit.formats.reading import Reading, WrongLayout, basenames, photo_and_face
from labkit.labels import EMOTIONS, SMILES

PIXELS = 96
KNOWN_CLASSES = {"emotion": EMOTIONS, "smile": SMILES}  # folders with these names mean these targets


def read(files, track=iter) -> Reading:
    """Pictures sorted into folders, each named as its class: `happy/anna.jpg`, `sad/ben.png`, at any depth.

    Both the whole picture and the face are kept.

    Returns:
        A `Reading` with the target emotion where every folder is one of its seven, smile where they are
        `smiling` and `not smiling`, else class, with the folders' names in natural order.

    Raises:
        WrongLayout: where no picture lies in a folder.
    """
    members = [name for name in files.ending(*decoding.ENDINGS) if "/" in name]
    if not members:
        raise WrongLayout(
            "expected folders named as their class with pictures in them: happy/anna.jpg ... sad/ben.png"
        )
    folders = [member.split("/")[-2].lower() for member in members]
    found = sorted(set(folders), key=archives.natural_key)
    target = next((name for name, known in KNOWN_CLASSES.items() if set(found) <= set(known)), "class")
    classes = KNOWN_CLASSES.get(target, tuple(found))
    return Reading(
        layout="folders of classes",
        names=basenames(members),
        targets={target: np.array([classes.index(folder) for folder in folders], np.int64)},
        classes={target: classes},
        views={"face": (PIXELS, 3), "photo": (PIXELS, 3)},
        files=files,
        pictures=np.array(members),
        render=photo_and_face(PIXELS),
        detected=("face",),
    )
