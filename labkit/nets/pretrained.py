"""Weights that learnt from ImageNet's 1.2 million photographs of a thousand kinds of things, for the trunks
of torchvision: its own files, found where they lie, or downloaded.

torchvision's code and files are under the BSD licence; ImageNet's photographs, which are not in them, are for
research alone.
"""

import hashlib
from pathlib import Path

import torch

from labkit.nets.trunks import Colour

# Trunk -> torchvision's file; what stands behind the dash is how the sha256 of its content begins.
FILES = {"mobilenet_v2": "mobilenet_v2-b0353104.pth", "mobilenet_v3_small": "mobilenet_v3_small-047dcff4.pth"}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, that its networks take


def file_of(trunk: str, data_dir: str | Path = "data") -> Path | None:
    """Where the file of a trunk lies: in `data_dir`/imagenet, or where torch keeps its downloads; else None.

    Raises:
        ValueError: for a trunk that has no such file.
    """
    if trunk not in FILES:
        raise ValueError(f"weights of ImageNet for '{trunk}': expected one of {', '.join(FILES)}")
    folders = (Path(data_dir) / "imagenet", Path(torch.hub.get_dir()) / "checkpoints")
    return next((folder / FILES[trunk] for folder in folders if (folder / FILES[trunk]).is_file()), None)


def fetch(trunk: str, data_dir: str | Path = "data") -> Path:
    """The file of a trunk, downloaded from torchvision's site where it lies nowhere yet.

    Raises:
        FileNotFoundError: where it lies nowhere and cannot be downloaded.
    """
    if file := file_of(trunk, data_dir):
        return file
    from torchvision import models as networks  # two seconds to import

    address = networks.get_model_weights(trunk)["IMAGENET1K_V1"].url
    folder = Path(data_dir) / "imagenet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(folder / FILES[trunk]), _beginning(trunk), progress=False)
    except (OSError, RuntimeError) as error:  # no network, or another file than was asked for
        raise FileNotFoundError(
            f"{FILES[trunk]} is neither in {folder} nor can it be had from {address} ({error}); "
            f"put it into {folder}"
        ) from None
    return folder / FILES[trunk]


def put(model, trunk: str, data_dir: str | Path = "data") -> None:
    """Give the trunk of `model` ImageNet's weights, and the model the mean and deviation that go with them,
    for grey images those of the three channels on average.

    Raises:
        FileNotFoundError: where they lie nowhere.
        ValueError: for a file that is not what torchvision gave out.
    """
    file = file_of(trunk, data_dir)
    if file is None:
        folder = Path(data_dir) / "imagenet"
        raise FileNotFoundError(f"{FILES[trunk]}: not in {folder}, nor among torch's downloads")
    if not hashlib.sha256(file.read_bytes()).hexdigest().startswith(_beginning(trunk)):
        raise ValueError(f"{file}: not torchvision's file, or damaged; get it again")
    weights = torch.load(file, map_location="cpu", weights_only=True)
    prefix = "features."
    of_trunk = {name[len(prefix) :]: v for name, v in weights.items() if name.startswith(prefix)}
    is_grey = isinstance(model.features[0], Colour)
    (model.features[1] if is_grey else model.features).load_state_dict(of_trunk)
    mean, deviation = torch.tensor(MEAN), torch.tensor(DEVIATION)
    model.mean.copy_(mean.mean() if is_grey else mean)
    model.deviation.copy_(deviation.mean() if is_grey else deviation)


def _beginning(trunk: str) -> str:
    """How the sha256 of its file begins."""
    return FILES[trunk].rsplit("-", 1)[1].removesuffix(".pth")
