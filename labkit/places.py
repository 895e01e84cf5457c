"""Where the folders `data` and `reports` lie, from wherever a notebook is run."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN = {"data": "LABKIT_DATA", "reports": "LABKIT_REPORTS"}  # folder -> the variable that names another one


def shipped(reports_dir: str | Path, name: str) -> Path:
    """A file of the folder `reports`, such as `plan.toml`; the checkout's own where LABKIT_REPORTS names a
    folder that has none."""
    file = place(reports_dir) / name
    return ROOT / "reports" / name if os.environ.get(OWN["reports"]) and not file.exists() else file


def place(path: str | Path) -> Path:
    """A folder as the notebooks name it.

    They say `../data`, as seen from their own folder; VS Code and papermill may start them elsewhere.

    Args:
        path: a folder. One that begins with `..` is seen from a folder `notebooks`: the current one where it
            is called so, else the checkout's. Any other is seen from the current folder.

    Returns:
        The folder; for the checkout's own `data` and `reports` that of the environment variable LABKIT_DATA
        or
        LABKIT_REPORTS, where it is set: for those who may not write into the checkout.
    """
    path = Path(path)
    if path.parts[:1] == ("..",) and Path.cwd().name != "notebooks":
        path = Path(os.path.normpath(ROOT / "notebooks" / path))
    for name, variable in OWN.items():
        if os.environ.get(variable) and Path(os.path.abspath(path)) == ROOT / name:
            return Path(os.environ[variable])
    return path
