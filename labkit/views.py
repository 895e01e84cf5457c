"""The pictures of the explorer: one function a way of looking, each from a `Look`, all in `VIEWS`.
Taught in notebook 07.

Each returns uint8 (H, W, 3) as `labkit.raster` does, 640 pixels of the page wide or a little less. A slow one
tells `tick` the share that is done, 0..1.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from labkit import explain, raster, saliency, training
from labkit.explain import Tick, no_tick
from labkit.faces import FaceSet
from labkit.raster import px

WIDTH = 640


@dataclass(frozen=True)
class Look:
    """What is looked at: a network, a face, a layer and one of its channels, and the class whose score
    is explained.

    Attributes:
        network: `models.FaceNet`.
        about: what `running.about` says of it.
        faces: in the network's size and colours.
        face: index of the one that is looked at.
        layer: name of a convolution, as `explain.layers` gives it.
        channel: of that layer, from 0.
        target: whose class is explained; "" = the class that the network predicts, of its first target.
        label: index of the class whose score is explained, where there is a target.
        found: keeps what is slow and serves other channels too.

    Raises:
        ValueError: where face, layer or channel do not exist.
    """

    network: object
    about: dict
    faces: FaceSet
    face: int = 0
    layer: str = "conv1"
    channel: int = 0
    target: str = ""
    label: int = 0
    found: dict = field(default_factory=dict)

    def __post_init__(self):
        explain.check_channel(self.network, self.layer, self.channel)
        if not 0 <= self.face < len(self.faces):
            raise ValueError(f"face {self.face}: expected 0 to {len(self.faces) - 1}")

    @property
    def image(self) -> np.ndarray:
        """The face that is looked at, uint8 (H, W, C)."""
        return self.faces.images[self.face]

    @cached_property
    def said(self) -> dict[str, np.ndarray]:
        """What the network says of the face: target -> (K,)."""
        return {target: p[0] for target, p in self.probabilities(self.image[None]).items()}

    def probabilities(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """What the network says of images, as everywhere in the lab: target -> (N, K)."""
        return training.predict(self.network, images, mirror=self.about["mirror"])

    def explained(self) -> tuple[str, int, str]:
        """(target, label, its name) of the class whose score is explained."""
        target = self.target or next(iter(self.network.heads))
        label = self.label if self.target else int(self.said[target].argmax())
        return target, label, self.about["classes"][target][label]


def prediction(look: Look, width: int = 300) -> np.ndarray:
    """The face, and the probability of each class."""
    face = raster.enlarged(look.image, px(width * 0.62))
    return raster.below(face, *said_bars(look, width, row=18), gap=10)


def said_bars(look: Look, width: int, **options) -> list[np.ndarray]:
    """What the network says of the face: bars for each target.

    Args:
        look: at which face, with which network.
        width: of the bars, in pixels of the page.
        options: what else `raster.bars` takes.
    """
    bars = []
    for target, probabilities in look.said.items():
        values = dict(zip(look.about["classes"][target], probabilities))
        bars.append(raster.bars(values, px(width), target, **options))
    return bars


def reaction(look: Look, method: str) -> np.ndarray:
    """What the network says of the face, and beside it what it looks at: small enough for a live picture.

    Args:
        look: at which face, with which network.
        method: one of `saliency.METHODS`.
    """
    target, label, name = look.explained()
    values = saliency.saliency(look.network, look.image, method, target, label)
    over = raster.overlay(look.image, values, px(132), _colours_of(method))
    over = raster.titled(over, f"for {name}", 11)
    return raster.beside(over, raster.below(*said_bars(look, 204, row=17, label=84), gap=8))


def _colours_of(method: str) -> str:
    """The colour map for the maps of a method of `labkit.saliency`."""
    return raster.SIGNED if method in saliency.SIGNED else raster.AMOUNT


def filters(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """All filters of the first layer, in its colours; of a deeper one those kernels that make the channel.
    The strongest first."""
    weights = explain.filters(look.network, look.layer)
    order = explain.by_norm(weights)
    norms = np.sqrt((weights**2).sum((1, 2, 3)))[order]
    place = int(np.flatnonzero(order == look.channel)[0])
    first = look.layer == "conv1"
    tiles = [filter_tile(weights[i], weights) for i in order] if first else _kernels(weights[look.channel])
    title = _title_of_filters(look, weights, first)
    columns, side = raster.columns_for(len(tiles), px(WIDTH), px(280))
    tiles = [raster.enlarged(tile, side - px(2)) for tile in tiles]
    sheet = raster.grid(tiles, columns, marked=place if first else None)
    strip = raster.strip(norms, px(WIDTH), px(70), place)
    strip = raster.titled(strip, f"norm of each of the {len(norms)} filters, sorted; orange: this one")
    return raster.below(raster.titled(sheet, title), strip, gap=12)


def _kernels(weights: np.ndarray) -> list[np.ndarray]:
    """A picture of each kernel of one filter, float (channels before, k, k), the strongest first."""
    order = np.argsort(-np.abs(weights).sum((1, 2)), kind="stable")
    largest = float(np.abs(weights).max())
    return [raster.coloured(weights[i], raster.SIGNED, high=largest) for i in order]


def _title_of_filters(look: Look, weights: np.ndarray, first: bool) -> str:
    n, channels, height, width = weights.shape
    size = f"{height}x{width}"
    if first:
        shown = f"{n} filters of {size}, the strongest first; channel {look.channel} is framed"
        return f"{look.layer}: {shown}"
    shown = f"its kernels of {size} on the {channels} channels before, the strongest first"
    return f"{look.layer}, channel {look.channel}: {shown}"


def filter_tile(weights: np.ndarray, among: np.ndarray) -> np.ndarray:
    """A filter of the first layer as a picture: in colour where it has three, else signed.

    Args:
        weights: float (C, k, k).
        among: float (N, C, k, k), all filters of the layer; the largest weight among them sets the scale.

    Returns:
        uint8 (k, k, 3).
    """
    largest = float(np.abs(among).max())
    if len(weights) == 3:
        return np.clip(127.5 + 127.5 * weights.transpose(1, 2, 0) / largest, 0, 255).round().astype(np.uint8)
    return raster.coloured(weights[0], raster.SIGNED, high=largest)


def activations(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """The chosen channel over the face, beside it the map of every channel."""
    maps = explain.activations(look.network, look.image[None], look.layer)[0]
    chosen, largest = maps[look.channel], float(maps.max())
    left = raster.overlay(look.image, chosen, px(220))
    left = raster.titled(left, f"channel {look.channel}: up to {chosen.max():.2f}")
    columns, side = raster.columns_for(len(maps), px(WIDTH - 240), px(330))
    tiles = [raster.enlarged(raster.coloured(m, high=largest), side - px(2)) for m in maps]
    sheet = raster.grid(tiles, columns, marked=look.channel)
    size = f"{maps.shape[1]}x{maps.shape[2]}"
    title = f"{look.layer}: all {len(maps)} channels, {size} each, 0 to {largest:.2f}"
    return raster.beside(left, raster.titled(sheet, title), gap=16)


def strongest(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """The twelve faces that excite the channel most, and the patch of each that does it."""
    key = ("peaks", look.layer)
    if key not in look.found:
        look.found[key] = explain.peaks(look.network, look.faces.images, look.layer, tick=tick)
    rows = explain.strongest(look.network, look.faces.images, look.layer, look.channel, 12, look.found[key])
    tiles = [_face_and_patch(look, row) for row in rows]
    whose = f"{look.layer}, channel {look.channel}"
    which = f"the {len(tiles)} of {len(look.faces):,} faces that excite it most, and the patch it sees"
    return raster.titled(raster.grid(tiles, 6, gap=6), f"{whose}: {which}")


def _face_and_patch(look: Look, row: dict) -> np.ndarray:
    """A face with the patch of a row of `explain.strongest` framed, below it the patch and its value."""
    side = px(100)
    image = raster.rgb(look.faces.images[row["index"]])
    whole, factor = raster.enlarged(image, side), side / max(image.shape[:2])
    left, top, right, bottom = (round(row[name] * factor) for name in ("left", "top", "right", "bottom"))
    far_corner = (min(right, side) - 1, min(bottom, side) - 1)
    cv2.rectangle(whole, (left, top), far_corner, raster.SECOND, px(1.5))
    patch = raster.enlarged(image[row["top"] : row["bottom"], row["left"] : row["right"]], side - px(40))
    square = raster.blank(side, side - px(40))
    square[: patch.shape[0], : patch.shape[1]] = patch
    value = raster.text(f"{row['value']:.2f}", 10, raster.SOFT, width=side)
    return raster.below(whole, square, value, gap=3)


def excited(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """Four images made to excite the channel, from different noise."""
    size = look.faces.images.shape[1]
    key = ("excited", look.layer, look.channel)
    if key not in look.found:
        look.found[key] = explain.excite(look.network, look.layer, [look.channel] * 4, size, tick=tick)
    tiles = [raster.enlarged(image, px(WIDTH / 4 - 6), smooth=True) for image in look.found[key]]
    title = f"{look.layer}, channel {look.channel}: images made to excite it, from four kinds of noise"
    return raster.titled(raster.grid(tiles, 4, gap=6), title)


def saliency_map(method: str) -> Callable:
    """The view of one of `saliency.METHODS`."""

    def view(look: Look, tick: Tick = no_tick) -> np.ndarray:
        target, label, name = look.explained()
        layer = look.layer if method == "Grad-CAM" else ""
        values = saliency.saliency(look.network, look.image, method, target, label, layer, tick)
        colours, side = _colours_of(method), px(190)
        largest = float(np.abs(values).max())
        face = raster.titled(raster.enlarged(look.image, side), "the face")
        over = raster.overlay(look.image, values, side, colours)
        over = raster.titled(over, f"{method}, {layer}" if layer else method)
        alone = raster.enlarged(raster.coloured(values, colours), side)
        alone = raster.titled(alone, f"for the score of {name}", bold=True)
        bar = raster.colour_bar(colours, -largest if colours == raster.SIGNED else 0, largest, side)
        return raster.beside(face, over, alone, raster.titled(bar, " "))

    view.__doc__ = f"Face, {method} over it, and the map alone."
    return view


def covered(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """The face with one region covered at a time, and what becomes of the prediction."""
    target, label, name = look.explained()
    covered_images = [saliency.cover(look.image, region) for region in saliency.REGIONS.values()]
    images = np.stack([look.image, *covered_images])
    said, side, tiles = look.probabilities(images)[target], px(WIDTH / 4 - 10), []
    for image, title, row in zip(images, ("nothing covered", *saliency.REGIONS), said):
        changed = row.argmax() != said[0].argmax()
        now = f"now {look.about['classes'][target][row.argmax()]}" if changed else ""
        face = raster.titled(raster.enlarged(image, side), title)
        bar = raster.bars({name: row[label]}, side, marked="" if changed else name, row=18, label=52)
        tiles.append(raster.below(face, bar, raster.text(now or " ", 11, raster.WORDS), gap=2))
    return raster.grid(tiles, 4, gap=10)


@dataclass(frozen=True)
class View:
    """A way of looking.

    Attributes:
        draw: `draw(look, tick)`, gives the picture.
        uses: what of layer, channel, face and class it depends on.
        slow: whether it takes more than a tenth of a second.
    """

    draw: Callable
    uses: tuple[str, ...]
    slow: bool = False


VIEWS = {
    "filters": View(filters, ("layer", "channel")),
    "activations": View(activations, ("layer", "channel", "face")),
    "strongest faces": View(strongest, ("layer", "channel"), slow=True),
    "made to excite": View(excited, ("layer", "channel"), slow=True),
    "gradient": View(saliency_map("gradient"), ("face", "class")),
    "Grad-CAM": View(saliency_map("Grad-CAM"), ("layer", "face", "class")),
    "integrated gradients": View(saliency_map("integrated gradients"), ("face", "class"), slow=True),
    "occlusion": View(saliency_map("occlusion"), ("face", "class"), slow=True),
    "covered regions": View(covered, ("face", "class")),
}


def picture(look: Look, method: str, tick: Tick = no_tick) -> np.ndarray:
    """One of `VIEWS`, drawn.

    Args:
        look: at what.
        method: a name in `VIEWS`.
        tick: told the share that is done, 0..1, by those that are slow; may raise to stop them.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: for a name that is not in `VIEWS`.
    """
    if method not in VIEWS:
        raise ValueError(f"method '{method}': expected one of {', '.join(VIEWS)}")
    return VIEWS[method].draw(look, tick)
