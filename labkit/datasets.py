"""Every data set becomes a `FaceSet`.

`import_data` reads a download once into a compact cache, `load` opens that, `check` counts it. The formats
are in `labkit.formats`, the data sets in the table `labkit.formats.sources.SOURCES`. A cache is the folder
`data/<name>/` with one `<view>.npy` of images a view, `labels.npz` and `about.json`. It is built beside that
place and renamed at the end: a data set is there as a whole or not at all. Taught in notebook 01.
"""

import hashlib
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from labkit.faces import FaceSet
from labkit.formats import archives, attribute_tables, builtin, cache, checking, recognising, together
from labkit.formats.archives import natural_key
from labkit.formats.checking import COMMAND, described
from labkit.formats.decoding import ENDINGS, decode, is_picture
from labkit.formats.sources import SOURCES, Source
from labkit.labels import ATTRIBUTES
from labkit.places import place

__all__ = [
    "ENDINGS",
    "SOURCES",
    "DataMissing",
    "Source",
    "available",
    "check",
    "contact_sheet",
    "decode",
    "described",
    "identity",
    "import_data",
    "is_name",
    "is_picture",
    "knows_people",
    "load",
    "look",
    "natural_key",
    "read",
    "recognise",
    "table",
    "targets",
    "views",
]


MISSING = (
    "{source.title} is not imported.\n"
    "  looked for:      {place}\n"
    "  what it is:      {source.holds}\n"
    "  where to get it: {source.get}\n"
    "  terms:           {source.licence}\n"
    f"  then import it:  {COMMAND}\n"
    '  without it:      all of it runs on the built-in faces, load("builtin", n=1000); '
    'the notebooks do so with profile = "quick".'
)


class DataMissing(FileNotFoundError):
    """A data set is not imported.

    The message says what was looked for, how to get it and what goes on without it.
    """


def _source(name):
    if name not in SOURCES:
        raise ValueError(f"data set '{name}': expected one of builtin, {', '.join(SOURCES)}")
    return SOURCES[name]


# Import


def look(file, progress=True) -> dict:
    """What a file is, without importing it: its labels are read, its pictures are not.

    Args:
        file: an archive, folder or table.
        progress: False shows no progress bar.

    Returns:
        name (of the data set), layout, images (how many), targets (target -> class -> images), split (part ->
        images, {} without one), left_out (name -> why), notes, and samples (names of up to 24 pictures,
        evenly spread).

    Raises:
        ValueError, FileNotFoundError: as `import_data` does.
    """
    with archives.open_files(file) as files:
        name = recognise(files)
        reading = recognising.read(name, files, progress)
        counts = checking.counts(reading.targets, reading.classes)["all"]
        parts = [] if reading.split is None else np.unique(reading.split).tolist()
        shown = cache.evenly(len(reading.names), 24) if len(reading.names) else []
        return {
            "name": name,
            "title": SOURCES[name].title,
            "layout": reading.layout,
            "images": len(reading.names),
            "targets": counts,
            "split": {part: int((reading.split == part).sum()) for part in parts},
            "left_out": reading.left_out,
            "notes": reading.notes,
            "samples": [reading.names[i].item() for i in shown],
        }


def contact_sheet(file, target, most: int = 24) -> None:
    """Write samples of a data set as one picture, each with its labels.

    Args:
        file: an archive, folder or table.
        target: a PNG file that is written.
        most: so many samples, evenly spread.

    Raises:
        ValueError, FileNotFoundError, OSError: as `import_data` does; ValueError also for a target that is no
            PNG file, or is there and none of labkit's.
    """
    from labkit import figures

    figures.check_target(Path(target))
    with tempfile.TemporaryDirectory() as folder:
        name = import_data("", file, folder, progress=False, limit=most)["name"]
        faces = load(name, folder)
    figures.write(figures.faces(faces.images, faces.captions()), Path(target))


def recognise(files) -> str:
    """The data set that opened `Files` are, by their names and by what is in them; "folders" where they are
    none of the others."""
    return next(iter(recognising.recognised(files)), "folders")


def import_data(name, file, data_dir="data", progress=True, limit=None) -> dict:
    """Read the download `file` of data set `name` into `data_dir`/`name`, in place of what was there before.

    Where no face was found, the view "face" has the centred square of the photograph; `faces_not_found` names
    those. May be broken off at any time and repeated.

    Args:
        name: of the data set, one of `SOURCES`; "" = whichever the file is.
        file: the archive, folder or table; it is read where it lies, never unpacked and never changed.
        data_dir: the folder of all imported data sets.
        progress: False shows no progress bar.
        limit: import at most so many images, evenly spread over the whole; None = all. For CelebA, which
            takes 24 GB.

    Returns:
        What `check` returns, and seconds and bytes.

    Raises:
        ValueError: for an unknown name, another data set's files or a bad label or picture, naming file and
            place.
        FileNotFoundError: where `file` is missing.
        OSError: where `data_dir` cannot be written or its disk is full.
    """
    began = time.perf_counter()
    if name:
        _source(name)
    with archives.open_files(file) as files:
        name = name or recognise(files)
        source = SOURCES[name]
        reading = recognising.read(name, files, progress)
        recognising.check_not_empty(file, reading)
        if limit is not None:
            reading = reading.take(cache.evenly(len(reading.names), limit))
        bytes_an_image = sum(pixels**2 * channels for pixels, channels in reading.views.values())
        size = len(reading.names) * bytes_an_image
        with cache.in_place(place(data_dir), name, size) as folder:
            cache.write(folder, source.title, reading, Path(file).name, progress)
            summary = checking.examine(name, source, folder, _about(name, folder))
    return summary | {"seconds": round(time.perf_counter() - began, 1), "bytes": size}


# Load


def load(name, data_dir="data", size=None, view=None, **options) -> FaceSet:
    """The data set `name` as a `FaceSet`.

    Args:
        name: "builtin", or what `import_data` put into `data_dir`; "celeba+cartoons" is both as one, with a
            target `set` that says which.
        data_dir: the folder of all imported data sets.
        size: pixels a side; None = as cached (GENKI-4K and folders 96, FER2013 and CK+48 48, CK+ 300,
            attributes 200).
        view: which cut of the pictures; None = the first that the data set has. GENKI-4K: "photo", the whole
            photograph, or "face".
        options: for "builtin" those of `labkit.synthetic.make`; else n (at most so many images, evenly spread
            over the whole), colour (False = grey, True = three channels) and black (False leaves out images
            whose highest pixel is 0).

    Returns:
        Its images are in memory, or `labkit.faces.OnDisk` where they would fill more than a
        quarter of what is free there.

    Raises:
        DataMissing: where it is not imported.
        ValueError: for an unknown name, view or option, and where a file has changed since the import.
    """
    if "+" in name:
        return together.as_one(
            {one: load(one, data_dir, size, view, **options) for one in together.names(name)}
        )
    if name == "builtin":
        _choice("view", view or "face", ["face"])
        return builtin.load(place(data_dir), options if size is None else options | {"size": size})
    for option in options:
        _choice("option", option, ["n", "colour", "black"])
    folder = place(data_dir) / name

    def read(about):
        chosen = _choice("view", view or about["views"][0], about["views"])
        cache.check_unchanged(folder, about, chosen)
        return cache.faces_of(folder, about, chosen, size, options.get("n"), on_disk=True)

    faces = _read_whole(name, folder, read)
    if options.get("black") is False:
        faces = faces.take(faces.brightest() > 0)
    if options.get("colour") is False:
        faces = faces.grey()
    elif options.get("colour"):
        faces = replace(faces, images=faces.images.with_channels(3))
    return faces if cache.is_too_large(faces.images.shape) else replace(faces, images=faces.images[:])


def is_name(data) -> bool:
    """True for "builtin", for a data set's name, and for several with + between; not for a file."""
    return data == "builtin" or all(name in SOURCES for name in str(data).split("+"))


def identity(name, data_dir="data", view=None) -> str:
    """What `load(name, data_dir, view=view)` reads, as 64 hexadecimal digits.

    They stand for the pictures as they were downloaded, their names, labels, subjects and split, the view,
    and the version of the crop; for "builtin" for the version of the drawing. The same on every machine,
    whatever its CPU makes of a JPEG's last bit.

    Raises:
        DataMissing, ValueError: as `load` does.
    """
    if "+" in name:
        each = "".join(identity(one, data_dir, view) for one in together.names(name))
        return hashlib.sha256(each.encode()).hexdigest()
    if name == "builtin":
        from labkit import synthetic

        return hashlib.sha256(f"builtin {synthetic.VERSION}".encode()).hexdigest()
    about = _read_whole(name, place(data_dir) / name, lambda about: about)
    return about["identities"][_choice("view", view or about["views"][0], about["views"])]


def views(name, data_dir="data") -> list[str]:
    """The views that `load` has of a data set; of several those that all of them have."""
    if "+" in name:
        first, *others = (views(one, data_dir) for one in together.names(name))
        return [view for view in first if all(view in other for other in others)]
    if name == "builtin":
        return ["face"]
    return _read_whole(name, place(data_dir) / name, lambda about: about["views"])


def targets(name, data_dir="data") -> list[str]:
    """What the images of a data set are labelled with, or those of any of several."""
    if "+" in name:
        return list(
            dict.fromkeys(target for one in together.names(name) for target in targets(one, data_dir))
        )
    if name == "builtin":
        from labkit import synthetic

        return list(synthetic.CLASSES)
    return list(_read_whole(name, place(data_dir) / name, lambda about: about)["classes"])


def knows_people(name, data_dir="data") -> bool:
    """Whether a data set says who is in its images; of several, whether all do."""
    return name == "builtin" or all(
        cache.has(place(data_dir) / one, "subjects") for one in together.names(name)
    )


def read(file, size, views=("face",), colour=True, progress=True) -> tuple[FaceSet, dict[str, str]]:
    """The faces of a file for one use, without importing them; their pictures are decoded once, into memory,
    or into a nameless temporary file where they would fill more than a quarter of what is free there.

    Which data set it is, `recognise` tells.

    Args:
        file: an archive, folder or table of any layout that can be imported.
        size: pixels a side.
        views: the first of them that the data has is taken, else its own first one.
        colour: True = three channels, False = grey.
        progress: False shows no progress bar.

    Returns:
        The faces, and what was left out: name -> why.

    Raises:
        ValueError, FileNotFoundError, OSError: as `import_data` does.
    """
    with archives.open_files(file) as files:
        name = recognise(files)
        title, reading = SOURCES[name].title, recognising.read(name, files, progress)
        recognising.check_not_empty(file, reading)
        view = next((view for view in views if view in reading.views), next(iter(reading.views)))
        return cache.read(title, reading, view, size, 3 if colour else 1, progress)


def table(file, asked=ATTRIBUTES) -> attribute_tables.Table:
    """The labels of a table of attributes, `asked` (attribute -> classes), of any form that can be imported,
    without its pictures. Raises ValueError and FileNotFoundError as `import_data` does.
    """
    with archives.open_files(file) as files:
        return attribute_tables.parse(files.text(Path(file).name), Path(file).name, asked)


def available(name, data_dir="data") -> bool:
    """True where `load(name, data_dir)` finds the data set, or all of several.

    Raises:
        ValueError: for an unknown name.
    """
    if "+" in name:
        return all(available(one, data_dir) for one in together.names(name))
    if name == "builtin":
        return True
    _source(name)
    return cache.is_there(place(data_dir) / name)


def _choice(what, value, choices):
    if value not in choices:
        raise ValueError(f"{what} '{value}': expected one of {', '.join(choices)}")
    return value


def _about(name, folder):
    source, file = _source(name), folder / "about.json"
    if not folder.exists():
        cache.put_back(folder)
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DataMissing(MISSING.format(name=name, place=folder.absolute(), source=source)) from None
    except ValueError:
        about = None
    if not cache.is_whole(about):
        problem = "damaged or written by another version of labkit"
        raise ValueError(f"{folder}: {problem}; import it again: {COMMAND.format(name=name)}")
    return about


def _read_whole(name, folder, read):
    """What `read(about)` returns of an imported data set; again where another process imported it anew
    meanwhile, so that nothing is read half from the earlier and half from the later."""
    errors = 0
    for pause in (0.01, 0.05, 0.1, 0.2, 0.4, 0.4, 0.4, None):
        try:
            about = _about(name, folder)
            found = read(about)
            if _about(name, folder) == about:
                return found
        except (DataMissing, ValueError):
            errors += 1
            if errors == 4 or pause is None:
                raise
        time.sleep(pause or 0)
    raise ValueError(f"{folder}: another process imports it again and again; try later")


# Check


def check(name, data_dir="data") -> dict:
    """Count an imported data set and compare it with the complete one.

    Returns:
        name, title, file, layout, images (how many), views (view -> shape of an image), counts (split or
        "all" -> target -> class -> images), identities and fingerprints by view, faces_not_found (names),
        left_out (name -> why), notes, and problems: one line each, [] where all is as it should be.

    Raises:
        DataMissing: where it is not imported.
        ValueError: for an unknown name, or where the cache cannot be read.
    """
    source, folder = _source(name), place(data_dir) / name
    return _read_whole(name, folder, lambda about: checking.examine(name, source, folder, about))
