"""An annotator's journal: a line an answer, appended and flushed before anything else happens."""

import json
import os
import re
import time
from pathlib import Path
from typing import ClassVar

import filelock

NAME = re.compile(r"[\w][\w .-]{0,39}")


def answers(file: Path) -> tuple[dict[str, dict[str, str]], set[str]]:
    """What a journal says now.

    Returns:
        picture -> attribute -> class, and the pictures that were skipped.

    Raises:
        ValueError: for a line that is no answer; a last line without an end was cut off by a kill and does
            not count.
    """
    found: dict[str, dict[str, str]] = {}
    skipped: set[str] = set()
    whole = _whole_lines(file.read_bytes()) if file.exists() else b""
    for number, line in enumerate(whole.decode("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            picture, attribute, value = entry["picture"], entry["attribute"], entry["value"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{file} line {number}: expected an answer, got {line[:60]!r}") from None
        if attribute is None:
            skipped.add(picture)
        elif value is None:
            found.get(picture, {}).pop(attribute, None)
        else:
            found.setdefault(picture, {})[attribute] = value
            skipped.discard(picture)
    return {picture: said for picture, said in found.items() if said}, skipped


def _whole_lines(content: bytes) -> bytes:
    """Without a last line that a kill cut off, be it in the middle of a letter."""
    return content[: content.rfind(b"\n") + 1]


class Journal:
    """An annotator's journal, opened to be written to.

    Args:
        folder: of the journals of one set of pictures; made where it is missing.
        annotator: a name; "anna" writes `anna.jsonl`. Where another kernel has that open, `anna (2).jsonl` is
            taken, and `shared` says so.

    Attributes:
        file: the journal. annotator: whose it is. shared: whether somebody else had the one that was meant.

    Raises:
        ValueError: for a name that is no file name.
        OSError: where the folder cannot be written to.
    """

    ours: ClassVar[dict[Path, "Journal"]] = {}  # open in this kernel: a cell that is run again takes over

    def __init__(self, folder: str | Path, annotator: str):
        if not NAME.fullmatch(annotator):
            raise ValueError(
                f"annotator '{annotator}': expected a name of letters, digits and spaces, up to 40"
            )
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, 100):
            self.annotator = annotator if number == 1 else f"{annotator} ({number})"
            self.file = (folder / f"{self.annotator}.jsonl").absolute()
            if self.file in self.ours:
                self.ours[self.file].close()
            self.lock = filelock.FileLock(self.file.with_name(f".{self.annotator}.lock"), blocking=False)
            try:
                self.lock.acquire()
                break
            except filelock.Timeout:
                continue
        else:
            raise OSError(f"{folder}: '{annotator}' is open in 99 kernels")
        self.shared = number > 1
        self.ours[self.file] = self
        if self.file.exists():
            os.truncate(self.file, len(_whole_lines(self.file.read_bytes())))
        self.stream = self.file.open("a", encoding="utf-8", newline="\n")

    @property
    def is_open(self) -> bool:
        return not self.stream.closed

    def write(self, picture: str, attribute: str | None, value: str | None) -> None:
        """Append an answer; `value` None takes it back, `attribute` None skips the picture."""
        if not self.is_open:
            raise ValueError(f"{self.annotator} goes on in another cell; this one is closed")
        entry = {"picture": picture, "attribute": attribute, "value": value, "time": round(time.time(), 1)}
        self.stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Let others have it; nothing is lost, whether it is called or not."""
        self.stream.close()
        self.lock.release()
        self.ours.pop(self.file, None)
