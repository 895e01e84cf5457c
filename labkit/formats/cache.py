"""An imported data set on disk: one `<view>.npy` of images a view, `labels.npz`, `about.json`.

The folder is built beside its place and renamed at the end: a data set is there as a whole or not at all.
"""

import errno
import hashlib
import json
import math
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

from labkit import detect
from labkit.faces import FaceSet, OnDisk, grey, resize
from labkit.formats import decoding
from labkit.places import remove_stale

# Raised when caches written before can no longer be read, or hold crops that labkit.detect no longer makes.
VERSION = 2
MEMORY = Path("/proc/meminfo")
BATCH = 256  # pictures decoded at a time; never all, since photographs may be large
SPARE_BYTES = 32 * 2**20  # to be left free on the disk
PARTS = ("names", "subjects", "split")  # what a FaceSet holds beside images and targets
LABELS = {"target_": "targets", "votes_": "votes", "intensities_": "intensities"}  # the same, by target
OLD = "-old"  # ends the name of a folder that is being replaced


def evenly(count, most):
    """Indices of `most` of `count` images, evenly spread: data sets may be sorted by label.

    Raises:
        ValueError: where `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"number of images: expected 1 or more, got {most}")
    return np.linspace(0, count - 1, min(most, count)).round().astype(int)


@contextmanager
def in_place(data_dir, name, size):
    """An empty folder to write to.

    It takes the place of `data_dir`/`name` at the end of the block, or vanishes where that is broken off.

    Args:
        data_dir: the folder of all data sets, made where it is missing.
        name: of the data set.
        size: bytes that will be written, to be free on the disk.

    Raises:
        OSError: where `data_dir` cannot be written, its disk is full, or others keep writing to the place.
    """
    folder = data_dir / f".{name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not (data_dir / name).exists():
            put_back(data_dir / name)
        remove_stale(data_dir, f".{name}-*")
        free = shutil.disk_usage(data_dir).free
        if free < size + SPARE_BYTES:
            message = f"needs {size / 1e6:,.0f} MB in {data_dir.absolute()}, {free / 1e6:,.0f} MB are free"
            raise OSError(errno.ENOSPC, message)
        folder.mkdir()
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        message = f"cannot write to {data_dir.absolute()} ({error.strerror}); give another data_dir"
        raise OSError(error.errno, message) from None
    try:
        yield folder
        _take_place(folder, data_dir / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_place(folder, place):
    if place.is_file():
        raise FileExistsError(errno.EEXIST, f"{place} is a file, and a data set is a folder")
    old = folder.with_name(folder.name + OLD)
    for _ in range(20):  # another process may put its own there between our two steps
        with suppress(FileNotFoundError):
            os.rename(place, old)
        try:
            os.rename(folder, place)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                put_back(place)
                raise
            shutil.rmtree(old, ignore_errors=True)
            continue
        with suppress(FileNotFoundError):
            os.rename(old, folder)  # one name for all that is to be removed
        return
    raise OSError(errno.EBUSY, f"{place} is being written by other processes; try again")


def put_back(place):
    """Undo half a replacement: an import that was killed between its two steps has moved the earlier data set
    aside and put none in its place.

    Args:
        place: folder of the data set.
    """
    for old in place.parent.glob(f".{place.name}-*{OLD}"):
        with suppress(OSError):  # another process was first, or the folder cannot be written to
            return os.rename(old, place)


def is_there(place) -> bool:
    """Whether a data set lies in the folder `place`; looked at again while another process replaces it, since
    for a moment none is there.
    """
    for pause in (0.01, 0.05, 0.1, 0.2, 0.4):
        if not place.exists():
            put_back(place)
        if (place / "about.json").is_file():
            return True
        if not place.exists() and not any(place.parent.glob(f".{place.name}-*")):
            return False
        time.sleep(pause)
    return False


def has(folder, part) -> bool:
    """Whether an imported data set holds a part of `PARTS`."""
    file = folder / "labels.npz"
    if not file.exists():
        return False
    with np.load(file) as archive:
        return part in archive.files


def is_whole(about) -> bool:
    """True for what `write` puts into `about.json`."""
    if not isinstance(about, dict) or about.get("version") != VERSION or not about.get("views"):
        return False
    lists = ("views", "faces_not_found", "notes")
    tables = ("classes", "identities", "fingerprints")
    return (
        all(isinstance(about.get(part), str) for part in ("title", "file", "layout"))
        and all(isinstance(about.get(part), list) for part in lists)
        and all(isinstance(about.get(part), dict) for part in tables)
        and all(set(about[part]) == set(about["views"]) for part in ("identities", "fingerprints"))
    )


def write(folder, title, reading, file, progress):
    """Write what a reader found into `folder`.

    Pictures are decoded a batch at a time, since photographs may be large.

    Args:
        folder: an empty one.
        title: of the data set.
        reading: what its reader found.
        file: name of the download.
        progress: True shows a progress bar.
    """
    reading, lost, contents = _write_images(folder, title, reading, progress)
    labels = {}
    for begin, part in LABELS.items():
        labels |= {f"{begin}{target}": values for target, values in getattr(reading, part).items()}
    labels |= {part: getattr(reading, part) for part in PARTS if getattr(reading, part) is not None}
    np.savez(folder / "labels.npz", **labels)
    about = {
        "version": VERSION,
        "title": title,
        "file": file,
        "layout": reading.layout,
        "classes": reading.classes,
        "views": list(reading.views),
        "faces_not_found": lost,
        "notes": reading.notes,
        "left_out": reading.left_out,
        "identities": {},
        "fingerprints": {},
    }
    for view in reading.views:
        about["identities"][view] = _identity(contents, view, view in reading.detected)
        about["fingerprints"][view] = faces_of(folder, about, view, on_disk=True).fingerprint
    (folder / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def _write_images(folder, title, reading, progress):
    """Write each view's images.

    Returns the reading without pictures that could not be decoded, the names of those without a face, and the
    sha256 of all that was read, in hexadecimal.
    """
    lost, kept, left_out, digests = [], [], {}, []
    with ExitStack() as stack:
        streams = {}
        for view in reading.views:
            streams[view] = stack.enter_context(open(folder / f"{view}.npy", "wb"))
            _write_header(streams[view], len(reading.names), *reading.views[view])
        for i, (images, found, digest) in enumerate(_rendered(title, reading, progress)):
            name = reading.names[i].item()
            if images is None:  # `found` says why
                left_out[reading.pictures[i].item()] = found
                continue
            kept.append(i)
            digests.append(digest)
            if not found:
                lost.append(name)
            for view, stream in streams.items():
                stream.write(images[view].tobytes())
        _check_some(reading, kept, left_out)
        if left_out:
            reading = replace(reading.take(np.array(kept)), left_out=reading.left_out | left_out)
            for view, stream in streams.items():
                stream.seek(0)
                _write_header(stream, len(kept), *reading.views[view])
    contents = _digest_of_labels(reading)
    for digest in digests:
        contents.update(digest)
    return reading, lost, contents.hexdigest()


def _write_header(stream, n, size, channels):
    """The header of a .npy file; it has the same length for any number of images."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (n, size, size, channels)}
    np.lib.format.write_array_header_1_0(stream, header)


def _digest_of_labels(reading):
    """A sha256 that has seen all of a reading but its pictures."""
    said = [reading.names.tolist(), reading.classes]
    for part in PARTS:
        values = getattr(reading, part)
        said.append(False if values is None else values.tolist())
    digest = hashlib.sha256(json.dumps(said).encode())
    for part in LABELS.values():
        for target, values in sorted(getattr(reading, part).items()):
            digest.update(target.encode() + np.ascontiguousarray(values).tobytes())
    return digest


def _identity(contents, view, detected):
    return hashlib.sha256(f"{contents} {view} {detect.CROP_VERSION if detected else 0}".encode()).hexdigest()


def _rendered(title, reading, progress):
    """Yield ({view: image}, whether a face was found, sha256 of the picture as downloaded) for each image in
    order, or (None, why, None) for one that is left out; pictures are decoded a batch at a time."""
    if reading.images is not None:
        for image in reading.images:
            digest = hashlib.sha256(image.tobytes()).digest()
            yield dict.fromkeys(reading.views, image), True, digest
        return
    from tqdm import tqdm

    channels = next(iter(reading.views.values()))[1]

    def render(name):
        try:
            data = reading.files.read(name)
            return *reading.render(decoding.decode(data, channels)), hashlib.sha256(data).digest()
        except ValueError as error:
            return None, str(error), None
        except PermissionError as error:
            return None, f"cannot be read: {error.strerror}", None

    bar = tqdm(total=len(reading.pictures), desc=f"{title}: pictures", unit=" pictures", disable=not progress)
    # Threads, since OpenCV computes outside Python's lock.
    with bar, ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(reading.pictures), BATCH):
            for result in pool.map(render, reading.pictures[start : start + BATCH].tolist()):
                yield result
                bar.update()


def read(title, reading, view, size, channels, progress):
    """What a reader found as a `FaceSet` of one view, nothing written, and what was left out: name -> why.

    Args:
        title: of the data set.
        reading: what its reader found.
        view: one of its views.
        size: pixels a side.
        channels: 3 for RGB, 1 for grey.
        progress: True shows a progress bar.
    """
    shape = (len(reading.names), size, size, channels)
    if is_too_large(shape):
        images = np.memmap(tempfile.TemporaryFile(), np.uint8, "w+", shape=shape)  # noqa: SIM115
    else:
        images = np.empty(shape, np.uint8)
    kept, left_out = [], dict(reading.left_out)
    for i, (rendered, why, _) in enumerate(_rendered(title, reading, progress)):
        if rendered is None:
            left_out[reading.pictures[i].item()] = why
            continue
        image = resize(rendered[view], size)
        images[len(kept)] = grey(image[None])[0] if channels == 1 != image.shape[-1] else image
        kept.append(i)
    _check_some(reading, kept, left_out)
    reading = reading.take(np.array(kept))
    parts = ("classes", *LABELS.values(), *PARTS)
    labels = {part: getattr(reading, part) for part in parts}
    return FaceSet(images[: len(kept)], source=f"{title}, {view}", **labels), left_out


def is_too_large(shape) -> bool:
    """Whether images of this shape fill more than a quarter of the available memory; they then stay on disk.

    Linux says how much there is; elsewhere images always go into memory.
    """
    if not MEMORY.exists():
        return False
    available = re.search(r"MemAvailable:\s+(\d+) kB", MEMORY.read_text())
    return available is not None and math.prod(shape) > int(available[1]) * 1024 / 4


def _check_some(reading, kept, left_out):
    if not kept:
        name, why = next(iter(left_out.items()))
        raise ValueError(f"{reading.files.path}: no picture could be read; the first, {name}: {why}")


def check_unchanged(place, about, view):
    """Raise ValueError where the images or labels of a view are not those that were imported; what was looked
    at once is not read again. Views that stay on disk are not read as a whole."""
    files = [place / f"{view}.npy", place / "labels.npz"]
    try:
        states = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    except OSError:
        return  # `faces_of` says what is missing
    expected = about["fingerprints"][view]
    if is_too_large((states[0][1],)) or _UNCHANGED.get((place.absolute(), view)) == (states, expected):
        return
    if faces_of(place, about, view, on_disk=True).fingerprint != expected:
        raise ValueError(f"{place}: view '{view}' has changed since the import; import the data set again")
    _UNCHANGED[place.absolute(), view] = states, expected


_UNCHANGED: dict = {}  # what `check_unchanged` has looked at


def faces_of(place, about, view, size=None, n=None, on_disk=False):
    """The cached view as a `FaceSet`.

    Args:
        place: folder of the data set.
        about: what its `about.json` says.
        view: one of its views.
        size: pixels a side; None = as cached.
        n: at most so many images, evenly spread; None = all.
        on_disk: leave the images on disk, to be read where they are used.

    Raises:
        ValueError: where the cache is damaged, or `n` below 1.
    """
    try:
        images = np.load(place / f"{view}.npy", mmap_mode="r")
        with np.load(place / "labels.npz") as archive:
            labels = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{place}: the cache is damaged ({error}); import the data set again") from None
    images = OnDisk(images, size=size)
    if n is not None:
        chosen = evenly(len(images), n)
        images, labels = images.take(chosen), {name: values[chosen] for name, values in labels.items()}
    by_target = {}
    for begin, part in LABELS.items():
        by_target[part] = {
            name.removeprefix(begin): labels[name] for name in labels if name.startswith(begin)
        }
    return FaceSet(
        images=images if on_disk else images[:],
        **by_target,
        classes={name: tuple(classes) for name, classes in about["classes"].items()},
        source=f"{about['title']}, {view}",
        **{part: labels.get(part) for part in PARTS},
    )
