"""The action unit puppet: fifteen sliders and a row of emotions move a built-in face; beside it what networks
say of it, live. Used in notebooks 00 and 07.
"""

import threading

import ipywidgets as widgets
import numpy as np

from labkit import devices, raster, synthetic, views
from labkit.faces import FaceSet, resize
from labkit.widgets.still import Still, show

METHODS = ("Grad-CAM", "gradient")  # those that are fast enough for live pictures
SIZE = 256  # of the face, in pixels
WIDE = {"description_width": "188px"}


def face(identity, action_units: dict[str, float], size: int = SIZE) -> np.ndarray:
    """Draw the puppet.

    Args:
        identity: whose face, `synthetic.Identity`.
        action_units: name -> intensity, 0..1; the others are 0.
        size: side in pixels.

    Returns:
        uint8 (size, size, 3).
    """
    return synthetic.draw(synthetic.FaceParameters(identity=identity, action_units=action_units), size)


def reactions(face: np.ndarray, networks: dict, method: str = METHODS[0]) -> np.ndarray:
    """What each network says of a face, and what it looks at.

    Args:
        face: uint8 (H, W, 3).
        networks: name -> (network, about); each is given the face in the size and colours that it takes.
        method: one of `saliency.METHODS`.

    Returns:
        uint8 (H, W, 3), the networks below each other.
    """
    shown = []
    for network, about in networks.values():
        faces = FaceSet(resize(face, about["size"])[None])
        if about["channels"] != 3:
            faces = faces.grey()
        shown.append(views.reaction(views.Look(network, about, faces), method))
    return raster.below(*shown, gap=14)


class Puppet(Still, widgets.Box):
    """A face with a slider for each action unit; beside it what networks say of it.

    A button shows an emotion's whole prototype, with the units that are drawn but have no slider (wide eyes,
    wrinkled nose ...).

    Args:
        networks: name -> (network, about) as `evaluation.load_network` gives them; None = the face alone.
        identity: whose face, `synthetic.Identity`; None = a plain one.
    """

    def __init__(self, networks: dict | None = None, identity=None):
        self.networks, self.identity = networks or {}, identity or synthetic.Identity()
        self.without_slider: dict[str, float] = {}
        self.lock = threading.Lock()  # JupyterLab hands messages to several threads of the kernel
        self.silent = False  # while a button sets all sliders: draw once, not fifteen times
        self._make_controls()
        for control in (*self.sliders.values(), self.method):
            control.observe(self.draw, "value")
        for button in self.buttons:
            button.on_click(lambda button: self.pose(button.description))
        buttons = widgets.Box(self.buttons, layout={"flex_flow": "row wrap", "width": "258px"})
        parts = [widgets.VBox([self.face, buttons]), widgets.VBox(list(self.sliders.values()))]
        if self.networks:
            parts.append(widgets.VBox([self.method, self.live], layout={"max_width": "100%"}))
        super().__init__(parts, layout={"flex_flow": "row wrap", "grid_gap": "4px 10px"})
        self.draw()

    def _make_controls(self) -> None:
        self.sliders, narrow = {}, {"width": "80px"}
        for name, meaning in synthetic.ACTION_UNITS.items():
            self.sliders[name] = widgets.FloatSlider(
                description=f"{name} {meaning}", max=1.0, step=0.05, style=WIDE, layout={"width": "334px"}
            )
        self.buttons = [widgets.Button(description=emotion, layout=narrow) for emotion in synthetic.EMOTIONS]
        self.method = widgets.Dropdown(options=METHODS, description="looks at", layout={"width": "260px"})
        self.face = widgets.Image(width=SIZE, height=SIZE)
        self.live = widgets.Image(layout={"max_width": "100%", "margin": "0"})

    def action_units(self) -> dict[str, float]:
        """Intensity of each unit that is drawn: name -> 0..1."""
        return {name: slider.value for name, slider in self.sliders.items()} | self.without_slider

    def draw(self, _=None) -> None:
        """Show the face as the sliders say, and what the networks say of it."""
        if self.silent:
            return
        with self.lock:  # the one who comes last draws what the sliders say last
            self._draw()

    def _draw(self) -> None:
        drawn = face(self.identity, self.action_units())
        self.face.value = raster.png(drawn)
        if self.networks:
            with devices.one_thread():
                show(self.live, reactions(drawn, self.networks, self.method.value))

    def pose(self, emotion: str) -> None:
        """Set every slider to an emotion's prototype."""
        prototype = synthetic.PROTOTYPES[emotion][0]
        self.without_slider = {name: amount for name, amount in prototype.items() if name not in self.sliders}
        self.silent = True
        for name, slider in self.sliders.items():
            slider.value = prototype.get(name, 0.0)
        self.silent = False
        self.draw()

    def still(self) -> np.ndarray:
        """The face and what the networks say of it, uint8 (H, W, 3)."""
        drawn = face(self.identity, self.action_units())
        picture = raster.enlarged(drawn, raster.px(SIZE), smooth=True)
        if not self.networks:
            return picture
        return raster.beside(picture, reactions(drawn, self.networks, self.method.value))
