"""`python -m labkit doctor`: what is here, what is not, and what to do about it."""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Check:
    """One line of the doctor's findings.

    Attributes:
        name: what was looked at.
        ok: whether it is as it should be.
        found: what was seen.
        remedy: what to do where it failed.
        optional: whether the labs run without it.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    optional: bool = False

    def line(self) -> str:
        """`[OK] name: found`, or `[FAIL] name: found. What to do: ...`"""
        if self.ok:
            return f"[OK]   {self.name}: {self.found}"
        return f"[FAIL] {self.name}: {self.found}. What to do: {self.remedy}"


def python() -> Check:
    """The version of Python: 3.11, 3.12 or 3.13."""
    version = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check("Python", ok, version, "install Python 3.11, 3.12 or 3.13, delete .venv and call make again")


def packages() -> list[Check]:
    """Each package that pyproject.toml asks for, against its range."""
    from packaging.requirements import Requirement

    checks = []
    for text in metadata.requires("labkit") or []:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = _version(requirement.name)
        ok = found is not None and requirement.specifier.contains(found, prereleases=True)
        asked = f"pip install '{requirement.name}{requirement.specifier}'"
        checks.append(Check(requirement.name, ok, found or "not installed", asked))
    return checks


def _version(name: str) -> str | None:
    """The installed version. OpenCV's headless wheel is the same package without windows, so
    it counts as OpenCV."""
    for candidate in (name, f"{name}-headless") if name == "opencv-python" else (name,):
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return None


def pairing() -> Check:
    """torch and torchvision are compiled for each other: the import shows whether these two are."""
    try:
        import torch
        import torchvision
    except (ImportError, RuntimeError, OSError) as error:
        remedy = "pip install the versions in requirements.txt, both at once, then pip install --no-deps -e ."
        return Check("torch with torchvision", False, str(error).splitlines()[0], remedy)
    return Check("torch with torchvision", True, f"{torch.__version__} with {torchvision.__version__}")


def opencv() -> Check:
    """Whether OpenCV can be imported."""
    try:
        import cv2
    except ImportError as error:
        remedy = "run python install.py: it falls back to the wheel without windows"
        return Check("import cv2", False, str(error), remedy)
    return Check("import cv2", True, f"{cv2.__version__}, {cv2.getNumThreads()} threads")


def device() -> Check:
    """What trains here, and in which number formats."""
    try:
        from labkit import devices
    except (ImportError, RuntimeError, OSError) as error:
        return Check("device", False, str(error).splitlines()[0], "mend torch first")
    chosen = devices.best_device()
    formats = "float32; rows in bfloat16 are read, not trained"
    if devices.has_bfloat16(chosen):
        formats = "float32 and bfloat16"
    return Check("device", True, f"{chosen.type}, trains in {formats}, {os.cpu_count()} processor cores")


def disk(needed_gb: float = 2.0) -> Check:
    """Room on the disk that holds the repository, in GB."""
    free = shutil.disk_usage(ROOT).free / 1e9
    remedy = f"make room: data sets and reports need about {needed_gb:.0f} GB"
    return Check("free disk", free >= needed_gb, f"{free:.1f} GB", remedy)


def data(data_dir: Path) -> list[Check]:
    """One line a data set: imported or not."""
    from labkit import datasets

    checks = []
    for name in datasets.SOURCES:
        here = datasets.available(name, data_dir)
        found = "imported" if here else "not imported"
        remedy = f"see data/README.md, then python -m labkit data import {name} FILE"
        checks.append(Check(f"data {name}", here, found, remedy, optional=True))
    return checks


def camera() -> Check:
    """On Linux a camera is a device file; elsewhere opening the first one is the only way to know."""
    if sys.platform.startswith("linux"):
        cameras = sorted(str(path) for path in Path("/dev").glob("video*"))
        remedy = "connect one, or give the demo a video file"
        return Check("camera", bool(cameras), ", ".join(cameras) or "none", remedy, optional=True)
    import cv2

    capture = cv2.VideoCapture(0)
    opened = capture.isOpened()
    capture.release()
    found = "the first one opens" if opened else "none opens"
    return Check("camera", opened, found, "connect one and allow its use", optional=True)


def text(checks: list[Check]) -> str:
    """A line for each check; what is optional and not there shares one quiet line at the end."""
    lines = [check.line() for check in checks if check.ok or not check.optional]
    absent = [check.name for check in checks if check.optional and not check.ok]
    if absent:
        how = "(`python -m labkit data list` says how to get data)"
        lines.append(f"Not here, and nothing needs it: {', '.join(absent)} {how}.")
    return "\n".join(lines)


def all_checks(data_dir: Path = ROOT / "data") -> list[Check]:
    """Every check, in the order in which failures are best mended."""
    return [python(), *packages(), pairing(), opencv(), device(), disk(), *data(data_dir), camera()]
