"""Reports: papermill runs the notebooks, each keeps its rows and writes its tables and figures, and the pages show them.

Written under `reports/<profile>/`: `index.html`, one page a lab, `tables/`, `figures/`, and `notebooks/<name>.html`, the
notebook as it ran. A notebook whose source, parameters, package code, plan and data did not change is not run again.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit import pages
from labkit.plan import check_profile, folder_of, read_plan

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"


@dataclass(frozen=True)
class Outcome:
    """What became of a notebook: `state` is "done", "unchanged" or "failed"; `error` names the cell and the exception."""

    notebook: str
    state: str
    seconds: float = 0.0
    rows_trained: int = 0
    error: str = ""


def notebooks_of(plan: dict, only: list[str] | None) -> list[str]:
    """The notebooks of the labs `only`, or all. Raises ValueError for a lab that the plan does not have."""
    for lab in only or []:
        if lab not in plan["lab"]:
            raise ValueError(f"lab '{lab}': expected one of {', '.join(plan['lab'])}")
    first = [] if only else plan["general"]["notebooks"]
    return list(dict.fromkeys(first + [n for lab in only or plan["lab"] for n in plan["lab"][lab]["notebooks"]]))


def report(
    profile: str = "quick",
    only: list[str] | None = None,
    data: str = "",
    data_dir: str | Path = ROOT / "data",
    reports_dir: str | Path = ROOT / "reports",
    force: bool = False,
    workers: int = 1,
    scheduler: str = "",
    say: Callable[[str], None] = print,
) -> list[Outcome]:
    """Run the notebooks of a profile and write its pages. `force`: run and train all anew. `data`: a data set in place of
    the profile's own. `workers`, `scheduler`: see `runs.run_all`. `say` is told each step. One notebook that fails stops no other."""
    check_profile(profile)
    reports_dir, data_dir = Path(reports_dir).resolve(), Path(data_dir).resolve()
    plan, folder = read_plan(reports_dir), folder_of(reports_dir, profile, data)
    folders = {name: relative(path) for name, path in (("data_dir", data_dir), ("reports_dir", reports_dir))}
    parameters = {"profile": profile, "data": data, "force": force, "workers": workers, "scheduler": scheduler, **folders}
    outcomes = []
    names = notebooks_of(plan, only)
    for i, name in enumerate(names, 1):
        say(f"[{i}/{len(names)}] {name} ...")
        outcome = _run_or_skip(name, parameters, folder, data_dir)
        outcomes.append(outcome)
        trained = f", {outcome.rows_trained} rows trained" if outcome.state == "done" else ""
        say(f"[{i}/{len(names)}] {name}: {outcome.state} ({outcome.seconds:.0f} s{trained}) {outcome.error}".rstrip())
    pages.write(plan, profile, folder)
    return outcomes


def relative(path: Path) -> str:
    """`path` as seen from the notebooks' folder, so that a report names no folder of the machine it was made on."""
    try:
        return Path(os.path.relpath(path, NOTEBOOKS)).as_posix()
    except ValueError:  # another drive on Windows
        return str(path)


def _run_or_skip(name: str, parameters: dict, folder: Path, data_dir: Path) -> Outcome:
    source, target = NOTEBOOKS / f"{name}.ipynb", folder / "notebooks" / f"{name}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    given = {key: value for key, value in parameters.items() if key in declared(source)}
    stamp, page = target.with_suffix(".stamp"), target.with_suffix(".html")
    how = ("workers", "scheduler")  # decide how rows are made, not what they are
    now = _stamp(source, {key: value for key, value in given.items() if key not in how}, folder.parent, data_dir)
    if not parameters["force"] and page.exists() and stamp.exists() and stamp.read_text() == now:
        return Outcome(name, "unchanged")
    stamp.unlink(missing_ok=True)
    start = time.time()
    error = run_notebook(source, target, given)
    seconds = time.time() - start
    pages.write_notebook(target, page, parameters["profile"])
    trained = sum(path.stat().st_mtime >= start for path in (folder / "rows").glob("*.json"))
    if error:
        return Outcome(name, "failed", seconds, trained, error)
    stamp.write_text(now)
    return Outcome(name, "done", seconds, trained)


def _stamp(source: Path, parameters: dict, reports_dir: Path, data_dir: Path) -> str:
    """A hash of everything that a notebook's results depend on; of the data sets, what their import wrote down."""
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    code = sorted((ROOT / "labkit").rglob("*.py")) + sorted((reports_dir / "published").glob("*.csv"))
    for path in [source, reports_dir / "plan.toml", *code, *sorted(data_dir.glob("*/*.json"))]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def run_notebook(source: Path, target: Path, parameters: dict) -> str:
    """Execute `source` with `parameters` into `target`, in a kernel of its own; returns "", or the cell and error that
    stopped it. Raises ValueError for a parameter that the notebook does not declare: papermill would only warn."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    known = declared(source)
    for name in parameters:
        if name not in known:
            raise ValueError(f"{source.name}: unknown parameter '{name}'; expected one of {', '.join(sorted(known))}")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # else every kernel warns about frozen modules
    quiet = ["--log-level=CRITICAL"]  # the kernel is bound to 127.0.0.1; without this it warns that it speaks plain TCP there
    options = {"kernel_name": "python3", "cwd": str(source.parent), "progress_bar": False, "extra_arguments": quiet}
    try:
        papermill.execute_notebook(str(source), str(target), parameters, **options)
    except PapermillExecutionError as failure:
        return f"cell {failure.exec_count}: {failure.ename}: {failure.evalue.splitlines()[0] if failure.evalue else ''}"
    except (DeadKernelError, CellTimeoutError) as failure:
        return f"the kernel died: {str(failure).splitlines()[0]}"
    return ""


def declared(source: Path) -> set[str]:
    """The parameters that a notebook's tagged cell declares. Raises ValueError where it has no such cell."""
    import papermill

    found = papermill.inspect_notebook(str(source))
    if not found:
        raise ValueError(f"{source.name}: no cell tagged 'parameters'")
    return set(found)
