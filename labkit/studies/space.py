"""What a search may choose: axes with their values, and how a choice becomes a `RunSpec`.

In `reports/plan.toml`:

    [search.emotion.space]
    channels = ["32 64 128 128", "64 128 1028 512"]      # a list: one of these
    dropout = [0, 10, 25, 50]                             # numbers keep their order
    "config.learning_rate" = { low = 1e-4, high = 1e-1, log = true, steps = 7 }

A name with a point is a setting of the spec's config. Any other fills its place in `spec.model`: `{dropout}`,
and of a text of several words each one, `{channels[0]}`.
"""

import itertools
import math
import re
from dataclasses import dataclass

import optuna

from labkit import plan
from labkit.runs import RunSpec

Value = int | float | str | bool


@dataclass(frozen=True)
class Axis:
    """One hyper-parameter.

    Attributes:
        name: a setting of the spec, or a place in its model.
        values: the values to choose from, in order; of a range those that a grid takes.
        low, high: ends of a range, both included; None for a list.
        log: the range is even in its logarithm.
    """

    name: str
    values: tuple[Value, ...]
    low: float | None = None
    high: float | None = None
    log: bool = False

    @classmethod
    def read(cls, name: str, given) -> "Axis":
        """An axis as the plan has it. Raises ValueError where it is neither a list nor a range."""
        if isinstance(given, list) and given and all(isinstance(value, Value) for value in given):
            return cls(name, tuple(given))
        try:
            low, high = given["low"], given["high"]
            steps, log = given.get("steps", 5), given.get("log", False)
            unknown = set(given) - {"low", "high", "steps", "log"}
            if unknown or not low < high or (log and low <= 0) or not math.isfinite(low + high):
                raise ValueError
            if not name or type(log) is not bool or type(steps) is not int or steps < 2:
                raise ValueError
            shares = [i / (steps - 1) for i in range(steps)]
        except (TypeError, KeyError, ValueError, ZeroDivisionError):
            expected = "a list of values, or low and high, with log and steps (2 or more) where wanted"
            raise ValueError(f"search, '{name}': expected {expected}, got {given}") from None
        between = [low * (high / low) ** share if log else low + (high - low) * share for share in shares]
        return cls(name, tuple(min(max(rounded(v), low), high) for v in between), low, high, log)

    def distribution(self) -> optuna.distributions.BaseDistribution:
        """What Optuna draws from: numbers of a list by their place, so that neighbours stay neighbours."""
        if self.low is not None:
            return optuna.distributions.FloatDistribution(self.low, self.high, log=self.log)
        if all(isinstance(value, (int, float)) for value in self.values):
            return optuna.distributions.IntDistribution(0, len(self.values) - 1)
        return optuna.distributions.CategoricalDistribution(self.values)

    def value(self, drawn) -> Value:
        """The value that a draw stands for; of a range two digits, which is what is trained."""
        if self.low is not None:
            return min(max(rounded(drawn), self.low), self.high)
        return (
            self.values[drawn]
            if isinstance(self.distribution(), optuna.distributions.IntDistribution)
            else drawn
        )

    def drawn(self, value):
        """The inverse of `value`."""
        is_place = isinstance(self.distribution(), optuna.distributions.IntDistribution)
        return self.values.index(value) if is_place else value


def rounded(number: float) -> float:
    """Two digits: 0.00123 -> 0.0012."""
    return float(f"{number:.2g}")


@dataclass(frozen=True)
class Space:
    """The axes of a search, by name."""

    axes: dict[str, Axis]

    @classmethod
    def read(cls, given: dict) -> "Space":
        """A space as the plan has it."""
        if not isinstance(given, dict) or not given:
            raise ValueError(f"search: expected a space, name -> values, got {given!r}")
        return cls({name: Axis.read(name, values) for name, values in given.items()})

    def distributions(self) -> dict:
        return {name: axis.distribution() for name, axis in self.axes.items()}

    def values(self, drawn: dict) -> dict:
        """Optuna's draws as values, both by name."""
        return {name: axis.value(drawn[name]) for name, axis in self.axes.items()}

    def drawn(self, values: dict) -> dict:
        """The inverse of `values`."""
        return {name: axis.drawn(values[name]) for name, axis in self.axes.items()}

    def grid(self) -> list[dict]:
        """Every combination of the axes' values."""
        names = list(self.axes)
        return [dict(zip(names, c)) for c in itertools.product(*(a.values for a in self.axes.values()))]


def _words(name: str, value: Value, model: str):
    """The words of a text that fills several places, one each; any other value as it is."""
    asked = {int(place) for place in re.findall(rf"{{{re.escape(name)}\[(\d+)\]", model)}
    if not asked:
        return value
    words = str(value).split()
    if asked != set(range(len(words))):
        wanted = max(asked) + 1
        raise ValueError(f"search: '{name}' needs {wanted} words, {{{name}[0]}} and so on, got '{value}'")
    return words


def spec_of(spec: dict, values: dict) -> RunSpec:
    """The `RunSpec` of a choice.

    Args:
        spec: the search's settings, with places in `model`.
        values: name -> value, of every axis.
    Raises:
        ValueError: where the settings have no place for a value, or a value does not fit its setting.
    """
    if not isinstance(spec.get("model"), str):
        raise ValueError(f"search: expected a model, a text, got {spec.get('model')!r}")
    places = {name: value for name, value in values.items() if "." not in name}
    settings = {name: value for name, value in values.items() if "." in name}
    words = {name: _words(name, value, spec.get("model", "")) for name, value in places.items()}
    try:
        model = spec["model"].format_map(words)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ValueError(f"search: model '{spec.get('model')}' and {places} do not fit: {error!r}") from None
    if unused := [name for name in places if f"{{{name}" not in spec["model"]]:
        raise ValueError(f"search: '{unused[0]}' has no place {{{unused[0]}}} in the model '{spec['model']}'")
    try:
        return RunSpec.from_dict(plan.merge(spec | {"model": model}, plan.nested(settings)))
    except (TypeError, KeyError) as error:
        raise ValueError(f"search: {values}: {error}") from None
