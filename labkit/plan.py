"""The experiments, read from `reports/plan.toml`: which table has which rows, and which `RunSpec`s make a
row.

A table of the plan has settings common to its rows (`spec`), rows that change some of them, and for each
profile what that profile changes (`quick`: built-in faces, few epochs). The plan is data: a new row is three
lines of TOML.
"""

import copy
import difflib
import itertools
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from labkit import datasets, running, runs, splits
from labkit.places import place, shipped

PROFILES = ("quick", "full")
# Of a row; all its other values are labels.
SETTINGS = ("spec", "profile", "seeds", "grid", "background", "optional")
TABLE = {  # settings of a table; those of `of_profile` may also stand in its `quick` and `full`
    *("lab", "title", "text", "published", "melt", "percent", "figures", "measures", "each_seed"),
    *("each_target", "measured", "compare", "row", "quick", "full", "seeds", "grid", "spec"),
}
OF_PROFILE = {"seeds", "grid", "spec", "images", "note"}
WHOLE = ("data", "split", "augment", "until")  # settings that are replaced as a whole
BUILTIN_IMAGES = 4000  # as many as GENKI-4K has, where built-in faces stand in for a data set


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        labels: what names it, column -> value.
        specs: what makes it, one a seed, and one a fold with folds.
        background: it takes so long that `labkit.workers.background` trains it; until then the table goes
            without.
        optional: it needs what not everybody has, a data set that is given to those alone who sign for it, or
            weights of ImageNet; the table goes without where they are not here.
    """

    labels: dict
    specs: tuple[runs.RunSpec, ...]
    background: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the plan for one profile.

    Attributes:
        settings: title, text, lab, published, measures, as the plan has them.
        folder: where its tables, figures and rows go.
    """

    id: str
    profile: str
    settings: dict
    rows: tuple[Row, ...]
    folder: Path
    store: runs.Store
    data_dir: str

    def faces(self, row: int = 0):
        """The FaceSet of a row."""
        return running.faces_of(self.rows[row].specs[0], self.data_dir)

    def run(
        self, force: bool = False, progress: bool = True, workers: int = 1, scheduler: str = ""
    ) -> list[list[runs.RunResult]]:
        """All rows, each with one result a seed; kept ones are not trained again. The options are those of
        `running.run_all`."""
        specs = [spec for row in self.rows for spec in row.specs]
        results = iter(running.run_all(specs, self.store, self.data_dir, force, progress, workers, scheduler))
        return [[next(results) for _ in row.specs] for row in self.rows]


def read_plan(reports_dir: str | Path = "../reports") -> dict:
    """The plan as TOML has it.

    Raises:
        FileNotFoundError: where the folder has none.
        ValueError: where it is no TOML; the message says in which line.
    """
    path = shipped(reports_dir, "plan.toml")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no plan.toml there; give the folder `reports` of the checkout")
    try:
        plan = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # also text that is not UTF-8
        raise ValueError(f"{path}: {error}") from None
    for part in ("lab", "table"):
        if not isinstance(plan.get(part), dict):
            raise ValueError(f"{path}: has no [{part}.NAME]")
    return plan


def check_profile(profile: str) -> None:
    """Raise ValueError for a profile that does not exist."""
    if profile not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}, got '{profile}'")


def folder_of(reports_dir: str | Path, profile: str, data: str = "") -> Path:
    """Where a profile's report goes: `reports/<profile>`, or `reports/<profile>-<data>` where other data
    takes the place of its own, so that one never overwrites the other."""
    return place(reports_dir) / (f"{profile}-{data}" if data else profile)


def read_table(
    id: str, profile: str = "quick", data: str = "", data_dir="../data", reports_dir="../reports", whole=False
) -> Table:
    """One table of the plan, its rows as specs.

    Args:
        id: its name in the plan.
        profile: "quick" or "full".
        data: a data set to use in place of the profile's own; "" = its own.
        data_dir, reports_dir: the folders `data` and `reports` of the checkout.
        whole: also the background rows that are not kept yet.
    Returns:
        The table; without rows where the plan says `measured`, since a notebook times something itself.
    Raises:
        ValueError: for a table, profile or setting that does not exist or does not fit, naming table and row,
            and for two rows that train the same.
    """
    check_profile(profile)
    plan = read_plan(reports_dir)
    if id not in plan["table"]:
        raise ValueError(f"table '{id}': expected one of {', '.join(plan['table'])}")
    settings = plan["table"][id]
    _check_settings(id, settings, plan["lab"])
    folder = folder_of(reports_dir, profile, data)
    store = runs.Store(folder / "rows", place(reports_dir) / "runs")
    rows = []
    if not settings.get("measured"):
        base = merge(plan["lab"][settings["lab"]].get("spec", {}), settings.get("spec", {}))
        for row in _rows(id, settings, base, profile, data, data_dir):
            same = (other for other in rows if (other.labels, other.specs) == (row.labels, row.specs))
            if not any(same):  # with other data than its own, whole photographs and face crops are the same
                rows.append(row)
    _check_labels(id, rows)

    def shown(row):
        here = not row.optional or all(running.can_train(spec, data_dir) for spec in row.specs)
        at_once = whole or not row.background
        return (here and at_once) or all(running.is_kept(spec, store, data_dir) for spec in row.specs)

    return Table(id, profile, settings, tuple(filter(shown, rows)), folder, store, str(data_dir))


def background_rows(
    profile: str, labs: list[str] | None, data_dir, reports_dir
) -> list[tuple[str, runs.RunSpec, runs.Store]]:
    """The background rows of these labs, None = all, that are not kept, in the plan's order: name, spec and
    store of each."""
    found = []
    for id, settings in read_plan(reports_dir)["table"].items():
        if labs is not None and settings["lab"] not in labs:
            continue
        table = read_table(id, profile, "", data_dir, reports_dir, whole=True)
        for row in table.rows:
            for spec in row.specs if row.background else ():
                if not running.is_kept(spec, table.store, data_dir):
                    name = f"{id} {', '.join(map(str, row.labels.values()))}, seed {spec.seed}"
                    found.append((name, spec, table.store))
    return found


def published_spec(name: str, data_dir="data", reports_dir="reports") -> tuple[Table, runs.RunSpec]:
    """The table and the spec whose network is published as `name`. Raises ValueError for a name that
    `[weights]` does not have."""
    weights = read_plan(reports_dir)["weights"]
    if name not in weights:
        raise ValueError(f"weights '{name}': expected one of {', '.join(weights)}")
    table = read_table(weights[name]["table"], "full", "", data_dir, reports_dir, whole=True)
    return table, table.rows[weights[name]["row"]].specs[0]


def merge(base: dict, changes: dict) -> dict:
    """`base` with `changes` on top. Inner tables are merged too, except those of `WHOLE`: half of one data
    set's options means nothing to another."""
    merged = copy.deepcopy(base)
    for name, value in changes.items():
        inner = isinstance(value, dict) and isinstance(merged.get(name), dict) and name not in WHOLE
        merged[name] = merge(merged[name], value) if inner else copy.deepcopy(value)
    return merged


def _check_labels(id: str, rows: list[Row]) -> None:
    """Raise ValueError where two rows of different labels train the same: one of them would not be what it
    says."""
    first: dict = {}
    for row in rows:
        same = first.setdefault(json.dumps([spec.as_dict() for spec in row.specs], sort_keys=True), row)
        if same is not row:
            both = f"{same.labels} and {row.labels}"
            raise ValueError(f"table '{id}': the rows {both} train the same; give each its own settings")


def _check_settings(id: str, settings: dict, labs: dict) -> None:
    """Raise ValueError for what a table of the plan cannot say, most often a typing error."""

    def refuse(where, what):
        raise ValueError(f"table '{id}'{where}: {what}")

    if not isinstance(settings, dict):
        refuse("", f"expected settings, got {settings!r}")
    parts = [("", settings, TABLE)]
    parts += [(f", {name}", settings.get(name, {}), OF_PROFILE) for name in PROFILES]
    for where, given, _ in parts:
        if not isinstance(given, dict):
            refuse(where, f"expected settings, got {given!r}")
    for where, given, known in parts:
        if unknown := sorted(set(given) - known):
            refuse(where, f"unknown setting '{unknown[0]}', expected one of {', '.join(sorted(known))}")
    if settings.get("lab") not in list(labs):
        refuse("", f"lab '{settings.get('lab')}', expected one of {', '.join(labs)}")
    rows = settings.get("row", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        refuse("", "row: expected a list of tables")
    for i, row in enumerate(rows, 1):
        for name in set(row) - set(SETTINGS):
            if like := difflib.get_close_matches(name, SETTINGS, 1, 0.8):
                refuse(f", row {i}", f"'{name}': is that the setting {like[0]}? Give a label another name")
    parts += [(f", row {i}", row, set(row)) for i, row in enumerate(rows, 1)]
    for where, given, _ in parts:
        if not isinstance(given.get("spec", {}), dict):
            refuse(where, f"spec: expected options, got {given['spec']!r}")
        seeds, grid = given.get("seeds", []), given.get("grid", {})
        if not isinstance(seeds, list) or not all(type(seed) is int for seed in seeds):
            refuse(where, f"seeds: expected a list of whole numbers, got {seeds}")
        if not isinstance(grid, dict) or not all(isinstance(values, list) for values in grid.values()):
            refuse(where, f"grid: expected setting -> list of values, got {grid}")


def _rows(id: str, settings: dict, base: dict, profile: str, data: str, data_dir):
    """Every row of a table in this profile, times every combination of its grid."""
    of_profile = settings.get(profile, {})
    grid = of_profile.get("grid", settings.get("grid", {}))
    images = data or of_profile.get("images")
    for row in settings.get("row", [{}]):
        if row.get("profile", profile) != profile:
            continue
        seeds = of_profile.get("seeds") or row.get("seeds") or settings.get("seeds", [0])
        changed = merge(merge(base, row.get("spec", {})), of_profile.get("spec", {}))
        for chosen in _combinations(row.get("grid", grid)):
            labels = {name: value for name, value in row.items() if name not in SETTINGS}
            labels |= {path.rpartition(".")[2]: value for path, value in chosen.items()}
            if images and "images" in labels:
                labels["images"] = images
            spec = merge(changed, nested(chosen))
            if data:
                spec |= _with_data(spec, data, data_dir)
            elif row.get("optional"):
                spec |= _with_its_targets(spec, spec["data"]["name"], data_dir)
            try:
                each = [fold for seed in seeds for fold in _folds({**spec, "seed": seed})]
                specs = tuple(map(runs.RunSpec.from_dict, each))
            except (TypeError, ValueError, KeyError) as error:
                what = f"missing {error}" if isinstance(error, KeyError) else error
                raise ValueError(f"table '{id}', row {labels}: {what}") from None
            yield Row(labels, specs, row.get("background", False), row.get("optional", False))


def _combinations(grid: dict):
    """`{"a": [1, 2], "b": [3]}` -> {"a": 1, "b": 3}, {"a": 2, "b": 3}."""
    return (dict(zip(grid, values)) for values in itertools.product(*grid.values()))


def nested(chosen: dict) -> dict:
    """`{"config.learning_rate": 0.1}` -> {"config": {"learning_rate": 0.1}}."""
    settings: dict = {}
    for path, value in chosen.items():
        *tables, name = path.split(".")
        place = settings
        for table in tables:
            place = place.setdefault(table, {})
        place[name] = value
    return settings


def _with_data(spec: dict, data: str, data_dir) -> dict:
    """What changes in a spec where another data set takes the place of its own; of several targets those stay
    that it has."""
    options = {name: value for name, value in spec["data"].items() if name in ("size", "colour")}
    if data == "builtin":
        options["n"] = BUILTIN_IMAGES
    changed = {"data": {"name": data} | options, "group": None}  # which other data may not have,
    changed |= _with_its_targets(spec, data, data_dir)
    if spec["split"]["kind"] == "by_subject" and not datasets.knows_people(data, data_dir):
        changed["split"] = spec["split"] | {"kind": "random"}
    if spec["split"]["kind"] == "official":  # nor parts of an official split
        changed["split"] = {"kind": "random", "test": 0.2, "validation": 0.2}
    return changed


def _with_its_targets(spec: dict, data: str, data_dir) -> dict:
    """The targets of a spec that `data` has, and the conditions on them under which training ends."""
    if len(spec["targets"]) < 2 or not datasets.available(data, data_dir):
        return {}
    there = datasets.targets(data, data_dir)
    targets = [name for name in spec["targets"] if name in there] or spec["targets"]
    config = dict(spec.get("config", {}))
    for name in set(spec["targets"]) - set(targets):
        for rule in ("until", "class_weights"):
            if rule in config:
                gone = (name, f"validation_accuracy_{name}")
                config[rule] = {key: value for key, value in config[rule].items() if key not in gone}
    return {"targets": targets, "config": config}


def _folds(spec: dict) -> list[dict]:
    """`spec` once for each fold that its split has; other splits have one."""
    split = spec["split"]
    if not split["kind"].endswith("k_fold") or "fold" in split:
        return [spec]
    return [{**spec, "split": {**split, "fold": fold}} for fold in range(split.get("folds", splits.FOLDS))]
