"""The built-in faces as a data set: what was drawn once is kept in the folder of all data sets."""

import hashlib
import json
from contextlib import suppress

import numpy as np

from labkit.places import whole_file


def load(data_dir, options):
    """The faces that `labkit.synthetic.make(**options)` draws.

    Where `data_dir` is a folder, what was drawn is kept in its folder `builtin`: all notebooks share it.

    Args:
        data_dir: the folder of all data sets.
        options: of `labkit.synthetic.make`.
    """
    from labkit import synthetic

    if not data_dir.is_dir() or options.get("subjects") is not None:
        return synthetic.make(**options)
    seed, size = options.get("seed", 0), options.get("size", 64)
    special = {name: options[name] for name in ("shares", "without") if options.get(name)}
    mark = (
        f"-{hashlib.sha256(json.dumps(special, sort_keys=True).encode()).hexdigest()[:8]}" if special else ""
    )
    file = data_dir / "builtin" / f"version{synthetic.VERSION}-seed{seed}-{size}px{mark}.npy"
    drawn = _drawn_before(file, size)
    faces = synthetic.make(**options | {"colour": True}, drawn=drawn)
    if drawn is None or len(drawn) < len(faces):
        with suppress(OSError):  # a folder that cannot be written to: the faces are there all the same
            _keep(file, faces.images)
    return faces if options.get("colour", True) else faces.grey()


def _keep(file, images):
    with whole_file(file) as temporary, open(temporary, "wb") as stream:
        np.save(stream, images)


def _drawn_before(file, size):
    try:
        drawn = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return drawn if drawn.dtype == np.uint8 and drawn.shape[1:] == (size, size, 3) else None
