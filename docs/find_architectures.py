"""Networks 5, 6 and 9 of the emotion report: which natural designs have exactly the parameters it prints?

    python docs/find_architectures.py        # a second

The report gives a count and a few words for each: 5 has at most 32 channels; 6 has kernels that shrink with
depth and fewer, more abrupt fully connected layers; 9 is deeper and slowest. Its other six networks show the
family: kernels and channels in usual sizes, a 48x48 grey image halved two to four times, batch normalisation
on all layers, on every second or on none, and fully connected layers of a power of two. The search goes
through that family and prints every hit: one for 5, one for 6, and for 9 one chain of convolutions in two
versions, of which we take the one with normalised hidden layers, as the report's other networks have them.
Where network 9 halves, the count does not say: ours does so late, since the report calls it the slowest.
"""

from itertools import combinations_with_replacement as ascending
from itertools import product

CLASSES, SIDE = 7, 48
NORMALISED = {
    "all": lambda channels: 2 * sum(channels),
    "every second": lambda channels: 2 * sum(channels[1::2]),
    "none": lambda _: 0,
}

# name -> parameters, channels and kernels to combine, how often the image is halved, choices of hidden layers
FAMILIES = {
    "5": (
        314_023,
        list(ascending((8, 16, 32), 4)),
        list(ascending((3, 5, 7), 4)),
        (2, 4),
        [(128, 32), (128, 64), (64, 32), (64,), (32,)],
    ),
    "6": (
        2_393_543,
        list(ascending((32, 64, 128, 256), 4)),
        [(11, 7, 5, 3), (9, 7, 5, 3)],
        (2, 3, 4),
        [(1024,), (512,), (256,), (128,), (64,)],
    ),
    "9": (
        6_634_343,
        [channels for n in (5, 6, 7) for channels in ascending((16, 32, 64, 128, 256), n)],
        [kernels for n in (5, 6, 7) for kernels in ascending((3, 5, 7), n)],
        (2,),
        [(128, 32), (128, 64), (256, 64)],
    ),
}


def convolution_parameters(channels, kernels) -> int:
    """Weights and biases of a chain of convolution layers on one grey channel."""
    layers = zip((1, *channels), channels, kernels)
    return sum(before * now * k * k + now for before, now, k in layers)


def fully_connected_parameters(inputs: int, hidden, normalised: bool) -> int:
    """Weights and biases of the hidden layers, each with its normalisation or none, and of the output."""
    total = 0
    for size in hidden:
        total += inputs * size + size + 2 * size * normalised
        inputs = size
    return total + inputs * CLASSES + CLASSES


def hits(parameters, channel_choices, kernel_choices, halvings, hidden_choices):
    """Yield every design of a family that has exactly so many parameters."""
    for channels, kernels in product(channel_choices, kernel_choices):
        if len(kernels) != len(channels):
            continue
        base = convolution_parameters(channels, kernels)
        heads = product(NORMALISED.items(), halvings, hidden_choices, (True, False))
        for (where, count), times, hidden, normalised in heads:
            inputs = channels[-1] * (SIDE // 2**times) ** 2
            head = fully_connected_parameters(inputs, hidden, normalised)
            if base + count(channels) + head == parameters:
                layers = " ".join(f"{c}k{k}" for c, k in zip(channels, kernels))
                yield (
                    f"{layers}; halved {times} times, normalised: {where}; "
                    f"hidden {hidden}, normalised: {normalised}"
                )


if __name__ == "__main__":
    for name, family in FAMILIES.items():
        print(f"network {name}, {family[0]:,} parameters:")
        for design in hits(*family):
            print("  ", design)
