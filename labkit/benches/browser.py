"""Chromium on a real JupyterLab: for `bench --widgets`, for the tests of the widgets and for the
screenshots of README.
"""

import base64
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
MISSING = f"no browser: looked for {', '.join(BROWSERS)} on PATH; install one, or name it in LABKIT_BROWSER"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SETTINGS = {
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    "notebook-extension/tracker": '{"windowingMode": "none"}',  # else cells out of sight are not in the page
}
DARK = {"apputils-extension/themes": '{"theme": "JupyterLab Dark"}'}
FOLDERS = (  # environment variables that name folders of Jupyter's own
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "IPYTHONDIR",
)
# The status bar; the indicator beside the kernel's name says so before it is connected.
IDLE = "text=/\\| Idle$/"


def executable() -> str | None:
    """The browser of this machine, or None; the environment's LABKIT_BROWSER comes first."""
    named = [os.environ["LABKIT_BROWSER"]] if os.environ.get("LABKIT_BROWSER") else []
    return next(filter(None, map(shutil.which, (*named, *BROWSERS))), None)


@contextlib.contextmanager
def chromium(width: int = 1400, height: int = 900, scale: float = 1, flags: list[str] | None = None):
    """A page in a new browser, open until the block ends.

    Args:
        width: of the page, in its pixels.
        height: of the page, in its pixels.
        scale: dots of the screen a pixel of the page.
        flags: of the browser's command line, besides `FLAGS`.

    Yields:
        Playwright's page; the errors of its console are collected in `page.faults`.

    Raises:
        OSError: where the machine has no browser, or the package playwright, which drives it, is missing.
    """
    if executable() is None:
        raise OSError(MISSING)
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise OSError(
            "the package playwright drives the browser and is not installed: pip install playwright"
        ) from error

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS + (flags or []))
        page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
        page.faults = []

        def note(message) -> None:
            if message.type == "error":
                page.faults.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        yield page
        browser.close()


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def jupyterlab(folder: Path, threads: int = 2, base: str = "/", dark: bool = False):
    """JupyterLab on a folder, bound to 127.0.0.1 with a token and settings of its own, until the block ends.

    Args:
        folder: that it shows; a hidden folder in it holds its settings and its log.
        threads: of each kernel.
        base: where on the server it lies, "/user/ann/" as JupyterHub has it.
        dark: in its dark theme.

    Yields:
        A function that gives the address of a file in the folder, from its path.

    Raises:
        TimeoutError: where it does not answer within a minute; the message is the end of its log.
    """
    port, token, own = free_port(), secrets.token_hex(16), folder / ".jupyter"
    for name, setting in (SETTINGS | (DARK if dark else {})).items():
        path = own / "jupyterlab_settings_dir" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(setting, encoding="utf-8")
    environment = os.environ | {name: str(own / name.lower()) for name in FOLDERS}
    environment["OMP_NUM_THREADS"] = str(threads)
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", f"--port={port}", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder}", f"--ServerApp.base_url={base}"]
    with (own / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        address = f"http://127.0.0.1:{port}{base}"
        status = f"{address}api/status?token={token}"
        _wait_until(lambda: _answers(status), 60, lambda: (own / "log").read_text(encoding="utf-8")[-2000:])
        yield lambda path: f"{address}lab/tree/{path}?token={token}&reset"
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


def run_all(page, address: str, seconds: float) -> None:
    """Open a notebook and run all its cells.

    Args:
        page: of `chromium`.
        address: of the notebook, as `jupyterlab` gives it.
        seconds: that the cells may take.

    Raises:
        AssertionError: where a cell fails; the message is what it shows.
    """
    page.goto(address)
    page.wait_for_selector(IDLE, timeout=60_000)
    page.click("text=Run >> nth=0")
    page.click("text=Run All Cells")
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
            return prompts.every(p => /\\d/.test(p.textContent))
                || document.querySelector('[data-mime-type$=error]'); }""",
        timeout=seconds * 1000,
    )
    page.wait_for_selector(IDLE, timeout=60_000)
    failed = page.locator("[data-mime-type$=error]")
    assert failed.count() == 0, failed.first.inner_text()


def press(page, control, image, key: str) -> float:
    """Press a key on a control and wait for its picture.

    Args:
        page: of `chromium`.
        control: locator of the control, which is focused first.
        image: locator of the <img> that shows the picture.
        key: its name, such as "ArrowRight".

    Returns:
        Milliseconds from the key to the new picture, decoded.
    """
    image.evaluate(
        """image => { let start = 0;
            addEventListener('keydown', () => { start = performance.now(); }, {capture: true, once: true});
            window.shown = new Promise(done => {
                const observer = new MutationObserver(async () => {
                    observer.disconnect(); await image.decode(); done(performance.now() - start); });
                observer.observe(image, {attributes: true, attributeFilter: ['src']}); }); }"""
    )
    control.focus()
    page.keyboard.press(key)
    return page.evaluate(
        """Promise.race([
            window.shown, new Promise((_, fail) => setTimeout(() => fail('no new picture'), 5000))])"""
    )


def content(image) -> bytes:
    """The file that an <img> shows."""
    text = image.evaluate(
        """async image => { const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
                           return btoa(Array.from(bytes, b => String.fromCharCode(b)).join('')); }"""
    )
    return base64.b64decode(text)
