"""The action unit puppet: fifteen sliders and a row of emotions move a built-in face, others turn it and move
its lamp; beside it what networks say of it, live. Used in notebooks 00 and 07.
"""

import math
import threading

import ipywidgets as widgets
import numpy as np

from labkit import devices, raster, synthetic, views
from labkit.faces import FaceSet, resize
from labkit.synthetic import Identity
from labkit.widgets.still import Still, show

METHODS = ("Grad-CAM", "gradient")  # those that are fast enough for live pictures
SIZE = 256  # of the face, in pixels
WIDE, NARROW = {"description_width": "188px"}, {"description_width": "88px"}
SEEN = {  # argument of `face` -> label of its slider, least, most, step, what it is at first
    "turned": ("head right °", -40, 40, 5, 0),
    "bowed": ("head down °", -25, 25, 5, 0),
    "lamp_right": ("lamp right °", -90, 90, 5, -25),
    "lamp_up": ("lamp up °", -45, 90, 5, 30),
    "contrast": ("contrast", 0.0, 1.0, 0.1, 0.5),
}
PEOPLE = {
    "plain": Identity(),
    "woman, dark skin": Identity(
        masculine=0.05, ancestry=(0.9, 0.05, 0.05), skin=0.86, gloss=0.5, iris=(58, 38, 26),
        hair_colour="black", hair_style="long", brow_thickness=0.85, lip_colour=0.35, lashes=0.8, seed=1,
        features={"mouth-upperlip-volume": 0.4, "mouth-lowerlip-volume": 0.4, "cheek-bones": 0.3},
    ),
    "woman with scarf": Identity(
        masculine=0.1, age=0.1, ancestry=(0.1, 0.5, 0.4), skin=0.45, iris=(72, 46, 28), hair_top="scarf",
        hat_colour=(40, 90, 110), lip_colour=0.3, lashes=0.7, seed=6,
    ),
    "man, light skin": Identity(
        masculine=0.85, age=0.05, ancestry=(0.05, 0.05, 0.9), skin=0.12, freckles=0.7, iris=(105, 138, 165),
        hair_colour="blond", hair_style="short", lip_colour=0.0, lashes=0.1, seed=3,
    ),
    "man, medium skin": Identity(
        masculine=0.95, age=0.2, ancestry=(0.1, 0.3, 0.6), skin=0.5, iris=(66, 44, 28), hair_colour="black",
        hair_style="short", beard="stubble", brow_thickness=1.3, lip_colour=0.0, lashes=0.3, seed=2,
        features={"nose-hump": 0.4, "chin-width": 0.3},
    ),
    "old woman, light skin": Identity(
        masculine=0.1, age=0.85, weight=0.3, ancestry=(0.05, 0.1, 0.85), skin=0.18, wrinkles=0.7,
        iris=(86, 110, 130), hair_colour="grey", hair_style="fringe", glasses="round",
        frame_colour=(70, 40, 50), lip_colour=0.4, seed=4,
    ),
    "old man, dark skin": Identity(
        masculine=0.95, age=0.8, ancestry=(0.85, 0.05, 0.1), skin=0.8, wrinkles=0.65, iris=(60, 40, 28),
        hair_colour="grey", hair_style="receding", beard="full", brow_thickness=1.2, lip_colour=0.0,
        lashes=0.2, seed=5,
    ),
}  # fmt: skip


def face(
    identity,
    action_units: dict[str, float],
    size: int = SIZE,
    turned: float = 0,
    bowed: float = 0,
    lamp_right: float = -25,
    lamp_up: float = 30,
    contrast: float = 0.5,
) -> np.ndarray:
    """Draw the puppet.

    Args:
        identity: whose face, `synthetic.Identity`.
        action_units: name -> intensity, 0..1; the others are 0.
        size: side in pixels.
        turned, bowed: of the head, degrees, to the right of the picture and down.
        lamp_right, lamp_up: where the lamp stands, degrees from the front, -90..90.
        contrast: share of the light that comes from the lamp, 0..1.

    Returns:
        uint8 (size, size, 3).
    """
    right, up = math.radians(lamp_right), math.radians(lamp_up)
    parameters = synthetic.FaceParameters(
        identity=identity,
        action_units=action_units,
        yaw=math.radians(turned),
        pitch=math.radians(bowed),
        light=(math.sin(right) * math.cos(up), -math.sin(up)),
        contrast=contrast,
    )
    return synthetic.draw(parameters, size)


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
    """A face with a slider for each action unit, others for head and lamp, and a choice of people; beside it
    what networks say of it.

    A button shows an emotion's whole prototype, with the units that are drawn but have no slider (wide eyes,
    wrinkled nose ...).

    Args:
        networks: name -> (network, about) as `evaluation.load_network` gives them; None = the face alone.
        identity: whose face at first, `synthetic.Identity`; None = the first of `PEOPLE`.
    """

    def __init__(self, networks: dict | None = None, identity=None):
        self.networks = networks or {}
        self.people = PEOPLE if identity is None else {"given": identity} | PEOPLE
        self.without_slider: dict[str, float] = {}
        self.lock = threading.Lock()  # JupyterLab hands messages to several threads of the kernel
        self.silent = False  # while a button sets all sliders: draw once, not fifteen times
        self._make_controls()
        for control in (*self.sliders.values(), *self.seen.values(), self.person, self.method):
            control.observe(self.draw, "value")
        for button in self.buttons:
            button.on_click(lambda button: self.pose(button.description))
        buttons = widgets.Box(self.buttons, layout={"flex_flow": "row wrap", "width": "258px"})
        of_head = widgets.VBox([self.person, *self.seen.values()], layout={"margin": "8px 0 0 0"})
        parts = [widgets.VBox([self.face, buttons, of_head]), widgets.VBox(list(self.sliders.values()))]
        if self.networks:
            parts.append(widgets.VBox([self.method, self.live], layout={"max_width": "100%"}))
        super().__init__(parts, layout={"flex_flow": "row wrap", "grid_gap": "4px 10px"})
        self.draw()

    def _make_controls(self) -> None:
        narrow, as_wide_as_the_face = {"width": "80px"}, {"width": "258px"}
        self.sliders, self.seen = {}, {}
        for name, meaning in synthetic.ACTION_UNITS.items():
            self.sliders[name] = widgets.FloatSlider(
                description=f"{name} {meaning}", max=1.0, step=0.05, style=WIDE, layout={"width": "334px"}
            )
        for name, (label, least, most, step, value) in SEEN.items():
            kind = widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider
            options = {"description": label, "style": NARROW, "layout": as_wide_as_the_face}
            self.seen[name] = kind(value=value, min=least, max=most, step=step, **options)
        self.person = widgets.Dropdown(options=list(self.people), description="person")
        self.person.style.description_width, self.person.layout.width = "50px", "258px"
        self.buttons = [widgets.Button(description=emotion, layout=narrow) for emotion in synthetic.EMOTIONS]
        self.method = widgets.Dropdown(options=METHODS, description="looks at", layout={"width": "260px"})
        self.face = widgets.Image(width=SIZE, height=SIZE)
        self.live = widgets.Image(layout={"max_width": "100%", "margin": "0"})

    def action_units(self) -> dict[str, float]:
        """Intensity of each unit that is drawn: name -> 0..1."""
        return {name: slider.value for name, slider in self.sliders.items()} | self.without_slider

    def drawn(self) -> np.ndarray:
        """The face as the controls say, uint8 (SIZE, SIZE, 3)."""
        seen = {name: slider.value for name, slider in self.seen.items()}
        return face(self.people[self.person.value], self.action_units(), **seen)

    def draw(self, _=None) -> None:
        """Show the face as the sliders say, and what the networks say of it."""
        if self.silent:
            return
        with self.lock:  # the one who comes last draws what the sliders say last
            self._draw()

    def _draw(self) -> None:
        drawn = self.drawn()
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
        drawn = self.drawn()
        picture = raster.enlarged(drawn, raster.px(SIZE), smooth=True)
        if not self.networks:
            return picture
        return raster.beside(picture, reactions(drawn, self.networks, self.method.value))
