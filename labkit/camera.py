"""Camera, video, pictures or a drawn film in; boxes and labels drawn, an annotated video, a table and a timeline out.

Behind `python -m labkit webcam` and `labkit.widgets.camera`. What says something of the faces is passed in: a
`labkit.follow.Watcher`. Frames are uint8 (H, W, 3), RGB. Nothing is kept but what a `Recording` is told to write. Taught in notebook 10.
"""

import csv
import itertools
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from labkit import figures, panels, synthetic
from labkit.follow import Seen

PICTURES = (".jpg", ".jpeg", ".png")
FILM = "builtin"
FILM_RATE = 25.0
FASTEST = 240.0  # frames a second; what browsers record has no steady rate and claims a thousand
WRITERS = {".webm": "VP80", ".mp4": "vp09"}  # what OpenCV's wheel writes and browsers play
COLOURS = [
    tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in (figures.BLUE, figures.RED, figures.GREEN, figures.PINK, figures.ORANGE)
]
GREY = (130, 130, 130)
NARROWEST = 130  # pixels of a bar: as wide as the longest label


@contextmanager
def _quietly():
    """OpenCV's video libraries print to standard error, past Python, about things that labkit itself reports: leave that out."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@dataclass
class Source:
    """Where frames come from. frames: (frame, seconds) pairs; n: how many, None where nobody knows; rate: frames a second; name: for
    the reader; still: pictures that have nothing to do with each other."""

    frames: Iterable[tuple[np.ndarray, float]]
    n: int | None
    rate: float
    name: str
    still: bool = False


def open_source(source: str | int) -> Source:
    """A camera by its number ("0"), a video file, a folder of pictures, or "builtin": drawn faces as an endless film. Raises OSError
    where it cannot be opened; its frames raise OSError where a camera breaks off."""
    text = str(source)
    if text == FILM:
        return Source(film(), None, FILM_RATE, FILM)
    if text.isdigit():
        return _camera(int(text))
    path = Path(text)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise FileNotFoundError(f"source '{text}': expected the number of a camera, a video file, a folder of pictures, or {FILM}")
    return _video(path)


def camera_or_film(say: Callable[[str], None]) -> Source:
    """The first camera; where there is none the film, and `say` is told."""
    try:
        return open_source(0)
    except OSError as error:
        say(f"{error}. Playing built-in faces.")
        return open_source(FILM)


def _camera(number: int) -> Source:
    with _quietly():
        capture = cv2.VideoCapture(number)
        works = capture.isOpened() and capture.read()[0]
    if not works:
        capture.release()
        raise OSError(f"camera {number}: not there, used by another program, or not allowed; --source {FILM} needs none")

    def frames():
        start = time.perf_counter()
        try:
            for i in itertools.count():
                taken, frame = capture.read()
                if not taken:
                    raise OSError(f"camera {number}: no picture after {i} frames; it was unplugged, or another program took it")
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), time.perf_counter() - start
        finally:
            capture.release()

    return Source(frames(), None, capture.get(cv2.CAP_PROP_FPS) or 30.0, f"camera {number}")


def _video(path: Path) -> Source:
    with _quietly():
        capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise OSError(f"{path}: not a video that OpenCV can read")
    n, rate = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), capture.get(cv2.CAP_PROP_FPS)
    if not 0 < rate <= FASTEST:
        n, rate = 0, FILM_RATE

    def frames():
        at = 0.0
        try:
            for i in itertools.count():
                taken, frame = capture.read()
                if not taken:
                    if i == 0:
                        raise OSError(f"{path}: holds no picture that OpenCV can read")
                    return
                named = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                at = named if named > at else at + (i > 0) / rate  # not every file names the times of its frames
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), at
        finally:
            capture.release()

    return Source(frames(), n if n > 0 else None, rate, path.name)


def _folder(path: Path) -> Source:
    from labkit import pictures

    files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
    if not files:
        raise FileNotFoundError(f"{path}: expected pictures ({', '.join(PICTURES)}), found none")

    def frames():
        for i, file in enumerate(files):
            try:
                yield pictures.decode(file.read_bytes(), 3), float(i)
            except ValueError as error:
                raise OSError(f"{file}: {error}") from error

    return Source(frames(), len(files), 1.0, path.name, still=True)


# The film


def film(seed: int = 0) -> Iterator[tuple[np.ndarray, float]]:
    """An endless film of two drawn people who go through the emotions: frames of 640x480 and their seconds."""
    people = [synthetic.sample_identity(np.random.default_rng([seed, i])) for i in (3, 8)]
    for i in itertools.count():
        yield film_frame(people, i / FILM_RATE), i / FILM_RATE


def film_frame(people: list, seconds: float) -> np.ndarray:
    """Two windows of a video call: each person shows an emotion for two seconds, then the next, and moves the head a little."""
    frame = np.full((480, 640, 3), (34, 40, 50), np.uint8)
    for i, person in enumerate(people):
        turn = (seconds + 3.3 * i) / 2
        names = [synthetic.EMOTIONS[(3 * (int(turn) + k) + 2 * i) % len(synthetic.EMOTIONS)] for k in (0, 1)]
        before, now = (synthetic.PROTOTYPES[name][0] for name in names)
        share = min(1.0, 3 * (turn % 1))
        units = {name: (1 - share) * before.get(name, 0) + share * now.get(name, 0) for name in {**before, **now}}
        sway = math.sin(0.9 * seconds + 2 * i)
        parameters = synthetic.FaceParameters(person, units, yaw=0.15 * sway, zoom=0.85, shift=(0.05 * sway, 0.02 * math.cos(seconds)))
        frame[112:368, 40 + 304 * i : 296 + 304 * i] = synthetic.draw(parameters, 256)
    return frame


# Drawing


def annotated(frame: np.ndarray, seen: list[Seen]) -> np.ndarray:
    """A copy of the frame with each face's box, and below it a bar a target: the label and its probability, or why there is none."""
    page = frame.copy()
    for one in seen:
        colour = GREY if one.problem else COLOURS[(one.number - 1) % len(COLOURS)]
        x, y, width, height = (round(v) for v in one.face.box)
        cv2.rectangle(page, (x, y), (x + width, y + height), colour, 2, cv2.LINE_AA)
        lines = [(f"{one.number} {one.problem}", 0.0)] if one.problem else bar_lines(one)
        top = min(y + height + 3, page.shape[0] - 19 * len(lines))
        for i, (words, share) in enumerate(lines):
            _bar(page, x, top + 19 * i, max(width, NARROWEST), words, share, colour)
    return page


def bar_lines(one: Seen) -> list[tuple[str, float]]:
    """(text, probability) of each target that something is said of."""
    shares = {said: one.probabilities[target][said] for target, said in one.said.items()}
    return [(f"{one.number} {said} {share:.2f}", share) for said, share in shares.items()]


def _bar(page: np.ndarray, x: int, y: int, width: int, words: str, share: float, colour) -> None:
    x, y = max(0, min(x, page.shape[1] - width)), max(0, y)
    place = page[y : y + 18, x : x + width]
    place[:] = place // 3
    place[:, : round(width * share)] = (place[:, : round(width * share)] + 2 * np.array(colour)) // 3
    panels.write(page, words, x + 4, y + 9, 13 / panels.SCALE, (255, 255, 255))


# Writing


def row(frame: int, seconds: float, one: Seen) -> dict:
    """A line of the table: whose face, where, and what is said of it, as `labkit.follow` smooths it; nothing where nothing is said. A
    target of two classes has the second one's probability; others have the label and its probability."""
    values = {"frame": frame, "seconds": round(seconds, 3), "face": one.number}
    values |= dict(zip(("x", "y", "width", "height"), (round(v, 1) for v in one.face.box)))
    for target, classes in one.probabilities.items():
        if len(classes) == 2:
            values[target] = round(list(classes.values())[1], 4)
        else:
            values |= {target: one.said[target], f"{target}_probability": round(classes[one.said[target]], 4)}
    return values


def changes(last: dict, seen: list[Seen], seconds: float) -> list[dict]:
    """The labels that are other than the last ones, (number, target) -> label, as `seconds, face, target, before, after`; brings `last`
    up to date."""
    found = []
    for one in seen:
        for target, said in one.said.items():
            before = last.get((one.number, target), said)
            if before != said:
                found.append({"seconds": seconds, "face": one.number, "target": target, "before": before, "after": said})
            last[one.number, target] = said
    return found


def columns(networks: dict) -> list[str]:
    """The columns of the table for these networks, in their order."""
    names = ["frame", "seconds", "face", "x", "y", "width", "height"]
    for _, about in networks.values():
        for target, classes in about["classes"].items():
            names += [target] if len(classes) == 2 else [target, f"{target}_probability"]
    return names


def check_out(out: Path) -> None:
    """Raise ValueError for an ending that browsers do not play, FileNotFoundError for a folder that does not exist."""
    if out.suffix not in WRITERS:
        raise ValueError(f"out '{out}': expected a name that ends with {' or '.join(WRITERS)}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"out '{out}': there is no folder {out.parent}")


class Recording:
    """Writes OUT, the annotated video, and beside it OUT's name with .csv, a line a face and frame, and .png, the timeline. Each has a
    temporary name until the end of the `with` block, also where that ends with an error: what came until then is kept. Where no frame
    came, or no face for a timeline, there is no such file.

    rows: the table; changes: the moments in which a label changed, `seconds, face, target, before, after`; frames: how many; files:
    what was written, at the end."""

    def __init__(self, out: Path, networks: dict, rate: float, name: str):
        check_out(out)
        self.out, self.rate, self.name, self.columns = out, rate, name, columns(networks)
        self.video, self.csv = (out.with_name(f".{out.stem}.part{ending}") for ending in (out.suffix, ".csv"))
        self.rows, self.changes, self.files, self.frames, self.written, self.said, self.writer = [], [], [], 0, 0, {}, None

    def __enter__(self) -> "Recording":
        self.file = self.csv.open("w", newline="", encoding="utf-8")
        self.table = csv.DictWriter(self.file, self.columns)
        self.table.writeheader()
        return self

    def add(self, page: np.ndarray, seconds: float, seen: list[Seen]) -> None:
        """The next frame, annotated, and what was seen in it."""
        if self.writer is None:
            self.size = page.shape[1], page.shape[0]
            with _quietly():
                self.writer = cv2.VideoWriter(str(self.video), cv2.VideoWriter.fourcc(*WRITERS[self.out.suffix]), self.rate, self.size)
            if not self.writer.isOpened():
                raise ValueError(f"{self.out}: OpenCV here cannot write this video ({WRITERS[self.out.suffix]})")
        picture = cv2.cvtColor(fitted(page, self.size), cv2.COLOR_RGB2BGR)
        while self.written < seconds * self.rate + 0.5:
            self.writer.write(picture)  # more than once where a camera gave fewer frames than it promised, so that time runs true
            self.written += 1
        new = [row(self.frames, seconds, one) for one in seen]
        self.table.writerows(new)
        self.rows += new
        self.changes += changes(self.said, seen, seconds)
        self.frames += 1

    def __exit__(self, *error) -> None:
        self.file.close()
        if self.writer:
            self.writer.release()
        if not self.written:
            self.csv.unlink()
            self.video.unlink(missing_ok=True)
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
    """A picture as large as fits into (width, height), in the middle of a dark one of that size."""
    if page.shape[1::-1] == tuple(size):
        return page
    share = min(size[0] / page.shape[1], size[1] / page.shape[0])
    small = cv2.resize(page, (max(1, int(page.shape[1] * share)), max(1, int(page.shape[0] * share))), interpolation=cv2.INTER_AREA)
    whole = np.full((size[1], size[0], 3), 20, np.uint8)
    y, x = (whole.shape[0] - small.shape[0]) // 2, (whole.shape[1] - small.shape[1]) // 2
    whole[y : y + small.shape[0], x : x + small.shape[1]] = small
    return whole


class Window:
    """A window on this machine's screen. Raises OSError where there is none, or OpenCV came without windows."""

    def __init__(self, title: str):
        # Tried in a process of its own: where there is no screen, Qt does not raise but ends the process.
        if subprocess.run([sys.executable, "-c", "import cv2; cv2.namedWindow('labkit')"], capture_output=True).returncode:
            raise OSError(
                "no window can be opened: there is no screen, or this OpenCV has no windows (opencv-python-headless); "
                "give --out FILE.webm, or open notebook 10 in a browser"
            )
        self.title = title
        cv2.namedWindow(title)

    def show(self, page: np.ndarray) -> bool:
        """Show a frame; False once q or Escape was pressed or the window was closed."""
        cv2.imshow(self.title, cv2.cvtColor(page, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in (ord("q"), 27) and cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) > 0


def run(source: Source, watcher, out: Path | None = None, seconds: float | None = None, progress=True, window=None) -> dict:
    """Watch a source to its end, or for so many seconds, or until its window is closed; with `out` it is recorded.

    Returns `source, frames, seconds, faces, changes, error`, and `out`, the files that were written. error: the sentence with which
    the source broke off, or ""; what was recorded until then is kept."""
    from tqdm.auto import tqdm

    recording = Recording(out, watcher.networks, source.rate, source.name) if out else None
    frames, at, faces, error = 0, 0.0, set(), ""
    with recording or nullcontext(), tqdm(total=source.n, unit="frame", disable=not progress) as bar:
        try:
            for frame, at in source.frames:
                if source.still:
                    watcher.forget()
                seen = watcher.watch(frame, at)
                page, frames = annotated(frame, seen), frames + 1
                faces |= {one.number for one in seen}
                if recording:
                    recording.add(page, at, seen)
                bar.update()
                if (window and not window.show(page)) or (seconds is not None and at >= seconds):
                    break
        except OSError as broken:
            error = str(broken)
        except KeyboardInterrupt:
            pass  # the way to end a camera that is recorded without a window
    return {
        "source": source.name,
        "frames": frames,
        "seconds": round(at, 2),
        "faces": len(faces),
        "changes": recording.changes if recording else [],
        "out": [str(file) for file in recording.files] if recording else [],
        "error": error,
    }


def text(result: dict) -> str:
    """The same for a reader."""
    lines = [f"{result['source']}: {result['frames']} frames, {result['seconds']:.1f} s, {result['faces']} faces"]
    lines += [f"  {c['seconds']:6.2f} s  face {c['face']}: {c['target']} {c['before']} -> {c['after']}" for c in result["changes"]]
    lines += [f"wrote {', '.join(result['out'])}"] if result["out"] else []
    return "\n".join(lines + ([f"ended early: {result['error']}"] if result["error"] else []))
