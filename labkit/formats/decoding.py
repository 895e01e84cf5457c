"""From a picture file's content to an image of one size.

Decode, refuse what is damaged, resize, cut out the face. What a file is, its first bytes say, not its name.
"""

import io
import struct
import warnings

import cv2
import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from labkit import detect
from labkit.faces import resize

# How pictures are called; those that are called so and cannot be read are counted and named.
ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif", ".jp2",
    ".ppm", ".pgm", ".avif", ".heic", ".heif",
)  # fmt: skip
# Pillow's classes of the two usual formats, by how a file begins: `Image.open` would refuse a large picture
# without saying its size.
HEADERS = {b"\xff\xd8": JpegImageFile, b"\x89PNG": PngImageFile}
# A photograph of 100 megapixels takes 0.3 GB when decoded; what claims more is a bomb.
MOST_PIXELS = 100_000_000
DAMAGE = (OSError, SyntaxError, ValueError, IndexError, struct.error)  # what Pillow raises for a damaged file


def decode(data: bytes, channels: int) -> np.ndarray:
    """A picture file's content as an image: all formats that OpenCV or Pillow read.

    A picture that a camera turned is turned upright; what is transparent becomes white.

    Args:
        data: bytes of the file.
        channels: 3 for RGB, 1 for grey.

    Returns:
        uint8 (H, W, channels).

    Raises:
        ValueError: where it is cut off, damaged or no picture, or claims more than 100 megapixels.
    """
    data = data.lstrip(b"\r\n")  # some web servers put a line in front
    header = _header(data)
    width, height = header.size
    if width * height > MOST_PIXELS:
        raise ValueError(f"claims {width}x{height} pixels; refused above {MOST_PIXELS:,}")
    if header.mode[0] in "IF":
        return _deep(data, channels)
    if "transparency" in header.info or header.mode in ("RGBA", "LA", "PA") or header.format == "AVIF":
        return _on_white(data, channels)  # OpenCV does not turn an AVIF upright
    # OpenCV from 4.14 on gives None where data are missing; older ones filled the rest with grey.
    mode = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    if picture is None and header.format in ("JPEG", "PNG"):  # Pillow would fill up what is missing
        raise ValueError("the picture is cut off or damaged; download it again, or leave it out")
    if picture is None:
        return _on_white(data, channels)
    return picture.reshape(*picture.shape[:2], channels)


def is_picture(data: bytes) -> bool:
    """Whether a file's content begins as a picture does."""
    try:
        return bool(_header(data.lstrip(b"\r\n")))
    except ValueError:
        return False


def _header(data):
    """What Pillow reads of a picture before anything is decoded: its size, mode and info."""
    try:
        for start, kind in HEADERS.items():
            if data.startswith(start):
                return kind(io.BytesIO(data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data))
    except Image.DecompressionBombError:
        raise ValueError(f"claims far too many pixels; refused above {MOST_PIXELS:,}") from None
    except DAMAGE:
        if data[4:8] == b"ftyp":
            raise ValueError("HEIC or another film format, which is not read; save it as JPEG") from None
        raise ValueError("not a picture, or cut off; download it again, or leave it out") from None


def _deep(data, channels):
    """Grey values of more than 8 bits, brought to 0..255: floats up to 1 are shares, values up to 255 bytes,
    all others have 16 bits."""
    try:
        picture = Image.open(io.BytesIO(data))
        values = np.asarray(ImageOps.exif_transpose(picture), np.float32)
    except DAMAGE:
        raise ValueError("the picture is cut off or damaged; download it again, or leave it out") from None
    largest, full = np.nanmax(values, initial=0), 255
    if picture.mode == "F" and largest <= 1:
        full = 1
    elif picture.mode.startswith("I;16") or largest > 255:
        full = 65535
    grey = np.clip(np.nan_to_num(values) * (255 / full), 0, 255).round().astype(np.uint8)
    return np.repeat(grey[..., None], channels, axis=2)


def _on_white(data, channels):
    """What OpenCV does not read, or would read without its transparency."""
    try:
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
    except DAMAGE:
        raise ValueError("the picture is cut off or damaged; download it again, or leave it out") from None
    white = Image.new("RGBA", picture.size, "white")
    flat = Image.alpha_composite(white, picture).convert("RGB" if channels == 3 else "L")
    return np.asarray(flat).reshape(flat.height, flat.width, channels).copy()


def face_crop(picture, size):
    """The main face as `labkit.detect` crops it, and True; where none is found the centred square, and False.

    Args:
        picture: uint8 (H, W, C).
        size: pixels a side of the crop.
    """
    face = detect.main_face(detect.find_faces(picture), picture.shape)
    if face is not None:
        return detect.crop_face(picture, face, size), True
    return middle(picture, size), False


def middle(picture, size):
    """The centred square of a picture, uint8 (H, W, C), `size` pixels a side."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(picture[top : top + side, left : left + side], size)
