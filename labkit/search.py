"""Searches for good hyper-parameters: grid, random and Bayesian, over a space that the plan declares.

A trial is a choice of values; with the search's settings it makes a `RunSpec`, which is trained and kept as
every row is. What a table or an earlier search has trained is read, not trained again. Which trials there are
stands in an Optuna study in a database, an SQLite file or a PostgreSQL server. The row is kept first, then
the study is told, so what the study calls done can be read. A search that was killed is called again and goes
on; several processes, on one machine or on many, may work on one.

Taught in notebook 06.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from labkit import datasets, plan, running
from labkit.places import place
from labkit.runs import RunResult, RunSpec, Store
from labkit.studies.methods import METHODS
from labkit.studies.record import COMPLETE, FAILED, Record
from labkit.studies.replay import best_so_far, front, importance, replay, trials_to_reach
from labkit.studies.space import Space, spec_of

__all__ = [
    "METHODS",
    "Search",
    "Trial",
    "best_so_far",
    "finished",
    "frame",
    "front",
    "importance",
    "read",
    "replay",
    "run",
    "trials_to_reach",
    "tried",
]
WAIT = 0.5  # seconds between two looks at what other processes train
MANY = 10**6  # more trials than any study has
TRIED = Path(__file__).parent / "studies" / "tried.csv"
OF_PROFILE = {"spec", "space", "early", "trials"}
SETTINGS = {"lab", "title", "text", "score", "quick", "full"} | OF_PROFILE


@dataclass(frozen=True)
class Search:
    """One search of the plan for one profile.

    Attributes:
        spec: settings of every trial, with places in `model` for values of the space.
        space: what may be chosen.
        score: part and measure that are to be high, such as ("validation", "accuracy").
        trials: how many the plan wants.
        early: epochs after which a trial worse than the median of the others is ended; None = never.
        store: keeps the rows.
        url: of the database of its studies.
    """

    id: str
    spec: dict
    space: Space
    score: tuple[str, str]
    trials: int
    early: int | None
    store: Store
    url: str
    data_dir: str

    def spec_of(self, values: dict) -> RunSpec:
        """What a choice trains."""
        return spec_of(self.spec, values)

    def study(self, method: str, seed: int) -> str:
        """The name of its study: another space or other settings are another study."""
        content = json.dumps([self.spec, repr(self.space), self.score, self.early], sort_keys=True)
        return f"{self.id} {method} {seed} {hashlib.sha256(content.encode()).hexdigest()[:8]}"

    def value(self, result: RunResult) -> float | None:
        """The score of a result: of one that was ended early its last epoch's; None where training failed."""
        if not result.error:
            return result.value(self.score[1], part=self.score[0])
        return result.history[-1].get(_in_history(self)) if result.history else None


@dataclass(frozen=True)
class Trial:
    """One trial that is done.

    Attributes:
        number: in its study; trials that were called off leave gaps.
        values: name -> value.
        score: None where training failed.
        ended_early: after fewer epochs than the others.
        seconds: of training.
        result: all that came of it; None where its row is not in this folder: removed, or kept elsewhere.
    """

    number: int
    values: dict
    score: float | None
    ended_early: bool
    seconds: float | None
    result: RunResult | None


def read(
    id: str, profile: str = "quick", data_dir="../data", reports_dir="../reports", storage: str = ""
) -> Search:
    """One search of the plan.

    Args:
        id: its name in the plan, [search.NAME].
        profile: "quick" or "full".
        data_dir, reports_dir: the folders `data` and `reports` of the checkout.
        storage: address of the database, "sqlite:///FILE" or "postgresql://USER@HOST/NAME"; "" = an SQLite
            file beside the runs.
    Raises:
        ValueError: for a search, profile or setting that does not exist or does not fit.
    """
    plan.check_profile(profile)
    everything = plan.read_plan(reports_dir)
    searches = everything.get("search", {})
    if id not in searches:
        raise ValueError(f"search '{id}': expected one of {', '.join(searches) or 'none: the plan has none'}")
    settings = searches[id]
    of_profile = settings.get(profile, {})
    _check_settings(id, settings, of_profile, everything["lab"])
    spec = plan.merge(everything["lab"][settings["lab"]].get("spec", {}), settings.get("spec", {}))
    score = tuple(settings.get("score", ("validation", "accuracy")))
    early = of_profile.get("early", settings.get("early"))
    if early is not None and score != ("validation", "accuracy"):
        raise ValueError(f"search '{id}': early needs the score validation, accuracy, got {', '.join(score)}")
    folder = plan.folder_of(reports_dir, profile)
    runs_dir = place(reports_dir) / "runs"
    found = Search(
        id=f"{id} {profile}",
        spec=plan.merge(spec, of_profile.get("spec", {})),
        space=Space.read(of_profile.get("space", settings.get("space"))),
        score=score,
        trials=of_profile.get("trials", settings.get("trials", 24)),
        early=early,
        store=Store(folder / "rows", runs_dir),
        url=storage or f"sqlite:///{(runs_dir / 'searches.db').resolve()}",
        data_dir=str(data_dir),
    )
    first = {name: axis.values[0] for name, axis in found.space.axes.items()}
    for name, axis in found.space.axes.items():  # what does not fit is said now, not when it is drawn
        for value in axis.values:
            found.spec_of(first | {name: value})
    return found


def _check_settings(id: str, settings: dict, of_profile: dict, labs: dict) -> None:
    """Raise ValueError for what a search of the plan cannot say, most often a typing error."""
    for given, known in ((settings, SETTINGS), (of_profile, OF_PROFILE)):
        if unknown := sorted(set(given) - known):
            expected = f"expected one of {', '.join(sorted(known))}"
            raise ValueError(f"search '{id}': unknown setting '{unknown[0]}', {expected}")
    if settings.get("lab") not in labs:
        expected = f"expected one of {', '.join(labs)}"
        raise ValueError(f"search '{id}': lab '{settings.get('lab')}', {expected}")
    for name in ("trials", "early"):
        value = of_profile.get(name, settings.get(name, 1))
        if type(value) is not int or value < 1:
            raise ValueError(f"search '{id}': {name}: expected a whole number of 1 or more, got {value!r}")


def run(
    search: Search,
    method: str = "tpe",
    seed: int = 0,
    trials: int | None = None,
    workers: int = 1,
    scheduler: str = "",
    progress: bool = True,
) -> list[Trial]:
    """Search until so many trials are done, those of earlier calls and of other processes among them.

    Args:
        method: one of `METHODS`.
        seed: of what the method draws; the trials themselves have the seed of the spec.
        trials: how many the study is to have; None = as the plan says.
        workers: so many trials at once on this machine, each with its share of the cores.
        scheduler: address of a Dask cluster that trains instead.
    Returns:
        The trials that are done, in the order in which they were asked; fewer where the space holds no more.
        What other processes train is waited for.
    Raises:
        OSError: where the database or the scheduler does not answer; after all others, where a trial took its
            worker down again and again. Called again, it is tried again.
    """
    wanted = search.trials if trials is None else trials
    if wanted < 1 or workers < 1:
        raise ValueError(f"trials and workers: expected 1 or more, got {wanted} and {workers}")
    record = Record(search.study(method, seed), search.space, method, seed, wanted, search.url, search.early)
    _train_again(search, record, progress, workers, scheduler)
    title = f"{search.id}, {method}"
    with record.alive(), tqdm(total=wanted, desc=title, unit="trial", disable=not progress) as bar:

        def show() -> None:
            bar.n = len(record.done())
            bar.refresh()

        try:
            lost = _train_missing(search, record, workers, scheduler, show)
        finally:
            record.let_go()
    if lost:
        sentence = f"{len(lost)} trials were lost with their workers; search again to try them again."
        raise OSError(f"{sentence} The first: {lost[0]}")
    return _done(search, record)


def _train_missing(
    search: Search, record: Record, workers: int, scheduler: str, after_each
) -> list[Exception]:
    """Train until the record holds what is wanted, or nothing is left to ask; what other processes train is
    waited for, and asked here should they die. Returns what took workers down."""
    lost: list[Exception] = []
    at_work = True
    while at_work and not lost and len(record.done()) < record.wanted:
        at_work = False
        at_once = max(1, min(workers, record.wanted - len(record.done())))
        asked = _asked(search, record)
        for number, outcome, error in running.train_each(asked, search.data_dir, at_once, scheduler):
            at_work = True
            if error:  # not told: it is called off in the end, so that the next search asks it again
                lost.append(error)
            else:
                _tell(search, record, number, _keep(search, *outcome))
            after_each()
        while not lost and record.others_at_work():
            at_work = True
            time.sleep(WAIT)
    after_each()
    return lost


def _keep(search: Search, result: RunResult, model) -> RunResult:
    """Write the row of a trial; one that was ended early never takes the place of a whole one, which somebody
    may have trained meanwhile and which counts then."""
    spec = RunSpec.from_dict(result.spec)
    whole = running.kept(spec, search.store, search.data_dir) if result.error else None
    if whole is None:
        search.store.write(result, model)
    return whole or result


def finished(search: Search, method: str = "tpe", seed: int = 0) -> list[Trial]:
    """The trials that are done, in the order in which they were asked; nothing is trained."""
    record = Record(search.study(method, seed), search.space, method, seed, MANY, search.url, search.early)
    return _done(search, record)


def frame(trials: list[Trial]):
    """The trials as a pandas DataFrame, the best first: a column each for the number, every value (a setting
    by its last name where that tells it from the others), `score`, `ended_early`, `seconds`, and `error`
    where training failed or the row is not here."""
    import pandas as pd

    lines = [
        {"trial": trial.number}
        | {_column(name, trial.values): value for name, value in trial.values.items()}
        | {
            "score": None if trial.score is None else round(trial.score, 4),
            "ended_early": trial.ended_early,
            "seconds": trial.seconds,
        }
        | {"error": _error(trial)}
        for trial in trials
    ]
    columns = None if lines else ["trial", "score", "ended_early", "seconds", "error"]
    listed = pd.DataFrame(lines, columns=columns)
    return listed.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _column(name: str, values: dict) -> str:
    last = name.rpartition(".")[2]
    taken = [other.rpartition(".")[2] for other in values] + [
        "trial",
        "score",
        "ended_early",
        "seconds",
        "error",
    ]
    return last if taken.count(last) == 1 else f"value of {name}" if name == last else name


def _error(trial: Trial) -> str:
    if trial.result is None:
        return "its row is not here"
    return "" if trial.ended_early else trial.result.error or ""


def tried():
    """The 216 trials of the plan's search `replay`, each trained on FER2013: a column each for the values, by
    name, `score` and `seconds`. How, the report's table `search-methods` says."""
    import pandas as pd

    return pd.read_csv(TRIED)


def _asked(search: Search, record: Record) -> Iterator[tuple]:
    """(number, spec, what may end it early) of each trial that has to be trained; those whose row is kept are
    told at once."""
    name = _in_history(search)
    while asked := record.ask():
        number, values = asked
        spec = search.spec_of(values)
        result = running.kept(spec, search.store, search.data_dir)
        if result:
            _tell(search, record, number, result)
        else:
            yield number, spec, None if search.early is None else record.watch(number, name)


def _tell(search: Search, record: Record, number: int, result: RunResult) -> None:
    scores = {row["epoch"]: row[_in_history(search)] for row in result.history if _in_history(search) in row}
    record.tell(number, search.value(result), whole=not result.error, scores=scores)


def _in_history(search: Search) -> str:
    """What the score of an epoch is called in a history."""
    return f"{search.score[0]}_{search.score[1]}_{search.spec['targets'][0]}"


def _train_again(search: Search, record: Record, progress: bool, workers: int, scheduler: str) -> None:
    """Rows that the study calls done and that the store has lost."""
    specs = [search.spec_of(record.values(trial)) for trial in record.done() if trial.state == COMPLETE]
    shown = progress and bool(specs)
    running.run_all(specs, search.store, search.data_dir, False, shown, workers, scheduler)


def _done(search: Search, record: Record) -> list[Trial]:
    trials = []
    for trial in record.done():
        values, told = record.values(trial), _score_told(trial)
        result, score = _row(search, search.spec_of(values)), told
        if result and (trial.state == COMPLETE or result.error):
            score = search.value(result)
            if trial.state == COMPLETE and score != told:
                both = f"its study says {told}, its row {score}"
                warnings.warn(f"{search.id}, trial {trial.number}: {both}; the row counts", stacklevel=3)
        early = trial.state != COMPLETE and told is not None
        trials.append(Trial(trial.number, values, score, early, result.seconds if result else None, result))
    return trials


def _score_told(trial) -> float | None:
    """What a study knows of a trial: the score of a whole training, or that of the last epoch of one that was
    ended early; None of one that failed."""
    if trial.state == COMPLETE:
        return trial.value
    epochs = trial.intermediate_values
    return None if FAILED in trial.user_attrs or not epochs else epochs[max(epochs)]


def _row(search: Search, spec: RunSpec) -> RunResult | None:
    """The row of a spec, also one that failed or was ended early."""
    try:
        return search.store.read(spec.key(running.identity_of(spec, search.data_dir)))
    except datasets.DataMissing:
        return search.store.find(spec)
