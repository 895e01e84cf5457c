"""The HTML of the reports: an index, a page a lab, the notebooks as they ran. No script, no network, everything escaped."""

import csv
import html
import json
import re
import uuid
from pathlib import Path

from labkit import tables

TEMPLATES = Path(__file__).parent / "templates"
PARTS = ("published", "ours", "sd", "seeds", "difference")  # of a measure, in the order of the files


def _render(template: str, **values) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["prose"] = _prose
    return environment.get_template(template).render(
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8"), **values
    )


def _prose(text: str) -> str:
    """A text of the plan as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write(plan: dict, profile: str, folder: Path) -> Path:
    """Write the index and the page of every lab from the tables and figures in `folder`; returns the index."""
    folder.mkdir(parents=True, exist_ok=True)
    labs = [_lab(name, settings, plan, folder) for name, settings in plan["lab"].items()]
    notebooks = sorted(path.stem for path in (folder / "notebooks").glob("*.html"))
    for lab in labs:
        _write(
            folder / f"{lab['id']}.html",
            _render("lab.html", title=lab["title"], profile=profile, root="", lab=lab, notebooks=notebooks),
        )
    title = "Face Lab: the reports"
    _write(
        folder / "index.html",
        _render("index.html", title=title, profile=profile, root="", labs=labs, notebooks=notebooks),
    )
    return folder / "index.html"


def _lab(name: str, settings: dict, plan: dict, folder: Path) -> dict:
    """A lab's settings with its tables, each with its figures beside it, the figures that belong to no table, and its headline."""
    there = [
        id
        for id, table in plan["table"].items()
        if table["lab"] == name and (folder / "tables" / f"{id}.json").exists()
    ]
    figures = [
        {"name": f, **v}
        for f, v in plan["figure"].items()
        if v["lab"] == name and (folder / "figures" / f"{f}.png").exists()
    ]
    tables = [
        {**_table(folder / "tables" / f"{id}.json"), "figures": [f for f in figures if f.get("table") == id]}
        for id in there
    ]
    picture = settings.get("picture") if any(f["name"] == settings.get("picture") for f in figures) else None
    lab = {
        "id": name,
        **settings,
        "tables": tables,
        "figures": [f for f in figures if f.get("table") not in there],
        "picture": picture,
    }
    headline = settings.get("headline", {}).get("table")
    return lab | {
        "headline": _headline(folder / "tables" / f"{headline}.csv", settings["headline"])
        if headline in there
        else None
    }


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8") as file:
        columns, *lines = list(csv.reader(file))
    return columns, lines


def _headline(path: Path, settings: dict) -> dict | None:
    """The line of a table that speaks for its lab: of those with a published figure beside ours the last, or the one where ours is
    best. `measure`, `row` (what names the line), `published`, `ours`, `difference` and `seeds`, as text."""
    columns, lines = _read(path)
    of = {part: next((i for i, c in enumerate(columns) if c.split("_")[-1] == part), None) for part in PARTS}
    full = [line for line in lines if line[of["published"]] and line[of["ours"]]]
    if not full:
        return None
    line = max(full, key=lambda line: float(line[of["ours"]])) if settings.get("best") else full[-1]
    texts = {part: _cell(columns[i], line[i])["text"] for part, i in of.items()}
    row = ", ".join(text for text in line[: of["published"]] if text)
    return texts | {
        "row": row,
        "measure": columns[of["ours"]].removesuffix("ours").strip("_").replace("_", " ") or "accuracy",
    }


def _table(path: Path) -> dict:
    """A table as its page shows it: columns that are the same in every row become a sentence, the parts of a measure stand under one
    heading."""
    notes = json.loads(path.read_text(encoding="utf-8"))
    columns, lines = _read(path.with_suffix(".csv"))
    filled = [
        i for i in range(len(columns)) if any(line[i] for line in lines)
    ]  # the files keep the others: part kept back, one seed
    columns, lines = [columns[i] for i in filled], [[line[i] for i in filled] for line in lines]
    same = [
        i
        for i, column in enumerate(columns)
        if i and len(lines) > 1 and len({line[i] for line in lines}) == 1 and _may_go(column)
    ]
    every = ", ".join(
        f"{columns[i].replace('_', ' ')} {lines[0][i]}" for i in same if not columns[i].endswith("_seeds")
    )
    kept = [i for i in range(len(columns)) if i not in same]
    groups = _groups([columns[i] for i in kept], notes.get("measures", []))
    rows = [
        [_shown(dict(zip(columns, line)), parts) for _, subs in groups for _, parts in subs] for line in lines
    ]
    for column in zip(*rows):  # numbers stand to the right only where all of a column are
        if not all(cell["number"] or not cell["text"] for cell in column):
            for cell in column:
                cell["number"] = False
    fields = {"mixed": [], **notes, "every": every, "groups": groups, "lines": rows}
    return fields | {
        "two_rows": any(len(subs) > 1 for _, subs in groups),
        "provenance_line": _provenance_line(notes["provenance"]),
    }


def _may_go(column: str) -> bool:
    """Figures stay in the table even where all are equal; labels, devices and numbers of seeds need not."""
    return column.split("_")[-1] not in ("published", "ours", "sd", "difference", "low", "high")


def _groups(columns: list[str], measures: list[str]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """(heading, [(what stands below it, the columns of one cell), ...]) from left to right."""
    groups: list[tuple[str, list]] = []
    measured = {
        column.removesuffix("ours").strip("_") for column in columns if column.split("_")[-1] == "ours"
    }
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
    kind = column.split("_")[-1]
    figure = kind in ("difference", "low", "high", "published", "ours", "sd", "seconds")
    sign = "" if kind != "difference" or not number else "up" if number > 0 else "down"
    return {
        "text": (tables.written(number, column) if figure else text).replace("-", "−"),
        "number": True,
        "sign": sign,
    }


def _provenance_line(p: dict) -> str:
    if not p["rows"]:
        return p.get("measured", "No row finished.")
    made = f"{p['made'][0][:16].replace('T', ' ')} to {p['made'][1][:16].replace('T', ' ')} UTC"
    parts = [
        f"{p['rows']} trainings, {p['training_seconds']:.0f} s in all",
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
    """The executed notebook as one HTML page without scripts: formulas become MathML, pictures are inside the file."""
    import nbformat
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter
    from traitlets.config import Config

    notebook, section = nbformat.read(source, as_version=4), source.stem
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = (re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE) or [section])[-1]
            cell.source = formulas_to_mathml(cell.source)
        for output in cell.get(
            "outputs", []
        ):  # for those who hear the page: at least where the figure belongs
            output.get("metadata", {}).setdefault("image/png", {})["alt"] = f"Figure of section {section}"
        cell.pop("outputs_hidden", None)
    # A widget needs a kernel: of what it left behind, its picture is shown.
    kinds = [
        kind
        for kind in HTMLExporter().default_config.NbConvertBase.display_data_priority
        if "widget" not in kind
    ]
    config = Config({"NbConvertBase": {"display_data_priority": kinds}})
    exporter = HTMLExporter(
        config=config, template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    content, _ = exporter.from_notebook_node(notebook)
    colours = f"<style>{HtmlFormatter(style='default').get_style_defs('.highlight')}</style>"
    _write(
        target,
        _render("notebook.html", title=source.stem, profile=profile, root="../", content=colours + content),
    )


def formulas_to_mathml(markdown: str) -> str:
    """`$$...$$` and `$...$` as MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert

    markdown = re.sub(
        r"\$\$(.+?)\$\$", lambda m: convert(m[1].strip(), display="block"), markdown, flags=re.DOTALL
    )
    return re.sub(r"(?<![\\$])\$([^$\n]+?)\$", lambda m: convert(m[1]), markdown)
