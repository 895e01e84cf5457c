"""The experiments, read from `reports/plan.toml`: which table has which rows, and which `RunSpec`s make a row.

A table of the plan has settings common to its rows (`spec`), rows that change some of them, and for each profile what that
profile changes (`quick`: built-in faces, few epochs). The plan is data: a new row is three lines of TOML.
"""

import copy
import itertools
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from labkit import runs

PROFILES = ("quick", "full")
SETTINGS = ("spec", "profile", "seeds", "grid", "background")  # of a row; all its other values are labels
WHOLE = ("data", "split", "augment")  # settings that are replaced as a whole
BUILTIN_IMAGES = 4000  # as many as GENKI-4K has, where built-in faces stand in for a data set


@dataclass(frozen=True)
class Row:
    """One row of a table: `labels` name it (column -> value), `specs` make it, one a seed, and one a fold with `k_fold`. background: it
    takes so long that `labkit.background` trains it; until then the table goes without it."""

    labels: dict
    specs: tuple[runs.RunSpec, ...]
    background: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the plan for one profile. `settings`: title, text, lab, published, measures, as the plan has them."""

    id: str
    profile: str
    settings: dict
    rows: tuple[Row, ...]
    folder: Path  # where its tables, figures and rows go
    store: runs.Store
    data_dir: str

    def faces(self, row: int = 0):
        """The FaceSet of a row."""
        return runs.faces_of(self.rows[row].specs[0], self.data_dir)

    def run(self, force: bool = False, progress: bool = True, workers: int = 1, scheduler: str = "") -> list[list[runs.RunResult]]:
        """All rows, each with one result a seed; kept ones are not trained again. The options are those of `runs.run_all`."""
        specs = [spec for row in self.rows for spec in row.specs]
        results = iter(runs.run_all(specs, self.store, self.data_dir, force, progress, workers, scheduler))
        return [[next(results) for _ in row.specs] for row in self.rows]


def read_plan(reports_dir: str | Path = "../reports") -> dict:
    """The plan as TOML has it. Raises FileNotFoundError where the folder has none."""
    path = Path(reports_dir) / "plan.toml"
    if not path.exists():
        raise FileNotFoundError(f"{path}: no plan.toml there; give the folder `reports` of the checkout")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def check_profile(profile: str) -> None:
    """Raise ValueError for a profile that does not exist."""
    if profile not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}, got '{profile}'")


def folder_of(reports_dir: str | Path, profile: str, data: str = "") -> Path:
    """Where a profile's report goes: `reports/<profile>`, or `reports/<profile>-<data>` where other data takes the place of
    its own, so that one never overwrites the other."""
    return Path(reports_dir) / (f"{profile}-{data}" if data else profile)


def read_table(id: str, profile: str = "quick", data: str = "", data_dir="../data", reports_dir="../reports", whole=False) -> Table:
    """The table `id`, its rows as specs; no rows where the plan says `measured`: a notebook times something itself. `data`
    names a data set to use in place of the profile's own. whole: also the background rows that are not kept yet. Raises ValueError
    for a table or profile that does not exist."""
    check_profile(profile)
    plan = read_plan(reports_dir)
    if id not in plan["table"]:
        raise ValueError(f"table '{id}': expected one of {', '.join(plan['table'])}")
    settings = plan["table"][id]
    of_profile = settings.get(profile, {})
    base = merge(plan["lab"][settings["lab"]].get("spec", {}), settings.get("spec", {}))
    folder = folder_of(reports_dir, profile, data)
    store = runs.Store(folder / "rows", Path(reports_dir) / "runs")
    if settings.get("measured"):
        return Table(id, profile, settings, (), folder, store, str(data_dir))
    grid, rows = of_profile.get("grid", settings.get("grid", {})), []
    for labels, changes, of_grid, seeds, background in _rows(settings.get("row", [{}]), grid, profile):
        seeds = of_profile.get("seeds") or seeds or settings.get("seeds", [0])
        spec = merge(merge(merge(base, changes), of_profile.get("spec", {})), of_grid)
        if data:
            of_any = {name: value for name, value in spec["data"].items() if name in ("size", "colour")}
            spec["data"] = {"name": data} | of_any | ({"n": BUILTIN_IMAGES} if data == "builtin" else {})
            spec["group"] = None  # which other data may not have, nor parts of an official split
            if spec["split"]["kind"] == "official":
                spec["split"] = {"kind": "random", "test": 0.2, "validation": 0.2}
        images = data or of_profile.get("images")
        labels = labels | ({"images": images} if images and "images" in labels else {})
        row = Row(labels, tuple(runs.RunSpec.from_dict(each) for seed in seeds for each in _folds({**spec, "seed": seed})), background)
        if row not in rows:  # with other data than its own, whole photographs and face crops are the same
            rows.append(row)
    _check_labels(id, rows)
    rows = [row for row in rows if whole or not row.background or all(runs.is_kept(spec, store, data_dir) for spec in row.specs)]
    return Table(id, profile, settings, tuple(rows), folder, store, str(data_dir))


def published_spec(name: str, data_dir="data", reports_dir="reports") -> tuple[Table, runs.RunSpec]:
    """The table and the spec whose network is published as `name`. Raises ValueError for a name that `[weights]` does not have."""
    weights = read_plan(reports_dir)["weights"]
    if name not in weights:
        raise ValueError(f"weights '{name}': expected one of {', '.join(weights)}")
    table = read_table(weights[name]["table"], "full", data_dir=data_dir, reports_dir=reports_dir)
    return table, table.rows[weights[name]["row"]].specs[0]


def merge(base: dict, changes: dict) -> dict:
    """`base` with `changes` on top. Inner tables are merged too, except those of `WHOLE`: half of one data set's options means
    nothing to another."""
    merged = copy.deepcopy(base)
    for name, value in changes.items():
        inner = isinstance(value, dict) and isinstance(merged.get(name), dict) and name not in WHOLE
        merged[name] = merge(merged[name], value) if inner else copy.deepcopy(value)
    return merged


def _folds(spec: dict) -> list[dict]:
    """`spec` once for each fold that its split has; other splits have one."""
    split = spec["split"]
    if split["kind"] != "k_fold" or "fold" in split:
        return [spec]
    return [{**spec, "split": {**split, "fold": fold}} for fold in range(split["folds"])]


def _check_labels(id: str, rows: list[Row]) -> None:
    """Raise ValueError where two rows of different labels train the same: one of them would not be what it says."""
    first: dict = {}
    for row in rows:
        same = first.setdefault(json.dumps([spec.as_dict() for spec in row.specs], sort_keys=True), row)
        if same is not row:
            raise ValueError(f"table '{id}': the rows {same.labels} and {row.labels} train the same; give each its own settings")


def _rows(rows: list[dict], grid: dict, profile: str):
    """(labels, changes of the row, changes of the grid, seeds of its own or None, background) of every row of this profile, times every
    combination of the grid (`config.learning_rate` -> values), the table's or its own."""
    for row in rows:
        if row.get("profile", profile) != profile:
            continue
        labels, own = {name: value for name, value in row.items() if name not in SETTINGS}, row.get("grid", grid)
        for values in itertools.product(*own.values()):
            of_grid: dict = {}
            for path, value in zip(own, values):
                *tables, name = path.split(".")
                place = of_grid
                for table in tables:
                    place = place.setdefault(table, {})
                place[name] = value
            named = {path.split(".")[-1]: value for path, value in zip(own, values)}
            yield {**labels, **named}, row.get("spec", {}), of_grid, row.get("seeds"), row.get("background", False)
