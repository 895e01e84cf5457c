"""Rows of results beside the published figures, as CSV, Markdown and LaTeX.

Columns: those that name the row, then for each measure `published`, `ours` (mean over seeds), `sd` (sample
standard deviation), `seeds`, `difference` (ours - published), then `seconds` (of one training, mean) and
`device`. Fractions, not per cent; what is missing is empty. With several measures their names stand in front:
`test_accuracy_published`.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from labkit import metrics, runs
from labkit.places import harmless, shipped, whole_file
from labkit.plan import Table

SIGNED, FIGURES = (
    ("difference", "low", "high"),
    ("published", "ours", "sd"),
)  # how a column ends, and so how its numbers are written
MEASURES = {"accuracy": ("test", "accuracy")}


def build(table: Table, results: list, measures: dict | None = None) -> pd.DataFrame:
    """The table as a frame: a line a row, its figures beside the published ones.

    Args:
        table: as `plan.read_table` gives it.
        results: what `Table.run` gave, a list of results for each row.
        measures: name -> (part, measure) as `RunResult.value` takes them, if need be also its target, and
            its group; None = those of the plan.
    Returns:
        The columns that this module names. A row that failed has empty figures, as has a part that is kept
        back. With `each_seed` in the plan every seed gets a line of its own before the line of the mean, with
        `each_target` every target one; it names the column that says which.
    """
    measures = measures or table.settings.get("measures", MEASURES)
    each_seed, each_target = table.settings.get("each_seed"), table.settings.get("each_target")
    lines = []
    for row, of_row in zip(table.rows, results):
        if each_target:
            for target in row.specs[0].targets:
                lines.append(_line({**row.labels, each_target: target}, of_row, measures, target))
            continue
        if not each_seed:
            lines.append(_line(row.labels, of_row, measures))
            continue
        for number, result in enumerate(of_row, 1):
            lines.append(_line({**row.labels, each_seed: str(number)}, [result], measures))
        lines.append(_line({**row.labels, each_seed: "mean"}, of_row, measures))
    frame = pd.DataFrame(lines, columns=None if lines else list(_line({}, [], measures)))
    columns = list(frame)
    published = published_figures(table)
    keys = [c for c in columns if published is not None and c in published]
    if keys:
        for side in (frame, published):
            side[keys] = side[keys].map(_label)
        frame = frame.merge(published, on=keys, how="left")
    return _order(frame, measures, columns)


def compare(
    table: Table, results: list, published: dict[str, float], part: str = "validation", rows=None
) -> pd.DataFrame:
    """What one change does: a line for each entry of the plan's `compare`, whose rows `first` and `second`
    are paired seed by seed.

    Args:
        table, results: as `build` takes them.
        published: row of the published table -> its figure, for the pairs that an entry names.
        part: "train", "validation" or "test", whose accuracy is compared.
        rows: row of the published table -> what ours of that name reached; None = there are none.
    Returns:
        Columns: `question`; mean of the `published_difference`; with `rows` the mean `rows_difference` of
        those of the same pairs that are trained, None where no pair is; our mean `difference` (first -
        second); `low` and `high` of its 95 % interval; `seeds`; and `answer`: yes or no where the interval
        leaves out 0, otherwise open.
    """
    by_row = {tuple(row.labels.values()): _by_seed(of_row) for row, of_row in zip(table.rows, results)}
    overlaps = {tuple(row.labels.values()): _overlap(row, part) for row in table.rows}
    lines = []
    for entry in table.settings["compare"]:
        first, second = by_row.get((entry["first"],), {}), by_row.get((entry["second"],), {})
        seeds = sorted(set(first) & set(second))
        if len(seeds) < 2:  # the quick profile asks a few of the questions
            continue
        differences = [first[seed].value(part=part) - second[seed].value(part=part) for seed in seeds]
        low, high = metrics.interval(differences, overlap=overlaps[entry["first"],])
        theirs = [published[a] - published[b] for a, b in entry["published"]]
        again = [rows[a] - rows[b] for a, b in entry["published"] if a in rows and b in rows] if rows else []
        lines.append(
            {
                "question": entry["question"],
                "published_difference": float(np.mean(theirs)),
                **({"rows_difference": float(np.mean(again)) if again else None} if rows else {}),
                "difference": float(np.mean(differences)),
                "low": low,
                "high": high,
                "seeds": len(seeds),
                "answer": "yes" if low > 0 else "no" if high < 0 else "open",
            }
        )
    return pd.DataFrame(lines)


def paired(table: Table, results: list, column: str, first: str, second: str) -> pd.DataFrame:
    """What one choice does: a line for each two rows that differ in the label `column` alone.

    Args:
        table, results: as `build` takes them.
        column: a label of the rows.
        first, second: its values in the two.
    Returns:
        Columns: the other labels; `<first>_ours` and `<second>_ours`, mean accuracies (test, or validation
        where nothing is tested) over the seeds that both have; the mean `difference` (first - second), `low`
        and `high` of its 95 % interval; `seeds`; and `<first>_seconds` and `<second>_seconds` of one
        training. Rows of which fewer than two seeds can be paired are left out.
    """
    groups: dict[tuple, dict] = {}
    overlaps = {}
    for row, of_row in zip(table.rows, results):
        others = tuple((name, value) for name, value in row.labels.items() if name != column)
        groups.setdefault(others, {})[row.labels[column]] = _by_seed(of_row)
        overlaps[others] = _overlap(row, "test")

    def accuracy(result):
        return result.value(part="test" if "test" in result.metrics else "validation")

    lines = []
    for others, of_choice in groups.items():
        pair = [of_choice.get(first, {}), of_choice.get(second, {})]
        seeds = sorted(set(pair[0]) & set(pair[1]))
        if len(seeds) < 2:
            continue
        ours = np.array([[accuracy(of_seed[seed]) for seed in seeds] for of_seed in pair])
        seconds = [round(float(np.mean([of_seed[seed].seconds for seed in seeds])), 1) for of_seed in pair]
        difference = ours[0] - ours[1]
        low, high = metrics.interval(difference, overlap=overlaps[others])
        line = dict(others) | {f"{first}_ours": ours[0].mean(), f"{second}_ours": ours[1].mean()}
        line |= {"difference": float(difference.mean()), "low": low, "high": high, "seeds": len(seeds)}
        lines.append(line | {f"{first}_seconds": seconds[0], f"{second}_seconds": seconds[1]})
    return pd.DataFrame(lines)


def _overlap(row, part: str) -> float:
    """What `metrics.interval` takes: the size of a part over that of the training part where each seed draws
    both anew from the same images; 0 where all seeds have the same parts."""
    split = row.specs[0].split
    if "seed" in split or split["kind"] not in ("random", "stratified", "by_subject"):
        return 0.0
    sizes = {"test": split.get("test", 0.2), "validation": split.get("validation", 0.0)}
    return sizes.get(part, 0.0) / (1 - sum(sizes.values()))


def _by_seed(of_row: list) -> dict:
    return {result.spec["seed"]: result for result in of_row if not result.error}


def mixed(table: Table, results: list) -> list[str]:
    """What the rows of a table differ in although neither a label nor a measure of it says so: a sentence
    each, [] where all agree."""
    done = [result for of_row in results for result in of_row if not result.error]
    told = {name for row in table.rows for name in row.labels} | set(table.settings.get("measures", ()))
    layout = "memory layout, which moves figures by rounding alone"
    fields = {
        "precision": ("number format", lambda result: result.precision),
        "layout": (layout, lambda result: result.layout or "not recorded"),
        "epochs": ("epochs", lambda result: result.spec["config"]["epochs"]),
        "device": ("device", lambda result: result.device),
        "torch": ("version of torch", lambda result: result.versions.get("torch")),
    }
    sentences = []
    for field, (name, value) in fields.items():
        counts = Counter(str(value(result)) for result in done)
        if len(counts) > 1 and field not in told:
            each = ", ".join(f"{what} ({n} trainings)" for what, n in sorted(counts.items()))
            sentences.append(f"The rows differ in {name}: {each}.")
    return sentences


def _label(value) -> str:
    """A label as text, numbers in one way of writing: 5e-05 of the plan is 0.00005 of the published file."""
    try:
        return np.format_float_positional(float(value), trim="-")
    except ValueError:
        return str(value)


def _line(labels: dict, results: list, measures: dict, target: str | None = None) -> dict:
    done = [r for r in results if not r.error]
    line = dict(labels)
    for name, (part, measure, *of) in measures.items():
        which, group = (*(of or [target]), None)[:2]
        values = [r.value(measure, which, part, group) for r in done if r.has(part, which, group)]
        mean, deviation = metrics.mean_and_deviation(values) if values else (None, None)
        line |= {f"{name}_ours": mean, f"{name}_sd": deviation, f"{name}_seeds": len(values)}
    line["seconds"] = round(sum(r.seconds for r in done) / len(done), 1) if done else None
    line["device"] = ", ".join(sorted({r.device for r in done}))
    return line


def published_figures(table: Table) -> pd.DataFrame | None:
    """The published CSV of a table, its figures renamed `<measure>_published`; None where there is none.
    `melt` in the plan names the column that a wide file spreads over its columns (adam, adamw), `percent` the
    figures that it gives in per cent."""
    if "published" not in table.settings:
        return None
    file = shipped(table.folder.parent, f"published/{table.settings['published']}")
    try:
        frame = pd.read_csv(file, dtype=str)
    except (OSError, ValueError) as error:  # missing, empty, or no text in UTF-8
        raise ValueError(f"table '{table.id}': cannot read {file} ({error})") from None
    if "melt" in table.settings:
        frame = frame.melt(frame.columns[:1], var_name=table.settings["melt"], value_name="accuracy")
    named = table.settings.get("figures", table.settings.get("measures", ["accuracy"]))
    figures = {c: f"{c}_published" for c in named}
    if missing := [column for column in figures if column not in frame]:
        raise ValueError(
            f"table '{table.id}': {file} has no column {', '.join(missing)}; it has {', '.join(frame)}"
        )
    frame = frame.rename(columns=figures).astype(dict.fromkeys(figures.values(), float))
    percent = [figures[c] for c in table.settings.get("percent", [])]
    frame[percent] /= 100
    return frame


def _order(frame: pd.DataFrame, measures: dict, columns: list[str]) -> pd.DataFrame:
    fields = ("published", "ours", "sd", "seeds", "difference")
    for name in measures:
        if f"{name}_published" not in frame:
            frame[f"{name}_published"] = None
        frame[f"{name}_difference"] = frame[f"{name}_ours"] - frame[f"{name}_published"].astype(float)
    figures = [f"{name}_{part}" for name in measures for part in fields]
    labels = [c for c in columns if c not in figures and c not in ("seconds", "device")]
    frame = frame[[*labels, *figures, "seconds", "device"]]
    return frame.rename(columns={c: c.split("_")[-1] for c in figures}) if len(measures) == 1 else frame


def written(value, column: str) -> str:
    """A cell as text for a reader, the same wherever it is shown: four digits for shares, whole large
    figures, differences with their sign, labels as they are, empty where missing."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    if not isinstance(value, float):
        return str(value)
    kind = column.split("_")[-1]
    large = abs(value) >= 10 or column.startswith(("epochs", "seconds_per"))  # or parameters, not a share
    signed = dict.fromkeys(SIGNED, "+,.0f" if large else "+.4f")
    form = {"seconds": ".1f", **signed}.get(kind, ",.0f" if large else ".4f")
    return format(value, form) if kind in ("seconds", *SIGNED, *FIGURES) else _label(value)


def to_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Every cell as `written`."""
    return pd.DataFrame({c: [written(v, c) for v in frame[c]] for c in frame})


def show(frame: pd.DataFrame):
    """The table for a notebook, without the frame's own row numbers; what a cell holds is shown, never
    run."""
    return to_text(frame).style.hide(axis="index").format(escape="html").format_index(escape="html", axis=1)


def markdown(frame: pd.DataFrame) -> str:
    """A pipe table; `|` in a cell is escaped."""
    text = to_text(frame).map(lambda cell: cell.replace("|", "\\|"))
    return text.to_markdown(index=False, disable_numparse=True) + "\n"


def latex(frame: pd.DataFrame) -> str:
    """A `tabular` with booktabs rules, special characters escaped."""
    style = (
        to_text(frame).style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    )
    return style.to_latex(hrules=True, column_format="l" * len(frame.columns))


def save(table: Table, frame: pd.DataFrame, results: list) -> Path:
    """Write `<id>.csv`, `.md`, `.tex` and `.json` (title, text, where and when the rows were made) under
    `reports/<profile>/tables`; returns the CSV's path."""
    folder = table.folder / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    flat = [r for of_row in results for r in of_row]
    notes = {
        "id": table.id,
        "lab": table.settings["lab"],
        "title": table.settings["title"],
        "text": _text(table),
        "comparable": table.profile == "full" and all(r.spec["data"]["name"] != "builtin" for r in flat),
        "provenance": provenance(flat) if flat else measured_now(),
        "rows": sorted({r.key for r in flat}),
        "mixed": mixed(table, results),
        "measures": list(table.settings.get("measures", MEASURES)),
    }
    texts = {
        ".csv": frame.map(harmless).to_csv(index=False, float_format=_digits),
        ".md": markdown(frame),
        ".tex": latex(frame),
    }
    for suffix, text in {**texts, ".json": json.dumps(notes, indent=1) + "\n"}.items():
        with whole_file(folder / f"{table.id}{suffix}") as temporary:
            temporary.write_text(text, encoding="utf-8")
    return folder / f"{table.id}.csv"


def _digits(value: float) -> str:
    """Six digits, but counts, such as parameters, whole."""
    return f"{value:.0f}" if abs(value) >= 1e5 else f"{value:.6g}"


def _text(table: Table) -> str:
    protocol = " ".join(table.settings.get("text", "").split())
    if table.profile == "full" or not table.rows:
        return protocol
    specs = [spec for row in table.rows for spec in row.specs]
    epochs = sorted({spec.config.epochs for spec in specs})
    note = table.settings.get("quick", {}).get("note", "")
    return (
        f"Here: built-in faces, {' or '.join(map(str, epochs))} epochs{note}. In the full profile: {protocol}"
    )


def measured_now() -> dict:
    """The same for a table without trainings, which a notebook measured itself just now."""
    here = runs.provenance()
    when = here["time"][:16].replace("T", " ")
    return {
        "rows": 0,
        "failed": [],
        "measured": f"Measured on {here['device']}, {when} UTC, commit {here['commit']}.",
    }


def provenance(results: list) -> dict:
    """Where the figures under a table come from: each field with all the values that occur among its rows."""
    done = [r for r in results if not r.error]

    def every(values):
        return sorted({str(v) for v in values})

    return {
        "rows": len(done),
        "failed": [f"{r.key}: {r.error}" for r in results if r.error],
        "data": every(f"{r.spec['data']['name']} ({r.identity[:12]})" for r in done),
        "seeds": every(r.spec["seed"] for r in done),
        "epochs": every(len(r.history) for r in done),
        "device": every(r.device for r in done),
        "precision": every(r.precision for r in done),
        "training_seconds": round(sum(r.seconds for r in done), 1),
        "commit": every(r.commit for r in done),
        "versions": every(f"{name} {version}" for r in done for name, version in r.versions.items()),
        "made": [min(r.time for r in done), max(r.time for r in done)] if done else [],
    }
