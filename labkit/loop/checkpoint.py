"""A training that was broken off goes on from its last whole epoch and ends with the same weights, to the
bit, as one that was not.

What a training holds beside its data: the states of network, optimizer, schedule and average, those of the
random generators, and what happened so far. One file, written after each epoch to a temporary name, then
renamed.
"""

import warnings
from pathlib import Path

import torch

from labkit.places import whole_file


def save(path: Path, of: str, device, generator: torch.Generator, parts: dict, facts: dict) -> None:
    """Keep a training.

    Args:
        of: which training it is.
        device: where it computes; the state of its random numbers, which dropout draws from, is kept too.
        generator: the one that draws order and augmentation.
        parts: name -> what has a `state_dict`.
        facts: plain values.
    """
    content = {name: part.state_dict() for name, part in parts.items()}
    content |= {"of": of, "facts": facts, "generator": generator.get_state(), "cpu": torch.get_rng_state()}
    if device.type == "cuda":
        content["gpu"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        content["gpu"] = torch.mps.get_rng_state()
    with whole_file(path) as temporary, open(temporary, "wb") as stream:
        torch.save(content, stream)


def load(path: Path, of: str, device, generator: torch.Generator, parts: dict) -> dict | None:
    """Put everything back; the arguments are those of `save`.

    Returns:
        The facts; None where there is no such file, or, with a warning, where it is damaged or of another
        training, which then begins anew.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        states, facts = {name: content[name] for name in parts if content["of"] == of}, content["facts"]
    except Exception as error:  # where a file is damaged decides what torch raises
        warnings.warn(f"{path}: damaged ({type(error).__name__}); the training begins anew", stacklevel=2)
        return None
    if content["of"] != of:
        warnings.warn(f"{path}: of another training; this one begins anew", stacklevel=2)
        return None
    for name, part in parts.items():
        part.load_state_dict(states[name])
    generator.set_state(content["generator"])
    torch.set_rng_state(content["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(content["gpu"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(content["gpu"])
    return facts
