"""Sets up `.venv` for Face Lab; `make` calls it, and where there is no make you do. Needs nothing but Python
3.11 to 3.13.

Run again, it installs what changed.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed"


def wanted() -> str:
    """A hash of what the installation depends on."""
    parts = [(ROOT / name).read_bytes() for name in ("requirements.txt", "pyproject.toml", "install.py")]
    return hashlib.sha256(b"".join(parts) + str(ROOT).encode()).hexdigest()


def pip(*arguments: str) -> None:
    """Call `pip install` in `.venv`; end the program where it fails."""
    if subprocess.run([PYTHON, "-m", "pip", "--disable-pip-version-check", "install", *arguments]).returncode:
        sys.exit(
            f"pip could not install {' '.join(arguments)}; its own words are above. "
            "Mend that, then call make again."
        )


def opencv_imports() -> bool:
    """True where OpenCV can be imported in `.venv`: its wheel needs libraries of the system."""
    return subprocess.run([PYTHON, "-c", "import cv2"], capture_output=True).returncode == 0


def take_opencv_without_windows() -> None:
    """Replace OpenCV's wheel by that of the same version that opens no windows."""
    message = (
        "OpenCV's wheel needs libGL, which this machine lacks: taking the wheel without windows instead."
    )
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    line = next(line for line in requirements if line.startswith("opencv-python=="))
    print(message, flush=True)
    subprocess.run([PYTHON, "-m", "pip", "uninstall", "-y", "opencv-python"], check=True)
    headless = line.split()[0].replace("opencv-python", "opencv-python-headless")
    pip("--force-reinstall", "--no-deps", headless)


def main() -> None:
    """Set up `.venv`, or bring it up to date."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        version = sys.version.split()[0]
        sys.exit(f"Face Lab needs Python 3.11, 3.12 or 3.13; this is {version}. Try: make PYTHON=python3.12")
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted():
        return
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        sys.exit(
            f"This Python cannot make a .venv: install its package {package} (sudo apt install {package})."
        )
    print("Setting up .venv: a few minutes, once.", flush=True)
    if Path(sys.prefix) != VENV:  # else it runs in there
        venv.create(VENV, with_pip=True)
    pip("-r", "requirements.txt")
    pip("--no-deps", "-e", ".")
    if not opencv_imports():
        take_opencv_without_windows()
    STAMP.write_text(wanted(), encoding="utf-8")
    if "MAKELEVEL" not in os.environ:  # without make, as on Windows
        print(f"Ready. Now: {PYTHON.relative_to(ROOT)} -m labkit report")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
