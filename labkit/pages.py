"""The HTML of the reports: an index, a page a lab, the notebooks as they ran. No script, no network, everything escaped."""

import csv
import html
import json
import re
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


def _render(template: str, **values) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["prose"] = _prose
    return environment.get_template(template).render(style=(TEMPLATES / "style.css").read_text(encoding="utf-8"), **values)


def _prose(text: str) -> str:
    """A text of the plan as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write(plan: dict, profile: str, folder: Path) -> Path:
    """Write the index and the page of every lab from the tables and figures in `folder`; returns the index."""
    folder.mkdir(parents=True, exist_ok=True)
    labs = [_lab(name, settings, plan, folder) for name, settings in plan["lab"].items()]
    notebooks = sorted(path.stem for path in (folder / "notebooks").glob("*.html"))
    for lab in labs:
        _write(folder / f"{lab['id']}.html", _render("lab.html", title=lab["title"], profile=profile, root="", lab=lab))
    _write(
        folder / "index.html",
        _render("index.html", title="Face Lab: the reports", profile=profile, root="", labs=labs, notebooks=notebooks),
    )
    return folder / "index.html"


def _lab(name: str, settings: dict, plan: dict, folder: Path) -> dict:
    tables = [id for id, table in plan["table"].items() if table["lab"] == name and (folder / "tables" / f"{id}.json").exists()]
    figures = [{"name": f, **v} for f, v in plan["figure"].items() if v["lab"] == name and (folder / "figures" / f"{f}.png").exists()]
    return {"id": name, **settings, "tables": [_table(folder / "tables" / f"{id}.json") for id in tables], "figures": figures}


def _table(path: Path) -> dict:
    notes = json.loads(path.read_text(encoding="utf-8"))
    with path.with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        columns, *lines = list(csv.reader(file))
    filled = [i for i in range(len(columns)) if any(line[i] for line in lines)]  # the files keep the others: part kept back, one seed
    columns, lines = [columns[i] for i in filled], [[line[i] for i in filled] for line in lines]
    cells = [[_cell(column, text) for column, text in zip(columns, line)] for line in lines]
    numeric = [column for i, column in enumerate(columns) if all(line[i]["number"] or not line[i]["text"] for line in cells)]
    return {
        "mixed": [],
        **notes,
        "columns": columns,
        "numeric": numeric,
        "lines": cells,
        "provenance_line": _provenance_line(notes["provenance"]),
    }


def _cell(column: str, text: str) -> dict:
    try:
        number = float(text)
    except ValueError:
        return {"text": text, "number": False}
    large = abs(number) >= 10 or column.startswith("epochs")  # seconds, epochs or parameters, not a share
    if column.endswith(("difference", "low", "high")):
        return {"text": (f"{number:+,.0f}" if large else f"{number:+.3f}").replace("-", "−"), "number": True}
    if column.endswith(("published", "ours", "sd")):
        text = f"{number:,.0f}" if large else f"{number:.3f}"
    return {"text": text, "number": True}


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
        for output in cell.get("outputs", []):  # for those who hear the page: at least where the figure belongs
            output.get("metadata", {}).setdefault("image/png", {})["alt"] = f"Figure of section {section}"
        cell.pop("outputs_hidden", None)
    # A widget needs a kernel: of what it left behind, its picture is shown.
    kinds = [kind for kind in HTMLExporter().default_config.NbConvertBase.display_data_priority if "widget" not in kind]
    config = Config({"NbConvertBase": {"display_data_priority": kinds}})
    exporter = HTMLExporter(config=config, template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    content, _ = exporter.from_notebook_node(notebook)
    colours = f"<style>{HtmlFormatter(style='default').get_style_defs('.highlight')}</style>"
    _write(target, _render("notebook.html", title=source.stem, profile=profile, root="../", content=colours + content))


def formulas_to_mathml(markdown: str) -> str:
    """`$$...$$` and `$...$` as MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert

    markdown = re.sub(r"\$\$(.+?)\$\$", lambda m: convert(m[1].strip(), display="block"), markdown, flags=re.DOTALL)
    return re.sub(r"(?<![\\$])\$([^$\n]+?)\$", lambda m: convert(m[1]), markdown)
