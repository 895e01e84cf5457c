"""What a network has learnt: its filters, its activations, and what excites a channel. What it looks at is in `labkit.saliency`.

Plain functions of a network (`models.FaceNet`) and of images as a `FaceSet` holds them, uint8 (N, H, W, C). A layer is a
convolution, named `conv1`, `conv2`, ... from the input on; its activation is what comes out behind its normalisation and its
ReLU, before any pooling. A slow function takes `tick`, which is told the share that is done (0..1) and may raise to stop it.
Taught in notebook 07.
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
    """name -> convolution, from the input on."""
    convolutions = [module for module in model.features if isinstance(module, nn.Conv2d)]
    return {f"conv{i}": module for i, module in enumerate(convolutions, 1)}


def convolution(model, layer: str) -> nn.Conv2d:
    """The convolution of this name. Raises ValueError for a name that the network does not have."""
    if layer not in layers(model):
        raise ValueError(f"layer '{layer}': expected one of {', '.join(layers(model))}")
    return layers(model)[layer]


def check_channel(model, layer: str, channel: int) -> None:
    """Raise ValueError for a channel that the layer does not have."""
    channels = convolution(model, layer).out_channels
    if not 0 <= channel < channels:
        raise ValueError(f"channel {channel} of {layer}: expected 0 to {channels - 1}")


def up_to(model, layer: str, activated: bool = True) -> nn.Sequential:
    """The modules from the input to the activation of `layer`; where not `activated`, to what enters its ReLU."""
    modules = list(model.features)
    end = modules.index(convolution(model, layer)) + 1
    stops = (nn.Conv2d, nn.MaxPool2d) if activated else (nn.Conv2d, nn.MaxPool2d, nn.ReLU, nn.LeakyReLU)
    while end < len(modules) and not isinstance(modules[end], stops):
        end += 1
    return nn.Sequential(*modules[:end])


def to_input(model, images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, C) -> float32 (N, C, H, W) in 0..1, on the network's device: what `model(...)` takes."""
    return training.to_batch(torch.from_numpy(np.ascontiguousarray(images)).to(model.mean.device))


def scaled(model, images: torch.Tensor) -> torch.Tensor:
    """Images in 0..1 as the first convolution takes them: without the training images' mean, divided by their deviation."""
    return (images - model.mean[:, None, None]) / model.deviation[:, None, None]


def untrained(model, seed: int = 0):
    """A network of the same design with new weights: those that `models.build` draws from `seed`, which is where a training
    with that seed began."""
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
    """float32 (N, channels, h, w): the activation of `layer` for images uint8 (N, H, W, C)."""
    model.eval()
    return up_to(model, layer)(scaled(model, to_input(model, images))).float().cpu().numpy()


def receptive_field(model, layer: str) -> tuple[int, int, int]:
    """(size, step, offset) in pixels of the image: place i of the layer's map sees `size` pixels from `offset + i * step` on."""
    size, step, offset = 1, 1, 0
    for module in up_to(model, layer):
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            kernel, stride, padding = (v[0] if isinstance(v, tuple) else v for v in (module.kernel_size, module.stride, module.padding))
            size, offset, step = size + (kernel - 1) * step, offset - padding * step, step * stride
    return size, step, offset


def peaks(model, images: np.ndarray, layer: str, batch: int = 64, tick: Tick = no_tick) -> tuple[np.ndarray, np.ndarray]:
    """Where each channel of `layer` is excited most in each image: (values float32 (N, channels), rows and columns of the map
    int64 (N, channels, 2)). One pass over the images serves all channels."""
    values, places = [], []
    for start in range(0, len(images), batch):
        maps = activations(model, images[start : start + batch], layer)
        flat = maps.reshape(*maps.shape[:2], -1)
        values.append(flat.max(2))
        places.append(np.stack(np.divmod(flat.argmax(2), maps.shape[-1]), -1))
        tick(min(1.0, (start + batch) / len(images)))
    return np.concatenate(values), np.concatenate(places)


def strongest(model, images: np.ndarray, layer: str, channel: int, n: int = 12, found=None) -> list[dict]:
    """The `n` images that excite `channel` of `layer` most, at one place each: `index`, `value`, and the patch that this place
    sees, `top, left, bottom, right` within the image. found: what `peaks` gave for these images and this layer."""
    check_channel(model, layer, channel)
    values, places = found or peaks(model, images, layer)
    size, step, offset = receptive_field(model, layer)
    height, width = images.shape[1:3]
    rows = []
    for i in np.argsort(-values[:, channel], kind="stable")[:n]:
        top, left = (offset + step * int(place) for place in places[i, channel])
        patch = {"top": max(top, 0), "left": max(left, 0), "bottom": min(top + size, height), "right": min(left + size, width)}
        rows.append({"index": int(i), "value": float(values[i, channel])} | patch)
    return rows


def excite(model, layer: str, channels: list[int], size: int, steps: int = 96, seed: int = 0, tick: Tick = no_tick) -> np.ndarray:
    """Images made to excite one channel each, on average over its map: uint8 (len(channels), size, size, C).

    Gradient ascent from noise on what enters the channel's ReLU. An image is held as its Fourier coefficients, the high
    frequencies small (after Olah, Mordvintsev and Schubert 2017), and moved about a little at every step: without both, a
    network is excited by noise that looks like nothing. Its contrast is fixed, since more of everything excites most."""
    for channel in channels:
        check_channel(model, layer, channel)
    model.eval()
    device, colours = model.mean.device, model.description["in_channels"]
    part = up_to(model, layer, activated=False)
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    weight = (1 / torch.sqrt(rows**2 + columns**2).clamp(min=1 / size)).to(device)
    coefficients = torch.randn((len(channels), colours, *weight.shape, 2), generator=generator)
    coefficients = coefficients.to(device).requires_grad_()
    shifts = torch.randint(-2, 3, (steps, 2), generator=generator).tolist()
    picked = torch.arange(len(channels)), torch.tensor(channels)
    optimizer = torch.optim.Adam([coefficients], 0.05)

    def images():
        waves = torch.fft.irfft2(torch.view_as_complex(coefficients) * weight, (size, size), norm="ortho")
        return (1.5 * waves / waves.square().mean((1, 2, 3), keepdim=True).sqrt()).sigmoid()

    for i, shift in enumerate(shifts):
        maps = part(scaled(model, images().roll(shift, (2, 3))))
        loss = -maps[picked].mean()
        (coefficients.grad,) = torch.autograd.grad(loss, coefficients)  # not backward(): the weights' own gradients stay untouched
        optimizer.step()
        tick((i + 1) / steps)
    return (images().detach() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
