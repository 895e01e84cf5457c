"""Which data set opened files are, and what the reader of one finds in them."""

import re

from labkit.formats.attribute_tables import names_pictures
from labkit.formats.reading import Reading, WrongLayout
from labkit.formats.sources import SOURCES
from labkit.labels import ATTRIBUTES, TASK


def read(name: str, files, progress: bool) -> Reading:
    """What the reader of data set `name` finds in opened `Files`; `progress` shows a bar over a table's rows.

    Raises:
        ValueError: where they are not laid out as that data set is, with a hint where one comes to mind.
    """
    from tqdm import tqdm

    source = SOURCES[name]

    def track(rows):
        return tqdm(rows, desc=f"{source.title}: rows", unit=" rows", disable=not progress)

    try:
        return source.reader(files, track)
    except WrongLayout as error:
        expected = f"{files.path} is not laid out as {source.title}: {error}"
        raise ValueError(expected + hint(name, files)) from None


def check_not_empty(file, reading: Reading) -> None:
    """Raise ValueError where a table names no image."""
    if not len(reading.names):
        raise ValueError(f"{file}: its table names no image; give a table with a row an image")


def hint(name: str, files) -> str:
    """What may help where the files are not laid out as data set `name`; "" where nothing comes to mind."""
    like = [other for other in recognised(files) if other != name]
    packed = files.ending(".zip", ".tar", ".gz", ".tgz", ".rar", ".7z")
    if like:
        title = SOURCES[like[0]].title
        return f". It looks like {title}: python -m labkit data import {like[0]} {files.path}"
    if packed:
        return f". It holds {packed[0]}: unpack that, and give the file or folder inside"
    if table := next(filter(lambda name: names_pictures(files.head(name)), files.ending(".csv", ".tsv")), ""):
        own = f"attributes of your own are told by a file {TASK} in its folder (data/README.md)"
        return f". {table} names pictures, but has none of the attributes {', '.join(ATTRIBUTES)}; {own}"
    return ""


def recognised(files) -> list[str]:
    """The data sets whose sign one of the file names bears."""
    found = []
    for name, source in SOURCES.items():
        if any(re.search(source.sign, member) for member in files.sizes) or source.recognises(files):
            found.append(name)
    return found
