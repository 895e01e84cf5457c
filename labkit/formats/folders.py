"""Pictures sorted into folders, each named as its class."""

import unicodedata

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
    "public test": "public_test",
    "private test": "private_test",
}


def read(files, track=iter) -> Reading:
    """Pictures sorted into folders, each named as its class: `happy/anna.jpg`, `sad/ben.png`, at any depth.

    Folders `train`, `validation` and `test` above or below them, or as they are else called, are the split.
    Folders that are named 0 to 6 mean FER2013's codes. Both the whole picture and the face are kept. Pictures
    that lie beside the folders, or cannot be read, are left out and counted. In a picture of fewer than 96
    pixels no face is looked for: it is one.

    Returns:
        A `Reading` with the target emotion where every folder means one of its seven or contempt, smile where
        they mean `smiling` and `not smiling`, else class, with the folders' names in natural order; without a
        target where there are pictures alone, in no folder.

    Raises:
        WrongLayout: where no picture lies in a folder and other files lie beside them.
    """
    pictures = [name for name in files.sizes if _is_picture(files, name)]
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
    left_out = dict.fromkeys(sorted(set(files.sizes) - set(pictures)), "is no picture")
    left_out |= dict.fromkeys(sorted(set(pictures) - set(members)), "lies beside the folders of classes")
    level = _level_of_classes(members)
    target, classes, labels, notes = _labelled([_folder(member, level) for member in members])
    parts, others = _split_of(members, level)
    if len(classes) == 1:
        notes.append(f"all pictures lie in folders called {classes[0]}: one class")
    if others:
        notes.append(f"folders that are neither classes nor a split: {', '.join(others[:5])}")
    return Reading(
        layout="folders of classes",
        targets={target: labels},
        classes={target: classes},
        split=parts,
        notes=notes,
        left_out=left_out,
        **_pictures(files, members),
    )


def _is_picture(files, name) -> bool:
    """By its ending, or else by how it begins."""
    if name.lower().endswith(decoding.ENDINGS):
        return True
    if name.lower().endswith((".txt", ".csv", ".json", ".xml", ".zip", ".npy", ".py", ".md")):
        return False
    with files.open(name) as stream:
        return decoding.is_picture(stream.read(2**16))


def _folder(member, level) -> str:
    """The folder `level` above a picture, 1 = the one that it lies in; "" where there is none."""
    folders = member.split("/")[:-1]
    return unicodedata.normalize("NFC", folders[-level]) if level <= len(folders) else ""


def _is_split(folder) -> bool:
    return _part(folder) in SPLITS


def _part(folder) -> str:
    return plain(folder).removesuffix(" set").removesuffix(" data")


def _level_of_classes(members) -> int:
    """How far above the pictures the folders lie that name the classes: those right above, but the next ones
    where a split or people lie below classes that are known."""
    for level in (1, 2):
        words = {meant(_folder(member, level)) for member in members}
        if any(words <= set(known) for known in KNOWN_CLASSES.values()):
            return level
    below = {_folder(member, 1) for member in members}
    return 2 if all(map(_is_split, below)) and all(_folder(member, 2) for member in members) else 1


def _split_of(members, level):
    """The split, str (N,), where all pictures lie in a part of one, else None; and the names of folders above
    or below the classes that mean nothing."""
    others: dict[str, None] = {}
    for where in [other for other in (2, 1, 3) if other != level]:
        names = [_folder(member, where) for member in members]
        if all(map(_is_split, names)):
            return np.array([SPLITS[_part(name)] for name in names]), []
        if any(map(_is_split, names)) or where < level:
            others |= dict.fromkeys(name or "(none)" for name in names)
    return None, sorted(others)


def _pictures(files, members) -> dict:
    """The fields of a `Reading` that are the same with and without labels."""
    return {
        "names": basenames(members),
        "views": {"face": (PIXELS, 3), "photo": (PIXELS, 3)},
        "files": files,
        "pictures": np.array(members),
        "render": _render,
        "detected": ("face",),
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
