"""What is written of a film: the annotated video, a table with a line a face and frame, and a timeline."""

import csv
import errno
import math
import os
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from labkit import figures
from labkit.filming.frames import quietly
from labkit.follow import Seen
from labkit.places import harmless

BOX = ("x", "y", "width", "height")
FIRST = ("frame", "seconds", "face", *BOX)  # columns with which every table that labkit wrote begins
WRITERS = {".webm": "VP80", ".mp4": "vp09"}  # what OpenCV's wheel writes and browsers play

# Of a live recording: VP8 at 1280x720 takes 59 ms a new frame and 21 ms a repeated one on two busy cores.
LIVE_RATE, LIVE_SIDE = 15.0, 1280


def row(frame: int, seconds: float, one: Seen) -> dict:
    """A line of the table: whose face, where, and what is said of it, as `labkit.follow` smooths it.

    Args:
        frame: its number, from 0.
        seconds: when it was taken.
        one: a face of it.

    Returns:
        `frame, seconds, face, x, y, width, height`, the box in pixels, and nothing more where nothing is
        said. A target of two classes has the second one's probability; others have the label and its
        probability.
    """
    values = {"frame": frame, "seconds": round(seconds, 3), "face": one.number}
    values |= dict(zip(BOX, (round(v, 1) for v in one.face.box)))
    for target, classes in one.probabilities.items():
        if len(classes) == 2:
            values[target] = round(list(classes.values())[1], 4)
        else:
            values |= {target: one.said[target], f"{target}_probability": round(classes[one.said[target]], 4)}
    return values


def changes(last: dict, seen: list[Seen], seconds: float) -> list[dict]:
    """The labels that are other than the last ones.

    Args:
        last: (number, target) -> label; is brought up to date.
        seen: the faces of the next frame.
        seconds: when it was taken.

    Returns:
        A dict a label that changed: `seconds, face, target, before, after`.
    """
    found = []
    for one in seen:
        for target, said in one.said.items():
            before = last.get((one.number, target), said)
            if before != said:
                whose = {"seconds": seconds, "face": one.number, "target": target}
                found.append(whose | {"before": before, "after": said})
            last[one.number, target] = said
    return found


def columns(networks: dict) -> list[str]:
    """The columns of the table for these networks, name -> (network, about), in their order."""
    names = list(FIRST)
    for _, about in networks.values():
        for target, classes in about["classes"].items():
            names += [target] if len(classes) == 2 else [target, f"{target}_probability"]
    return names


def _beginning(file: Path) -> bytes:
    with open(file, "rb") as stream:
        return stream.read(1000)


def check_out(out: Path, source: str = "") -> None:
    """Refuse a name for the video before anything is recorded.

    Raises:
        ValueError: for an ending that browsers do not play, for the source itself, and where a table or
            timeline would take the place of a file that is none of ours.
        FileNotFoundError: for a folder that does not exist.
    """
    if source and out.exists() and Path(source).exists() and out.samefile(source):
        raise ValueError(f"out '{out}': is the source; give another name")
    table = out.with_suffix(".csv")
    if out.exists() and not table.exists():  # which lies beside every video that labkit wrote
        raise ValueError(f"out '{out}': is there and is no video of labkit; give another name")
    if table.exists() and not _beginning(table).startswith(",".join(FIRST).encode()):
        raise ValueError(f"out '{out}': {table} is there and is no table of labkit; give another name")
    picture = out.with_suffix(".png")
    if picture.exists() and b"labkit" not in _beginning(picture):
        raise ValueError(f"out '{out}': {picture} is there and is no timeline of labkit; give another name")
    if out.suffix not in WRITERS:
        raise ValueError(f"out '{out}': expected a name that ends with {' or '.join(WRITERS)}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"out '{out}': there is no folder {out.parent}")


class Recording:
    """Writes OUT, the annotated video, and beside it OUT's name with .csv, a line a face and frame, and
    .png, the timeline.

    The table and the video have a temporary name until the end of the `with` block, also where that ends with
    an error: what came until then is kept. Where no frame came, or no face for a timeline, there is no such
    file.

    Args:
        out: the video, with an ending of `WRITERS`.
        networks: name -> (network, about) as `evaluation.load_network` gives them.
        rate: of the video, frames a second.
        name: title of the timeline.
        live: whether the frames go on while one is written: the video then has no more frames a second and
            no more pixels than can be written meanwhile.

    Attributes:
        rows: the table, as `row` gives its lines.
        changes: the moments in which a label changed, `seconds, face, target, before, after`.
        frames: how many.
        files: what was written, at the end.

    Raises:
        ValueError: for an ending that browsers do not play.
        FileNotFoundError: for a folder that does not exist.
    """

    def __init__(self, out: Path, networks: dict, rate: float, name: str, live: bool = False):
        check_out(out)
        self.largest = LIVE_SIDE if live else None
        rate = min(rate, LIVE_RATE) if live else rate
        self.out, self.rate, self.name, self.columns = out, rate, name, columns(networks)
        self.video, self.csv = (out.with_name(f".{out.stem}.part{ending}") for ending in (out.suffix, ".csv"))
        self.rows, self.changes, self.files = [], [], []
        self.frames, self.written = 0, 0  # written: to the video, where a frame may stand more than once
        self.said: dict = {}  # the last labels, see `changes`
        self.writer = None  # until the first frame says how large the video is

    def __enter__(self) -> "Recording":
        self.file = self.csv.open("w", newline="", encoding="utf-8")
        self.table = csv.DictWriter(self.file, self.columns)
        self.table.writeheader()
        return self

    def add(self, page: np.ndarray, seconds: float, seen: list[Seen]) -> None:
        """Write the next frame.

        Args:
            page: uint8 (H, W, 3), RGB, annotated; the first one decides the size of the video.
            seconds: when it was taken.
            seen: what was seen in it.

        Raises:
            ValueError: where OpenCV cannot write this kind of video.
        """
        if self.writer is None:
            self._open_video(page)
        picture = cv2.cvtColor(fitted(page, self.size), cv2.COLOR_RGB2BGR)
        # More than once where a camera gave fewer frames than it promised, so that time runs true.
        while self.written < seconds * self.rate + 0.5:
            self.writer.write(picture)
            self.written += 1
        new = [row(self.frames, seconds, one) for one in seen]
        self.table.writerows({name: harmless(value) for name, value in line.items()} for line in new)
        self.rows += new
        self.changes += changes(self.said, seen, seconds)
        self.frames += 1

    def _open_video(self, page: np.ndarray) -> None:
        share = min(1.0, (self.largest or math.inf) / max(page.shape[:2]))
        self.size = round(page.shape[1] * share), round(page.shape[0] * share)
        codec = WRITERS[self.out.suffix]
        with quietly():
            fourcc = cv2.VideoWriter.fourcc(*codec)
            self.writer = cv2.VideoWriter(str(self.video), fourcc, self.rate, self.size)
        if not self.writer.isOpened():
            raise ValueError(f"{self.out}: OpenCV here cannot write this video ({codec})")

    def __exit__(self, *error) -> None:
        with suppress(OSError):  # a full disk: what fitted on it is kept
            self.file.close()
        if self.writer:
            self.writer.release()
        fitted_in = _beginning(self.csv).startswith(",".join(FIRST).encode())
        if not self.written or not fitted_in:
            self.csv.unlink()
            self.video.unlink(missing_ok=True)
            if not fitted_in:
                raise OSError(errno.ENOSPC, f"{self.out} cannot be written: {os.strerror(errno.ENOSPC)}")
            return
        table, timeline = self.out.with_suffix(".csv"), self.out.with_suffix(".png")
        self.video.replace(self.out)
        self.csv.replace(table)
        timeline.unlink(missing_ok=True)  # of another film
        self.files = [self.out, table]
        if self.rows:
            figures.write(figures.timeline(self.rows, self.changes, self.name), timeline)
            self.files.append(timeline)


def fitted(page: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture as large as fits into (width, height), in the middle of a dark one of that size.

    Args:
        page: uint8 (H, W, 3).
        size: (width, height) in pixels.

    Returns:
        uint8 (height, width, 3); `page` itself where it has that size.
    """
    if page.shape[1::-1] == tuple(size):
        return page
    share = min(size[0] / page.shape[1], size[1] / page.shape[0])
    small_size = max(1, int(page.shape[1] * share)), max(1, int(page.shape[0] * share))
    small = cv2.resize(page, small_size, interpolation=cv2.INTER_AREA)
    whole = np.full((size[1], size[0], 3), 20, np.uint8)
    y, x = (whole.shape[0] - small.shape[0]) // 2, (whole.shape[1] - small.shape[1]) // 2
    whole[y : y + small.shape[0], x : x + small.shape[1]] = small
    return whole
