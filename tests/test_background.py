"""Long rows in the background: what is missing, in the plan's order, broken off and gone on with, waiting
while something is measured."""

import subprocess
import sys
import threading
import time

import pytest

from labkit import plan, running, runs, training
from labkit.workers import background

PLAN = """
[general]
notebooks = []
[lab.smile]
title = "Smiles"
text = ""
notebooks = []
[lab.smile.spec]
model = "1x32 1x16"
targets = ["smile"]
split = {kind = "random"}
data = {name = "builtin", n = 40, size = 32}
[table.t]
lab = "smile"
title = "T"
row = [
    {model = "short", spec.config.epochs = 1},
    {model = "long", background = true, spec.config.epochs = 3},
    {model = "longer", background = true, spec.config.epochs = 4},
]
[figure]
"""


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setattr(background, "MEASURING", tmp_path / "measuring")
    monkeypatch.setattr(background.os, "nice", lambda by: by, raising=False)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "plan.toml").write_text(PLAN, encoding="utf-8")
    return tmp_path


def table(house, **options):
    return plan.read_table("t", "full", data_dir=house / "data", reports_dir=house / "reports", **options)


def train(house):
    said = []
    todo = plan.background_rows("full", None, house / "data", house / "reports")
    return background.train(todo, house / "data", said.append), said


def test_a_table_goes_without_its_background_rows_until_they_are_there(house):
    assert [row.labels["model"] for row in table(house).rows] == ["short"]
    assert [row.labels["model"] for row in table(house, whole=True).rows] == ["short", "long", "longer"]
    failed, said = train(house)
    assert failed == 0 and said[0] == "2 rows to train in the background"
    assert [line.split(":")[0] for line in said if "kept" in line] == [
        "[1/2] t long, seed 0",
        "[2/2] t longer, seed 0",
    ]
    assert [row.labels["model"] for row in table(house).rows] == ["short", "long", "longer"]
    assert train(house) == (0, ["0 rows to train in the background"])
    assert not list((house / "reports" / "runs").rglob("checkpoint.pt"))


def test_killed_in_the_middle_of_a_row_it_goes_on_within_it(house, monkeypatch):
    fit = training.fit

    def killed_after_two(*arguments, after_epoch, **options):
        def told(row, model):
            after_epoch(row, model)
            if row["epoch"] == 3:
                raise KeyboardInterrupt

        return fit(*arguments, after_epoch=told, **options)

    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", killed_after_two)
        with pytest.raises(KeyboardInterrupt):
            train(house)
    said = train(house)[1]
    assert [line.rsplit(": ", 1)[1][:12] for line in said if "long, seed" in line and "epoch" in line] == [
        "epoch 3 of 3"
    ]
    kept = {
        r.spec["config"]["epochs"]: r
        for r in map(table(house).store.read, (p.stem for p in (house / "reports/full/rows").glob("*.json")))
    }
    spec = runs.RunSpec.from_dict(kept[3].spec)
    unbroken, _ = running.train(spec, house / "data", progress=False)
    assert unbroken.metrics == kept[3].metrics and len(kept[3].history) == 3


def test_it_waits_while_something_is_measured(house):
    done = []
    with background.measuring():
        waiting = threading.Thread(target=lambda: (background.wait(0.01), done.append(1)))
        waiting.start()
        time.sleep(0.1)
        assert not done
    waiting.join(10)
    assert done
    background.MEASURING.write_text("1", encoding="utf-8")
    import os

    os.utime(background.MEASURING, (0, 0))
    background.wait()  # the lock of one that was killed


def test_the_command(house):
    command = [
        sys.executable,
        "-m",
        "labkit",
        "report",
        "--profile",
        "full",
        "--background",
        "--only",
        "smile",
    ]
    command += ["--reports-dir", house / "reports", "--data-dir", house / "data"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "[2/2] t longer, seed 0: kept as" in done.stderr
