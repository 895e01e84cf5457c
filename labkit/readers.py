"""One reader a format: each finds its layout among the files and returns a `Reading`; none decodes a picture or writes.

A reader checks every label and says in one line what is wrong, and where. `labkit.datasets` does the rest. Notebook 01 writes
one such reader out.
"""

import csv
import io
import re
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from labkit import archives, attribute_tables, pictures
from labkit.anatomy import ACTION_UNITS
from labkit.faces import UNLABELLED

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # FER2013's codes 0 to 6
USAGES = {"Training": "train", "PublicTest": "public_test", "PrivateTest": "private_test"}
FER_PIXELS = 48

PHOTO_PIXELS = 96  # GENKI-4K's usual photograph is 180x192, the labs train at 64: half as much again leaves room to crop
TURNED_RADIANS = 0.25  # about 14 degrees: beyond it one cheek is visibly narrower; a quarter of GENKI-4K

CK_PIXELS = 300  # the size of the published report's crops
CK_UNITS = tuple(ACTION_UNITS)  # in the order of CK+'s table
CK_EMOTIONS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
HIGH_LEVEL = ("negative", "positive", "surprise")
HIGH_LEVEL_OF = dict.fromkeys(CK_EMOTIONS, "negative") | {"happy": "positive", "surprise": "surprise"}
FRAME = re.compile(r"/(S\d{3})_(\d{3})_(\d{8})\.\w+$")
CkRow = namedtuple("CkRow", "where subject sequence number units emotion names")

ATTRIBUTE_PIXELS = 200  # as in the published report

SMILES = ("not smiling", "smiling")
KNOWN_CLASSES = {"emotion": EMOTIONS, "smile": SMILES}  # folders with these names mean these targets


class WrongLayout(ValueError):
    """The files are not laid out as this data set is; the message says what was expected."""


@dataclass(frozen=True)
class Reading:
    """What a reader found: labels of N images, and either the images or where each one's picture lies.

    pictures: N names in `files`, to be decoded; or `images`: uint8 (N, H, W, C), already decoded.
    views: view -> (pixels a side, channels). detected: those that `labkit.detect` cuts out.
    render: a decoded picture, uint8 (H, W, C) -> {view: image}, and whether a face was found (True where none is looked for).
    layout, targets, classes, subjects, names, split: as in `FaceSet`; notes: what the summary should say.
    """

    layout: str
    names: np.ndarray
    targets: dict[str, np.ndarray]
    classes: dict[str, tuple[str, ...]]
    views: dict[str, tuple[int, int]]
    files: archives.Files | None = None
    pictures: np.ndarray | None = None
    render: Callable | None = None
    images: np.ndarray | None = None
    subjects: np.ndarray | None = None
    split: np.ndarray | None = None
    detected: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def take(self, indices) -> "Reading":
        per_image = ("names", "pictures", "images", "subjects", "split")
        changed = {name: getattr(self, name)[indices] for name in per_image if getattr(self, name) is not None}
        return replace(self, targets={name: values[indices] for name, values in self.targets.items()}, **changed)


# How a decoded picture becomes the images of the views


def _photo_and_face(picture):
    face, found = pictures.face_crop(picture, PHOTO_PIXELS)
    return {"photo": pictures.resize(picture, PHOTO_PIXELS), "face": face}, found


def _large_face(picture):
    face, found = pictures.face_crop(picture, CK_PIXELS)
    return {"face": face}, found


def _large_photo(picture):
    return {"photo": pictures.resize(picture, ATTRIBUTE_PIXELS)}, True


def _exactly_48(picture):
    if picture.shape[:2] != (FER_PIXELS, FER_PIXELS):
        raise ValueError(f"the picture has {picture.shape[1]}x{picture.shape[0]} pixels, expected {FER_PIXELS}x{FER_PIXELS}")
    return {"face": picture}, True


# GENKI-4K


def read_genki4k(files, track=iter) -> Reading:
    """`files/file0001.jpg` ... beside `labels.txt`, whose line N is `smile yaw pitch roll` of picture N.

    targets: smile (not smiling, smiling); pose (frontal, turned: yaw beyond 0.25 radians to either side).
    """
    tables = [name for name in files.ending("labels.txt") if name.split("/")[-1].lower() == "labels.txt"]
    numbered = {int(match[1]): name for name in files.sizes if (match := re.search(r"(?:^|/)files/file(\d+)\.jpe?g$", name, re.IGNORECASE))}
    if not numbered or not tables:
        missing = "labels.txt" if numbered else "files/file0001.jpg ..."
        raise WrongLayout(f"expected files/file0001.jpg ... and labels.txt, but there is no {missing}")
    lines = [line.split() for line in files.text(tables[0]).splitlines() if line.strip()]
    poses = np.array([_genki_line(f"{tables[0]} line {i}", parts) for i, parts in enumerate(lines, 1)])
    for number in sorted(set(range(1, len(lines) + 1)) ^ set(numbered)):
        problem = "has no line in labels.txt" if number in numbered else f"is missing, labels.txt has {len(lines)} lines"
        raise ValueError(f"{files.path}: file{number:04d}.jpg {problem}; download GENKI-4K again")
    members = [numbered[number] for number in sorted(numbered)]
    return Reading(
        layout="as downloaded",
        names=_basenames(members),
        targets={"smile": poses[:, 0].astype(np.int64), "pose": (np.abs(poses[:, 1]) > TURNED_RADIANS).astype(np.int64)},
        classes={"smile": SMILES, "pose": ("frontal", "turned")},
        views={"photo": (PHOTO_PIXELS, 3), "face": (PHOTO_PIXELS, 3)},
        files=files,
        pictures=np.array(members),
        render=_photo_and_face,
        detected=("face",),
    )


def _genki_line(where, parts):
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if len(values) != 4 or values[0] not in (0, 1) or not np.isfinite(values).all():
        raise ValueError(f"{where}: '{' '.join(parts)[:60]}', expected 'smile yaw pitch roll' with smile 0 or 1")
    return values


# FER2013


def read_fer2013(files, track=iter) -> Reading:
    """A pixel table (`fer2013.csv`, `icml_face_data.csv`, or `train.csv` and `test.csv`), or folders `train|test/<class>/`.

    target: emotion, 7 classes in the order of FER2013's codes; split: train, public_test, private_test, or test where a
    table without labels doesn't tell the two apart.
    """
    by_name = {name.split("/")[-1].lower(): name for name in files.ending(".csv")}
    tables = [by_name[name] for name in ("fer2013.csv", "icml_face_data.csv") if name in by_name][:1]
    tables = tables or [by_name[name] for name in ("train.csv", "test.csv") if name in by_name]
    members = [
        name for name in files.ending(*pictures.ENDINGS) if name.count("/") >= 2 and name.split("/")[-3].lower() in ("train", "test")
    ]
    if tables:
        return _fer_tables(files, tables, track)
    if members:
        return _fer_folders(files, members)
    raise WrongLayout("expected fer2013.csv, icml_face_data.csv, train.csv, or folders train/angry ... test/surprise with pictures")


def _fer_tables(files, tables, track):
    names, emotions, split, images = [], [], [], []
    for table in tables:
        default = "Training" if table.lower().endswith("train.csv") else "test"
        for where, row in track(_rows(files, table, ["pixels"])):
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
        "views": {"face": (FER_PIXELS, 1)},
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
    if len(values) != FER_PIXELS**2:
        raise ValueError(f"{where}: {len(values)} pixels, expected {FER_PIXELS**2} ({FER_PIXELS}x{FER_PIXELS})")
    return np.frombuffer(values, np.uint8).reshape(FER_PIXELS, FER_PIXELS, 1)


def _fer_folders(files, members):
    rows = []
    for member in members:
        _, folder, name = member.split("/")[-3:]
        usage = name.split("_")[0]
        if folder.lower() not in EMOTIONS:
            raise ValueError(f"{files.path}: {member}: folder '{folder}', expected one of {', '.join(EMOTIONS)}")
        if usage not in USAGES:
            raise ValueError(f"{files.path}: {member}: expected a name {{{'|'.join(USAGES)}}}_N, which tells the official split")
        rows.append((list(USAGES).index(usage), archives.natural_key(name), member, EMOTIONS.index(folder.lower())))
    rows.sort(key=lambda row: row[:2])  # by split and number, so that the classes are mixed
    members = [row[2] for row in rows]
    labels = _fer_labels(_basenames(members), [row[3] for row in rows], [list(USAGES.values())[row[0]] for row in rows])
    return Reading(layout="folders", files=files, pictures=np.array(members), render=_exactly_48, **labels)


# CK+


def read_ckplus(files, track=iter) -> Reading:
    """CK+'s photographs with `data_labels.csv`, or the 48x48 copy CK+48 with or without that table, inside or beside it.

    Photographs: one a row of the table, grey, the face cropped to 300x300; targets high_level_emotion (negative, positive,
    surprise) and action_units float32 (N, 15). CK+48: also emotion (7 classes, one a folder); its action units are those of the
    row with the same subject and sequence, NaN where the table has none or is missing. subjects: S005 ...
    """
    frames = {name.split("/")[-1]: name for name in files.ending(*pictures.ENDINGS) if FRAME.search(name)}
    # In CK+ a picture's folder is its sequence's number, in CK+48 its emotion.
    small = [name for name in frames.values() if not name.split("/")[-2].isdecimal()]
    if not frames:
        raise WrongLayout("expected cohn-kanade-images/S005/001/S005_001_00000011.png ... or CK+48/anger/S010_004_00000017.png ...")
    rows = _ck_rows(files)
    if len(small) == len(frames):
        return _ck_small(files, small, rows)
    if not rows:
        raise ValueError(f"{files.path}: data_labels.csv is missing; put it into the folder or archive, or beside it")
    return _ck_photographs(files, frames, rows)


def _ck_rows(files):
    """Rows of `data_labels.csv`: subject, sequence, image number, action units (15,), emotion index, names that its picture may have."""
    inside, beside = files.ending("data_labels.csv"), files.path.absolute().parent / "data_labels.csv"
    needed = ["subject", "sequence", "image_index", "filepath", *CK_UNITS, "high_level_emotion"]
    if inside:
        return [_ck_row(where, row) for where, row in _rows(files, inside[0], needed)]
    if beside.is_file():
        with archives.open_files(beside) as other:
            return [_ck_row(where, row) for where, row in _rows(other, beside.name, needed)]
    return []


def _ck_row(where, row):
    units = [row[unit.lower()] for unit in CK_UNITS]
    if not set(units) <= {"0", "1", ""}:
        raise ValueError(f"{where}: action units must be 0 or 1, or empty (not coded), got {','.join(units)}")
    if row["high_level_emotion"] not in HIGH_LEVEL:
        raise ValueError(f"{where}: high_level_emotion '{row['high_level_emotion']}', expected one of {', '.join(HIGH_LEVEL)}")
    try:
        sequence, number = int(row["sequence"]), int(row["image_index"])
    except ValueError:
        raise ValueError(
            f"{where}: sequence and image_index must be whole numbers, got '{row['sequence']}', '{row['image_index']}'"
        ) from None
    file = row["filepath"].replace("\\", "/").split("/")[-1]
    names = [file, f"{row['subject']}_{sequence:03d}_{number:08d}.png"]
    units = [float(unit or "nan") for unit in units]
    return CkRow(where, row["subject"], sequence, number, units, HIGH_LEVEL.index(row["high_level_emotion"]), names)


def _ck_photographs(files, frames, rows):
    members = []
    for row in rows:
        name = next((name for name in row.names if name in frames), None)
        if name is None:
            raise ValueError(f"{files.path}: {row.names[0]}, named in {row.where}, is missing")
        members.append(frames[name])
    return Reading(
        layout="photographs",
        names=_basenames(members),
        targets={
            "high_level_emotion": np.array([row.emotion for row in rows], np.int64),
            "action_units": np.array([row.units for row in rows], np.float32),
        },
        classes={"high_level_emotion": HIGH_LEVEL, "action_units": CK_UNITS},
        views={"face": (CK_PIXELS, 1)},
        files=files,
        pictures=np.array(members),
        render=_large_face,
        detected=("face",),
        subjects=np.array([row.subject for row in rows]),
    )


def _ck_small(files, members, rows):
    emotions, units, subjects = [], [], []
    for member in members:
        subject, sequence, number = FRAME.search(member).groups()
        emotions.append(member.split("/")[-2].lower())
        if emotions[-1] not in CK_EMOTIONS:
            raise ValueError(f"{files.path}: {member}: folder '{emotions[-1]}', expected one of {', '.join(CK_EMOTIONS)}")
        subjects.append(subject)
        same = [row for row in rows if (row.subject, row.sequence) == (subject, int(sequence))]
        nearest = min(same, key=lambda row: abs(row.number - int(number)), default=None)
        units.append(nearest.units if nearest else [np.nan] * len(CK_UNITS))
    units = np.array(units, np.float32)
    return Reading(
        layout="CK+48",
        names=_basenames(members),
        targets={
            "emotion": np.array([CK_EMOTIONS.index(emotion) for emotion in emotions], np.int64),
            "high_level_emotion": np.array([HIGH_LEVEL.index(HIGH_LEVEL_OF[emotion]) for emotion in emotions], np.int64),
            "action_units": units,
        },
        classes={"emotion": CK_EMOTIONS, "high_level_emotion": HIGH_LEVEL, "action_units": CK_UNITS},
        views={"face": (FER_PIXELS, 1)},
        files=files,
        pictures=np.array(members),
        render=_exactly_48,
        subjects=np.array(subjects),
        notes=[f"{int(np.isnan(units).all(1).sum())} of {len(members)} images have no action units in data_labels.csv"],
    )


# Attributes


def read_attributes(files, track=iter) -> Reading:
    """Photographs with a table of attributes: our own, makesense.ai's or CelebA's, as `labkit.attribute_tables` states them.

    A table given alone names pictures in its own folder or below. targets: those of the six attributes that the table has; for
    CelebA also celeba float32 (N, 40), split and subjects where `list_eval_partition` and `identity_CelebA.txt` are there.
    CelebA may be a part: rows without a picture are left out and counted; any other table must be complete.
    """
    alone = len(files.sizes) == 1 and files.path.is_file() and files.path.name in files.sizes
    tables = list(files.sizes) if alone else files.ending(".csv", "list_attr_celeba.txt")
    tables = [name for name in tables if attribute_tables.layout_of(files.head(name))]
    if len(tables) != 1:
        found = f"found {', '.join(tables)}; give the one meant" if tables else "found none; data/README.md shows one"
        raise WrongLayout(f"expected one table of attributes, our own, makesense.ai's or CelebA's, with its photographs; {found}")
    table = attribute_tables.parse(files.text(tables[0]), tables[0])
    place = archives.folder_files(files.path.absolute().parent) if alone else files
    members = attribute_tables.find_pictures(place, tables[0], table.names)
    kept = [i for i, member in enumerate(members) if member]
    if len(kept) < len(members) and (table.layout != "celeba" or not kept):
        missing = table.names[members.index(None)]
        raise ValueError(f"{tables[0]}: {missing} and {len(members) - len(kept) - 1} more pictures are not in {place.path} or below it")
    left_out = [f"{len(members) - len(kept)} rows of the table have no picture here"] if len(kept) < len(members) else []
    reading = Reading(
        layout=table.layout,
        names=np.array(table.names),
        targets=table.targets,
        classes=table.classes,
        views={"photo": (ATTRIBUTE_PIXELS, 3)},
        files=place,
        pictures=np.array([member or "" for member in members]),
        render=_large_photo,
        notes=table.notes + left_out,
        **(attribute_tables.celeba_columns(place, table.names) if table.layout == "celeba" else {}),
    )
    return reading.take(np.array(kept, int))


# Folders of one's own


def read_folders(files, track=iter) -> Reading:
    """Pictures sorted into folders, each named as its class: `happy/anna.jpg`, `sad/ben.png`, at any depth.

    target: emotion where every folder is one of its seven, smile where they are `smiling` and `not smiling`, else class, with the
    folders' names in natural order. Both the whole picture and the face are kept.
    """
    members = [name for name in files.ending(*pictures.ENDINGS) if "/" in name]
    if not members:
        raise WrongLayout("expected folders named as their class with pictures in them: happy/anna.jpg ... sad/ben.png")
    folders = [member.split("/")[-2].lower() for member in members]
    found = sorted(set(folders), key=archives.natural_key)
    target = next((name for name, known in KNOWN_CLASSES.items() if set(found) <= set(known)), "class")
    classes = KNOWN_CLASSES.get(target, tuple(found))
    return Reading(
        layout="folders of classes",
        names=_basenames(members),
        targets={target: np.array([classes.index(folder) for folder in folders], np.int64)},
        classes={target: classes},
        views={"face": (PHOTO_PIXELS, 3), "photo": (PHOTO_PIXELS, 3)},
        files=files,
        pictures=np.array(members),
        render=_photo_and_face,
        detected=("face",),
    )


# What the readers share


def _rows(files, name, needed):
    """(where, row) of a CSV file with a header, read as a stream; columns and values stripped, column names in lower case."""
    line = 1
    try:
        with files.open(name) as stream:
            table = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""))
            columns = [column.strip().lower() for column in next(table, [])]
            if missing := [column for column in needed if column.lower() not in columns]:
                raise ValueError(f"{files.path}: {name} has no column {', '.join(missing)}; its first line is '{','.join(columns)[:80]}'")
            for values in table:
                line = table.line_num
                if len(values) == len(columns):
                    yield f"{name} line {line}", dict(zip(columns, map(str.strip, values)))
                elif values:
                    raise ValueError(f"{name} line {line}: {len(values)} values, expected {len(columns)} ({','.join(columns)[:80]})")
    except (csv.Error, UnicodeDecodeError, *archives.DAMAGE) as error:
        raise ValueError(f"{files.path}: {name} is not a CSV text file in UTF-8, after line {line} ({error})") from None


def _basenames(names):
    return np.array([name.split("/")[-1] for name in names])
