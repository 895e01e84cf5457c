"""Searches: how fast methods find something good, which values good trials have, what gradients do
meanwhile."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from labkit.charts.style import BLACK, BLUE, GREY, RED, axes_of, band, colour_of, legend_beside, line_of

# A number that lines run through stands on this.
BEHIND = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}


def best_so_far(curves: dict[str, np.ndarray], ylabel: str, goal: tuple[str, float] | None = None) -> Figure:
    """The best score after each number of trials: a line for the median over seeds, a band from the 10th to
    the 90th percentile.

    Args:
        curves: method -> float (seeds, trials), each row the best so far.
        ylabel: label of the y axis.
        goal: name and height of a dotted line; None = none.
    """
    figure, axes = axes_of(7.5, 3.6)
    ax = axes[0, 0]
    for i, (name, values) in enumerate(curves.items()):
        trials = np.arange(1, values.shape[1] + 1)
        low, middle, high = np.percentile(values, [10, 50, 90], axis=0)
        band(ax, trials, low, high, colour_of(i), step="post")
        style = {"color": colour_of(i), "linestyle": line_of(i), "linewidth": 2}
        ax.step(trials, middle, where="post", label=f"{name}, {len(values)} seeds", **style)
    if goal:
        ax.axhline(goal[1], color="0.4", linestyle=":", label=goal[0])
    ax.set(xlabel="trials", ylabel=f"{ylabel}, best so far")
    legend_beside(ax)
    return figure


def nearest(value, values: list):
    """The one of an axis's values that is meant: itself, or of numbers the nearest."""
    return value if value in values else min(values, key=lambda other: abs(other - value))


def parallel_coordinates(
    trials: list[dict], axes_values: dict[str, list], scores: list[float], label: str, chosen=None
) -> Figure:
    """One line a trial, from axis to axis through its values, its colour the score; the best one is thick.

    Args:
        trials: name -> value, one dict a trial; a number that was drawn from a range stands at the nearest of
            the axis's.
        axes_values: name -> all values of the axis, in order from below.
        scores: of the trials.
        label: what the score is.
        chosen: which trials are coloured, a bool each; the others are grey. None = all.
    """
    figure, axes = axes_of(1.9 * (len(axes_values) + 1) + 1.2, 4)
    ax = axes[0, 0]
    names, scores = list(axes_values), np.asarray(scores, float)
    chosen = np.ones(len(trials), bool) if chosen is None else np.asarray(chosen, bool)
    lowest, highest = np.nanmin(scores), np.nanmax(scores)
    norm = Normalize(lowest, highest if highest > lowest else lowest + 1)
    height = {
        name: {value: i / max(1, len(values) - 1) for i, value in enumerate(values)}
        for name, values in axes_values.items()
    }
    jitter = np.random.default_rng(0).uniform(-0.018, 0.018, (len(trials), len(names)))
    place = [[height[n][nearest(trial[n], axes_values[n])] for n in names] for trial in trials]
    points = np.array(place) + jitter
    points = np.column_stack([points, norm(scores)])
    colours = colormaps["viridis"]  # up to its middle green: a line in its yellow is hardly seen on white
    for i in sorted(range(len(trials)), key=lambda i: (chosen[i], scores[i])):
        style = {"color": colours(0.6 * norm(scores[i])), "linewidth": 1}
        if not chosen[i]:
            style = {"color": "0.85", "alpha": 0.5, "linewidth": 0.7}
        ax.plot(range(len(names) + 1), points[i], **style)
    if chosen.any():
        best = int(np.nanargmax(np.where(chosen, scores, -np.inf)))
        ax.plot(range(len(names) + 1), points[best], color=RED, linewidth=3, label="the best of those chosen")
        ax.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.06))
    for x, name in enumerate(names):
        ax.axvline(x, color=BLACK, linewidth=0.8)
        for value, y in height[name].items():
            ax.text(x - 0.04, y, str(value), ha="right", va="center", fontsize=7, bbox=BEHIND, zorder=5)
    ax.axvline(len(names), color=BLACK, linewidth=0.8)
    for share in (0, 0.5, 1):
        value = norm.vmin + share * (norm.vmax - norm.vmin)
        ax.text(len(names) + 0.04, share, f"{value:.3f}", va="center", fontsize=7)
    ax.set_xticks(
        range(len(names) + 1), [name.rpartition(".")[2].replace("_", " ") for name in [*names, label]]
    )
    ax.set(yticks=[], ylim=(-0.06, 1.06), xlim=(-0.9, len(names) + 0.4))
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    return figure


def front(costs, scores, best: list[int], xlabel: str, ylabel: str) -> Figure:
    """Every trial as a point, score against cost, and a line through those that no other beats in both.

    Args:
        costs, scores: one of each a trial.
        best: the trials on the front, cheaper first.
        xlabel, ylabel: labels of the axes.
    """
    figure, axes = axes_of(7, 3.6)
    ax = axes[0, 0]
    ax.plot(costs, scores, "o", color=GREY, markersize=3, label="trials")
    x, y = [costs[i] for i in best], [scores[i] for i in best]
    ax.step(x, y, where="post", color=BLUE, marker="o", markersize=5, label="no trial is cheaper and better")
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, None))
    legend_beside(ax)
    return figure


def histograms_over_time(
    panels: dict[str, np.ndarray], low: float, high: float, ylabel: str, columns=4
) -> Figure:
    """One panel a layer: at each step how many values lie where, dark to bright.

    Args:
        panels: layer -> shares, float (steps, bins), each row adding up to at most 1.
        low, high: of the bins, powers of ten.
        ylabel: label of the y axes.
        columns: panels in a row, at most.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = axes_of(2.3 * columns + 1.2, 2.1 * rows + 0.6, rows, columns, sharex=True, sharey=True)
    highest = max(float(values.max()) for values in panels.values())
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (name, values) in zip(axes.flat, panels.items()):
        extent = (0, len(values), low, high)
        style = {"cmap": "magma", "vmin": 0, "vmax": highest, "aspect": "auto", "origin": "lower"}
        drawn = ax.imshow(values.T, extent=extent, interpolation="nearest", **style)
        ax.set_title(name, fontsize=8)
        ax.yaxis.set_major_formatter(lambda power, _: f"$10^{{{power:.0f}}}$")
    figure.supxlabel("step", fontsize=9)
    figure.supylabel(ylabel, fontsize=9)
    figure.colorbar(drawn, ax=axes, label="share of the weights")
    return figure
