"""Searches: what a choice trains, no trial lost or twice whoever is killed, and methods that beat chance."""

import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psycopg
import pytest

from labkit import figures, runs, search
from labkit.studies import record
from labkit.studies.space import Axis, Space, spec_of

ROOT = Path(__file__).resolve().parents[1]
PLAN = """
[lab.small]
title = "small"
[lab.small.spec]
targets = ["smile"]
data = { name = "builtin", n = 60, size = 32 }
split = { kind = "random", validation = 0.3, test = 0.2 }
config = { epochs = 3 }
[table.none]
lab = "small"
title = "none"
[search.tiny]
lab = "small"
trials = 24
spec.model = "{channels[0]}k3 bn relu P {channels[1]}k3 bn relu P | 8 d{dropout}"
[search.tiny.space]
channels = ["2 2", "2 4", "4 4"]
dropout = [0, 25]
"config.learning_rate" = { low = 1e-3, high = 1e-1, log = true, steps = 5 }
"""


@pytest.fixture
def reports(tmp_path):
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "plan.toml").write_text(PLAN)
    return folder


def tiny(reports, **options):
    return search.read("tiny", "quick", reports.parent / "data", reports, **options)


# The space


def test_an_axis_is_a_list_or_a_range():
    assert Axis.read("a", [3, 1]).values == (3, 1)
    assert Axis.read("a", {"low": 1e-3, "high": 1e-1, "log": True, "steps": 3}).values == (0.001, 0.01, 0.1)
    assert Axis.read("a", {"low": 0, "high": 1, "steps": 3}).values == (0, 0.5, 1)


@pytest.mark.parametrize(
    "given", [[], {}, 3, {"low": 0, "high": 1, "log": True}, {"low": 2, "high": 1}, {"low": 1, "high": 2,
    "steps": 1},
              {"low": 1, "high": 2, "step": 3}, [[1], [2]], {"low": 1, "high": float("inf")},
              {"low": "1", "high": 2}, {"low": 1, "high": 2, "steps": -3}, {"low": 1, "high": 2, "log": "no"}]
)  # fmt: skip
def test_any_other_axis_is_named(given):
    with pytest.raises(ValueError, match=r"^search, .a.: expected a list"):
        Axis.read("a", given)


def test_a_choice_fills_the_model_and_the_settings(reports):
    spec = tiny(reports).spec_of({"channels": "2 4", "dropout": 25, "config.learning_rate": 0.02})
    assert spec.model == "2k3 bn relu P 4k3 bn relu P | 8 d25"
    assert spec.config.learning_rate == 0.02
    assert spec.config.epochs == 3
    base = tiny(reports).spec | {"model": "{a[0]}k3"}
    assert spec_of(base, {"a": "16"}).model == "16k3", "one word is a word, not its first letter"


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        ("{a}k3", {}, "do not fit"),
        ("{a[0]}k3 {a[1]}k3", {"a": "8"}, "'a' needs 2 words, {a[0]} and so on, got '8'"),
        ("{a[0]}k3", {"a": "8 8"}, "'a' needs 1 words"),
        ("8k3", {"a": 8}, "'a' has no place {a} in the model '8k3'"),
        ("8k3", {"config.rate": 8}, "rate"),
    ],
)
def test_what_does_not_fit_is_named(model, values, message):
    base = {"data": {"name": "builtin"}, "split": {"kind": "random"}, "targets": ["smile"], "model": model}
    with pytest.raises(ValueError, match=r"^search: ") as caught:
        spec_of(base, values)
    assert message in str(caught.value)


def test_draws_and_values_are_each_others_inverse():
    space = Space.read({"a": [3, 1, 2], "b": ["x", "y"], "c": {"low": 1, "high": 2}})
    for values in space.grid():
        assert space.values(space.drawn(values)) == values


# A search


def test_every_method_trains_different_trials_and_the_store_holds_them(reports):
    for method in search.METHODS:
        trials = search.run(tiny(reports), method, trials=6, progress=False)
        assert len({tuple(trial.values.values()) for trial in trials}) == 6
        assert all(trial.score == trial.result.value(part="validation") for trial in trials)
    keys = [path.stem for path in (reports / "quick" / "rows").glob("*.json")]
    assert len(keys) <= 24 and len(keys) == len(set(keys))


def test_what_was_trained_before_is_read(reports, monkeypatch):
    first = search.run(tiny(reports), "random", trials=5, progress=False)
    monkeypatch.setattr(search.running, "train", lambda *_: pytest.fail("trained again"))
    other = tiny(reports, storage=f"sqlite:///{reports}/other.db")
    again = search.run(other, "random", trials=5, progress=False)
    assert [trial.values for trial in again] == [trial.values for trial in first]


def test_a_row_that_was_lost_is_trained_again_before_the_search_goes_on(reports):
    first = search.run(tiny(reports), "random", trials=3, progress=False)
    lost = reports / "quick" / "rows" / f"{first[1].result.key}.json"
    lost.unlink()
    again = search.run(tiny(reports), "random", trials=4, progress=False)
    assert lost.exists()
    assert [trial.score for trial in again[:3]] == [trial.score for trial in first]


def test_a_search_that_was_broken_off_goes_on_in_the_same_kernel(reports, monkeypatch):
    train, calls = search.running.train, []

    def stopped_at_the_third(*given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*given)

    monkeypatch.setattr(search.running, "train", stopped_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        search.run(tiny(reports), "random", trials=5, progress=False)
    trials = search.run(tiny(reports), "random", trials=5, progress=False)
    assert len(trials) == 5 and calls[2][0] == calls[3][0], "what was broken off is asked first"


def test_a_trial_that_is_called_off_meanwhile_crashes_nothing(reports):
    one = record.Record("a", tiny(reports).space, "random", 0, 3, f"sqlite:///{reports}/s.db", 1)
    number, values = one.ask()
    watch = one.watch(number, "score")
    one._call_off(number, tiny(reports).space.drawn(values))
    assert watch({"epoch": 1, "score": 0.5}, None) is False
    one.tell(number, 0.5, scores={1: 0.5})
    assert one.done() == [] and one.ask()[1] == values


def test_trials_whose_rows_are_gone_are_still_listed(reports, monkeypatch):
    monkeypatch.setattr(search.plan, "read_plan", _with_early(search.plan.read_plan))
    second = lambda self, study, trial: trial.number == 1  # noqa: E731
    monkeypatch.setattr(record.optuna.pruners.MedianPruner, "prune", second)
    first = search.run(tiny(reports), "random", trials=3, progress=False)
    shutil.rmtree(reports / "quick" / "rows")
    listed = search.finished(tiny(reports), "random")
    assert [t.score for t in listed] == pytest.approx([t.score for t in first], abs=1e-5)
    assert [t.result for t in listed] == [None] * 3
    assert [t.ended_early for t in listed] == [False, True, False]
    assert search.frame(listed)["error"].tolist() == ["its row is not here"] * 3


def test_a_row_cut_short_never_takes_the_place_of_a_whole_one(reports, monkeypatch):
    monkeypatch.setattr(search.plan, "read_plan", _with_early(search.plan.read_plan))
    found, cut = tiny(reports), search.running.train

    def beside_somebody_who_trains_it_whole(spec, data_dir, progress, after_epoch):
        found.store.write(*cut(spec, data_dir, False))
        return cut(spec, data_dir, False, lambda row, model: True)

    monkeypatch.setattr(search.running, "train", beside_somebody_who_trains_it_whole)
    trials = search.run(found, "random", trials=1, progress=False)
    assert not trials[0].ended_early and len(trials[0].result.history) == 3


def test_columns_of_one_name_are_told_apart(reports):
    values = {"score": 1, "config.size": 2, "data.size": 3, "config.rate": 4}
    trial = search.Trial(0, values, 0.5, False, 1.0, None)
    columns = list(search.frame([trial]))
    assert columns[1:5] == ["value of score", "config.size", "data.size", "rate"]


def test_what_is_finished_is_listed_without_training(reports, monkeypatch):
    assert search.finished(tiny(reports), "random") == []
    trials = search.run(tiny(reports), "random", trials=3, progress=False)
    monkeypatch.setattr(search.running, "train", lambda *_: pytest.fail("trained"))
    assert [t.values for t in search.finished(tiny(reports), "random")] == [t.values for t in trials]


def test_a_grid_ends_where_nothing_is_left(reports):
    trials = search.run(tiny(reports), "grid", trials=99, progress=False)
    assert len(trials) == 3 * 2 * 5


def test_a_hopeless_trial_is_ended_and_never_stands_for_a_whole_row(reports, monkeypatch):
    monkeypatch.setattr(search.plan, "read_plan", _with_early(search.plan.read_plan))
    second = lambda self, study, trial: trial.number == 1  # noqa: E731
    monkeypatch.setattr(record.optuna.pruners.MedianPruner, "prune", second)
    found = tiny(reports)
    trials = search.run(found, "random", trials=3, progress=False)
    assert [trial.ended_early for trial in trials] == [False, True, False]
    assert len(trials[1].result.history) == 1
    assert trials[1].score == trials[1].result.history[0]["validation_accuracy_smile"]
    assert search.running.kept(found.spec_of(trials[1].values), found.store) is None


def _with_early(read_plan):
    def read(folder):
        plan = read_plan(folder)
        plan["search"]["tiny"]["early"] = 1
        return plan

    return read


def test_a_training_that_fails_is_a_trial_too(reports, monkeypatch):
    def diverges(spec, *_):
        return runs.RunResult(**_failed(spec)), None

    monkeypatch.setattr(search.running, "train", diverges)
    trials = search.run(tiny(reports), "tpe", trials=4, progress=False)
    assert [trial.score for trial in trials] == [None] * 4
    assert search.frame(trials)["error"].tolist() == ["FloatingPointError: no"] * 4


def _failed(spec):
    identity = search.running.identity_of(spec)
    common = {"key": spec.key(identity), "spec": spec.as_dict(), "engine": runs.ENGINE, "identity": identity}
    return common | runs.provenance() | {"error": "FloatingPointError: no"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('lab = "large"', "search 'tiny': lab 'large', expected one of small"),
        ('lab = "small"\nmethod = "tpe"', "search 'tiny': unknown setting 'method', expected one of early, "),
        ('lab = "small"\nscore = ["validation", "macro_f1"]\nearly = 1', "early needs the score validation"),
        ('lab = "small"\nquick.trails = 3', "unknown setting 'trails', expected one of early, "),
        ('lab = "small"\nearly = "2"', "early: expected a whole number of 1 or more, got '2'"),
        ('lab = "small"\nquick.trials = 2.5', "trials: expected a whole number of 1 or more, got 2.5"),
    ],
)
def test_a_slip_in_the_plan_is_named(reports, line, message):
    (reports / "plan.toml").write_text(PLAN.replace('[search.tiny]\nlab = "small"', f"[search.tiny]\n{line}"))
    with pytest.raises(ValueError, match=r"^search .tiny.: ") as caught:
        tiny(reports)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "big"}, "search 'big': expected one of tiny"),
        ({"profile": "slow"}, "profile: expected one of quick, full, got 'slow'"),
        ({"method": "luck"}, "method: expected one of grid, random, tpe, gp, got 'luck'"),
        ({"trials": 0}, "trials and workers: expected 1 or more, got 0 and 1"),
        ({"storage": "sqlite:////proc/none.db"}, "storage sqlite:////proc/none.db: "),
        ({"storage": "postgresql://somebody:secret@127.0.0.1:9/none"}, "storage postgresql"),
        ({"storage": "wrong"}, "storage wrong: "),
        ({"storage": "sqlite://"}, "storage sqlite://: expected sqlite:///FILE or postgresql://"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(reports, change, message):
    given = {"id": "tiny", "profile": "quick", "method": "random", "trials": 2, "storage": ""} | change
    with pytest.raises((ValueError, OSError)) as caught:
        found = search.read(given["id"], given["profile"], reports, reports, given["storage"])
        search.run(found, given["method"], trials=given["trials"], progress=False)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


# Replayed


GRID = Space.read({"a": [1, 2, 3, 4, 5, 6], "b": [0, 1, 2, 3, 4, 5], "c": ["x", "y", "z"]})
HILL = {tuple(v.values()): -((v["a"] - 5) ** 2) - (v["b"] - 1) ** 2 + (v["c"] == "y") for v in GRID.grid()}


@pytest.mark.parametrize("method", search.METHODS)
def test_a_replay_sees_every_score_once_and_the_seed_alone_decides_the_order(method):
    n = 15 if method == "gp" else len(HILL)
    seen = search.replay(GRID, HILL, method, 3, n)
    assert seen == search.replay(GRID, HILL, method, 3, n)
    assert seen != search.replay(GRID, HILL, method, 4, n)
    if method != "gp":
        assert sorted(seen) == sorted(HILL.values())


def test_a_model_of_what_was_tried_climbs_a_hill_sooner():
    wide = Space.read({"a": list(range(10)), "b": list(range(10)), "c": list(range(6))})
    hill = {tuple(v.values()): -abs(v["a"] - 8) - abs(v["b"] - 3) - abs(v["c"] - 4) for v in wide.grid()}

    def reached(method):
        return np.mean([max(search.replay(wide, hill, method, seed, 60)) for seed in range(6)])

    assert reached("random") + 0.5 < reached("tpe")


def test_what_is_counted():
    assert search.best_so_far([1, 3, 2, 4]).tolist() == [1, 3, 3, 4]
    assert search.trials_to_reach([1, 3, 2], 2) == 2
    assert search.trials_to_reach([1, 3, 2], 4) is None
    assert search.front([3, 1, 2, 2], [5, 1, 0, 3]) == [1, 3, 0]


def test_importance_is_that_of_what_the_score_depends_on():
    trials = [(v, float(v["a"])) for v in GRID.grid()]
    importance = search.importance(GRID, trials)
    assert next(iter(importance)) == "a" and importance["a"] > 0.99
    assert sum(importance.values()) == pytest.approx(1)


def test_the_trials_of_the_lab_fill_their_space():
    found = search.read("replay", "full", ROOT / "data", ROOT / "reports")
    known = search.tried()
    wanted = {tuple(values.values()) for values in found.space.grid()}
    assert {tuple(row[:-2]) for row in known.itertuples(index=False)} == wanted
    assert len(known) == len(wanted) >= 200
    assert known["score"].between(0.1, 0.7).all() and (known["seconds"] > 0).all()


# Pictures


def test_the_line_is_the_median_of_the_seeds():
    values = np.array([[0.1, 0.2], [0.3, 0.3], [0.2, 0.6]])
    ax = figures.best_so_far({"tpe": values}, "accuracy", ("goal", 0.5)).axes[0]
    assert ax.lines[0].get_ydata().tolist() == [0.2, 0.3]
    assert ax.lines[1].get_ydata()[0] == 0.5
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["tpe, 3 seeds", "goal"]


def test_a_trial_is_a_line_and_the_best_is_drawn_again():
    trials = [{"a": "x", "b": 1}, {"a": "y", "b": 2}, {"a": "y", "b": 1}]
    ax = figures.parallel_coordinates(trials, {"a": ["x", "y"], "b": [1, 2]}, [0.1, 0.9, 0.5], "score").axes[
        0
    ]
    drawn = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 3]
    assert len(drawn) == 4
    assert drawn[-1].tolist() == pytest.approx([1, 1, 1], abs=0.02)


def test_the_front_is_drawn_through_the_best():
    ax = figures.front([1, 2, 3], [0.1, 0.5, 0.4], [0, 1], "seconds", "accuracy").axes[0]
    assert ax.lines[1].get_xdata().tolist() == [1, 2]


def test_each_layer_has_a_panel_with_time_to_the_right():
    shares = np.zeros((5, 8))
    shares[2, 7] = 1
    figure = figures.histograms_over_time({"first": shares, "second": shares}, -8, 0, "gradient")
    image = figure.axes[0].images[0]
    assert image.get_array().shape == (8, 5) and image.get_array()[7, 2] == 1
    assert image.get_extent() == [0, 5, -8, 0]
    assert [ax.get_title() for ax in figure.axes[:2]] == ["first", "second"]


# Killed


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def _command(reports, storage, workers):
    options = {"--method": "random", "--workers": workers, "--storage": storage}
    options |= {"--data-dir": reports.parent / "data", "--reports-dir": reports}
    words = [word for option in options.items() for word in map(str, option)]
    return [sys.executable, "-m", "labkit", "search", "tiny", "--json", *words]


def _killed_five_times(reports, storage, workers):
    """Start a search, kill it at a random moment, five times; then let it end. Returns what it said."""
    command, luck = _command(reports, storage, workers), random.Random(workers)

    def kept():
        return len(list((reports / "quick" / "rows").glob("*.json")))

    for _ in range(5):
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, start_new_session=True)
        enough, end = kept() + luck.randint(1, 3), time.time() + 120
        while kept() < enough and time.time() < end:
            assert process.poll() is None, "ended before it was killed"
            time.sleep(0.01)
        time.sleep(luck.random() * 0.2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["trials"]


def _check_whole(reports, trials):
    """24 different trials, each with its row, and no row that is no trial's."""
    assert len(trials) == 24
    assert len({(t["channels"], t["dropout"], t["learning_rate"]) for t in trials}) == 24
    assert all(t["score"] is not None and not t["ended_early"] for t in trials)
    rows = [json.loads(path.read_text()) for path in (reports / "quick" / "rows").glob("*.json")]
    assert len(rows) == 24
    assert not [row["error"] for row in rows if row["error"]]
    assert not list((reports / "quick" / "rows").glob(".*.tmp.json"))


@pytest.mark.parametrize("workers", [1, 3])
def test_killed_five_times_it_has_24_different_trials_in_the_end(reports, workers):
    trials = _killed_five_times(reports, f"sqlite:///{reports}/study.db", workers)
    _check_whole(reports, trials)


@pytest.fixture(scope="module")
def postgres():
    """The address of a PostgreSQL server of this test's own."""
    programs = shutil.which("initdb") or next(Path("/usr/lib/postgresql").glob("*/bin/initdb"), None)
    if programs is None:
        assert os.environ.get("LABKIT_BROWSER_TESTS") != "required", "no PostgreSQL, although CI installs it"
        pytest.skip("no PostgreSQL here: initdb is neither on PATH nor under /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="labkit-postgres-"))  # a short name, for the server's socket
    user = {}
    if os.geteuid() == 0:  # the server refuses to be run by root
        user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, user["group"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bin, data = Path(programs).parent, folder / "data"
    initdb = [bin / "initdb", "-D", data, "-U", "lab", "--auth=trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **user)
    options = ["-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1", "-F"]
    server = subprocess.Popen([bin / "postgres", *options], cwd=folder, stderr=subprocess.DEVNULL, **user)
    address = f"postgresql://lab@127.0.0.1:{port}/postgres"
    end = time.time() + 60
    while not _answers(address):
        assert server.poll() is None and time.time() < end, "the PostgreSQL server did not start"
        time.sleep(0.2)
    yield address
    server.send_signal(signal.SIGINT)
    server.wait(60)
    shutil.rmtree(folder)


def _answers(address):
    try:
        psycopg.connect(address).close()
    except psycopg.OperationalError:
        return False
    return True


def test_killed_on_postgresql(reports, postgres):
    _check_whole(reports, _killed_five_times(reports, postgres, 1))


def test_two_processes_share_a_search(reports):
    command = _command(reports, f"sqlite:///{reports}/study.db", 1)
    options = {"cwd": ROOT, "env": ENVIRONMENT, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **options) for _ in "ab"]
    said = [json.loads(process.communicate()[0])["trials"] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    for trials in said:
        _check_whole(reports, trials)
