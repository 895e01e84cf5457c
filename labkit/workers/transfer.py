"""Where a network begins that is not drawn at random: with the trunk of another that has learnt before."""

import hashlib
from pathlib import Path

import numpy as np

from labkit import models

IMAGENET = "imagenet"


def identity(start: str) -> str:
    """What stands for the weights of `start`: ImageNet's never change, a published network's may.

    Raises:
        FileNotFoundError: for a name that is not published; it says which are.
    """
    if start == IMAGENET:
        return IMAGENET
    models.load(start)
    return hashlib.sha256((models.WEIGHTS / f"{start}.pt").read_bytes()).hexdigest()


def has_imagenet(architecture: str, data_dir: str | Path = "data") -> bool:
    """Whether ImageNet's weights for the trunk of an architecture are here."""
    return models.pretrained.file_of(models.find(architecture).blocks, data_dir) is not None


def begin(model, start: str, data_dir: str | Path = "data") -> None:
    """Give `model` the trunk of a published network, or ImageNet's.

    Raises:
        FileNotFoundError: for a name that is not published, and where ImageNet's weights are not here.
        ValueError: where the two trunks are not of one kind.
    """
    if start == IMAGENET:
        models.pretrained.put(model, model.description["net"]["blocks"], data_dir)
    else:
        take_trunk(model, models.load(start)[0])


def take_trunk(model, first) -> None:
    """Copy the trunk of the network `first`, and the mean and deviation that it was made for."""
    theirs, own = (network.description["net"]["blocks"] for network in (first, model))
    if theirs != own:
        raise ValueError(f"start: its trunk is '{theirs}', that of the model '{own}': not the same")
    model.features.load_state_dict(first.features.state_dict())
    if len(first.mean) == len(model.mean):
        model.mean, model.deviation = first.mean.clone(), first.deviation.clone()


def signatures(start: str) -> np.ndarray:
    """`splits.signatures` of the pictures of faces that `start` learnt from, int8 (N, 16); ImageNet's
    photographs are not counted among them."""
    return models.load(start)[1]["trained_on"].numpy() if start != IMAGENET else np.empty((0, 16), np.int8)
