"""Long rows, trained while the machine has nothing better to do: `python -m labkit report --profile full
--background`.

One thread at the lowest priority; the rows that the plan marks `background`, in the order in which they stand
there, the cheapest first. Each row is kept when it is whole; a long one is kept after each epoch too, so that
a killed run goes on where it was. While something is measured on this machine, it waits.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit import plan, running, runs

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


def missing(
    profile: str, labs: list[str] | None, data_dir, reports_dir
) -> list[tuple[plan.Table, plan.Row, runs.RunSpec]]:
    """The background rows of these labs, None = all, that are not kept, in the plan's order."""
    found = []
    for id, settings in plan.read_plan(reports_dir)["table"].items():
        if labs is None or settings["lab"] in labs:
            table = plan.read_table(id, profile, "", data_dir, reports_dir, whole=True)
            specs = [(row, spec) for row in table.rows if row.background for spec in row.specs]
            found += [
                (table, row, spec) for row, spec in specs if not running.is_kept(spec, table.store, data_dir)
            ]
    return found


def train(
    profile: str, labs: list[str] | None, data_dir, reports_dir, say: Callable[[str], None] = print
) -> int:
    """Train what is `missing`, one after the other; returns how many rows failed."""
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(19)
    todo, failed = missing(profile, labs, data_dir, reports_dir), 0
    say(f"{len(todo)} rows to train in the background")
    for i, (table, row, spec) in enumerate(todo, 1):
        name = f"[{i}/{len(todo)}] {table.id} {', '.join(map(str, row.labels.values()))}, seed {spec.seed}"
        wait()

        def after_epoch(epoch: dict, model, name: str = name) -> None:
            say(f"{name}: epoch {epoch['epoch']} of {spec.config.epochs}, {epoch['seconds']:.0f} s")  # noqa: B023
            wait()

        result, _ = running.run(
            spec, table.store, data_dir, progress=False, checkpoint=True, after_epoch=after_epoch
        )
        failed += result.error is not None
        say(f"{name}: {result.error or f'kept as {result.key}'}")
    return failed
