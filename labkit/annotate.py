"""Label pictures by hand: what is asked, the journal of answers, how far annotators agree, CSV out and in.

What is annotated is a `Task`, read from a TOML file. Each annotator has a journal, `<folder>/<name>.jsonl`: a
line an answer, appended and flushed before anything else happens, so that a kernel killed at any moment loses
nothing; later lines overrule earlier ones, and `null` takes an answer back. A journal is open once: who opens
it a second time, in another kernel, gets one beside it. `Session` is what `widgets.annotator` shows. Taught
in notebook 08.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from labkit import datasets, metrics
from labkit.annotations.journal import Journal, answers
from labkit.faces import UNLABELLED, FaceSet
from labkit.labels import ATTRIBUTES, FLAG, KEYS, NO_YES, TASK, Task, read_task, task_text
from labkit.places import harmless, whole_file

__all__ = [
    "FLAG",
    "KEYS",
    "Journal",
    "Session",
    "Task",
    "agreed",
    "agreement",
    "annotators",
    "answers",
    "coded",
    "gallery",
    "read_task",
    "take_in",
    "write_csv",
]


def gallery(pictures: FaceSet | str | Path) -> tuple[list[str], Callable[[int], np.ndarray]]:
    """What is to be annotated.

    Args:
        pictures: a `FaceSet`, or a folder of pictures, at any depth.

    Returns:
        Their names, for a folder the paths below it in natural order, and a function of the index that opens
        one, uint8 (H, W, C). It raises ValueError or OSError for a file that is no picture.

    Raises:
        ValueError: where there is none.
        FileNotFoundError: where there is no such folder.
    """
    if isinstance(pictures, FaceSet):
        names = range(len(pictures)) if pictures.names is None else pictures.names
        return [str(name) for name in names], lambda i: pictures.images[i]
    if not Path(pictures).is_dir():
        raise FileNotFoundError(f"{pictures}: no such folder (looked in {Path.cwd()})")
    found = (file for file in Path(pictures).rglob("[!.]*") if file.suffix.lower() in datasets.ENDINGS)
    names = sorted((file.relative_to(pictures).as_posix() for file in found), key=datasets.natural_key)
    if not names:
        raise ValueError(f"{pictures}: expected a folder with pictures, found none")
    return names, lambda i: datasets.decode((Path(pictures) / names[i]).read_bytes(), 3)


class Session:
    """Where an annotator stands: a picture, an attribute of it, and what comes next.

    It begins at the first picture that is neither done nor skipped; when there is none, at the first skipped.

    Args:
        names: of the pictures, each its own.
        journal: to which every answer goes at once.
        task: what is asked.

    Attributes:
        picture: index of the picture. attribute: the name of the attribute that is asked. said: picture ->
            attribute -> class.
    """

    def __init__(self, names: Sequence[str], journal: Journal, task: Task | None = None):
        self.names, self.journal, self.task = [str(name) for name in names], journal, task or Task()
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError("names: expected at least one picture, and a name of its own for each")
        self.said, self.skipped = answers(journal.file)
        self.picture, self.attribute = 0, self.task.asked[0]
        self._next_open(-1)

    def of(self, picture: int) -> dict[str, str]:
        """What was said of a picture: attribute -> class."""
        return self.said.get(self.names[picture], {})

    def is_done(self, picture: int) -> bool:
        """Whether every attribute is answered, or the flag set."""
        said = self.of(picture)
        return said.get(self.task.flag) == NO_YES[1] or all(name in said for name in self.task.asked)

    def done(self) -> int:
        """How many pictures are."""
        return sum(self.is_done(i) for i in range(len(self.names)))

    def label(self, attribute: str, value: str | None) -> None:
        """Answer an attribute of the picture, or take the answer back with None; then the next attribute
        without an answer is asked, or else the next picture.

        Raises:
            ValueError: for an attribute or class that the task does not have.
        """
        if value is not None and value not in self.task.attributes.get(attribute, ()):
            raise ValueError(f"{attribute} '{value}': expected {self.task.attributes}")
        name = self.names[self.picture]
        self.journal.write(name, attribute, value)
        if value is None:
            self.said.get(name, {}).pop(attribute, None)
            self.attribute = attribute if attribute in self.task.asked else self.attribute
            return
        was_done = self.is_done(self.picture)
        self.said.setdefault(name, {})[attribute] = value
        self.skipped.discard(name)
        if not self.is_done(self.picture):
            self._first_open()
        elif not was_done:
            self._next_open(self.picture)

    def choose(self, number: int) -> None:
        """Answer the attribute that is asked with its class `number`, counted from 1; others do nothing."""
        classes = self.task.attributes[self.attribute]
        if 1 <= number <= len(classes):
            self.label(self.attribute, classes[number - 1])

    def command(self, name: str) -> None:
        """Do what a key of `Task.keys` stands for; zooming is the page's own."""
        if name in ("back", "next"):
            self.picture = (self.picture + (1 if name == "next" else -1)) % len(self.names)
            self._first_open()
        elif name in ("up", "down"):
            asked = self.task.asked
            self.attribute = asked[(asked.index(self.attribute) + (1 if name == "down" else -1)) % len(asked)]
        elif name == "skip":
            self.journal.write(self.names[self.picture], None, None)
            self.skipped.add(self.names[self.picture])
            self._next_open(self.picture)
        elif name == "unset":
            set_flag = self.task.flag if self.of(self.picture).get(self.task.flag) == NO_YES[1] else ""
            self.label(set_flag or self.attribute, None)
        elif name == "flag" and self.task.flag:
            self.label(self.task.flag, NO_YES[1])

    def _next_open(self, after: int) -> None:
        """The first picture behind `after`, then from the start, that is open; else one that was skipped;
        else the next. Its first attribute without an answer is asked."""
        n = len(self.names)
        order = [(after + step) % n for step in range(1, n + 1)]
        todo = [i for i in order if not self.is_done(i)]
        unskipped = [i for i in todo if self.names[i] not in self.skipped]
        self.picture = (unskipped or todo or order)[0]
        self._first_open()

    def _first_open(self) -> None:
        """Ask the first attribute of the picture that has no answer."""
        said = self.of(self.picture)
        asked = self.task.asked
        self.attribute = next((name for name in asked if name not in said), asked[0])

    def counts(self) -> dict[str, dict[str, int]]:
        """attribute -> class -> pictures."""
        found = {name: dict.fromkeys(classes, 0) for name, classes in self.task.attributes.items()}
        for said in self.said.values():
            for attribute, value in said.items():
                if value in found.get(attribute, {}):
                    found[attribute][value] += 1
        return found


# What annotators said


def annotators(folder: str | Path) -> dict[str, dict[str, dict[str, str]]]:
    """annotator -> picture -> attribute -> class, of every journal of a folder.

    Raises:
        ValueError: as `answers` does.
    """
    return {file.stem: answers(file)[0] for file in sorted(Path(folder).glob("*.jsonl"))}


def coded(said: Mapping, names: Sequence[str], task: Task) -> dict[str, np.ndarray]:
    """What one annotator said, as `FaceSet` has it: attribute -> int64 (N,), -1 = not labelled. A picture
    with answers and no flag shows a person."""
    found = {}
    for attribute, classes in task.attributes.items():
        codes = {name: i for i, name in enumerate(classes)}
        values = [codes.get(said.get(name, {}).get(attribute), UNLABELLED) for name in names]
        found[attribute] = np.array(values, np.int64)
    if task.flag:
        labelled = np.any([found[name] != UNLABELLED for name in task.asked], axis=0)
        found[task.flag][labelled & (found[task.flag] == UNLABELLED)] = 0
    return found


def agreement(first: Mapping, second: Mapping, task: Task) -> list[dict]:
    """How far two annotators agree, a row an attribute.

    Args:
        first, second: picture -> attribute -> class, as `annotators` gives them.
        task: what was asked.

    Returns:
        For each attribute: attribute, pictures (that both labelled), same (share on which they agree), kappa
        with low and high of its 95 % interval (None where it is not defined), and differ (names of pictures).
    """
    names = sorted(set(first) & set(second))
    ours, theirs = coded(first, names, task), coded(second, names, task)
    rows = []
    for attribute, classes in task.attributes.items():
        both = (ours[attribute] != UNLABELLED) & (theirs[attribute] != UNLABELLED)
        a, b = ours[attribute][both], theirs[attribute][both]
        row = {"attribute": attribute, "pictures": len(a), "same": float((a == b).mean()) if len(a) else None}
        row |= metrics.cohens_kappa(a, b, len(classes))
        rows.append(row | {"differ": [names[i] for i in np.flatnonzero(both)[a != b]]})
    return rows


def agreed(every: Mapping[str, Mapping], task: Task) -> dict[str, dict[str, str]]:
    """picture -> attribute -> the class that more than half of those who answered gave; else no answer."""
    found: dict[str, dict[str, str]] = {}
    for picture in sorted({picture for said in every.values() for picture in said}):
        for attribute in task.attributes:
            given = [said[picture].get(attribute) for said in every.values() if picture in said]
            given = [value for value in given if value is not None]
            most = max(given, key=given.count, default=None)
            if most is not None and 2 * given.count(most) > len(given):
                found.setdefault(picture, {})[attribute] = most
    return found


def write_csv(said: Mapping, file: str | Path, task: Task | None = None) -> int:
    """Write what was said as the table that `data import attributes` reads, a row a picture; beside it
    `attributes.toml`, which says what is asked, where that is not the lab's own.

    Returns:
        How many rows. Their names are those of `said`.
    Raises:
        ValueError: where that file is there already and says something else.
    """
    task, names = task or Task(), list(said)
    _keep_beside(file, task)
    values = coded(said, names, task)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", *task.attributes])
    for i, name in enumerate(names):
        codes = {attribute: values[attribute][i] for attribute in task.attributes}
        words = [
            task.attributes[attribute][code] if code != UNLABELLED else ""
            for attribute, code in codes.items()
        ]
        table.writerow([harmless(name), *words])
    with whole_file(file) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return len(names)


def _keep_beside(file: str | Path, task: Task) -> None:
    there = Path(file).parent / TASK
    if there.exists() and read_task(there).attributes != task.attributes:
        raise ValueError(f"{there}: asks for other attributes than {file} has; give the table another folder")
    if task.attributes != ATTRIBUTES:
        with whole_file(there) as temporary:
            temporary.write_text(task_text(task), encoding="utf-8")


def take_in(file: str | Path, journal: Journal, names: Sequence[str], task: Task | None = None) -> dict:
    """Put the labels of a table into a journal: of every form that `data import attributes` reads.

    Args:
        file: the table.
        journal: whose answers they become; what the table leaves open stays.
        names: of the pictures that are annotated.
        task: its attributes are taken, as far as the table has them.

    Returns:
        answers (how many were written), unknown (names in the table that are no picture here), unused
        (targets of the table that the task does not ask).

    Raises:
        ValueError: where the file is no such table.
    """
    task = task or Task()
    table = datasets.table(file, ATTRIBUTES | task.attributes)
    stems = {Path(name).stem: name for name in names}
    known = {name: name if name in set(names) else stems.get(Path(name).stem) for name in table.names}
    written, used = 0, [name for name in table.targets if name in task.attributes]
    for target in used:
        for name, code in zip(table.names, table.targets[target]):
            word = table.classes[target][code] if code != UNLABELLED else None
            if word in task.attributes[target] and known[name]:
                journal.write(known[name], target, word)
                written += 1
    return {
        "answers": written,
        "unknown": [name for name, picture in known.items() if picture is None],
        "unused": [name for name in table.targets if name not in used],
    }
