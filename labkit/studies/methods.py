"""How the next trial is chosen: every method draws from what a study holds so far and a seed, so that a
search that was killed goes on as if it had not been."""

import warnings

import numpy as np
import optuna

from labkit.studies.space import Space

METHODS = {
    "grid": "every combination, in an order drawn from the seed",
    "random": "each value drawn without regard to what came before",
    "tpe": "Bayesian: tree-structured Parzen estimators (Bergstra and others 2011)",
    "gp": "Bayesian: a Gaussian process and its expected improvement (Jones and others 1998)",
}
STARTUP = 10  # trials that the Bayesian methods draw at random before they model anything
PROPOSALS = 20  # so often a method may propose what was tried before; then an untried combination is drawn
optuna.logging.set_verbosity(optuna.logging.WARNING)  # a bar tells more than a line a trial


def check(method: str) -> None:
    """Raise ValueError for a method that does not exist."""
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got '{method}'")


def sampler(method: str, seed) -> optuna.samplers.BaseSampler:
    """Optuna's sampler of a method; what it lets vary is named here, since its defaults change.

    Args:
        method: one of `METHODS`.
        seed: a whole number, or several.
    """
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    if method == "tpe":
        return optuna.samplers.TPESampler(
            seed=number, n_startup_trials=STARTUP, multivariate=True, constant_liar=True
        )
    if method == "gp":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.GPSampler(
                seed=number, n_startup_trials=STARTUP, deterministic_objective=False
            )
    return optuna.samplers.RandomSampler(seed=number)


def propose(study: optuna.Study, space: Space, method: str, seed: int, tried: set[tuple], attempt: int = 0):
    """The next trial of a study.

    Args:
        study: what came before; a trial of it that waits to be asked is taken first.
        space: what is chosen from.
        method, seed: see `METHODS`; with the number of those tried the seed decides what is drawn.
        tried: the values of the trials that stand, each a tuple in the order of the axes.
        attempt: how often the method has just proposed something that was tried.
    Returns:
        An `optuna.Trial` whose state is "running", or None where nothing is left to try.
    """
    if method == "grid" or attempt >= PROPOSALS:
        left = [values for values in space.grid() if tuple(values.values()) not in tried]
        if not left:
            return None
        chosen = np.random.default_rng([seed, len(tried)]).integers(len(left))
        study.enqueue_trial(space.drawn(left[chosen]))
    study.sampler = sampler(method, [seed, len(tried), attempt])
    return study.ask(space.distributions())
