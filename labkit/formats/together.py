"""Several data sets as one: "celeba+cartoons"."""

from dataclasses import replace

import numpy as np

from labkit.faces import FaceSet, joined


def names(several: str) -> list[str]:
    """The names in "celeba+cartoons"; ValueError where one stands twice."""
    found = several.split("+")
    if len(set(found)) < len(found):
        raise ValueError(f"data set '{several}': expected each data set once, got {', '.join(found)}")
    return found


def as_one(sets: dict[str, FaceSet]) -> FaceSet:
    """The images of all, with a target `set` that says which each is from."""
    both, lengths = joined(list(sets.values())), [len(faces) for faces in sets.values()]
    which = np.repeat(np.arange(len(sets)), lengths)
    return replace(both, targets=both.targets | {"set": which}, classes=both.classes | {"set": tuple(sets)})
