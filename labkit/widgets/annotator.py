"""The annotator: a picture left, a row of buttons an attribute right, all of it by mouse or by keys. Used in
notebook 08. The page (annotator.js) shows what `annotate.Session` says and tells it what was pressed.
"""

import threading
from pathlib import Path

import anywidget
import cv2
import numpy as np
import traitlets

from labkit import annotate, raster
from labkit.faces import FaceSet
from labkit.widgets.still import Still

LARGEST = 1280  # pixels of the longer side of a picture that is sent
SIDE = 300  # of the picture in a still, in pixels of the page


def readable(name: str) -> str:
    """A name of the data as people write it: "hair_colour" is "hair colour"."""
    return name.replace("_", " ")


class Annotator(Still, anywidget.AnyWidget):
    """Label pictures; every answer is in the annotator's journal before the next picture is shown.

    Args:
        pictures: a `FaceSet`, or a folder of pictures.
        folder: where the journals of these pictures lie.
        annotator: whose journal it is.
        task: what is asked; None = the lab's attributes.

    Attributes:
        session: where the annotator stands and what was said.

    Raises:
        ValueError, OSError: as `annotate.Journal` and `annotate.gallery` do.
    """

    _esm = Path(__file__).with_name("annotator.js")
    _css = Path(__file__).with_name("annotator.css")
    state = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes().tag(sync=True)

    def __init__(self, pictures: FaceSet | str | Path, folder, annotator: str, task=None):
        names, self.open_picture = annotate.gallery(pictures)
        journal = annotate.Journal(folder, annotator)
        self.session = annotate.Session(names, journal, task)
        self.lock = threading.Lock()  # JupyterLab hands messages to several threads of the kernel
        self.shown, self.problem = -1, ""
        super().__init__()
        shared = (
            f"'{annotator}' is open in another kernel; what you say here is kept as '{journal.annotator}'."
        )
        self._show(shared if journal.shared else "")
        self.on_msg(self._receive)

    def _receive(self, _, content: dict, buffers: list) -> None:
        with self.lock:
            session, said = self.session, ""
            if content["picture"] == session.picture:  # else it was meant for one that is gone
                try:
                    if content["kind"] == "label":
                        session.label(content["attribute"], content["value"])
                    elif content["kind"] == "digit":
                        session.choose(content["number"])
                    else:
                        session.command(content["command"])
                except (ValueError, OSError) as error:
                    said = f"Not saved: {error}"
            self._show(said)

    def _show(self, message: str) -> None:
        session = self.session
        if self.shown != session.picture:
            try:
                self.problem, image = "", self.open_picture(session.picture)
            except (ValueError, OSError) as error:
                self.problem, image = f"This picture cannot be read ({error}); skip it.", None
            self.shown, self.picture = session.picture, b"" if image is None else _file_of(image)
        task, said = session.task, session.of(session.picture)
        self.state = {
            "picture": session.picture,
            "pictures": len(session.names),
            "name": session.names[session.picture],
            "asked": session.attribute,
            "rows": [
                {
                    "attribute": name,
                    "title": readable(name),
                    "classes": list(task.attributes[name]),
                    "value": said.get(name),
                }
                for name in task.asked
            ],
            "flag": {"title": readable(task.flag), "value": said.get(task.flag) == "yes"}
            if task.flag
            else None,
            "keys": task.keys,
            "done": session.done(),
            "counts": {readable(name): counts for name, counts in session.counts().items()},
            "annotator": session.journal.annotator,
            "message": " ".join(filter(None, [message, self.problem])),
        }

    def still(self) -> np.ndarray:
        """The picture and what is asked of it, uint8 (H, W, 3)."""
        session, lines = self.session, []
        try:
            image = self.open_picture(session.picture)
        except (ValueError, OSError):
            image = raster.blank(SIDE, SIDE)
        for name in session.task.asked:
            value = session.of(session.picture).get(name)
            choices = [f"[{word}]" if word == value else word for word in session.task.attributes[name]]
            keyed = "   ".join(f"{i} {word}" for i, word in enumerate(choices, 1))
            lines += [raster.text(readable(name), bold=name == session.attribute), raster.text(keyed)]
        where = f"picture {session.picture + 1} of {len(session.names)}, {session.done()} done"
        large = raster.enlarged(image, raster.px(SIDE), smooth=True)
        return raster.beside(raster.titled(large, where), raster.below(*lines), gap=24)


def _file_of(image: np.ndarray) -> bytes:
    """A picture as a PNG file, not larger than `LARGEST`."""
    height, width = image.shape[:2]
    if max(height, width) > LARGEST:
        scale = LARGEST / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return raster.png(raster.rgb(image))
