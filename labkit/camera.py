"""Camera, video, pictures or a drawn film in; boxes and labels drawn, an annotated video, a table and
a timeline out.

Behind `python -m labkit webcam` and `labkit.widgets.camera`. What says something of the faces is passed in: a
`labkit.follow.Watcher`. Frames are uint8 (H, W, 3), RGB. Nothing is kept but what a `Recording` is told to
write. Taught in notebook 10. Drawing and the loop are here; where frames come from and what is written of
them is in `labkit.filming`.
"""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np

from labkit import figures, raster
from labkit.filming.frames import FILM, FILM_RATE, Source, camera_or_film, film, film_frame, open_source
from labkit.filming.recording import Recording, changes, check_out, columns, fitted, row
from labkit.follow import Seen

__all__ = [
    "COLOURS",
    "FILM",
    "FILM_RATE",
    "GREY",
    "NARROWEST",
    "Recording",
    "Source",
    "Window",
    "annotated",
    "bar_lines",
    "camera_or_film",
    "changes",
    "check_out",
    "columns",
    "film",
    "film_frame",
    "fitted",
    "open_source",
    "row",
    "run",
    "text",
]

_BOXES = (figures.BLUE, figures.RED, figures.GREEN, figures.PINK, figures.PURPLE)
COLOURS = [tuple(bytes.fromhex(colour.removeprefix("#"))) for colour in _BOXES]
GREY = (130, 130, 130)
NARROWEST = 130  # pixels of a bar: as wide as the longest label of a target in `PLAIN`
WIDER = 190  # of any other
PLAIN = ("smile", "emotion")  # targets whose classes say what they are about


def annotated(frame: np.ndarray, seen: list[Seen]) -> np.ndarray:
    """Draw what is seen.

    Args:
        frame: uint8 (H, W, 3), RGB; stays as it is.
        seen: its faces.

    Returns:
        A copy of the frame with each face's box, and below or above it a bar a target: label and probability,
        or why there is none.
    """
    page = frame.copy()
    for one in seen:
        colour = GREY if one.problem else COLOURS[(one.number - 1) % len(COLOURS)]
        x, y, width, height = (round(v) for v in one.face.box)
        cv2.rectangle(page, (x, y), (x + width, y + height), colour, 2, cv2.LINE_AA)
        lines = [(f"{one.number} {one.problem}", 0.0)] if one.problem else bar_lines(one)
        top, tall = y + height + 3, 19 * len(lines)
        if top + tall > page.shape[0]:  # no room below the face: above it, or else over its lower end
            top = y - tall - 3 if y > tall + 3 else page.shape[0] - tall
        narrowest = WIDER if set(one.said) - set(PLAIN) else NARROWEST
        for i, (words, share) in enumerate(lines):
            _bar(page, x, top + 19 * i, max(width, narrowest), words, share, colour)
    return page


def bar_lines(one: Seen) -> list[tuple[str, float]]:
    """(text, probability) of each target that something is said of."""
    lines = []
    for target, said in one.said.items():
        share = one.probabilities[target][said]
        words = said if target in PLAIN else f"{target.replace('_', ' ')}: {said}"
        lines.append((f"{one.number} {words} {share:.2f}", share))
    return lines


def _bar(page: np.ndarray, x: int, y: int, width: int, words: str, share: float, colour) -> None:
    x, y = max(0, min(x, page.shape[1] - width)), max(0, y)
    place = page[y : y + 18, x : x + width]
    place[:] = place // 3
    filled = place[:, : round(width * share)]
    filled[:] = filled // 3 + 0.6 * np.array(colour)  # dark enough for white words, whatever the picture
    raster.write(page, words, x + 4, y + 9, 13 / raster.SCALE, (255, 255, 255))


class Window:
    """A window on this machine's screen.

    Raises:
        OSError: where there is no screen, or OpenCV came without windows.
    """

    def __init__(self, title: str):
        # Tried in a process of its own: where there is no screen, Qt does not raise but ends the process.
        command = [sys.executable, "-c", "import cv2; cv2.namedWindow('labkit')"]
        if subprocess.run(command, capture_output=True).returncode:
            raise OSError(
                "no window can be opened: there is no screen, or this OpenCV has no windows "
                "(opencv-python-headless); give --out FILE.webm, or open notebook 10 in a browser"
            )
        self.title = title
        cv2.namedWindow(title)

    def show(self, page: np.ndarray) -> bool:
        """Show a frame; False once q or Escape was pressed or the window was closed."""
        cv2.imshow(self.title, cv2.cvtColor(page, cv2.COLOR_RGB2BGR))
        if cv2.waitKey(1) & 0xFF in (ord("q"), 27):
            return False
        return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) > 0


def run(
    source: Source, watcher, out: Path | None = None, seconds: float | None = None, progress=True, window=None
) -> dict:
    """Watch a source to its end, or for so many seconds, or until its window is closed.

    Args:
        source: of the frames.
        watcher: `follow.Watcher`, which has seen nothing else.
        out: the video that is written, see `Recording`; None = nothing is recorded.
        seconds: of the source, after which it ends; None = no limit.
        progress: whether a bar shows how far it is.
        window: `Window` that shows the frames; None = they are not shown.

    Returns:
        `source`, its name; `frames`, how many; `seconds`, of the last one; `faces`, how many; `changes` of a
        label, where it is recorded, `seconds, face, target, before, after`; `out`, the files that were
        written; `error`, the sentence with which the source broke off, or "": what was recorded until then is
        kept.
    """
    from tqdm.auto import tqdm

    recording = Recording(out, watcher.networks, source.rate, source.name, source.live) if out else None
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
    """What `run` returned, for a reader."""
    counts = f"{result['frames']} frames, {result['seconds']:.1f} s, {result['faces']} faces"
    lines = [f"{result['source']}: {counts}"]
    for change in result["changes"]:
        what = f"{change['target']} {change['before']} -> {change['after']}"
        lines.append(f"  {change['seconds']:6.2f} s  face {change['face']}: {what}")
    if result["out"]:
        lines.append(f"wrote {', '.join(result['out'])}")
    if result["error"]:
        lines.append(f"ended early: {result['error']}")
    return "\n".join(lines)
