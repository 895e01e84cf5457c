"""The folders of the checkout are found from wherever a notebook is run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import plan
from labkit.places import ROOT, place


@pytest.mark.parametrize("start", ["notebooks", "", "labkit/drawn"])
def test_what_notebooks_say_is_the_same_from_any_folder(monkeypatch, start):
    monkeypatch.chdir(ROOT / start)
    assert place("../reports").resolve() == ROOT / "reports" and place("../data").resolve() == ROOT / "data"
    assert plan.read_table("smile-base").folder.resolve() == ROOT / "reports" / "quick"


def test_other_folders_are_what_they_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place(tmp_path / "x") == tmp_path / "x" and place("data") == Path("data")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert place("../data").resolve() == tmp_path / "data"


def test_variables_name_other_folders_for_those_who_may_not_write(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "d"))
    monkeypatch.setenv("LABKIT_REPORTS", str(tmp_path / "r"))
    monkeypatch.chdir(ROOT)
    assert place("../data") == place(ROOT / "data") == tmp_path / "d" and place(tmp_path) == tmp_path
    table = plan.read_table("smile-base")  # the plan is the checkout's
    assert table.folder == tmp_path / "r" / "quick" and table.store.runs == tmp_path / "r" / "runs"


def test_a_relative_folder_of_a_command_is_seen_from_where_it_is_given(tmp_path):
    (tmp_path / "a").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "labkit", "data", "check", "genki4k", "--data-dir", "../data"],
        cwd=tmp_path / "a",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode and str(tmp_path / "data" / "genki4k") in done.stderr + done.stdout
