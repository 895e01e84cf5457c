"""The widgets as students use them: Chromium opens notebooks 00 and 07 in a real JupyterLab with a real
kernel, runs all cells, moves every slider and compares what it sees with the function that draws it. Then the
exported page, without either. How fast it is, `labkit bench --widgets` measures."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import needs_browser

from labkit import evaluation, synthetic, views
from labkit.benches import browser
from labkit.html import pages
from labkit.widgets import puppet

ROOT = Path(__file__).resolve().parents[1]

pytestmark = needs_browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(
        ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    (folder / "reports").mkdir()
    shutil.copy(ROOT / "reports" / "plan.toml", folder / "reports")
    shutil.copytree(ROOT / "reports" / "published", folder / "reports" / "published")
    return folder


@pytest.fixture(scope="module")
def page():
    with browser.chromium() as page:
        yield page


@pytest.fixture(scope="module")
def lab(folder):
    with browser.jupyterlab(folder, base="/user/ann/") as address:  # as under JupyterHub
        yield address


@pytest.fixture(scope="module")
def networks():
    return {name: evaluation.load_network(name) for name in ("smile", "emotion")}


def same(content: bytes, expected: np.ndarray) -> bool:
    """The same picture: the kernel may sum in another order, so that a colour is one step off here and
    there."""
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    return picture.shape == expected.shape and np.abs(picture.astype(int) - expected).mean() < 0.05


def handle(page, description: str):
    """The slider with this label."""
    return page.locator(f".widget-slider:has(.widget-label:text-is('{description}')) .noUi-handle").last


def move_every_slider_of_the_puppet(page, networks) -> None:
    """Each of the fifteen, up and down again; then those of head and lamp, the people, and every button."""
    face, live = (page.locator("img.jupyter-widgets").nth(i) for i in (-2, -1))
    face.scroll_into_view_if_needed()
    identity, units = synthetic.Identity(), dict.fromkeys(synthetic.ACTION_UNITS, 0.0)
    for name in units:
        slider = handle(page, f"{name} {synthetic.ACTION_UNITS[name]}")
        browser.press(page, slider, live, "PageUp")
        moved = units | {name: float(slider.get_attribute("aria-valuetext"))}
        assert moved[name] > 0
        assert same(browser.content(face), puppet.face(identity, moved)), name
        assert same(browser.content(live), puppet.reactions(puppet.face(identity, moved), networks)), name
        browser.press(page, slider, live, "Home")
    seen = {name: at_first for name, (*_, at_first) in puppet.SEEN.items()}
    for name, (label, _, most, _, _) in puppet.SEEN.items():
        slider = handle(page, label)
        browser.press(page, slider, live, "End")
        seen[name] = float(slider.get_attribute("aria-valuetext"))
        assert seen[name] == most
        drawn = puppet.face(identity, units, **seen)
        assert same(browser.content(face), drawn), name
        assert same(browser.content(live), puppet.reactions(drawn, networks)), name
        browser.press(page, slider, live, "PageDown")
        seen[name] = float(slider.get_attribute("aria-valuetext"))
        assert seen[name] < most
    person = page.locator(".widget-dropdown:has(.widget-label:text-is('person')) select").last
    for name in [*list(puppet.PEOPLE)[1:], "plain"]:
        choose(page, person, face, name)
        assert same(browser.content(face), puppet.face(puppet.PEOPLE[name], units, **seen)), name
    for emotion in synthetic.EMOTIONS[1:]:
        before = browser.content(face), face.get_attribute("src")
        page.click(f"button:text-is('{emotion}')")
        page.wait_for_function(
            "([image, before]) => image.src != before", arg=[face.element_handle(), before[1]]
        )
        assert browser.content(face) != before[0]


def test_the_puppet_in_notebook_00(page, lab, networks):
    browser.run_all(page, lab("notebooks/00_start_here.ipynb"), 600)
    move_every_slider_of_the_puppet(page, networks)


def test_the_ranges_in_notebook_06_choose_trials(page, lab):
    browser.run_all(page, lab("notebooks/06_hyperparameter_search.ipynb"), 600)
    picture = page.locator(".widget-vbox:has(.widget-label:text-is('dropout')) img").last
    picture.scroll_into_view_if_needed()
    told = page.locator(".widget-vbox:has(.widget-label:text-is('dropout')) .widget-html-content").last
    before = browser.content(picture)
    assert told.inner_text().startswith("216 of 216 trials")
    upper = handle(page, "dropout")
    browser.press(page, upper, picture, "ArrowLeft")
    assert told.inner_text().startswith("144 of 216 trials")
    assert browser.content(picture) != before


@pytest.fixture(scope="module")
def notebook_07(page, lab):
    browser.run_all(page, lab("notebooks/07_filter_visualisation.ipynb"), 900)
    return page


def explorer(page):
    """(the face with its prediction, the picture, the choice of method) of the explorer."""
    box = page.locator(".jupyter-widgets:has(> .widget-vbox .widget-label:text-is('channel'))").last
    method = box.locator(".widget-dropdown:has(.widget-label:text-is('method')) select")
    return box.locator("img").nth(0), box.locator("img").nth(1), method


def choose(page, choice, picture, method: str) -> None:
    """Choose a method that is not chosen, and wait for its picture: one that came later would be taken for
    the next change's."""
    source = picture.get_attribute("src")
    choice.select_option(method)
    page.wait_for_function(
        "([picture, before]) => picture.src != before", arg=[picture.element_handle(), source], timeout=30_000
    )


def value(page, description: str) -> str:
    """What the slider with this label stands at."""
    return page.locator(
        f".widget-slider:has(.widget-label:text-is('{description}')) .widget-readout"
    ).last.inner_text()


def expected(page, networks, faces, method: str, name: str = "emotion") -> np.ndarray:
    """The tested function's picture for what the controls say."""
    face, channel = int(value(page, "face")), int(value(page, "channel"))
    return views.picture(views.Look(*networks[name], faces, face, value(page, "layer"), channel), method)


def test_every_slider_of_the_explorer(notebook_07, networks):
    page, (prediction, picture, _) = notebook_07, explorer(notebook_07)
    picture.scroll_into_view_if_needed()
    faces = evaluation.read_faces("builtin", networks["emotion"][1], n=20)

    for name in ("channel", "face", "layer"):
        for key in ["ArrowRight"] * 5 + ["ArrowLeft"] * 5:
            before = browser.content(picture)
            browser.press(page, handle(page, name), picture, key)
            after = browser.content(picture)
            assert after != before and same(after, expected(page, networks, faces, "activations")), name
    browser.press(page, handle(page, "face"), prediction, "ArrowRight")
    assert value(page, "face") == "1"
    assert same(browser.content(prediction), views.prediction(views.Look(*networks["emotion"], faces, 1)))


@pytest.mark.parametrize("method", views.VIEWS)
def test_every_method_of_the_explorer(notebook_07, networks, method):
    page, (_, picture, choice) = notebook_07, explorer(notebook_07)
    faces = evaluation.read_faces("builtin", networks["emotion"][1], n=300)
    if choice.input_value() == method:
        choose(page, choice, picture, "filters")
    choose(page, choice, picture, method)
    assert same(browser.content(picture), expected(page, networks, faces, method))


def test_slow_work_shows_how_far_it_is_and_can_be_stopped(notebook_07):
    """The page itself presses the button, at the first step that the bar shows."""
    page, (_, picture, choice) = notebook_07, explorer(notebook_07)
    choose(page, choice, picture, "filters")
    browser.press(page, handle(page, "layer"), picture, "End")  # the slowest, more than a second
    before = browser.content(picture)
    page.evaluate("""() => {
        const bar = document.querySelector('.widget-hprogress .progress-bar');
        const buttons = [...document.querySelectorAll('button')];
        const stop = buttons.find(button => button.textContent.trim() == 'stop');
        new MutationObserver((_, observer) => {
            window.reached = parseFloat(bar.style.width); stop.click(); observer.disconnect();
        }).observe(bar, {attributes: true, attributeFilter: ['style']}); }""")
    choice.select_option("made to excite")
    page.wait_for_selector(".widget-html:has-text('stopped')")
    assert 0 < page.evaluate("window.reached") < 100
    assert browser.content(picture) == before


@pytest.mark.parametrize("width", [900, 1400, 1900])
def test_the_layout_holds(notebook_07, width):
    page = notebook_07
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(500)
    for area in page.locator(".jp-OutputArea-output:has(img.jupyter-widgets)").all():
        area.scroll_into_view_if_needed()
        inside = area.bounding_box()
        for part in area.locator("img, .widget-slider, button, select").all():
            box = part.bounding_box()
            assert (
                box
                and box["x"] >= inside["x"] - 1
                and box["x"] + box["width"] <= inside["x"] + inside["width"] + 1
            ), (
                width,
                box,
                inside,
            )
    page.set_viewport_size({"width": 1400, "height": 900})


def test_the_puppet_in_notebook_07(notebook_07, networks):
    move_every_slider_of_the_puppet(notebook_07, networks)
    assert notebook_07.faults == []


def test_the_exported_page_shows_and_flips_every_picture_without_network_or_kernel(notebook_07, folder):
    """As `make report` writes it, from the notebook that was saved."""
    notebook_07.keyboard.press("Escape")
    notebook_07.keyboard.press("Control+s")
    notebook_07.wait_for_selector(".jp-NotebookPanel .jp-Toolbar", timeout=60_000)
    notebook_07.wait_for_timeout(2000)
    exported = folder / "07.html"
    pages.write_notebook(folder / "notebooks" / "07_filter_visualisation.ipynb", exported, "quick")
    offline = notebook_07.context.browser.new_context(offline=True).new_page()
    faults = []
    offline.on("console", lambda message: faults.append(message.text))
    offline.on("pageerror", lambda error: faults.append(str(error)))
    offline.on(
        "request",
        lambda request: (
            faults.append(request.url) if not request.url.startswith(("file:", "data:")) else None
        ),
    )
    offline.goto(exported.as_uri())
    widths = offline.evaluate(
        "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert len(widths) >= 40 and min(widths) > 200
    flips = offline.locator(".flip").count()
    assert (
        flips >= 5
        and offline.locator("img:visible").count() == offline.locator("img:not(.flip img)").count() + flips
    )
    for flip in offline.locator(".flip").all():
        for i, label in enumerate(flip.locator("label").all()):
            label.click()
            assert [figure.is_visible() for figure in flip.locator("figure").all()].index(True) == i
            assert (
                flip.locator("figure:visible").count() == 1
                and flip.locator("figure:visible img").get_attribute("alt") == label.inner_text()
            )
        flip.locator("input").last.focus()
        offline.keyboard.press("ArrowRight")
        assert flip.locator("figure").first.is_visible(), (
            "the arrow keys flip, from the last state to the first"
        )
    assert faults == []
