"""`python -m labkit student`: the students' copies of the notebooks, without solutions and answers.

There is one source, `notebooks/`. A solution is marked in it as nbgrader marks it: lines between
`### BEGIN SOLUTION` and `### END SOLUTION`, in a cell whose metadata `nbgrader` say `solution: true`; the
cell that checks it says `grade: true`. An answer to a question is a `<details>` whose summary is `Answer`.
The glossary, to which words of the lessons link, has none of these and is copied as it is.
CONTRIBUTING.md says how an exercise is written.
"""

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Annotated
from urllib.parse import quote

import typer

from labkit.commands.common import ROOT, AsJson, show
from labkit.places import whole_file

NOTEBOOKS = ROOT / "notebooks"
BLANK = '# YOUR CODE HERE\nraise NotImplementedError("Exercise: your lines here")'
MARKED = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION *\n(.*?)^[ \t]*### END SOLUTION *$", re.MULTILINE | re.DOTALL
)
ANSWER = re.compile(r"<details>\s*<summary>Answer</summary>.*?</details>\n*", re.DOTALL)
# Editable, since the lab finds data and plan beside its package; a kernel that runs already does not see a
# package installed so, hence sys.path.
SET_UP = """\
# On Colab this fetches the lab and installs it, once a session. Anywhere else it does nothing.
import os
import subprocess
import sys
from pathlib import Path

if "google.colab" in sys.modules:
    lab = Path.home() / "{name}"
    if not lab.exists():
        subprocess.run(["git", "clone", "--depth=1", "https://github.com/{repository}", lab], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--editable", lab], check=True)
    sys.path.insert(0, str(lab))
    os.chdir(lab / "notebooks")"""
OWNER_AND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.\.?$)(?!.*\.git$)[A-Za-z0-9._-]+")  # as on GitHub
GOES_ON = "raises-exception"  # Jupyter runs the cells below a cell with this tag whatever happens in it


@dataclass(frozen=True)
class Exercise:
    """An exercise of a notebook.

    Attributes:
        id: its nbgrader `grade_id`, such as "02-convolution".
        source: of the cell to fill in, with the solution between its marks.
        check: the source of the cell that checks it.
    """

    id: str
    source: str
    check: str


def role(cell) -> str:
    """What a cell is in an exercise: "solution", "check", or "" for a cell of the lesson."""
    marks = cell["metadata"].get("nbgrader", {})
    return "solution" if marks.get("solution") else "check" if marks.get("grade") else ""


def exercises(notebook) -> list[Exercise]:
    """The exercises of a notebook in their order.

    Args:
        notebook: as `nbformat.read` gives it.

    Raises:
        ValueError: for a cell to fill in without one solution between marks, or without the cell that
            checks it, `<grade_id>-check`, as the next cell of code.
    """
    code, found = [cell for cell in notebook.cells if cell.cell_type == "code"], []
    for cell, following in zip(code, [*code[1:], None]):
        if role(cell) != "solution":
            continue
        id = cell.metadata.nbgrader.grade_id
        if len(MARKED.findall(cell.source)) != 1:
            raise ValueError(f"{id}: expected one solution, between ### BEGIN SOLUTION and ### END SOLUTION")
        checked = following is not None and role(following) == "check"
        if not checked or following.metadata.nbgrader.grade_id != f"{id}-check":
            raise ValueError(f"{id}: expected its check, {id}-check, as the next cell of code")
        found.append(Exercise(id, cell.source, following.source))
    return found


def solution(source: str) -> str:
    """The lines between the marks of a cell, without what they are indented by."""
    return dedent(MARKED.search(source)[2])


def filled(source: str, code: str = BLANK) -> str:
    """A cell with other lines in place of its marked ones.

    Args:
        source: of the cell.
        code: the lines, not indented; without it those of the students' copy, which raise
            NotImplementedError.

    Example:
        >>> print(filled("if x:\\n    ### BEGIN SOLUTION\\n    y = 1\\n    ### END SOLUTION", "y = 2"))
        if x:
            y = 2
    """
    return MARKED.sub(lambda marked: indent(code.rstrip("\n"), marked[1]), source)


def students_copy(notebook):
    """A notebook as students get it: blanks in place of solutions, no answers.

    An empty exercise fails, and the lesson below it does not need it: so its cells let Jupyter go on.

    Args:
        notebook: as `nbformat.read` gives it; is not changed.
    """
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = ANSWER.sub("", cell.source).strip("\n")
        elif role(cell):
            cell.source = filled(cell.source)
            cell.metadata.tags = [*cell.metadata.get("tags", []), GOES_ON]
    made.cells = [cell for cell in made.cells if cell.source.strip()]
    return made


def online(notebook, repository: str, path: str):
    """A copy that can be opened on Binder and Colab: two badges below its title, and as its first cell of
    code what Colab needs.

    Args:
        notebook: a copy as students get it; is not changed.
        repository: OWNER/REPO on GitHub, which holds the lab and the copies.
        path: of the copy in there.
    """
    import nbformat

    made, place = copy.deepcopy(notebook), quote(path)
    binder = f"https://mybinder.org/v2/gh/{repository}/HEAD?urlpath=lab/tree/{place}"
    colab = f"https://colab.research.google.com/github/{repository}/blob/main/{place}"
    badges = f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})\n"
    badges += f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab})"
    title, _, text = made.cells[0].source.partition("\n")
    made.cells[0].source = f"{title}\n\n{badges}\n{text}"
    set_up = SET_UP.format(repository=repository, name=repository.partition("/")[2])
    made.cells.insert(1, nbformat.v4.new_code_cell(set_up, id="colab"))
    return made


def write_copies(out: Path, solutions: bool = False, repository: str = "") -> list[Path]:
    """Write a copy of every notebook and of the glossary; all of them or none.

    The copies find data and reports wherever they lie (`labkit.places.place`), except in another folder
    called `notebooks`, which would be taken for the lab's.

    Args:
        out: the folder; is made where it is missing.
        solutions: leave solutions and answers in.
        repository: OWNER/REPO, for copies that open on Binder and Colab, see `online`; "" = none. The copies
            lie there where `out` lies in this checkout, or in a folder of its name.

    Returns:
        The files, in the order of the notebooks.

    Raises:
        ValueError: for a folder called `notebooks`, and for a repository that is not OWNER/REPO.
        NotADirectoryError: where a file stands in place of the folder, or of one above it.
        FileExistsError: where one of the files is there: it may be a student's work.
    """
    import nbformat

    if out.resolve().name == "notebooks":
        raise ValueError(f"{out}: a folder called notebooks is taken for the lab's own; give another name")
    if repository and not OWNER_AND_NAME.fullmatch(repository):
        raise ValueError(f"repository: expected OWNER/REPO, as in github.com/OWNER/REPO, got '{repository}'")
    for path in (out, *out.parents):
        if path.is_file():
            raise NotADirectoryError(f"{path} is a file; give a folder")
    inside = out.resolve().is_relative_to(ROOT)
    folder = out.resolve().relative_to(ROOT).as_posix() if inside else out.resolve().name
    texts = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        exercises(notebook)  # each has its solution and its check
        made = notebook if solutions else students_copy(notebook)
        if repository and any(cell.cell_type == "code" for cell in made.cells):
            made = online(made, repository, f"{folder}/{path.name}")
        texts[out / path.name] = nbformat.writes(made)
    for path in texts:
        if path.exists():
            raise FileExistsError(f"{path} is there and may be somebody's work; nothing was written")
    written = []
    try:
        for path, text in texts.items():
            with whole_file(path) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
            written.append(path)
    except BaseException:  # a full disk, Ctrl-C: not half of them
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return written


def student(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The folder they are written to, any but one that holds such copies."
        ),
    ],
    solutions: Annotated[
        bool, typer.Option("--solutions", help="Leave solutions and answers in: the teacher's copies.")
    ] = False,
    repository: Annotated[
        str,
        typer.Option(
            "--repository",
            metavar="OWNER/REPO",
            help="On GitHub, with the lab and the copies: each gets badges for Binder and Colab, and what "
            "Colab needs.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Write the students' copies of all notebooks: exercises to fill in with their hints and checks, no
    solutions, no answers to questions. They run from any folder, with this checkout's labkit. A file that is
    there is never overwritten."""
    written = write_copies(out, solutions, repository)
    kind = "with solutions and answers" if solutions else "without solutions and answers"
    result = {"out": str(out), "solutions": solutions, "notebooks": [path.name for path in written]}
    show(result, as_json, f"{len(written)} notebooks {kind} in {out}")
