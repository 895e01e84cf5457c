"""Pictures sorted into folders, each named as its class."""

import numpy as np

from labkit.faces import resize
from labkit.formats import archives, decoding
from labkit.formats.reading import Reading, WrongLayout, basenames, photo_and_face
from labkit.labels import EMOTIONS, SMILES, meant, plain

PIXELS = 96
KNOWN_CLASSES = {  # folders with these names, or their synonyms, mean these targets
    "emotion": (*EMOTIONS, "contempt"),
    "smile": SMILES,
}
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "val", "valid", "validate", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}


def read(files, track=iter) -> Reading:
    """Pictures sorted into folders, each named as its class: `happy/anna.jpg`, `sad/ben.png`, at any depth.

    Folders `train`, `validation` and `test` above them, or as they are else called, are the split. Folders
    that are named 0 to 6 mean FER2013's codes. Both the whole picture and the face are kept. Pictures that
    lie beside the folders, or cannot be read, are left out and counted. In a picture of fewer than 96 pixels
    no face is looked for: it is one.

    Returns:
        A `Reading` with the target emotion where every folder means one of its seven or contempt, smile where
        they mean `smiling` and `not smiling`, else class, with the folders' names in natural order; without a
        target where there are pictures alone, in no folder.

    Raises:
        WrongLayout: where no picture lies in a folder and other files lie beside them.
    """
    pictures = files.ending(*decoding.ENDINGS)
    parents = {name.rpartition("/")[0] for name in pictures}
    above = {folder.rpartition("/")[0] for folder in parents}  # folders of folders are no classes
    members = [name for name in pictures if "/" in name and name.rpartition("/")[0] not in above]
    if not members and len(pictures) < max(len(files.sizes), 1):
        raise WrongLayout(
            "expected folders named as their class with pictures in them: happy/anna.jpg ... sad/ben.png"
        )
    if not members:  # nothing but pictures
        note = "no folders of classes: pictures without labels"
        return Reading(layout="pictures", targets={}, classes={}, notes=[note], **_pictures(files, pictures))
    beside = sorted(set(pictures) - set(members))
    target, classes, labels, notes = _labelled([member.split("/")[-2] for member in members])
    parts = [plain(member.split("/")[-3]) if member.count("/") > 1 else "" for member in members]
    split = np.array([SPLITS[name] for name in parts]) if set(parts) <= set(SPLITS) else None
    return Reading(
        layout="folders of classes",
        targets={target: labels},
        classes={target: classes},
        split=split,
        notes=notes,
        left_out=dict.fromkeys(beside, "lies beside the folders of classes"),
        **_pictures(files, members),
    )


def _pictures(files, members) -> dict:
    """The fields of a `Reading` that are the same with and without labels."""
    return {
        "names": basenames(members),
        "views": {"face": (PIXELS, 3), "photo": (PIXELS, 3)},
        "files": files,
        "pictures": np.array(members),
        "render": _render,
        "detected": ("face",),
        "can_lack": True,
    }


def _render(picture):
    """The picture and the face in it; one that is smaller than what is kept was cut out before."""
    if min(picture.shape[:2]) >= PIXELS:
        return photo_and_face(PIXELS)(picture)
    return {"photo": resize(picture, PIXELS), "face": decoding.middle(picture, PIXELS)}, True


def _labelled(folders):
    """Target, its classes, int64 (N,) class indices, and notes, of the folders' names."""
    found = sorted(set(folders), key=archives.natural_key)
    if set(found) == set(map(str, range(len(EMOTIONS)))):
        codes = ", ".join(f"{code} {emotion}" for code, emotion in enumerate(EMOTIONS))
        labels = np.array([int(folder) for folder in folders], np.int64)
        return "emotion", EMOTIONS, labels, [f"folders 0 to 6 are taken for FER2013's codes: {codes}"]
    words = {folder: meant(folder) for folder in found}
    for target, known in KNOWN_CLASSES.items():
        if set(words.values()) <= set(known):
            classes = known if "contempt" in words.values() or target != "emotion" else EMOTIONS
            break
    else:
        target, words = "class", {folder: folder.lower() for folder in found}
        classes = tuple(dict.fromkeys(words.values()))
    labels = np.array([classes.index(words[folder]) for folder in folders], np.int64)
    renamed = [f"{folder} = {word}" for folder, word in words.items() if folder.lower() != word]
    return target, classes, labels, [f"folders read as {', '.join(renamed)}"] if renamed else []
