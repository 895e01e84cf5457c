"""From a picture file's content to an image of one size.

Decode, refuse what is damaged, resize, cut out the face.
"""

import io
import struct

import cv2
import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from labkit import detect
from labkit.faces import resize

ENDINGS = (".jpg", ".jpeg", ".png")
HEADERS = {b"\xff\xd8": JpegImageFile, b"\x89PNG": PngImageFile}  # how the file begins
# A photograph of 100 megapixels takes 0.3 GB when decoded; what claims more is a bomb.
MOST_PIXELS = 100_000_000


def decode(data, channels) -> np.ndarray:
    """A JPEG or PNG file's content as an image.

    Args:
        data: bytes of the file.
        channels: 3 for RGB, 1 for grey.

    Returns:
        uint8 (H, W, channels).

    Raises:
        ValueError: where it is cut off or damaged, neither JPEG nor PNG, or claims more than 100 megapixels.
    """
    width, height = _picture_size(data)
    if width * height > MOST_PIXELS:
        raise ValueError(f"claims {width}x{height} pixels; refused above {MOST_PIXELS:,}")
    # OpenCV from 4.14 on gives None where data are missing; older ones filled the rest with grey.
    mode = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    if picture is None:
        raise ValueError("the picture is cut off or damaged; download it again, or leave it out")
    return picture.reshape(*picture.shape[:2], channels)


def _picture_size(data):
    """(width, height) from the header, before anything is decoded."""
    for start, kind in HEADERS.items():
        if data.startswith(start):
            try:
                # Pillow's class for the format: `Image.open` would refuse large pictures without their size.
                return kind(io.BytesIO(data)).size
            except (OSError, SyntaxError, ValueError, IndexError, struct.error):
                break
    raise ValueError("not a JPEG or PNG picture, or cut off; download it again, or leave it out")


def face_crop(picture, size):
    """The main face as `labkit.detect` crops it, and True; where none is found the centred square, and False.

    Args:
        picture: uint8 (H, W, C).
        size: pixels a side of the crop.
    """
    face = detect.main_face(detect.find_faces(picture), picture.shape)
    if face is not None:
        return detect.crop_face(picture, face, size), True
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(picture[top : top + side, left : left + side], size), False
