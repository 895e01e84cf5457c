"""The folders of the checkout are found from wherever a notebook is run; files get there as a whole or not at
all."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from labkit import places, plan
from labkit.places import ROOT, harmless, place, whole_file


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


def test_a_file_is_there_as_a_whole_or_as_it_was(tmp_path):
    file = tmp_path / "new" / "a.txt"
    with whole_file(file) as temporary:
        temporary.write_text("one")
        assert not file.exists()
    with pytest.raises(KeyboardInterrupt), whole_file(file) as temporary:
        temporary.write_text("tw")
        raise KeyboardInterrupt
    assert file.read_text() == "one" and list(file.parent.iterdir()) == [file]
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(OSError, match=r"file/a.txt cannot be written"),
        whole_file(tmp_path / "file" / "a.txt"),
    ):
        pass


def test_what_killed_processes_left_goes_after_a_day(tmp_path):
    old, young = tmp_path / ".a.txt.1.tmp", tmp_path / ".a.txt.2.tmp"
    for path in (old, young):
        path.write_text("part")
    os.utime(old, (time.time() - 2 * places.STALE_SECONDS,) * 2)
    with whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, "a.txt"]


FULL = """
    import resource, signal, sys
    from pathlib import Path
    import numpy as np
    from labkit import faces, figures, models
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    file = Path(sys.argv[1]) / "kept"
    network = models.build("1x32 1x16", {"smile": 2}, (), 1, 0, 32)
    figure = figures.faces(np.zeros((4, 32, 32, 1), np.uint8), list("abcd"))
    for write in (lambda: models.save(file, network), lambda: figures.write(figure, file)):
        try:
            write()
        except OSError as error:
            print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file's size")
def test_files_that_do_not_fit_leave_the_earlier_ones_and_name_themselves(tmp_path):
    (tmp_path / "kept").write_text("earlier")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), tmp_path], capture_output=True, text=True, cwd=ROOT
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(f"{tmp_path}/kept cannot be written" in line for line in lines), done
    assert (tmp_path / "kept").read_text() == "earlier" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-x", "\t=1"])
def test_no_cell_is_a_formula(cell):
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["smile", "-0.5", "+0.073 [0.045, 0.102]", "+.5", 0.5, None, ""])
def test_other_cells_stay_as_they_are(cell):
    assert harmless(cell) == cell
