"""The two notations for convolutions that `labkit.models` explains: from texts to modules."""

import re

from torch import nn

CHANNELS = {64: 16, 32: 16, 16: 32, 8: 64, 4: 64}  # size of the map -> channels of the layers that take it


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
            raise ValueError(
                f"{where}: expected size {groups[-1][1] // 2}, half of the group before, got {size}"
            )
        groups.append((layers, size))
    if not groups:
        raise ValueError("blocks: expected at least one NxS, got an empty text")
    return groups


def layers(text: str, channels: int, side: int = 48) -> tuple[list[nn.Module], int, int]:
    """The modules of a text in layer syntax for maps of so many pixels a side, the channels of the last map
    and its side: `P` rounds half of an odd side down, a convolution's `/2` up. Raises ValueError where a word
    is none of the syntax, or a kernel has no middle."""
    modules: list[nn.Module] = []
    for position, word in enumerate(text.split(), 1):
        convolution = re.fullmatch(r"([1-9]\d*)([ks])(\d*[13579])(/2)?", word)
        if convolution:
            out, kernel, stride = int(convolution[1]), int(convolution[3]), 2 if convolution[4] else 1
            if convolution[2] == "k":
                modules.append(nn.Conv2d(channels, out, kernel, stride, kernel // 2))
            else:
                modules += separable(channels, out, kernel, stride)
            channels, side = out, -(-side // stride)
        elif word in ("relu", "leaky"):
            modules.append(nn.ReLU(inplace=True) if word == "relu" else nn.LeakyReLU(0.01, inplace=True))
        elif word == "bn":
            modules.append(nn.BatchNorm2d(channels))
        elif word == "P":
            modules.append(nn.MaxPool2d(2))
            side //= 2
        elif dropped := re.fullmatch(r"d(\d\d?)", word):
            modules.append(nn.Dropout(int(dropped[1]) / 100))
        else:
            expected = "CkK or CsK (C channels, odd kernel K; /2 behind it), bn, relu, leaky, P or dR (R %)"
            raise ValueError(f"layer {position} of '{text}': expected {expected}, got '{word}'")
    return modules, channels, side


def separable(channels: int, out: int, kernel: int, stride: int) -> list[nn.Module]:
    """A convolution in two steps (Howard and others 2017): each channel by itself, K x K, then all channels
    of a pixel together, 1 x 1; K^2 c + c c' weights in place of K^2 c c'."""
    depthwise = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
    pointwise = nn.Conv2d(channels, out, 1, bias=False)
    steps = ((depthwise, channels), (pointwise, out))
    return [m for step, n in steps for m in (step, nn.BatchNorm2d(n), nn.ReLU(inplace=True))]


def connected(text: str) -> tuple[tuple[int, ...], float]:
    """`"256 128 d25"` -> `((256, 128), 0.25)`: sizes of the fully connected layers, and the share that
    dropout takes behind each. Raises ValueError for a word that is neither."""
    *sizes, last = text.split() or [""]
    dropped = re.fullmatch(r"d(\d\d?)", last)
    if not dropped:
        sizes.append(last)
    for word in sizes:
        if not re.fullmatch(r"[1-9]\d*", word):
            raise ValueError(
                f"behind | of '| {text.strip()}': expected sizes, then dR or nothing, got '{word}'"
            )
    return tuple(map(int, sizes)), int(dropped[1]) / 100 if dropped else 0.0


def blocks(net, channels: int) -> tuple[list[nn.Module], int, int]:
    """The modules of a `models.Net` in block syntax, the channels of the last map and its side."""
    groups = parse_blocks(net.blocks)
    modules: list[nn.Module] = []
    for count, size in groups:
        out = max(4, int(CHANNELS[size] * net.width))
        for i in range(count):
            stride = 2 if i == count - 1 else 1
            modules.append(nn.Conv2d(channels, out, 3, stride, padding=1, bias=not net.normalise))
            if net.normalise:
                modules.append(nn.BatchNorm2d(out))
            modules.append(nn.ReLU(inplace=True))
            channels = out
    return modules, channels, groups[-1][1] // 2


def is_layer_syntax(text: str) -> bool:
    """True for `32k3 relu` and `64s3/2`, False for `1x64 2x32`."""
    return bool(re.match(r"\s*\d+[ks]", text))
