"""How long a slider takes to show its picture, in a real browser, beside the least that it can take there.

A page in JupyterLab holds the puppet, the explorer, and beside each a bare `ipywidgets.Image` with a slider
of its own, which changes between two ready pictures of the same size. All are pressed in turns, so that
whatever else the machine does meets all of them.
"""

import os
import statistics
import tempfile
from pathlib import Path

from labkit.benches import browser

NOTEBOOK = """
import ipywidgets as widgets
from IPython.display import display
from labkit import evaluation, raster, synthetic, views
from labkit.widgets import puppet
from labkit.widgets.explorer import Explorer

networks = {name: evaluation.load_network(name) for name in ("smile", "emotion")}

def faces_for(about):
    return evaluation.read_faces("builtin", about, n=20)

def bare(name, pictures):
    files = [raster.png(picture) for picture in pictures]
    image = widgets.Image(value=files[0], width=str(round(pictures[0].shape[1] / raster.SCALE)))
    slider = widgets.IntSlider(description=name, max=1000)
    slider.observe(lambda change: setattr(image, "value", files[change.new % 2]), "value")
    display(widgets.VBox([slider, image]))

display(puppet.Puppet(networks))
drawn = [puppet.face(synthetic.Identity(), units) for units in ({}, {"AU12": 1.0})]
bare("bare puppet", [puppet.reactions(face, networks) for face in drawn])
display(Explorer(list(networks), lambda name: networks[name], faces_for, "activations"))
looks = [views.Look(*networks["smile"], faces_for(networks["smile"][1]), face) for face in (0, 1)]
bare("bare explorer", [views.picture(look, "activations") for look in looks])
"""
PRESSED = {  # what is timed -> label of its slider, keys, and the bare picture that it is compared with
    "puppet": ("AU12 lip corner puller", ("PageUp", "Home"), "bare puppet"),
    "puppet, head": ("head right °", ("PageUp", "PageDown"), "bare puppet"),
    "explorer, channel": ("channel", ("ArrowRight", "ArrowLeft"), "bare explorer"),
    "explorer, face": ("face", ("ArrowRight", "ArrowLeft"), "bare explorer"),
    "explorer, layer": ("layer", ("ArrowRight", "ArrowLeft"), "bare explorer"),
}


def bench_widgets(rounds: int = 15) -> dict:
    """Milliseconds from a key to the new picture, decoded; medians over twice `rounds` presses.

    Returns:
        `load`, the load average when it began, None on Windows, and `widgets`: what is pressed -> `ms`,
        `bare_ms` and their `ratio`.

    Raises:
        OSError: where there is no browser.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as folder:
        _write_notebook(Path(folder) / "widgets.ipynb")
        with browser.jupyterlab(Path(folder)) as address, browser.chromium() as page:
            browser.run_all(page, address("widgets.ipynb"), 120)
            times = _press_in_turns(page, rounds)
    # The first presses build kernels.
    medians = {what: statistics.median(measured[2:]) for what, measured in times.items()}
    rows = {}
    for what, (*_, bare) in PRESSED.items():
        ms, bare_ms = medians[what], medians[bare]
        rows[what] = {"ms": round(ms, 1), "bare_ms": round(bare_ms, 1), "ratio": round(ms / bare_ms, 2)}
    return {"widgets": rows, "load": load}


def _write_notebook(path: Path) -> None:
    import nbformat

    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(NOTEBOOK)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


def _press_in_turns(page, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each press, of what `PRESSED` names and of the bare pictures; one round more than
    `rounds`, to warm up."""
    bare_names = {bare for *_, bare in PRESSED.values()}
    times: dict[str, list[float]] = {name: [] for name in (*PRESSED, *bare_names)}
    for _ in range(rounds + 1):
        for what, (label, keys, bare) in PRESSED.items():
            for key, bare_key in zip(keys, ("ArrowRight", "ArrowLeft")):
                times[what].append(browser.press(page, *_slider_and_picture(page, label), key))
                times[bare].append(browser.press(page, *_slider_and_picture(page, bare), bare_key))
    return times


def _slider_and_picture(page, label: str):
    """The handle of the slider with this label, and the last picture of the output that it stands in."""
    named = f":has(.widget-label:text-is('{label}'))"
    output = page.locator(f".jp-OutputArea-output{named}").last
    return output.locator(f".widget-slider{named} .noUi-handle").last, output.locator("img").last
