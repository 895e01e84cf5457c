"""The networks: two notations for their convolutions, the architectures as one table, one builder.

Block syntax (smile lab): groups `NxS` from large to small, each meaning N convolution layers that take maps
of S x S pixels; the last layer of a group halves the size, those before it keep it. `1x64 2x32 2x16 1x8` is
the base model: one layer at 64x64, two at 32x32, two at 16x16, one at 8x8, then one fully connected layer on
the 4x4 maps that remain. That report gives neither channels nor activation. Ours: 3x3 kernels, ReLU, and 16
channels on the two largest sizes, then twice as many whenever the size halves (`nets.syntax.CHANNELS`):
39,522 parameters, which two processor cores train for 50 epochs in about a minute.

Layer syntax (emotion lab): one word a layer in the order of the data: `64k3` is a convolution to 64 channels
with 3x3 kernels that keeps the size of the map (`64k3/2` halves it), `64s3` a depthwise separable one with
its two normalisations and ReLUs, `bn` batch normalisation, `relu` and `leaky` (slope 0.01) activations, `P`
max pooling, which halves the map, `d25` dropout of 25 %. `32k3 relu bn P` normalises behind the activation,
`32k3 bn relu P` in front. Behind a bar stand the fully connected layers, each with batch normalisation and
ReLU, and the dropout behind each: `32k3 bn relu P | 256 128 d25`.

A trunk that is neither is a name in `TRUNKS`.

Taught in notebooks 02 (the base model as a plain list of layers) and 03 (the parser of the blocks).
"""

import copy
import io
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from labkit.nets import pretrained
from labkit.nets.digest import digest
from labkit.nets.syntax import CHANNELS, blocks, connected, is_layer_syntax, layers, parse_blocks
from labkit.nets.trunks import TRUNKS, Colour
from labkit.places import whole_file

__all__ = [
    "ARCHITECTURES",
    "CHANNELS",
    "TRUNKS",
    "WEIGHTS",
    "Colour",
    "FaceNet",
    "Net",
    "Unusable",
    "blocks",
    "build",
    "convolutions",
    "count_parameters",
    "find",
    "fused",
    "is_layer_syntax",
    "layers",
    "load",
    "parse_blocks",
    "pretrained",
    "save",
]

# Variance below which an image, of those whose variance is 1 on average, counts as flat, and its noise is not
# blown up.
FLATTEST = 0.04
WEIGHTS = Path(__file__).parent / "weights"  # networks that the project publishes, each with its card


@dataclass(frozen=True)
class Net:
    """One architecture.

    Attributes:
        blocks: block or layer syntax, or a name in `TRUNKS`.
        normalise: batch normalisation in front of each activation (block syntax).
        width: factor on the channels (block syntax).
        dropout: share of the features dropped behind each hidden layer, or before the heads where there is
            none.
        pool: average each map to one number, so that any image size fits.
        hidden: sizes of the fully connected layers before the heads, each with ReLU.
        hidden_normalise: batch normalisation before it.
        instance_norm: each channel of each image is brought to mean 0 and deviation 1 first (Ulyanov 2016).
        branches: a trunk and hidden layers of its own for each target, which share nothing.
        size: side of the images in pixels, which block syntax says itself; `build` is told the images' own.
    """

    blocks: str
    normalise: bool = False
    width: float = 1.0
    dropout: float = 0.0
    pool: bool = False
    hidden: tuple[int, ...] = ()
    hidden_normalise: bool = True
    instance_norm: bool = False
    branches: bool = False
    size: int = 48


def _emotion(layers: str, hidden: tuple[int, ...] = (128, 32), **options) -> Net:
    return Net(layers, hidden=hidden, dropout=0.2, **options)


def _dense(trunk: str) -> Net:
    return Net(trunk, hidden=(1024, 1024), hidden_normalise=False, pool=True)


class Unusable(ValueError):
    """A trunk that nobody knows, or weights that are not what was saved."""


MOBILENET = "64s3 128s3/2 128s3 256s3/2 256s3 512s3/2 512s3 512s3 512s3 512s3 512s3 1024s3/2 1024s3"
LONG = (
    "32k3 bn relu P 64k3 bn relu 64k3 bn relu P 128k3 bn relu 128k3 bn relu P 256k3 bn relu 256k3 bn relu P"
)
ATTRIBUTES = "16k3 relu bn P d25 32k3 relu bn P d25 32k3 relu bn P d25"
# Emotion: rebuilt from the report's parameter counts, which a test asserts. It describes 5, 6 and 9 in a few
# words only: these three are ours, found by `docs/find_architectures.py` among natural designs that have
# exactly the printed count.
ARCHITECTURES = {
    "smile-base": Net("1x64 2x32 2x16 1x8"),
    "smile-final": Net("1x64 1x32 2x16 2x8", normalise=True, width=2, dropout=0.2, pool=True),
    # Each without one ingredient of "smile-final", the last without four (table smile-parts, notebook 04).
    "smile-final-not-normalised": Net("1x64 1x32 2x16 2x8", width=2, dropout=0.2, pool=True),
    "smile-final-not-pooled": Net("1x64 1x32 2x16 2x8", normalise=True, width=2, dropout=0.2),
    "smile-final-narrow": Net("1x64 1x32 2x16 2x8", normalise=True, dropout=0.2, pool=True),
    "smile-final-no-dropout": Net("1x64 1x32 2x16 2x8", normalise=True, width=2, pool=True),
    "smile-final-bare": Net("1x64 1x32 2x16 2x8", normalise=True),
    "smile-even": Net(
        "1x64 1x32 2x16 2x8", normalise=True, width=2, dropout=0.2, pool=True, instance_norm=True
    ),
    "emotion-1": _emotion("32k3 relu bn 64k3 relu bn P 128k5 relu bn 256k7 relu bn P"),
    "emotion-2": _emotion("32k3 bn relu 64k3 bn relu P 128k5 bn relu 256k7 bn relu P"),
    "emotion-3": _emotion("32k3 relu bn P 64k3 relu bn P 128k5 relu bn P 256k7 relu bn P"),
    "emotion-4": _emotion("32k3 bn relu P 64k3 bn relu P 128k5 bn relu P 256k7 bn relu P"),
    "emotion-5": _emotion("8k3 relu bn 16k3 relu bn P 16k3 relu bn 32k5 relu bn P", (64, 32)),
    "emotion-6": _emotion(
        "64k11 relu bn P 64k7 relu bn P 256k5 relu bn P 256k3 relu bn P", (512,), hidden_normalise=False
    ),
    "emotion-7": _emotion("32k5 leaky 64k5 leaky bn P 128k7 leaky 256k7 leaky bn P"),
    "emotion-8": _emotion("32k3 relu 64k5 relu bn P 128k7 relu 256k9 relu bn P", (128, 64)),
    "emotion-9": _emotion(
        "32k3 relu 32k3 relu 32k3 relu 32k5 relu P 64k5 relu 128k5 relu 256k7 relu P", (128, 64)
    ),
    "emotion-best": Net(
        "32k3 bn relu P 64k3 bn relu 64k3 bn relu P 128k3 bn relu 128k3 bn relu P 256k3 bn relu P",
        dropout=0.2,
        pool=True,
    ),
    "emotion-long": Net(LONG, dropout=0.3, pool=True),
    "emotion-fast": Net(
        "32k5 bn relu P 64k3 bn relu P 128k3 bn relu 128k3 bn relu P 256k3 bn relu P", dropout=0.2, pool=True
    ),
    "emotion-even": Net(
        "32k5 bn relu P 64k3 bn relu P 128k3 bn relu 128k3 bn relu P 256k3 bn relu P",
        dropout=0.2,
        pool=True,
        instance_norm=True,
    ),
    # Model 3 a quarter as wide, and one change at a time: what the report concludes, asked with several seeds
    # each.
    "quarter": _emotion("8k3 relu bn P 16k3 relu bn P 32k5 relu bn P 64k7 relu bn P"),
    "quarter-bn-before": _emotion("8k3 bn relu P 16k3 bn relu P 32k5 bn relu P 64k7 bn relu P"),
    "quarter-leaky": _emotion("8k3 leaky bn P 16k3 leaky bn P 32k5 leaky bn P 64k7 leaky bn P"),
    "quarter-two-halvings": _emotion("8k3 relu bn 16k3 relu bn P 32k5 relu bn 64k7 relu bn P"),
    "quarter-8-channels": _emotion("8k3 relu bn P 8k3 relu bn P 8k5 relu bn P 8k7 relu bn P"),
    "quarter-shrinking": _emotion("8k7 relu bn P 16k5 relu bn P 32k3 relu bn P 64k3 relu bn P"),
    "quarter-two-connected": _emotion("8k3 relu bn P 16k3 relu bn P 32k5 relu bn P 64k7 relu bn P", (128,)),
    # Attributes: the report's, a branch an attribute, whose sizes it does not give; and one trunk for all.
    "attributes-branches": Net(ATTRIBUTES, hidden=(128,), dropout=0.25, branches=True),
    "attributes-trunk": Net(ATTRIBUTES, hidden=(128,), dropout=0.25),
    "attributes-small": Net(
        "24k3 bn relu P 48k3 bn relu P 96k3 bn relu 96k3 bn relu P 160k3 bn relu P 224k3 bn relu",
        dropout=0.3,
        pool=True,
    ),
    # Howard and others 2017, and behind it the two dense layers of the report on action units.
    "mobilenet": _dense(f"32k3/2 bn relu {MOBILENET}"),
    "emotion-long-dense": _dense(LONG),  # the trunk of the published network `emotion`
    "mobilenet-v2": _dense("mobilenet_v2"),  # Sandler and others 2018
    "mobilenet-v3-small": _dense("mobilenet_v3_small"),  # Howard and others 2019
    "tiny": Net("1x64 1x32 1x16 1x8", width=0.25),
}


def convolutions(net: Net, channels: int) -> tuple[nn.Module, int, int]:
    """The trunk of a net for images of so many channels, the channels of its last map and that map's side."""
    if net.blocks in TRUNKS:
        with torch.device("meta"):  # shapes alone, nothing is computed
            maps = TRUNKS[net.blocks](channels).eval()(torch.empty(1, channels, net.size, net.size))
        return TRUNKS[net.blocks](channels), maps.shape[1], maps.shape[2]
    if not re.match(r"\d", net.blocks):
        raise Unusable(f"trunk '{net.blocks}': expected blocks, layers, or one of {', '.join(TRUNKS)}")
    if is_layer_syntax(net.blocks):
        modules, channels, side = layers(net.blocks, channels, net.size)
    else:
        modules, channels, side = blocks(net, channels)
    return nn.Sequential(*modules), channels, side


def _trunk(net: Net, in_channels: int) -> tuple[nn.Module, nn.Module, int]:
    """Convolutions, hidden layers, and how many features these give to a head."""
    features, channels, side = convolutions(net, in_channels)
    if side < 1:
        raise ValueError(f"images of {net.size} pixels are too small for the layers '{net.blocks}'")
    inputs = channels * (1 if net.pool else side * side)
    hidden: list[nn.Module] = []
    for size in net.hidden:
        normalisation = [nn.BatchNorm1d(size)] if net.hidden_normalise else []
        hidden += [nn.Linear(inputs, size), *normalisation, nn.ReLU(inplace=True), nn.Dropout(net.dropout)]
        inputs = size
    return features, nn.Sequential(*hidden) if hidden else nn.Dropout(net.dropout), inputs


class FaceNet(nn.Module):
    """A trunk shared by one linear head a target, or one for each.

    Takes float images (B, C, H, W) in 0..1 and returns logits: target -> (B, number of classes or labels).

    Args:
        net: the architecture.
        in_channels: 1 (grey) or 3 (RGB).
        outputs: target -> number of classes or labels.
        multilabel: the targets with several 0/1 labels an image.

    Attributes:
        features: the trunk, float (B, C, H, W) -> maps; with branches target -> its own, and so `hidden`.
        mean, deviation: float (C,), those of the training images; the camera's frames need the same.
        heads: target -> its linear layer.
    """

    def __init__(self, net: Net, in_channels: int, outputs: dict[str, int], multilabel: tuple[str, ...] = ()):
        super().__init__()
        self.description = {
            "net": asdict(net),
            "in_channels": in_channels,
            "outputs": dict(outputs),
            "multilabel": list(multilabel),
        }
        self.multilabel = multilabel
        self.instance_norm = net.instance_norm
        self.register_buffer("mean", torch.zeros(in_channels))
        self.register_buffer("deviation", torch.ones(in_channels))
        if net.branches:
            trunks = {target: _trunk(net, in_channels) for target in outputs}
            self.features = nn.ModuleDict({target: features for target, (features, _, _) in trunks.items()})
            self.hidden = nn.ModuleDict({target: hidden for target, (_, hidden, _) in trunks.items()})
            inputs = next(iter(trunks.values()))[2]
        else:
            self.features, self.hidden, inputs = _trunk(net, in_channels)
        self.pool = nn.AdaptiveAvgPool2d(1) if net.pool else nn.Identity()
        self.heads = nn.ModuleDict({target: nn.Linear(inputs, n) for target, n in outputs.items()})

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """What the trunk takes: (images - mean) / deviation, and each image brought to the same where the net
        says so."""
        scale = (1 / self.deviation)[:, None, None]
        images = torch.addcmul(-self.mean[:, None, None] * scale, images, scale)  # in one pass
        return F.instance_norm(images, eps=FLATTEST) if self.instance_norm else images

    def described(self, images: torch.Tensor) -> torch.Tensor:
        """What the trunk makes of images, float (B, K): all that hidden layers and heads see of them."""
        return self.pool(self.features(self.normalised(images))).flatten(1)

    def answers(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """target -> logits, of what `described` gives."""
        features = self.hidden(features)
        return {target: head(features) for target, head in self.heads.items()}

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        if not isinstance(self.features, nn.ModuleDict):
            return self.answers(self.described(images))
        images = self.normalised(images)
        maps = {target: self.pool(trunk(images)).flatten(1) for target, trunk in self.features.items()}
        return {target: head(self.hidden[target](maps[target])) for target, head in self.heads.items()}


def find(architecture: str) -> Net:
    """The row of `ARCHITECTURES` with this name, or the plain net of these blocks or layers.

    Raises:
        ValueError: for another name, and for blocks or layers that cannot be built.
    """
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    if re.match(r"\d", architecture):
        convolved, bar, rest = architecture.partition("|")
        hidden, dropout = connected(rest) if bar else ((), 0.0)
        net = Net(convolved.strip(), hidden=hidden, dropout=dropout)
        with torch.device("meta"):  # says what is wrong with it, without drawing weights
            convolutions(net, 1)
        return net
    raise ValueError(
        f"architecture '{architecture}': expected blocks like '1x64 2x32', layers like '32k3 relu P', "
        f"or one of {', '.join(ARCHITECTURES)}"
    )


def build(
    architecture: str,
    outputs: dict[str, int],
    multilabel: tuple[str, ...] = (),
    in_channels: int = 3,
    seed: int = 0,
    size: int | None = None,
) -> FaceNet:
    """A new network with random weights (PyTorch's default: Kaiming uniform).

    Args:
        architecture: as `find` takes it.
        outputs: target -> number of classes or labels.
        multilabel: the targets with several 0/1 labels an image.
        in_channels: of the images, 1 or 3.
        seed: decides the weights; the global random state stays as it is.
        size: side of the images in pixels; None = as the architecture has it.
    Raises:
        ValueError: for an architecture that does not exist, or one that takes images of another size.

    Example:
        >>> model = build("smile-base", {"smile": 2})
        >>> model(torch.zeros(8, 3, 64, 64))["smile"].shape
        torch.Size([8, 2])
    """
    net = find(architecture)
    if size is not None and net.blocks not in TRUNKS and not is_layer_syntax(net.blocks):
        takes = parse_blocks(net.blocks)[0][1]
        if size != takes and not net.pool:
            raise ValueError(f"architecture '{architecture}' takes images of {takes} pixels, got {size}")
    elif size is not None:
        net = replace(net, size=size)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would set the GPU's state too
        return FaceNet(net, in_channels, outputs, multilabel)


def fused(model: FaceNet) -> FaceNet:
    """A copy of `model` for prediction alone, each batch normalisation multiplied into the convolution in
    front of it: the same answers up to rounding, a tenth faster on one or two faces. A normalisation behind
    an activation stays."""
    model = copy.deepcopy(model).eval()
    if type(model.features) is not nn.Sequential:  # a trunk of another kind has a way of its own
        return model
    layers: list[nn.Module] = []
    for layer in model.features:
        if isinstance(layer, nn.BatchNorm2d) and layers and isinstance(layers[-1], nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    model.features = nn.Sequential(*layers)
    return model


def count_parameters(model: nn.Module, frozen: tuple[str, ...] = ()) -> int:
    """How many numbers training changes; those of the modules `frozen` it does not."""
    fixed = {id(p) for name in frozen for p in model.get_submodule(name).parameters()}
    return sum(p.numel() for p in model.parameters() if p.requires_grad and id(p) not in fixed)


def save(path: str | Path, model: FaceNet, half: bool = False, **meta) -> None:
    """Keep a network in one file, there as a whole or not at all: weights, description, and `meta`, plain
    values only (classes, image size, data). `half`: weights of 16 bits; `load` gives 32 again."""
    weights = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    if half:
        weights = {name: v.half() if v.is_floating_point() else v for name, v in weights.items()}
    content = {"weights": weights, "network": model.description, "meta": meta}
    with whole_file(path) as temporary, open(temporary, "wb") as stream:
        torch.save(content | {"sha256": digest(content)}, stream)


def load(name: str | Path) -> tuple[FaceNet, dict]:
    """`(network, meta)` of a file that `save` wrote, or of a published network by its name, such as "smile";
    nothing in the file is executed. Raises ValueError for another or a damaged file, FileNotFoundError where
    there is none."""
    published = sorted(path.stem for path in WEIGHTS.glob("*.pt"))
    path = WEIGHTS / f"{name}.pt" if str(name) in published else Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"weights '{name}': expected a file, or one of {', '.join(published)}")
    # Read first: a file that cannot be opened is another fault than one that is damaged.
    file = io.BytesIO(path.read_bytes())
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        network = content["network"]
        of = network["in_channels"], network["outputs"], tuple(network["multilabel"])
        model = FaceNet(Net(**network["net"]), *of)
        if content.get("sha256", "") not in ("", digest(content)):  # older files have none
            raise Unusable("its weights are not those that were saved; get the file again")
        model.load_state_dict(content["weights"])
        return model, content["meta"]
    except Unusable as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # where a file is damaged decides what torch raises: struct.error, ...
        raise ValueError(f"{path}: not a weights file of labkit ({type(error).__name__})") from error
