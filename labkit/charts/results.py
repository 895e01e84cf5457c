"""Figures of a table beside the published ones."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labkit.charts.style import BLACK, BLUE, GREY, KINDS, RED, axes_of, colour_of, legend_beside, line_of


def bars(values: dict[str, float], xlabel: str, title: str = "") -> Figure:
    """Horizontal bars, one a name, the figure written at its end."""
    figure, axes = axes_of(6, 0.32 * len(values) + 1)
    ax = axes[0, 0]
    drawn = ax.barh(list(values), list(values.values()), color=BLUE)
    ax.bar_label(drawn, fmt=lambda v: f"{v:,.0f}" if v == int(v) else f"{v:.3f}", padding=3, fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set(xlabel=xlabel, title=title)
    return figure


def reliability(curves: dict[str, tuple[np.ndarray, np.ndarray]], bins: int = 10) -> Figure:
    """How often each of several outputs is right where it is so sure; on the line it is as sure as it should
    be.

    Args:
        curves: name -> (confidence, float (N,), 0..1; whether it was right, bool (N,)).
        bins: equal steps of confidence; a step with fewer than ten images is left out.
    """
    figure, axes = axes_of(6.2, 4)
    ax = axes[0, 0]
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    lowest = 1.0
    for i, (name, (confidence, right)) in enumerate(curves.items()):
        index = np.minimum((confidence * bins).astype(int), bins - 1)
        counts = np.bincount(index, minlength=bins)
        kept = counts >= 10
        x, y = (np.bincount(index, values, bins)[kept] / counts[kept] for values in (confidence, right))
        lowest = min([lowest, *x, *y])
        ax.plot(x, y, line_of(i), color=colour_of(i), marker="osD^v"[i % 5], markersize=4, label=name)
    ax.set(xlim=(lowest - 0.05, 1.01), ylim=(lowest - 0.05, 1.01))
    ax.set(xlabel="confidence", ylabel="share that is right")
    legend_beside(ax)
    return figure


def _deviation(values: list[float]) -> float:
    """The sample standard deviation; 0 for a single value, which has none."""
    return np.std(values, ddof=1) if len(values) > 1 else 0


def runs_beside_published(
    ours: dict[str, list[float]], published: dict[str, float], ylabel: str = "test accuracy", chance=None
) -> Figure:
    """Points of single runs and their mean ± one standard deviation, one column a name, the published
    figures as diamonds.

    Args:
        ours: name -> the figure of each run.
        published: name -> figure; all of them stand in the first column, "the report".
        ylabel: label of the y axis.
        chance: the figure of always saying the larger class, drawn as a dotted line; None = no line.
    """
    figure, axes = axes_of(1.6 * (len(ours) + 1) + 1.6, 3.4)
    ax = axes[0, 0]
    reported = list(published.values())
    ax.scatter(np.zeros(len(reported)), reported, marker="D", color=RED, label="published", zorder=3)
    for i, values in enumerate(ours.values(), 1):
        runs_label, mean_label = ("ours, each run", "ours, mean ± sd") if i == 1 else (None, None)
        x = i + np.linspace(-0.12, 0.12, len(values))
        ax.scatter(x, values, color=GREY, s=16, label=runs_label)
        style = {"fmt": "o", "color": BLUE, "capsize": 4}
        ax.errorbar(i + 0.25, np.mean(values), _deviation(values), label=mean_label, **style)
    if chance is not None:
        ax.axhline(chance, color="0.5", linestyle=":", label="always the larger class")
        ax.set_ylim(bottom=min(chance, ax.get_ylim()[0]) - 0.02)
    ax.set_xticks(range(len(ours) + 1), ["the report", *ours])
    ax.set(ylabel=ylabel, xlim=(-0.5, len(ours) + 0.6))
    legend_beside(ax)
    return figure


def comparison(
    rows: dict[str, dict[str, list[float]]], published: dict[str, float], xlabel: str = "test accuracy"
) -> Figure:
    """One line a row and kind of images: each run as a small point, their mean ± one standard deviation as a
    large one. Points, not bars, since the axis does not begin at 0.

    Args:
        rows: row -> kind -> the figure of each run; a kind may be missing, or without runs.
        published: row -> figure, a diamond; other rows have none.
        xlabel: label of the x axis.
    """
    kinds = list(dict.fromkeys(kind for of_row in rows.values() for kind in of_row))
    figure, axes = axes_of(7, 0.3 * len(rows) * len(kinds) + 1.2)
    ax = axes[0, 0]
    step = 0.7 / len(kinds)
    for k, kind in enumerate(kinds):
        shift = (k - (len(kinds) - 1) / 2) * step
        _kind_of_images(ax, k, kind, [of_row.get(kind) for of_row in rows.values()], shift)
    _diamonds(ax, list(rows), published)
    for i in range(1, len(rows)):
        ax.axhline(i - 0.5, color="0.85", linewidth=0.7)
    _rows_downwards(ax, list(rows), xlabel)
    return figure


def _kind_of_images(ax, k: int, kind: str, rows: list[list[float] | None], shift: float) -> None:
    """The k-th kind's runs in each row, `shift` away from the row's own line."""
    colour, label = KINDS[k % 5], kind
    for i, values in enumerate(rows):
        if not values:  # a row without this kind, or whose runs all failed
            continue
        ax.plot(values, [i + shift] * len(values), ".", color=colour, markersize=3)
        style = {"fmt": "os^vP"[k % 5], "color": colour, "capsize": 3}
        ax.errorbar(np.mean(values), i + shift, xerr=_deviation(values), label=label, **style)
        label = None  # the legend names a kind once


def _diamonds(ax, rows: list[str], published: dict[str, float], **style) -> None:
    places = [i for i, name in enumerate(rows) if name in published]
    if not places:
        return
    values = [published[rows[i]] for i in places]
    style = {"marker": "D", "color": RED, "label": "published"} | style
    ax.plot(values, places, linestyle="none", markerfacecolor="none", **style)


def _rows_downwards(ax, rows: list[str], xlabel: str) -> None:
    """Names of the rows on the y axis, the first at the top, and the legend."""
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    ax.xaxis.set_major_locator(MaxNLocator(5))  # more decimals would run into each other
    legend_beside(ax)


def differences(
    rows: dict[str, tuple], published: dict[str, float], xlabel: str, again: dict[str, float] | None = None
) -> Figure:
    """One line a question: a mean difference with its 95 % interval.

    Args:
        rows: question -> (mean, low, high).
        published: question -> difference, a diamond; other questions have none.
        xlabel: label of the x axis.
        again: question -> the same difference between published rows that were trained again, a square.
    """
    figure, axes = axes_of(7.5, 0.4 * len(rows) + 1.2)
    ax = axes[0, 0]
    for i, values in enumerate(rows.values()):
        _interval(ax, i, values, "o", BLUE, "ours, 95 % interval" if i == 0 else None)
    _diamonds(ax, list(rows), published)
    if again:
        _diamonds(ax, list(rows), again, marker="s", color=BLACK, label="its rows, trained again")
    ax.axvline(0, color="0.5", linewidth=0.8)
    _rows_downwards(ax, list(rows), xlabel)
    return figure


def _interval(ax, row: int, values: tuple, mark: str, colour: str, label: str | None) -> None:
    value, low, high = values
    ax.plot([low, high], [row, row], color=colour, linewidth=2)
    ax.plot(value, row, mark, color=colour, label=label)


def intervals(values: dict[str, tuple], xlabel: str, faint=()) -> Figure:
    """One line a name: a figure with its interval.

    Args:
        values: name -> (figure, low, high).
        xlabel: label of the x axis.
        faint: names that are drawn in grey, since too little stands behind them.
    """
    figure, axes = axes_of(6.5, 0.27 * len(values) + 1.2)
    ax = axes[0, 0]
    labels = {BLUE: "with 95 % interval", GREY: "too rare to judge"}
    for i, (name, of_name) in enumerate(values.items()):
        mark, colour = ("s", GREY) if name in faint else ("o", BLUE)
        _interval(ax, i, of_name, mark, colour, labels.pop(colour, None))
    _rows_downwards(ax, list(values), xlabel)
    return figure


def against_seconds(
    runs: dict[str, list[list[dict]]], key: str, ylabel: str, marks: dict[str, tuple]
) -> Figure:
    """What training reached, against how long it ran: one line a run.

    Args:
        runs: name -> one history a run; a history is a list of rows with `seconds` and `key`.
        key: which value of the rows is drawn.
        ylabel: label of the y axis.
        marks: name -> (seconds, value), a goal: the value to reach by then.
    """
    figure, axes = axes_of(7, 3.6)
    ax = axes[0, 0]
    for i, (name, histories) in enumerate(runs.items()):
        style = {"color": colour_of(i), "marker": "o", "markersize": 3}
        for k, rows in enumerate(histories):
            x, y = zip(*((row["seconds"], row[key]) for row in rows))
            ax.plot(x, y, line_of(i), label=None if k else name, **style)
    for i, (name, (seconds, value)) in enumerate(marks.items()):
        style = {"color": (RED, BLACK)[i % 2], "markersize": 9, "markerfacecolor": "none"}
        ax.plot(seconds, value, "D^"[i % 2], label=name, **style)
    ax.set(xlabel="seconds of training", ylabel=ylabel, xlim=(0, None))
    legend_beside(ax)
    return figure


def trade_off(points: dict[str, tuple], xlabel: str, ylabel: str = "test accuracy") -> Figure:
    """One point a model.

    Args:
        points: name -> (x, y).
        xlabel: label of the x axis.
        ylabel: label of the y axis.
    """
    figure, axes = axes_of(7, 3.6)
    ax = axes[0, 0]
    for i, (name, (x, y)) in enumerate(points.items()):
        ax.plot(x, y, "osD^vP*X"[i % 8], color=colour_of(i), markersize=8, linestyle="none", label=name)
    ax.margins(0.12)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    legend_beside(ax)
    return figure
