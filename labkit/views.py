"""The pictures of the explorer: one function a way of looking, each from a `Look`, all in `VIEWS`. Taught in notebook 07.

Each returns uint8 (H, W, 3) as `labkit.panels` does, 640 pixels of the page wide or a little less.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from labkit import explain, panels, saliency, training
from labkit.explain import Tick, no_tick
from labkit.faces import FaceSet
from labkit.panels import px

WIDTH = 640


@dataclass(frozen=True)
class Look:
    """What is looked at: a network and what `runs.about` says of it, the `face`-th of `faces` (in the network's size and colours),
    a layer and one of its channels, and the class whose score is explained, `label` of `target`; without a target the class
    that the network predicts. `found` keeps what is slow and serves other channels too.

    Raises ValueError where face, layer or channel do not exist."""

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
    face = panels.enlarged(look.image, px(width * 0.62))
    return panels.below(face, *said_bars(look, width, row=18), gap=10)


def said_bars(look: Look, width: int, **options) -> list[np.ndarray]:
    """What the network says of the face: bars for each target."""
    return [panels.bars(dict(zip(look.about["classes"][name], p)), px(width), name, **options) for name, p in look.said.items()]


def reaction(look: Look, method: str) -> np.ndarray:
    """What the network says of the face, and beside it what it looks at: small enough for a live picture."""
    target, label, name = look.explained()
    values = saliency.saliency(look.network, look.image, method, target, label)
    colours = panels.SIGNED if method in saliency.SIGNED else panels.AMOUNT
    over = panels.titled(panels.overlay(look.image, values, px(132), colours), f"for {name}", 11)
    return panels.beside(over, panels.below(*said_bars(look, 204, row=17, label=84), gap=8))


def filters(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """All filters of the first layer, in its colours; of a deeper one those kernels that make the channel. The strongest first."""
    weights = explain.filters(look.network, look.layer)
    order = explain.by_norm(weights)
    size = f"{weights.shape[2]}x{weights.shape[3]}"
    norms = np.sqrt((weights**2).sum((1, 2, 3)))[order]
    place = int(np.flatnonzero(order == look.channel)[0])
    if look.layer == "conv1":
        title = f"{look.layer}: {len(weights)} filters of {size}, the strongest first; channel {look.channel} is framed"
        tiles, marked = [filter_tile(weights[i], weights) for i in order], place
    else:
        kernels = weights[look.channel][np.argsort(-np.abs(weights[look.channel]).sum((1, 2)), kind="stable")]
        title = f"{look.layer}, channel {look.channel}: its kernels of {size} on the {len(kernels)} channels before, the strongest first"
        tiles, marked = [panels.coloured(kernel, panels.SIGNED, high=float(np.abs(kernels).max())) for kernel in kernels], None
    columns, side = panels.columns_for(len(tiles), px(WIDTH), px(280))
    sheet = panels.grid([panels.enlarged(tile, side - px(2)) for tile in tiles], columns, marked=marked)
    strip = panels.titled(
        panels.strip(norms, px(WIDTH), px(70), place), f"norm of each of the {len(norms)} filters, sorted; orange: this one"
    )
    return panels.below(panels.titled(sheet, title), strip, gap=12)


def filter_tile(weights: np.ndarray, among: np.ndarray) -> np.ndarray:
    """A filter of the first layer, float (C, k, k), as a picture: in colour where it has three, else signed. Its weights are
    scaled by the largest `among` all."""
    largest = float(np.abs(among).max())
    if len(weights) == 3:
        return np.clip(127.5 + 127.5 * weights.transpose(1, 2, 0) / largest, 0, 255).round().astype(np.uint8)
    return panels.coloured(weights[0], panels.SIGNED, high=largest)


def activations(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """The chosen channel over the face, beside it the map of every channel."""
    maps = explain.activations(look.network, look.image[None], look.layer)[0]
    chosen, largest = maps[look.channel], float(maps.max())
    left = panels.titled(panels.overlay(look.image, chosen, px(220)), f"channel {look.channel}: up to {chosen.max():.2f}")
    columns, side = panels.columns_for(len(maps), px(WIDTH - 240), px(330))
    tiles = [panels.enlarged(panels.coloured(m, high=largest), side - px(2)) for m in maps]
    title = f"{look.layer}: all {len(maps)} channels, {maps.shape[1]}x{maps.shape[2]} each, 0 to {largest:.2f}"
    return panels.beside(left, panels.titled(panels.grid(tiles, columns, marked=look.channel), title), gap=16)


def strongest(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """The twelve faces that excite the channel most, and the patch of each that does it."""
    key = ("peaks", look.layer)
    if key not in look.found:
        look.found[key] = explain.peaks(look.network, look.faces.images, look.layer, tick=tick)
    rows = explain.strongest(look.network, look.faces.images, look.layer, look.channel, 12, look.found[key])
    side, tiles = px(100), []
    for row in rows:
        image = panels.rgb(look.faces.images[row["index"]])
        whole, factor = panels.enlarged(image, side), side / max(image.shape[:2])
        corners = [round(row[name] * factor) for name in ("left", "top", "right", "bottom")]
        cv2.rectangle(whole, (corners[0], corners[1]), (min(corners[2], side) - 1, min(corners[3], side) - 1), panels.SECOND, px(1.5))
        patch = panels.enlarged(image[row["top"] : row["bottom"], row["left"] : row["right"]], side - px(40))
        square = panels.blank(side, side - px(40))
        square[: patch.shape[0], : patch.shape[1]] = patch
        tiles.append(panels.below(whole, square, panels.text(f"{row['value']:.2f}", 10, panels.SOFT, width=side), gap=3))
    title = (
        f"{look.layer}, channel {look.channel}: the {len(tiles)} of {len(look.faces):,} faces that excite it most, and the patch it sees"
    )
    return panels.titled(panels.grid(tiles, 6, gap=6), title)


def excited(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """Four images made to excite the channel, from different noise."""
    size = look.faces.images.shape[1]
    key = ("excited", look.layer, look.channel)
    if key not in look.found:
        look.found[key] = explain.excite(look.network, look.layer, [look.channel] * 4, size, tick=tick)
    tiles = [panels.enlarged(image, px(WIDTH / 4 - 6), smooth=True) for image in look.found[key]]
    return panels.titled(
        panels.grid(tiles, 4, gap=6), f"{look.layer}, channel {look.channel}: images made to excite it, from four kinds of noise"
    )


def saliency_map(method: str) -> Callable:
    """The view of one of `saliency.METHODS`."""

    def view(look: Look, tick: Tick = no_tick) -> np.ndarray:
        target, label, name = look.explained()
        layer = look.layer if method == "Grad-CAM" else ""
        values = saliency.saliency(look.network, look.image, method, target, label, layer, tick)
        colours, side = (panels.SIGNED if method in saliency.SIGNED else panels.AMOUNT), px(190)
        largest = float(np.abs(values).max())
        over = panels.titled(panels.overlay(look.image, values, side, colours), f"{method}, {layer}" if layer else method)
        alone = panels.titled(panels.enlarged(panels.coloured(values, colours), side), f"for the score of {name}", bold=True)
        bar = panels.colour_bar(colours, -largest if colours == panels.SIGNED else 0, largest, side)
        return panels.beside(panels.titled(panels.enlarged(look.image, side), "the face"), over, alone, panels.titled(bar, " "))

    view.__doc__ = f"Face, {method} over it, and the map alone."
    return view


def covered(look: Look, tick: Tick = no_tick) -> np.ndarray:
    """The face with one region covered at a time, and what becomes of the prediction."""
    target, label, name = look.explained()
    images = np.stack([look.image, *(saliency.cover(look.image, region) for region in saliency.REGIONS.values())])
    said, side, tiles = look.probabilities(images)[target], px(WIDTH / 4 - 10), []
    for image, title, row in zip(images, ("nothing covered", *saliency.REGIONS), said):
        now = f"now {look.about['classes'][target][row.argmax()]}" if row.argmax() != said[0].argmax() else ""
        bar = panels.bars({name: row[label]}, side, marked=name if now == "" else "", row=18, label=52)
        tiles.append(
            panels.below(panels.titled(panels.enlarged(image, side), title), bar, panels.text(now or " ", 11, panels.SECOND), gap=2)
        )
    return panels.grid(tiles, 4, gap=10)


@dataclass(frozen=True)
class View:
    """`draw(look, tick)`; `slow`: takes more than a tenth of a second; `uses`: what of layer, channel, face and class it depends on."""

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
    """One of `VIEWS`. Raises ValueError for another name."""
    if method not in VIEWS:
        raise ValueError(f"method '{method}': expected one of {', '.join(VIEWS)}")
    return VIEWS[method].draw(look, tick)
