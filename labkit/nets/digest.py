"""What tells whether a weights file is still as it was saved."""

import hashlib

import torch


def digest(content: dict) -> str:
    """sha256 of all that a weights file holds: numbers and texts, in the order of their names."""
    whole = hashlib.sha256()

    def add(value):
        if isinstance(value, dict):
            for name in sorted(value):
                whole.update(name.encode())
                add(value[name])
        else:
            is_tensor = isinstance(value, torch.Tensor)
            whole.update(value.contiguous().numpy().tobytes() if is_tensor else repr(value).encode())

    add({name: value for name, value in content.items() if name != "sha256"})
    return whole.hexdigest()
