"""The attribute list of CelebA, and that of a course's people and cartoons, whose people are CelebA's.

CelebA:               `list_attr_celeba.txt` (a count, 40 names, then 1 or -1 each) or the same as `.csv`,
                      also with 0 for -1.
people and cartoons:  `attribute_list.csv` (a count, then
                      `file_name,hair_color,eyeglasses,smiling,young,human`; the colour 0 to 5 or -1 = not
                      labelled, the others 1 or -1), names without ending. What these codes mean was read off
                      sheets of its pictures: a picture that is neither human nor has a hair colour shows no
                      face, and what its other columns say means nothing.
"""

import csv
import re

import numpy as np

from labkit.faces import UNLABELLED
from labkit.labels import ATTRIBUTES, GROUPS, KINDS, SMILES

SPLITS = {"0": "train", "1": "validation", "2": "test"}
HAIR = {
    "Black_Hair": "black",
    "Blond_Hair": "blond",
    "Brown_Hair": "brown",
    "Gray_Hair": "grey",
    "Bald": "bald",
}
NEEDED = (*HAIR, "Eyeglasses", "Wearing_Hat")
COURSE = {"file_name", "hair_color", "eyeglasses", "smiling", "young", "human"}
COURSE_HAIR = ("bald", "blond", "ginger", "brown", "black", "grey")  # codes 0 to 5
COURSE_COLOURS = tuple(str(code) for code in range(-1, len(COURSE_HAIR)))
COURSE_FLAGS = ("eyeglasses", "smiling", "young", "human")
CLASSES = ATTRIBUTES | {"smile": SMILES, "age": GROUPS["age"], "kind": KINDS}


def parse(text, where):
    """CelebA's list.

    Returns:
        names, targets and classes of its images, as `labkit.faces.FaceSet` has them: glasses, hair_colour,
        hair_top, smile and age where it has their columns, and celeba float32 (N, 40).

    Raises:
        ValueError: with row and rule, where it is not as stated above.
    """
    lines = [re.split(r"[,;\s]+", line.strip()) for line in text.splitlines() if line.strip()]
    stated = int(lines.pop(0)[0]) if len(lines[0]) == 1 and lines[0][0].isdecimal() else None
    columns = [column for column in lines.pop(0) if column not in ("image_id", "", "index", "Unnamed:", "0")]
    if missing := [column for column in NEEDED if column not in columns]:
        raise ValueError(f"{where}: has no column {', '.join(missing)}")
    if stated not in (None, len(lines)):
        raise ValueError(f"{where}: states {stated} images but has {len(lines)} rows; download it again")
    if lines and len(lines[0]) == len(columns) + 2:  # a first column that counts the rows
        lines = [row[1:] for row in lines]
    said = {value for row in lines for value in row[1:]}
    values = {"1", "0"} if "0" in said else {"1", "-1"}
    for i, row in enumerate(lines):
        if len(row) != len(columns) + 1 or not set(row[1:]) <= values:
            expected = f"a name and {len(columns)} values, each {' or '.join(sorted(values, reverse=True))}"
            raise ValueError(f"{where}: row {i + 1} ('{row[0]}'): expected {expected}")
    yes = np.array([[value == "1" for value in row[1:]] for row in lines], bool)
    yes = yes.reshape(len(lines), len(columns))
    attributes = dict(zip(columns, yes.T))
    hair = np.stack([attributes[column] for column in HAIR], axis=1)
    colours = np.array([ATTRIBUTES["hair_colour"].index(colour) for colour in HAIR.values()])
    targets = {
        "glasses": attributes["Eyeglasses"].astype(np.int64),
        # None of the five or several of them: the colour cannot be told.
        "hair_colour": np.where(hair.sum(1) == 1, colours[hair.argmax(1)], UNLABELLED),
        # CelebA knows hats and bald heads only: a scarf counts as hair or hat there.
        "hair_top": np.where(attributes["Wearing_Hat"], 2, attributes["Bald"].astype(np.int64)),
    }
    if "Smiling" in attributes:
        targets["smile"] = attributes["Smiling"].astype(np.int64)
    if "Young" in attributes:
        targets["age"] = 1 - attributes["Young"].astype(np.int64)
    targets["celeba"] = yes.astype(np.float32)
    return [row[0] for row in lines], targets, {name: CLASSES.get(name, tuple(columns)) for name in targets}


def parse_course(text, where):
    """The list of people and cartoons.

    Returns:
        names, targets and classes of its images: glasses, hair_colour, smile, age, not_human, and kind.

    Raises:
        ValueError: with line and rule, where it is not as stated above.
    """
    lines = list(csv.reader(re.sub("[;\t]", ",", text).splitlines()))
    head = next(i for i, line in enumerate(lines) if {word.strip().lower() for word in line} >= COURSE)
    columns = [word.strip().lower() for word in lines[head]]
    rows = [(i, line) for i, line in enumerate(lines[head + 1 :], head + 2) if any(line)]
    stated = lines[0][0].strip() if head else ""
    if stated.isdecimal() and int(stated) != len(rows):
        raise ValueError(f"{where}: states {stated} images but has {len(rows)} rows; download it again")
    names, codes = [], []
    for number, line in rows:
        row = dict(zip(columns, (value.strip() for value in line)))
        colour, flags = row.get("hair_color"), [row.get(name) for name in COURSE_FLAGS]
        if colour not in COURSE_COLOURS or not set(flags) <= {"1", "-1"}:
            rule = f"hair_color -1 to {len(COURSE_HAIR) - 1} and {', '.join(COURSE_FLAGS)} 1 or -1"
            raise ValueError(f"{where} line {number}: expected {rule}, got {','.join(line)}")
        names.append(row["file_name"])
        codes.append([int(colour), *(int(flag == "1") for flag in flags)])
    colour, glasses, smiling, young, human = np.array(codes, np.int64).reshape(-1, 5).T
    colours = np.array([ATTRIBUTES["hair_colour"].index(name) for name in COURSE_HAIR] + [UNLABELLED])
    kind = np.where(human == 1, KINDS.index("person"), KINDS.index("cartoon"))
    nothing = (human == 0) & (colour == UNLABELLED)
    kind[nothing] = KINDS.index("no face")
    targets = {"glasses": glasses, "smile": smiling, "age": 1 - young}
    targets = {name: np.where(nothing, UNLABELLED, values) for name, values in targets.items()}
    targets |= {"hair_colour": colours[colour], "not_human": 1 - human, "kind": kind}
    return names, targets, {name: CLASSES[name] for name in targets}


def columns(files, names) -> dict[str, np.ndarray]:
    """split and subjects of CelebA's images, where the tables of them are there.

    Args:
        files: `Files` with `list_eval_partition` and `identity_CelebA.txt`, either or neither.
        names: of N images.

    Returns:
        Column -> str (N,).

    Raises:
        ValueError: where a table has no line for an image, or another split than 0, 1 or 2.
    """
    columns = {}
    for table in files.ending("list_eval_partition.txt", "list_eval_partition.csv")[:1]:
        values = _values(files, table, names, ", N = 0, 1 or 2", SPLITS)
        columns["split"] = np.array([SPLITS[value] for value in values])
    for table in files.ending("identity_celeba.txt")[:1]:
        columns["subjects"] = np.array(_values(files, table, names))
    return columns


def _values(files, table, names, rule="", choices=None):
    """What a table of `name value` says of each name; `choices`, where given, are all that it may say."""
    values = {}
    for line in files.text(table).splitlines():
        if line.strip():
            row = re.split(r"[,\s]+", line.strip())
            values[row[0]] = row[-1]
    for name in names:
        if name not in values or (choices is not None and values[name] not in choices):
            raise ValueError(f"{table}: expected a line '{name} N'{rule}, got {values.get(name)}")
    return [values[name] for name in names]
