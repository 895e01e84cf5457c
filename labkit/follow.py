"""Faces from frame to frame: who is who, what the networks say of each, steadily. Used by `labkit.camera`
and its widget.

Every frame is searched by `labkit.detect`; a face belongs to the one that was nearest in the frame before.
All faces of a frame are cropped as in training and predicted as one batch. Probabilities are smoothed over
time, and a label changes only when another class is clearly ahead, so that it does not flicker. Taught in
notebook 10.
"""

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from labkit import detect, devices, models, training
from labkit.faces import FaceSet

SMOOTHING = 0.25  # seconds after which a new answer counts for 63 % of what is shown
AHEAD = 0.1  # by how much another class must be ahead before the label changes
REACH = 0.7  # of a face's height: as far may it have moved since the frame before
SIZE_CHANGE = 1.6  # by as much may it have grown or shrunk
MEMORY = 1.0  # seconds a face that is not found keeps its number
SEARCH = 0.2  # seconds between two searches of the whole frame; in between a face is looked for where it was
SURE = 2  # frames in which a face must be found before it is shown: false faces mostly last one

SMALLEST_SHARE = 1 / 8  # of the frame's shorter side: smaller faces are not looked for
SMALLEST = 36  # pixels of height: with fewer a crop of 48 or 64 pixels is a guess
DARKEST = 35  # mean brightness of the crop, 0..255
FLATTEST = 9  # standard deviation of the crop's brightness
# Distance of the eyes over the height of the box: 0.355 from the front, less than this in none of 1,000
# photographs of GENKI-4K.
TURNED = 0.24


@dataclass(frozen=True)
class Seen:
    """One face in one frame.

    Attributes:
        number: whose, from 1.
        face: where.
        problem: why nothing is said; "" where something is.
        probabilities: target -> class -> 0..1, smoothed.
        said: target -> class, the label that does not flicker.
    """

    number: int
    face: detect.Face
    problem: str = ""
    probabilities: dict[str, dict[str, float]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


@dataclass
class _Track:
    """What is remembered of a face."""

    number: int
    face: detect.Face
    seconds: float
    frames: int = 1
    probabilities: dict[str, np.ndarray] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    predicted: float | None = None  # when


def smoothed(before: np.ndarray | None, now: np.ndarray, seconds: float) -> np.ndarray:
    """Exponential smoothing over time.

    Args:
        before: what was shown last, float (K,), each 0..1; None = nothing.
        now: the new answer, float (K,).
        seconds: age of the last answer.

    Returns:
        float (K,), what to show: the more of `now`, the older the last answer is.
    """
    return now if before is None else before + (1 - math.exp(-seconds / SMOOTHING)) * (now - before)


def steady(before: int | None, probabilities: np.ndarray) -> int:
    """The class to show: the one before, unless another is ahead of it by more than `AHEAD`.

    Args:
        before: index of the class that is shown; None = none yet.
        probabilities: float (K,), each 0..1.

    Example:
        >>> steady(0, np.array([0.47, 0.53])), steady(0, np.array([0.4, 0.6]))
        (0, 1)
    """
    best = int(probabilities.argmax())
    if before is None or probabilities[best] > probabilities[before] + AHEAD:
        return best
    return before


def problem(face: detect.Face, crop: np.ndarray) -> str:
    """Why nothing should be said of a face.

    Args:
        face: where it is, in pixels of the frame.
        crop: uint8 (H, W, C) of it.

    Returns:
        "too small", "too dark", "turned away", or "" where something can be said.
    """
    if face.box[3] < SMALLEST:
        return "too small"
    brightness = crop.mean(2)
    if brightness.mean() < DARKEST or brightness.std() < FLATTEST:
        return "too dark"
    if face.eyes is None or math.dist(*face.eyes) < TURNED * face.box[3]:
        return "turned away"
    return ""


class Watcher:
    """Follows the faces of one film.

    Args:
        networks: name -> (network, about) as `evaluation.load_network` gives them.
        minimum_size: see `detect.find_faces`; None = `SMALLEST_SHARE` of the frame's shorter side.
        sure: see `SURE`; 1 for single pictures.

    Raises:
        ValueError: where two networks have a target in common.
    """

    def __init__(self, networks: dict, minimum_size: float | None = None, sure: int = SURE):
        shown = {name: (network, _of_what_is_shown(about)) for name, (network, about) in networks.items()}
        targets = [target for _, about in shown.values() for target in about["classes"]]
        if len(set(targets)) < len(targets):
            told = f"expected each to say something else, got {', '.join(targets)}"
            raise ValueError(f"networks {', '.join(networks)}: {told}")
        self.networks = {name: (models.fused(network), about) for name, (network, about) in shown.items()}
        self.minimum_size, self.sure = minimum_size, sure
        self.numbers, self.tracks = itertools.count(1), []
        self.found: list[detect.Face] = []  # in the frame before
        self.searched = -math.inf  # when the whole frame was

    def forget(self) -> None:
        """Know nobody any more: the next frame has nothing to do with this one."""
        self.tracks, self.found = [], []

    def watch(self, frame: np.ndarray, seconds: float) -> list[Seen]:
        """The faces of the next frame and what is said of them.

        Args:
            frame: uint8 (H, W, 3), RGB.
            seconds: when it was taken.

        Returns:
            Those that are seen, in the order in which they were first found.
        """
        return self.say(frame, self.find(frame, seconds), seconds)

    def find(self, frame: np.ndarray, seconds: float) -> list[detect.Face]:
        """All faces of a frame that are large enough to be looked for: searched for in all of it every
        `SEARCH` seconds and where a face was lost, else where they were in the frame before."""
        smallest = self.minimum_size or min(frame.shape[:2]) * SMALLEST_SHARE
        if self.found and 0 <= seconds - self.searched < SEARCH:
            found = detect.find_faces(frame, smallest, near=self.found)
            if len(found) == len(self.found):
                self.found = found
                return found
        self.searched, self.found = seconds, detect.find_faces(frame, smallest)
        return self.found

    def say(self, frame: np.ndarray, faces: list[detect.Face], seconds: float) -> list[Seen]:
        """What `watch` returns, for faces that `find` already found in the frame."""
        found = [track for track in self._assign(faces, seconds) if track.frames >= self.sure]
        problems = {}
        for track in found:
            problems[track.number] = problem(track.face, detect.crop_face(frame, track.face, 32))
        self._predict(frame, [track for track in found if not problems[track.number]], seconds)
        found.sort(key=lambda track: track.number)
        return [self._seen(track, problems[track.number]) for track in found]

    def _assign(self, faces: list[detect.Face], seconds: float) -> list[_Track]:
        """The tracks of these faces: known ones moved to where they now are, new ones begun; forgets who is
        long gone."""
        self.tracks = [track for track in self.tracks if seconds - track.seconds <= MEMORY]
        costs = np.zeros((len(self.tracks), len(faces)))
        for i, track in enumerate(self.tracks):
            costs[i] = [_distance(track.face, face) for face in faces]
        # Cut off at REACH: one who left must not drag the others along.
        best = zip(*linear_sum_assignment(np.minimum(costs, REACH)))
        pairs = {int(j): self.tracks[i] for i, j in best if costs[i, j] < REACH}
        known = []
        for j, face in enumerate(faces):
            track = pairs.get(j)
            if track is None:
                track = _Track(next(self.numbers), face, seconds)
                self.tracks.append(track)
            else:
                track.face, track.seconds, track.frames = face, seconds, track.frames + 1
            known.append(track)
        return known

    def _predict(self, frame: np.ndarray, tracks: list[_Track], seconds: float) -> None:
        if not tracks:
            return
        for network, about in self.networks.values():
            crops = crops_of(frame, [track.face for track in tracks], about)
            with devices.one_thread():
                predicted = training.predict(network, crops, mirror=about["mirror"])
            for target in about["classes"]:
                for track, answer in zip(tracks, predicted[target]):
                    elapsed = 0.0 if track.predicted is None else max(0.0, seconds - track.predicted)
                    track.probabilities[target] = smoothed(track.probabilities.get(target), answer, elapsed)
                    track.said[target] = steady(track.said.get(target), track.probabilities[target])
        for track in tracks:
            track.predicted = seconds

    def _seen(self, track: _Track, why: str) -> Seen:
        if why:
            return Seen(track.number, track.face, why)
        classes = {}
        for _, about in self.networks.values():
            classes |= about["classes"]
        probabilities = {}
        for target, answer in track.probabilities.items():
            probabilities[target] = dict(zip(classes[target], answer.tolist()))
        said = {target: classes[target][i] for target, i in track.said.items()}
        return Seen(track.number, track.face, "", probabilities, said)


def _of_what_is_shown(about: dict) -> dict:
    """What is said of a network, its targets those that are shown of a face in a film: all, unless it names
    them."""
    shown = about.get("shown") or about["classes"]
    return about | {"classes": {target: about["classes"][target] for target in shown}}


def _distance(a: detect.Face, b: detect.Face) -> float:
    """Between the middles of two boxes, in heights of the smaller; so far that they cannot be one where the
    sizes differ."""
    low, high = sorted((a.box[3], b.box[3]))
    middles = [(x + width / 2, y + height / 2) for x, y, width, height in (a.box, b.box)]
    return math.dist(*middles) / low if high < SIZE_CHANGE * low else 1e6


def crops_of(frame: np.ndarray, faces: list[detect.Face], about: dict) -> np.ndarray:
    """The faces as a network takes them, cropped as in training.

    Args:
        frame: uint8 (H, W, 3), RGB.
        faces: those of the frame, N of them, at least one.
        about: what `evaluation.load_network` gives with the network.

    Returns:
        uint8 (N, size, size, channels).
    """
    of_crop = about["size"], about.get("margin", 0.0)
    crops = FaceSet(np.stack([detect.crop_face(frame, face, *of_crop) for face in faces]))
    return crops.images if about["channels"] == 3 else crops.grey().images
