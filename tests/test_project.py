"""docs/project.md is true: its table and cell run as they stand, and what it names is there."""

import dataclasses
import re
import tomllib
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from labkit import metrics, plan, runs, training

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "project.md").read_text(encoding="utf-8")
PLAN, CELL = (re.search(rf"\n```{kind}\n(.*?)```\n", TEXT, re.DOTALL)[1] for kind in ("toml", "python"))


@pytest.mark.slow
def test_the_table_of_ones_own_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    """In a folder that is neither the lab's nor called `notebooks`."""
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))  # drawn faces are kept there
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        exec(CELL, {})
    frame = pd.read_csv(tmp_path / "quick" / "tables" / "mirror.csv")
    assert frame["augmentation"].tolist() == ["none", "mirror"] and set(frame["accuracy_seeds"]) == {5}
    assert len(list((tmp_path / "quick" / "rows").glob("*.json"))) == 10
    said = capsys.readouterr().out
    assert "since the splits overlap: [" in said and "| difference" in said


def test_the_table_has_the_rows_that_the_text_counts(tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    table = plan.read_table("mirror", "quick", reports_dir=tmp_path)
    assert sum(len(row.specs) for row in table.rows) == 10


def test_settings_tables_networks_and_measures_of_the_text_are_there():
    of_spec = {field.name for field in dataclasses.fields(runs.RunSpec)}
    of_config = {field.name for field in dataclasses.fields(training.TrainConfig)}
    named = re.findall(r"spec\.(\w+)(?:\.(\w+))?", TEXT)
    assert len(named) > 10
    for field, inner in named:
        assert field in of_spec and (field != "config" or not inner or inner in of_config), (field, inner)
    whole = tomllib.loads((ROOT / "reports" / "plan.toml").read_text(encoding="utf-8"))
    assert "bias-groups" in whole["table"] and "emotion" in whole["search"]
    figures = metrics.classification(pd.Series([0, 1]).to_numpy(), pd.get_dummies([0, 1]).to_numpy(), "ab")
    assert {"balanced_accuracy", "calibration_error", "accuracy", "log_loss"} <= set(figures)


def test_the_points_of_the_rubric_sum_to_what_is_said():
    rows = re.findall(r"^\| \*\*.+\*\* (?:\|[^|]+){4}\|$", TEXT, re.MULTILINE)
    assert 3 * len(rows) == 30 and "Thirty points" in TEXT


def test_questions_are_ten_and_notebooks_of_the_text_are_there():
    assert len(re.findall(r"^\| \d+ \|", TEXT, re.MULTILINE)) == 10
    notebooks = {path.name[:2] for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert set(re.findall(r"[Nn]otebook (\d\d)", TEXT)) <= notebooks
    section = "".join(
        cell.source
        for cell in nbformat.read(ROOT / "notebooks" / "04_hyperparameter_tables.ipynb", as_version=4).cells
    )
    assert "## 7 · How many runs does a difference need?" in section
