"""Convolutions that neither notation writes: any module, by its name."""

import torch
from torch import nn


class Colour(nn.Module):
    """Grey maps (B, 1, H, W) as three equal channels, for a trunk that was made for colour."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.expand(-1, 3, -1, -1)


def _torchvision(name: str):
    """The convolutions of a network of torchvision, with random weights."""

    def trunk(channels: int) -> nn.Module:
        from torchvision import models as networks  # two seconds to import

        convolutions = networks.get_model(name, weights=None).features
        return convolutions if channels == 3 else nn.Sequential(Colour(), convolutions)

    return trunk


# name -> a function of the images' channels that makes any module, float (B, C, H, W) -> maps (B, K, h, w)
TRUNKS = {name: _torchvision(name) for name in ("mobilenet_v2", "mobilenet_v3_small")}
