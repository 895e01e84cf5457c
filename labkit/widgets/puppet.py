"""The action unit puppet: fifteen sliders and a row of emotions move a built-in face. Used in notebook 00."""

import ipywidgets as widgets

from labkit import synthetic


def picture(identity, action_units: dict[str, float], size: int = 256) -> bytes:
    """The puppet's face with these intensities (0..1), as the bytes of a PNG file."""
    import cv2

    face = synthetic.draw(synthetic.FaceParameters(identity=identity, action_units=action_units), size)
    return cv2.imencode(".png", face[:, :, ::-1])[1].tobytes()


def puppet(identity=None, size: int = 256) -> widgets.HBox:
    """A face with one slider an action unit and one button an emotion; `identity`: whose face, by default a plain one.

    A button shows the whole prototype, with the units that are drawn but have no slider (wide eyes, wrinkled nose ...)."""
    identity = identity or synthetic.Identity()
    sliders = {
        name: widgets.FloatSlider(description=name, max=1.0, step=0.05, tooltip=meaning, layout={"width": "300px"})
        for name, meaning in synthetic.ACTION_UNITS.items()
    }
    image = widgets.Image(value=picture(identity, {}, size), width=size, height=size)
    without_slider: dict[str, float] = {}
    setting = False  # while a button sets all sliders: draw once, not fifteen times

    def draw(_=None):
        if not setting:
            units = {name: slider.value for name, slider in sliders.items()}
            image.value = picture(identity, units | without_slider, size)

    def show(button):
        nonlocal without_slider, setting
        prototype = synthetic.PROTOTYPES[button.description][0]
        without_slider = {name: amount for name, amount in prototype.items() if name not in sliders}
        setting = True
        for name, slider in sliders.items():
            slider.value = prototype.get(name, 0.0)
        setting = False
        draw()

    buttons = [widgets.Button(description=emotion, layout={"width": "90px"}) for emotion in synthetic.EMOTIONS]
    for slider in sliders.values():
        slider.observe(draw, "value")
    for button in buttons:
        button.on_click(show)
    left = [image, widgets.Box(buttons, layout={"flex_flow": "row wrap", "width": f"{size + 120}px"})]
    return widgets.HBox([widgets.VBox(left), widgets.VBox(list(sliders.values()))])
