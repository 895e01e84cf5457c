"""The networks: a block syntax, the architectures as one table, one builder.

Block syntax (smile lab): groups `NxS` from large to small, each meaning N convolution layers that take maps of S x S
pixels; the last layer of a group halves the size, those before it keep it. `1x64 2x32 2x16 1x8` is the base model: one
layer at 64x64, two at 32x32, two at 16x16, one at 8x8, then one fully connected layer on the 4x4 maps that remain.

The published report gives neither channels nor activation. Ours: 3x3 kernels, ReLU, and 16 channels on the two largest
sizes, then twice as many whenever the size halves (`CHANNELS`): 39,522 parameters for the base model, which two
processor cores train for 50 epochs in about a minute.
Taught in notebooks 02 (the base model as a plain list of layers) and 03 (the parser).
"""

import io
import re
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

WEIGHTS = Path(__file__).parent / "weights"  # the networks that the project publishes, each with its model card

CHANNELS = {64: 16, 32: 16, 16: 32, 8: 64, 4: 64}  # size of the map -> channels of the layers that take it


@dataclass(frozen=True)
class Net:
    """One architecture. `blocks`: the block syntax; `normalise`: batch normalisation before each activation;
    `width`: factor on `CHANNELS`; `dropout`: share of the features dropped before the head; `pool`: average each map to
    one number before the head, so that any image size fits."""

    blocks: str
    normalise: bool = False
    width: float = 1.0
    dropout: float = 0.0
    pool: bool = False


ARCHITECTURES = {
    "smile-base": Net("1x64 2x32 2x16 1x8"),
    "smile-final": Net("1x64 1x32 2x16 2x8", normalise=True, width=2, dropout=0.2, pool=True),
    "tiny": Net("1x64 1x32 1x16 1x8", width=0.25),
}


def parse_blocks(blocks: str) -> list[tuple[int, int]]:
    """`"1x64 2x32"` -> `[(1, 64), (2, 32)]`: layers and size of each group.

    Raises ValueError where a block is not `NxS`, or a size is not half of the one before it.
    """
    groups = []
    for position, block in enumerate(blocks.split(), 1):
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", block)
        where = f"block {position} of '{blocks}'"
        if not match:
            raise ValueError(f"{where}: expected NxS (N layers at size S), got '{block}'")
        layers, size = int(match[1]), int(match[2])
        if size not in CHANNELS:
            raise ValueError(f"{where}: size {size} is not one of {', '.join(map(str, CHANNELS))}")
        if groups and size * 2 != groups[-1][1]:
            raise ValueError(f"{where}: expected size {groups[-1][1] // 2}, half of the group before, got {size}")
        groups.append((layers, size))
    if not groups:
        raise ValueError("blocks: expected at least one NxS, got an empty text")
    return groups


def convolutions(net: Net, in_channels: int) -> tuple[nn.Sequential, int, int]:
    """The convolution layers of `net`, the channels of the last and the size of its maps."""
    layers: list[nn.Module] = []
    channels = in_channels
    for count, size in parse_blocks(net.blocks):
        out = max(4, int(CHANNELS[size] * net.width))
        for i in range(count):
            stride = 2 if i == count - 1 else 1
            layers.append(nn.Conv2d(channels, out, 3, stride, padding=1, bias=not net.normalise))
            if net.normalise:
                layers.append(nn.BatchNorm2d(out))
            layers.append(nn.ReLU(inplace=True))
            channels = out
    return nn.Sequential(*layers), channels, size // 2


class FaceNet(nn.Module):
    """Convolutions shared by one linear head a target. `multilabel`: the targets with several 0/1 labels an image.

    Takes float images (B, C, H, W) in 0..1 and returns logits: target -> (B, number of classes or labels).
    `mean` and `deviation` (C,) are those of the training images and travel with the weights, since the camera's frames
    need the same; 0 and 1 leave the images in 0..1.
    """

    def __init__(self, net: Net, in_channels: int, outputs: dict[str, int], multilabel: tuple[str, ...] = ()):
        super().__init__()
        self.description = {"net": asdict(net), "in_channels": in_channels, "outputs": dict(outputs), "multilabel": list(multilabel)}
        self.multilabel = multilabel
        self.register_buffer("mean", torch.zeros(in_channels))
        self.register_buffer("deviation", torch.ones(in_channels))
        self.features, channels, size = convolutions(net, in_channels)
        self.pool = nn.AdaptiveAvgPool2d(1) if net.pool else nn.Identity()
        self.dropout = nn.Dropout(net.dropout)
        inputs = channels if net.pool else channels * size * size
        self.heads = nn.ModuleDict({target: nn.Linear(inputs, n) for target, n in outputs.items()})

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        scale = (1 / self.deviation)[:, None, None]
        normalised = torch.addcmul(-self.mean[:, None, None] * scale, images, scale)  # (images - mean) / deviation in one pass
        features = self.dropout(self.pool(self.features(normalised)).flatten(1))
        return {target: head(features) for target, head in self.heads.items()}


def find(architecture: str) -> Net:
    """The row of `ARCHITECTURES` with this name, or the plain net of this block syntax. Raises ValueError otherwise."""
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    if re.match(r"\d", architecture):
        parse_blocks(architecture)
        return Net(architecture)
    raise ValueError(f"architecture '{architecture}': expected blocks like '1x64 2x32', or one of {', '.join(ARCHITECTURES)}")


def build(architecture: str, outputs: dict[str, int], multilabel: tuple[str, ...] = (), in_channels: int = 3, seed: int = 0) -> FaceNet:
    """A new network with random weights. `outputs`: target -> number of classes or labels; `seed` decides the weights
    (PyTorch's default: Kaiming uniform) without touching the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would set the GPU's state too
        return FaceNet(find(architecture), in_channels, outputs, multilabel)


def count_parameters(model: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def save(path: str | Path, model: FaceNet, **meta) -> None:
    """Keep a network in one file: weights, description, and `meta`, plain values only (classes, image size, data).
    Written to a temporary name, then renamed."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    weights = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    torch.save({"weights": weights, "network": model.description, "meta": meta}, temporary)
    temporary.replace(path)


def load(name: str | Path) -> tuple[FaceNet, dict]:
    """`(network, meta)` of a file that `save` wrote, or of a published network by its name, such as "smile"; nothing in the
    file is executed. Raises ValueError for another or a damaged file, FileNotFoundError where there is none."""
    published = sorted(path.stem for path in WEIGHTS.glob("*.pt"))
    path = WEIGHTS / f"{name}.pt" if str(name) in published else Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"weights '{name}': expected a file, or one of {', '.join(published)}")
    file = io.BytesIO(path.read_bytes())  # a file that cannot be opened is another fault than one that is damaged
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        network = content["network"]
        model = FaceNet(Net(**network["net"]), network["in_channels"], network["outputs"], tuple(network["multilabel"]))
        model.load_state_dict(content["weights"])
        return model, content["meta"]
    except Exception as error:  # where a file is damaged decides what torch raises: IndexError, struct.error, ...
        raise ValueError(f"{path}: not a weights file of labkit ({type(error).__name__})") from error
