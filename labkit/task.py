"""What is asked of each picture, read from a TOML file."""

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from labkit.labels import ATTRIBUTES, NO_YES

FLAG = "not_human"
TASK = "attributes.toml"  # a task beside a table says which attributes it has
KEYS = {
    "back": "ArrowLeft",
    "next": "ArrowRight",
    "up": "ArrowUp",
    "down": "ArrowDown",
    "skip": "s",
    "unset": "u",
    "flag": "n",
    "zoom": "z",
}


@dataclass(frozen=True)
class Task:
    """What is asked of each picture.

    Attributes:
        attributes: attribute -> its two to nine classes; the first is key 1, the second key 2.
        flag: an attribute of no and yes; yes ends a picture, since there is nothing else to label. "" = none.
        keys: command -> the key that gives it, as browsers name keys.

    Raises:
        ValueError: where these rules are not kept.
    """

    attributes: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(ATTRIBUTES))
    flag: str = FLAG
    keys: dict[str, str] = field(default_factory=lambda: dict(KEYS))

    def __post_init__(self):
        if self.flag and self.attributes.get(self.flag) != NO_YES:
            raise ValueError(f"flag '{self.flag}': expected an attribute with the classes no, yes")
        if not self.asked:
            raise ValueError("attributes: expected at least one beside the flag")
        for name, classes in self.attributes.items():
            if not 2 <= len(set(classes)) == len(classes) <= 9:
                raise ValueError(
                    f"attributes: {name}: expected 2 to 9 different classes, got {list(classes)}"
                )
        if unknown := set(self.keys) - set(KEYS):
            raise ValueError(f"keys: expected {', '.join(KEYS)}, got {', '.join(sorted(unknown))}")
        given = [key for key in self.keys.values() if key]
        if len(set(given)) < len(given) or any(key.isdecimal() for key in given):
            raise ValueError(f"keys: expected a key of its own for each command and no digit, got {given}")

    @property
    def asked(self) -> list[str]:
        """The attributes that are asked one after the other: all but the flag."""
        return [name for name in self.attributes if name != self.flag]


def read_task(file: str | Path | None = None) -> Task:
    """The task of a TOML file: `[attributes]` (name = classes), if need be `flag = "not_human"` above it and
    `[keys]` (command = key) below it; None = the lab's own five attributes and its flag.

    Raises:
        ValueError: where the file is not as said.
        FileNotFoundError: where there is none.
    """
    return Task() if file is None else parse_task(Path(file).read_text(encoding="utf-8"), file)


def parse_task(text: str, where) -> Task:
    """The same of the text of such a file; `where` names it in messages."""
    try:
        given = tomllib.loads(text)
        if unknown := set(given) - {"attributes", "flag", "keys"}:
            raise ValueError(f"expected attributes, flag and keys, got {', '.join(sorted(unknown))}")
        attributes = {name: tuple(map(str, classes)) for name, classes in given["attributes"].items()}
        flag = given.get("flag", FLAG if attributes.get(FLAG) == NO_YES else "")
        return Task(attributes, flag, KEYS | given.get("keys", {}))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        said = f"no table [{error.args[0]}]" if isinstance(error, KeyError) else error
        raise ValueError(f"{where}: {said}") from None


def task_text(task: Task) -> str:
    """The attributes and the flag of a task as such a file; its keys are a matter of who labels."""
    lines = [f"flag = {json.dumps(task.flag)}", "", "[attributes]"]
    for name, classes in task.attributes.items():
        lines.append(f"{json.dumps(name)} = {json.dumps(list(classes), ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
