"""What a network has learnt: its filters, its activations, and what excites a channel. What it looks at is in
`labkit.saliency`.

Plain functions of a network (`models.FaceNet`) and of images as a `FaceSet` holds them, uint8 (N, H, W, C). A
layer is a convolution, named `conv1`, `conv2`, ... from the input on; its activation is what comes out behind
its normalisation and its ReLU, before any pooling. A slow function takes `tick`, which is told the share that
is done (0..1) and may raise to stop it. Taught in notebook 07.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from labkit import models, training

Tick = Callable[[float], None]


def no_tick(done: float) -> None:
    """For those who do not want to know."""


def layers(model) -> dict[str, nn.Conv2d]:
    """The convolutions by their names, from the input on.

    Raises:
        ValueError: for a network whose trunk is no plain list of layers, as those of `models.TRUNKS` are not.
    """
    modules = model.features if isinstance(model.features, nn.Sequential) else []
    convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
    if not convolutions:
        trunk = model.description["net"]["blocks"]
        raise ValueError(
            f"the trunk '{trunk}' is no plain list of layers; labkit looks into blocks and layers only"
        )
    return {f"conv{i}": module for i, module in enumerate(convolutions, 1)}


def convolution(model, layer: str) -> nn.Conv2d:
    """The convolution of this name.

    Raises:
        ValueError: for a name that the network does not have.
    """
    if layer not in layers(model):
        raise ValueError(f"layer '{layer}': expected one of {', '.join(layers(model))}")
    return layers(model)[layer]


def check_channel(model, layer: str, channel: int) -> None:
    """Refuse a channel that the layer does not have.

    Raises:
        ValueError: for such a channel, or a layer that the network does not have.
    """
    channels = convolution(model, layer).out_channels
    if not 0 <= channel < channels:
        raise ValueError(f"channel {channel} of {layer}: expected 0 to {channels - 1}")


def up_to(model, layer: str, activated: bool = True) -> nn.Sequential:
    """The modules from the input to the activation of a layer.

    Args:
        model: `models.FaceNet`.
        layer: name of a convolution.
        activated: False = stop before its ReLU, at what enters it.

    Raises:
        ValueError: for a layer that the network does not have.
    """
    modules = list(model.features)
    end = modules.index(convolution(model, layer)) + 1
    stops = (nn.Conv2d, nn.MaxPool2d) if activated else (nn.Conv2d, nn.MaxPool2d, nn.ReLU, nn.LeakyReLU)
    while end < len(modules) and not isinstance(modules[end], stops):
        end += 1
    return nn.Sequential(*modules[:end])


def to_input(model, images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, C) -> float32 (N, C, H, W) in 0..1 on the network's device: what `model(...)` takes."""
    return training.to_batch(torch.from_numpy(np.ascontiguousarray(images)).to(model.mean.device))


def scaled(model, images: torch.Tensor) -> torch.Tensor:
    """Images in 0..1 as the first convolution takes them, see `FaceNet.normalised`."""
    return model.normalised(images)


def untrained(model, seed: int = 0):
    """A network of the same design with new weights: those that `models.build` draws from `seed`, which is
    where a training with that seed began."""
    description = model.description
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        options = description["in_channels"], description["outputs"], tuple(description["multilabel"])
        new = models.FaceNet(models.Net(**description["net"]), *options)
    new.mean.copy_(model.mean)
    new.deviation.copy_(model.deviation)
    return new.to(model.mean.device).eval()


def filters(model, layer: str) -> np.ndarray:
    """The learnt weights of a layer: float32 (channels out, channels in, k, k)."""
    return convolution(model, layer).weight.detach().float().cpu().numpy()


def by_norm(weights: np.ndarray) -> np.ndarray:
    """Indices of the filters, (channels out,), the one with the largest Euclidean norm first."""
    return np.argsort(-np.sqrt((weights**2).sum((1, 2, 3))), kind="stable")


@torch.no_grad()
def activations(model, images: np.ndarray, layer: str) -> np.ndarray:
    """The activation of a layer.

    Args:
        model: `models.FaceNet`; is left in evaluation mode.
        images: uint8 (N, H, W, C).
        layer: name of a convolution.

    Returns:
        float32 (N, channels, h, w), one map a channel.
    """
    model.eval()
    return up_to(model, layer)(scaled(model, to_input(model, images))).float().cpu().numpy()


def receptive_field(model, layer: str) -> tuple[int, int, int]:
    """Which pixels of the image a place of a layer's map sees, along either side.

    Returns:
        (size, step, offset) in pixels: place i sees `size` pixels from `offset + i * step` on.
    """
    size, step, offset = 1, 1, 0
    for module in up_to(model, layer):
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            kernel, stride, padding = map(_one_side, (module.kernel_size, module.stride, module.padding))
            size, offset, step = size + (kernel - 1) * step, offset - padding * step, step * stride
    return size, step, offset


def _one_side(value: int | tuple[int, int]) -> int:
    return value[0] if isinstance(value, tuple) else value


def peaks(
    model, images: np.ndarray, layer: str, batch: int = 64, tick: Tick = no_tick
) -> tuple[np.ndarray, np.ndarray]:
    """Where each channel of a layer is excited most in each image; one pass serves all channels.

    Args:
        model: `models.FaceNet`.
        images: uint8 (N, H, W, C).
        layer: name of a convolution.
        batch: images at a time.
        tick: told the share that is done, 0..1; may raise to stop.

    Returns:
        (values, places): the largest activations, float32 (N, channels), and the row and column of the map
            where
        each is, int64 (N, channels, 2).
    """
    values, places = [], []
    for start in range(0, len(images), batch):
        maps = activations(model, images[start : start + batch], layer)
        flat = maps.reshape(*maps.shape[:2], -1)
        values.append(flat.max(2))
        places.append(np.stack(np.divmod(flat.argmax(2), maps.shape[-1]), -1))
        tick(min(1.0, (start + batch) / len(images)))
    return np.concatenate(values), np.concatenate(places)


def strongest(model, images: np.ndarray, layer: str, channel: int, n: int = 12, found=None) -> list[dict]:
    """The images that excite a channel most, at one place each.

    Args:
        model: `models.FaceNet`.
        images: uint8 (N, H, W, C).
        layer: name of a convolution.
        channel: of that layer, from 0.
        n: how many images, at most.
        found: what `peaks` gave for these images and this layer; None = look for it now.

    Returns:
        A dict an image, the strongest first: `index`, `value`, and the patch that this place sees,
        `top, left, bottom, right` within the image.

    Raises:
        ValueError: for a layer or channel that does not exist.
    """
    check_channel(model, layer, channel)
    values, places = found or peaks(model, images, layer)
    size, step, offset = receptive_field(model, layer)
    height, width = images.shape[1:3]
    rows = []
    for i in np.argsort(-values[:, channel], kind="stable")[:n]:
        top, left = (offset + step * int(place) for place in places[i, channel])
        row = {"index": int(i), "value": float(values[i, channel])}
        row |= {"top": max(top, 0), "left": max(left, 0)}
        row |= {"bottom": min(top + size, height), "right": min(left + size, width)}
        rows.append(row)
    return rows


def excite(
    model, layer: str, channels: list[int], size: int, steps: int = 96, seed: int = 0, tick: Tick = no_tick
) -> np.ndarray:
    """Images made to excite one channel each, on average over its map.

    Gradient ascent from noise on what enters the channel's ReLU. An image is held as its Fourier
    coefficients, the high frequencies small, and moved about a little at every step: without both, a network
    is excited by noise that looks like nothing. Its contrast is fixed, since more of everything excites most.

    Args:
        model: `models.FaceNet`; its own gradients stay as they are.
        layer: name of a convolution.
        channels: of that layer, one an image; a channel may stand twice, for two kinds of noise.
        size: side of the images in pixels.
        steps: of the ascent.
        seed: of the noise.
        tick: told the share that is done, 0..1; may raise to stop.

    Returns:
        uint8 (len(channels), size, size, C).

    Raises:
        ValueError: for a layer or channel that does not exist.

    Source:
        Olah, Mordvintsev and Schubert 2017.
    """
    for channel in channels:
        check_channel(model, layer, channel)
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    weight = _frequency_weights(size).to(model.mean.device)
    shape = (len(channels), model.description["in_channels"], *weight.shape, 2)
    coefficients = torch.randn(shape, generator=generator).to(model.mean.device).requires_grad_()
    shifts = torch.randint(-2, 3, (steps, 2), generator=generator).tolist()
    part = up_to(model, layer, activated=False)
    picked = torch.arange(len(channels)), torch.tensor(channels)
    optimizer = torch.optim.Adam([coefficients], 0.05)

    def images():
        waves = torch.fft.irfft2(torch.view_as_complex(coefficients) * weight, (size, size), norm="ortho")
        return (1.5 * waves / waves.square().mean((1, 2, 3), keepdim=True).sqrt()).sigmoid()

    for i, shift in enumerate(shifts):
        maps = part(scaled(model, images().roll(shift, (2, 3))))
        loss = -maps[picked].mean()
        # Not backward(): the weights' own gradients stay untouched.
        (coefficients.grad,) = torch.autograd.grad(loss, coefficients)
        optimizer.step()
        tick((i + 1) / steps)
    return (images().detach() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def _frequency_weights(size: int) -> torch.Tensor:
    """1 / frequency of each Fourier coefficient of a square image, float32 (size, size // 2 + 1)."""
    rows, columns = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    return 1 / torch.sqrt(rows**2 + columns**2).clamp(min=1 / size)
