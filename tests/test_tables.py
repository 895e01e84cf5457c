"""`labkit.plan` and `labkit.tables`: a made-up plan with made-up results, whose every figure is known
beforehand."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labkit import metrics, plan, running, runs, tables

REAL_REPORTS = Path(__file__).resolve().parents[1] / "reports"
PLAN = """
[lab.smile.spec]
model = "smile-base"
targets = ["smile"]
split = { kind = "random", test = 0.2 }
config = { epochs = 50, augment = { mirror = 0.5, noise = 0.1 } }

[table.models]
lab = "smile"
title = "Models"
text = "Fifty epochs,\\n  Adam."
published = "models.csv"
seeds = [0, 1, 2]
spec.data = { name = "genki4k", size = 64 }
spec.config.augment = { mirror = 0.25 }

[table.models.quick]
spec.data = { name = "builtin", n = 100, size = 64 }
spec.config.epochs = 2
seeds = [0, 1]

[[table.models.row]]
model = "1x64 1x32"
spec.model = "1x64 1x32"

[[table.models.row]]
model = "2x64 | 50 % & more"
spec.config = { learning_rate = 0.01 }

[[table.models.row]]
profile = "full"
model = "3x64"

[table.rates]
lab = "smile"
title = "Rates"
published = "rates.csv"
melt = "optimizer"
spec.data = { name = "builtin", n = 100, size = 64 }
grid = { "config.learning_rate" = [0.00005, 0.0003, 0.02], "config.optimizer" = ["adam", "adamw"] }

[table.seeds]
lab = "smile"
title = "Runs"
published = "runs.csv"
each_seed = "run"
seeds = [0, 1, 2]
spec.data = { name = "builtin", n = 100, size = 64 }

[table.two]
lab = "smile"
title = "Two measures"
published = "two.csv"
figures = ["train_accuracy", "test_accuracy"]
spec.data = { name = "builtin", n = 100, size = 64 }
[[table.two.row]]
model = "tiny"

[table.costs]
lab = "smile"
title = "Measures of the plan"
published = "costs.csv"
measures = { seconds_per_epoch = ["run", "seconds_per_epoch"], test_accuracy = ["test", "accuracy"] }
percent = ["test_accuracy"]
spec.data = { name = "builtin", n = 100, size = 64 }
[[table.costs.row]]
model = "tiny"

[table.compared]
lab = "smile"
title = "Differences"
seeds = [0, 1, 2]
spec.data = { name = "builtin", n = 100, size = 64 }
spec.split = { kind = "official", test_name = "private_test" }
row = [
    { variant = "base" },
    { variant = "worse", spec.copies = 1 },
    { variant = "like it", spec.copies = 2 },
    { variant = "failed", spec.copies = 3 },
]
compare = [
    { question = "Worse?", first = "base", second = "worse", published = [["a", "b"], ["c", "b"]] },
    { question = "Like it?", first = "like it", second = "base", published = [["a", "c"]] },
    { question = "Better?", first = "worse", second = "base", published = [["b", "a"]] },
    { question = "Failed?", first = "base", second = "failed", published = [] },
]

[table.alone]
lab = "smile"
title = "Nothing published"
spec.data = { name = "builtin", n = 100, size = 64 }
grid = { "config.weight_decay" = [0.00005, 0.01] }
"""
PUBLISHED = {
    "models.csv": "model,seconds_per_epoch,accuracy\n3x64,9,0.7\n1x64 1x32,3,0.61\nnever run,1,0.99\n",
    "rates.csv": "learning_rate,adam,adamw\n0.02,0.56,0.55\n0.00005,0.63,0.61\n0.0003,0.64,\n",
    "runs.csv": "run,accuracy\n1,0.58\n2,0.6075\n",
    "costs.csv": "model,seconds_per_epoch,test_accuracy\ntiny,120,56.5\n",
    "two.csv": "model,train_accuracy,test_accuracy\ntiny,0.9,0.8\n",
}


@pytest.fixture
def reports(tmp_path):
    (tmp_path / "published").mkdir()
    (tmp_path / "plan.toml").write_text(PLAN)
    for name, text in PUBLISHED.items():
        (tmp_path / "published" / name).write_text(text)
    return tmp_path


@pytest.fixture
def table(reports):
    return lambda id, profile="quick", **options: plan.read_table(id, profile, reports_dir=reports, **options)


def result(spec, accuracy=0.5, train=0.9, seconds=2.0, device="2 CPU threads", error=None):
    """What `running.run` would have given for `spec`."""
    measured = (
        {} if error else {"test": {"smile": {"accuracy": accuracy}}, "train": {"smile": {"accuracy": train}}}
    )
    return runs.RunResult(
        key=spec.key("f" * 64),
        spec=spec.as_dict(),
        engine=runs.ENGINE,
        identity="f" * 64,
        device=device,
        versions={"torch": "2.13.0"},
        commit="abc1234",
        time="2025-01-02T03:04:05+00:00",
        metrics=measured,
        history=[{"epoch": 1}, {"epoch": 2}],
        seconds=seconds,
        precision="float32",
        error=error,
    )


def results_of(table, *accuracies):
    """One list of accuracies a row; None = that training failed."""
    return [
        [
            result(spec, accuracy=a) if a is not None else result(spec, error="RuntimeError: no")
            for spec, a in zip(row.specs, of_row)
        ]
        for row, of_row in zip(table.rows, accuracies, strict=True)
    ]


# The plan


def test_the_plan_gives_specs(table):
    quick, full = table("models"), table("models", "full")
    assert [row.labels for row in quick.rows] == [{"model": "1x64 1x32"}, {"model": "2x64 | 50 % & more"}]
    assert [row.labels["model"] for row in full.rows] == ["1x64 1x32", "2x64 | 50 % & more", "3x64"]
    assert [[spec.seed for spec in row.specs] for row in quick.rows] == [[0, 1], [0, 1]]
    assert [[spec.seed for spec in row.specs] for row in full.rows] == [[0, 1, 2]] * 3
    first, second = (row.specs[0] for row in quick.rows)
    assert (first.model, second.model) == ("1x64 1x32", "smile-base")
    assert first.data == {"name": "builtin", "n": 100, "size": 64} and full.rows[0].specs[0].data == {
        "name": "genki4k",
        "size": 64,
    }
    assert (first.config.epochs, full.rows[0].specs[0].config.epochs) == (2, 50)
    assert first.config.augment == {"mirror": 0.25}  # replaced whole, not merged
    assert (first.config.learning_rate, second.config.learning_rate, second.config.epochs) == (0.001, 0.01, 2)
    assert first.split == {"kind": "random", "test": 0.2} and first.targets == ("smile",)


def test_a_grid_is_every_combination(table):
    rows = table("rates").rows
    assert [tuple(row.labels.values()) for row in rows] == [
        (r, o) for r in (0.00005, 0.0003, 0.02) for o in ("adam", "adamw")
    ]
    for row in rows:
        config = row.specs[0].config
        assert (
            row.labels == {"learning_rate": config.learning_rate, "optimizer": config.optimizer}
            and config.epochs == 50
        )


def test_another_data_set_can_be_named(table):
    assert table("models", data="fer2013").rows[0].specs[0].data == {"name": "fer2013", "size": 64}


def test_with_other_data_an_official_split_becomes_a_random_one(table):
    assert table("compared").rows[0].specs[0].split["kind"] == "official"
    assert table("compared", data="builtin").rows[0].specs[0].split == {
        "kind": "random",
        "test": 0.2,
        "validation": 0.2,
    }


def test_compare_pairs_the_rows_seed_by_seed(table):
    t = table("compared")
    results = results_of(t, [0.6, 0.7, 0.8], [0.5, 0.61, 0.69], [0.62, 0.68, 0.8], [None, None, 0.5])
    frame = tables.compare(t, results, {"a": 0.6, "b": 0.5, "c": 0.58}, part="test").set_index("question")
    assert list(frame.index) == ["Worse?", "Like it?", "Better?"]  # one pair is no interval
    assert frame["answer"].to_dict() == {"Worse?": "yes", "Like it?": "open", "Better?": "no"}
    worse = frame.loc["Worse?"]
    assert worse["difference"] == pytest.approx((0.1 + 0.09 + 0.11) / 3) and worse["seeds"] == 3
    assert worse["published_difference"] == pytest.approx((0.1 + 0.08) / 2)
    half = 4.303 * 0.01 / np.sqrt(3)  # quantile of Student's t for 2, times the standard error
    assert (worse["low"], worse["high"]) == pytest.approx((0.1 - half, 0.1 + half), abs=1e-4)
    assert "rows_difference" not in frame
    again = {"a": 0.7, "b": 0.65}  # c is not trained again: one pair of "Worse?" is left, none of "Like it?"
    frame = tables.compare(t, results, {"a": 0.6, "b": 0.5, "c": 0.58}, "test", again).set_index("question")
    assert frame["rows_difference"].dropna().to_dict() == pytest.approx({"Worse?": 0.05, "Better?": -0.05})


def test_splits_that_overlap_make_the_interval_wider(table):
    """Nadeau and Bengio 2003: 1/n + test/train below the root in place of 1/n."""
    t = table("compared")
    results = results_of(t, [0.6, 0.7, 0.8], [0.5, 0.61, 0.69], [0.62, 0.68, 0.8], [None, None, 0.5])
    drawn = {"kind": "random", "test": 0.2}
    for split, below in ((drawn, 1 / 3 + 0.2 / 0.8), (drawn | {"seed": 0}, 1 / 3)):  # one split for all seeds
        rows = [replace(row, specs=[replace(s, split=split) for s in row.specs]) for row in t.rows]
        frame = tables.compare(replace(t, rows=rows), results, {"a": 0.6, "b": 0.5, "c": 0.58}, "test")
        assert frame["high"][0] - frame["difference"][0] == pytest.approx(4.303 * 0.01 * np.sqrt(below), 1e-3)


def test_merge_leaves_what_it_is_given_alone():
    base, changes = (
        {"config": {"epochs": 5}, "data": {"name": "a", "n": 3}},
        {"config": {"seed": 1}, "data": {"name": "b"}},
    )
    before = json.dumps([base, changes])
    assert plan.merge(base, changes) == {"config": {"epochs": 5, "seed": 1}, "data": {"name": "b"}}
    assert json.dumps([base, changes]) == before


def test_what_the_plan_does_not_have_is_refused(table, tmp_path):
    with pytest.raises(
        ValueError, match="table 'model': expected one of models, rates, seeds, two, costs, compared, alone"
    ):
        table("model")
    with pytest.raises(ValueError, match="profile: expected one of quick, full, got 'fast'"):
        table("models", "fast")
    with pytest.raises(
        FileNotFoundError, match=r"no plan.toml there; give the folder `reports` of the checkout"
    ):
        plan.read_plan(tmp_path / "nowhere")


def test_table_run_gives_the_results_row_by_row(table, monkeypatch):
    models = table("models")
    monkeypatch.setattr(
        running,
        "run_all",
        lambda specs, *rest: [result(spec, accuracy=i / 10) for i, spec in enumerate(specs)],
    )
    assert [[r.value() for r in of_row] for of_row in models.run()] == [[0.0, 0.1], [0.2, 0.3]]


# The frame


def test_published_figures_stand_beside_ours(table):
    models = table("models", "full")
    frame = tables.build(models, results_of(models, (0.5, 0.6, 0.7), (0.9, 0.9, 0.9), (0.8, None, 0.7)))
    assert list(frame) == ["model", "published", "ours", "sd", "seeds", "difference", "seconds", "device"]
    assert frame.model.tolist() == [
        "1x64 1x32",
        "2x64 | 50 % & more",
        "3x64",
    ]  # the plan's order, nothing that was never run
    assert frame.published.tolist() == pytest.approx([0.61, float("nan"), 0.7], nan_ok=True)
    assert frame.ours.tolist() == pytest.approx([0.6, 0.9, 0.75])
    assert frame.sd.tolist() == pytest.approx(
        [np.std([0.5, 0.6, 0.7], ddof=1), 0, np.std([0.8, 0.7], ddof=1)]
    )
    assert frame.seeds.tolist() == [3, 3, 2]
    assert frame.difference.tolist() == pytest.approx([-0.01, float("nan"), 0.05], nan_ok=True)
    assert frame.seconds.tolist() == [2.0] * 3 and set(frame.device) == {"2 CPU threads"}


def test_a_row_that_failed_has_no_figures(table):
    models = table("models")
    text = tables.to_text(tables.build(models, results_of(models, (None, None), (0.5, None))))
    assert text.iloc[0].tolist() == ["1x64 1x32", "0.6100", "", "", "0", "", "", ""]
    assert text.iloc[1].tolist() == ["2x64 | 50 % & more", "", "0.5000", "", "1", "", "2.0", "2 CPU threads"]


def test_a_wide_published_file_is_matched_by_row_and_column(table):
    rates = table("rates")
    frame = tables.build(rates, results_of(rates, *[(0.5 + i / 100,) for i in range(6)]))
    published = {(float(r), o): p for r, o, p in zip(frame.learning_rate, frame.optimizer, frame.published)}
    assert len(frame) == 6
    assert published[5e-5, "adam"] == 0.63 and published[5e-5, "adamw"] == 0.61
    assert published[0.0003, "adam"] == 0.64 and np.isnan(published[0.0003, "adamw"])
    assert published[0.02, "adam"] == 0.56 and published[0.02, "adamw"] == 0.55
    assert frame.ours.tolist() == pytest.approx([0.5 + i / 100 for i in range(6)])
    assert [float(value) for value in tables.to_text(frame).learning_rate] == [
        5e-5,
        5e-5,
        0.0003,
        0.0003,
        0.02,
        0.02,
    ]


def test_labels_keep_their_digits_where_nothing_is_published(table):
    alone = table("alone")
    frame = tables.build(alone, results_of(alone, (0.5,), (0.6,)))
    assert [float(value) for value in tables.to_text(frame).weight_decay] == [5e-5, 0.01]
    assert tables.to_text(frame).published.tolist() == ["", ""] and tables.to_text(
        frame
    ).difference.tolist() == ["", ""]


def test_each_seed_has_its_row_before_the_mean(table):
    seeds = table("seeds")
    frame = tables.build(seeds, results_of(seeds, (0.6, 0.7, 0.65)))
    assert frame.run.tolist() == ["1", "2", "3", "mean"]
    assert frame.published.tolist() == pytest.approx([0.58, 0.6075, float("nan"), float("nan")], nan_ok=True)
    assert frame.ours.tolist() == pytest.approx([0.6, 0.7, 0.65, 0.65])
    assert frame.seeds.tolist() == [1, 1, 1, 3] and frame.sd.isna().tolist() == [True, True, True, False]


def test_several_measures_have_their_names_in_front(table):
    two = table("two")
    measures = {"train_accuracy": ("train", "accuracy"), "test_accuracy": ("test", "accuracy")}
    frame = tables.build(two, results_of(two, (0.75,)), measures)
    parts = ("published", "ours", "sd", "seeds", "difference")
    assert list(frame) == [
        "model",
        *[f"{name}_{part}" for name in measures for part in parts],
        "seconds",
        "device",
    ]
    row = frame.iloc[0]
    assert row[["train_accuracy_published", "train_accuracy_ours"]].tolist() == [0.9, 0.9]
    assert row[["test_accuracy_published", "test_accuracy_ours"]].tolist() == [0.8, 0.75]
    assert row.test_accuracy_difference == pytest.approx(-0.05) and row.train_accuracy_difference == 0


def test_the_plan_names_measures_of_cost_and_figures_in_per_cent(table):
    costs = table("costs")
    row = tables.build(costs, results_of(costs, (0.75,))).iloc[0]
    assert (row.seconds_per_epoch_published, row.seconds_per_epoch_ours) == (
        120,
        1.0,
    )  # two epochs in two seconds
    assert (row.test_accuracy_published, row.test_accuracy_ours) == (pytest.approx(0.565), 0.75)


def test_seconds_are_a_mean_and_devices_are_all_named(table):
    seeds = table("seeds")
    specs = seeds.rows[0].specs
    rows = [
        [
            result(specs[0], seconds=1),
            result(specs[1], seconds=4, device="H100"),
            result(specs[2], error="no"),
        ]
    ]
    mean = tables.build(seeds, rows).iloc[-1]
    assert mean.seconds == 2.5 and mean.device == "2 CPU threads, H100"


# The files


@pytest.fixture
def saved(table):
    models = table("models")
    results = results_of(models, (0.5, 0.6), (0.123456, 0.2))
    frame = tables.build(models, results)
    return frame, results, tables.save(models, frame, results)


def cells_of_markdown(text):
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.strip().split("\n")]
    assert all(re.fullmatch(":-+", cell) for cell in lines.pop(1))
    return [[cell.strip().replace("\\|", "|") for cell in line] for line in lines]


def cells_of_latex(text):
    body = text.split("\\toprule\n")[1].split("\n\\bottomrule")[0].replace("\\midrule\n", "")
    lines = [re.split(r"(?<!\\)&", line.removesuffix("\\\\")) for line in body.split("\n")]
    return [[re.sub(r"\\([&%$#_{}])", r"\1", cell.strip()) for cell in line] for line in lines]


def test_all_files_hold_the_same_figures(saved):
    frame, _, path = saved
    assert path.name == "models.csv" and path.parent.parts[-2:] == ("quick", "tables")
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "models.csv",
        "models.json",
        "models.md",
        "models.tex",
    ]
    back = pd.read_csv(path)
    assert list(back) == list(frame)
    for column in ("published", "ours", "sd", "seeds", "difference", "seconds"):
        np.testing.assert_allclose(back[column], frame[column].astype(float), rtol=1e-5)
    rows = list(csv.reader(io.StringIO(path.read_text())))
    assert rows[2][:2] == ["2x64 | 50 % & more", ""]  # missing is empty
    text = tables.to_text(frame)
    expected = [list(text), *text.to_numpy().tolist()]
    assert cells_of_markdown(path.with_suffix(".md").read_text()) == expected
    assert cells_of_latex(path.with_suffix(".tex").read_text()) == expected
    assert expected[1][1:] == ["0.6100", "0.5500", "0.0707", "2", "-0.0600", "2.0", "2 CPU threads"]


def test_special_characters_are_escaped():
    frame = pd.DataFrame({"a_b": ["x|y", "50 % & $1 #2 {z}", "~^\\"]})
    lines = tables.markdown(frame).split("\n")
    assert [line.strip("| ") for line in lines] == [
        "a_b",
        ":-----------------",
        "x\\|y",
        "50 % & $1 #2 {z}",
        "~^\\",
        "",
    ]
    body = tables.latex(frame).split("\n")
    assert body[0] == r"\begin{tabular}{l}" and body[-2] == r"\end{tabular}"
    assert body[2] == r"a\_b \\"
    assert body[4:7] == [
        r"x|y \\",
        r"50 \% \& \$1 \#2 \{z\} \\",
        r"\textasciitilde \textasciicircum \textbackslash  \\",
    ]


def test_the_notes_say_where_the_figures_come_from(saved):
    path = saved[2]
    notes = json.loads(path.with_suffix(".json").read_text())
    assert (notes["id"], notes["lab"], notes["title"], notes["comparable"]) == (
        "models",
        "smile",
        "Models",
        False,
    )
    assert notes["text"] == "Here: built-in faces, 2 epochs. In the full profile: Fifty epochs, Adam."
    assert notes["provenance"] == {
        "rows": 4,
        "failed": [],
        "data": ["builtin (ffffffffffff)"],
        "seeds": ["0", "1"],
        "epochs": ["2"],
        "device": ["2 CPU threads"],
        "precision": ["float32"],
        "training_seconds": 8.0,
        "commit": ["abc1234"],
        "versions": ["torch 2.13.0"],
        "made": ["2025-01-02T03:04:05+00:00"] * 2,
    }


def test_failed_rows_are_in_the_notes(table):
    models = table("models", "full")
    results = results_of(models, (None, 0.5, 0.5), (0.5, 0.5, 0.5), (None, None, None))
    path = tables.save(models, tables.build(models, results), results)
    notes = json.loads(path.with_suffix(".json").read_text())
    assert notes["comparable"] and notes["text"] == "Fifty epochs, Adam."
    failed = [results[0][0], *results[2]]
    assert (
        notes["provenance"]["failed"] == [f"{r.key}: RuntimeError: no" for r in failed]
        and notes["provenance"]["rows"] == 5
    )
    nothing = tables.provenance(failed)
    assert nothing["made"] == [] and nothing["rows"] == 0


def test_a_part_that_is_kept_back_has_empty_figures(table):
    two = table("two")
    measures = {"train_accuracy": ("train", "accuracy"), "test_accuracy": ("test", "accuracy")}
    ((kept_back,),) = results_of(two, [0.7])
    del kept_back.metrics["test"]
    line = tables.build(two, [[kept_back]], measures).iloc[0]
    assert (line["train_accuracy_ours"], line["train_accuracy_seeds"]) == (0.9, 1)
    assert (
        line["test_accuracy_ours"] is None
        and line["test_accuracy_seeds"] == 0
        and line["test_accuracy_published"] == 0.8
    )


# What differs, and pairs


def test_what_rows_differ_in_is_said_above_the_table(table, tmp_path):
    one = table("compared")
    results = [[result(spec) for spec in row.specs] for row in one.rows]
    assert tables.mixed(one, results) == []
    results[1] = [replace(r, precision="bfloat16", layout="channels_last") for r in results[1]]
    said = tables.mixed(one, results)
    n, m = len(results[1]), sum(map(len, results)) - len(results[1])
    assert said[0] == f"The rows differ in number format: bfloat16 ({n} trainings), float32 ({m} trainings)."
    assert "not recorded" in said[1] and len(said) == 2
    labelled = replace(
        one,
        rows=tuple(replace(row, labels=row.labels | {"precision": str(i)}) for i, row in enumerate(one.rows)),
    )
    assert [s.split(":")[0] for s in tables.mixed(labelled, results)] == [said[1].split(":")[0]], (
        "then it is what the table is about"
    )


def test_pairs_are_compared_seed_by_seed(table):
    base = table("compared")
    rows = tuple(
        replace(row, labels={"network": "a", "precision": p})
        for row, p in zip(base.rows, ("float32", "bfloat16"))
    )
    both = replace(base, rows=rows)
    results = [
        [result(spec, accuracy=a, seconds=s) for spec, a in zip(row.specs, of)]
        for row, of, s in zip(rows, ([0.5, 0.6, 0.7], [0.6, 0.6, 0.75]), (4, 2))
    ]
    (line,) = tables.paired(both, results, "precision", "bfloat16", "float32").to_dict("records")
    low, high = metrics.interval([0.1, 0.0, 0.05])
    assert (
        line["network"] == "a"
        and line["seeds"] == 3
        and (line["bfloat16_seconds"], line["float32_seconds"]) == (2, 4)
    )
    assert [line[c] for c in ("bfloat16_ours", "float32_ours", "difference", "low", "high")] == pytest.approx(
        [0.65, 0.6, 0.05, low, high]
    )
    results[0] = [result(spec, error="ValueError: no") for spec in rows[0].specs]
    assert tables.paired(both, results, "precision", "bfloat16", "float32").empty


@pytest.mark.parametrize("id", plan.read_plan(REAL_REPORTS)["table"])
def test_no_committed_table_mixes_number_formats(id):
    """The rows that a fresh clone goes on from, found without any data."""
    real = plan.read_table(id, "full", data_dir="no data", reports_dir=REAL_REPORTS)
    found = [[real.store.find(spec) for spec in row.specs] for row in real.rows]
    missing = [row.labels for row, of_row in zip(real.rows, found) if not all(of_row)]
    assert not missing, f"trained by the plan, but not committed: {missing[:3]}"
    wrong = [
        r.key
        for row, of_row in zip(real.rows, found)
        for r, spec in zip(of_row, row.specs)
        if r.precision != spec.config.precision
    ]
    assert not wrong
    assert not [sentence for sentence in tables.mixed(real, found) if "number format" in sentence]


def test_what_a_cell_holds_is_shown_in_a_notebook_never_run():
    frame = pd.DataFrame({"<b>": ["<img src=x onerror=alert(1)>"]})
    shown = tables.show(frame).to_html()
    assert "<img" not in shown and "&lt;img src=x" in shown and "<b>" not in shown


def test_a_published_file_that_does_not_fit_is_named(table):
    models = table("models")
    file = models.folder.parent / "published" / models.settings["published"]
    for content, message in (
        (b"", "cannot read"),
        (b"model,loss\na,1\n", "has no column"),
        (b"\xff\xfe", "cannot"),
    ):
        file.write_bytes(content)
        with pytest.raises(
            ValueError, match=f"table 'models': .*{file.name}.*{message}|table 'models': {message}"
        ):
            tables.published_figures(models)


def test_a_table_whose_rows_are_all_in_the_background_is_empty_and_can_be_written():
    table = plan.read_table("search-channels", "full", data_dir="no data", reports_dir=REAL_REPORTS)
    frame = tables.build(replace(table, rows=()), [])
    assert list(frame) == ["published", "ours", "sd", "seeds", "difference", "seconds", "device"]
    assert len(frame) == 0 and tables.markdown(frame).startswith("| published")
