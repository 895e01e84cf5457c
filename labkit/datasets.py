"""Every data set becomes a `FaceSet`: `import_data` reads a download once into a compact cache, `load` opens that, `check` counts it.

The formats are in `labkit.readers`, the data sets in the table `labkit.sources.SOURCES`. A cache is the folder
`data/<name>/` with one `<view>.npy` of images a view, `labels.npz` and `about.json`. It is built beside that place and renamed at
the end: a data set is there as a whole or not at all. Taught in notebook 01.
"""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from labkit import archives, detect, pictures, readers
from labkit.faces import FaceSet
from labkit.sources import SOURCES, Source

__all__ = ["SOURCES", "DataMissing", "Source", "available", "check", "identity", "import_data", "imported", "load", "views"]

CACHE_VERSION = 2  # raised when caches written before can no longer be read, or hold crops that labkit.detect no longer makes
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


def _source(name):
    if name not in SOURCES:
        raise ValueError(f"data set '{name}': expected one of builtin, {', '.join(SOURCES)}")
    return SOURCES[name]


# Import


def import_data(name, file, data_dir="data", progress=True, limit=None) -> dict:
    """Read the download `file` of data set `name` into `data_dir`/`name`, replacing what was imported there before.

    file: the archive, folder or table; it is read where it lies, never unpacked and never changed.
    limit: import at most so many images, evenly spread over the whole; None = all. For CelebA, which takes 24 GB.
    Returns what `check` returns, and seconds and bytes. Where no face was found, the view "face" has the centred square of the
    photograph; `faces_not_found` names those. May be broken off at any time and repeated.

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
            summary = _examine(name, folder, _about(name, folder))
    return summary | {"seconds": round(time.perf_counter() - began, 1), "bytes": size}


def _read(name, source, files, progress):
    from tqdm import tqdm

    try:
        return source.reader(files, lambda rows: tqdm(rows, desc=f"{source.title}: rows", unit=" rows", disable=not progress))
    except readers.WrongLayout as error:
        like = [other for other in _recognised(files) if other != name]
        packed = files.ending(".zip", ".tar", ".gz", ".tgz", ".rar", ".7z")
        hint = ""
        if like:
            hint = f". It looks like {SOURCES[like[0]].title}: python -m labkit data import {like[0]} {files.path}"
        elif packed:
            hint = f". It holds {packed[0]}: unpack that, and give the file or folder inside"
        raise ValueError(f"{files.path} is not laid out as {source.title}: {error}{hint}") from None


def _recognised(files) -> list[str]:
    """The data sets whose sign one of the file names bears."""
    return [name for name, source in SOURCES.items() if any(re.search(source.sign, member) for member in files.sizes)]


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
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise OSError(error.errno, f"cannot write to {data_dir.absolute()} ({error.strerror}); give another data_dir") from None
    try:
        yield folder
        _take_place(folder, data_dir / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_place(folder, place):
    for _ in range(20):  # another process may put its own there between our two steps
        try:
            return os.rename(folder, place)
        except OSError:
            if place.exists() and not place.is_dir():
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
    lost, contents = [], _digest_of_labels(reading)
    with ExitStack() as stack:
        streams = {}
        for view, (size, channels) in reading.views.items():
            streams[view] = stack.enter_context(open(folder / f"{view}.npy", "wb"))
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(reading.names), size, size, channels)}
            np.lib.format.write_array_header_1_0(streams[view], header)
        for name, (images, found, digest) in zip(reading.names.tolist(), _rendered(source, reading, progress)):
            lost += [] if found else [name]
            contents.update(digest)
            for view, image in images.items():
                streams[view].write(image.tobytes())
    labels = {f"target_{target}": values for target, values in reading.targets.items()}
    labels |= {part: getattr(reading, part) for part in PARTS if getattr(reading, part) is not None}
    np.savez(folder / "labels.npz", **labels)
    about = {"version": CACHE_VERSION, "title": source.title, "file": file, "layout": reading.layout, "classes": reading.classes}
    about |= {"views": list(reading.views), "faces_not_found": lost, "notes": reading.notes}
    about["identities"] = {view: _identity(contents.hexdigest(), view, view in reading.detected) for view in reading.views}
    about["fingerprints"] = {view: _face_set(folder, about, view, copy=False).fingerprint for view in reading.views}
    (folder / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def _digest_of_labels(reading):
    """A sha256 that has seen all of a reading but its pictures."""
    said = [
        reading.names.tolist(),
        reading.classes,
        *(getattr(reading, part) is not None and getattr(reading, part).tolist() for part in PARTS),
    ]
    digest = hashlib.sha256(json.dumps(said).encode())
    for target in sorted(reading.targets):
        digest.update(target.encode() + np.ascontiguousarray(reading.targets[target]).tobytes())
    return digest


def _identity(contents, view, detected):
    return hashlib.sha256(f"{contents} {view} {detect.CROP_VERSION if detected else 0}".encode()).hexdigest()


def _rendered(source, reading, progress):
    """Yield ({view: image}, whether a face was found, sha256 of the picture as it was downloaded) for each image in order; pictures
    are decoded a batch at a time."""
    if reading.images is not None:
        yield from ((dict.fromkeys(reading.views, image), True, hashlib.sha256(image.tobytes()).digest()) for image in reading.images)
        return
    from tqdm import tqdm

    channels = next(iter(reading.views.values()))[1]

    def render(name):
        data = reading.files.read(name)
        try:
            return *reading.render(pictures.decode(data, channels)), hashlib.sha256(data).digest()
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

    size: pixels a side; None = as cached (GENKI-4K and folders 96, FER2013 and CK+48 48, CK+ 300, attributes 200).
    view: which cut of the pictures; None = the first that the data set has. GENKI-4K: "photo", the whole photograph, or "face".
    options: for "builtin" those of `labkit.synthetic.make`; else n (at most so many images, evenly spread over the
        whole), colour (False = grey, True = three channels) and black (False leaves out images whose highest pixel is 0).

    Raises DataMissing where it is not imported; ValueError for an unknown name, view or option.
    """
    if name == "builtin":
        _choice("view", view or "face", ["face"])
        return _builtin(Path(data_dir), options if size is None else options | {"size": size})
    place = Path(data_dir) / name
    about = _about(name, place)
    for option in options:
        _choice("option", option, ["n", "colour", "black"])
    view = _choice("view", view or about["views"][0], about["views"])
    faces = _face_set(place, about, view, size, options.get("n"))
    if options.get("colour") and faces.images.shape[-1] == 1:
        faces = replace(faces, images=faces.images.repeat(3, -1))
    if options.get("black") is False:
        faces = faces.take(faces.images.reshape(len(faces), -1).max(1) > 0)
    return faces.grey() if options.get("colour") is False else faces


def _builtin(data_dir, options):
    """The built-in faces. Where `data_dir` is a folder, what was drawn is kept in its folder `builtin`, so that all notebooks share it."""
    from labkit import synthetic

    if not data_dir.is_dir() or options.get("subjects") is not None:
        return synthetic.make(**options)
    seed, size = options.get("seed", 0), options.get("size", 64)
    file = data_dir / "builtin" / f"version{synthetic.VERSION}-seed{seed}-{size}px.npy"
    drawn = _drawn_before(file, size)
    faces = synthetic.make(**options | {"colour": True}, drawn=drawn)
    if drawn is None or len(drawn) < len(faces):
        with suppress(OSError):  # a folder that cannot be written to: the faces are there all the same
            file.parent.mkdir(exist_ok=True)
            temporary = file.with_name(f".{file.stem}-{secrets.token_hex(4)}.tmp")
            with open(temporary, "wb") as stream:
                np.save(stream, faces.images)
            temporary.replace(file)
    return faces if options.get("colour", True) else faces.grey()


def _drawn_before(file, size):
    try:
        drawn = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return drawn if drawn.dtype == np.uint8 and drawn.shape[1:] == (size, size, 3) else None


def identity(name, data_dir="data", view=None) -> str:
    """What `load(name, data_dir, view=view)` reads, as 64 hexadecimal digits: the pictures as they were downloaded, their names, labels,
    subjects and split, the view, and the version of the crop. The same on every machine, whatever its CPU makes of a
    JPEG's last bit; for "builtin" that of the drawing. Raises what `load` raises."""
    if name == "builtin":
        from labkit import synthetic

        return hashlib.sha256(f"builtin {synthetic.VERSION}".encode()).hexdigest()
    about = _about(name, Path(data_dir) / name)
    return about["identities"][_choice("view", view or about["views"][0], about["views"])]


def views(name, data_dir="data") -> list[str]:
    """The views that `load` has of a data set."""
    return ["face"] if name == "builtin" else _about(name, Path(data_dir) / name)["views"]


@contextmanager
def imported(file, progress=True):
    """`(name, data_dir)` for `load`: the data set in `file`, an archive, folder or table of any layout that can be imported,
    there until the end of the block.

    Which data set it is, its file names tell; what looks like none is read as folders of classes. Raises what `import_data` raises.
    """
    with archives.open_files(file) as files:
        name = next(iter(_recognised(files)), "folders")
    with tempfile.TemporaryDirectory() as folder:
        import_data(name, file, folder, progress)
        yield name, folder


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


def _about(name, place):
    source = _source(name)
    try:
        about = json.loads((place / "about.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DataMissing(MISSING.format(name=name, place=place.absolute(), source=source)) from None
    except ValueError:
        about = {}
    if about.get("version") != CACHE_VERSION:
        raise ValueError(f"{place}: damaged or written by another version of labkit; import it again: {COMMAND.format(name=name)}")
    return about


def _face_set(place, about, view, size=None, n=None, copy=True):
    """The cached view; without `copy` its images stay on disk and are read where they are used."""
    try:
        images = np.load(place / f"{view}.npy", mmap_mode="r")
        with np.load(place / "labels.npz") as archive:
            labels = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{place}: the cache is damaged ({error}); import the data set again") from None
    if n is not None:
        chosen = _evenly(len(images), n)
        images, labels = images[chosen], {name: values[chosen] for name, values in labels.items()}
    if size not in (None, images.shape[1]):
        resized = np.empty((len(images), size, size, images.shape[-1]), np.uint8)
        for i, image in enumerate(images):
            resized[i] = pictures.resize(image, size)
        images = resized
    return FaceSet(
        images=np.array(images) if copy and isinstance(images, np.memmap) else images,
        targets={name.removeprefix("target_"): values for name, values in labels.items() if name.startswith("target_")},
        classes={name: tuple(classes) for name, classes in about["classes"].items()},
        source=f"{about['title']}, {view}",
        **{part: labels.get(part) for part in PARTS},
    )


# Check


def check(name, data_dir="data") -> dict:
    """Count an imported data set and compare it with the complete one.

    Returns name, title, images, views (view -> shape of an image), counts (split or "all" -> target -> class -> images),
    identities and fingerprints by view, faces_not_found (names), notes, and problems: one line each, [] where all is as it should be.

    Raises DataMissing where it is not imported, ValueError where the cache cannot be read.
    """
    place = Path(data_dir) / name
    return _examine(name, place, _about(name, place))


def _examine(name, place, about):
    source, problems, shapes = _source(name), [], {}
    for view in about["views"]:
        faces = _face_set(place, about, view, copy=False)
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
    facts |= {"counts": counts, "identities": about["identities"], "fingerprints": about["fingerprints"], "faces_not_found": lost}
    return facts | {"notes": notes, "problems": problems}


def _counts(faces):
    labels = replace(faces, images=np.empty((len(faces), 1, 1, 1), np.uint8))  # counting needs no pictures
    parts = {"all": labels}
    if faces.split is not None:
        parts |= {split: labels.take(faces.split == split) for split in dict.fromkeys(faces.split.tolist())}
    return {split: {target: part.counts(target) for target in part.targets} for split, part in parts.items()}


def _differences(split, counts, expected):
    for target, classes in expected.items():
        for label, count in classes.items():
            if counts[target][label] != count:
                yield f"{split}: {counts[target][label]:,} images of {target} '{label}', expected {count:,}"
