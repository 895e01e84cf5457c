"""FER2013: tables of pixels, or folders of pictures, with its official split; and CK+ in the same form."""

import numpy as np

from labkit.faces import UNLABELLED
from labkit.formats import archives, decoding
from labkit.formats.reading import Reading, WrongLayout, basenames, columns_of, exactly, table_rows
from labkit.labels import EMOTIONS, NO_EMOTION, VOTED, meant, plain

USAGES = {"Training": "train", "PublicTest": "public_test", "PrivateTest": "private_test"}
PIXELS = 48
LABEL_COLUMNS = ("emotion", "label", "emotions", "labels", "class", "target", "expression")
SPLITS = {  # the part that a table's name tells
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
WITH_CONTEMPT = (*EMOTIONS, "contempt")  # code 7 of CK+ as pixels


def read(files, track=iter) -> Reading:
    """FER2013 as tables of pixels, or as folders `train|test/<class>/` of pictures.

    A table is known by its column `pixels`, whatever it is called. The emotion's column may have another
    usual name. Without a column `Usage` the names of the tables tell the split; a single table without either
    is one part.

    Args:
        files: `Files` of the download.
        track: gives on the rows of a table, and may count them for a progress bar.

    A table of FER+ among the files, ten people's votes for each picture, adds the target emotion_voted: the
    emotion with most votes as its class, the shares of the eight emotions as its votes. Pictures that more
    people called unknown or no face than any emotion are left out of it, ties have no class.

    Returns:
        A `Reading` with the target emotion, 7 classes in the order of FER2013's codes, with CK+'s code 7 also
        contempt, and the split: train, public_test, private_test; or train, validation and test by the
        tables' names; or test where a table without labels doesn't tell the two apart.

    Raises:
        WrongLayout: where there is neither.
        ValueError: where a row, a folder or a picture's name is not as FER2013 has it.
    """
    tables = [name for name in files.sizes if not name.lower().endswith(decoding.ENDINGS)]
    tables = [name for name in tables if "pixels" in columns_of(files, name)]
    tables.sort(key=lambda name: [*SPLITS, ""].index(_part_of(name)))
    official = [name for name in tables if "usage" in columns_of(files, name)]
    members = []
    for name in files.ending(*decoding.ENDINGS):
        if name.count("/") >= 2 and name.split("/")[-3].lower() in ("train", "test"):
            members.append(name)
    if tables:  # where one has it all, the others are its parts
        parts = [name for name in official if _part_of(name)]
        whole = official[:1] if len(parts) < len(official) else official
        return _fer_tables(files, whole or tables, [n for n in official if n not in whole], track)
    if members and any(_usage(name) in USAGES for name in members):
        return _fer_folders(files, members)
    raise WrongLayout(
        "expected a table with columns emotion, pixels and Usage, as fer2013.csv, "
        "or folders train/angry ... test/surprise with pictures named Training_1.jpg ..."
    )


def _fer_tables(files, tables, others, track):
    emotions, split, images, notes = [], [], [], []
    for table in tables:
        column = _label_column(files, table)
        part = _part_of(table)
        for where, row in track(table_rows(files, table, ["pixels"])):
            split.append(_part_in(where, row.get("usage", part)))
            emotions.append(_code(where, row[column]) if column else UNLABELLED)
            images.append(_pixels(where, row["pixels"]))
    if not images:
        raise ValueError(f"{files.path}: {tables[0]} has no rows; download it again")
    if "" in split:
        notes.append("no column Usage and no part in the table's name: one part, without a split")
        split = None
    usages = {part: usage for usage, part in USAGES.items()}
    names = [f"{usages.get(part, part)}_{i}" for i, part in enumerate(split or ["face"] * len(images))]
    labels = _fer_labels(names, emotions, split)
    if WITH_CONTEMPT.index("contempt") in emotions:
        notes.append("code 7, contempt, which FER2013 has not; CK+ in this form can be imported as ckplus")
    left_out = dict.fromkeys(others, f"{tables[0]} has all parts")
    for voted in _tables_of_votes(files):
        try:
            notes.append(_add_votes(files, voted, split, labels))
        except ValueError as error:
            left_out[voted] = str(error)
    return Reading(layout="table", images=np.stack(images), notes=notes, left_out=left_out, **labels)


def _tables_of_votes(files) -> list[str]:
    names = (name for name in files.sizes if not name.lower().endswith(decoding.ENDINGS))
    return [name for name in names if {"neutral", *NO_EMOTION} <= set(columns_of(files, name))]


def _add_votes(files, table, split, labels) -> str:
    """Add the target emotion_voted, and its votes, from FER+'s table, a row a picture in the same order.

    Returns a note."""
    codes = [WITH_CONTEMPT.index(emotion) for emotion in VOTED.values()]
    counts = np.zeros((len(labels["names"]), len(WITH_CONTEMPT)), np.float32)
    nothing = np.zeros(len(counts), np.float32)
    i = -1
    for i, (where, row) in enumerate(table_rows(files, table, [*VOTED, *NO_EMOTION])):
        part = _part_in(where, row.get("usage", ""))
        if i >= len(counts) or (split and part and part != split[i]):
            raise ValueError(f"{where}: not the table of votes for these pictures: {_other_rows(i, counts)}")
        counts[i, codes] = [_vote(where, row[column]) for column in VOTED]
        nothing[i] = max(_vote(where, row[column]) for column in NO_EMOTION)
    if i + 1 != len(counts):
        raise ValueError(f"{files.path}: {table}: {i + 1} rows, expected {len(counts)}, one a picture")
    total, most = counts.sum(1, keepdims=True), counts.max(1)
    known = (total[:, 0] > 0) & (nothing < most)
    alone = known & ((counts == most[:, None]).sum(1) == 1)
    shares = np.where(known[:, None], counts / np.maximum(total, 1), np.nan).astype(np.float32)
    labels["targets"]["emotion_voted"] = np.where(alone, counts.argmax(1), UNLABELLED).astype(np.int64)
    labels["classes"]["emotion_voted"] = WITH_CONTEMPT
    labels["votes"] = {"emotion_voted": shares}
    return (
        f"votes of FER+ for {known.sum():,} pictures; {len(known) - known.sum():,} that most called no face "
        f"or unclear are left out, {known.sum() - alone.sum():,} more have no single winner"
    )


def _other_rows(i, counts) -> str:
    return f"it has more than their {len(counts)} rows" if i >= len(counts) else "their Usage differs here"


def _vote(where, text) -> float:
    try:
        votes = float(text or 0)
    except ValueError:
        votes = -1.0
    if not 0 <= votes < 1e6:
        raise ValueError(f"{where}: '{text}' votes, expected a number of 0 or more")
    return votes


def recognises(files) -> bool:
    """Whether a table of pixels is among the files."""
    names = (name for name in files.sizes if not name.lower().endswith(decoding.ENDINGS))
    return any("pixels" in columns_of(files, name) for name in names)


def _part_in(where, usage) -> str:
    """The part of the split that a cell of the column Usage names."""
    word = plain(usage).replace(" ", "")
    found = {name.lower(): part for name, part in USAGES.items()}.get(word)
    found = found or next((part for part, words in SPLITS.items() if word in words), None)
    if found is None and word:
        raise ValueError(f"{where}: Usage '{usage}', expected one of {', '.join(USAGES)}")
    return found or ""


def _label_column(files, table) -> str | None:
    """The column with the emotion; None for a table of pixels alone."""
    columns = columns_of(files, table)
    named = [column for column in LABEL_COLUMNS if column in columns]
    others = [column for column in columns if column not in ("pixels", "usage", "", "id", "index")]
    if not named and others:
        raise ValueError(
            f"{files.path}: {table} has columns {', '.join(columns)}; the emotion's must be called one of "
            f"{', '.join(LABEL_COLUMNS)}"
        )
    return named[0] if named else None


def _part_of(table) -> str:
    """The part of the split that a table's name tells; "" where it tells none."""
    stem = table.split("/")[-1].lower().partition(".")[0]
    found = [part for part, words in SPLITS.items() if any(stem.endswith(word) for word in words)]
    return found[0] if found else ""


def _fer_labels(names, emotions, split):
    contempt = len(EMOTIONS) in emotions
    return {
        "names": np.array(names),
        "targets": {"emotion": np.array(emotions, np.int64)},
        "classes": {"emotion": WITH_CONTEMPT if contempt else EMOTIONS},
        "split": None if split is None else np.array(split),
        "views": {"face": (PIXELS, 1)},
    }


def _code(where, text):
    code = text.removesuffix(".0")
    if meant(text) in WITH_CONTEMPT:
        return WITH_CONTEMPT.index(meant(text))
    if code not in map(str, range(len(WITH_CONTEMPT))):
        raise ValueError(f"{where}: emotion '{text}', expected a code 0 to {len(EMOTIONS) - 1}, or its name")
    return int(code)


def _pixels(where, text):
    try:
        values = bytes(map(int, text.split()))
    except ValueError:
        raise ValueError(f"{where}: pixels must be whole numbers 0 to 255, separated by spaces") from None
    if len(values) != PIXELS**2:
        raise ValueError(f"{where}: {len(values)} pixels, expected {PIXELS**2} ({PIXELS}x{PIXELS})")
    return np.frombuffer(values, np.uint8).reshape(PIXELS, PIXELS, 1)


def _usage(member) -> str:
    return member.split("/")[-1].split("_")[0]


def _fer_folders(files, members):
    rows = []
    for member in members:
        _, folder, name = member.split("/")[-3:]
        usage = _usage(member)
        if meant(folder) not in EMOTIONS:
            raise ValueError(
                f"{files.path}: {member}: folder '{folder}', expected one of {', '.join(EMOTIONS)}"
            )
        if usage not in USAGES:
            expected = f"a name {{{'|'.join(USAGES)}}}_N, which tells the official split"
            raise ValueError(f"{files.path}: {member}: expected {expected}")
        place = (list(USAGES).index(usage), archives.natural_key(name))
        rows.append((place, member, EMOTIONS.index(meant(folder)), USAGES[usage]))
    rows.sort(key=lambda row: row[0])  # by split and number, so that the classes are mixed
    _, members, emotions, split = zip(*rows)
    labels = _fer_labels(basenames(members), emotions, split)
    why = "its rows are those of fer2013.csv, and these are pictures"
    return Reading(
        layout="folders",
        files=files,
        pictures=np.array(members),
        render=exactly(PIXELS),
        left_out=dict.fromkeys(_tables_of_votes(files), why),
        **labels,
    )
