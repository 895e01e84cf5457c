"""Every kind of bad input, by name: refused in one line, or read with what was left out named; nothing
written outside, nothing left behind."""

import os

import pytest
from bad_inputs import KINDS

from labkit import datasets


def tree(folder) -> dict[str, int]:
    return {str(path): path.lstat().st_size for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("name", KINDS)
def test_kind(name, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    inside = tmp_path / "inside"
    inside.mkdir()
    try:
        said = KINDS[name](inside)
    except (ValueError, OSError) as error:
        said = str(error)
        assert "\n" not in said or isinstance(error, datasets.DataMissing), said
        assert not list(inside.glob("data/*")) or name.startswith("imported"), "half an import"
    assert said.strip() and "Traceback" not in said and len(said) < 3000
    assert [path.name for path in tmp_path.iterdir()] == ["inside"] and not list(inside.glob("data/.*"))
    assert not os.path.exists("/tmp/labkit_was_here") and not os.path.exists("/tmp/labkit_out.jpg")
    assert "Traceback" not in capfd.readouterr().err


def test_there_are_two_hundred():
    assert len(KINDS) >= 200
