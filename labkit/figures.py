"""Figures: each function takes plain values and returns a Matplotlib `Figure`; none of them shows it.

Colours are those of Okabe and Ito (2008), told apart by the colour-blind; lines differ in style as well as in colour.
"""

import uuid
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000",
)  # fmt: skip
COLOURS = (BLUE, RED, GREEN, ORANGE, SKY, PINK, BLACK, YELLOW)
LINES = ("-", "--", "-.", ":")
KINDS = (BLUE, ORANGE, GREEN, PINK, SKY)  # red is for what was published


def _colour(i: int) -> str:
    """The colour of the i-th of however many lines; the ninth has the first's again, with another style."""
    return COLOURS[i % len(COLOURS)]


def _style(i: int) -> str:
    """The style of the i-th line: together with its colour, 32 of them differ."""
    return LINES[(i + i // len(COLOURS)) % len(LINES)]


def _axes(width: float, height: float, rows: int = 1, columns: int = 1, **options):
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Figure, folder: str | Path, name: str) -> Path:
    """Write `<folder>/figures/<name>.png`, where the report's page finds it; returns the path."""
    folder = Path(folder) / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    return write(figure, folder / f"{name}.png")


def write(figure: Figure, path: Path) -> Path:
    """Write a PNG file, to a temporary name first; returns the path."""
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.tmp")  # two notebooks may draw the same figure at once
    figure.savefig(temporary, format="png", dpi=150)
    temporary.replace(path)
    return path


def faces(images: np.ndarray, titles=None, columns: int = 8, size: float = 1.2) -> Figure:
    """A sheet of images, uint8 (N, H, W, C), each with its title above it."""
    rows = -(-len(images) // columns)
    figure, axes = _axes(columns * size, rows * (size + (0.25 if titles is not None else 0)), rows, columns)
    for ax in axes.flat:
        ax.axis("off")
    for i, (ax, image) in enumerate(zip(axes.flat, images)):
        ax.imshow(image.squeeze(), cmap="gray" if image.shape[-1] == 1 else None, vmin=0, vmax=255)
        if titles is not None:
            ax.set_title(str(titles[i]), fontsize=8, pad=2)
    return figure


def bars(values: dict[str, float], xlabel: str, title: str = "") -> Figure:
    """Horizontal bars, one a name, the figure written at its end."""
    figure, axes = _axes(6, 0.32 * len(values) + 1)
    ax = axes[0, 0]
    drawn = ax.barh(list(values), list(values.values()), color=BLUE)
    ax.bar_label(drawn, fmt=lambda v: f"{v:,.0f}" if v == int(v) else f"{v:.3f}", padding=3, fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set(xlabel=xlabel, title=title)
    return figure


def histories(curves: dict[str, list[list[dict]]], measures: dict[str, str]) -> Figure:
    """One panel a measure: thin lines for the runs, a thick one for their mean.

    curves: name -> one history (a list of rows with `epoch`) a run; measures: key of the rows -> label of the axis."""
    figure, axes = _axes(4.6 * len(measures), 3.2, 1, len(measures))
    for ax, (key, label) in zip(axes[0], measures.items()):
        for i, (name, runs) in enumerate(curves.items()):
            lines = [[row[key] for row in run if key in row] for run in runs]
            lines = [line for line in lines if line]
            for line in lines:
                ax.plot(range(1, len(line) + 1), line, color=_colour(i), linewidth=0.7, alpha=0.45)
            if lines:
                mean = np.mean([line[: min(map(len, lines))] for line in lines], 0)
                ax.plot(range(1, len(mean) + 1), mean, _style(i), color=_colour(i), linewidth=2, label=name)
        ax.set(xlabel="epoch", ylabel=label)
        ax.legend(frameon=False, fontsize=8)
    return figure


def small_multiples(panels: dict[str, dict[str, list[float]]], ylabel: str, columns: int = 6) -> Figure:
    """One small panel a model, all with the same axes, so that they can be compared. panels: name -> line -> one value an epoch."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = _axes(1.9 * columns + 0.8, 1.6 * rows + 0.5, rows, columns, sharex=True, sharey=True)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (name, lines) in zip(axes.flat, panels.items()):
        for i, (label, values) in enumerate(lines.items()):
            ax.plot(range(1, len(values) + 1), values, _style(i), color=_colour(i), label=label)
        ax.set_title(name, fontsize=8)
        ax.tick_params(labelsize=7)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.flat[0].legend(frameon=False, fontsize=7)
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel(ylabel, fontsize=9)
    return figure


def runs_beside_published(ours: dict[str, list[float]], published: dict[str, float], ylabel: str = "test accuracy", chance=None) -> Figure:
    """Points of single runs and their mean ± one standard deviation, one column a name, the published figures as diamonds."""
    figure, axes = _axes(1.6 * (len(ours) + 1) + 1.6, 3.4)
    ax = axes[0, 0]
    ax.scatter(np.zeros(len(published)), list(published.values()), marker="D", color=RED, label="published", zorder=3)
    for i, values in enumerate(ours.values(), 1):
        spread = np.std(values, ddof=1) if len(values) > 1 else 0
        ax.scatter(i + np.linspace(-0.12, 0.12, len(values)), values, color=SKY, s=22, label="ours, each run" if i == 1 else None)
        label = "ours, mean ± sd" if i == 1 else None
        ax.errorbar(i + 0.25, np.mean(values), spread, fmt="o", color=BLUE, capsize=4, label=label)
    if chance is not None:
        ax.axhline(chance, color="0.5", linestyle=":", label="always the larger class")
        ax.set_ylim(bottom=min(chance, ax.get_ylim()[0]) - 0.02)
    ax.set_xticks(range(len(ours) + 1), ["the report", *ours])
    ax.set(ylabel=ylabel, xlim=(-0.5, len(ours) + 0.6))
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def confusion(matrix, classes, title: str = "") -> Figure:
    """A confusion matrix: counts written in, colour by the share of each true class."""
    matrix = np.asarray(matrix)
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = 0.75 * len(classes) + 1.8
    figure, axes = _axes(side + 0.6, side)
    ax = axes[0, 0]
    image = ax.imshow(share, cmap="cividis", vmin=0, vmax=1)
    for i, j in np.ndindex(matrix.shape):
        ax.text(
            j,
            i,
            f"{matrix[i, j]:,}\n{share[i, j]:.0%}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if share[i, j] < 0.5 else "black",
        )
    ax.set_xticks(range(len(classes)), classes, rotation=30, ha="right")
    ax.set_yticks(range(len(classes)), classes)
    ax.set(xlabel="predicted", ylabel="true", title=title)
    figure.colorbar(image, ax=ax, label="share of the true class", shrink=0.8)
    return figure


def curves(lines: dict[str, list[tuple]], published: dict[str, list[tuple]], xlabel: str, ylabel: str = "test accuracy") -> Figure:
    """Figures against a setting on a log axis. lines: name -> (x, mean, sd or None) points; published: name -> (x, value)."""
    figure, axes = _axes(7, 3.6)
    ax = axes[0, 0]
    for i, (name, points) in enumerate(lines.items()):
        x, mean, spread = zip(*sorted(points))
        ax.errorbar(x, mean, [s or 0 for s in spread], fmt=_style(i), marker="o", markersize=4, color=_colour(i), capsize=3, label=name)
    for i, (name, points) in enumerate(published.items()):
        x, value = zip(*sorted(points))
        ax.plot(x, value, "D", markersize=5, markerfacecolor="none", color=(RED, BLACK)[i % 2], label=f"published, {name}")
    ax.set_xscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def comparison(rows: dict[str, dict[str, list[float]]], published: dict[str, float], xlabel: str = "test accuracy") -> Figure:
    """One line a row and kind of images: each run as a small point, their mean ± one standard deviation as a large one. Points,
    not bars, since the axis does not begin at 0.

    rows: row -> kind -> the figure of each run; published: row -> figure, a diamond."""
    kinds = list(dict.fromkeys(kind for of_row in rows.values() for kind in of_row))
    figure, axes = _axes(7, 0.3 * len(rows) * len(kinds) + 1.2)
    ax = axes[0, 0]
    step = 0.7 / len(kinds)
    for k, kind in enumerate(kinds):
        shift, label = (k - (len(kinds) - 1) / 2) * step, kind
        for i, values in enumerate(of_row.get(kind) for of_row in rows.values()):
            if not values:  # a row without this kind, or whose runs all failed
                continue
            spread = np.std(values, ddof=1) if len(values) > 1 else 0
            ax.plot(values, [i + shift] * len(values), ".", color=KINDS[k % 5], alpha=0.5)
            ax.errorbar(np.mean(values), i + shift, xerr=spread, fmt="os^vP"[k % 5], color=KINDS[k % 5], capsize=3, label=label)
            label = None
    shown = [i for i, name in enumerate(rows) if name in published]
    ax.plot([published[name] for name in rows if name in published], shown, "D", markerfacecolor="none", color=RED, label="published")
    for i in range(1, len(rows)):
        ax.axhline(i - 0.5, color="0.85", linewidth=0.7)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def differences(rows: dict[str, tuple], published: dict[str, float], xlabel: str) -> Figure:
    """One line a question: a mean difference with its interval. rows: question -> (mean, low, high); published: question -> figure."""
    figure, axes = _axes(7.5, 0.4 * len(rows) + 1.2)
    ax = axes[0, 0]
    for i, (mean, low, high) in enumerate(rows.values()):
        ax.plot([low, high], [i, i], color=BLUE, linewidth=2)
        ax.plot(mean, i, "o", color=BLUE, label="ours, 95 % interval" if i == 0 else None)
    shown = [i for i, name in enumerate(rows) if name in published]
    ax.plot([published[name] for name in rows if name in published], shown, "D", markerfacecolor="none", color=RED, label="published")
    ax.axvline(0, color="0.5", linewidth=0.8)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def against_seconds(runs: dict[str, list[list[dict]]], key: str, ylabel: str, marks: dict[str, tuple]) -> Figure:
    """What training reached, against how long it ran: one line a run. runs: name -> histories (rows with `seconds` and `key`);
    marks: name -> (seconds, value), a goal: the value to reach by then."""
    figure, axes = _axes(7, 3.6)
    ax = axes[0, 0]
    for i, (name, histories) in enumerate(runs.items()):
        for k, rows in enumerate(histories):
            x, y = zip(*((row["seconds"], row[key]) for row in rows))
            ax.plot(x, y, _style(i), marker="o", markersize=3, color=_colour(i), label=None if k else name)
    for i, (name, (seconds, value)) in enumerate(marks.items()):
        ax.plot(seconds, value, "D^"[i % 2], markersize=9, markerfacecolor="none", color=(RED, BLACK)[i % 2], label=name)
    ax.set(xlabel="seconds of training", ylabel=ylabel, xlim=(0, None))
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def trade_off(points: dict[str, tuple], xlabel: str, ylabel: str = "test accuracy") -> Figure:
    """One point a model. points: name -> (x, y)."""
    figure, axes = _axes(7, 3.6)
    ax = axes[0, 0]
    for i, (name, (x, y)) in enumerate(points.items()):
        ax.plot(x, y, "osD^vP*X"[i % 8], color=_colour(i), markersize=8, linestyle="none", label=name)
    ax.margins(0.12)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def layers(values: dict[str, list[float]], ylabel: str) -> Figure:
    """A figure for each layer, on a log axis. values: network -> one value a layer, from the input on."""
    figure, axes = _axes(6, 3.2)
    ax = axes[0, 0]
    for i, (name, of_layer) in enumerate(values.items()):
        ax.plot(range(1, len(of_layer) + 1), of_layer, _style(i), marker="o", markersize=4, color=_colour(i), label=name)
    ax.set_yscale("log")
    ax.set_xticks(range(1, 1 + max(map(len, values.values()))))
    ax.set(xlabel="layer", ylabel=ylabel)
    ax.legend(frameon=False, fontsize=8)
    return figure


def filters(layers: dict[str, tuple[np.ndarray, np.ndarray]], most: int = 48) -> Figure:
    """One row a layer: its filters before training, after it, and all their norms. layers: name -> (before, after), each float
    (channels out, channels in, k, k); drawn are at most `most`, in the order of the norm that they have after training. A filter
    on three colours is drawn in colour, on one channel in two colours for its signs; on more it is a row of the norms that it
    has on each of them."""
    figure = Figure(figsize=(9, 2.1 * len(layers) + 0.4), layout="constrained", dpi=110)
    axes = figure.subplots(len(layers), 3, squeeze=False, width_ratios=(1.3, 1.3, 1))
    for (name, pair), row in zip(layers.items(), axes):
        norms = [np.sqrt((weights**2).sum((1, 2, 3))) for weights in pair]
        order = np.argsort(-norms[1], kind="stable")[:most]
        for ax, weights, when in zip(row, pair, ("before training", "after training")):
            ax.set_title(f"{name}, {when}", fontsize=9)
            _draw_filters(ax, weights[order])
        ax = row[2]
        ax.spines[["top", "right"]].set_visible(False)
        for values, when, style, colour in zip(norms, ("before", "after"), LINES[1::-1], (SKY, BLUE)):
            ax.plot(range(1, len(values) + 1), np.sort(values)[::-1], style, color=colour, label=when)
        ax.set(ylabel="norm", ylim=(0, None))
        ax.legend(frameon=False, fontsize=8)
    axes[-1, 2].set_xlabel("filters, the strongest first")
    return figure


def _draw_filters(ax, weights: np.ndarray) -> None:
    n, channels, k, _ = weights.shape
    if channels > 3:
        ax.imshow(np.sqrt((weights**2).sum((2, 3))), cmap="viridis", vmin=0, aspect="auto", interpolation="nearest")
        ax.set(xlabel="channel before it", ylabel=f"strongest {n}")
        return
    columns = int(np.ceil(np.sqrt(n * 1.6)))
    sheet = np.full((-(-n // columns) * (k + 1), columns * (k + 1), channels), np.nan, np.float32)
    for i, kernel in enumerate(weights):
        y, x = i // columns * (k + 1), i % columns * (k + 1)
        sheet[y : y + k, x : x + k] = kernel.transpose(1, 2, 0)
    largest = np.abs(weights).max()
    if channels == 3:
        ax.imshow(np.nan_to_num(0.5 + 0.5 * sheet / largest, nan=1.0))
    else:
        ax.imshow(sheet[..., 0], cmap="PuOr_r", vmin=-largest, vmax=largest)
    ax.axis("off")


def similarities(values: dict[str, np.ndarray], steps: list[str], xlabel: str) -> Figure:
    """Rank correlation at each step, the mean over the images as a line, their standard deviation as a band. values: method -> (images,
    steps), -1..1."""
    figure, axes = _axes(7, 3.4)
    ax = axes[0, 0]
    for i, (name, of_images) in enumerate(values.items()):
        mean, spread = of_images.mean(0), of_images.std(0, ddof=1)
        ax.plot(range(len(steps)), mean, _style(i), marker="osD^"[i % 4], markersize=4, color=_colour(i), label=name)
        ax.fill_between(range(len(steps)), mean - spread, mean + spread, color=_colour(i), alpha=0.12, linewidth=0)
    ax.axhline(0, color="0.5", linewidth=0.8)
    ax.set_xticks(range(len(steps)), steps)
    ax.set(xlabel=xlabel, ylabel="rank correlation with\nthe trained network's map", ylim=(-0.4, 1.05))
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def changes(values: np.ndarray, rows: list[str], columns: list[str], xlabel: str, label: str) -> Figure:
    """Differences (rows, columns) written into a table that is coloured by them: orange above 0, purple below."""
    figure, axes = _axes(0.85 * len(columns) + 2.6, 0.42 * len(rows) + 1.6)
    ax, largest = axes[0, 0], max(float(np.abs(values).max()), 1e-9)
    image = ax.imshow(values, cmap="PuOr_r", vmin=-largest, vmax=largest, aspect="auto")
    for i, j in np.ndindex(values.shape):
        colour = "white" if abs(values[i, j]) > 0.7 * largest else "black"
        ax.text(j, i, f"{values[i, j]:+.2f}".replace("-", "−"), ha="center", va="center", fontsize=8, color=colour)
    ax.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=xlabel)
    figure.colorbar(image, ax=ax, label=label, shrink=0.9)
    return figure


def timeline(rows: list[dict], moments: list[dict], title: str = "") -> Figure:
    """What was said of each face over time, a panel a target: its probability where it has one alone, else its labels.

    rows: `seconds`, `face` and, where something is said, `<target>` and for labels `<target>_probability`; moments: `seconds, face,
    target, before, after`, marked by triangles: a label changed."""
    keys = dict.fromkeys(key for row in rows for key in row)
    place = ("frame", "seconds", "face", "x", "y", "width", "height")
    targets = [key for key in keys if key not in place and not key.endswith("_probability")] or ["nothing is said of any face"]
    figure, axes = _axes(9, 2.1 * len(targets) + 0.7, len(targets), 1, sharex=True)
    for ax, target in zip(axes[:, 0], targets):
        labels = sorted({row[target] for row in rows if target in row}) if f"{target}_probability" in keys else None
        for i, face in enumerate(sorted({row["face"] for row in rows})):
            of_face = [row for row in rows if row["face"] == face]
            values = [row.get(target, np.nan) for row in of_face]
            if labels:
                values = [labels.index(value) + 0.08 * (i % 5 - 2) if value == value else np.nan for value in values]
            style = {"color": _colour(i), "linestyle": _style(i), "label": f"face {face}"}
            ax.plot([row["seconds"] for row in of_face], values, drawstyle="steps-post" if labels else "default", **style)
        for moment in (m for m in moments if m["target"] == target):
            ax.plot(moment["seconds"], 1.04, "v", color=BLACK, markersize=4, transform=ax.get_xaxis_transform(), clip_on=False)
        if labels:
            ax.set_yticks(range(len(labels)), labels)
            ax.set(ylim=(-0.5, len(labels) - 0.5))
        else:
            ax.set(ylim=(-0.03, 1.03), ylabel="probability")
        ax.set_title(target, loc="left", fontsize=9, pad=9)
    axes[0, 0].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    axes[-1, 0].set_xlabel("seconds (triangles: a label changes)")
    figure.suptitle(title, fontsize=10)
    return figure


def lines(points: dict[str, list[tuple]], xlabel: str, ylabel: str) -> Figure:
    """One line a name, thin where another is thicker. points: name -> (x, y) in the order of x."""
    figure, axes = _axes(8, 3)
    ax = axes[0, 0]
    for i, (name, of_name) in enumerate(points.items()):
        ax.plot(*zip(*of_name), _style(i), color=_colour(i), linewidth=1 + 0.5 * i, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
