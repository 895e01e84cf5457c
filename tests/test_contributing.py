"""CONTRIBUTING.md is true: what it says to do adds an architecture, a data set, a table and a notebook."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from downloads import encoded, zipped

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def block(before: str) -> str:
    """The first block of code behind a sentence that begins so."""
    return re.search(rf"\n{re.escape(before)}.*?\n```\w*\n(.*?)```\n", TEXT, re.DOTALL)[1]


def insert(path: Path, line: str, text: str) -> None:
    """Put `text` behind the one line of a file that begins so."""
    content = path.read_text(encoding="utf-8")
    assert len(re.findall(rf"^{re.escape(line)}.*$", content, re.MULTILINE)) == 1
    changed = re.sub(rf"^{re.escape(line)}.*\n", lambda m: m[0] + text, content, flags=re.MULTILINE)
    path.write_text(changed, encoding="utf-8")


def notebook(text: str) -> nbformat.NotebookNode:
    """The notebook whose cells begin with `# %%`, the second tagged `parameters`."""
    cells = []
    for part in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        kind, _, source = part.partition("\n")
        if "markdown" in kind:
            cells.append(
                nbformat.v4.new_markdown_cell(re.sub("^# ?", "", source.strip(), flags=re.MULTILINE))
            )
        else:
            cells.append(nbformat.v4.new_code_cell(source.strip()))
    cells[1].metadata.tags = ["parameters"]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the checkout in which one did what CONTRIBUTING.md says."""
    house = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "labkit", house / "labkit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "notebooks", house / "notebooks")
    shutil.copytree(ROOT / "reports" / "published", house / "reports" / "published")
    shutil.copy(ROOT / "reports" / "plan.toml", house / "reports")
    insert(house / "labkit" / "models.py", "ARCHITECTURES = {", block("An architecture"))
    insert(house / "labkit" / "formats" / "sources.py", "SOURCES = {", block("A data set"))
    with open(house / "reports" / "plan.toml", "a", encoding="utf-8") as plan:
        plan.write("\n" + block("A table"))
    nbformat.write(notebook(block("A notebook")), house / "notebooks" / "13_my_lab.ipynb")
    return house


def labkit(house, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "labkit", *arguments],
        cwd=house,
        env=os.environ | {"PYTHONPATH": str(house)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_lab_of_ones_own_has_its_page_and_table(copy):
    labkit(copy, "report", "--only", "mine")
    frame = pd.read_csv(copy / "reports" / "quick" / "tables" / "mine-batch.csv")
    assert frame["batch_size"].tolist() == [16, 64] and frame["seeds"].tolist() == [2, 2]
    assert frame["ours"].between(0.2, 1).all()
    page = (copy / "reports" / "quick" / "mine.html").read_text(encoding="utf-8")
    assert "My lab" in page and "Batch sizes" in page
    rows = list((copy / "reports" / "quick" / "rows").glob("*.json"))
    assert len(rows) == 4 and all('"my-net"' in row.read_text() for row in rows)


def test_a_data_set_of_ones_own_is_imported_and_recognised(copy, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    files = {f"{mood}/{i}.png": encoded(picture, ".png") for mood in ("calm", "excited") for i in range(3)}
    said = labkit(copy, "data", "import", "my-faces", str(zipped(tmp_path / "f.zip", files)))
    assert "My faces" in said and "calm" in said
    assert "my-faces" in labkit(copy, "data", "list")


def test_the_copy_still_follows_the_plan_of_the_house(copy):
    """The form of notebooks, the arrows and the plan are those that the structure test asks for."""
    for folder in ("tests", "docs"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md"):
        shutil.copy(ROOT / name, copy)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/test_structure.py", "-p", "no:cacheprovider"],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_every_path_and_name_that_the_questions_give_is_there():
    answers = re.findall(r"^\| .*\? \| (.*) \|$", TEXT, re.MULTILINE)
    assert len(answers) == 11
    files = [*(ROOT / "labkit").rglob("*.py"), *(ROOT / "tests").glob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    for name in re.findall("`([^`]+)`", " ".join(answers)):
        if "/" in name:
            assert (ROOT / name).exists(), name
        elif re.fullmatch(r"[A-Z]+", name):
            assert f"\n{name} = " in code or f"\n{name}: " in code, name
        elif re.fullmatch(r"[\w.]+", name):
            assert re.search(rf"\n(def|class) {name.rpartition('.')[2]}\b", code), name
