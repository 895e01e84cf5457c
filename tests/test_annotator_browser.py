"""Notebook 08 as annotators use it: Chromium labels ten faces by mouse and ten by keys, the kernel is killed
and goes on at the right face, a second annotator disagrees, and the kappa on the page is scikit-learn's."""

import json
import re
import shutil
from pathlib import Path

import psutil
import pytest
from conftest import needs_browser
from sklearn.metrics import cohen_kappa_score

from labkit import annotate, synthetic
from labkit.benches import browser

ROOT = Path(__file__).resolve().parents[1]
TASK = annotate.read_task()
NOTEBOOK = "08_face_attributes.ipynb"
JOURNALS = Path("data") / "annotations" / "built-in"

pytestmark = needs_browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Notebook 08 once for each annotator, without its later sections."""
    folder = tmp_path_factory.mktemp("annotate")
    (folder / "notebooks").mkdir()
    for name in ("anna", "ben"):
        notebook = json.loads((ROOT / "notebooks" / NOTEBOOK).read_text(encoding="utf-8"))
        last = next(i for i, cell in enumerate(notebook["cells"]) if "## 3 " in "".join(cell["source"]))
        notebook["cells"] = notebook["cells"][:last]
        parameters = next(c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", []))
        parameters["source"] = "".join(parameters["source"]).replace('"me"', f'"{name}"')
        (folder / "notebooks" / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def lab(folder):
    shutil.rmtree(folder / "data", ignore_errors=True)
    with browser.jupyterlab(folder) as address:
        yield address


@pytest.fixture(scope="module")
def page():
    with browser.chromium(width=900, height=900) as page:  # as narrow as a small laptop's
        yield page


def opened(page, address: str):
    """The tool of a notebook that has been run from the top."""
    browser.run_all(page, address, 300)
    tool = page.locator(".annotator")
    tool.scroll_into_view_if_needed()
    return tool


def where(tool) -> int:
    """The number of the picture that the tool shows, from 1."""
    return int(re.search(r"picture (\d+) of", tool.inner_text()).group(1))


def asked(tool) -> str:
    return tool.locator(".annotator-row.asked .annotator-title").inner_text().replace(" ", "_")


def answers_to(faces, i: int, errs: bool = False) -> dict[str, str]:
    """What is drawn on a face, attribute -> class; "black" or "hair" for hair that a scarf hides."""
    said = {}
    for attribute in TASK.asked:
        classes, code = TASK.attributes[attribute], max(int(faces.targets[attribute][i]), 0)
        said[attribute] = classes[(code + errs) % len(classes)]
    return said


def by_keys(page, tool, said: dict[str, str]) -> None:
    """Answer every attribute of the face that is shown with the digits alone."""
    before = where(tool)
    tool.focus()
    for attribute, word in said.items():
        page.wait_for_function(
            "title => document.querySelector('.annotator-row.asked .annotator-title').textContent === title",
            arg=attribute.replace("_", " "),
        )
        page.keyboard.press(str(TASK.attributes[attribute].index(word) + 1))
    page.wait_for_function(
        f"() => !document.querySelector('.annotator').innerText.includes('picture {before} of')"
    )


def by_mouse(page, tool, said: dict[str, str]) -> None:
    """The same with its buttons, from below."""
    before = where(tool)
    for attribute, word in reversed(said.items()):
        group = tool.get_by_role("radiogroup", name=attribute.replace("_", " "), exact=True)
        group.get_by_role("radio", name=word, exact=True).click()
    page.wait_for_function(
        f"() => !document.querySelector('.annotator').innerText.includes('picture {before} of')"
    )


def kill_kernels() -> int:
    """SIGKILL for the kernels of this test's server; returns how many there were."""
    mine = psutil.Process().children(recursive=True)
    kernels = [one for one in mine if any("ipykernel" in part for part in one.cmdline())]
    for kernel in kernels:
        kernel.kill()
    return len(kernels)


def test_two_people_annotate_through_a_killed_kernel(page, lab, folder):
    faces = synthetic.make(40, size=128, seed=0)  # those of the notebook
    tool = opened(page, lab("notebooks/anna.ipynb"))
    assert where(tool) == 1 and asked(tool) == "wrinkles"
    for i in range(10):
        by_mouse(page, tool, answers_to(faces, i))
    for i in range(10, 15):
        by_keys(page, tool, answers_to(faces, i))
    page.keyboard.press("1")  # the first answer of a face that will be half done
    page.wait_for_function(
        "() => document.querySelector('.annotator-row.asked').innerText.includes('freckles')"
    )

    assert kill_kernels() >= 1
    tool = opened(page, lab("notebooks/anna.ipynb"))
    assert where(tool) == 16 and asked(tool) == "freckles"
    half = dict(list(answers_to(faces, 15).items())[1:])
    by_keys(page, tool, half)
    for i in range(16, 20):
        by_keys(page, tool, answers_to(faces, i))
    said = annotate.annotators(folder / JOURNALS)["anna"]
    wanted = {str(faces.names[i]): answers_to(faces, i) for i in range(20)}
    wanted[str(faces.names[15])]["wrinkles"] = "no"
    assert said == wanted

    tool = opened(page, lab("notebooks/ben.ipynb"))
    for i in range(20):
        by_keys(page, tool, answers_to(faces, i, errs=i % 4 == 0))
    browser.run_all(page, lab("notebooks/ben.ipynb"), 300)
    table = page.locator("table:has(caption:text-is('anna and ben'))")
    table.scroll_into_view_if_needed()
    rows = [
        [cell.inner_text() for cell in row.locator("td").all()] for row in table.locator("tbody tr").all()
    ]
    both = annotate.annotators(folder / JOURNALS)
    first, second = (annotate.coded(both[name], list(wanted), TASK) for name in ("anna", "ben"))
    assert {row[0] for row in rows} >= set(TASK.asked)
    for attribute, pictures, _, kappa, *_ in rows:
        expected = cohen_kappa_score(first[attribute], second[attribute])
        assert pictures == "20" and (kappa == "" or float(kappa) == pytest.approx(expected, abs=5e-4)), (
            attribute
        )


def test_keys_that_jupyterlab_knows_do_nothing_to_the_notebook(page, lab):
    tool = opened(page, lab("notebooks/ben.ipynb"))
    cells = page.locator(".jp-Cell").count()
    tool.focus()
    for key in ("ArrowRight", "s", "z", "z", "u", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.locator(".jp-Cell").count() == cells
    assert tool.locator("[role=status]").inner_text().startswith("Picture ")
