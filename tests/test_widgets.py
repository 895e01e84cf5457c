"""The widgets without a browser: what their controls do to their pictures."""

import cv2
import ipywidgets
import numpy as np
import pytest

from labkit import synthetic
from labkit.widgets import puppet


def decode(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


@pytest.fixture
def parts():
    widget = puppet.puppet(size=64)
    left, right = widget.children
    image, buttons = left.children
    return image, {b.description: b for b in buttons.children}, {s.description: s for s in right.children}


def test_a_slider_draws_the_face_with_that_action_unit(parts):
    image, _, sliders = parts
    assert list(sliders) == list(synthetic.ACTION_UNITS) and all(isinstance(s, ipywidgets.FloatSlider) for s in sliders.values())
    sliders["AU12"].value = 0.8
    expected = synthetic.draw(synthetic.FaceParameters(action_units={"AU12": 0.8}), 64)
    assert np.array_equal(decode(image.value), expected)


@pytest.mark.parametrize("emotion", synthetic.EMOTIONS)
def test_a_button_draws_the_whole_prototype_once(parts, emotion):
    image, buttons, sliders = parts
    sliders["AU26"].value = 0.9
    changes = []
    image.observe(changes.append, "value")
    buttons[emotion].click()
    prototype = synthetic.PROTOTYPES[emotion][0]
    assert np.array_equal(decode(image.value), synthetic.draw(synthetic.FaceParameters(action_units=prototype), 64))
    assert len(changes) == 1
    assert {name: s.value for name, s in sliders.items() if s.value} == {n: a for n, a in prototype.items() if n in sliders}
