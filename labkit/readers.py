"""One reader a format: each finds its layout among the files and returns a `Reading`; none decodes a picture or writes.

A reader checks every label and says in one line what is wrong, and where. `labkit.datasets` does the rest. Notebook 01 writes
one such reader out.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from labkit import archives, detect
from labkit.faces import UNLABELLED

PICTURES = (".jpg", ".jpeg", ".png")
MOST_PIXELS = 100_000_000  # a photograph of 100 megapixels takes 0.3 GB when decoded; what claims more is a bomb

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # FER2013's codes 0 to 6
USAGES = {"Training": "train", "PublicTest": "public_test", "PrivateTest": "private_test"}
FER_PIXELS = 48

PHOTO_PIXELS = 96  # GENKI-4K's usual photograph is 180x192, the labs train at 64: half as much again leaves room to crop
TURNED_RADIANS = 0.25  # about 14 degrees: beyond it one cheek is visibly narrower; a quarter of GENKI-4K

CK_PIXELS = 300  # the size of the published report's crops
CK_UNITS = tuple(f"AU{number}" for number in (17, 1, 2, 25, 27, 4, 7, 23, 24, 6, 12, 15, 14, 11, 26))  # the table's order
CK_EMOTIONS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
HIGH_LEVEL = ("negative", "positive", "surprise")
HIGH_LEVEL_OF = dict.fromkeys(CK_EMOTIONS, "negative") | {"happy": "positive", "surprise": "surprise"}

ATTRIBUTE_PIXELS = 200  # as in the published report
NO_YES = ("no", "yes")
ATTRIBUTES = {
    "wrinkles": NO_YES,
    "freckles": NO_YES,
    "glasses": NO_YES,
    "hair_colour": ("black", "blond", "brown", "grey", "bald"),
    "hair_top": ("hair", "bald", "hat", "scarf"),
    "not_human": NO_YES,
}
CELEBA_HAIR = {"Black_Hair": 0, "Blond_Hair": 1, "Brown_Hair": 2, "Gray_Hair": 3, "Bald": 4}
CELEBA_SPLITS = ("train", "validation", "test")


class WrongLayout(ValueError):
    """The files are not laid out as this data set is; the message says what was expected."""


@dataclass(frozen=True)
class Reading:
    """What a reader found: labels of N images, and either the images or where each one's picture lies.

    pictures: N names in `files`, to be decoded; or `images`: uint8 (N, H, W, C), already decoded.
    views: view -> (pixels a side, channels).
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
    notes: dict = field(default_factory=dict)

    def take(self, indices) -> "Reading":
        per_image = ("names", "pictures", "images", "subjects", "split")
        changed = {name: getattr(self, name)[indices] for name in per_image if getattr(self, name) is not None}
        return replace(self, targets={name: values[indices] for name, values in self.targets.items()}, **changed)


# Pictures


def decode(data, channels) -> np.ndarray:
    """A JPEG or PNG file's content as uint8 (H, W, channels), RGB or grey. Raises ValueError where it is cut off or damaged."""
    width, height = _picture_size(data)
    if width * height > MOST_PIXELS:
        raise ValueError(f"claims {width}x{height} pixels; refused above {MOST_PIXELS:,}")
    # OpenCV fills the missing part of a cut off picture with grey: look for the end marker, after the last scan's start.
    complete = data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") if data[:2] == b"\xff\xd8" else b"IEND" in data[-32:]
    mode = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), mode) if complete else None
    if picture is None:
        raise ValueError("the picture is cut off or damaged; download it again, or leave it out")
    return picture.reshape(*picture.shape[:2], channels)


def _picture_size(data):
    """(width, height) from the header, before anything is decoded."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    position = 2
    while data[:2] == b"\xff\xd8" and position + 9 < len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header, in any of JPEG's modes
            return int.from_bytes(data[position + 7 : position + 9], "big"), int.from_bytes(data[position + 5 : position + 7], "big")
        position += 1 if marker == 0xFF else 2 + length
    raise ValueError("not a JPEG or PNG picture, or cut off; download it again, or leave it out")


def resize(image, size) -> np.ndarray:
    """uint8 (H, W, C) -> (size, size, C): the mean over the area that each pixel covers; enlarged linearly."""
    if image.shape[:2] == (size, size):
        return image
    shrinks = image.shape[0] >= size and image.shape[1] >= size
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.reshape(size, size, -1)


def face_crop(picture, size):
    """The main face as `labkit.detect` crops it, and True; where none is found the centred square, and False."""
    face = detect.main_face(detect.find_faces(picture), picture.shape)
    if face is not None:
        return detect.crop_face(picture, face, size), True
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(picture[top : top + side, left : left + side], size), False


def _photo_and_face(picture):
    face, found = face_crop(picture, PHOTO_PIXELS)
    return {"photo": resize(picture, PHOTO_PIXELS), "face": face}, found


def _ck_face(picture):
    face, found = face_crop(picture, CK_PIXELS)
    return {"face": face}, found


def _attribute_photo(picture):
    return {"photo": resize(picture, ATTRIBUTE_PIXELS)}, True


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
    lines = [line.split() for line in _text(files, tables[0]).splitlines() if line.strip()]
    poses = np.array([_genki_line(f"{tables[0]} line {i}", parts) for i, parts in enumerate(lines, 1)])
    for number in sorted(set(range(1, len(lines) + 1)) ^ set(numbered)):
        problem = "has no line in labels.txt" if number in numbered else f"is missing, labels.txt has {len(lines)} lines"
        raise ValueError(f"{files.path}: file{number:04d}.jpg {problem}; download GENKI-4K again")
    pictures = [numbered[number] for number in sorted(numbered)]
    return Reading(
        layout="as downloaded",
        names=_basenames(pictures),
        targets={"smile": poses[:, 0].astype(np.int64), "pose": (np.abs(poses[:, 1]) > TURNED_RADIANS).astype(np.int64)},
        classes={"smile": ("not smiling", "smiling"), "pose": ("frontal", "turned")},
        views={"photo": (PHOTO_PIXELS, 3), "face": (PHOTO_PIXELS, 3)},
        files=files,
        pictures=np.array(pictures),
        render=_photo_and_face,
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
    pictures = [name for name in files.ending(*PICTURES) if name.count("/") >= 2 and name.split("/")[-3].lower() in ("train", "test")]
    if tables:
        return _fer_tables(files, tables, track)
    if pictures:
        return _fer_folders(files, pictures)
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


def _fer_folders(files, pictures):
    rows = []
    for picture in pictures:
        _, folder, name = picture.split("/")[-3:]
        usage = name.split("_")[0]
        if folder.lower() not in EMOTIONS:
            raise ValueError(f"{files.path}: {picture}: folder '{folder}', expected one of {', '.join(EMOTIONS)}")
        if usage not in USAGES:
            raise ValueError(f"{files.path}: {picture}: expected a name {{{'|'.join(USAGES)}}}_N, which tells the official split")
        rows.append((list(USAGES).index(usage), archives.natural_key(name), picture, EMOTIONS.index(folder.lower())))
    rows.sort(key=lambda row: row[:2])  # by split and number, so that the classes are mixed
    pictures = [row[2] for row in rows]
    labels = _fer_labels(_basenames(pictures), [row[3] for row in rows], [list(USAGES.values())[row[0]] for row in rows])
    return Reading(layout="folders", files=files, pictures=np.array(pictures), render=_exactly_48, **labels)


# What the readers share


def _text(files, name):
    try:
        return files.read(name).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{files.path}: {name} is not a text file in UTF-8") from None


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
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{files.path}: {name} is not a CSV text file in UTF-8, after line {line} ({error})") from None


def _basenames(names):
    return np.array([name.split("/")[-1] for name in names])
