"""Lines over epochs, layers and seconds."""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labkit.charts.style import BLACK, KINDS, RED, axes_of, colour_of, legend_beside, line_of

MOST_LINES = 8  # more faces than colours are strips in place of lines
MOST_COLUMNS = 600


def histories(curves: dict[str, list[list[dict]]], measures: dict[str, str]) -> Figure:
    """One panel a measure: thin lines for the runs, a thick one for their mean.

    The mean ends where the shortest run ends. A run without a measure has no line in its panel.

    Args:
        curves: name -> one history a run; a history is a list of rows, one an epoch.
        measures: key of the rows -> label of the axis.
    """
    figure, axes = axes_of(4.6 * len(measures), 3.2, 1, len(measures))
    for ax, (key, label) in zip(axes[0], measures.items()):
        for i, (name, runs) in enumerate(curves.items()):
            values = [[row[key] for row in run if key in row] for run in runs]
            _runs_and_mean(ax, i, name, [of_run for of_run in values if of_run])
        ax.set(xlabel="epoch", ylabel=label)
        ax.legend(frameon=False, fontsize=8)
    return figure


def _runs_and_mean(ax, i: int, name: str, runs: list[list[float]]) -> None:
    if not runs:
        return
    for values in runs:
        ax.plot(range(1, len(values) + 1), values, color=colour_of(i), linewidth=0.5)
    shortest = min(map(len, runs))
    mean = np.mean([values[:shortest] for values in runs], 0)
    ax.plot(range(1, len(mean) + 1), mean, line_of(i), color=colour_of(i), linewidth=2, label=name)


def small_multiples(
    panels: dict[str, dict[str, list[float]]], ylabel: str, columns: int = 6, top: float | None = None
) -> Figure:
    """One small panel a model, all with the same axes, so that they can be compared.

    Args:
        panels: name -> line -> one value an epoch.
        ylabel: label of the y axis, shared by all panels.
        columns: panels in a row, at most.
        top: where the y axis ends at the latest, so that one epoch of one model does not flatten all others;
            None = at the highest value.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = axes_of(1.9 * columns + 0.8, 1.6 * rows + 0.5, rows, columns, sharex=True, sharey=True)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (name, lines) in zip(axes.flat, panels.items()):
        for i, (label, values) in enumerate(lines.items()):
            mark = "o" if len(values) == 1 else None  # a line of one epoch is no line
            ax.plot(
                range(1, len(values) + 1), values, line_of(i), color=colour_of(i), marker=mark, label=label
            )
        ax.set_title(name, fontsize=8)
        ax.tick_params(labelsize=7)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    if top is not None and axes.flat[0].get_ylim()[1] > top:
        axes.flat[0].set_ylim(top=top)
    axes.flat[0].legend(frameon=False, fontsize=7)
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel(ylabel, fontsize=9)
    return figure


def curves(
    lines: dict[str, list[tuple]],
    published: dict[str, list[tuple]],
    xlabel: str,
    ylabel: str = "test accuracy",
) -> Figure:
    """Figures against a setting on a log axis, beside the published ones as diamonds.

    Args:
        lines: name -> points (x, mean, sd), in any order; sd None = no spread.
        published: name -> points (x, value), in any order.
        xlabel: label of the x axis, the setting.
        ylabel: label of the y axis.
    """
    figure, axes = axes_of(7, 3.6)
    ax = axes[0, 0]
    for i, (name, points) in enumerate(lines.items()):
        x, mean, deviations = zip(*sorted(points))
        spread = [deviation or 0 for deviation in deviations]
        style = {
            "fmt": line_of(i),
            "color": KINDS[i % len(KINDS)],  # red and black are for what was published
            "marker": "o",
            "markersize": 4,
            "capsize": 3,
        }
        ax.errorbar(x, mean, spread, label=name, **style)
    for i, (name, points) in enumerate(published.items()):
        x, value = zip(*sorted(points))
        style = {"color": (RED, BLACK)[i % 2], "markersize": 5, "markerfacecolor": "none"}
        ax.plot(x, value, "D", label=f"published, {name}", **style)
    ax.set_xscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    legend_beside(ax)
    return figure


def layers(values: dict[str, list[float]], ylabel: str) -> Figure:
    """A figure for each layer, on a log axis.

    Args:
        values: network -> one value a layer, from the input on.
        ylabel: label of the y axis.
    """
    figure, axes = axes_of(6, 3.2)
    ax = axes[0, 0]
    for i, (name, of_layer) in enumerate(values.items()):
        style = {"color": colour_of(i), "marker": "o", "markersize": 4}
        ax.plot(range(1, len(of_layer) + 1), of_layer, line_of(i), label=name, **style)
    ax.set_yscale("log")
    ax.set_xticks(range(1, 1 + max(map(len, values.values()))))
    ax.set(xlabel="layer", ylabel=ylabel)
    ax.legend(frameon=False, fontsize=8)
    return figure


def lines(points: dict[str, list[tuple]], xlabel: str, ylabel: str) -> Figure:
    """One line a name, each a little thicker than the one before it.

    Args:
        points: name -> points (x, y) in the order of x.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
    """
    figure, axes = axes_of(8, 3)
    ax = axes[0, 0]
    for i, (name, of_name) in enumerate(points.items()):
        ax.plot(*zip(*of_name), line_of(i), color=colour_of(i), linewidth=1 + 0.5 * i, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    legend_beside(ax)
    return figure


def timeline(rows: list[dict], moments: list[dict], title: str = "") -> Figure:
    """What was said of each face over time, a panel a target: its probability where it has one alone,
    else its labels. Up to eight faces are lines; more are a strip each, its colour the probability or label.

    Args:
        rows: one a face and frame, as `labkit.camera.row` gives them: `seconds`, `face` and, where something
            is said, `<target>` and for labels `<target>_probability`.
        moments: the changes of a label, `seconds, face, target, before, after`, marked by triangles.
        title: of the whole figure.
    """
    keys = dict.fromkeys(key for row in rows for key in row)
    place = ("frame", "seconds", "face", "x", "y", "width", "height")
    targets = [key for key in keys if key not in place and not key.endswith("_probability")]
    targets = targets or ["nothing is said of any face"]
    crowd = len({row["face"] for row in rows})
    height = 2.1 if crowd <= MOST_LINES else min(0.9 + 0.13 * crowd, 6)
    figure, axes = axes_of(9, height * len(targets) + 0.7, len(targets), 1, sharex=True)
    for ax, target in zip(axes[:, 0], targets):
        labels = None
        if f"{target}_probability" in keys:
            labels = sorted({row[target] for row in rows if target in row})
        ax.set_title(target, loc="left", fontsize=9, pad=9)
        if crowd > MOST_LINES:
            _strips(ax, rows, target, labels)
            continue
        _faces_over_time(ax, rows, target, labels)
        for moment in moments:
            if moment["target"] == target:
                _triangle_above(ax, moment["seconds"])
        if labels:
            ax.set_yticks(range(len(labels)), labels)
            ax.set(ylim=(-0.5, len(labels) - 0.5))
        else:
            ax.set(ylim=(-0.03, 1.03), ylabel="probability")
    if crowd <= MOST_LINES:
        legend_beside(axes[0, 0])
    axes[-1, 0].set_xlabel("seconds" + ("" if crowd > MOST_LINES else " (triangles: a label changes)"))
    figure.suptitle(title, fontsize=10)
    return figure


def _faces_over_time(ax, rows: list[dict], target: str, labels: list[str] | None) -> None:
    """A line a face: its probabilities, or steps from label to label, the faces a little apart."""
    for i, face in enumerate(sorted({row["face"] for row in rows})):
        of_face = [row for row in rows if row["face"] == face]
        seconds = [row["seconds"] for row in of_face]
        values, drawstyle = [row.get(target, np.nan) for row in of_face], "default"
        if labels:
            apart, drawstyle = 0.08 * (i % 5 - 2), "steps-post"
            height = {label: place + apart for place, label in enumerate(labels)}
            values = [height.get(value, np.nan) for value in values]
        style = {"color": colour_of(i), "linestyle": line_of(i), "drawstyle": drawstyle}
        ax.plot(seconds, values, label=f"face {face}", **style)


def _strips(ax, rows: list[dict], target: str, labels: list[str] | None) -> None:
    """A strip a face, grey where nothing is said of it."""
    faces = sorted({row["face"] for row in rows})
    times = sorted({row["seconds"] for row in rows})
    length = max(times[-1] - times[0], 1e-9)
    columns = min(len(times), MOST_COLUMNS)
    grid = np.full((len(faces), columns), np.nan)
    for row in rows:
        if target in row:
            x = min(int((row["seconds"] - times[0]) / length * columns), columns - 1)
            grid[faces.index(row["face"]), x] = labels.index(row[target]) if labels else row[target]
    colours = ListedColormap([colour_of(i) for i in range(len(labels))]) if labels else "cividis"
    highest = len(labels) - 0.5 if labels else 1
    ax.set_facecolor("0.9")
    strips = ax.imshow(
        grid,
        cmap=colours,
        vmin=-0.5 if labels else 0,
        vmax=highest,
        extent=(times[0], times[0] + length, len(faces) - 0.5, -0.5),
        aspect="auto",
        interpolation="nearest",
    )
    shown = range(0, len(faces), -(-len(faces) // 15))
    ax.set_yticks(shown, [faces[i] for i in shown])
    ax.set(ylabel="face")
    bar = ax.figure.colorbar(strips, ax=ax, label="" if labels else "probability")
    if labels:
        bar.set_ticks(range(len(labels)), labels=labels)


def _triangle_above(ax, seconds: float) -> None:
    style = {"color": BLACK, "markersize": 4, "clip_on": False}
    ax.plot(seconds, 1.04, "v", transform=ax.get_xaxis_transform(), **style)
