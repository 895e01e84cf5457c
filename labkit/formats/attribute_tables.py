"""Tables of face attributes: this project's own CSV, makesense.ai's two CSV exports, CelebA's attribute list.

`parse` turns the text of any of them into class indices, image by image; `find_pictures` says where their
pictures lie.

One's own attributes are those of a file `attributes.toml` in the table's folder, as `labkit.annotate` reads
it; it counts for the first two forms.

Columns may stand between `,`, `;` or tabs; names of columns and classes may be those of
`labkit.labels.SYNONYMS`.

own:        `name,wrinkles,freckles,glasses,hair_colour,hair_top,not_human`, a row an image; a class index or
            name in each column, empty or -1 where not labelled. Columns may be missing, others may stand
            beside them.
makesense:  boxes, `label,x,y,width,height,image,image width,image height` with or without column names, or
            tags, `image,"[label,label]"`. A label is written `hair_colour=brown`; `brown`, `glasses` and
            `no glasses` are understood too. What an image has no label for is not labelled: a tool that only
            adds labels cannot say "no". Or JSON, `[{"image": "a.jpg", "annotations": ["glasses"]}]`.
CelebA:     `list_attr_celeba.txt`, and the list of people and cartoons: `labkit.formats.celeba`.
"""

import csv
import json
import posixpath
import re
import unicodedata
from dataclasses import dataclass, field

import numpy as np

from labkit.faces import UNLABELLED
from labkit.formats import celeba, decoding
from labkit.formats.reading import dialect, without_preface
from labkit.labels import ATTRIBUTES, NO_YES, PICTURE, meant, plain

COURSE = "people and cartoons"
UNKNOWN = ("", "-1", "-1.0", "-1,0", "nan", "na", "n/a", "?", "-", "none", "null")  # "not labelled"
NAMES = PICTURE[1:]


@dataclass(frozen=True)
class Table:
    """What `parse` finds in a table.

    Attributes:
        layout: which form of table it is, as `layout_of` names it.
        names: of N images in the table's order.
        targets, classes: as in `FaceSet`.
        notes: for people.
    """

    layout: str
    names: list[str]
    targets: dict[str, np.ndarray]
    classes: dict[str, tuple[str, ...]]
    notes: list[str] = field(default_factory=list)


def layout_of(text, asked=ATTRIBUTES) -> str | None:
    """Which form of table `text` is; its first lines are enough. `asked`: attribute -> classes.

    Returns:
        One of `PARSERS`, or None for none of them.
    """
    text = without_preface(text)
    lines = [line for line in text.splitlines()[:2] if line.strip()]
    if re.match(r'\s*\[\s*\{\s*"image"', text):
        return "makesense JSON"
    first = next(csv.reader(lines[:1], delimiter=dialect(lines[0])), []) if lines else []
    columns = _columns(first, asked)
    if any("Eyeglasses" in re.split(r"[,\s]+", line) for line in lines):
        return "celeba"
    if any({word.strip().lower() for word in re.split("[,;\t]", line)} >= celeba.COURSE for line in lines):
        return COURSE
    if "name" in columns and set(columns) & set(asked):
        return "own"
    is_box = len(first) >= 8 and all(re.fullmatch(r"-?\d+", value.strip()) for value in first[1:5])
    if is_box or columns[:2] == ["label_name", "bbox_x"]:
        return "makesense boxes"
    if len(first) >= 2 and first[-1].startswith("[") and first[-1].endswith("]"):
        return "makesense tags"
    return None


def _word(column: str) -> str:
    return plain(column).replace(" ", "_").replace("color", "colour")


def _columns(first, asked=()) -> list[str]:
    """The columns as this module calls them: "Hair Color" is hair_colour, "file name" is name, and those
    that are `asked` as they are asked; where several could be the picture's name, the first that says so."""
    own = {_word(name): name for name in asked}
    words = [own.get(_word(column), _word(column)) for column in first]
    if (named := [word for word in words if word in NAMES]) and "name" in words:
        words[words.index("name")] = "name of somebody"
    return ["name" if named and word == named[0] else word for word in words]


def names_pictures(text) -> bool:
    """Whether the first line of `text` has a column that is called as a picture's name is."""
    lines = without_preface(text).splitlines()[:1]
    return bool(lines) and "name" in _columns(next(csv.reader(lines, delimiter=dialect(lines[0])), []))


def parse(text, where, asked=ATTRIBUTES) -> Table:
    """The table in `text`; `where` names it in messages.

    Args:
        asked: attribute -> classes, of our own form and of makesense.ai's; the others have attributes of
            their own.

    Raises:
        ValueError: with line and rule, where it is not as stated above.
    """
    layout = layout_of(text, asked)
    if layout is None:
        raise ValueError(
            f"{where}: expected name,{','.join(asked)}, "
            "an export of makesense.ai, CelebA's attribute list, or that of people and cartoons"
        )
    return PARSERS[layout](without_preface(text), where, asked)


def _own(text, where, asked):
    separator = dialect(text.splitlines()[0])
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    columns = _columns(next(reader), asked)
    while not columns[-1]:  # what a spreadsheet leaves behind
        columns.pop()
    used = [column for column in columns if column in asked]
    rows, labels = {}, []
    for values in _whole_rows(reader, where):
        line = f"{where} line {reader.line_num}"
        if len(values) < len(columns) or any(values[len(columns) :]):
            raise ValueError(f"{line}: {len(values)} values, expected {len(columns)} ({','.join(columns)})")
        row = dict(zip(columns, values))
        name, coded = row["name"], [_class_index(line, column, row[column], asked) for column in used]
        if name in rows and labels[list(rows).index(name)] == coded:
            continue  # the same row twice
        if name in rows:
            raise ValueError(f"{line}: '{name}' stood in line {rows[name]} already; keep one row an image")
        rows[name] = reader.line_num
        labels.append(coded)
    labels = np.array(labels, np.int64).reshape(len(rows), len(used))
    unused = [column for column in columns if column not in used and column != "name"]
    notes = [f"columns not used: {', '.join(unused)}"] if unused else []
    targets = dict(zip(used, labels.T.copy()))
    return Table("own", list(rows), targets, {column: asked[column] for column in used}, notes)


def _whole_rows(reader, where):
    """The rows of a `csv.reader`, stripped, without empty ones."""
    try:
        for values in reader:
            values = [value.strip() for value in values]
            if any(values):
                yield values
    except csv.Error as error:
        raise ValueError(f"{where} line {reader.line_num}: a quote is not closed ({error})") from None


def _class_index(where, attribute, text, asked):
    classes, word = asked[attribute], plain(text)
    if text.strip() in classes:
        return classes.index(text.strip())
    if text.strip().lower() in UNKNOWN:
        return UNLABELLED
    if word in classes:
        return classes.index(word)
    code = re.sub(r"[.,]0+$", "", word)
    if code.isdecimal() and int(code) < len(classes):
        return int(code)
    if meant(text) in classes:
        return classes.index(meant(text))
    choices = f"{', '.join(classes)}, or 0 to {len(classes) - 1}, or empty (not labelled)"
    raise ValueError(f"{where}: {attribute} '{text}', expected {choices}")


def _boxes(text, where, asked):
    rows = csv.reader(text.splitlines())
    found = []
    for values in filter(None, rows):
        if len(values) < 8:
            raise ValueError(
                f"{where} line {rows.line_num}: {len(values)} values, "
                "expected 8 (label,x,y,width,height,image,width,height)"
            )
        if values[0].strip().lower() != "label_name":  # a name may hold commas: five in front, two behind it
            found.append((rows.line_num, ",".join(values[5:-2]).strip(), values[0]))
    return _from_labels("makesense boxes", found, where, asked)


def _tags(text, where, asked):
    rows = csv.reader(text.splitlines())
    found = []
    for values in filter(None, rows):
        if len(values) < 2 or not re.fullmatch(r"\[.*\]", values[-1].strip()):
            raise ValueError(f'{where} line {rows.line_num}: expected image,"[label,label]"')
        labels, image = values[-1].strip()[1:-1].split(","), ",".join(values[:-1]).strip()
        found += [(rows.line_num, image, label) for label in labels]
    return _from_labels("makesense tags", found, where, asked)


def _json(text, where, asked):
    try:
        entries = json.loads(text)
        found = [(i, one["image"], label) for i, one in enumerate(entries, 1) for label in one["annotations"]]
    except (ValueError, KeyError, TypeError) as error:
        form = '[{"image": "a.jpg", "annotations": ["glasses"]}]'
        raise ValueError(f"{where}: expected {form} ({type(error).__name__}: {error})") from None
    return _from_labels("makesense JSON", found, where, asked)


def _from_labels(layout, found, where, asked):
    """found: (line, image, label) of every label that stands in the export."""
    meanings, images = _meanings(asked), {}
    for line, image, label in found:
        key = re.sub(r"\s*[=:]\s*", "=", plain(label)).replace(" ", "_").replace("color", "colour")
        key = key if key in meanings else "=".join(meant(part) for part in key.split("="))
        if key not in meanings:
            raise ValueError(
                f"{where} line {line}: label '{label}' for {image}, expected one of {', '.join(meanings)}"
            )
        attribute, value = meanings[key]
        row = images.setdefault(image, dict.fromkeys(asked, UNLABELLED))
        if row[attribute] not in (UNLABELLED, value):
            other = asked[attribute][row[attribute]]
            raise ValueError(f"{where} line {line}: {image} is labelled '{label}' and '{other}' at once")
        row[attribute] = value
    targets = {}
    for attribute in asked:
        values = np.array([row[attribute] for row in images.values()], np.int64)
        if (values != UNLABELLED).any():
            targets[attribute] = values
    return Table(layout, list(images), targets, {attribute: asked[attribute] for attribute in targets})


def _meanings(asked):
    """label -> (attribute, class index), for every way of writing one that can mean one thing only.

    "bald" means two, a colour and a top, and does not stand alone.
    """
    meanings, plain = {}, {}
    for attribute, classes in asked.items():
        for i, name in enumerate(classes):
            meanings[f"{attribute}={name}"] = (attribute, i)
            plain.setdefault(name, []).append((attribute, i))
    meanings |= {name: said[0] for name, said in plain.items() if len(said) == 1}
    for attribute, classes in asked.items():
        if classes == NO_YES:
            meanings |= {attribute: (attribute, 1), f"no_{attribute}": (attribute, 0)}
    return meanings


def find_pictures(files, table, names) -> list[str | None]:
    """Where the pictures of a table lie.

    A name is a path from the table's folder, or else that of one picture only. Where none is called exactly
    so, Unicode's forms, upper and lower case and the ending do not count, as long as one picture alone is
    meant.

    Args:
        files: `Files` of the pictures.
        table: name of the table among them.
        names: of pictures, as the table writes them.

    Returns:
        The member of `files` for each name; None = missing.

    Raises:
        ValueError: where several pictures have the name.
    """
    folder, known = table.rpartition("/")[0], [{}, {}, {}]
    for member in files.ending(*decoding.ENDINGS):
        for looser, by_name in enumerate(known):
            by_name.setdefault(_key(member, looser), []).append(member)
    found: list[str | None] = []
    for name in names:
        path = posixpath.normpath(f"{folder}/{name.replace(chr(92), '/')}".lstrip("/"))
        if path in files.sizes:
            found.append(path)
            continue
        same = next((by[_key(path, k)] for k, by in enumerate(known) if _key(path, k) in by), [])
        if len(same) > 1:
            raise ValueError(
                f"{table}: '{name}' may be {same[0]} or {same[1]}; write the path from the table's folder"
            )
        found.append(same[0] if same else None)
    first: dict[str, str] = {}
    for name, member in zip(names, found):
        if member is not None and first.setdefault(member, name) is not name:
            raise ValueError(f"{table}: '{first[member]}' and '{name}' are one picture; keep one row of it")
    return found


def _key(path, looser) -> str:
    """A picture's name without its folders, as it is compared: exactly, in one Unicode form and case, or also
    without its ending."""
    name = path.split("/")[-1]
    if looser:
        name = unicodedata.normalize("NFC", name).casefold()
    return name.rpartition(".")[0] or name if looser == 2 else name


PARSERS = {
    "own": _own,
    "makesense boxes": _boxes,
    "makesense tags": _tags,
    "makesense JSON": _json,
    "celeba": lambda text, where, _: Table("celeba", *celeba.parse(text, where)),
    COURSE: lambda text, where, _: Table(COURSE, *celeba.parse_course(text, where)),
}
