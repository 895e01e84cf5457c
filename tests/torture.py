"""Everything that may go wrong, again and again: `python tests/torture.py --minutes 10` prints what it
counted, and ends with 1 where something was lost, half-written or answered by a traceback.

Four parts: each kind of `bad_inputs.KINDS`; a disk that is full at twenty places; kills at random moments of
import, training, search and report; and, in what is left of the time, the random inputs of
`test_any_input.py`, other ones each time. Annotation comes with its lab."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HERE.parent}:{HERE}"}
KILLS = 100


def say(text: str) -> None:
    print(text, flush=True)


# Every kind of bad input


def bad_kinds() -> tuple[int, list[str]]:
    """How many kinds were tried, and what was wrong."""
    return _tests("test_bad_inputs.py")


def _tests(file: str, **more) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / file)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT | more, cwd=HERE.parent)
    lines = done.stdout.splitlines()
    passed = sum(line.count(".") for line in lines if line.rstrip().endswith("%]"))
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    if done.returncode and not failed:
        failed = [done.stdout[-300:] + done.stderr[-300:]]
    return passed + len(failed), failed


# A disk that is full

FREE = (0, 1, 40)  # kilobytes that are left, where several are tried


def places(folder: Path) -> dict[str, Callable[[], None]]:
    """What writes to the disk that `folder` lies on: name -> the writing."""
    import bad_inputs
    import numpy as np
    import pandas as pd
    from downloads import write

    from labkit import camera, datasets, figures, follow, models, plan, reports, runs, tables
    from labkit.formats import cache
    from labkit.html import pages
    from labkit.loop import checkpoint

    cache.SPARE_BYTES = -(2**40)  # else the import would see at once that there is no room
    source = Path(tempfile.mkdtemp())
    write(source / "genki", bad_inputs.GENKI)
    shutil.copy(HERE.parent / "reports" / "plan.toml", folder)
    shutil.copytree(HERE.parent / "reports" / "published", folder / "published")
    network = models.build("1x32 1x16", {"smile": 2}, (), 1, 0, 32)
    store = runs.Store(folder / "rows", folder / "runs")
    result = runs.RunResult(**bad_inputs.ROW)
    picture = figures.faces(np.zeros((4, 32, 32, 1), np.uint8), list("abcd"))
    table = plan.read_table("smile-speed", "quick", reports_dir=folder)
    measured = pd.DataFrame({"model": ["a"], "ms a face": [1.5]})
    film = camera.Source([(np.full((64, 64, 3), i, np.uint8), i / 9) for i in range(90)], 90, 9.0, "film")

    def saved_checkpoint():
        import torch

        path, parts = folder / "runs" / "x" / "checkpoint.pt", {"model": network}
        checkpoint.save(path, "x", torch.device("cpu"), torch.Generator(), parts, {})

    def notebook():
        target = folder / "quick" / "notebooks" / "00_start_here.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        asked, of = {"profile": "quick", "force": True}, plan.read_plan(folder)
        outcome = reports._run_or_skip("00_start_here", asked, of, folder / "quick", folder)
        if outcome.state == "failed":
            raise OSError(outcome.error)

    return {
        "import": lambda: datasets.import_data("genki4k", source / "genki", folder / "data", progress=False),
        "weights": lambda: models.save(folder / "runs" / "x" / "weights.pt", network),
        "row": lambda: store.write(result),
        "row with weights": lambda: store.write(result, network),
        "checkpoint": saved_checkpoint,
        "table": lambda: tables.save(table, measured, []),
        "figure": lambda: figures.save(picture, folder, "a"),
        "report's pages": lambda: pages.write(plan.read_plan(folder), "quick", folder / "quick"),
        "contact sheet": lambda: datasets.contact_sheet(source / "genki", folder / "sheet.png"),
        "recording": lambda: camera.run(film, follow.Watcher({}), folder / "a.webm", progress=False),
        "notebook": notebook,
    }


def full_disk(folder: Path) -> tuple[int, list[str]]:
    """Writes everything once, then with a disk that is full: `folder` is a small one of its own."""
    wrong, tried = [], 0
    acts = places(folder)
    for act in acts.values():
        act()
    filler = folder / "filler"
    for name, act in acts.items():
        for left in FREE[:2] if name in ("notebook", "recording") else FREE:
            before = _contents(folder)
            with filler.open("wb") as stream:
                room = shutil.disk_usage(folder).free - left * 1024
                stream.write(bytes(max(room, 0)))
            tried += 1
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    act()
            except (OSError, ValueError) as error:
                if "\n" in str(error):
                    wrong.append(f"{name}, {left} kB left: several lines: {error}")
            except Exception:
                wrong.append(f"{name}, {left} kB left: {traceback.format_exc(limit=-3)}")
            filler.unlink()
            after = _contents(folder)
            gone = (
                before.keys() - after.keys() - {"a.png"}
            )  # the timeline of an earlier film goes, and so does
            lost = sorted(path for path in gone if "00_start_here" not in path)  # what an earlier run showed
            half = [path for path in after if path.endswith((".tmp", ".part"))]
            half += [path for path in before if before[path] > 0 == after.get(path)]
            for what, paths in {"lost": lost, "half-written": half}.items():
                if paths:
                    wrong.append(f"{name}, {left} kB left: {what} {paths}")
            act()  # and with room again
    return tried, wrong


def _contents(folder: Path) -> dict[str, int]:
    """Name -> bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def on_a_small_disk() -> tuple[int, list[str]]:
    """`full_disk` in a process that may mount one; says why where none may."""
    with tempfile.TemporaryDirectory() as place:
        again = f"exec {sys.executable} {__file__} --disk {place}"
        script = f"mount -t tmpfs -o size=12m labkit {place} && {again}"
        inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
        try:
            done = subprocess.run(inside, capture_output=True, text=True, env=ENVIRONMENT)
        except FileNotFoundError:
            return 0, ["a full disk cannot be tried here: the command unshare is not there"]
        if done.returncode or not done.stdout:
            return 0, [f"a full disk cannot be tried here: {done.stderr.strip()[-300:]}"]
        return tuple(json.loads(done.stdout.splitlines()[-1]))


# Kills

IMPORT = """
import sys
from labkit import datasets
datasets.import_data("genki4k", sys.argv[1] + "/genki", sys.argv[1] + "/data", progress=False)
"""
TRAIN = """
import sys
from labkit import running, runs
spec = {"data": {"name": "builtin", "n": 60, "size": 32}, "split": {"kind": "random"}}
spec |= {"model": "1x32 1x16", "targets": ["smile"], "config": {"epochs": 12}}
store = runs.Store(sys.argv[1] + "/rows", sys.argv[1] + "/runs")
for seed in range(3):
    running.run(runs.RunSpec.from_dict({**spec, "seed": seed}), store, progress=False, checkpoint=True)
"""
SEARCH = """
import sys
from labkit import search
found = search.read("emotion", "quick", sys.argv[1] + "/data", sys.argv[1])
trials = search.run(found, "random", trials=6, progress=False)
assert len({tuple(trial.values.values()) for trial in trials}) == 6, trials
assert all(trial.score == trial.result.value(part="validation") for trial in trials if not trial.ended_early)
"""
REPORT = """
import sys
from labkit import reports
made = reports.report("quick", ["smile"], "", sys.argv[1] + "/data", sys.argv[1], jobs=2)
sys.exit(any(outcome.state == "failed" for outcome in made.notebooks))
"""


WORKS = {  # name -> its script, and seconds within which it is killed
    "import": (IMPORT, 4.0),
    "training": (TRAIN, 9.0),
    "search": (SEARCH, 20.0),
    "report": (REPORT, 60.0),
}


def kills(count: int, seconds: float, shares=(0.35, 0.35, 0.2, 0.1)) -> tuple[int, list[str]]:
    """So many, at random moments, for at most so long; then each work is finished and looked at.

    Args:
        count: how many.
        seconds: after which no more are begun.
        shares: of each of `WORKS` among them.
    """
    import bad_inputs
    from downloads import write

    wrong, done, end = [], 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder / "genki", bad_inputs.GENKI)
        shutil.copy(HERE.parent / "reports" / "plan.toml", folder)
        shutil.copytree(HERE.parent / "reports" / "published", folder / "published")
        order = random.choices(list(WORKS), shares, k=count)
        for name in order:
            if time.monotonic() > end:
                break
            script, longest = WORKS[name]
            _killed(script, folder, random.uniform(0.0, longest))
            done += 1
            wrong += [f"{name}: {what}" for what in _looked_at(folder)]
        for name in sorted(set(order[:done])):
            command = [sys.executable, "-c", WORKS[name][0], str(folder)]
            finished = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
            if finished.returncode:
                wrong.append(f"{name} did not finish after the kills: {finished.stderr[-300:]}")
        wrong += [f"at the end: {what}" for what in _looked_at(folder)]
    return done, wrong


def _killed(script: str, folder: Path, after: float) -> None:
    """Start it in a group of its own, and kill all of that."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _looked_at(folder: Path) -> list[str]:
    """What is half-written or lost in a folder whose owner was killed."""
    from labkit import datasets, models, runs

    wrong = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for rows in folder.rglob("rows"):
            store = runs.Store(rows, folder / "runs")
            for path in rows.glob("*.json"):
                store.read(path.stem)
        if datasets.available("genki4k", folder / "data"):
            problems = datasets.check("genki4k", folder / "data")["problems"]
            wrong += [problem for problem in problems if "expected" not in problem]  # it has five images
        for path in folder.glob("runs/*/weights.pt"):
            try:
                models.load(path)
            except ValueError as error:
                wrong.append(str(error))
        for path in [*folder.rglob("*.png"), *folder.rglob("tables/*"), *folder.glob("quick/*.html")]:
            if not path.name.startswith(".") and not path.stat().st_size:
                wrong.append(f"{path} is empty")
    return wrong + [str(warning.message) for warning in said if "damaged" in str(warning.message)]


# Random inputs


def random_inputs(seconds: float) -> tuple[int, list[str]]:
    """Rounds of `test_any_input.py`, each with other inputs."""
    wrong, rounds, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        _, failed = _tests("test_any_input.py", LABKIT_TIMES_EXAMPLES="4")
        rounds, wrong = rounds + 1, wrong + failed
    return rounds, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="about how long; at least one")
    parser.add_argument(
        "--kills", type=int, default=KILLS, help=f"how many, as far as the time goes; default {KILLS}"
    )
    parser.add_argument("--disk", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.disk:
        print(json.dumps(full_disk(Path(options.disk))))
        return 0
    end = time.monotonic() + 60 * options.minutes
    counted = {}
    for name, part in {
        "kinds of bad input": bad_kinds,
        "writings to a full disk": on_a_small_disk,
        "kills": lambda: kills(options.kills, 0.85 * (end - time.monotonic())),
        "rounds of random inputs": lambda: random_inputs(end - time.monotonic()),
    }.items():
        began = time.monotonic()
        counted[name] = part()
        tried, wrong = counted[name]
        say(f"{name}: {tried} tried, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
        for what in wrong:
            say(f"  {what}")
    return int(any(wrong for _, wrong in counted.values()))


if __name__ == "__main__":
    sys.exit(main())
