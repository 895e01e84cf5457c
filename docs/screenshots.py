"""Makes the screenshots of README.md: python docs/screenshots.py. Needs Chromium.

Widgets in a real JupyterLab, with built-in faces; the pages are those of the full report, whose tables and
figures are committed.
"""

import shutil
import tempfile
from pathlib import Path

from labkit import plan
from labkit.benches import browser
from labkit.html import pages

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def widget(page, label: str):
    """The whole widget that has a control with this label."""
    return page.locator(f".jp-OutputArea-output:has(.widget-label:text-is('{label}'))").last


def report_pages() -> None:
    """The gallery, and the beginning of a lab's page."""
    with tempfile.TemporaryDirectory() as name, browser.chromium(1200, 760) as page:
        folder = Path(name) / "full"
        shutil.copytree(ROOT / "reports" / "full", folder, ignore=shutil.ignore_patterns("rows", "notebooks"))
        pages.write(plan.read_plan(ROOT / "reports"), "full", folder)
        for source, height in (("index", 760), ("smile", 1160)):
            page.goto((folder / f"{source}.html").as_uri())
            clip = {"x": 0, "y": 0, "width": 1200, "height": height}
            page.screenshot(path=HERE / f"report_{source}.png", clip=clip, full_page=True)


def explorer_and_puppet(page, notebook: str) -> None:
    """The two widgets of notebook 07, each after a few turns of its controls."""
    browser.run_all(page, notebook, 900)
    for name, keys in (("layer", ["ArrowRight"] * 2), ("channel", ["PageUp"]), ("face", ["PageUp"] * 3)):
        page.locator(f".widget-slider:has(.widget-label:text-is('{name}')) .noUi-handle").last.focus()
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(400)
    method = page.locator(".widget-dropdown:has(.widget-label:text-is('method')) select")
    method.select_option("strongest faces")
    page.wait_for_timeout(3000)
    widget(page, "channel").screenshot(path=HERE / "explorer.png")
    person = page.locator(".widget-dropdown:has(.widget-label:text-is('person')) select").last
    person.select_option("woman, dark skin")
    page.locator(".widget-slider:has(.widget-label:text-is('head right °')) .noUi-handle").last.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.locator("button:text-is('happy')").last.click()
    page.wait_for_timeout(3000)
    widget(page, "AU12 lip corner puller").screenshot(path=HERE / "puppet.png")


def webcam(page, notebook: str) -> None:
    """The camera widget of notebook 10 while it shows the film."""
    browser.run_all(page, notebook, 900)
    page.select_option(".camera-widget select >> nth=0", "film")
    page.click(".camera-button:text-is('start')")
    page.wait_for_timeout(6000)
    page.locator(".camera-widget").screenshot(path=HERE / "webcam.png")


def annotator(page, notebook: str) -> None:
    """The annotator of notebook 08, three answers into its first face."""
    browser.run_all(page, notebook, 900)
    tool = page.locator(".annotator")
    tool.focus()
    for key in ("1", "1", "2"):
        page.keyboard.press(key)
        page.wait_for_timeout(400)
    tool.screenshot(path=HERE / "annotator.png")


def main() -> None:
    """Make all of them."""
    report_pages()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "notebooks", folder / "notebooks")
        left_out = shutil.ignore_patterns("quick", "runs", "full*")
        shutil.copytree(ROOT / "reports", folder / "reports", ignore=left_out)
        with browser.jupyterlab(folder) as address, browser.chromium(1400, 1000, scale=1.5) as page:
            explorer_and_puppet(page, address("notebooks/07_filter_visualisation.ipynb"))
            annotator(page, address("notebooks/08_face_attributes.ipynb"))
            webcam(page, address("notebooks/10_webcam_demo.ipynb"))


if __name__ == "__main__":
    main()
