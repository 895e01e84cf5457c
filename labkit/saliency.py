"""What a network looks at: maps of one image, the check whether a map has anything to do with the weights, and covered regions.

A map says for each pixel how much it matters for one class's score, the logit before the softmax. The methods are those of
Captum (Kokhlikyan and others 2020). Taught in notebook 07, which writes the gradient out and asserts that it is the same.
"""

import copy
import math

import numpy as np
import torch
from torch import nn

from labkit import explain
from labkit.explain import Tick, no_tick

STEPS = 32  # on the way of integrated gradients
SIGNED = ("integrated gradients", "occlusion")  # their maps have two signs: for the class, and against it

# Where the parts of a face lie in the lab's crops, as shares of its side: top, left, bottom, right. The eyes' place is that of
# `labkit.detect`; the others were set by eye on drawn faces.
REGIONS = {
    "forehead": (0.06, 0.20, 0.24, 0.80),
    "brows": (0.22, 0.16, 0.33, 0.84),
    "eyes": (0.32, 0.16, 0.46, 0.84),
    "nose": (0.46, 0.34, 0.64, 0.66),
    "mouth": (0.64, 0.24, 0.84, 0.76),
    "chin": (0.84, 0.26, 1.00, 0.74),
}


class _Scores(nn.Module):
    """The logits of one target, as Captum wants them; tells `tick` how many of the `expected` forward passes are done."""

    def __init__(self, model, target: str, tick: Tick, expected: int = 1):
        super().__init__()
        self.model, self.target, self.tick, self.expected, self.done = model, target, tick, expected, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.model(images)[self.target]
        self.done += 1
        self.tick(min(1.0, self.done / self.expected))
        return logits


def gradient(model, images, target, label, layer="", tick=no_tick) -> torch.Tensor:
    """|d score / d pixel|, the largest of the colours (Simonyan, Vedaldi and Zisserman 2014)."""
    from captum.attr import Saliency

    return Saliency(_Scores(model, target, tick)).attribute(images.requires_grad_(), target=label).amax(1)


def grad_cam(model, images, target, label, layer="", tick=no_tick) -> torch.Tensor:
    """The activation of `layer`, by default the last, its channels weighted with the score's mean gradient on them and summed,
    negative sums cut off (Selvaraju and others 2017). Enlarged to the image."""
    from captum.attr import LayerAttribution, LayerGradCam

    last = explain.up_to(model, layer or list(explain.layers(model))[-1])[-1]
    coarse = LayerGradCam(_Scores(model, target, tick), last).attribute(
        images, target=label, relu_attributions=True
    )
    return LayerAttribution.interpolate(coarse, tuple(images.shape[2:]), "bilinear")[:, 0].detach()


def integrated_gradients(model, images, target, label, layer="", tick=no_tick) -> torch.Tensor:
    """The gradient's mean along the straight way from an image of one colour, the picture's mean, times what each pixel changes
    on that way, summed over the colours (Sundararajan, Taly and Yan 2017). All pixels together give the difference in score."""
    from captum.attr import IntegratedGradients

    batch = 8
    scores, flat = (
        _Scores(model, target, tick, STEPS // batch + 2),
        images.mean((2, 3), keepdim=True).expand_as(images),
    )
    found = IntegratedGradients(scores).attribute(
        images, flat, target=label, n_steps=STEPS, internal_batch_size=batch
    )
    return found.sum(1).float()


def occlusion(model, images, target, label, layer="", tick=no_tick) -> torch.Tensor:
    """How much the score falls while a square of the picture's mean colour, a sixth of the side, covers the pixel (Zeiler and
    Fergus 2014); squares move by half of their side, and a pixel has the mean of those that covered it."""
    from captum.attr import Occlusion

    channels, size = images.shape[1], images.shape[2]
    window, batch = max(2, size // 6), 32
    stride = window // 2
    places = math.ceil((size - window) / stride + 1) ** 2
    scores, flat = (
        _Scores(model, target, tick, 1 + math.ceil(places / batch)),
        images.mean((2, 3), keepdim=True),
    )
    options = {"sliding_window_shapes": (channels, window, window), "strides": (channels, stride, stride)}
    with torch.no_grad():
        found = Occlusion(scores).attribute(
            images, target=label, baselines=flat, perturbations_per_eval=batch, **options
        )
    return found.mean(1).float()


METHODS = {
    "gradient": gradient,
    "Grad-CAM": grad_cam,
    "integrated gradients": integrated_gradients,
    "occlusion": occlusion,
}


def saliency(
    model, image: np.ndarray, method: str, target: str, label: int, layer: str = "", tick: Tick = no_tick
) -> np.ndarray:
    """float32 (H, W): how much each pixel of `image`, uint8 (H, W, C), matters for the score of class `label` of `target`.

    method: one of `METHODS`; layer: of Grad-CAM, by default the last. Raises ValueError for a method, target, class or layer
    that does not exist."""
    if method not in METHODS:
        raise ValueError(f"method '{method}': expected one of {', '.join(METHODS)}")
    if target not in model.heads:
        raise ValueError(f"target '{target}': expected one of {', '.join(model.heads)}")
    if not 0 <= label < model.heads[target].out_features:
        raise ValueError(f"class {label} of {target}: expected 0 to {model.heads[target].out_features - 1}")
    model.eval()
    images = explain.to_input(model, image[None])
    return (
        METHODS[method](model, images, target, label, layer, tick)[0]
        .detach()
        .cpu()
        .numpy()
        .astype(np.float32)
    )


def randomised(model, seed: int = 0) -> dict[str, nn.Module]:
    """The network, and copies of it whose weights are made random from the output on: "trained", "heads", "conv6", "conv5", ...,
    each with new weights from the output down to that layer (after Adebayo and others 2018)."""
    new = explain.untrained(model, seed)
    steps, current = {"trained": model}, copy.deepcopy(model)
    current.heads, current.hidden = copy.deepcopy(new.heads), copy.deepcopy(new.hidden)
    steps["heads"] = copy.deepcopy(current)
    for name, layer in reversed(explain.layers(model).items()):
        start, end = list(model.features).index(layer), len(explain.up_to(model, name))
        for i in range(start, end):
            current.features[i] = copy.deepcopy(new.features[i])
        steps[name] = copy.deepcopy(current)
    return steps


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation of two maps, -1..1; 0 where one of them is constant."""
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(np.abs(a).ravel(), np.abs(b).ravel()).statistic)


def cover(image: np.ndarray, region: tuple[float, float, float, float]) -> np.ndarray:
    """A copy of an image, uint8 (H, W, C), with one region in the image's mean colour. region: top, left, bottom, right as
    shares of the side, such as one of `REGIONS`."""
    height, width = image.shape[:2]
    top, left, bottom, right = (
        round(share * side) for share, side in zip(region, (height, width, height, width))
    )
    covered = image.copy()
    covered[top:bottom, left:right] = image.mean((0, 1)).round().astype(np.uint8)
    return covered
