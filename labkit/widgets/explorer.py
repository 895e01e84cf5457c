"""The explorer: model, layer, channel, way of looking, face; a change shows its picture. Used in notebook 07.

What it shows is drawn by `labkit.views`. What takes long runs in a thread, with a bar and a button that stops
it; any change stops it too.
"""

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
    """Controls for model, method, layer, channel, face and class, and the picture that they choose.

    `load` and `faces_for` are called once a network, when it is first chosen.

    Args:
        networks: the names to choose from.
        load: name -> (network, about), as `evaluation.load_network` gives them.
        faces_for: about -> the `FaceSet` in the size and colours that the network takes.
        method: the one that is shown first, of `views.VIEWS`.
    """

    def __init__(self, networks: list[str], load: Callable, faces_for: Callable, method: str = "activations"):
        self.load, self.faces_for = load, faces_for
        self.loaded: dict[str, tuple] = {}  # name -> network, about, faces, what slow views found
        self.worker, self.work, self.stopped = ThreadPoolExecutor(1), None, threading.Event()
        self.lock = threading.RLock()  # JupyterLab hands messages to several threads of the kernel
        self.looked: tuple | None = None
        self.shown = ""  # name of the network whose pictures are shown
        self.silent = False  # while one change sets several controls
        self._make_controls(networks, method)
        bar = widgets.HBox([self.progress, self.stop, self.status])
        parts = [
            widgets.VBox([*self.controls, self.prediction]),
            widgets.VBox([self.picture, bar], layout={"max_width": "100%"}),
        ]
        super().__init__(parts, layout={"flex_flow": "row wrap", "grid_gap": "8px 20px"})
        self._observe()
        self._choose_network()

    def _make_controls(self, networks: list[str], method: str) -> None:
        wide, views_there = {"width": "300px"}, list(views.VIEWS)
        self.network = widgets.Dropdown(options=networks, description="model", layout=wide)
        self.method = widgets.Dropdown(options=views_there, value=method, description="method", layout=wide)
        self.layer = widgets.SelectionSlider(options=["conv1"], description="layer", layout=wide)
        self.channel = widgets.IntSlider(description="channel", max=0, layout=wide)
        self.face = widgets.IntSlider(description="face", max=0, layout=wide)
        self.label = widgets.Dropdown(options=[PREDICTED], description="class", layout=wide)
        self.controls = [self.network, self.method, self.layer, self.channel, self.face, self.label]
        self.prediction = widgets.Image(layout={"max_width": "100%", "margin": "0"})
        self.picture = widgets.Image(layout={"max_width": "100%", "margin": "0"})
        self.progress = widgets.FloatProgress(max=1.0, layout={"width": "220px"})
        self.stop = widgets.Button(description="stop", icon="stop", layout={"width": "80px"})
        self.status = widgets.HTML()

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
        # After the picture, which is what one waits for.
        self.face.observe(call(self._draw_prediction), "value")
        self.stop.on_click(call(lambda: self._end_work("stopped")))

    def look(self) -> views.Look:
        """What the controls say; the same object while they say the same, since it remembers
        what the network says."""
        place = self.face.value, self.layer.value, self.channel.value
        key = self.shown, *place, self.label.value
        if self.looked is None or self.looked[0] != key:
            target, label = self.label.value if self.label.value != PREDICTED else ("", 0)
            network, about, faces, found = self.loaded[self.shown]
            self.looked = key, views.Look(network, about, faces, *place, target, label, found)
        return self.looked[1]

    def still(self) -> np.ndarray:
        """The prediction and the picture beside it, uint8 (H, W, 3)."""
        look = self.look()
        return raster.beside(views.prediction(look), views.picture(look, self.method.value), gap=24)

    def _choose_network(self) -> None:
        name = self.network.value
        if self.silent or not self._is_loaded(name):
            return
        self.shown = name
        network, about, faces, _ = self.loaded[name]
        several = len(about["classes"]) > 1
        classes = []
        for target, names in about["classes"].items():
            for i, label in enumerate(names):
                classes.append((f"{target}: {label}" if several else label, (target, i)))
        self.silent = True
        self.layer.options = list(explain.layers(network))
        self.label.options = [(PREDICTED, PREDICTED), *classes]
        self.face.max = len(faces) - 1
        self.silent = False
        self._choose_layer()
        self._draw_prediction()

    def _is_loaded(self, name: str) -> bool:
        """Load a network and its faces when it is first chosen; where that fails say why and go back
        to the one before."""
        if name in self.loaded:
            return True
        self._end_work("loading ...")
        try:
            network, about = self.load(name)
            explain.layers(network)  # refuses a network that cannot be looked into
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
        for control, use in ((self.layer, "layer"), (self.channel, "channel"), (self.label, "class")):
            control.disabled = use not in view.uses  # the face is always free: the prediction shows it
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
