"""Sheets of images, filters, and matrices."""

import numpy as np
from matplotlib.figure import Figure

from labkit.charts.style import BLUE, BROWN, LINES, axes_of, band, colour_of, ink_on, legend_beside, line_of

CELL = {"ha": "center", "va": "center", "fontsize": 8}  # a figure that is written into a matrix


def faces(images: np.ndarray, titles=None, columns: int = 8, size: float = 1.2) -> Figure:
    """A sheet of images, each with its title above it.

    Args:
        images: uint8 (N, H, W, C), C = 1 (grey) or 3 (RGB).
        titles: one an image, of any type; None = no titles.
        columns: images in a row.
        size: side of an image, in inches.
    """
    rows = -(-len(images) // columns)
    room_for_title = 0.25 if titles is not None else 0
    figure, axes = axes_of(columns * size, rows * (size + room_for_title), rows, columns)
    for ax in axes.flat:
        ax.axis("off")
    for i, (ax, image) in enumerate(zip(axes.flat, images)):
        ax.imshow(image.squeeze(), cmap="gray" if image.shape[-1] == 1 else None, vmin=0, vmax=255)
        if titles is not None:
            ax.set_title(str(titles[i]), fontsize=8, pad=2)
    return figure


def filters(layers: dict[str, tuple[np.ndarray, np.ndarray]], most: int = 48) -> Figure:
    """One row a layer: its filters before training, after it, and all their norms.

    A filter on three colours is drawn in colour, on one channel in two colours for its signs; on more it is a
    row of the norms that it has on each of them.

    Args:
        layers: name -> (before, after), each float (channels out, channels in, k, k).
        most: at most so many are drawn, in the order of the norm that they have after training.
    """
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
        for values, when, style, colour in zip(norms, ("before", "after"), LINES[1::-1], (BROWN, BLUE)):
            ax.plot(range(1, len(values) + 1), np.sort(values)[::-1], style, color=colour, label=when)
        ax.set(ylabel="norm", ylim=(0, None))
        ax.legend(frameon=False, fontsize=8)
    axes[-1, 2].set_xlabel("filters, the strongest first")
    return figure


def _draw_filters(ax, weights: np.ndarray) -> None:
    n, channels, k, _ = weights.shape
    if channels > 3:
        norms = np.sqrt((weights**2).sum((2, 3)))
        ax.imshow(norms, cmap="viridis", vmin=0, aspect="auto", interpolation="nearest")
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


def confusion(matrix, classes, title: str = "") -> Figure:
    """A confusion matrix: counts written in, colour by the share of each true class.

    Args:
        matrix: int (K, K), row = true class, column = predicted class.
        classes: the K names.
        title: of the figure.
    """
    figure = crosstab(matrix, classes, classes, "true", "predicted", "share of the true class")
    figure.axes[0].set_title(title)
    return figure


def crosstab(counts, rows, columns, ylabel: str, xlabel: str, label: str = "share of the row") -> Figure:
    """How often each row's class goes with each column's: counts written in, colour by the share of the row.

    Args:
        counts: int (R, C).
        rows: the names of the R rows.
        columns: the names of the C columns.
        ylabel: what the rows are.
        xlabel: what the columns are.
        label: of the colour bar.
    """
    counts = np.asarray(counts)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axes = axes_of(0.75 * len(columns) + 2.4, 0.75 * len(rows) + 1.8)
    ax = axes[0, 0]
    image = ax.imshow(share, cmap="cividis", vmin=0, vmax=1)
    for i, j in np.ndindex(counts.shape):
        colour = ink_on(image.to_rgba(share[i, j]))
        ax.text(j, i, f"{counts[i, j]:,}\n{share[i, j]:.0%}", color=colour, **CELL)
    ax.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    figure.colorbar(image, ax=ax, label=label, shrink=0.8)
    return figure


def associations(values: np.ndarray, names: list[str], label: str) -> Figure:
    """How closely each two of several things go together, 0 to 1, written into a table coloured by it.

    Args:
        values: float (N, N), symmetrical; only what lies below the diagonal is drawn.
        names: of the N things.
        label: of the colour bar.
    """
    figure, axes = axes_of(0.7 * len(names) + 2.4, 0.55 * len(names) + 1.4)
    ax = axes[0, 0]
    shown = np.where(np.tri(len(names), k=-1) > 0, values, np.nan)[1:, :-1]
    image = ax.imshow(shown, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for i, j in np.argwhere(~np.isnan(shown)):
        ax.text(j, i, f"{shown[i, j]:.2f}", color=ink_on(image.to_rgba(shown[i, j])), **CELL)
    ax.set_xticks(range(len(names) - 1), names[:-1], rotation=30, ha="right")
    ax.set_yticks(range(len(names) - 1), names[1:])
    figure.colorbar(image, ax=ax, label=label, shrink=0.9)
    return figure


def similarities(values: dict[str, np.ndarray], steps: list[str], xlabel: str) -> Figure:
    """Rank correlation at each step, the mean over the images as a line, their standard deviation as a band.

    Args:
        values: method -> float (images, steps), each -1..1.
        steps: the names of the steps.
        xlabel: label of the x axis.
    """
    figure, axes = axes_of(7, 3.4)
    ax, x = axes[0, 0], range(len(steps))
    for i, (name, of_images) in enumerate(values.items()):
        mean, spread = of_images.mean(0), of_images.std(0, ddof=1)
        style = {"color": colour_of(i), "marker": "osD^"[i % 4], "markersize": 4}
        ax.plot(x, mean, line_of(i), label=name, **style)
        band(ax, x, mean - spread, mean + spread, colour_of(i))
    ax.axhline(0, color="0.5", linewidth=0.8)
    ax.set_xticks(x, steps)
    ax.set(xlabel=xlabel, ylabel="rank correlation with\nthe trained network's map", ylim=(-0.4, 1.05))
    legend_beside(ax)
    return figure


def changes(values: np.ndarray, rows: list[str], columns: list[str], xlabel: str, label: str) -> Figure:
    """Differences written into a table that is coloured by them: orange above 0, purple below.

    Args:
        values: float (rows, columns).
        rows: the names of the rows.
        columns: the names of the columns.
        xlabel: label of the x axis.
        label: of the colour bar.
    """
    figure, axes = axes_of(0.85 * len(columns) + 2.6, 0.42 * len(rows) + 1.6)
    ax, largest = axes[0, 0], max(float(np.abs(values).max()), 1e-9)
    image = ax.imshow(values, cmap="PuOr_r", vmin=-largest, vmax=largest, aspect="auto")
    for i, j in np.ndindex(values.shape):
        colour = ink_on(image.to_rgba(values[i, j]))
        ax.text(j, i, f"{values[i, j]:+.2f}".replace("-", "−"), color=colour, **CELL)
    ax.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=xlabel)
    figure.colorbar(image, ax=ax, label=label, shrink=0.9)
    return figure
