"""Every data set becomes a `FaceSet`: `import_data` reads a download once into a compact cache, `load` opens that, `check` counts it.

The formats are in `labkit.readers`, the table of data sets is `SOURCES`, where to get them stands in data/README.md. A cache is the folder
`data/<name>/` with one `<view>.npy` of images a view, `labels.npz` and `about.json`. It is built beside that place and renamed at
the end: a data set is there as a whole or not at all. Taught in notebook 01.
"""

import errno
import json
import os
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from labkit import archives, pictures, readers
from labkit.faces import FaceSet

CACHE_VERSION = 1  # raised when a cache written before can no longer be read, or should not be
BATCH = 256  # pictures decoded at a time; never all, since photographs may be large
SPARE_BYTES = 32 * 2**20  # to be left free on the disk
PARTS = ("names", "subjects", "split")  # what a FaceSet holds beside images and targets
STALE_SECONDS = 24 * 3600  # what a killed import left behind is removed after this

COMMAND = "python -m labkit data import {name} FILE"
MISSING = f"""{{source.title}} is not imported.
  looked for:      {{place}}
  what it is:      {{source.holds}}
  where to get it: {{source.get}}
  terms:           {{source.licence}}
  then import it:  {COMMAND}
  without it:      all of it runs on the built-in faces, load("builtin", n=1000); the notebooks do so with profile = "quick"."""


class DataMissing(FileNotFoundError):
    """A data set is not imported; the message says what was looked for, how to get it and what goes on without it."""


@dataclass(frozen=True)
class Source:
    """One data set.

    title, holds, licence, get: text for people; layouts: what `reader` accepts.
    sign: a regular expression that some file name of this data set matches, and none of another.
    reader: `labkit.archives.Files` -> `labkit.readers.Reading`.
    expected: split ("all" = every image) -> target -> class -> count in the complete data set, by layout.
    optional: splits that may be missing.
    """

    title: str
    holds: str
    licence: str
    get: str
    layouts: tuple[str, ...]
    sign: str
    reader: Callable
    expected: dict[str, dict] = field(default_factory=dict)
    optional: tuple[str, ...] = ()


def _emotions(*counts):
    return {"emotion": dict(zip(readers.EMOTIONS, counts))}


FER_COUNTS = {
    "train": _emotions(3995, 436, 4097, 7215, 4830, 3171, 4965),
    "public_test": _emotions(467, 56, 496, 895, 653, 415, 607),
    "private_test": _emotions(491, 55, 528, 879, 594, 416, 626),
}

SOURCES = {
    "genki4k": Source(
        title="GENKI-4K",
        holds="4,000 colour photographs of faces from the web: smiling or not, and how the head is turned",
        licence="available for public use, citation asked; the photographs stay their owners' property",
        get="https://mplab.ucsd.edu, databases, GENKI-4K: genki4k.tar (28 MB), no account",
        layouts=("genki4k.tar", "folder with files/file0001.jpg ... and labels.txt"),
        sign=r"(^|/)files/file\d+\.jpe?g$",
        reader=readers.read_genki4k,
        expected={"as downloaded": {"all": {"smile": {"not smiling": 1838, "smiling": 2162}}}},
    ),
    "fer2013": Source(
        title="FER2013",
        holds="35,887 grey faces of 48x48 pixels with one of seven emotions, in three official splits",
        licence="for research, by the terms of the Kaggle competition that you accept there; do not pass it on",
        get="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge (free account)",
        layouts=(
            "fer2013.csv or icml_face_data.csv",
            "train.csv and test.csv",
            "folders train|test/<emotion>/Training_1.jpg",
            "any of them zipped",
        ),
        sign=r"(^|/)(fer2013\.csv|icml_face_data\.csv|(train|test)/(angry|disgust|fear|happy|neutral|sad|surprise)/[^/]+)$",
        reader=readers.read_fer2013,
        expected={"table": FER_COUNTS, "folders": FER_COUNTS},
        optional=("public_test", "private_test"),
    ),
    "ckplus": Source(
        title="CK+",
        holds="posed expressions of 123 people: 560 photographs with 15 action units and 3 emotions, or 981 small faces with 7 emotions",
        licence="for research, to those who sign the agreement; it allows no passing on, and only few subjects in print",
        get="https://www.jeffcohn.net/Resources/, Cohn-Kanade: sign the agreement and send it; data_labels.csv comes with the course",
        layouts=("cohn-kanade-images/S005/001/S005_001_00000011.png ... with data_labels.csv", "CK+48/anger/S010_004_00000017.png ..."),
        sign=r"/S\d{3}_\d{3}_\d{8}\.png$",
        reader=readers.read_ckplus,
        expected={
            "photographs": {"all": {"high_level_emotion": dict(zip(readers.HIGH_LEVEL, (328, 121, 111)))}},
            "CK+48": {"all": {"emotion": dict(zip(readers.CK_EMOTIONS, (135, 54, 177, 75, 207, 84, 249)))}},
        },
    ),
    "attributes": Source(
        title="Face attributes",
        holds="your own annotated photographs, or CelebA's 202,599: wrinkles, freckles, glasses, hair",
        licence="your own: ask the people in them; CelebA: non-commercial research only, do not pass it on",
        get="annotate your own (notebook 08, or https://www.makesense.ai), or https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        layouts=("own CSV with pictures beside or below it", "makesense.ai's CSV export", "list_attr_celeba.txt with img_align_celeba/"),
        sign=r"(^|/)list_attr_celeba\.(txt|csv)$",
        reader=readers.read_attributes,
    ),
}


def _source(name):
    if name not in SOURCES:
        raise ValueError(f"data set '{name}': expected one of builtin, {', '.join(SOURCES)}")
    return SOURCES[name]


# Import


def import_data(name, file, data_dir="data", progress=True, limit=None) -> dict:
    """Read the download `file` of data set `name` into `data_dir`/`name`, replacing what was imported there before.

    file: the archive, folder or table; it is read where it lies, never unpacked and never changed.
    limit: import at most so many images, evenly spread over the whole; None = all. For CelebA, which takes 24 GB.
    Returns counts, seconds, the number of faces not found (in their place the "face" view has the centred square of the
    photograph) and the problems that `check` finds. May be broken off at any time and repeated.

    Raises ValueError for an unknown name, another data set's files or a bad label or picture, naming file and place;
    FileNotFoundError where `file` is missing; OSError where `data_dir` cannot be written or its disk is full.
    """
    source, began = _source(name), time.perf_counter()
    with archives.open_files(file) as files:
        reading = _read(name, source, files, progress)
        if not len(reading.names):
            raise ValueError(f"{file}: its table names no image; give a table with a row an image")
        if limit is not None:
            reading = reading.take(_evenly(len(reading.names), limit))
        size = len(reading.names) * sum(pixels**2 * channels for pixels, channels in reading.views.values())
        with _folder_in_place(Path(data_dir), name, size) as folder:
            _write(folder, source, reading, Path(file).name, progress)
    return check(name, data_dir) | {"seconds": round(time.perf_counter() - began, 1), "bytes": size}


def _read(name, source, files, progress):
    from tqdm import tqdm

    try:
        return source.reader(files, lambda rows: tqdm(rows, desc=f"{source.title}: rows", unit=" rows", disable=not progress))
    except readers.WrongLayout as error:
        like = [other for other in SOURCES if other != name and any(re.search(SOURCES[other].sign, member) for member in files.sizes)]
        packed = files.ending(".zip", ".tar", ".gz", ".tgz", ".rar", ".7z")
        hint = ""
        if like:
            hint = f". It looks like {SOURCES[like[0]].title}: python -m labkit data import {like[0]} {files.path}"
        elif packed:
            hint = f". It holds {packed[0]}: unpack that, and give the file or folder inside"
        raise ValueError(f"{files.path} is not {source.title}: {error}{hint}") from None


@contextmanager
def _folder_in_place(data_dir, name, size):
    """An empty folder to write to, which takes the place of `data_dir`/`name` at the end of the block, or vanishes."""
    folder = data_dir / f".{name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        _remove_stale(data_dir, name)
        free = shutil.disk_usage(data_dir).free
        if free < size + SPARE_BYTES:
            raise OSError(errno.ENOSPC, f"needs {size / 1e6:,.0f} MB in {data_dir.absolute()}, {free / 1e6:,.0f} MB are free")
        folder.mkdir()
        yield folder
        _take_place(folder, data_dir / name)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise OSError(error.errno, f"cannot write to {data_dir.absolute()} ({error.strerror}); give another data_dir") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_place(folder, place):
    for _ in range(20):  # another process may put its own there between our two steps
        try:
            return os.rename(folder, place)
        except OSError:
            if not place.is_dir():
                raise
        old = folder.with_name(f"{folder.name}-old")
        with suppress(FileNotFoundError):
            os.rename(place, old)
        shutil.rmtree(old, ignore_errors=True)
    raise OSError(errno.EBUSY, f"{place} is being written by other processes; try again")


def _remove_stale(data_dir, name):
    for folder in data_dir.glob(f".{name}-*"):
        with suppress(OSError):  # another process may remove it first
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _write(folder, source, reading, file, progress):
    lost = []
    with ExitStack() as stack:
        streams = {}
        for view, (size, channels) in reading.views.items():
            streams[view] = stack.enter_context(open(folder / f"{view}.npy", "wb"))
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(reading.names), size, size, channels)}
            np.lib.format.write_array_header_1_0(streams[view], header)
        for name, (images, found) in zip(reading.names.tolist(), _rendered(source, reading, progress)):
            lost += [] if found else [name]
            for view, image in images.items():
                streams[view].write(image.tobytes())
    labels = {f"target_{target}": values for target, values in reading.targets.items()}
    labels |= {part: getattr(reading, part) for part in PARTS if getattr(reading, part) is not None}
    np.savez(folder / "labels.npz", **labels)
    about = {"version": CACHE_VERSION, "title": source.title, "file": file, "layout": reading.layout, "classes": reading.classes}
    about |= {"views": list(reading.views), "faces_not_found": lost, "notes": reading.notes}
    about["fingerprints"] = {view: _face_set(folder, about, view).fingerprint for view in reading.views}
    (folder / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def _rendered(source, reading, progress):
    """Yield ({view: image}, whether a face was found) for each image in order; pictures are decoded a batch at a time."""
    if reading.images is not None:
        yield from ((dict.fromkeys(reading.views, image), True) for image in reading.images)
        return
    from tqdm import tqdm

    channels = next(iter(reading.views.values()))[1]

    def render(name):
        data = reading.files.read(name)
        try:
            return reading.render(pictures.decode(data, channels))
        except ValueError as error:
            raise ValueError(f"{reading.files.path}: {name}: {error}") from None

    bar = tqdm(total=len(reading.pictures), desc=f"{source.title}: pictures", unit=" pictures", disable=not progress)
    # Threads, since OpenCV computes outside Python's lock.
    with bar, ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(reading.pictures), BATCH):
            for result in pool.map(render, reading.pictures[start : start + BATCH].tolist()):
                yield result
                bar.update()


# Load


def load(name, data_dir="data", size=None, view=None, **options) -> FaceSet:
    """The data set `name` as a `FaceSet`: "builtin", or what `import_data` put into `data_dir`.

    size: pixels a side; None = as cached (GENKI-4K 96, FER2013 and CK+48 48, CK+ 300, attributes 200).
    view: which cut of the pictures; None = the first that the data set has. GENKI-4K: "photo", the whole photograph, or "face".
    options: for "builtin" those of `labkit.synthetic.make`; else n (at most so many images, evenly spread over the
        whole) and colour (False = grey).

    Raises DataMissing where it is not imported; ValueError for an unknown name, view or option.
    """
    if name == "builtin":
        from labkit import synthetic

        _choice("view", view or "face", ["face"])
        return synthetic.make(**options if size is None else options | {"size": size})
    about = _about(name, data_dir)
    for option in options:
        _choice("option", option, ["n", "colour"])
    view = _choice("view", view or about["views"][0], about["views"])
    faces = _face_set(Path(data_dir) / name, about, view, size, options.get("n"))
    if options.get("colour") and faces.images.shape[-1] == 1:
        raise ValueError(f"{name}: colour=True, but its images are grey")
    return faces.grey() if options.get("colour") is False else faces


def available(name, data_dir="data") -> bool:
    """True where `load(name, data_dir)` finds the data set."""
    return name == "builtin" or (_source(name) is not None and (Path(data_dir) / name / "about.json").is_file())


def _choice(what, value, choices):
    if value not in choices:
        raise ValueError(f"{what} '{value}': expected one of {', '.join(choices)}")
    return value


def _evenly(count, most):
    """Indices of `most` of `count` images, evenly spread: data sets may be sorted by label."""
    if most < 1:
        raise ValueError(f"number of images: expected 1 or more, got {most}")
    return np.linspace(0, count - 1, min(most, count)).round().astype(int)


def _about(name, data_dir):
    source, place = _source(name), Path(data_dir) / name
    try:
        about = json.loads((place / "about.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DataMissing(MISSING.format(name=name, place=place.absolute(), source=source)) from None
    except ValueError:
        about = {}
    if about.get("version") != CACHE_VERSION:
        raise ValueError(f"{place}: damaged or written by another version of labkit; import it again: {COMMAND.format(name=name)}")
    return about


def _face_set(place, about, view, size=None, n=None):
    images = np.load(place / f"{view}.npy", mmap_mode="r")
    chosen = np.arange(len(images)) if n is None else _evenly(len(images), n)
    if size is None or size == images.shape[1]:
        images = np.array(images[chosen] if n is not None else images)
    else:
        images = np.stack([pictures.resize(images[i], size) for i in chosen])
    with np.load(place / "labels.npz") as labels:
        labels = {name: labels[name][chosen] for name in labels.files}
    return FaceSet(
        images=images,
        targets={name.removeprefix("target_"): values for name, values in labels.items() if name.startswith("target_")},
        classes={name: tuple(classes) for name, classes in about["classes"].items()},
        source=f"{about['title']}, {view}",
        **{part: labels.get(part) for part in PARTS},
    )


# Check


def check(name, data_dir="data") -> dict:
    """Count an imported data set and compare it with the complete one.

    Returns name, title, images, views (view -> shape of an image), counts (split or "all" -> target -> class -> images),
    fingerprints by view, faces_not_found (names), notes, and problems: one line each, [] where all is as it should be.

    Raises DataMissing where it is not imported, ValueError where the cache cannot be read.
    """
    source, about, place = _source(name), _about(name, data_dir), Path(data_dir) / name
    problems, shapes = [], {}
    for view in about["views"]:
        try:
            faces = _face_set(place, about, view)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{place}: the cache is damaged ({error}); import it again: {COMMAND.format(name=name)}") from None
        shapes[view] = list(faces.images.shape[1:])
        if faces.fingerprint != about["fingerprints"][view]:
            problems.append(f"view '{view}' has changed since the import; import it again: {COMMAND.format(name=name)}")
    counts = _counts(faces)
    notes = list(about["notes"])
    if black := int((faces.images.reshape(len(faces), -1).max(1) == 0).sum()):
        notes.append(f"{black} images are black: their highest pixel is 0")
    if lost := about["faces_not_found"]:
        notes.append(f"no face found in {len(lost)} photographs ({', '.join(lost[:3])} ...): view 'face' has their centred square")
    for split, targets in source.expected.get(about["layout"], {}).items():
        if split in counts:
            problems += _differences(split, counts[split], targets)
        elif split in source.optional:
            notes.append(f"split '{split}' is not in this copy")
        else:
            problems.append(f"split '{split}' is missing")
    facts = {"name": name, "title": source.title, "file": about["file"], "layout": about["layout"], "images": len(faces), "views": shapes}
    facts |= {"counts": counts, "fingerprints": about["fingerprints"], "faces_not_found": lost}
    return facts | {"notes": notes, "problems": problems}


def _counts(faces):
    parts = {"all": faces}
    if faces.split is not None:
        parts |= {split: faces.take(faces.split == split) for split in dict.fromkeys(faces.split.tolist())}
    return {split: {target: part.counts(target) for target in part.targets} for split, part in parts.items()}


def _differences(split, counts, expected):
    for target, classes in expected.items():
        for label, count in classes.items():
            if counts[target][label] != count:
                yield f"{split}: {counts[target][label]:,} images of {target} '{label}', expected {count:,}"
