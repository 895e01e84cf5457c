"""Long rows, trained while the machine has nothing better to do: `python -m labkit report --profile full
--background`.

One thread at the lowest priority; the rows that the plan marks `background`, in the order in which they stand
there. Each row is kept when it is whole; a long one is kept after each epoch too, so that
a killed run goes on where it was. While something is measured on this machine, it waits.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from labkit import running
from labkit.runs import RunSpec, Store

MEASURING = Path(tempfile.gettempdir()) / "labkit-measuring"
FORGOTTEN = 3600  # seconds after which a lock is that of a measurement that was killed


@contextmanager
def measuring() -> Iterator[None]:
    """Let background rows on this machine wait until the block ends."""
    MEASURING.write_text(str(os.getpid()), encoding="utf-8")
    try:
        yield
    finally:
        MEASURING.unlink(missing_ok=True)


def wait(seconds: float = 2.0) -> None:
    """Return when nothing is measured any more; look every `seconds`."""
    while MEASURING.exists() and time.time() - MEASURING.stat().st_mtime < FORGOTTEN:
        time.sleep(seconds)


def train(todo: list[tuple[str, RunSpec, Store]], data_dir, say: Callable[[str], None] = print) -> int:
    """Train rows, one after the other.

    Args:
        todo: each with its name and the store that keeps it, as `plan.background_rows` lists them.
        data_dir: the folder of all imported data sets.
        say: told of each epoch and each row.
    Returns:
        How many rows failed.
    """
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(19)
    failed = 0
    say(f"{len(todo)} rows to train in the background")
    for i, (name, spec, store) in enumerate(todo, 1):
        wait()
        told = partial(_after_epoch, say, f"[{i}/{len(todo)}] {name}", spec.config.epochs)
        result, _ = running.run(spec, store, data_dir, progress=False, checkpoint=True, after_epoch=told)
        failed += result.error is not None
        say(f"[{i}/{len(todo)}] {name}: {result.error or f'kept as {result.key}'}")
    return failed


def _after_epoch(say, name: str, epochs: int, row: dict, model) -> None:
    say(f"{name}: epoch {row['epoch']} of {epochs}, {row['seconds']:.0f} s")
    wait()
