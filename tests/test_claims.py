"""What the notebooks' text says with a number is true.

`tests/claims/NN.toml` lists the claims of notebook NN. `text` is a piece of its markdown, and one more key
says where its numbers come from:

    output = 'of (\\d+) images'    a pattern in what the notebook printed in quick: its groups are the numbers
    table = "reports/....csv"      a cell of a kept table, with `where` and `column`; also a list of such
    row = "key"                    a kept row of reports/full/rows, with `value = "metrics.test..."`
    python = "math.log(2)"         arithmetic, with math, np, stats, `cell(file, column, **where)` of a table,
                                   and `table`, `scores`, `interval`, `module` (see there)
    code = "dropout = 0.5"         an exact piece, with these numbers, of the notebook's code, the plan, the
                                   text of a kept table, labkit, or the cards of its weights
    source = "He and others 2015"  a work that the notebook names
    given = true                   the text sets it: the premise of a question or an exercise, and only there

`holds = "g[0] > g[1]"` beside a source of numbers replaces the comparison: g are the numbers found. It is for
sentences without numbers, and for trainings, whose results move from machine to machine.

A number has to be claimed if it is decimal, a percentage, of three digits or more, or any number in a
sentence that names `full`, `quick`, a real data set or the report. Not read: code, formulas, links, the
table at the head of a notebook, hints, lists of sources, and the quiz where it names none of these.
"""

import functools
import html
import json
import math
import os
import re
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats as stats

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = {path.stem[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
CLAIMS = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8")).get("claim", [])
    for path in sorted((ROOT / "tests" / "claims").glob("*.toml"))
}
KINDS = {"output", "table", "row", "python", "code", "source", "given"}
EACH = [(name, i) for name, claims in CLAIMS.items() for i in range(len(claims))]
PRINTED = [(name, i) for name, i in EACH if "output" in CLAIMS[name][i]]
KEPT = [(name, i) for name, i in EACH if "output" not in CLAIMS[name][i]]

NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])(?!\.\d)(?:[  ]?%| per cent)?")
UNREAD = re.compile(
    r"<summary>[^<]*[Hh]int</summary>.*?</details>|^\*\*Sources?\.\*\*.*\Z"
    r"|```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*(?:\n[^$\n]+)?\$|\]\([^)]*\)|https?://\S+|<[^>\n]*>",
    re.DOTALL | re.MULTILINE,
)
HEADER = re.compile(r"\A# [^\n]*\n.*(?:\n\|[^\n]*)+", re.DOTALL)  # the title and the table of what is needed
QUIZ = re.compile(r"^## Quiz$", re.MULTILINE)
PREMISE = re.compile(r"\*\*(?:Questions?\b|Exercise\b|\d\.)")  # how a question begins, or one of the quiz
NAME = re.compile(
    r"[Nn]otebooks? \d\d(?:(?:, | and )\d\d)*|[Ss]ections? \d+|CK\+\d+|\b(?:1[789]|20)\d\d(?:/\d+)?\b|\d+×\d+"
    r"|\*\*(?:\w+ )?\d+\.|^#+ \d+|^\d+\. ",
    re.MULTILINE,
)
LINKED = re.compile(r"\[([^\]]*)\]\(glossary\.ipynb#[^)]*\)")
RESULT = re.compile(r"`(?:full|quick)`|GENKI|FER2013|CK\+|CelebA|the report|published")


# --- reading a notebook ---------------------------------------------------------------------------------


def cells(path: Path, kind: str) -> list[str]:
    """The cells of a kind; a word that leads to the glossary reads as the word."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    found = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]
    return [LINKED.sub(r"\1", text) for text in found]


def blank(text: str) -> str:
    """The text with blanks, as many, in place of what is not read."""
    for pattern in (HEADER, UNREAD, NAME):
        text = pattern.sub(lambda found: re.sub(r"\S", " ", found[0]), text)
    return text


def sentence_at(text: str, place: int) -> str:
    """The sentence around a place; a full stop, a question mark or an empty line ends it."""
    ends = [found.end() for found in re.finditer(r"[.?!:](?=\s)|\n\s*\n|\n- ", text)]
    start = max([end for end in ends if end <= place], default=0)
    return text[start : min([end for end in ends if end > place], default=len(text))]


def to_claim(text: str) -> list[tuple[int, str]]:
    """The numbers of a markdown cell that a claim has to cover, each with its place."""
    quiz = found.start() if (found := QUIZ.search(text)) else len(text)
    numbers = [(found.start(), found[0]) for found in NUMBER.finditer(blank(text))]
    return [
        (place, number)
        for place, number in numbers
        if RESULT.search(sentence_at(text, place))
        or (place < quiz and re.search(r"[.%]|per cent|\d{3}", number))
    ]


def stands(piece: str, text: str) -> list[tuple[int, int]]:
    """From where to where a piece stands in a text; a line may end at any blank."""
    pattern = r"\s+".join(map(re.escape, piece.split()))
    return [found.span() for found in re.finditer(pattern, text)]


def uncovered(texts: list[str], claims: list[dict]) -> list[str]:
    missing = []
    for text in texts:
        spans = [span for claim in claims for span in stands(claim["text"], text)]
        for place, number in to_claim(text):
            if not any(start <= place and place + len(number) <= end for start, end in spans):
                missing.append(f"{number}: ...{text[max(0, place - 60) : place + 60]!r}...")
    return missing


# --- numbers --------------------------------------------------------------------------------------------


def agrees(written: str, value: float) -> bool:
    """`value`, rounded as `written` is; of a percentage, a value up to 1 is a fraction."""
    whole, decimals = re.match(r"[-−]?([\d,]+)(?:\.(\d+))?", written).groups(default="")
    number = float(f"{whole.replace(',', '')}.{decimals}") * (-1 if written[0] in "-−" else 1)
    if written.endswith(("%", "per cent")) and abs(value) <= 1:
        value *= 100
    return abs(number - value) <= 0.5 * 10 ** -len(decimals) + 1e-9


def numbers(text: str) -> list[str]:
    return [found[0] for found in NUMBER.finditer(blank(text))]


def as_floats(values) -> list[float]:
    values = values if isinstance(values, tuple | list | np.ndarray) else [values]
    texts = [str(float(value)) if isinstance(value, bool) else str(value) for value in values]
    return [float(text.replace(",", "").replace("−", "-")) for text in texts]


# --- where a number comes from --------------------------------------------------------------------------


@functools.cache
def table(file: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / file, dtype=str)


def same(cell: str, wanted) -> bool:
    try:
        return cell == str(wanted) or float(cell) == float(wanted)
    except (TypeError, ValueError):
        return False


def cell(file: str, column: str, **where) -> float:
    """A cell of a table; `where` names the one row."""
    frame = table(file)
    for key, wanted in where.items():
        frame = frame[[same(one, wanted) for one in frame[key]]]
    assert len(frame) == 1, f"{file}: {len(frame)} rows with {where}"
    return float(frame[column].iloc[0])


def look(value, path: str):
    """What lies at "test.smile.accuracy" in dictionaries and lists; None where nothing does."""
    for key in path.split("."):
        if isinstance(value, list):
            value = value[int(key)] if int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def scores(table: str, path: str, spec: dict) -> np.ndarray:
    """A value of the kept rows behind a table whose settings are these, in the order of their seeds."""
    notes = json.loads((ROOT / "reports" / "full" / "tables" / f"{table}.json").read_text(encoding="utf-8"))
    rows = [json.loads(kept(key).read_text(encoding="utf-8")) for key in notes["rows"]]
    rows = [row for row in rows if all(look(row["spec"], key) == wanted for key, wanted in spec.items())]
    return np.array([look(row, path) for row in sorted(rows, key=lambda row: row["spec"]["seed"])])


def interval(differences: np.ndarray) -> tuple[float, float, float]:
    """Their mean, and the ends of Student's 95 % interval."""
    mean, error = differences.mean(), stats.sem(differences)
    return (mean, *stats.t.interval(0.95, len(differences) - 1, mean, error))


def kept(key: str) -> Path:
    return ROOT / "reports" / "full" / "rows" / f"{key}.json"


def of_table(claim: dict) -> list[float]:
    asked = claim["table"] if isinstance(claim["table"], list) else [claim]
    return [cell(one["table"], one["column"], **one.get("where", {})) for one in asked]


def of_row(claim: dict) -> list[float]:
    return [float(look(json.loads(kept(claim["row"]).read_text(encoding="utf-8")), claim["value"]))]


def of_python(claim: dict) -> list[float]:
    known = {"math": math, "np": np, "stats": stats, "cell": cell, "table": table, "scores": scores}
    known |= {"interval": interval, "module": import_module, "ROOT": ROOT}
    return as_floats(eval(f"({claim['python']})", known))


def printed(path: Path) -> str:
    """Everything that an executed notebook printed; of tables the cells, with blanks between them."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    texts = []
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
        data = output.get("data", {})
        text = "".join(output.get("text") or data.get("text/html") or data.get("text/plain", ""))
        texts.append(html_to_text(text) if "text/html" in data else text)
    return "\n".join(texts)


def html_to_text(page: str) -> str:
    """A line a row, two blanks behind each cell."""
    page = re.sub(r"<style.*?</style>|\s+", " ", page, flags=re.DOTALL)
    page = re.sub(r"</t[hd]>", "  ", re.sub(r" *(</?t[rhd])\b", r"\1", page)).replace("</tr>", "\n")
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def of_output(claim: dict, text: str) -> list[float]:
    found = re.search(claim["output"], text, re.DOTALL | re.MULTILINE)
    assert found, f"nothing printed matches {claim['output']!r}"
    return as_floats(found.groups())


def compared(claim: dict) -> bool:
    """Whether the numbers of a claim are compared, one by one."""
    return "holds" not in claim and not {"source", "given"} & set(claim) and bool(numbers(claim["text"]))


def compare(claim: dict, values: list[float]) -> None:
    """The numbers found are those written, or what is said of them holds."""
    if "holds" in claim:
        assert eval(claim["holds"], {"g": values, "math": math, "np": np}), (
            f"{claim['text']!r}: found {values}"
        )
        return
    written = numbers(claim["text"])
    assert len(written) == len(values), f"{claim['text']!r}: {written} are written, {values} found"
    for number, value in zip(written, values):
        assert agrees(number, value), f"{claim['text']!r}: {number} is written, {value} found"


def set_in_code(claim: dict, texts: list[str]) -> None:
    """The code stands there, and each number written is one of its numbers."""
    assert any(claim["code"] in text for text in texts), f"no code holds {claim['code']!r}"
    code = re.sub(r"(?<=\d)[_,](?=\d{3})", "", claim["code"])
    known = [float(found) for found in re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", code)]
    for number in numbers(claim["text"]):
        assert any(agrees(number.lstrip("-−"), one) for one in known), f"{number} is not in {claim['code']!r}"


@functools.cache
def settings() -> list[str]:
    """Where a setting may stand outside of the notebook."""
    files = [ROOT / "reports" / "plan.toml", *sorted((ROOT / "reports" / "full" / "tables").glob("*.json"))]
    files += [file for ending in ("py", "md") for file in sorted((ROOT / "labkit").rglob(f"*.{ending}"))]
    return [file.read_text(encoding="utf-8") for file in files]


def check(claim: dict, markdown: list[str], code: list[str] = (), output: str = "") -> None:
    """One claim about a notebook with these cells, which printed `output`."""
    assert sum(kind in claim for kind in KINDS) == 1, f"{claim['text']!r}: one of {KINDS}"
    text = "\n\n".join(markdown)
    assert stands(claim["text"], text), f"no lesson says {claim['text']!r}"
    if "output" in claim:
        compare(claim, of_output(claim, output))
    elif "code" in claim:
        set_in_code(claim, [*code, *settings()])
    elif "given" in claim:
        asked = [part for part in text.split("\n\n") if PREMISE.match(part)]
        assert any(stands(claim["text"], part) for part in asked), f"no question says {claim['text']!r}"
    elif "source" in claim:
        assert stands(claim["source"], text), f"the notebook names no {claim['source']!r}"
    else:
        kinds = {"table": of_table, "row": of_row, "python": of_python}
        compare(claim, next(read(claim) for kind, read in kinds.items() if kind in claim))


# --- the tests ------------------------------------------------------------------------------------------


def check_in(name: str, i: int, output: str = "") -> None:
    path = NOTEBOOKS[name]
    check(CLAIMS[name][i], cells(path, "markdown"), cells(path, "code"), output)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_number_is_claimed(name):
    missing = uncovered(cells(NOTEBOOKS[name], "markdown"), CLAIMS.get(name, []))
    if missing:
        pytest.fail(f"{NOTEBOOKS[name].name}, claimed nowhere:\n" + "\n".join(missing), pytrace=False)


@pytest.mark.parametrize(("name", "i"), KEPT)
def test_a_claim_holds(name, i):
    check_in(name, i)


@pytest.fixture(scope="session")
def outputs(request):
    """What each notebook printed in quick. LABKIT_EXECUTED names a folder where they were run before, such as
    reports/quick/notebooks."""
    folder = os.environ.get("LABKIT_EXECUTED")
    if not folder:
        request.getfixturevalue("first_run")
        folder = request.getfixturevalue("quick_folder") / "quick" / "notebooks"
    return {name: printed(Path(folder) / path.name) for name, path in NOTEBOOKS.items()}


@pytest.mark.parametrize(("name", "i"), PRINTED)
def test_a_claim_about_what_is_printed_holds(name, i, outputs):
    check_in(name, i, outputs[name])


# --- and of the tests themselves --------------------------------------------------------------------------


def wrong(text: str) -> str:
    """The same with another last digit in its last number."""
    last = list(NUMBER.finditer(blank(text)))[-1]
    place = last.start() + re.search(r"\d(?=\D*$)", last[0]).start()
    return text[:place] + str((int(text[place]) + 4) % 10) + text[place + 1 :]


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, i in KEPT if compared(CLAIMS[name][i])])
def test_another_digit_is_not_true(name, i):
    """Where the text of a notebook has another number, and its claim the same one."""
    claim, path = CLAIMS[name][i], NOTEBOOKS[name]
    other = claim | {"text": wrong(claim["text"])}
    with pytest.raises(AssertionError, match=r"written|is not in"):
        check(other, [*cells(path, "markdown"), other["text"]], cells(path, "code"))


def test_a_number_that_is_changed_in_the_notebook_alone_is_noticed():
    markdown = [text.replace("0.674 ± 0.015", "0.684 ± 0.015") for text in cells(NOTEBOOKS["02"], "markdown")]
    claim = next(claim for claim in CLAIMS["02"] if "0.674 ± 0.015" in claim["text"])
    with pytest.raises(AssertionError, match="no lesson says"):
        check(claim, markdown)
    assert len(uncovered(markdown, CLAIMS["02"])) == 4  # the whole sentence lost its claim


def test_a_number_without_a_claim_is_noticed():
    markdown = [*cells(NOTEBOOKS["02"], "markdown"), "It reaches 0.777."]
    assert [line.split(":")[0] for line in uncovered(markdown, CLAIMS["02"])] == ["0.777"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It gains 0.226 there, 43 % of 1,500 faces.", ["0.226", "43 %", "1,500"]),
        ("From −0.003 to 0.5: `x = 0.7` and $y = 0.8$ are code, 12 faces few.", ["−0.003", "0.5"]),
        ("We train on only 320 images from 64 people, under Regulation 2024/1689.", ["320"]),
        ("In `full` 12 of them have it. In all 13.", ["12"]),
        ("Of FER2013's faces, 48×48 pixels each (Goodfellow 2013, notebook 05), 12 are black.", ["12"]),
        ("**Exercise 2.** Ten.\n\n<details><summary>Second hint</summary>\n\nIt is 0.5.\n</details>", []),
        ("0.476 with half\n2. In two 0.5", ["0.476", "0.5"]),
        ("## Quiz\n\n**1.** You get 0.9.\n\nIn `full` it was 0.726.", ["0.726"]),
        ("Text.\n\n**Sources.** Somebody 2015, 0.5.", []),
        ("# 02 · Title\n\n| takes | 2.5 minutes |\n\nBut 2.5.", ["2.5"]),
    ],
)
def test_which_numbers_are_claims(text, found):
    assert [number for _, number in to_claim(text)] == found


@pytest.mark.parametrize(
    ("written", "value", "right"),
    [
        ("0.674", 0.6735, True),
        ("0.674", 0.6746, False),
        ("0.900", 0.8995, True),
        ("0.90", 0.8949, False),
        ("43 %", 0.434, True),
        ("43 %", 43.6, False),
        ("9.4 %", 0.0936, True),
        ("−0.003", -0.00327, True),
        ("0.003", -0.00327, False),
        ("1,500", 1500, True),
    ],
)
def test_numbers_agree_as_they_are_written(written, value, right):
    assert agrees(written, value) is right


def test_a_table_is_read_as_text():
    page = "<style>a</style><table><tr><th></th><th>model</th></tr>\n<tr><td>1</td>\n<td>A &amp; B</td></tr>"
    assert html_to_text(page).split("\n")[1].split("  ")[:2] == ["1", "A & B"]


def test_a_claim_of_a_kept_row():
    claim = {"text": "It reads 0.9463.", "row": "77312e54758d8a73", "value": "metrics.test.smile.accuracy"}
    check(claim, ["It reads 0.9463."])
    with pytest.raises(AssertionError, match="is written"):
        check(claim | {"text": "It reads 0.9513."}, ["It reads 0.9513."])
