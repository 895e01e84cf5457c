"""Many rows at once: on the cores of this machine, or on a Dask cluster whose workers run anywhere.

A worker gets a spec, opens the data set under its own `data_dir`, trains, and sends back the result and the
weights; only the process that asked writes to the store. A worker that is killed costs a new try of its row,
no more: Dask gives the row to another worker. Each training gets its share of the cores, since threads that
wait for each other are slower than one alone.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

TRIES = 3  # a row that takes its worker down this often is given up


def threads_for(workers: int) -> int:
    """Threads of one training when `workers` of them share this machine."""
    return max(1, (os.cpu_count() or 1) // workers)


@contextmanager
def connect(workers: int = 1, scheduler: str = ""):
    """A Dask client: of a cluster, or of processes on this machine, until the block ends.

    Those on this machine are bound to 127.0.0.1 and encrypted with a certificate made for this call: whoever
    reaches a Dask scheduler runs code in its user's name, and on a shared machine everybody reaches
    127.0.0.1.

    Args:
        workers: processes on this machine, where there is no scheduler.
        scheduler: address of a cluster, such as "tcp://host:8786"; "" = use this machine.

    Yields:
        `dask.distributed.Client`.

    Raises:
        OSError: where no scheduler answers.
        ValueError: for fewer than one worker.
    """
    import dask
    from dask.distributed import Client, LocalCluster, Security

    if scheduler:
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError) as error:
            advice = "no Dask scheduler answers there; start one with: dask scheduler"
            raise OSError(f"scheduler {scheduler}: {advice}") from error
        with client:
            yield client
        return
    if workers < 1:
        raise ValueError(f"workers: expected 1 or more, got {workers}")
    settings = {
        "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": str(threads_for(workers))},
        "distributed.scheduler.allowed-failures": TRIES - 1,
    }
    options = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "host": "127.0.0.1",
        "dashboard_address": None,
        "protocol": "tls://",
        "security": Security.temporary(),
        "silence_logs": "CRITICAL",
    }
    with dask.config.set(settings), LocalCluster(**options) as cluster, Client(cluster) as client:
        yield client


def each(client, function, tasks: Iterable[tuple], at_once: int | None) -> Iterator[tuple]:
    """Call a function for each task on the client's workers.

    Args:
        client: as `connect` gives it.
        function: called with a task's arguments.
        tasks: of (name, arguments), which may come up while others run: the next is taken when there is room
            for it, and what was yielded has been looked at.
        at_once: so many run, or wait for a worker, at the same time; None = as many as there are workers,
            those that join later among them, and one while there is none.

    Yields:
        (name, value, error) as they finish. `error` is None, or the exception that ended the task, also where
        its worker was killed `TRIES` times.
    """
    from dask.distributed import wait

    tasks, waiting = iter(tasks), {}
    while True:
        room = at_once or max(1, sum(client.nthreads().values()))
        while len(waiting) < room and (task := next(tasks, None)):
            name, arguments = task
            waiting[client.submit(function, *arguments, pure=False)] = name
        if not waiting:
            return
        finished = wait(list(waiting), return_when="FIRST_COMPLETED").done
        for future in finished:
            try:
                value, error = future.result(), None
            except Exception as failure:  # also what came back but cannot be unpacked here
                value, error = None, failure
            yield waiting.pop(future), value, error
            future.release()
