"""Where the folders `data` and `reports` lie, from wherever a notebook is run, and how a file gets there."""

import errno
import glob
import os
import re
import shutil
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN = {"data": "LABKIT_DATA", "reports": "LABKIT_REPORTS"}  # folder -> the variable that names another one

STALE_SECONDS = 24 * 3600  # what a killed process left behind is removed after this


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
        or LABKIT_REPORTS, where it is set: for those who may not write into the checkout.
    """
    path = Path(path)
    if path.parts[:1] == ("..",) and Path.cwd().name != "notebooks":
        path = Path(os.path.normpath(ROOT / "notebooks" / path))
    for name, variable in OWN.items():
        if os.environ.get(variable) and Path(os.path.abspath(path)) == ROOT / name:
            return Path(os.environ[variable]).expanduser()
    return path


@contextmanager
def whole_file(path: str | Path):
    """A file that is there as a whole or not at all, whenever the process is killed or the disk is full; two
    processes that write it leave one of the two.

    Args:
        path: the file; its folder is made where it is missing.

    Yields:
        Another path, to be written to: it takes the place of `path` at the end of the block, or vanishes
        where that ends with an error.

    Raises:
        OSError: where it cannot be written, naming `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path.parent, f".{glob.escape(path.name)}.*.tmp")
        yield temporary
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # the latter is what torch raises
        raise _not_written(path, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _not_written(path: Path, error: Exception) -> OSError:
    """The error that names the file; numpy and torch do not say that a disk is full."""
    number = getattr(error, "errno", None)
    full = path.parent.exists() and shutil.disk_usage(path.parent).free < 2**20
    number = errno.ENOSPC if full else number or errno.EIO
    why = os.strerror(number) if number != errno.EIO else str(error)
    return OSError(number, f"{path} cannot be written: {why}")


def remove_stale(folder: Path, pattern: str) -> None:
    """Remove what killed processes left behind in a folder: files and folders of a temporary name that nobody
    has changed for a day."""
    for path in folder.glob(pattern):
        with suppress(OSError):  # another process may remove it first
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def harmless(cell):
    """A cell of a table as a spreadsheet may open it: a text that it would take for a formula gets an
    apostrophe in front.

    Args:
        cell: anything; what is no text stays as it is.
    """
    if not isinstance(cell, str) or not re.match(r"[=@\t\r]|[+-](?![\d.])", cell):
        return cell
    return f"'{cell}"
