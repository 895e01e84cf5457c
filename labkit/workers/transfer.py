"""Where a network begins that is not drawn at random: with the trunk of another that has learnt before."""

import hashlib
from pathlib import Path

import numpy as np

from labkit import models

IMAGENET = "imagenet"


def identity(start: str) -> str:
    """What stands for the weights of `start`: ImageNet's never change, a published network's may.

    Raises:
        ValueError: for a name that is not published.
    """
    return IMAGENET if start == IMAGENET else hashlib.sha256(_published(start).read_bytes()).hexdigest()


def _published(start: str) -> Path:
    names = sorted(path.stem for path in models.WEIGHTS.glob("*.pt"))
    if start not in names:
        raise ValueError(f"start: '{start}', expected {IMAGENET} or one of {', '.join(names)}")
    return models.WEIGHTS / f"{start}.pt"


def has_imagenet(architecture: str, data_dir: str | Path = "data") -> bool:
    """Whether ImageNet's weights for the trunk of an architecture are here."""
    return models.pretrained.file_of(models.find(architecture).blocks, data_dir) is not None


def begin(model, start: str, data_dir: str | Path = "data") -> None:
    """Give `model` the trunk of a published network, or ImageNet's.

    Raises:
        FileNotFoundError: where ImageNet's weights are not here.
        ValueError: for a name that is not published, and where the two trunks are not of one kind.
    """
    if start == IMAGENET:
        models.pretrained.put(model, model.description["net"]["blocks"], data_dir)
    else:
        take_trunk(model, models.load(_published(start))[0])


def take_trunk(model, first) -> None:
    """Copy the trunk of the network `first`, and the mean and deviation that it was made for."""
    theirs, own = (f"{n.description['net']['blocks']}, {len(n.mean)} channels" for n in (first, model))
    if theirs != own:
        raise ValueError(f"start: its trunk is '{theirs}', that of the model '{own}': not the same")
    model.features.load_state_dict(first.features.state_dict())
    model.mean, model.deviation = first.mean.clone(), first.deviation.clone()


def signatures(start: str) -> np.ndarray:
    """`splits.signatures` of the pictures of faces that `start` learnt from, int8 (N, 16); ImageNet's
    photographs are not counted among them."""
    if start == IMAGENET:
        return np.empty((0, 16), np.int8)
    return models.load(_published(start))[1]["trained_on"].numpy()
