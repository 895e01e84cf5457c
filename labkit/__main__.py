"""The commands: `python -m labkit --help`.

Exit status 0 only where all that was asked was done. With `--json` standard output holds one JSON object and
nothing else; what is said on the way goes to standard error.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from labkit.commands.common import DATA_DIR, REPORTS_DIR, AsJson, DataDir, command, say, show
from labkit.commands.data import data_app
from labkit.commands.student import student

app = typer.Typer(
    help="Face Lab: data, reports, measurements.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
command(app)(student)


@command(app)
def doctor(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Check Python, packages, torch, OpenCV, device, disk, data sets and camera;
    say what to do about each failure."""
    from dataclasses import asdict

    from labkit import doctor

    checks = doctor.all_checks(data_dir)
    show({"checks": [asdict(c) for c in checks]}, as_json, doctor.text(checks))
    raise typer.Exit(any(not c.ok and not c.optional for c in checks))


# What `report` takes.
Profile = Annotated[str, typer.Option(help="quick: built-in faces, minutes. full: real data, hours.")]
Labs = Annotated[str, typer.Option(help="Labs of the plan, with commas between, e.g. smile,emotion.")]
OtherData = Annotated[
    str, typer.Option(help="A data set to use in place of the profile's own, e.g. builtin.")
]
Workers = Annotated[
    int, typer.Option(help="Rows trained at once on this machine; the cores are shared out.", min=1)
]
Scheduler = Annotated[
    str, typer.Option(help="Address of a Dask cluster that trains instead, e.g. tcp://host:8786.")
]
Jobs = Annotated[
    int | None,
    typer.Option(help="Notebooks run side by side; without it one a core in quick, 1 in full.", min=1),
]
Background = Annotated[
    bool,
    typer.Option("--background", help="Train the plan's long rows instead, one thread, lowest priority."),
]
Force = Annotated[bool, typer.Option(help="Run every notebook and train every row anew.")]
ReportsDir = Annotated[Path, typer.Option(help="Where plan.toml lies and results go.")]


@command(app)
def report(
    profile: Profile = "quick",
    only: Labs = "",
    data: OtherData = "",
    workers: Workers = 1,
    scheduler: Scheduler = "",
    jobs: Jobs = None,
    background: Background = False,
    force: Force = False,
    data_dir: DataDir = DATA_DIR,
    reports_dir: ReportsDir = REPORTS_DIR,
    as_json: AsJson = False,
) -> None:
    """Run the notebooks and write reports/PROFILE/index.html:
    tables beside the published ones, figures, notebooks."""
    from dataclasses import asdict

    from labkit import reports

    labs = [lab.strip() for lab in only.split(",") if lab.strip()] or None
    if background:
        from labkit import plan
        from labkit.workers import background as rows

        todo = plan.background_rows(profile, labs, data_dir, reports_dir)
        raise typer.Exit(bool(rows.train(todo, data_dir, say)))
    made = reports.report(profile, labs, data, data_dir, reports_dir, force, workers, scheduler, jobs, say)
    show(asdict(made) | {"index": str(made.index)}, as_json, _summary(made))
    raise typer.Exit(any(outcome.state == "failed" for outcome in made.notebooks))


def _summary(made) -> str:
    """What became of the notebooks, a `reports.Report`, for a reader."""
    failed = [outcome for outcome in made.notebooks if outcome.state == "failed"]
    unchanged = sum(outcome.state == "unchanged" for outcome in made.notebooks)
    ran = len(made.notebooks) - len(failed) - unchanged
    lines = [f"{len(made.notebooks)} notebooks: {ran} run, {unchanged} unchanged, {len(failed)} failed"]
    if made.rows_trained:
        lines.append(f"rows trained: {made.rows_trained}")
    else:
        lines.append("no row trained" if failed else "nothing trained: every row was kept")
    lines += [f"FAILED {outcome.notebook}, {outcome.error}" for outcome in failed]
    return "\n".join([*lines, f"open {made.index}"])


@command(app)
def search(
    name: Annotated[str, typer.Argument(help="A search of the plan, by its name there.")],
    method: Annotated[str, typer.Option(help="grid, random, tpe or gp (both Bayesian).")] = "tpe",
    trials: Annotated[
        int | None, typer.Option(help="So many in all; without it as many as the plan says.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what the method draws.", min=0)] = 0,
    storage: Annotated[
        str, typer.Option(help="The study's database, e.g. postgresql://USER@HOST/NAME; without it a file.")
    ] = "",
    profile: Profile = "quick",
    workers: Workers = 1,
    scheduler: Scheduler = "",
    data_dir: DataDir = DATA_DIR,
    reports_dir: ReportsDir = REPORTS_DIR,
    as_json: AsJson = False,
) -> None:
    """Search hyper-parameters until so many trials are done. What was trained before is read; a search that
    was killed goes on; several calls may share one storage, and then the folder of the reports too."""
    from labkit import search as searches

    found = searches.read(name, profile, data_dir, reports_dir, storage)
    done = searches.run(found, method, seed, trials, workers, scheduler, progress=not as_json)
    frame, wanted = searches.frame(done), trials or found.trials
    show({"trials": json.loads(frame.to_json(orient="records"))}, as_json, frame.to_string(index=False))
    if len(done) < wanted:
        say(f"{len(done)} of {wanted} trials: the space holds no more")
    raise typer.Exit(len(done) < wanted or bool(frame["error"].astype(bool).any()))


# What `evaluate` takes.
Weights = Annotated[
    str, typer.Argument(help="A published network by its name, e.g. smile, or a weights file.")
]
AnyData = Annotated[
    str,
    typer.Argument(
        help="An imported data set by its name, builtin, or a file or folder that `data import` reads."
    ),
]
Split = Annotated[
    str, typer.Option(help="One of the data set's official splits, e.g. public_test; default all images.")
]


@command(app)
def evaluate(
    weights: Weights,
    data: AnyData,
    split: Split = "",
    map: Annotated[
        list[str], typer.Option(help="A class of the data as the network calls it, e.g. --map joy=happy.")
    ] = [],  # noqa: B006
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Measure any kept network on any data set: accuracy, macro figures, log loss, calibration error, per
    class, time a face."""
    from labkit import datasets, evaluation

    if wrong := [pair for pair in map if pair.count("=") != 1]:
        raise ValueError(f"map '{wrong[0]}': expected CLASS=CLASS, of the data and of the network")
    mapping = dict(pair.split("=") for pair in map)
    if data in datasets.SOURCES and datasets.available(data, data_dir) and Path(data).exists():
        say(f"{data}: the imported data set; for what is called so in this folder give ./{data}")
    result = evaluation.evaluate(weights, data, split, data_dir, mapping, progress=not as_json)
    show(evaluation.flat(result), as_json, evaluation.text(result))


@command(app)
def publish(
    name: Annotated[str, typer.Argument(help="A network that `[weights]` of the plan names, e.g. smile.")],
    data_dir: DataDir = DATA_DIR,
    reports_dir: Annotated[Path, typer.Option(help="Where plan.toml and the kept rows lie.")] = REPORTS_DIR,
) -> None:
    """Write labkit/weights/NAME.pt, the network of a kept row of the full report; its model card beside it is
    written by hand."""
    from labkit import models, plan, running

    table, spec = plan.published_spec(name, data_dir, reports_dir)
    settings = plan.read_plan(reports_dir)["weights"][name]
    path = models.WEIGHTS / f"{name}.pt"
    more = {name: settings[name] for name in ("margin", "shown") if name in settings}
    result = running.publish(spec, table.store, path, data_dir, settings.get("half", False), **more)
    part = settings.get("part", "test")
    print(f"{path}: row {result.key}, {part} accuracy {result.value(part=part):.4f}")


# What `bench` takes.
Rounds = Annotated[int, typer.Option(help="How often what is compared takes turns.", min=1)]
Precision = Annotated[
    str, typer.Option(help="float32 or bfloat16; default bfloat16 where the machine has it.")
]
BenchWorkers = Annotated[
    int, typer.Option(help="Measure instead what so many workers gain on a table of 8 short rows.", min=0)
]
BenchWebcam = Annotated[
    bool,
    typer.Option("--webcam", help="Measure instead a frame of the webcam, beside Haar and plain models."),
]
BenchWidgets = Annotated[
    bool,
    typer.Option("--widgets", help="Measure instead slider to picture in a browser, beside a bare picture."),
]

BenchFaces = Annotated[
    bool,
    typer.Option("--faces", help="Measure instead how many built-in faces one core draws a second."),
]
BenchDisk = Annotated[
    int,
    typer.Option(help="Measure instead training on so many pictures of 200x200 that stay on disk.", min=0),
]


@command(app)
def bench(
    model: Annotated[str, typer.Option(help="One model; default all.")] = "",
    rounds: Rounds = 7,
    precision: Precision = "",
    workers: BenchWorkers = 0,
    webcam: BenchWebcam = False,
    widgets: BenchWidgets = False,
    faces: BenchFaces = False,
    disk: BenchDisk = 0,
    as_json: AsJson = False,
) -> None:
    """Images a second of our training beside the plain loop (Pillow, torchvision, DataLoader, float32) and
    beside forward and backward alone, in one run."""
    from labkit.benches import measured
    from labkit.workers import background

    with background.measuring():
        if webcam:
            result, text = measured.webcam()
        elif widgets:
            result, text = measured.widgets()
        elif faces:
            result, text = measured.faces(rounds)
        elif disk:
            result, text = measured.disk(disk, precision)
        elif workers:
            result, text = measured.workers(workers)
        else:
            result, text = measured.models(model, rounds, precision)
        show(result, as_json, text)


# What `webcam` takes.
Camera = Annotated[
    str,
    typer.Option(
        help="A camera by number, device or address, a video, a picture or a folder of them, or builtin. "
        "Default: camera 0, else builtin."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Write the annotated video here (.webm or .mp4), a .csv and a .png beside it."),
]
OnScreen = Annotated[bool, typer.Option(help="Show it in a window; q or Escape ends it. Needs a screen.")]
Networks = Annotated[str, typer.Option(help="Published networks or weights files, with commas between.")]
Seconds = Annotated[
    float | None, typer.Option(help="End after so many seconds; builtin written to a file: 20.", min=0.1)
]


@command(app)
def webcam(
    source: Camera = "",
    out: Out = None,
    window: OnScreen = False,
    networks: Networks = "smile,emotion",
    seconds: Seconds = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Find the faces of a camera or film, say who smiles and what they show, live
    or into a video, a table and a timeline."""
    from labkit import camera, evaluation, follow

    loaded = {name: evaluation.load_network(name, data_dir) for name in map(str.strip, networks.split(","))}
    if out:
        camera.check_out(out, source)
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
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console that cannot show every letter
    try:
        app()
    except (ValueError, OSError) as error:
        say(f"labkit: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
