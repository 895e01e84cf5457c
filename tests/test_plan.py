"""The plan: what a table's rows and specs are for each profile."""

import re
from pathlib import Path

import pytest

from labkit import plan

REPORTS = Path(__file__).resolve().parents[1] / "reports"


LAB = """[lab.smile]
[lab.smile.spec]
model = "tiny"
targets = ["smile"]
split = {kind = "random"}
config = {epochs = 5, learning_rate = 0.1}
"""


def write(folder, text):
    (folder / "plan.toml").write_text(LAB + text)
    return folder


def test_rows_times_grid_times_seeds(tmp_path):
    folder = write(
        tmp_path,
        """
[table.t]
lab = "smile"
seeds = [0, 1]
spec.data = {name = "builtin", n = 10, size = 64}
grid = {"config.learning_rate" = [0.1, 0.2], "config.optimizer" = ["adam", "adamw"]}
[[table.t.row]]
images = "a"
[[table.t.row]]
images = "b"
spec.data = {name = "genki4k", size = 32}
spec.config = {epochs = 7}
""",
    )
    table = plan.read_table("t", "full", reports_dir=folder)
    assert len(table.rows) == 8 and all([s.seed for s in row.specs] == [0, 1] for row in table.rows)
    assert table.rows[1].labels == {"images": "a", "learning_rate": 0.1, "optimizer": "adamw"}
    spec = table.rows[6].specs[1]
    assert (spec.data, spec.config.epochs, spec.config.learning_rate) == (
        {"name": "genki4k", "size": 32},
        7,
        0.2,
    )
    assert table.rows[0].specs[0].config.epochs == 5


def test_profile_changes_and_rows_of_one_profile(tmp_path):
    folder = write(
        tmp_path,
        """
[table.t]
lab = "smile"
quick = {seeds = [3], spec = {data = {name = "builtin", n = 10, size = 64}, config = {epochs = 1}}}
[[table.t.row]]
images = "real"
profile = "full"
spec.data = {name = "genki4k", view = "face", size = 64}
[[table.t.row]]
images = "built-in"
profile = "quick"
""",
    )
    (quick,) = plan.read_table("t", "quick", reports_dir=folder).rows
    (full,) = plan.read_table("t", "full", reports_dir=folder).rows
    assert (quick.labels["images"], quick.specs[0].config.epochs, quick.specs[0].seed) == ("built-in", 1, 3)
    assert (full.labels["images"], full.specs[0].config.epochs, full.specs[0].seed) == ("real", 5, 0)
    (other,) = plan.read_table("t", "full", data="builtin", reports_dir=folder).rows
    assert other.specs[0].data["name"] == "builtin"


def test_a_row_has_its_own_grid_seeds_and_one_spec_a_fold(tmp_path):
    folder = write(
        tmp_path,
        """
[table.t]
lab = "smile"
seeds = [0, 1]
grid = {"config.batch_size" = [8, 16]}
quick = {images = "built-in faces", seeds = [3], spec.data = {name = "builtin", n = 10, size = 64}}
[[table.t.row]]
images = "photographs"
seeds = [0]
spec.data = {name = "genki4k", view = "photo", size = 64}
[[table.t.row]]
images = "crops"
grid = {}
spec.data = {name = "genki4k", view = "face", size = 64}
spec.split = {kind = "k_fold", folds = 3}
""",
    )
    first, second, folds = plan.read_table("t", "full", reports_dir=folder).rows
    assert [s.config.batch_size for s in (*first.specs, *second.specs)] == [8, 16]
    expected = [(seed, {"kind": "k_fold", "folds": 3, "fold": fold}) for seed in (0, 1) for fold in range(3)]
    assert folds.labels == {"images": "crops"} and [(s.seed, s.split) for s in folds.specs] == expected
    quick = plan.read_table("t", "quick", reports_dir=folder)
    assert {row.labels["images"] for row in quick.rows} == {"built-in faces"}
    assert {s.data["name"] for row in quick.rows for s in row.specs} == {"builtin"}
    assert [s.seed for row in quick.rows for s in row.specs] == [3] * 5


def test_rows_that_become_the_same_stand_once(tmp_path):
    folder = write(
        tmp_path,
        """
[table.t]
lab = "smile"
quick = {images = "built-in faces", seeds = [3], spec.data = {name = "builtin", n = 10, size = 64}}
[[table.t.row]]
images = "photographs"
seeds = [0]
[[table.t.row]]
images = "crops"
""",
    )
    assert len(plan.read_table("t", "quick", reports_dir=folder).rows) == 1


def test_wrong_names(tmp_path):
    folder = write(
        tmp_path, '[table.t]\nlab = "smile"\nspec.data = {name = "builtin"}\nspec.config = {epoch = 3}\n'
    )
    with pytest.raises(ValueError, match="table 'u': expected one of t"):
        plan.read_table("u", reports_dir=folder)
    with pytest.raises(ValueError, match="epoch"):
        plan.read_table("t", reports_dir=folder)


@pytest.mark.parametrize("profile", plan.PROFILES)
def test_every_table_of_the_real_plan_can_be_read(profile):
    for id, settings in plan.read_plan(REPORTS)["table"].items():
        table = plan.read_table(id, profile, reports_dir=REPORTS, whole=True)
        assert all(row.specs for row in table.rows)
        if (
            profile == "full"
        ):  # quick may leave a table out: precision compares a format that not every machine has
            assert bool(table.rows) != settings.get("measured", False)
        if "published" in settings:
            assert (REPORTS / "published" / settings["published"]).exists()
        if profile == "quick" and table.rows:
            assert {spec.data["name"] for row in table.rows for spec in row.specs} == {"builtin"}


def test_what_a_profile_changes_never_undoes_a_grid(tmp_path):
    """Else rows of different labels would have equal specs."""
    folder = write(
        tmp_path,
        """
[table.t]
lab = "smile"
spec.data = {name = "genki4k", size = 64}
grid = {"config.learning_rate" = [0.1, 0.2]}
quick = {spec = {data = {name = "builtin", size = 64}, config = {learning_rate = 0.3, epochs = 1}}}
""",
    )
    rows = plan.read_table("t", reports_dir=folder).rows
    assert [(row.labels["learning_rate"], row.specs[0].config.learning_rate) for row in rows] == [
        (0.1, 0.1),
        (0.2, 0.2),
    ]
    assert {row.specs[0].config.epochs for row in rows} == {1}


def test_rows_of_different_labels_never_train_the_same(tmp_path):
    folder = write(
        tmp_path,
        '[table.t]\nlab = "smile"\nspec.data = {name = "builtin"}\nrow = [{noise = "none"}, '
        '{noise = "some"}]\n',
    )
    with pytest.raises(ValueError, match=r"table 't': the rows .*none.* and .*some.* train the same"):
        plan.read_table("t", reports_dir=folder)
    for id in plan.read_plan(REPORTS)["table"]:
        assert plan.read_table(id, "full", data="builtin", reports_dir=REPORTS)


TYPING_ERRORS = {
    "a table's setting": ("seed = [0]", "table 't': unknown setting 'seed', expected one of"),
    "a profile's setting": ("quick.epochs = 3", "table 't', quick: unknown setting 'epochs'"),
    "a row's setting": ("row = [{seedz = [1]}]", "table 't', row 1: 'seedz': is that the setting seeds?"),
    "seeds that are no list": ("seeds = 3", "table 't': seeds: expected a list of whole numbers, got 3"),
    "seeds that are no numbers": ('row = [{seeds = ["0"]}]', "table 't', row 1: seeds: expected a list"),
    "a grid of no lists": ("grid = {seed = 1}", "table 't': grid: expected setting -> list of values"),
    "rows that are no list": ('row = "x"', "table 't': row: expected a list of tables"),
    "a text for a number": (
        'spec.config.epochs = "4"',
        "table 't', row {}: epochs: expected a whole number, got '4'",
    ),
    "a setting of training": (
        "spec.config.epoch = 4",
        "table 't', row {}: .* unexpected keyword argument 'epoch'",
    ),
    "a choice": ('spec.config.optimizer = "adm"', "table 't', row {}: optimizer: expected one of adam"),
    "no targets": ("spec.targets = 3", "table 't', row {}: 'int' object is not iterable"),
}


@pytest.mark.parametrize("kind", TYPING_ERRORS)
def test_a_typing_error_in_the_plan_names_table_and_row(tmp_path, kind):
    line, message = TYPING_ERRORS[kind]
    write(tmp_path, f'[table.t]\nlab = "smile"\n{line}\n')
    with pytest.raises(ValueError, match=re.escape(message).replace("\\.\\*", ".*")):
        plan.read_table("t", reports_dir=tmp_path)


def test_a_lab_that_does_not_exist_and_a_file_that_is_no_toml(tmp_path):
    write(tmp_path, '[table.t]\nlab = "smiel"\n')
    with pytest.raises(ValueError, match="table 't': lab 'smiel', expected one of smile"):
        plan.read_table("t", reports_dir=tmp_path)
    write(tmp_path, "[table.t\n")
    with pytest.raises(ValueError, match=r"plan\.toml: .*line \d+"):
        plan.read_plan(tmp_path)
