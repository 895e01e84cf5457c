"""`python -m labkit data`: list, look, import, check."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.commands.common import DATA_DIR, AsJson, DataDir, command, show

data_app = typer.Typer(help="List, import and check data sets.", no_args_is_help=True)


@command(data_app, "list")
def data_list(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """The data sets that labkit reads: what they hold, where to get them, whether they are imported."""
    from labkit import datasets

    rows = []
    for name, source in datasets.SOURCES.items():
        here = datasets.available(name, data_dir)
        row = {"name": name, "imported": here, "title": source.title, "holds": source.holds}
        rows.append(row | {"get": source.get, "licence": source.licence})
    lines = ["builtin     always there: faces drawn by labkit.synthetic, with the labels of every lab"]
    for row in rows:
        state = "imported" if row["imported"] else "not imported"
        lines.append(f"{row['name']:<11} {state}: {row['title']}, {row['holds']}")
        if not row["imported"]:
            lines.append(f"            get it: {row['get']}")
            lines.append(f"            python -m labkit data import {row['name']} FILE")
    show({"data": rows}, as_json, "\n".join(lines))


@command(data_app, "import")
def data_import(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME] FILE",
            help="The archive, folder or table as downloaded; before it, if need "
            "be, which data set it is: `data list` names them.",
        ),
    ],
    data_dir: DataDir = DATA_DIR,
    limit: Annotated[int | None, typer.Option(help="Import at most so many images, evenly spread.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify FILE and decode it once into a compact cache. Can be broken off and repeated."""
    from labkit import datasets

    if len(what) > 2:
        raise ValueError(f"data import: expected FILE or NAME FILE, got {' '.join(what)}")
    name, file = (what[0] if len(what) == 2 else ""), what[-1]
    summary = datasets.import_data(name, file, data_dir, progress=not as_json, limit=limit)
    effort = f"imported in {summary['seconds']:.0f} s, {summary['bytes'] / 1e6:.0f} MB"
    show(summary, as_json, f"{datasets.described(summary)}\n{effort}")
    raise typer.Exit(bool(summary["problems"]))


@command(data_app, "look")
def data_look(
    file: Annotated[Path, typer.Argument(help="An archive, folder or table.")],
    sheet: Annotated[Path | None, typer.Option(help="Write samples as a contact sheet, a PNG file.")] = None,
    as_json: AsJson = False,
) -> None:
    """What FILE is, without importing it: data set, layout, counts, what would be left out and why."""
    from labkit import datasets

    found = datasets.look(file, progress=not as_json)
    lines = [datasets.described(found)]
    if sheet:
        datasets.contact_sheet(file, sheet)
        lines.append(f"  wrote {sheet}")
    show(found, as_json, "\n".join(lines))


@command(data_app, "check")
def data_check(name: str, data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Count an imported data set and compare it with the complete one."""
    from labkit import datasets

    summary = datasets.check(name, data_dir)
    show(summary, as_json, datasets.described(summary))
    raise typer.Exit(bool(summary["problems"]))
