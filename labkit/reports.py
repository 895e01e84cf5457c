"""Reports: papermill runs the notebooks, each keeps its rows and writes its tables and figures, and
the pages show them.

Written under `reports/<profile>/`: `index.html`, one page a lab, `tables/`, `figures/`, and
`notebooks/<name>.html`, the notebook as it ran, and beside these the glossary, to which their words link. A
notebook is not run again while everything that it depends on, and everything that it wrote, is as it was
(`_stamp`).
"""

import ast
import hashlib
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from labkit.html import pages
from labkit.places import place
from labkit.plan import check_profile, folder_of, read_plan

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"


@dataclass(frozen=True)
class Outcome:
    """What became of a notebook.

    Attributes:
        notebook: its name.
        state: "done", "unchanged" or "failed".
        seconds: that it ran.
        error: the cell and the exception, where it failed.
    """

    notebook: str
    state: str
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Report:
    """What became of all of them.

    Attributes:
        notebooks: in the order of the plan.
        rows_trained: how many rows were trained on the way.
        index: the page to open.
    """

    notebooks: list[Outcome]
    rows_trained: int
    index: Path


def notebooks_of(plan: dict, only: list[str] | None) -> list[str]:
    """The notebooks of labs, each once.

    Args:
        plan: as `plan.read_plan` gives it.
        only: names of labs; None = all, and before them those that belong to no lab.

    Raises:
        ValueError: for a lab that the plan does not have.
    """
    for lab in only or []:
        if lab not in plan["lab"]:
            raise ValueError(f"lab '{lab}': expected one of {', '.join(plan['lab'])}")
    names = [] if only else list(plan["general"]["notebooks"])
    for lab in only or plan["lab"]:
        names += plan["lab"][lab]["notebooks"]
    return list(dict.fromkeys(names))


def report(
    profile: str = "quick",
    only: list[str] | None = None,
    data: str = "",
    data_dir: str | Path = ROOT / "data",
    reports_dir: str | Path = ROOT / "reports",
    force: bool = False,
    workers: int = 1,
    scheduler: str = "",
    jobs: int | None = None,
    say: Callable[[str], None] = print,
) -> Report:
    """Run the notebooks of a profile and write its pages. One notebook that fails stops no other.

    Args:
        profile: "quick" or "full".
        only: labs; None = all.
        data: a data set in place of the profile's own; "" = none.
        data_dir: where imported data sets lie.
        reports_dir: where the plan lies and results go.
        force: run and train all anew.
        workers: see `running.run_all`.
        scheduler: see `running.run_all`.
        jobs: notebooks run side by side, each with its share of the cores; None = one a core in quick, one at
            a time in full, where a training's seconds are part of the result.
        say: is told each step.

    Raises:
        ValueError: for a profile, lab or number that does not exist.
        FileNotFoundError: where `reports_dir` has no plan.
    """
    check_profile(profile)
    reports_dir, data_dir = place(reports_dir).resolve(), place(data_dir).resolve()
    plan, folder = read_plan(reports_dir), folder_of(reports_dir, profile, data)
    names = notebooks_of(plan, only)
    jobs = jobs or ((os.cpu_count() or 1) if profile == "quick" and workers == 1 and not scheduler else 1)
    parameters = {
        "profile": profile,
        "data": data,
        "force": force,
        "workers": workers,
        "scheduler": scheduler,
        "data_dir": relative(data_dir),
        "reports_dir": relative(reports_dir),
    }
    data_dir.mkdir(parents=True, exist_ok=True)  # where drawn faces are kept for all notebooks
    began = time.time()

    def run(name: str) -> Outcome:
        outcome = _run_or_skip(name, parameters, plan, folder, data_dir)
        say(f"{name}: {outcome.state} ({outcome.seconds:.0f} s) {outcome.error}".rstrip())
        return outcome

    say(f"{len(names)} notebooks, {min(jobs, len(names))} at a time")
    done = _side_by_side(run, _longest_first(names, plan), jobs)
    for name in names:  # once more, now that all have written: some share tables
        if done[name].state != "failed":
            stamp = _stamp(name, parameters, plan, folder, data_dir)
            _stamp_of(name, folder).write_text(stamp, encoding="utf-8")
    if (NOTEBOOKS / f"{pages.GLOSSARY}.ipynb").exists():
        pages.write_glossary(NOTEBOOKS / f"{pages.GLOSSARY}.ipynb", folder / "notebooks", profile)
    rows = sum(path.stat().st_mtime >= began for path in (folder / "rows").glob("*.json"))
    return Report([done[name] for name in names], rows, pages.write(plan, profile, folder))


def _side_by_side(run: Callable[[str], Outcome], names: list[str], jobs: int) -> dict[str, Outcome]:
    """What became of each notebook, so many run at a time; the first of the list begin first."""
    here = Path.cwd()
    with _share_of_cores(min(jobs, len(names))), ThreadPoolExecutor(jobs) as pool:
        try:
            return dict(zip(names, pool.map(run, names)))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            _end_kernels()
            raise
        finally:
            os.chdir(here)  # papermill changes it for the whole process, and its threads overtake each other


def _end_kernels() -> None:
    """Ctrl-C in a terminal does not reach kernels, which have sessions of their own, and they would be waited
    for."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.terminate()


def _longest_first(names: list[str], plan: dict) -> list[str]:
    """Those that the plan calls longest in front, so that none is left to run alone at the end."""
    longest = [name for name in plan["general"].get("longest", []) if name in names]
    return longest + [name for name in names if name not in longest]


@contextmanager
def _share_of_cores(jobs: int):
    """Kernels started inside the block compute with so many threads that `jobs` of them fill the machine:
    threads that wait for each other are slower than one alone. A number that the caller has set stays."""
    if jobs == 1 or "OMP_NUM_THREADS" in os.environ:
        yield
        return
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]


def relative(path: Path) -> str:
    """`path` as seen from the notebooks' folder, so that a report names no folder of the machine it was
    made on."""
    try:
        return Path(os.path.relpath(path, NOTEBOOKS)).as_posix()
    except ValueError:  # another drive on Windows
        return str(path)


def _stamp_of(name: str, folder: Path) -> Path:
    return folder / "notebooks" / f"{name}.stamp"


def _run_or_skip(name: str, parameters: dict, plan: dict, folder: Path, data_dir: Path) -> Outcome:
    source, target = NOTEBOOKS / f"{name}.ipynb", folder / "notebooks" / f"{name}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    stamp, page = _stamp_of(name, folder), target.with_suffix(".html")
    kept = not parameters["force"] and page.exists() and stamp.exists()
    if kept and stamp.read_text(encoding="utf-8") == _stamp(name, parameters, plan, folder, data_dir):
        return Outcome(name, "unchanged")
    stamp.unlink(missing_ok=True)
    start = time.time()
    try:
        known = declared(source)
        told = {key: value for key, value in parameters.items() if key in known}
        error = run_notebook(source, target, told)
        pages.write_notebook(target, page, parameters["profile"])
    except OSError as failure:  # a full disk
        target.unlink(missing_ok=True)  # not half of it
        error = f"{target}: {failure.strerror or failure}"
    except Exception as failure:  # a kernel that dies at its start: the other notebooks go on
        error = f"{type(failure).__name__}: {(str(failure).splitlines() or [''])[0]}"
    seconds = time.time() - start
    if error:
        return Outcome(name, "failed", seconds, error)
    stamp.write_text(_stamp(name, parameters, plan, folder, data_dir), encoding="utf-8")
    return Outcome(name, "done", seconds)


def _stamp(name: str, parameters: dict, plan: dict, folder: Path, data_dir: Path) -> str:
    """A hash of everything that a notebook's page depends on (its source and parameters, the package with
    templates and weights, the versions of all packages, the plan, the published figures, what importing the
    data wrote down) and of everything that its labs wrote: rows, tables and figures. How rows are made, by
    how many workers, is none of it."""
    from importlib.metadata import distributions

    how = ("workers", "scheduler", "force")
    told = {key: value for key, value in parameters.items() if key not in how}
    versions = sorted(f"{d.name} {d.version}" for d in distributions())
    digest = hashlib.sha256(json.dumps([told, versions], sort_keys=True).encode())
    code = [path for path in sorted((ROOT / "labkit").rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    published = sorted((folder.parent / "published").glob("*.csv"))
    data = sorted(data_dir.glob("*/*.json"))
    inputs = [NOTEBOOKS / f"{name}.ipynb", folder.parent / "plan.toml", *code, *published, *data]
    for path in [*inputs, *_written(name, plan, folder)]:
        digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()


def _written(name: str, plan: dict, folder: Path) -> list[Path]:
    """Tables, their rows, and figures of the labs that a notebook belongs to, as far as they are there."""
    labs = {lab for lab, settings in plan["lab"].items() if name in settings["notebooks"]}
    tables: list[Path] = []
    for id, table in plan["table"].items():
        if table["lab"] in labs:
            tables += sorted((folder / "tables").glob(f"{id}.*"))
    others = []
    for path in tables:
        if path.suffix == ".json":
            notes = json.loads(path.read_text(encoding="utf-8"))
            others += [folder / "rows" / f"{key}.json" for key in notes.get("rows", [])]
    for figure, settings in plan["figure"].items():
        if settings["lab"] in labs:
            others.append(folder / "figures" / f"{figure}.png")
    return tables + [path for path in others if path.exists()]


def run_notebook(source: Path, target: Path, parameters: dict) -> str:
    """Execute a notebook in a kernel of its own.

    Args:
        source: the notebook.
        target: where it is written as it ran.
        parameters: that are set, each declared by the notebook.

    Returns:
        "", or the cell and error that stopped it.

    Raises:
        ValueError: for a parameter that the notebook does not declare: papermill would only warn.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    known = declared(source)
    for name in parameters:
        if name not in known:
            expected = f"expected one of {', '.join(sorted(known))}"
            raise ValueError(f"{source.name}: unknown parameter '{name}'; {expected}")
    # Else every kernel warns about frozen modules.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    # The kernel is bound to 127.0.0.1; without this it warns that it speaks plain TCP there.
    quiet = ["--log-level=CRITICAL"]
    # This Python's own kernel, also where another one has put a `python3` into the user's folder.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    options = {"kernel_name": "python3", "language": "python", "cwd": str(source.parent)}
    options |= {"progress_bar": False, "extra_arguments": quiet}
    try:
        papermill.execute_notebook(str(source), str(target), parameters, **options)
    except PapermillExecutionError as failure:
        first_line = failure.evalue.splitlines()[0] if failure.evalue else ""
        return f"cell {failure.exec_count}: {failure.ename}: {first_line}"
    except (DeadKernelError, CellTimeoutError) as failure:
        return f"the kernel died: {str(failure).splitlines()[0]}"
    return ""


def declared(source: Path) -> set[str]:
    """The parameters that a notebook's tagged cell declares.

    Raises:
        ValueError: where it has no such cell.
    """
    import nbformat

    for cell in nbformat.read(source, as_version=4).cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            names = [node.targets for node in ast.parse(cell.source).body if isinstance(node, ast.Assign)]
            return {target.id for targets in names for target in targets if isinstance(target, ast.Name)}
    raise ValueError(f"{source.name}: no cell tagged 'parameters'")
