"""Pictures where no kernel runs: a widget's still, and states to flip through, both readable in any browser,
without a script.
"""

import base64
import hashlib
import html
import io
import itertools

import cv2
import numpy as np
from matplotlib.figure import Figure

from labkit import raster

SHOWN = itertools.count(1)  # how many were shown by this process
STYLE = """
.flip { display: flex; flex-wrap: wrap; gap: .35rem; max-width: 100%; margin: .4rem 0; }
.flip input { position: absolute; opacity: 0; pointer-events: none; }
.flip label { order: 1; padding: .15rem .7rem; border: 1px solid #7d8794; border-radius: 1rem; \
cursor: pointer; font-size: .85rem; }
.flip input:checked + label { background: #0072b2; border-color: #0072b2; color: white; }
.flip input:focus-visible + label { outline: 3px solid #d55e00; outline-offset: 1px; }
.flip figure { order: 2; display: none; width: 100%; margin: .4rem 0; }
.flip input:checked + label + figure { display: block; }
.flip figure img { max-width: 100%; height: auto; }
"""


def as_file(picture: np.ndarray | Figure) -> tuple[str, bytes, int]:
    """The file of a picture. A panel becomes WebP, since a page holds dozens of them and PNG would take
    several times as much.

    Args:
        picture: what `labkit.raster`, uint8 (H, W, 3), or `labkit.figures` draws.

    Returns:
        (kind, bytes, width): kind "webp" or "png", width in pixels of the page.
    """
    if isinstance(picture, Figure):
        file = io.BytesIO()
        picture.savefig(file, format="png", dpi=150)
        return "png", file.getvalue(), round(picture.get_figwidth() * 100)
    webp = cv2.imencode(".webp", picture[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 90])[1].tobytes()
    return "webp", webp, round(picture.shape[1] / raster.SCALE)


class Flip:
    """Pictures to flip through with the mouse or, once one is chosen, with the arrow keys.

    Args:
        pictures: title -> picture, as `as_file` takes it.

    Raises:
        ValueError: where there is no picture.
    """

    def __init__(self, pictures: dict[str, np.ndarray | Figure]):
        if not pictures:
            raise ValueError("pictures: expected at least one, got none")
        self.pictures = {title: as_file(picture) for title, picture in pictures.items()}

    def _repr_html_(self) -> str:
        digest = hashlib.sha256(b"".join(data for _, data, _ in self.pictures.values())).hexdigest()[:12]
        group = f"flip-{digest}-{next(SHOWN)}"  # the same pictures may be shown twice on a page
        states = []
        for i, (title, (kind, data, width)) in enumerate(self.pictures.items()):
            name, checked = html.escape(title), " checked" if i == 0 else ""
            source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
            states.append(
                f'<input type="radio" name="{group}" id="{group}-{i}"{checked}>'
                f'<label for="{group}-{i}">{name}</label>'
                f'<figure><img src="{source}" width="{width}" alt="{name}"></figure>'
            )
        return f'<div class="flip" role="radiogroup"><style>{STYLE}</style>{"".join(states)}</div>'


class Still:
    """Put in front of a widget class: where the widget cannot be shown, its `still()` is, uint8 (H, W, 3) of
    `labkit.raster`."""

    def _repr_mimebundle_(self, **options):
        picture = self.still()
        bundle = super()._repr_mimebundle_(**options)
        if isinstance(bundle, tuple):  # with its metadata, as anywidget gives it
            bundle = bundle[0]
        bundle = bundle | {"image/png": base64.b64encode(raster.png(picture)).decode()}
        return bundle, {"image/png": {"width": round(picture.shape[1] / raster.SCALE)}}


def show(image, picture: np.ndarray) -> None:
    """Show a picture of `labkit.raster` in an `ipywidgets.Image`, as large as it is on the page,
    with one message."""
    with image.hold_sync():
        image.width, image.value = str(round(picture.shape[1] / raster.SCALE)), raster.png(picture)
