"""Whatever bytes come: read, or refused in one line; nothing written but the data set. Hypothesis invents the
inputs: bytes of no kind, real files damaged at random places, tables and plans of random cells."""

import json
import os
import tempfile
import warnings
from pathlib import Path

import bad_inputs
import pytest
from downloads import CK_ROWS, OWN, ck_table, photographs, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit import datasets, plan, runs

TIMES = int(os.environ.get("LABKIT_TIMES_EXAMPLES", "1"))  # as `torture.py` sets it
settings.register_profile(
    "lab", derandomize=TIMES == 1, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("lab")

WHOLE = {
    f"genki4k.{mode}": bad_inputs._packed(mode) for mode in ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")
}
WHOLE["fer2013.csv"] = "\n".join(bad_inputs.FER[:4]).encode()
NAMES = st.sampled_from([*WHOLE, "labels.csv", "labels.json", "list_attr_celeba.txt", "data_labels.csv", "x"])


def read_or_refused(build, name: str = "") -> None:
    """Import what `build` writes into a folder."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        source = build(_made(folder / "in"))
        before = _listed(folder)
        try:
            summary = datasets.import_data(name, source, folder / "data", progress=False)
        except (ValueError, OSError) as error:
            assert "\n" not in str(error) and 0 < len(str(error)) < 2000
            assert _listed(folder) - before <= {"data"}
        else:
            new = {path.partition("/")[0] for path in _listed(folder) - before}
            assert new == {"data"}
            assert len(datasets.load(summary["name"], folder / "data")) == summary["images"]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _listed(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def file(name: str, content) -> object:
    return lambda folder: write(folder, {name: content}) / name


@st.composite
def damaged(draw, whole: bytes) -> bytes:
    """A file with pieces overwritten, left out or repeated."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, max(len(data) - 1, 0))), draw(st.integers(1, 60))
        piece = draw(st.one_of(st.binary(max_size=60), st.just(bytes(length)), st.just(bytes(data[:length]))))
        data[at : at + draw(st.sampled_from([0, len(piece), length]))] = piece
    return bytes(data)


@given(name=NAMES, content=st.binary(max_size=3000))
@settings(max_examples=80 * TIMES)
def test_bytes_of_no_kind(name, content):
    read_or_refused(file(name, content))


@pytest.mark.parametrize("name", WHOLE)
@given(data=st.data())
@settings(max_examples=25 * TIMES)
def test_downloads_damaged_anywhere(name, data):
    read_or_refused(file(name, data.draw(damaged(WHOLE[name]))))


PICTURE = bad_inputs.GOOD["smiling/good.jpg"]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@given(data=st.data())
@settings(max_examples=25 * TIMES)
def test_pictures_damaged_anywhere(form, data):
    content = data.draw(damaged(bad_inputs._saved(form)))
    read_or_refused(lambda folder: write(folder, {"smiling/a.jpg": PICTURE, "not smiling/b.png": content}))


CELLS = st.one_of(
    st.sampled_from(["", "-1", "0", "1", "2", "9", "1.0", "nan", "no", "brown", "a.png", "../a.png", "=1"]),
    st.text(max_size=8),
)
TABLES = {
    "labels.csv": OWN,
    "data_labels.csv": ck_table(CK_ROWS),
    "list_attr_celeba.txt": bad_inputs.CELEBA,
    "labels.txt": bad_inputs.LABELS,
}


@pytest.mark.parametrize("name", TABLES)
@given(data=st.data())
@settings(max_examples=30 * TIMES)
def test_tables_with_any_cells(name, data):
    separator = " " if name.endswith(".txt") else ","
    lines = [line.split(separator) for line in TABLES[name].splitlines()]
    for _ in range(data.draw(st.integers(1, 4))):
        line = lines[data.draw(st.integers(0, len(lines) - 1))]
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(CELLS)
    table = "\n".join(map(separator.join, lines)).encode("utf-8", "surrogatepass")
    pictures = bad_inputs.CK_PICTURES if name == "data_labels.csv" else photographs()[1]
    read_or_refused(lambda folder: write(folder, pictures | {name: table}))


@given(names=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6))
@settings(max_examples=40 * TIMES)
def test_members_of_any_name(names):
    files = dict.fromkeys(names, PICTURE)
    for pack, ending in ((bad_inputs.zipped, "zip"), (bad_inputs.tarred, "tar")):
        try:
            read_or_refused(lambda folder, pack=pack, ending=ending: pack(folder / f"a.{ending}", files))
        except (UnicodeError, IndexError):  # a name that zipfile cannot write
            continue


NAME = st.text(max_size=6)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.floats(), NAME),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAME, inner, max_size=3)),
    max_leaves=6,
)
SETTINGS = ["seeds", "row", "grid", "quick", "spec", "measured", "lab", "title", "text"]
DEEPER = ["data", "split", "model", "targets", "config", "seed", "copies", "start", "config.epochs", "data.n"]


def toml(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return {"inf": "inf", "-inf": "-inf", "nan": "nan"}.get(str(value), repr(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps("" if value is None else value)


@given(where=st.sampled_from([*SETTINGS, *map("spec.{}".format, DEEPER)]), value=VALUES)
@settings(max_examples=150 * TIMES)
def test_plans_with_any_setting(where, value):
    base = {"lab": 'lab = "smile"', "spec.data": 'spec.data = {name = "builtin", n = 20}'}
    lines = [line for key, line in base.items() if not (where.startswith(key) or key.startswith(where))]
    text = "\n".join(['[lab.smile]\nspec = {model = "tiny", targets = ["smile"], split = {kind = "random"}}',
                      "[table.t]", *lines, f"{where} = {toml(value)}"])  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "plan.toml").write_text(text, encoding="utf-8")
        try:
            plan.read_table("t", reports_dir=place, data_dir=place)
        except (ValueError, OSError) as error:
            assert "\n" not in str(error) or isinstance(error, datasets.DataMissing)


@given(part=st.sampled_from(sorted(bad_inputs.ROW)), value=VALUES)
@settings(max_examples=150 * TIMES)
def test_rows_with_any_field(part, value):
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        write(Path(place) / "rows", {f"{bad_inputs.KEY}.json": json.dumps(bad_inputs.ROW | {part: value})})
        store = runs.Store(Path(place) / "rows", Path(place) / "runs")
        read = store.read(bad_inputs.KEY)
        store.find(bad_inputs.SPEC)
        assert read is not None or "damaged" in str(said[0].message)


@given(content=st.binary(max_size=400))
@settings(max_examples=60 * TIMES)
def test_rows_of_any_bytes(content):
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(Path(place) / "rows", {f"{bad_inputs.KEY}.json": content})
        assert runs.Store(Path(place) / "rows", Path(place) / "runs").read(bad_inputs.KEY) is None
