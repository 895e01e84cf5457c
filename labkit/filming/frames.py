"""Where frames come from: cameras, videos, folders of pictures, and a film of drawn faces. Frames are
uint8 (H, W, 3), RGB.
"""

import itertools
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from labkit import datasets, synthetic

FILM = "builtin"
FILM_RATE = 25.0
DRAWN, WINDOW = 128, 256  # pixels a side: a drawn face, and what it is enlarged to, as in a video call
FASTEST = 240.0  # frames a second; what browsers record has no steady rate and claims a thousand
PATIENCE = 2.0  # seconds in which a camera that gives no picture is asked again
TIMEOUT = 10_000  # milliseconds after which an address that does not answer is given up
ADDRESS = re.compile(r"(https?|rtsp|rtmp)://", re.IGNORECASE)


@contextmanager
def quietly():
    """Leave out what OpenCV's video libraries print to standard error, past Python, about things that
    labkit itself reports."""
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
    """Where frames come from.

    Attributes:
        frames: pairs of a frame, uint8 (H, W, 3), RGB, and its seconds.
        n: how many; None where nobody knows.
        rate: frames a second.
        name: for the reader.
        still: whether they are pictures that have nothing to do with each other.
        live: whether they go on while nobody looks: who is slower misses some.
    """

    frames: Iterable[tuple[np.ndarray, float]]
    n: int | None
    rate: float
    name: str
    still: bool = False
    live: bool = False


def open_source(source: str | int) -> Source:
    """Open what gives frames.

    Args:
        source: a camera by its number ("0") or device ("/dev/video0"), the address of one ("http://..."), a
            video file, a picture or a folder of pictures, or "builtin": drawn faces as an endless film.

    Raises:
        OSError: where it cannot be opened; its frames raise OSError where a camera breaks off.
    """
    text = str(source)
    if text == FILM:
        return Source(film(), None, FILM_RATE, FILM)
    if text.isdigit():
        return _camera(int(text))
    if device := re.fullmatch(r"/dev/video(\d+)", text):
        return _camera(int(device[1]))
    if ADDRESS.match(text):
        return _address(text)
    path = Path(text)
    if path.is_dir():
        files = sorted(path.iterdir(), key=lambda file: datasets.natural_key(file.name))
        return _pictures(path.name, list(filter(_is_listed, files)))
    if not path.is_file():
        expected = f"the number of a camera, a video file, a folder of pictures, or {FILM}"
        raise FileNotFoundError(f"source '{text}': expected {expected}")
    return _pictures(path.name, [path]) if _is_picture(path) else _video(path)


def _is_listed(path: Path) -> bool:
    """Whether a file of a folder is shown, or named as one that cannot be read."""
    return path.is_file() and (path.suffix.lower() in datasets.ENDINGS or _is_picture(path))


def _is_picture(path: Path) -> bool:
    """By its beginning: a film may be larger than the memory."""
    with open(path, "rb") as stream:
        return datasets.is_picture(stream.read(2**20))


def camera_or_film(say: Callable[[str], None]) -> Source:
    """The first camera; where there is none the film, and `say` is told."""
    try:
        return open_source(0)
    except OSError as error:
        say(f"{error}. Playing built-in faces.")
        return open_source(FILM)


def _camera(number: int) -> Source:
    with quietly():
        capture = cv2.VideoCapture(number)
        works = capture.isOpened() and _read(capture) is not None
    if not works:
        capture.release()
        why = "not there, used by another program, or not allowed"
        raise OSError(f"camera {number}: {why}; --source {FILM} needs none")
    return _live(capture, f"camera {number}", "it was unplugged, or another program took it")


def _address(text: str) -> Source:
    options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT]
    with quietly():
        capture = cv2.VideoCapture(text, cv2.CAP_FFMPEG, options)
    if not capture.isOpened():
        raise OSError(f"{text}: no film there, or no answer within {TIMEOUT // 1000} s")
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:  # a file that lies there
        return _film_of(capture, text)
    return _live(capture, text, "the connection broke off")


def _read(capture) -> np.ndarray | None:
    """The next picture, BGR; a camera that is slow to begin, or misses one, is asked again for a while."""
    end = time.perf_counter() + PATIENCE
    while True:
        taken, frame = capture.read()
        if taken:
            return frame
        if time.perf_counter() > end or not capture.isOpened():
            return None
        time.sleep(0.02)


def _live(capture, name: str, why: str) -> Source:
    """A source without an end; `why` it may break off all the same."""

    def frames():
        newest, start = _Newest(capture), time.perf_counter()
        try:
            while (found := newest.take()) is not None:
                frame, at = found
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), at - start
            raise OSError(f"{name}: no picture after {newest.count} frames; {why}")
        finally:
            newest.stop()

    return Source(frames(), None, capture.get(cv2.CAP_PROP_FPS) or 30.0, name, live=True)


class _Newest:
    """Reads a camera in a thread of its own and keeps its newest picture alone: who is slower than the camera
    misses pictures, but is shown none late."""

    def __init__(self, capture):
        self.capture, self.count = capture, 0
        self.changed, self.found, self.ended = threading.Condition(), None, False
        self.thread = threading.Thread(target=self._read_all, daemon=True)
        self.thread.start()

    def _read_all(self) -> None:
        while not self.ended:
            frame = _read(self.capture)
            with self.changed:
                if frame is None:
                    self.ended = True
                else:
                    self.found, self.count = (frame, time.perf_counter()), self.count + 1
                self.changed.notify()
        self.capture.release()

    def take(self) -> tuple[np.ndarray, float] | None:
        """The newest picture, BGR, that was not yet taken, and when it came; None where no more come."""
        with self.changed:
            self.changed.wait_for(lambda: self.found or self.ended)
            found, self.found = self.found, None
            return found

    def stop(self) -> None:
        self.ended = True
        self.thread.join(PATIENCE)


def _video(path: Path) -> Source:
    with quietly():
        capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise OSError(f"{path}: not a video that OpenCV can read")
    return _film_of(capture, str(path), path.name)


def _film_of(capture, path: str, name: str = "") -> Source:
    """A film that has an end."""
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
                    if i < 0.9 * n:  # headers may be a few frames off
                        raise OSError(f"{path}: {i} of {n} frames could be read; the file breaks off there")
                    return
                # Not every file names the times of its frames.
                named = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if named > at:
                    at = named
                elif i > 0:
                    at += 1 / rate
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), at
        finally:
            capture.release()

    return Source(frames(), n if n > 0 else None, rate, name or path)


def _pictures(name: str, files: list[Path]) -> Source:
    """Stills; those that cannot be read are named at the end, when the others have been seen."""
    if not files:
        raise FileNotFoundError(f"{name}: expected pictures, found none")

    def frames():
        bad = []
        for i, file in enumerate(files):
            try:
                yield datasets.decode(file.read_bytes(), 3), float(i)
            except ValueError as error:
                bad.append(f"{file.name}: {error}")
        if bad:
            raise OSError(f"{len(bad)} of {len(files)} pictures could not be read; the first, {bad[0]}")

    return Source(frames(), len(files), 1.0, name, still=True)


def film(seed: int = 0) -> Iterator[tuple[np.ndarray, float]]:
    """An endless film of two drawn people who go through the emotions.

    Args:
        seed: of their faces.

    Yields:
        A frame, uint8 (480, 640, 3), RGB, and its seconds.
    """
    people = [synthetic.sample_identity(np.random.default_rng([seed, i])) for i in (4, 7)]
    windows = [_window(person, i, 0.0) for i, person in enumerate(people)]
    for i in itertools.count():
        yield _side_by_side(windows), i / FILM_RATE
        # Drawing takes its time, so the two windows change in turn.
        windows[i % 2] = _window(people[i % 2], i % 2, (i + 1) / FILM_RATE)


def film_frame(people: list, seconds: float) -> np.ndarray:
    """Two windows of a video call: each person shows an emotion for two seconds, then the next, and moves
    the head a little.

    Args:
        people: two, `synthetic.Identity`.
        seconds: since the film began.

    Returns:
        uint8 (480, 640, 3), RGB.
    """
    return _side_by_side([_window(person, i, seconds) for i, person in enumerate(people)])


def _window(person, i: int, seconds: float) -> np.ndarray:
    turn = (seconds + 3.3 * i) / 2
    names = [synthetic.EMOTIONS[(3 * (int(turn) + k) + 2 * i) % len(synthetic.EMOTIONS)] for k in (0, 1)]
    before, now = (synthetic.PROTOTYPES[name][0] for name in names)
    share = min(1.0, 3 * (turn % 1))
    units = {}
    for name in {**before, **now}:
        units[name] = (1 - share) * before.get(name, 0) + share * now.get(name, 0)
    sway = math.sin(0.9 * seconds + 2 * i)
    shift = (0.05 * sway, 0.02 * math.cos(seconds))
    parameters = synthetic.FaceParameters(person, units, yaw=0.15 * sway, zoom=0.85, shift=shift)
    drawn = synthetic.draw(parameters, DRAWN)
    return cv2.resize(drawn, (WINDOW, WINDOW), interpolation=cv2.INTER_CUBIC)


def _side_by_side(windows: list) -> np.ndarray:
    frame = np.full((480, 640, 3), (34, 40, 50), np.uint8)
    for i, window in enumerate(windows):
        frame[112 : 112 + WINDOW, 40 + 304 * i : 40 + 304 * i + WINDOW] = window
    return frame
