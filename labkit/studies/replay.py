"""Methods compared on trials that were all trained before: of a whole grid everything is known, so a search
over it costs seconds, and many seeds can be asked."""

import numpy as np
import optuna

from labkit.studies import methods
from labkit.studies.space import Space


def replay(space: Space, scores: dict[tuple, float], method: str, seed: int, n: int) -> list[float]:
    """The scores that a search would have seen, in its order; no combination twice.

    Args:
        space: of lists of values alone.
        scores: values, a tuple in the order of the axes, -> score, for every combination.
        method, seed: see `methods.METHODS`.
        n: trials, at most as many as there are combinations.
    Raises:
        KeyError: where a combination has no score.
    """
    methods.check(method)
    study = optuna.create_study(direction="maximize", sampler=methods.sampler(method, seed))
    found: dict[tuple, float] = {}
    attempt = 0
    while len(found) < min(n, len(scores)):
        trial = methods.propose(study, space, method, seed, set(found), attempt)
        values = tuple(space.values(trial.params).values())
        attempt = attempt + 1 if values in found else 0
        if attempt:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            found[values] = scores[values]
            study.tell(trial, scores[values])
    return list(found.values())


def best_so_far(scores) -> np.ndarray:
    """float (n,): the highest of the first 1, 2, ... n scores."""
    return np.maximum.accumulate(np.asarray(scores, float))


def trials_to_reach(scores, goal: float) -> int | None:
    """After how many trials a score of at least `goal` was there, None where it never was."""
    reached = np.flatnonzero(best_so_far(scores) >= goal)
    return int(reached[0]) + 1 if len(reached) else None


def importance(space: Space, trials: list[tuple[dict, float]], seed: int = 0) -> dict[str, float]:
    """How much of the variance of the scores each hyper-parameter explains, the largest first; they add up to
    1.

    Args:
        trials: values and score of each, 10 or more.
    Source:
        fANOVA: the variance of a random forest's predictions, split up (Hutter and others 2014).
    """
    study = optuna.create_study(direction="maximize", sampler=methods.sampler("random", seed))
    for values, score in trials:
        drawn, distributions = space.drawn(values), space.distributions()
        study.add_trial(optuna.trial.create_trial(params=drawn, distributions=distributions, value=score))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def front(costs, scores) -> list[int]:
    """Indices of the trials that no other beats in both, cheaper first: Pareto's front of low cost and high
    score."""
    order = sorted(range(len(costs)), key=lambda i: (costs[i], -scores[i]))
    best, kept = -np.inf, []
    for i in order:
        if scores[i] > best:
            best = scores[i]
            kept.append(i)
    return kept
