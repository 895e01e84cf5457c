"""A training that was broken off goes on from its last whole epoch and ends with the same weights, to the
bit, as one that was not.

What a training holds beside its data: the states of network, optimizer, schedule and average, those of the
random generators, and what happened so far. One file, written after each epoch to a temporary name, then
renamed.
"""

import uuid
import warnings
from pathlib import Path

import torch


def save(path: Path, device: torch.device, generator: torch.Generator, parts: dict, facts: dict) -> None:
    """parts: name -> what has a `state_dict`; facts: plain values; generator: the one that draws order and
    augmentation. Dropout draws from torch's own, whose state is kept too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: part.state_dict() for name, part in parts.items()}
    content |= {"facts": facts, "generator": generator.get_state(), "cpu": torch.get_rng_state()}
    if device.type == "cuda":
        content["gpu"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        content["gpu"] = torch.mps.get_rng_state()
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    torch.save(content, temporary)
    temporary.replace(path)


def load(path: Path, device: torch.device, generator: torch.Generator, parts: dict) -> dict | None:
    """Put everything back; returns the facts, or None where there is no such file, or, with a warning, a
    damaged one: the training then begins anew."""
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        states, facts = {name: content[name] for name in parts}, content["facts"]
    except Exception as error:  # where a file is damaged decides what torch raises
        warnings.warn(f"{path}: damaged ({type(error).__name__}); the training begins anew", stacklevel=2)
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
