"""Pictures of numbers, as pixels and within milliseconds: tiles, colour maps, overlays, bars, text.
What the sliders show.

Every picture is uint8 (H, W, 3), RGB; they are put `beside` and `below` each other. Lengths are in pixels of
the page times `SCALE`, so that text is sharp on screens that have more than one dot a pixel; `show` and the
widgets scale back. Colour maps are readable for the colour-blind: viridis for amounts, purple-white-orange
for signed values.
"""

from functools import cache, lru_cache

import cv2
import numpy as np

SCALE = 1.5
INK, SOFT, ACCENT, SECOND = (28, 36, 48), (91, 102, 117), (0, 114, 178), (213, 94, 0)
WORDS = (168, 67, 0)  # `SECOND` for words, which need more contrast than frames
AMOUNT, SIGNED = "viridis", "PuOr_r"


def px(length: float) -> int:
    """A length in pixels of the page -> in pixels of the picture."""
    return round(length * SCALE)


def blank(width: int, height: int) -> np.ndarray:
    """White, of so many pixels."""
    return np.full((height, width, 3), 255, np.uint8)


def rgb(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W), (H, W, 1) or (H, W, 3) -> (H, W, 3)."""
    image = image[..., None] if image.ndim == 2 else image
    return np.repeat(image, 3, 2) if image.shape[2] == 1 else image


@cache
def _table(name: str) -> np.ndarray:
    import matplotlib

    return (matplotlib.colormaps[name](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def coloured(values: np.ndarray, name: str = AMOUNT, high: float | None = None) -> np.ndarray:
    """Numbers through a colour map.

    Args:
        values: float (H, W).
        name: `AMOUNT`, whose colours begin at 0, or `SIGNED`, whose colours begin at -high.
        high: the value of the last colour; None = the largest of `values`, for `SIGNED` of their amounts.

    Returns:
        uint8 (H, W, 3); what lies beyond the limits has the first or the last colour.
    """
    if high is None:
        high = float(np.abs(values).max() if name == SIGNED else values.max())
    low = -high if name == SIGNED else 0.0
    index = (values - low) / max(high - low, 1e-12) * 255
    return _table(name)[np.clip(index, 0, 255).round().astype(np.uint8)]


def enlarged(image: np.ndarray, side: int, smooth: bool = False) -> np.ndarray:
    """Scale to a longer side of `side` pixels; the image's pixels stay visible as squares unless `smooth`.

    Args:
        image: uint8 (H, W), (H, W, 1) or (H, W, 3).
        side: in pixels of the picture.
        smooth: interpolate between the image's pixels.

    Returns:
        uint8 (h, w, 3), with the image's proportions.
    """
    image = rgb(image)
    factor = side / max(image.shape[:2])
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST)


def overlay(
    image: np.ndarray, values: np.ndarray, side: int, name: str = AMOUNT, strength: float = 0.75
) -> np.ndarray:
    """A map over the image in grey: the larger the value, the more of its colour.

    Args:
        image: uint8 (H, W), (H, W, 1) or (H, W, 3).
        values: float (h, w), the map; it is stretched over the image.
        side: the picture's longer side in pixels.
        name: `AMOUNT` or `SIGNED`.
        strength: share of the colour where the map is largest, 0..1.

    Returns:
        uint8 (h, w, 3), with the image's proportions.
    """
    grey = enlarged(cv2.cvtColor(rgb(image), cv2.COLOR_RGB2GRAY), side, smooth=True).astype(np.float32)
    size = grey.shape[1::-1]
    values = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    amount = np.abs(values) / max(float(np.abs(values).max()), 1e-12)
    mixed = grey + (coloured(values, name) - grey) * (strength * amount**0.7)[..., None]
    return mixed.round().astype(np.uint8)


@lru_cache(4096)
def _mask(words: str, size: int, bold: bool) -> np.ndarray:
    """Coverage of each pixel by a line of text, uint8 (H, W)."""
    from pathlib import Path

    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(str(folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")), size)
    mask = Image.new("L", (max(1, round(font.getlength(words))), round(size * 1.3)))
    ImageDraw.Draw(mask).text((0, 0), words, fill=255, font=font)
    return np.asarray(mask)


def text(
    words: str, size: float = 12, colour=INK, bold: bool = False, width: int | None = None
) -> np.ndarray:
    """One line of text on white, as wide as its words.

    Args:
        words: the text.
        size: of the letters, in pixels of the page.
        colour: RGB, each 0..255.
        bold: whether the letters are.
        width: in pixels of the picture; a text that is wider is shortened with an ellipsis. None = no limit.
    """
    mask = _mask(words, px(size), bold)
    while width and mask.shape[1] > width and len(words) > 1:
        words = words[:-2].rstrip() + "…"
        mask = _mask(words, px(size), bold)
    share = mask[..., None] / 255
    return (255 + (np.array(colour) - 255) * share).round().astype(np.uint8)


def write(
    picture: np.ndarray, words: str, x: int, y: int, size: float = 12, colour=INK, right: bool = False
) -> None:
    """Write text into a picture, in place; what does not fit is cut off.

    Args:
        picture: uint8 (H, W, 3), changed.
        words: the text.
        x: its left end, in pixels of the picture.
        y: its middle, in pixels of the picture.
        size: of the letters, in pixels of the page.
        colour: RGB, each 0..255.
        right: x is the text's right end instead.
    """
    mask = _mask(words, px(size), False)
    x, y = (x - mask.shape[1] if right else x), y - mask.shape[0] // 2
    left, top = max(x, 0), max(y, 0)
    place = picture[top : y + mask.shape[0], left : x + mask.shape[1]]
    share = mask[top - y :, left - x :][: place.shape[0], : place.shape[1], None] / 255
    place[:] = (place + (np.array(colour) - place) * share).round().astype(np.uint8)


def beside(*pictures: np.ndarray, gap: float = 12) -> np.ndarray:
    """Put pictures in a row, their upper edges level, `gap` pixels of the page apart."""
    height, space = max(p.shape[0] for p in pictures), px(gap)
    page = blank(sum(p.shape[1] for p in pictures) + space * (len(pictures) - 1), height)
    x = 0
    for picture in pictures:
        page[: picture.shape[0], x : x + picture.shape[1]] = picture
        x += picture.shape[1] + space
    return page


def below(*pictures: np.ndarray, gap: float = 6) -> np.ndarray:
    """Put pictures in a column, their left edges level, `gap` pixels of the page apart."""
    width, space = max(p.shape[1] for p in pictures), px(gap)
    page = blank(width, sum(p.shape[0] for p in pictures) + space * (len(pictures) - 1))
    y = 0
    for picture in pictures:
        page[y : y + picture.shape[0], : picture.shape[1]] = picture
        y += picture.shape[0] + space
    return page


def titled(picture: np.ndarray, title: str, size: float = 12, bold: bool = False) -> np.ndarray:
    """A picture with a line of text above it that is not wider than it."""
    return below(text(title, size, bold=bold, width=picture.shape[1]), picture, gap=2)


def framed(picture: np.ndarray, colour=SECOND, width: float = 2) -> np.ndarray:
    """A copy with a frame drawn on its edge."""
    picture, line = picture.copy(), px(width)
    near = line // 2  # the middle of the line, so that all of it lies inside the picture
    right, bottom = picture.shape[1] - 1 - near, picture.shape[0] - 1 - near
    cv2.rectangle(picture, (near, near), (right, bottom), colour, line)
    return picture


def columns_for(n: int, width: int, height: int) -> tuple[int, int]:
    """How `n` square tiles fit into a rectangle as large as they can.

    Args:
        n: tiles.
        width: of the rectangle, in pixels.
        height: of the rectangle, in pixels.

    Returns:
        (columns, side): tiles in a row, and the side of each in pixels, 1 or more.

    Example:
        >>> columns_for(7, 640, 280)
        (4, 140)
    """
    side, columns = max((min(width // c, height // -(-n // c)), c) for c in range(1, n + 1))
    return columns, max(side, 1)


def grid(tiles: list[np.ndarray], columns: int, gap: float = 2, marked: int | None = None) -> np.ndarray:
    """Put tiles of one size row by row; one may be `marked` with a frame.

    Args:
        tiles: uint8 (H, W, 3) each.
        columns: tiles in a row.
        gap: between them, in pixels of the page.
        marked: the index of the framed one; None = none is.
    """
    tiles = [framed(tile) if i == marked else tile for i, tile in enumerate(tiles)]
    rows = [beside(*tiles[i : i + columns], gap=gap) for i in range(0, len(tiles), columns)]
    return below(*rows, gap=gap)


def colour_bar(name: str, low: float, high: float, height: int) -> np.ndarray:
    """A colour map with its limits written beside it, the high one on top; a signed map has its middle too.

    Args:
        name: `AMOUNT` or `SIGNED`.
        low: the value of the first colour.
        high: the value of the last colour.
        height: in pixels of the picture.
    """
    page = blank(px(70), height)
    downwards = 255 - np.linspace(0, 255, height).astype(int)
    page[:, : px(12)] = _table(name)[downwards][:, None]
    middle = [((low + high) / 2, height // 2)] if name == SIGNED else []
    for value, y in [(high, px(7)), *middle, (low, height - px(7))]:
        write(page, f"{value:.2g}".replace("-", "−"), px(17), y, 10, SOFT)
    return page


def bars(
    values: dict[str, float],
    width: int,
    title: str = "",
    marked: str | None = None,
    row: float = 20,
    label: float = 92,
) -> np.ndarray:
    """Probabilities as bars, one a row, name in front and figure behind.

    Args:
        values: name -> probability, 0..1.
        width: of the picture, in its pixels.
        title: a bold line above the bars; "" = none.
        marked: the name whose bar has another colour; None = that of the largest, "" = none.
        row: height of a row, in pixels of the page.
        label: width of the names, in pixels of the page.
    """
    label, figure, height = px(label), px(40), px(row)
    marked = max(values, key=values.get) if marked is None else marked
    room = width - label - figure
    page = blank(width, height * len(values))
    for i, (name, value) in enumerate(values.items()):
        top, middle = i * height, i * height + height // 2
        write(page, name, label - px(8), middle, 12, right=True)
        bar = page[top + px(4) : top + height - px(4), label:]
        bar[:, :room] = (244, 246, 249)
        bar[:, : round(room * float(value))] = SECOND if name == marked else ACCENT
        write(page, f"{value:.2f}", width - px(4), middle, 12, SOFT, right=True)
    return titled(page, title, bold=True) if title else page


def strip(values: np.ndarray, width: int, height: int, marked: int | None = None) -> np.ndarray:
    """Values as thin upright bars on one line, each at least a pixel wide and high.

    Args:
        values: float (N,), 0 or more; the largest is as high as the picture.
        width: in pixels of the picture.
        height: in pixels of the picture.
        marked: the index of the one that has another colour; None = none has.
    """
    page, largest = blank(width, height), max(float(values.max()), 1e-12)
    edges = np.linspace(0, width, len(values) + 1).round().astype(int)
    for i, value in enumerate(values):
        top = height - max(1, round(height * float(value) / largest))
        right = max(edges[i] + 1, edges[i + 1] - px(1))
        page[top:, edges[i] : right] = SECOND if i == marked else ACCENT
    return page


def png(picture: np.ndarray) -> bytes:
    """The bytes of a PNG file. OpenCV's default is its fastest."""
    return cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
