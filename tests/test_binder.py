"""What Binder reads: its folder is looked at alone once it is there, so it must name everything."""

import os
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BINDER = ROOT / "binder"


def test_its_requirements_lead_to_the_labs_own():
    text = (BINDER / "requirements.txt").read_text(encoding="utf-8")
    files = re.findall(r"^-r (.+)$", text, re.MULTILINE)
    assert [(BINDER / file).resolve() for file in files] == [ROOT / "requirements.txt"]
    assert re.findall(r"^-e (.+)$", text, re.MULTILINE) == ["."]


def test_its_python_is_one_that_the_lab_bears():
    minor = int(re.fullmatch(r"python-3\.(\d+)\n", (BINDER / "runtime.txt").read_text())[1])
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "requires-python"
    ]
    low, high = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", wanted).groups())
    assert low <= minor < high


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such bit")
def test_what_runs_after_the_build_may_be_run():
    assert os.access(BINDER / "postBuild", os.X_OK)
    assert (BINDER / "postBuild").read_text().startswith("#!/bin/sh\n")
