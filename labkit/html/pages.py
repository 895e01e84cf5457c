"""The HTML of the reports: an index, a page a lab, the notebooks as they ran. No script, no network,
everything escaped."""

import csv
import html
import json
import re
from collections.abc import Callable
from pathlib import Path

from labkit import tables
from labkit.places import whole_file

TEMPLATES = Path(__file__).parent / "templates"
GLOSSARY = "glossary"  # the notebook that explains the words; nothing in it runs
PARTS = ("published", "ours", "sd", "seeds", "difference")  # of a measure, in the order of the files


def _render(template: str, **values) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    options = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True}
    environment = Environment(loader=FileSystemLoader(TEMPLATES), **options)
    environment.filters["prose"] = _prose
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(style=style, **values)


def _prose(text: str) -> str:
    """A text of the plan as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write(plan: dict, profile: str, folder: Path) -> Path:
    """Write the index and the page of every lab from the tables and figures in a folder.

    Args:
        plan: as `plan.read_plan` gives it.
        profile: its name, which the pages show.
        folder: with `tables/`, `figures/` and `notebooks/` as far as they are there; is made where it is not.

    Returns:
        The path of the index.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labs = [_lab(name, settings, plan, folder) for name, settings in plan["lab"].items()]
    there = {path.stem for path in (folder / "notebooks").glob("*.html")}
    shared = {"profile": profile, "root": "", "notebooks": sorted(there - {GLOSSARY})}
    for lab in labs:
        _write(folder / f"{lab['id']}.html", _render("lab.html", title=lab["title"], lab=lab, **shared))
    index, title = folder / "index.html", "Face Lab: the reports"
    _write(index, _render("index.html", title=title, labs=labs, glossary=GLOSSARY in there, **shared))
    return index


def _lab(name: str, settings: dict, plan: dict, folder: Path) -> dict:
    """A lab's settings with its tables, each with its figures beside it, the figures that belong to no table,
    and its headline."""
    there = [id for id, table in plan["table"].items() if table["lab"] == name]
    there = [id for id in there if (folder / "tables" / f"{id}.json").exists()]
    figures = []
    for figure, about in plan["figure"].items():
        if about["lab"] == name and (folder / "figures" / f"{figure}.png").exists():
            figures.append({"name": figure, **about})
    tables = []
    for id in there:
        beside = [figure for figure in figures if figure.get("table") == id]
        tables.append({**_table(folder / "tables" / f"{id}.json"), "figures": beside})
    picture, headline = settings.get("picture"), None
    if settings.get("headline", {}).get("table") in there:
        headline = _headline(folder / "tables" / f"{settings['headline']['table']}.csv", settings["headline"])
    return {
        "id": name,
        **settings,
        "tables": tables,
        "figures": [figure for figure in figures if figure.get("table") not in there],
        "picture": picture if any(figure["name"] == picture for figure in figures) else None,
        "headline": headline,
    }


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8") as file:
        columns, *lines = list(csv.reader(file))
    return columns, lines


def _headline(path: Path, settings: dict) -> dict | None:
    """The line of a table that speaks for its lab: of those with a published figure beside ours the last, or
    the one where ours is best. `measure`, `row` (what names the line), `published`, `ours`, `difference` and
    `seeds`, as text."""
    columns, lines = _read(path)
    kinds, of = [column.split("_")[-1] for column in columns], {}
    for part in PARTS:
        of[part] = kinds.index(part) if part in kinds else None
    full = [line for line in lines if line[of["published"]] and line[of["ours"]]]
    if not full:
        return None
    line = max(full, key=lambda line: float(line[of["ours"]])) if settings.get("best") else full[-1]
    texts = {part: _cell(columns[i], line[i])["text"] for part, i in of.items()}
    row = ", ".join(text for text in line[: of["published"]] if text)
    measure = columns[of["ours"]].removesuffix("ours").strip("_").replace("_", " ")
    return texts | {"row": row, "measure": measure or "accuracy"}


def _table(path: Path) -> dict:
    """A table as its page shows it: columns that are the same in every row become a sentence, the parts of a
    measure stand under one heading."""
    notes = json.loads(path.read_text(encoding="utf-8"))
    columns, lines = _read(path.with_suffix(".csv"))
    alone = _published_alone(columns, lines)
    columns, lines = _filled(columns, lines, alone)
    same = _same_in_every_row(columns, lines)
    told = [i for i in same if not columns[i].endswith("_seeds")]
    kept = [column for i, column in enumerate(columns) if i not in same]
    groups = _groups(kept, notes.get("measures", []))
    rows = []
    for line in lines:
        named = dict(zip(columns, line))
        rows.append([_shown(named, parts) for _, cells in groups for _, parts in cells])
    for column in zip(*rows):  # numbers stand to the right only where all of a column are
        if not all(cell["number"] or not cell["text"] for cell in column):
            for cell in column:
                cell["number"] = False
    return {
        "mixed": [],
        **notes,
        "alone": ", ".join(name.replace("_", " ") for name in alone),
        "every": ", ".join(f"{columns[i].replace('_', ' ')} {lines[0][i]}" for i in told),
        "groups": groups,
        "lines": rows,
        "two_rows": any(len(cells) > 1 for _, cells in groups),
        "provenance_line": _provenance_line(notes["provenance"]),
    }


def _published_alone(columns: list[str], lines: list[list[str]]) -> list[str]:
    """The measures of which no row has a figure of ours, such as those of a test part that is kept back."""
    ours = [(i, column) for i, column in enumerate(columns) if column.endswith("_ours")]
    return [column.removesuffix("_ours") for i, column in ours if not any(line[i] for line in lines)]


def _filled(
    columns: list[str], lines: list[list[str]], alone: list[str]
) -> tuple[list[str], list[list[str]]]:
    """Without the columns that are empty in every row, and without measures that are published alone: the
    files keep them."""
    told = [f"{name}_published" for name in alone]
    filled = [i for i in range(len(columns)) if columns[i] not in told and any(line[i] for line in lines)]
    return [columns[i] for i in filled], [[line[i] for i in filled] for line in lines]


def _same_in_every_row(columns: list[str], lines: list[list[str]]) -> list[int]:
    """Indices of columns that need not stand in the table: never the first, none where there is one row."""
    same = []
    for i, column in enumerate(columns):
        if i and len(lines) > 1 and len({line[i] for line in lines}) == 1 and _may_go(column):
            same.append(i)
    return same


def _may_go(column: str) -> bool:
    """Figures stay in the table even where all are equal; labels, devices and numbers of seeds need not."""
    return column.split("_")[-1] not in ("published", "ours", "sd", "difference", "low", "high")


def _groups(columns: list[str], measures: list[str]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """(heading, [(what stands below it, the columns of one cell), ...]) from left to right."""
    groups: list[tuple[str, list]] = []
    ours = [column for column in columns if column.split("_")[-1] == "ours"]
    measured = {column.removesuffix("ours").strip("_") for column in ours}
    for column in columns:
        name, part = column.rpartition("_")[::2]
        if name not in measured or part not in PARTS:
            groups.append((column.replace("_", " "), [("", [column])]))
            continue
        heading = (name or (measures[0] if len(measures) == 1 else "ours")).replace("_", " ")
        if not groups or groups[-1][0] != heading:
            groups.append((heading, []))
        below = groups[-1][1]
        if part == "sd" and below and below[-1][0] == "ours":
            below[-1] = ("ours ± sd", [*below[-1][1], column])
        else:
            below.append(({"seeds": "n"}.get(part, part), [column]))
    return groups


def _shown(line: dict, columns: list[str]) -> dict:
    cell = _cell(columns[0], line[columns[0]])
    spread = [_cell(column, line[column])["text"] for column in columns[1:] if line[column]]
    return cell | {"text": " ± ".join([cell["text"], *spread])}


def _cell(column: str, text: str) -> dict:
    """`text`, whether it is a `number`, and the `sign` of a difference: "up", "down" or ""."""
    try:
        number = float(text)
    except ValueError:
        return {"text": text, "number": False, "sign": ""}
    kind, sign = column.split("_")[-1], ""
    if kind in ("difference", "low", "high", "published", "ours", "sd", "seconds"):
        text = tables.written(number, column)
    if kind == "difference" and number:
        sign = "up" if number > 0 else "down"
    return {"text": text.replace("-", "−"), "number": True, "sign": sign}


def _provenance_line(p: dict) -> str:
    if not p["rows"]:
        return p.get("measured", "No row finished.")
    made = f"{p['made'][0][:16].replace('T', ' ')} to {p['made'][1][:16].replace('T', ' ')} UTC"
    parts = [
        f"{p['rows']} training{'s' * (p['rows'] != 1)}, {p['training_seconds']:.0f} s in all",
        f"data {', '.join(p['data'])}",
        f"seeds {', '.join(p['seeds'])}",
        f"epochs {', '.join(p['epochs'])}",
        f"on {', '.join(p['device'])} in {', '.join(p['precision'])}",
        made,
        f"commit {', '.join(p['commit'])}",
        ", ".join(p["versions"]),
    ]
    return "; ".join(parts) + "."


def write_notebook(source: Path, target: Path, profile: str) -> None:
    """The executed notebook as one HTML page without scripts: formulas become MathML, pictures are inside.

    Args:
        source: the notebook as it ran.
        target: the page that is written.
        profile: its name, which the page shows.
    """
    _write_page(source, target, profile, lambda name: True)  # the others may still be running


def write_glossary(source: Path, folder: Path, profile: str) -> None:
    """The glossary as a page beside those of the notebooks, once all of these are written: a notebook that is
    not among them is named there and not linked.

    Args:
        source: the glossary's notebook.
        folder: where the pages lie.
        profile: its name, which the page shows.
    """
    target = folder / f"{GLOSSARY}.html"
    _write_page(source, target, profile, lambda name: (folder / f"{name}.html").exists() or name == GLOSSARY)


def _write_page(source: Path, target: Path, profile: str, has_page: Callable[[str], bool]) -> None:
    import nbformat
    from pygments.formatters import HtmlFormatter

    notebook = nbformat.read(source, as_version=4)
    _prepare_cells(notebook, source.stem)
    content, _ = _exporter().from_notebook_node(notebook)
    content = _links_to_pages(content, has_page)
    style = HtmlFormatter(style="default").get_style_defs(".highlight")
    values = {"title": source.stem, "profile": profile, "root": "../"}
    _write(target, _render("notebook.html", content=f"<style>{style}</style>{content}", **values))


def _links_to_pages(content: str, has_page: Callable[[str], bool]) -> str:
    """Links from notebook to notebook, `NAME.ipynb#PLACE`, as links from page to page; of a link to a
    notebook without a page only its words stay."""

    def link(found: re.Match) -> str:
        name, place, words = found.groups()
        return f'<a href="{name}.html{place or ""}">{words}</a>' if has_page(name) else words

    return re.sub(r'<a href="([\w-]+)\.ipynb(#[^"]*)?">(.*?)</a>', link, content, flags=re.DOTALL)


def _prepare_cells(notebook, section: str) -> None:
    """Formulas become MathML, progress bars go, and a figure says to which section it belongs, the first
    being `section`."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = (re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE) or [section])[-1]
            cell.source = formulas_to_mathml(cell.source)
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not _is_progress(output)]
        # For those who hear the page: what the cell says of its figure, or at least where it belongs.
        for output in cell.get("outputs", []):
            picture = output.get("metadata", {}).setdefault("image/png", {})
            picture.setdefault("alt", f"Figure of section {section}")
        cell.pop("outputs_hidden", None)


def _is_progress(output) -> bool:
    """A bar of tqdm, which stands still at what it first said."""
    shown = output.get("data", {})
    return "image/png" not in shown and re.search(r"\d+%\|", shown.get("text/plain", "")) is not None


def _exporter():
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    # A widget needs a kernel: of what it left behind, its picture is shown.
    kinds = HTMLExporter().default_config.NbConvertBase.display_data_priority
    still = [kind for kind in kinds if "widget" not in kind]
    config = Config({"NbConvertBase": {"display_data_priority": still}})
    options = {"exclude_input_prompt": True, "exclude_output_prompt": True}
    return HTMLExporter(config=config, template_name="basic", **options)


def formulas_to_mathml(markdown: str) -> str:
    """`$$...$$` and `$...$` as MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert

    def block(formula: re.Match) -> str:
        return convert(formula[1].strip(), display="block")

    markdown = re.sub(r"\$\$(.+?)\$\$", block, markdown, flags=re.DOTALL)
    return re.sub(r"(?<![\\$])\$([^$\n]+?)\$", lambda formula: convert(formula[1]), markdown)
