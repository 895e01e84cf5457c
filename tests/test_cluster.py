"""Many rows at once: the same rows as one after the other, and a killed worker costs a new try."""

import os
import signal
import sys
import threading
import time

import cloudpickle
import pytest

from labkit import bench, running, runs
from labkit.workers import cluster

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test module


def specs(n, epochs=2):
    spec = {
        "data": {"name": "builtin", "n": 80, "size": 32},
        "split": {"kind": "random"},
        "model": "1x32 1x16",
        "targets": ["smile"],
    }
    config = {"epochs": epochs, "precision": "float32"}
    return [runs.RunSpec.from_dict({**spec, "config": config, "seed": seed}) for seed in range(n)]


def store(folder):
    return runs.Store(folder / "rows", folder / "runs")


def test_workers_give_the_same_rows_as_one_process(tmp_path):
    alone = running.run_all(specs(3), store(tmp_path / "a"), progress=False)
    shared = running.run_all(specs(3), store(tmp_path / "b"), progress=False, workers=2)
    assert [r.key for r in shared] == [r.key for r in alone]
    for one, other in zip(alone, shared):
        losses = [[row["train_loss"] for row in r.history] for r in (one, other)]
        assert losses[1] == pytest.approx(losses[0], abs=1e-3)
        assert (tmp_path / "b" / "runs" / other.key / "weights.pt").exists()


def test_kept_rows_start_no_worker(tmp_path, monkeypatch):
    running.run_all(specs(2, epochs=1), store(tmp_path), progress=False)
    monkeypatch.setattr(cluster, "connect", lambda *_: pytest.fail("a cluster was started for kept rows"))
    assert len(running.run_all(specs(2, epochs=1), store(tmp_path), progress=False, workers=2)) == 2


def sleep_and_name(seconds, started):
    """A task that says which process it runs in, then takes a while."""
    (started / str(os.getpid())).touch()
    time.sleep(seconds)
    return os.getpid()


def test_a_killed_worker_costs_a_new_try(tmp_path):
    killed = []

    def kill_the_first():
        end = time.time() + 60
        while not killed and time.time() < end:
            for path in tmp_path.iterdir():
                killed.append(int(path.name))
                os.kill(killed[0], getattr(signal, "SIGKILL", signal.SIGTERM))
                return
            time.sleep(0.05)

    thread = threading.Thread(target=kill_the_first)
    with cluster.connect(2) as client:
        thread.start()
        outcomes = list(cluster.each(client, sleep_and_name, [(i, (1.0, tmp_path)) for i in range(4)], 4))
    thread.join()
    assert sorted(name for name, _, _ in outcomes) == [0, 1, 2, 3]
    assert killed and all(error is None and pid not in killed for _, pid, error in outcomes)


def fatal():
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def test_a_task_that_kills_every_worker_is_given_up_and_the_others_finish(tmp_path):
    with cluster.connect(2) as client:
        outcomes = list(cluster.each(client, fatal, [("fatal", ())], 1)) + list(
            cluster.each(client, len, [("good", ("abc",))], 1)
        )
    (_, _, error), (name, value, none) = outcomes
    assert "KilledWorker" in type(error).__name__
    assert (name, value, none) == ("good", 3, None)


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match="workers: expected 1 or more, got 0"):
        running.run_all(specs(1), store(tmp_path), progress=False, workers=0)
    with (
        pytest.raises(OSError, match="no Dask scheduler answers there"),
        cluster.connect(scheduler="tcp://127.0.0.1:9"),
    ):
        pass


def test_threads_are_shared_out(monkeypatch):
    monkeypatch.setattr(cluster.os, "cpu_count", lambda: 8)
    assert [cluster.threads_for(n) for n in (1, 2, 3, 8, 16)] == [8, 4, 2, 1, 1]


def test_what_workers_gain_is_measured():
    found = bench.bench_workers(2, rows=2, epochs=3)
    assert (found["workers"], found["rows"]) == (2, 2)
    workers, one_core, rounding = found["seconds_workers"], found["seconds_one_core"], 0.051
    assert (
        (workers - rounding) / (one_core + rounding) - 0.01
        <= found["ratio"]
        <= (workers + rounding) / (one_core - rounding) + 0.01
    )
    assert min(found["seconds_one_core"], found["seconds_all_cores"], found["seconds_workers"]) > 0


def test_nobody_else_on_the_machine_can_use_the_scheduler():
    """Whoever reaches a Dask scheduler runs code in its user's name; this one asks for a certificate that was
    made for one call."""
    from dask.distributed import Client

    with cluster.connect(1) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:") and client.submit(sum, (1, 2)).result() == 3
        for other in (address, address.replace("tls://", "tcp://")):
            with pytest.raises((OSError, TypeError, ValueError)):
                Client(other, timeout=2)


def cannot_be_unpacked():
    class Thing:
        def __reduce__(self):
            return (int, ("not a number",))

    return Thing()


def test_a_result_that_cannot_be_unpacked_stops_no_other():
    with cluster.connect(1) as client:
        outcomes = {
            name: (value, error)
            for name, value, error in cluster.each(client, _either, [("bad", (True,)), ("good", (False,))], 2)
        }
    assert (
        outcomes["good"] == (7, None)
        and outcomes["bad"][0] is None
        and isinstance(outcomes["bad"][1], Exception)
    )


def _either(bad):
    return cannot_be_unpacked() if bad else 7
