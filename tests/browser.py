"""Chromium on a real JupyterLab, for the tests of the widgets and for `docs/screenshots.py`."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def executable() -> str | None:
    """The browser of this machine, or None; the environment's LABKIT_BROWSER comes first."""
    named = [os.environ["LABKIT_BROWSER"]] if os.environ.get("LABKIT_BROWSER") else []
    return next(filter(None, map(shutil.which, (*named, *BROWSERS))), None)


@contextlib.contextmanager
def chromium(width: int = 1400, height: int = 900, scale: float = 1):
    """A page in a new browser, whose console's errors are collected in `page.faults`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
        page.faults = []
        page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        yield page
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def jupyterlab(folder: Path, threads: int = 2):
    """JupyterLab on `folder`, bound to 127.0.0.1 with a token and settings of its own; yields its address up to the path of a file."""
    port, token, own = free_port(), secrets.token_hex(16), folder / ".jupyter"
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
    environment = os.environ | {name: str(own / name.lower()) for name in names} | {"OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    quiet = own / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with (own / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until(lambda: _answers(f"{address}/api/status?token={token}"), 60, lambda: (own / "log").read_text()[-2000:])
        yield lambda path: f"{address}/lab/tree/{path}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(20)


def _answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=2).status == 200
    except OSError:
        return False


def _wait_until(holds, seconds: float, why) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(why())
        time.sleep(0.1)
