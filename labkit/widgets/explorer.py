"""The explorer: model, layer, channel, way of looking, face; a change shows its picture. Used in notebook 07.

What it shows is drawn by `labkit.views`. What takes long runs in a thread, with a bar and a button that stops it; any
change stops it too."""

import html
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import ipywidgets as widgets
import numpy as np

from labkit import devices, explain, raster, views
from labkit.widgets.still import Still, show

PREDICTED = "what is predicted"


class Stopped(Exception):
    """Raised inside slow work that is no longer wanted."""


class Explorer(Still, widgets.Box):
    """networks: the names to choose from; load: name -> (network, about), as `evaluation.load_network` gives them; faces_for: about
    -> the FaceSet in the size and colours that the network takes. Both are called once a network, when it is first chosen.
    method: one of `views.VIEWS`."""

    def __init__(self, networks: list[str], load: Callable, faces_for: Callable, method: str = "activations"):
        self.load, self.faces_for = load, faces_for
        self.loaded: dict[str, tuple] = {}  # name -> network, about, faces, what slow views found
        self.worker, self.work, self.stopped = ThreadPoolExecutor(1), None, threading.Event()
        self.lock = threading.RLock()  # JupyterLab hands messages to several threads of the kernel
        self.looked: tuple | None = None
        self.shown = ""  # name of the network whose pictures are shown
        self.silent = False  # while one change sets several controls
        wide = {"width": "300px"}
        self.network = widgets.Dropdown(options=networks, description="model", layout=wide)
        self.method = widgets.Dropdown(
            options=list(views.VIEWS), value=method, description="method", layout=wide
        )
        self.layer = widgets.SelectionSlider(options=["conv1"], description="layer", layout=wide)
        self.channel = widgets.IntSlider(description="channel", max=0, layout=wide)
        self.face = widgets.IntSlider(description="face", max=0, layout=wide)
        self.label = widgets.Dropdown(options=[PREDICTED], description="class", layout=wide)
        self.prediction, self.picture = (
            widgets.Image(layout={"max_width": "100%", "margin": "0"}) for _ in range(2)
        )
        self.progress = widgets.FloatProgress(max=1.0, layout={"width": "220px"})
        self.stop = widgets.Button(description="stop", icon="stop", layout={"width": "80px"})
        self.status = widgets.HTML()
        self.controls = [self.network, self.method, self.layer, self.channel, self.face, self.label]
        bar = widgets.HBox([self.progress, self.stop, self.status])
        parts = [
            widgets.VBox([*self.controls, self.prediction]),
            widgets.VBox([self.picture, bar], layout={"max_width": "100%"}),
        ]
        super().__init__(parts, layout={"flex_flow": "row wrap", "grid_gap": "8px 20px"})
        self._observe()
        self._choose_network()

    def _observe(self) -> None:
        def call(method: Callable) -> Callable:
            def one_at_a_time(_) -> None:
                with self.lock:
                    method()

            return one_at_a_time

        self.network.observe(call(self._choose_network), "value")
        self.layer.observe(call(self._choose_layer), "value")
        for control in (self.method, self.channel, self.face, self.label):
            control.observe(call(self._draw), "value")
        self.face.observe(
            call(self._draw_prediction), "value"
        )  # after the picture, which is what one waits for
        self.stop.on_click(call(lambda: self._end_work("stopped")))

    def look(self) -> views.Look:
        """What the controls say; the same object while they say the same, since it remembers what the network says."""
        key = self.shown, self.face.value, self.layer.value, self.channel.value, self.label.value
        if self.looked is None or self.looked[0] != key:
            target, label = self.label.value if self.label.value != PREDICTED else ("", 0)
            *subject, found = self.loaded[self.shown]  # network, about, faces
            look = views.Look(
                *subject, self.face.value, self.layer.value, self.channel.value, target, label, found
            )
            self.looked = key, look
        return self.looked[1]

    def still(self) -> np.ndarray:
        look = self.look()
        return raster.beside(views.prediction(look), views.picture(look, self.method.value), gap=24)

    def _choose_network(self) -> None:
        name = self.network.value
        if self.silent or not self._is_loaded(name):
            return
        self.shown = name
        network, about, faces, _ = self.loaded[name]
        several = len(about["classes"]) > 1
        classes = [
            (f"{t}: {c}" if several else c, (t, i))
            for t, names in about["classes"].items()
            for i, c in enumerate(names)
        ]
        self.silent = True
        self.layer.options = list(explain.layers(network))
        self.label.options = [(PREDICTED, PREDICTED), *classes]
        self.face.max = len(faces) - 1
        self.silent = False
        self._choose_layer()
        self._draw_prediction()

    def _is_loaded(self, name: str) -> bool:
        """Load a network and its faces when it is first chosen; where that fails say why and go back to the one before."""
        if name in self.loaded:
            return True
        self._end_work("loading ...")
        try:
            network, about = self.load(name)
            self.loaded[name] = network, about, self.faces_for(about), {}
        except Exception as error:
            if not self.shown:
                raise
            self.silent = True
            self.network.value = self.shown
            self.silent = False
            self.status.value = html.escape(f"{name}: {error}")
        return name in self.loaded

    def _choose_layer(self) -> None:
        if self.silent:
            return
        self.silent = True
        self.channel.max = explain.convolution(self.loaded[self.shown][0], self.layer.value).out_channels - 1
        self.silent = False
        self._draw()

    def _draw_prediction(self) -> None:
        if not self.silent:
            with devices.one_thread():
                show(self.prediction, views.prediction(self.look()))

    def _draw(self) -> None:
        if self.silent:
            return
        self._end_work()
        view, look, method = views.VIEWS[self.method.value], self.look(), self.method.value
        for control, use in (
            (self.layer, "layer"),
            (self.channel, "channel"),
            (self.face, "face"),
            (self.label, "class"),
        ):
            control.disabled = use != "face" and use not in view.uses
        if view.slow:
            self.stopped.clear()
            self.status.value = method
            self.stop.disabled = False
            self.work = self.worker.submit(self._work, look, method)
        else:
            with devices.one_thread():
                show(self.picture, views.picture(look, method))

    def _work(self, look: views.Look, method: str) -> None:
        def tick(done: float) -> None:
            if self.stopped.is_set():
                raise Stopped
            self.progress.value = done

        try:
            picture = views.picture(look, method, tick)
            tick(1.0)
            show(self.picture, picture)
            self.status.value = ""
        except Stopped:
            pass
        except Exception as error:
            self.status.value = html.escape(f"{method}: {error}")
        self.stop.disabled = True

    def _end_work(self, why: str = "") -> None:
        """Stop what runs and wait for it: at most one step of it, a tenth of a second."""
        self.stopped.set()
        if self.work:
            self.work.result()
            self.work = None
        self.progress.value, self.stop.disabled, self.status.value = 0.0, True, why
