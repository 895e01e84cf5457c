"""The commands: `python -m labkit --help`.

Exit status 0 only where all that was asked was done. With `--json` standard output holds one JSON object and nothing else;
what is said on the way goes to standard error.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[1]
DATA_DIR = ROOT / "data"
REPORTS_DIR = ROOT / "reports"

app = typer.Typer(
    help="Face Lab: data, reports, measurements.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="List, import and check data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
]
DataDir = Annotated[Path, typer.Option("--data-dir", help="Where imported data sets lie.")]


def say(text: str) -> None:
    """A line for the reader, on standard error, so that standard output stays clean for `--json`."""
    print(text, file=sys.stderr, flush=True)


def show(values: dict | list, as_json: bool, text: str) -> None:
    """Print `values` as JSON, or `text`."""
    print(json.dumps(values, indent=1) if as_json else text)


@app.command()
def doctor(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Check Python, packages, torch, OpenCV, device, disk, data sets and camera; say what to do about each failure."""
    from dataclasses import asdict

    from labkit import doctor

    checks = doctor.all_checks(data_dir)
    show({"checks": [asdict(c) for c in checks]}, as_json, doctor.text(checks))
    raise typer.Exit(any(not c.ok and not c.optional for c in checks))


@data_app.command("list")
def data_list(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """The data sets that labkit reads: what they hold, where to get them, whether they are imported."""
    from labkit import datasets

    rows = []
    for name, source in datasets.SOURCES.items():
        here = datasets.available(name, data_dir)
        rows.append(
            {
                "name": name,
                "imported": here,
                "title": source.title,
                "holds": source.holds,
                "get": source.get,
                "licence": source.licence,
            }
        )
    lines = ["builtin     always there: faces drawn by labkit.synthetic, with the labels of every lab"]
    for row in rows:
        lines.append(
            f"{row['name']:<11} {'imported' if row['imported'] else 'not imported'}: {row['title']}, {row['holds']}"
        )
        lines += (
            []
            if row["imported"]
            else [
                f"            get it: {row['get']}",
                f"            python -m labkit data import {row['name']} FILE",
            ]
        )
    show({"data": rows}, as_json, "\n".join(lines))


@data_app.command("import")
def data_import(
    name: Annotated[str, typer.Argument(help="The data set; `data list` names them.")],
    file: Annotated[Path, typer.Argument(help="The archive, folder or table as downloaded.")],
    data_dir: DataDir = DATA_DIR,
    limit: Annotated[int | None, typer.Option(help="Import at most so many images, evenly spread.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify FILE and decode it once into a compact cache. Can be broken off and repeated."""
    from labkit import datasets

    summary = datasets.import_data(name, file, data_dir, progress=not as_json, limit=limit)
    show(
        summary,
        as_json,
        _describe(summary) + f"\nimported in {summary['seconds']:.0f} s, {summary['bytes'] / 1e6:.0f} MB",
    )
    raise typer.Exit(bool(summary["problems"]))


@data_app.command("check")
def data_check(name: str, data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Count an imported data set and compare it with the complete one."""
    from labkit import datasets

    summary = datasets.check(name, data_dir)
    show(summary, as_json, _describe(summary))
    raise typer.Exit(bool(summary["problems"]))


def _describe(summary: dict) -> str:
    lines = [
        f"{summary['title']}: {summary['images']:,} images, from {summary['file']} ({summary['layout']})"
    ]
    for split, targets in summary["counts"].items():
        for target, counts in targets.items():
            total = f"{sum(counts.values()):,} images, " if target != "action_units" else ""
            lines.append(
                f"  {split}, {target}: {total}" + ", ".join(f"{label} {n:,}" for label, n in counts.items())
            )
    lines += [f"  note: {note}" for note in summary["notes"]]
    lines += [f"  PROBLEM: {problem}" for problem in summary["problems"]] or ["  all counts as expected"]
    return "\n".join(lines)


@app.command()
def report(
    profile: Annotated[
        str, typer.Option(help="quick: built-in faces, minutes. full: real data, hours.")
    ] = "quick",
    only: Annotated[
        str, typer.Option(help="Labs of the plan, with commas between, e.g. smile,emotion.")
    ] = "",
    data: Annotated[
        str, typer.Option(help="A data set to use in place of the profile's own, e.g. builtin.")
    ] = "",
    workers: Annotated[
        int, typer.Option(help="Rows trained at once on this machine; the cores are shared out.", min=1)
    ] = 1,
    scheduler: Annotated[
        str, typer.Option(help="Address of a Dask cluster that trains instead, e.g. tcp://host:8786.")
    ] = "",
    jobs: Annotated[
        int | None,
        typer.Option(help="Notebooks run side by side. [default: one a core in quick, 1 in full]", min=1),
    ] = None,
    background: Annotated[
        bool,
        typer.Option("--background", help="Train the plan's long rows instead, one thread, lowest priority."),
    ] = False,
    force: Annotated[bool, typer.Option(help="Run every notebook and train every row anew.")] = False,
    data_dir: DataDir = DATA_DIR,
    reports_dir: Annotated[Path, typer.Option(help="Where plan.toml lies and results go.")] = REPORTS_DIR,
    as_json: AsJson = False,
) -> None:
    """Run the notebooks and write reports/PROFILE/index.html: tables beside the published ones, figures, notebooks."""
    from dataclasses import asdict

    from labkit import reports

    labs = [lab.strip() for lab in only.split(",") if lab.strip()] or None
    if background:
        from labkit import plan
        from labkit.workers import background as rows

        raise typer.Exit(
            bool(rows.train(plan.background_rows(profile, labs, data_dir, reports_dir), data_dir, say))
        )
    made = reports.report(profile, labs, data, data_dir, reports_dir, force, workers, scheduler, jobs, say)
    failed = [o for o in made.notebooks if o.state == "failed"]
    unchanged = sum(o.state == "unchanged" for o in made.notebooks)
    ran = len(made.notebooks) - len(failed) - unchanged
    lines = [f"{len(made.notebooks)} notebooks: {ran} run, {unchanged} unchanged, {len(failed)} failed"]
    lines += [
        f"rows trained: {made.rows_trained}"
        if made.rows_trained
        else "no row trained"
        if failed
        else "nothing trained: every row was kept"
    ]
    lines += [f"FAILED {o.notebook}, {o.error}" for o in failed] + [f"open {made.index}"]
    show(asdict(made) | {"index": str(made.index)}, as_json, "\n".join(lines))
    raise typer.Exit(bool(failed))


@app.command()
def evaluate(
    weights: Annotated[
        str, typer.Argument(help="A published network by its name, e.g. smile, or a weights file.")
    ],
    data: Annotated[
        str,
        typer.Argument(
            help="An imported data set by its name, builtin, or a file or folder that `data import` reads."
        ),
    ],
    split: Annotated[
        str, typer.Option(help="One of the data set's official splits, e.g. public_test; default all images.")
    ] = "",
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Measure any kept network on any data set: accuracy, macro figures, log loss, calibration error, per class, time a face."""
    from labkit import evaluation

    result = evaluation.evaluate(weights, data, split, data_dir)
    show(evaluation.flat(result), as_json, evaluation.text(result))


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="A network that `[weights]` of the plan names, e.g. smile.")],
    data_dir: DataDir = DATA_DIR,
    reports_dir: Annotated[Path, typer.Option(help="Where plan.toml and the kept rows lie.")] = REPORTS_DIR,
) -> None:
    """Write labkit/weights/NAME.pt, the network of a kept row of the full report; its model card beside it is written by hand."""
    from labkit import models, plan, running

    table, spec = plan.published_spec(name, data_dir, reports_dir)
    result = running.publish(spec, table.store, models.WEIGHTS / f"{name}.pt", data_dir)
    part = plan.read_plan(reports_dir)["weights"][name].get("part", "test")
    print(f"{models.WEIGHTS / f'{name}.pt'}: row {result.key}, {part} accuracy {result.value(part=part):.4f}")


@app.command()
def bench(
    model: Annotated[str, typer.Option(help="One model; default all.")] = "",
    rounds: Annotated[int, typer.Option(help="How often the two loops take turns.", min=1)] = 7,
    precision: Annotated[
        str, typer.Option(help="float32 or bfloat16; default bfloat16 where the machine has it.")
    ] = "",
    workers: Annotated[
        int, typer.Option(help="Measure instead what so many workers gain on a table of 8 short rows.", min=0)
    ] = 0,
    webcam: Annotated[
        bool,
        typer.Option("--webcam", help="Measure instead a frame of the webcam, beside Haar and plain models."),
    ] = False,
    widgets: Annotated[
        bool,
        typer.Option(
            "--widgets", help="Measure instead slider to picture in a browser, beside a bare picture."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Images a second of our training beside the plain loop (Pillow, torchvision, DataLoader, float32) and beside forward and
    backward alone, in one run."""
    from labkit.workers import background

    with background.measuring():
        _bench(model, rounds, precision, workers, webcam, widgets, as_json)


def _bench(
    model: str, rounds: int, precision: str, workers: int, webcam: bool, widgets: bool, as_json: bool
) -> None:
    from labkit import bench

    if webcam:
        r = bench.bench_webcam()
        text = (
            f"a frame of 640x480 with one face on one core: {r['webcam_ms']} ms (find {r['find_ms']}, classify {r['classify_ms']}, "
            f"draw {r['draw_ms']}; nine of ten below {r['slow_ms']}); Haar and plain models {r['plain_ms']} ms, ratio {r['ratio']} "
            f"(load {r['load'] or 0:.1f} at the start)"
        )
        return show(r, as_json, text)
    if widgets:
        from labkit.benches import widgets

        r = widgets.bench_widgets()
        lines = [
            f"{name}: {row['ms']} ms, bare picture {row['bare_ms']} ms, ratio {row['ratio']}"
            for name, row in r["widgets"].items()
        ]
        return show(r, as_json, "\n".join(lines))
    if workers:
        r = bench.bench_workers(workers)
        text = (
            f"{r['rows']} short rows: {r['seconds_one_core']} s one after the other on one core, {r['seconds_all_cores']} s on all cores, "
            f"{r['seconds_workers']} s with {workers} workers: {r['ratio']} of one core, {r['ratio_all_cores']} of all cores"
        )
        return show(r, as_json, text)
    results = [bench.bench(name, rounds, precision=precision) for name in ([model] if model else bench.CASES)]
    lines = [
        f"{r['model']}: {r['images_per_second']:.0f} images/s, plain loop {r['plain_images_per_second']:.0f}, ratio {r['ratio']:.2f} "
        f"({r['precision']}, {r['limit_share']:.0%} of forward and backward alone, load {r['load'] or 0:.1f} at the start)"
        for r in results
    ]
    show({"models": results}, as_json, "\n".join(lines))


@app.command()
def webcam(
    source: Annotated[
        str,
        typer.Option(
            help="Number of a camera, a video file, a folder of pictures, or builtin. Default: camera 0, else builtin."
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(help="Write the annotated video here (.webm or .mp4), a .csv and a .png beside it."),
    ] = None,
    window: Annotated[
        bool, typer.Option(help="Show it in a window; q or Escape ends it. Needs a screen.")
    ] = False,
    networks: Annotated[
        str, typer.Option(help="Published networks or weights files, with commas between.")
    ] = "smile,emotion",
    seconds: Annotated[
        float | None, typer.Option(help="End after so many seconds; builtin written to a file: 20.", min=0.1)
    ] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Find the faces of a camera or film, say who smiles and what they show, live or into a video, a table and a timeline."""
    from labkit import camera, evaluation, follow

    loaded = {name: evaluation.load_network(name, data_dir) for name in map(str.strip, networks.split(","))}
    chosen = camera.open_source(source) if source else camera.camera_or_film(say)
    screen = camera.Window(chosen.name) if window or not out else None
    if out and seconds is None and chosen.name == camera.FILM:  # which has no end
        seconds = 20.0
    watcher = follow.Watcher(loaded, sure=1 if chosen.still else follow.SURE)
    result = camera.run(chosen, watcher, out, seconds, not as_json, screen)
    show(result, as_json, camera.text(result))
    raise typer.Exit(bool(result["error"]))


def main() -> None:
    """Run the commands; an expected error is one clear text on standard error and exit status 1."""
    try:
        app()
    except (ValueError, OSError) as error:
        say(f"labkit: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
