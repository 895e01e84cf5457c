"""The drawings that explain one idea show the right numbers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labkit import figures


def test_the_map_below_a_kernel_is_its_convolution():
    rng = np.random.default_rng(0)
    image, kernel = rng.random((6, 5)), rng.normal(size=(3, 3))
    figure = figures.moving_kernel(image, kernel, shares=(0.0, 0.5, 1.0))
    maps = [ax.images[0].get_array() for ax in figure.axes[3:]]
    right = F.conv2d(torch.tensor(image)[None, None], torch.tensor(kernel)[None, None], padding=1)[0, 0]
    assert np.allclose(maps[2], right)
    assert [int(np.isfinite(np.ma.filled(one, np.nan)).sum()) for one in maps] == [1, 15, 30]
    assert figure.axes[3].get_title().replace("−", "-").startswith(f"{right[0, 0]:+.2f} in row 1, column 1")
    square = figure.axes[2].patches[-1]
    assert square.get_xy() == pytest.approx((4 - 0.5, 5 - 0.5))  # the last place, seen with the margin


def test_a_graph_shows_each_number_and_its_gradient():
    nodes = {"w": (0, 0, 3, 4), "z": (1, 0, -1, 2)}
    figure = figures.graph(nodes, [("w", "z", "x = 2")])
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"w = 3", "∂L/∂w = 4", "z = −1", "∂L/∂z = 2", "← · x = 2"} <= texts
