"""What every reader returns, a `Reading`, and what readers share.

A reader is a function `read(files, track=iter)` of the `Files` of a download; `track` gives on the rows of a
long table and may count them for a progress bar. It finds its layout among the files; it decodes no picture
and writes nothing. It checks every label and says in one line what is wrong, and where. `labkit.datasets`
does the rest. Notebook 01 writes one reader out.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from labkit.faces import resize
from labkit.formats import archives, decoding


class WrongLayout(ValueError):
    """The files are not laid out as this data set is; the message says what was expected."""


@dataclass(frozen=True)
class Reading:
    """What a reader found: labels of N images, and either the images or where each one's picture lies.

    Attributes:
        layout: which of its layouts the reader met.
        names, targets, classes, subjects, split, votes, intensities: as in `FaceSet`.
        views: view -> (pixels a side, channels).
        files: where the pictures lie.
        pictures: N names in `files`, to be decoded; or None where there are `images`.
        render: a decoded picture, uint8 (H, W, C) -> {view: image}, and whether a face was found (True where
            none is looked for).
        images: uint8 (N, H, W, C), already decoded.
        detected: the views that `labkit.detect` cuts out.
        notes: what the summary should say.
        left_out: name -> why it is not among the images.
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
    left_out: dict[str, str] = field(default_factory=dict)
    votes: dict[str, np.ndarray] = field(default_factory=dict)
    intensities: dict[str, np.ndarray] = field(default_factory=dict)

    def take(self, indices) -> "Reading":
        """The images at `indices`, an index array, in that order."""
        changed = {}
        for part in ("targets", "votes", "intensities"):
            changed[part] = {name: values[indices] for name, values in getattr(self, part).items()}
        for name in ("names", "pictures", "images", "subjects", "split"):
            values = getattr(self, name)
            if values is not None:
                changed[name] = values[indices]
        return replace(self, **changed)


# How a decoded picture, uint8 (H, W, C), becomes the images of the views


def photo_and_face(size: int) -> Callable:
    """The whole photograph and the face in it, both `size` pixels a side."""

    def render(picture):
        face, found = decoding.face_crop(picture, size)
        return {"photo": resize(picture, size), "face": face}, found

    return render


def face_of(size: int) -> Callable:
    """The face alone."""

    def render(picture):
        face, found = decoding.face_crop(picture, size)
        return {"face": face}, found

    return render


def photo_of(size: int) -> Callable:
    """The whole photograph alone."""
    return lambda picture: ({"photo": resize(picture, size)}, True)


def exactly(size: int) -> Callable:
    """A face that was cut out before, of this size and no other."""

    def render(picture):
        if picture.shape[:2] != (size, size):
            raise ValueError(
                f"the picture has {picture.shape[1]}x{picture.shape[0]} pixels, expected {size}x{size}"
            )
        return {"face": picture}, True

    return render


# Tables and names


def dialect(line: str) -> str:
    """What separates the columns of a table whose first line this is: the most frequent of , ; tab and |."""
    return max(",;\t|", key=line.count)


def without_preface(text: str) -> str:
    """A table's text without what Excel and people put in front of it: a mark, blank lines, `sep=;`."""
    return re.sub(r"\A\ufeff?(\s*\n|sep=.[\r\n]+)*", "", text)


def columns_of(files, name) -> list[str]:
    """The columns of a table's first line, stripped, in lower case; [] where it has no text."""
    lines = without_preface(files.head(name)).splitlines()
    if not lines:
        return []
    columns = [column.strip().lower() for column in next(csv.reader(lines[:1], delimiter=dialect(lines[0])))]
    while columns and not columns[-1]:  # what a spreadsheet leaves behind
        columns.pop()
    return columns


def table_rows(files, name, needed):
    """Yield (where, row) of a table with a header, read as a stream; `,`, `;`, tab or `|` between its
    columns. Empty rows are left out.

    Args:
        files: `Files` that hold the table.
        name: of the table among them.
        needed: columns that it must have; upper or lower case counts as the same.

    Yields:
        Where a row stands, for messages, and the row: column -> value. Columns and values are stripped,
        column names in lower case.

    Raises:
        ValueError: where a column is missing, a row has more or fewer values, a quote is not closed, or the
            file is no table.
    """
    line, columns, encoding = 1, columns_of(files, name), files.encoding(name)
    if missing := [column for column in needed if column.lower() not in columns]:
        first = ",".join(columns)[:80]
        raise ValueError(
            f"{files.path}: {name} has no column {', '.join(missing)}; its first line is '{first}'"
        )
    separator = dialect(without_preface(files.head(name)).splitlines()[0])
    try:
        with files.open(name) as stream:
            text = enumerate(io.TextIOWrapper(stream, encoding, newline=""), 1)
            header = next(number for number, words in text if without_preface(words).strip())
            table = csv.reader((words for _, words in text), delimiter=separator, strict=True)
            for values in table:
                line = header + table.line_num
                values = [value.strip() for value in values]
                if not any(values):
                    continue
                if len(values) < len(columns) or any(values[len(columns) :]):
                    expected = f"{len(columns)} ({','.join(columns)[:80]})"
                    raise ValueError(f"{name} line {line}: {len(values)} values, expected {expected}")
                yield f"{name} line {line}", dict(zip(columns, values))
    except (csv.Error, UnicodeDecodeError, *archives.DAMAGE) as error:
        raise ValueError(f"{files.path}: {name} is not a table, after line {line} ({error})") from None


def basenames(names):
    """The names without their folders, as an array of str."""
    return np.array([name.split("/")[-1] for name in names])
