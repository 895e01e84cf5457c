"""Every notebook is run in the quick profile, as `make report` does, into a folder of its own."""

from pathlib import Path

import pandas as pd
import pytest
from conftest import run_quick

from labkit import reports

ROOT = Path(__file__).resolve().parents[1]
NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture
def folder(quick_folder):
    return quick_folder


@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs(first_run, name):
    assert first_run[name].error == ""
    assert first_run[name].state == "done"


def test_the_index_shows_the_first_table_beside_the_published_one(first_run, folder):
    frame = pd.read_csv(folder / "quick" / "tables" / "smile-base.csv")
    mean = frame[frame["run"] == "mean"].iloc[0]
    assert mean["published"] == 0.5935
    assert mean["ours"] == pytest.approx(frame[frame["run"] != "mean"]["ours"].mean(), abs=1e-5)
    assert mean["ours"] > 0.6, "ten epochs on the built-in faces must see more than chance"
    page = (folder / "quick" / "index.html").read_text(encoding="utf-8")
    assert "0.5935" in page and f"{mean['ours']:.4f}" in page and "not comparable" in page
    assert "<script" not in page and str(ROOT) not in page


@pytest.mark.parametrize("name", NAMES)
def test_page_holds_its_pictures_and_needs_no_network(first_run, folder, name):
    page = (folder / "quick" / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64") >= 3
    assert 'src="http' not in page and "MathJax" not in page


def test_nothing_changed_nothing_run(first_run, folder):
    rows = {path: path.stat().st_mtime_ns for path in (folder / "quick" / "rows").glob("*.json")}
    again = run_quick(folder)
    assert {outcome.state for outcome in again.notebooks} == {"unchanged"} and again.rows_trained == 0
    assert {path: path.stat().st_mtime_ns for path in (folder / "quick" / "rows").glob("*.json")} == rows


def test_kept_rows_are_not_trained_again(first_run, folder):
    """A notebook that has to be run again (here its page is gone) finds its rows."""
    (folder / "quick" / "notebooks" / "02_base_model.html").unlink()
    again = run_quick(folder)
    states = {outcome.notebook: outcome.state for outcome in again.notebooks}
    assert (
        states.pop("02_base_model") == "done"
        and set(states.values()) == {"unchanged"}
        and again.rows_trained == 0
    )


OLDER = [("ATEN_CPU_CAPABILITY", "default"), ("ONEDNN_MAX_CPU_ISA", "SSE41"), ("ONEDNN_MAX_CPU_ISA", "AVX2")]


@pytest.mark.parametrize(("name", "value"), OLDER)
def test_notebook_02_agrees_on_older_processors(first_run, folder, name, value, monkeypatch):
    """These variables make torch compute as on a processor of another make; the rows are kept from the first
    run."""
    monkeypatch.setenv(name, value)
    parameters = {"data_dir": str(folder / "no data"), "reports_dir": str(folder)}
    error = reports.run_notebook(
        ROOT / "notebooks" / "02_base_model.ipynb", folder / f"02-{value}.ipynb", parameters
    )
    assert error == ""
