"""What a network looks at: maps of one image, the check whether a map has anything to do with the weights,
and covered regions.

A map says for each pixel how much it matters for one class's score, the logit before the softmax. The methods
are those of Captum (Kokhlikyan and others 2020). Taught in notebook 07, which writes the gradient out and
asserts that it is the same.

Each of `METHODS` takes a network (`models.FaceNet`), images float32 (N, C, H, W) in 0..1 as
`explain.to_input` gives them, and the target and class whose score is explained; it returns a map for each
image, float (N, H, W). `layer` means something to Grad-CAM alone. `tick` is told the share that is done,
0..1, and may raise to stop.
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

# Where the parts of a face lie in the lab's crops, as shares of its side: top, left, bottom, right. The eyes'
# place is that of `labkit.detect`; the others were set by eye on drawn faces.
REGIONS = {
    "forehead": (0.06, 0.20, 0.24, 0.80),
    "brows": (0.22, 0.16, 0.33, 0.84),
    "eyes": (0.32, 0.16, 0.46, 0.84),
    "nose": (0.46, 0.34, 0.64, 0.66),
    "mouth": (0.64, 0.24, 0.84, 0.76),
    "chin": (0.84, 0.26, 1.00, 0.74),
}


class _Scores(nn.Module):
    """The logits of one target, as Captum wants them; tells `tick` how many of the `expected` forward
    passes are done."""

    def __init__(self, model, target: str, tick: Tick, expected: int = 1):
        super().__init__()
        self.model, self.target, self.tick, self.expected, self.done = model, target, tick, expected, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.model(images)[self.target]
        self.done += 1
        self.tick(min(1.0, self.done / self.expected))
        return logits


def gradient(model, images, target, label, layer="", tick=no_tick) -> torch.Tensor:
    """|d score / d pixel|, the largest of the colours.

    Source:
        Simonyan, Vedaldi and Zisserman 2014.
    """
    from captum.attr import Saliency

    return Saliency(_Scores(model, target, tick)).attribute(images.requires_grad_(), target=label).amax(1)


def grad_cam(model, images, target, label, layer="", tick=no_tick) -> torch.Tensor:
    """The activation of `layer`, by default the last, its channels weighted with the score's mean gradient on
    them and summed, negative sums cut off. Enlarged to the image.

    Source:
        Selvaraju and others 2017.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    last = explain.up_to(model, layer or list(explain.layers(model))[-1])[-1]
    method = LayerGradCam(_Scores(model, target, tick), last)
    coarse = method.attribute(images, target=label, relu_attributions=True)
    return LayerAttribution.interpolate(coarse, tuple(images.shape[2:]), "bilinear")[:, 0].detach()


def integrated_gradients(model, images, target, label, layer="", tick=no_tick) -> torch.Tensor:
    """The gradient's mean along the straight way from an image of one colour, the picture's mean, times what
    each pixel changes on that way, summed over the colours. All pixels together give the difference in score.

    Source:
        Sundararajan, Taly and Yan 2017.
    """
    from captum.attr import IntegratedGradients

    batch = 8
    flat = images.mean((2, 3), keepdim=True).expand_as(images)
    method = IntegratedGradients(_Scores(model, target, tick, STEPS // batch + 2))
    found = method.attribute(images, flat, target=label, n_steps=STEPS, internal_batch_size=batch)
    return found.sum(1).float()


def occlusion(model, images, target, label, layer="", tick=no_tick) -> torch.Tensor:
    """How much the score falls while a square of the picture's mean colour, a sixth of the side, covers the
    pixel; squares move by half of their side, and a pixel has the mean of those that covered it.

    Source:
        Zeiler and Fergus 2014.
    """
    from captum.attr import Occlusion

    channels, size = images.shape[1], images.shape[2]
    window, batch = max(2, size // 6), 32
    stride = window // 2
    places = math.ceil((size - window) / stride + 1) ** 2
    method = Occlusion(_Scores(model, target, tick, 1 + math.ceil(places / batch)))
    options = {"sliding_window_shapes": (channels, window, window), "strides": (channels, stride, stride)}
    options |= {"baselines": images.mean((2, 3), keepdim=True), "perturbations_per_eval": batch}
    with torch.no_grad():
        found = method.attribute(images, target=label, **options)
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
    """How much each pixel of an image matters for the score of a class.

    Args:
        model: `models.FaceNet`; is left in evaluation mode.
        image: uint8 (H, W, C), in the network's size and colours.
        method: one of `METHODS`.
        target: one of the network's.
        label: index of the class of that target.
        layer: of Grad-CAM; "" = the last.
        tick: told the share that is done, 0..1; may raise to stop.

    Returns:
        float32 (H, W); 0 or more, but for the methods in `SIGNED`: there above 0 for the class, below 0
        against it.

    Raises:
        ValueError: for a method, target, class or layer that does not exist.
    """
    if method not in METHODS:
        raise ValueError(f"method '{method}': expected one of {', '.join(METHODS)}")
    if target not in model.heads:
        raise ValueError(f"target '{target}': expected one of {', '.join(model.heads)}")
    if not 0 <= label < model.heads[target].out_features:
        raise ValueError(f"class {label} of {target}: expected 0 to {model.heads[target].out_features - 1}")
    model.eval()
    maps = METHODS[method](model, explain.to_input(model, image[None]), target, label, layer, tick)
    return maps[0].detach().cpu().numpy().astype(np.float32)


def randomised(model, seed: int = 0) -> dict[str, nn.Module]:
    """The network, and copies of it whose weights are made random from the output on.

    Returns:
        "trained", "heads", "conv6", "conv5", ... -> a network; each has new weights from the output down to
        that layer.

    Source:
        Adebayo and others 2018.
    """
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
    """Spearman's rank correlation of the amounts in two maps, -1..1; 0 where one of them is constant.

    Example:
        >>> round(similarity(np.array([0.1, 0.2, 0.3]), np.array([-10, 20, -30])), 6)
        1.0
    """
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(np.abs(a).ravel(), np.abs(b).ravel()).statistic)


def cover(image: np.ndarray, region: tuple[float, float, float, float]) -> np.ndarray:
    """A copy of an image with one region in the image's mean colour.

    Args:
        image: uint8 (H, W, C).
        region: top, left, bottom, right as shares of the side, 0..1, such as one of `REGIONS`.

    Returns:
        uint8 (H, W, C).
    """
    height, width = image.shape[:2]
    sides = (height, width, height, width)
    top, left, bottom, right = (round(share * side) for share, side in zip(region, sides))
    covered = image.copy()
    covered[top:bottom, left:right] = image.mean((0, 1)).round().astype(np.uint8)
    return covered
