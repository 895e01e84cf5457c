"""FER2013: a table of pixels, or folders of pictures, with its official split."""

import numpy as np

from labkit.faces import UNLABELLED
from labkit.formats import archives, decoding
from labkit.formats.reading import Reading, WrongLayout, basenames, exactly, table_rows
from labkit.labels import EMOTIONS

USAGES = {"Training": "train", "PublicTest": "public_test", "PrivateTest": "private_test"}
PIXELS = 48


def read(files, track=iter) -> Reading:
    """FER2013 as a table of pixels, or as folders `train|test/<class>/` of pictures.

    The table is `fer2013.csv` or `icml_face_data.csv`, or else `train.csv` and `test.csv`.

    Args:
        files: `Files` of the download.
        track: gives on the rows of a table, and may count them for a progress bar.

    Returns:
        A `Reading` with the target emotion, 7 classes in the order of FER2013's codes, and the split: train,
        public_test, private_test, or test where a table without labels doesn't tell the two apart.

    Raises:
        WrongLayout: where there is neither.
        ValueError: where a row, a folder or a picture's name is not as FER2013 has it.
    """
    by_name = {name.split("/")[-1].lower(): name for name in files.ending(".csv")}
    tables = [by_name[name] for name in ("fer2013.csv", "icml_face_data.csv") if name in by_name][:1]
    tables = tables or [by_name[name] for name in ("train.csv", "test.csv") if name in by_name]
    members = []
    for name in files.ending(*decoding.ENDINGS):
        if name.count("/") >= 2 and name.split("/")[-3].lower() in ("train", "test"):
            members.append(name)
    if tables:
        return _fer_tables(files, tables, track)
    if members:
        return _fer_folders(files, members)
    raise WrongLayout(
        "expected fer2013.csv, icml_face_data.csv, train.csv, "
        "or folders train/angry ... test/surprise with pictures"
    )


def _fer_tables(files, tables, track):
    names, emotions, split, images = [], [], [], []
    for table in tables:
        default = "Training" if table.lower().endswith("train.csv") else "test"
        for where, row in track(table_rows(files, table, ["pixels"])):
            usage = row.get("usage", default)
            if usage not in (*USAGES, "test"):
                raise ValueError(f"{where}: Usage '{usage}', expected one of {', '.join(USAGES)}")
            names.append(f"{usage}_{len(names)}")
            split.append(USAGES.get(usage, usage))
            emotions.append(_code(where, row["emotion"]) if "emotion" in row else UNLABELLED)
            images.append(_pixels(where, row["pixels"]))
    if not images:
        raise ValueError(f"{files.path}: {tables[0]} has no rows; download it again")
    return Reading(layout="table", images=np.stack(images), **_fer_labels(names, emotions, split))


def _fer_labels(names, emotions, split):
    return {
        "names": np.array(names),
        "targets": {"emotion": np.array(emotions, np.int64)},
        "classes": {"emotion": EMOTIONS},
        "split": np.array(split),
        "views": {"face": (PIXELS, 1)},
    }


def _code(where, text):
    if text not in map(str, range(len(EMOTIONS))):
        raise ValueError(f"{where}: emotion '{text}', expected a code 0 to {len(EMOTIONS) - 1}")
    return int(text)


def _pixels(where, text):
    try:
        values = bytes(map(int, text.split()))
    except ValueError:
        raise ValueError(f"{where}: pixels must be whole numbers 0 to 255, separated by spaces") from None
    if len(values) != PIXELS**2:
        raise ValueError(f"{where}: {len(values)} pixels, expected {PIXELS**2} ({PIXELS}x{PIXELS})")
    return np.frombuffer(values, np.uint8).reshape(PIXELS, PIXELS, 1)


def _fer_folders(files, members):
    rows = []
    for member in members:
        _, folder, name = member.split("/")[-3:]
        usage = name.split("_")[0]
        if folder.lower() not in EMOTIONS:
            raise ValueError(
                f"{files.path}: {member}: folder '{folder}', expected one of {', '.join(EMOTIONS)}"
            )
        if usage not in USAGES:
            expected = f"a name {{{'|'.join(USAGES)}}}_N, which tells the official split"
            raise ValueError(f"{files.path}: {member}: expected {expected}")
        place = (list(USAGES).index(usage), archives.natural_key(name))
        rows.append((place, member, EMOTIONS.index(folder.lower()), USAGES[usage]))
    rows.sort(key=lambda row: row[0])  # by split and number, so that the classes are mixed
    _, members, emotions, split = zip(*rows)
    labels = _fer_labels(basenames(members), emotions, split)
    pictures = np.array(members)
    return Reading(layout="folders", files=files, pictures=pictures, render=exactly(PIXELS), **labels)
