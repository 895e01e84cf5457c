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
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from labkit import datasets, plan, running
from labkit.places import place
from labkit.runs import RunResult, RunSpec, Store
from labkit.studies.methods import METHODS
from labkit.studies.record import COMPLETE, Record
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
MANY = 10**6  # more trials than any study has
TRIED = Path(__file__).parent / "studies" / "tried.csv"
SETTINGS = {"lab", "title", "text", "spec", "space", "score", "early", "trials", "quick", "full"}


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
        result: all that came of it.
    """

    number: int
    values: dict
    score: float | None
    ended_early: bool
    seconds: float
    result: RunResult


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
        raise ValueError(f"search '{id}': expected one of {', '.join(searches)}")
    settings = searches[id]
    if unknown := sorted(set(settings) - SETTINGS):
        expected = f"expected one of {', '.join(sorted(SETTINGS))}"
        raise ValueError(f"search '{id}': unknown setting '{unknown[0]}', {expected}")
    if settings.get("lab") not in everything["lab"]:
        expected = f"expected one of {', '.join(everything['lab'])}"
        raise ValueError(f"search '{id}': lab '{settings.get('lab')}', {expected}")
    of_profile = settings.get(profile, {})
    spec = plan.merge(everything["lab"][settings["lab"]].get("spec", {}), settings.get("spec", {}))
    score = tuple(settings.get("score", ("validation", "accuracy")))
    early = of_profile.get("early", settings.get("early"))
    if early is not None and score != ("validation", "accuracy"):
        raise ValueError(f"search '{id}': early needs the score validation, accuracy, got {', '.join(score)}")
    folder = plan.folder_of(reports_dir, profile)
    runs_dir = place(reports_dir) / "runs"
    return Search(
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
        The trials that are done, in the order in which they were asked; fewer where the space holds no more,
        or where other processes still train some.
    Raises:
        OSError: where the database or the scheduler does not answer.
        RuntimeError: after all others, where a trial took its worker down again and again.
    """
    wanted = search.trials if trials is None else trials
    if wanted < 1 or workers < 1:
        raise ValueError(f"trials and workers: expected 1 or more, got {wanted} and {workers}")
    record = Record(search.study(method, seed), search.space, method, seed, wanted, search.url, search.early)
    _train_again(search, record, progress)
    title = f"{search.id}, {method}"
    with record.alive(), tqdm(total=wanted, desc=title, unit="trial", disable=not progress) as bar:
        bar.update(len(record.done()))
        lost = []
        asked = _asked(search, record)
        for number, outcome, error in running.train_each(asked, search.data_dir, workers, scheduler):
            if error:
                lost.append(error)
                record.tell(number, None)
            else:
                result, model = outcome
                search.store.write(result, model)
                _tell(search, record, number, result)
            bar.n = len(record.done())
            bar.refresh()
    if lost:
        raise RuntimeError(f"{len(lost)} trials were lost with their workers. The first: {lost[0]}")
    return _done(search, record)


def finished(search: Search, method: str = "tpe", seed: int = 0) -> list[Trial]:
    """The trials that are done, in the order in which they were asked; nothing is trained."""
    record = Record(search.study(method, seed), search.space, method, seed, MANY, search.url, search.early)
    return _done(search, record)


def frame(trials: list[Trial]):
    """The trials as a pandas DataFrame, the best first: a column each for the number, every value (a setting
    by its last name), `score`, `ended_early`, `seconds`, and `error` where training failed."""
    import pandas as pd

    lines = [
        {"trial": trial.number}
        | {name.rpartition(".")[2]: value for name, value in trial.values.items()}
        | {
            "score": None if trial.score is None else round(trial.score, 4),
            "ended_early": trial.ended_early,
            "seconds": trial.seconds,
        }
        | {"error": "" if trial.ended_early else trial.result.error or ""}
        for trial in trials
    ]
    columns = None if lines else ["trial", "score", "ended_early", "seconds", "error"]
    listed = pd.DataFrame(lines, columns=columns)
    return listed.sort_values("score", ascending=False, kind="stable", ignore_index=True)


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


def _train_again(search: Search, record: Record, progress: bool) -> None:
    """Rows that the study calls done and that the store has lost."""
    specs = [search.spec_of(record.values(trial)) for trial in record.done() if trial.state == COMPLETE]
    running.run_all(specs, search.store, search.data_dir, progress=progress and bool(specs))


def _done(search: Search, record: Record) -> list[Trial]:
    trials = []
    for trial in record.done():
        values = record.values(trial)
        result = _row(search, search.spec_of(values))
        if result is None:  # a training that failed or was ended early, whose row was removed
            continue
        score = search.value(result)
        if trial.state == COMPLETE and score != trial.value:
            told = f"its study says {trial.value}, its row {score}"
            warnings.warn(f"{search.id}, trial {trial.number}: {told}; the row counts", stacklevel=3)
        early = bool(result.error) and score is not None
        trials.append(Trial(trial.number, values, score, early, result.seconds, result))
    return trials


def _row(search: Search, spec: RunSpec) -> RunResult | None:
    """The row of a spec, also one that failed or was ended early."""
    try:
        return search.store.read(spec.key(running.identity_of(spec, search.data_dir)))
    except datasets.DataMissing:
        return search.store.find(spec)
