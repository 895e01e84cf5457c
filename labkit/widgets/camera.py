"""The webcam in a notebook, also when its kernel runs on another machine: the browser takes the camera
(camera.js) and sends frames, the kernel answers with faces, boxes and labels. Used in notebook 10. No frame
is kept.
"""

import threading
from pathlib import Path

import anywidget
import cv2
import numpy as np
import traitlets

from labkit import camera, follow
from labkit.widgets.still import Still

LARGEST = 2_000_000  # bytes of a frame: camera.js sends some 50,000


def answer(frame: np.ndarray, seconds: float, watcher) -> dict:
    """What the browser needs to draw of a frame.

    Args:
        frame: uint8 (H, W, 3), RGB.
        seconds: when it was taken.
        watcher: `follow.Watcher`, which has seen the frames before it.

    Returns:
        `width` of the frame in pixels, and `faces`, each with its `number`, `box`, `problem` and `lines` as
        `camera.bar_lines` gives them.
    """
    faces = []
    for one in watcher.watch(frame, seconds):
        face = {"number": one.number, "box": one.face.box}
        faces.append(face | {"problem": one.problem, "lines": camera.bar_lines(one)})
    return {"width": frame.shape[1], "faces": faces}


class Camera(Still, anywidget.AnyWidget):
    """The browser's camera with what networks say of its faces. All are asked, or the one that is chosen.

    Args:
        networks: name -> (network, about) as `evaluation.load_network` gives them.
    """

    _esm = Path(__file__).with_name("camera.js")
    _css = Path(__file__).with_name("camera.css")
    choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Unicode().tag(sync=True)

    def __init__(self, networks: dict):
        self.networks = networks
        self.lock = threading.Lock()  # JupyterLab hands messages to several threads of the kernel
        together = " + ".join(networks)
        super().__init__(choices=[together, *networks] if len(networks) > 1 else [together], chosen=together)
        self.begin()
        self.on_msg(self._receive)
        self.observe(lambda _: self.begin(), "chosen")

    def begin(self) -> None:
        """Forget whom the widget has followed so far."""
        everyone = self.chosen == self.choices[0]
        networks = {name: n for name, n in self.networks.items() if everyone or name == self.chosen}
        with self.lock:
            self.watcher, self.film = follow.Watcher(networks), camera.film()

    def _receive(self, _, content: dict, buffers: list) -> None:
        if content["kind"] == "start":
            return self.begin()
        try:
            with self.lock:
                found, pictures = self._film() if content["kind"] == "film" else self._frame(content, buffers)
        except Exception as error:  # an answer all the same: else the page would wait for it
            found, pictures = {"error": f"The kernel failed on a frame: {error}"}, []
        self.send({"id": content["id"], "run": content["run"]} | found, pictures)

    def _film(self) -> tuple[dict, list]:
        frame, seconds = next(self.film)
        picture = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        return answer(frame, seconds, self.watcher), [picture]

    def _frame(self, content: dict, buffers: list) -> tuple[dict, list]:
        frame = None
        if buffers and 0 < len(buffers[0]) <= LARGEST:
            frame = cv2.imdecode(np.frombuffer(buffers[0], np.uint8), cv2.IMREAD_COLOR_RGB)
        if frame is None:
            return {"error": "The kernel received a frame that is no JPEG picture."}, []
        return answer(frame, float(content["seconds"]), self.watcher), []

    def still(self) -> np.ndarray:
        """The film after a second, with its faces: uint8 (H, W, 3)."""
        watcher, film = follow.Watcher(self.networks), camera.film()
        for frame, seconds in film:
            if seconds >= 1:
                watcher.sure = 1
                return camera.annotated(frame, watcher.watch(frame, seconds))
