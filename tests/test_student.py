"""Exercises and students' copies.

Each check fails on the empty cell and on wrong answers, in words, and passes on the solution; no copy gives a
solution away; a copy that is filled in runs from its own folder.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from labkit import reports
from labkit.__main__ import app
from labkit.commands import student

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    path.stem: nbformat.read(path, as_version=4) for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
}
EXERCISES = {
    exercise.id: (name, exercise)
    for name, source in SOURCES.items()
    for exercise in student.exercises(source)
}
WRONG = {}  # grade_id -> [{"code": ..., "says": ...}]
for _path in sorted((ROOT / "tests" / "wrong_answers").glob("*.toml")):
    WRONG |= tomllib.loads(_path.read_text(encoding="utf-8"))
ANSWERS = [(id, i) for id in WRONG for i in range(len(WRONG[id]))]


def is_imports(source: str) -> bool:
    statements = ast.parse(re.sub(r"^%.*$", "", source, flags=re.MULTILINE)).body
    return bool(statements) and all(isinstance(one, ast.Import | ast.ImportFrom) for one in statements)


def given(name: str) -> dict:
    """The names that an exercise may use: those of the notebook's imports and parameters."""
    names = {}
    for cell in SOURCES[name].cells:
        source = re.sub(r"^%.*$", "", cell.source, flags=re.MULTILINE)
        if cell.cell_type == "code" and ("parameters" in cell.metadata.get("tags", []) or is_imports(source)):
            exec(source, names)
    return names


def check(id: str, lines: str) -> None:
    """Fill the lines into an exercise, and run it and its check with nothing else of the notebook."""
    name, exercise = EXERCISES[id]
    names = given(name)
    exec(student.filled(exercise.source, lines), names)
    exec(exercise.check, names)


@pytest.mark.parametrize("id", EXERCISES)
def test_the_solution_passes(id, capsys):
    check(id, student.solution(EXERCISES[id][1].source))
    assert capsys.readouterr().out.startswith("Right")


OTHER_STYLES = {  # right, though written in another way than the solution: loops, lists, other marks
    "02-convolution": """
places = range(padded.shape[0] - k + 1), range(padded.shape[1] - k + 1)
sums = [[(padded[y : y + k, x : x + k] * kernel).sum() for x in places[1]] for y in places[0]]
""",
    "03-parse": """
for block in text.split():
    parts = block.split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise ValueError(f"{block}: expected NxS")
    layers, size = map(int, parts)
    if groups and groups[-1][1] != 2 * size:
        raise ValueError(f'"{block}" should have half the size')
    groups.append((layers, size))
""",
    "06-rates": """
return [10 ** rng.uniform(math.log10(low), math.log10(high)) for _ in range(n)]
""",
    "12-lambert": """
length = sum(x * x for x in lamp) ** 0.5
cosines = [sum(a * b for a, b in zip(normal, lamp)) / length for normal in normals]
bright = [around + (1 - around) * max(0, cosine) for cosine in cosines]
""",
    "13-weights": """
known = [label for label in labels if label != UNLABELLED]
counts = [known.count(one) for one in range(classes)]
weights = [len(known) / (classes * count) if count else 1.0 for count in counts]
""",
    "13-untied": """
crossings = {}
for i, pair in enumerate(zip(label, group)):
    if pair[0] != UNLABELLED:
        crossings.setdefault(pair, []).append(i)
smallest = min(map(len, crossings.values()))
chosen = [int(i) for one in crossings.values() for i in rng.choice(one, smallest, replace=False)]
""",
}


@pytest.mark.parametrize("id", OTHER_STYLES)
def test_a_right_answer_in_another_style_passes(id, capsys):
    check(id, OTHER_STYLES[id])
    assert capsys.readouterr().out.startswith("Right")


@pytest.mark.parametrize("id", EXERCISES)
def test_the_empty_cell_fails_and_says_why(id):
    """In the check, not in the cell itself: so an exercise asks for the inside of a function."""
    with pytest.raises(NotImplementedError, match="Exercise: your lines here"):
        check(id, student.BLANK)
    name, exercise = EXERCISES[id]
    exec(student.filled(exercise.source), given(name))


@pytest.mark.parametrize(("id", "i"), ANSWERS, ids=[f"{id}-{i}" for id, i in ANSWERS])
def test_a_wrong_answer_is_told_what_is_wrong(id, i):
    with pytest.raises(AssertionError) as failure:
        check(id, WRONG[id][i]["code"])
    assert WRONG[id][i]["says"] in str(failure.value)


@pytest.mark.parametrize("id", EXERCISES)
def test_every_exercise_has_wrong_answers(id):
    assert len(WRONG.get(id, [])) >= 2, f"tests/wrong_answers/{id[:2]}.toml: give two or more for [[{id}]]"


def test_every_wrong_answer_belongs_to_an_exercise():
    assert set(WRONG) <= set(EXERCISES)


@pytest.mark.parametrize("name", SOURCES)
def test_exercises_have_their_form(name):
    cells = SOURCES[name].cells
    here = student.exercises(SOURCES[name])
    assert len(here) in (0, 3, 4, 5), "three to five exercises a notebook"
    marked = [i for i, cell in enumerate(cells) if student.role(cell) == "solution"]
    for number, (i, exercise) in enumerate(zip(marked, here), 1):
        assert re.fullmatch(rf"{name[:2]}-[a-z0-9-]+", exercise.id)
        text, answer, checked = cells[i - 1 : i + 2]
        assert text.source.startswith(f"**Exercise {number}. ")
        hints = re.findall("<details><summary>(.*?)</summary>", text.source)
        assert hints == ["Hint", "Second hint"]
        assert answer.metadata.nbgrader == marks(exercise.id, solution=True)
        points = checked.metadata.nbgrader.points
        assert points > 0
        assert checked.metadata.nbgrader == marks(f"{exercise.id}-check", grade=True, locked=True) | {
            "points": points
        }


def marks(id: str, grade=False, solution=False, locked=False) -> dict:
    """What nbgrader wants to know of a cell."""
    kind = {"grade": grade, "solution": solution, "locked": locked, "task": False}
    return kind | {"grade_id": id, "schema_version": 3}


def stored(source: str) -> set[str]:
    """The names that a cell gives a value at its top level."""
    names = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] = True
        else:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    names[inner.id] = True
    return set(names)


@pytest.mark.parametrize("name", SOURCES)
def test_the_lesson_needs_no_answer(name):
    """Nor is a name of the lesson taken by an exercise or a check."""
    taken = set()
    for exercise in student.exercises(SOURCES[name]):
        taken |= stored(exercise.source) | stored(exercise.check)
    for cell in SOURCES[name].cells:
        if cell.cell_type == "code" and not student.role(cell):
            tree = ast.parse(re.sub(r"^%.*$", "", cell.source, flags=re.MULTILINE))
            used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert not used & taken, f"a cell of the lesson uses {', '.join(sorted(used & taken))}"


@pytest.mark.parametrize("name", SOURCES)
def test_no_students_copy_holds_a_solution(name):
    made = student.students_copy(SOURCES[name])
    text = "\n".join(cell.source for cell in made.cells)
    assert "SOLUTION" not in text and "<summary>Answer" not in text
    lesson = "\n".join(re.sub(r"\s+", " ", cell.source) for cell in made.cells)
    for exercise in student.exercises(SOURCES[name]):
        assert re.sub(r"\s+", " ", student.solution(exercise.source)).strip() not in lesson, exercise.id
    assert text.count("Exercise: your lines here") == len(student.exercises(SOURCES[name]))
    questions = [sum(cell.source.count("**Question") for cell in nb.cells) for nb in (made, SOURCES[name])]
    assert questions[0] == questions[1]
    nbformat.validate(made)


def fill(copy, source) -> None:
    """Put the solutions of the source into the blanks of a students' copy, as a student would type them."""
    lines = {exercise.id: student.solution(exercise.source) for exercise in student.exercises(source)}
    for cell in copy.cells:
        if student.role(cell) == "solution":
            blank = re.compile(r"^( *)# YOUR CODE HERE\n *raise NotImplementedError.*$", re.MULTILINE)
            indent, code = blank.search(cell.source)[1], lines[cell.metadata.nbgrader.grade_id]
            typed = "\n".join(indent + line if line else "" for line in code.rstrip().splitlines())
            cell.source = blank.sub(lambda _, typed=typed: typed, cell.source)


@pytest.mark.parametrize("name", SOURCES)
def test_a_filled_copy_is_the_notebook_again(name):
    made = student.students_copy(SOURCES[name])
    fill(made, SOURCES[name])
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    marks = re.compile(r"^ *### (BEGIN|END) SOLUTION\n?", re.MULTILINE)
    assert code == [
        marks.sub("", cell.source).rstrip("\n") for cell in SOURCES[name].cells if cell.cell_type == "code"
    ]


@pytest.fixture
def lab(tmp_path):
    """A folder `reports` with the plan, and parameters of a notebook that use it; drawn faces are kept."""
    (tmp_path / "no data").mkdir()
    folder = tmp_path / "reports"
    folder.mkdir()
    shutil.copy(ROOT / "reports" / "plan.toml", folder)
    shutil.copytree(ROOT / "reports" / "published", folder / "published")
    return {"data_dir": str(tmp_path / "no data"), "reports_dir": str(folder)}


@pytest.mark.slow
def test_a_filled_copy_runs_from_its_own_folder(lab, tmp_path):
    """And so does the empty one: what an exercise raises stops nothing below it."""
    name = "02_base_model"
    student.write_copies(tmp_path / "mine")
    path = tmp_path / "mine" / f"{name}.ipynb"
    empty = nbformat.read(path, as_version=4)
    said = {}
    for state in ("filled", "empty"):
        if state == "filled":
            made = nbformat.read(path, as_version=4)
            fill(made, SOURCES[name])
            nbformat.write(made, path)
        else:
            nbformat.write(empty, path)
        reports.run_notebook(path, tmp_path / f"{state}.ipynb", lab)
        ran = nbformat.read(tmp_path / f"{state}.ipynb", as_version=4)
        outputs = [output for cell in ran.cells for output in cell.get("outputs", [])]
        said[state] = [output["ename"] for output in outputs if output.output_type == "error"]
        assert all(cell.execution_count for cell in ran.cells if cell.cell_type == "code")
    n = len(student.exercises(SOURCES[name]))
    assert said == {"filled": [], "empty": ["NotImplementedError"] * n}


def run(*arguments):
    return CliRunner().invoke(app, ["student", *map(str, arguments)])


def test_the_command_writes_every_notebook(tmp_path):
    done = run(tmp_path / "class", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    names = [*(f"{name}.ipynb" for name in SOURCES), "glossary.ipynb"]
    assert told["notebooks"] == names and told["solutions"] is False
    assert sorted(path.name for path in (tmp_path / "class").iterdir()) == told["notebooks"]
    glossaries = [folder / "glossary.ipynb" for folder in (tmp_path / "class", ROOT / "notebooks")]
    copied, source = (nbformat.read(path, as_version=4) for path in glossaries)
    assert copied == source, "links of the copies lead into it"


def test_with_solutions_the_copies_are_the_source(tmp_path):
    assert run(tmp_path / "teacher", "--solutions").exit_code == 0
    for name, source in SOURCES.items():
        assert nbformat.read(tmp_path / "teacher" / f"{name}.ipynb", as_version=4) == source


def test_work_that_is_there_is_never_overwritten(tmp_path):
    work = tmp_path / "02_base_model.ipynb"
    work.write_text("my work")
    done = run(tmp_path)
    assert isinstance(done.exception, FileExistsError) and str(work) in str(done.exception)
    assert "\n" not in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == [work.name] and work.read_text() == "my work"


def test_copies_are_all_written_or_none(tmp_path, monkeypatch):
    whole_file = student.whole_file

    def full_disk(path):
        if path.name.startswith("02"):
            raise OSError(28, f"{path} cannot be written: No space left on device")
        return whole_file(path)

    monkeypatch.setattr(student, "whole_file", full_disk)
    assert isinstance(run(tmp_path / "class").exception, OSError)
    assert list((tmp_path / "class").iterdir()) == []


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "class").write_text("a list of students", encoding="utf-8")
    for out in (tmp_path / "class", tmp_path / "class" / "first"):
        done = run(out)
        assert isinstance(done.exception, NotADirectoryError)
        assert str(done.exception) == f"{tmp_path / 'class'} is a file; give a folder"
    assert (tmp_path / "class").read_text(encoding="utf-8") == "a list of students"


def test_a_folder_called_notebooks_would_hide_the_data(tmp_path):
    done = run(tmp_path / "notebooks")
    assert isinstance(done.exception, ValueError) and "give another name" in str(done.exception)
    assert not (tmp_path / "notebooks").exists()


def test_copies_for_binder_and_colab_have_badges_and_one_cell_more(tmp_path, monkeypatch):
    monkeypatch.setattr(student, "ROOT", tmp_path)
    assert run(tmp_path / "my class" / "1", "--repository", "some-one/my.lab").exit_code == 0
    for name, source in SOURCES.items():
        made = nbformat.read(tmp_path / "my class" / "1" / f"{name}.ipynb", as_version=4)
        nbformat.validate(made)
        title, _, first, second = made.cells[0].source.splitlines()[:4]
        place = f"my%20class/1/{name}.ipynb"  # as in the repository, whose top is the lab's
        assert title == source.cells[0].source.splitlines()[0]
        assert first.endswith(f"(https://mybinder.org/v2/gh/some-one/my.lab/HEAD?urlpath=lab/tree/{place})")
        assert second.endswith(
            f"(https://colab.research.google.com/github/some-one/my.lab/blob/main/{place})"
        )
        cells = student.students_copy(source).cells
        assert [cell.source for cell in made.cells[2:]] == [cell.source for cell in cells[1:]]
        code = next(cell for cell in made.cells if cell.cell_type == "code")
        assert code.id == "colab" and code.source == colab_cell("some-one/my.lab")
    copied = nbformat.read(tmp_path / "my class" / "1" / "glossary.ipynb", as_version=4)
    assert copied == nbformat.read(ROOT / "notebooks" / "glossary.ipynb", as_version=4), "nothing to run"


def test_copies_elsewhere_are_expected_in_a_folder_of_the_same_name(tmp_path):
    assert run(tmp_path / "class", "--repository", "a/b", "--solutions").exit_code == 0
    made = nbformat.read(tmp_path / "class" / "02_base_model.ipynb", as_version=4)
    assert "lab/tree/class/02_base_model.ipynb" in made.cells[0].source and student.exercises(made)


def test_copies_that_are_committed_are_left_alone_by_the_hooks(tmp_path):
    """As docs/teaching.md says, with the folder's name in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace("extend-exclude = [", 'extend-exclude = ["my_class", ')
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    written = student.write_copies(tmp_path / "my_class", repository="a/b")
    before = [path.read_bytes() for path in written]
    hooks = re.findall(r"entry: (ruff .*)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert len(hooks) == 2
    for hook in [*hooks, "ruff check .", "ruff format --check ."]:  # the last two are those of `make lint`
        files = [] if hook.endswith(".") else [str(path) for path in written]
        command = [sys.executable, "-m", *hook.split(), *files]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{hook}: {done.stdout}"
    assert [path.read_bytes() for path in written] == before


@pytest.mark.parametrize(
    "name",
    [
        "face-lab",
        "https://github.com/a/b",
        "a/b/c",
        "a/b; rm",
        "a/b/",
        "a/b.git",
        "a/..",
        "../b",
        "-/b",
        "ä/b",
    ],
)
def test_a_repository_is_owner_and_name(tmp_path, name):
    done = run(tmp_path / "class", "--repository", name)
    assert isinstance(done.exception, ValueError) and "expected OWNER/REPO" in str(done.exception)
    assert not (tmp_path / "class").exists()


def colab_cell(repository: str) -> str:
    return student.SET_UP.format(repository=repository, name=repository.split("/")[1])


@pytest.fixture
def session(tmp_path):
    """Runs the cell as it stands in a fresh Python, twice, with a local repository in place of the address;
    pip is noted and not called. `session(colab)` gives what it says in the end."""
    source = tmp_path / "source"
    left_out = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(ROOT / "labkit", source / "labkit", ignore=left_out)
    (source / "notebooks").mkdir()
    (source / "notebooks" / "a.ipynb").write_text("{}")
    git = ["git", "-C", str(source), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "content").mkdir()
    before = """import subprocess, sys, types
called, real = [], subprocess.run
def noted(command, **options):
    words = [str(word) for word in command]
    called.append(words)
    return None if "pip" in words else real(words, **options)
subprocess.run = noted
if {colab}:
    sys.modules["google.colab"] = types.ModuleType("google.colab")
"""
    after = """
subprocess.run = real
import json, labkit
from labkit import places
told = {"called": called, "cwd": os.getcwd(), "labkit": labkit.__file__}
print(json.dumps(told | {"data": str(places.place("../data").resolve())}))
"""
    environment = os.environ | {
        "HOME": str(tmp_path / "home"),
        "USERPROFILE": str(tmp_path / "home"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{source.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/a/lab",
        "PYTHONPATH": str(ROOT),
    }

    def told(colab: bool) -> dict:
        code = before.format(colab=colab) + 2 * (colab_cell("a/lab") + "\n") + after
        python = [sys.executable, "-c", code]
        content = tmp_path / "content"
        done = subprocess.run(python, cwd=content, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return told


def test_on_colab_the_first_cell_fetches_the_lab_and_goes_there(session, tmp_path):
    told, lab = session(True), tmp_path / "home" / "lab"
    clone, *pips = told["called"]
    assert clone == ["git", "clone", "--depth=1", "https://github.com/a/lab", str(lab)]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--editable", str(lab)]
    assert pips == [install, install], "fetched once, however often the cell is run"
    assert Path(told["cwd"]) == lab / "notebooks" and Path(told["data"]) == lab / "data"
    assert Path(told["labkit"]) == lab / "labkit" / "__init__.py"


def test_elsewhere_the_first_cell_does_nothing(session, tmp_path):
    told = session(False)
    assert told["called"] == [] and list((tmp_path / "home").iterdir()) == []
    assert Path(told["cwd"]) == tmp_path / "content" and Path(told["labkit"]).parent == ROOT / "labkit"


def test_an_exercise_without_marks_or_check_is_named():
    source = nbformat.from_dict(SOURCES["02_base_model"].copy())
    cells = [cell.copy() for cell in source.cells]
    first = next(i for i, cell in enumerate(cells) if student.role(cell) == "solution")
    source.cells = cells[: first + 1] + cells[first + 2 :]
    with pytest.raises(ValueError, match="02-convolution: expected its check, 02-convolution-check"):
        student.exercises(source)
    cells[first].source = "pass"
    source.cells = cells
    with pytest.raises(ValueError, match="02-convolution: expected one solution, between"):
        student.exercises(source)


def test_the_teachers_table_says_what_the_notebooks_hold():
    text = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"\| `(\d\d_\w+)` \| (\d+ \| \d+) \|", text))
    for name, notebook in SOURCES.items():
        minutes = re.search(r"your work \| about (\d+) minutes", notebook.cells[0].source)[1]
        points = sum(cell.metadata.get("nbgrader", {}).get("points", 0) for cell in notebook.cells)
        assert rows[name] == f"{minutes} | {points}"


def test_colabs_cell_by_hand_is_the_same():
    text = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    by_hand = re.search(r"by hand.*?```python\n(.*?)```", text, re.DOTALL)[1]
    lines = {line.strip() for line in colab_cell("OWNER/REPO").splitlines()}
    left_out = {line for line in lines if line.startswith(("#", 'if "google.colab"'))}
    assert {line.strip() for line in by_hand.splitlines()} == lines - left_out
