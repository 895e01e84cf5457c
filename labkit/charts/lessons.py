"""Drawings that explain one idea: a kernel that moves over a picture, a graph with its gradients."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from labkit.charts.style import BLUE, RED, WORDS, axes_of


def moving_kernel(image: np.ndarray, kernel: np.ndarray, shares=(0.0, 0.35, 0.7, 1.0)) -> Figure:
    """A kernel at several places of a picture, and below each place the map as far as it is filled by then.

    Args:
        image: float (H, W), 0 to 1; it gets a margin of zeros of half a kernel.
        kernel: float (k, k), k odd, 3 or more; its numbers are written into the square that moves.
        shares: of the way from the upper left to the lower right place, each 0 to 1.
    """
    k, (height, width) = len(kernel), image.shape
    padded = np.pad(image, k // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k))
    full = (windows * kernel).sum((2, 3))
    inside = full[k // 2 : -(k // 2), k // 2 : -(k // 2)]  # the edge of the zeros would outshine the rest
    largest = max(float(np.abs(inside).max()), 1e-9)
    figure, axes = axes_of(2.5 * len(shares), 5.3, 2, len(shares))
    for share, above, below in zip(shares, *axes):
        last = round(share * (height * width - 1))
        y, x = divmod(last, width)
        above.imshow(padded, cmap="gray", vmin=0, vmax=1)
        _draw_kernel(above, kernel, x, y)
        shown = np.where(np.arange(full.size).reshape(full.shape) <= last, full, np.nan)
        below.imshow(shown, cmap="PuOr_r", vmin=-largest, vmax=largest)
        below.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=RED, linewidth=2))
        below.set_title(f"{full[y, x]:+.2f} in row {y + 1}, column {x + 1}".replace("-", "−"), fontsize=9)
        for ax in (above, below):
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(True)
    axes[0, 0].set_ylabel("picture with zeros around it")
    axes[1, 0].set_ylabel("map")
    return figure


def _draw_kernel(ax, kernel: np.ndarray, x: int, y: int) -> None:
    """The square that the kernel covers when its upper left corner lies at (x, y), and its numbers."""
    k = len(kernel)
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), k, k, facecolor="white", alpha=0.9))
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), k, k, fill=False, edgecolor=RED, linewidth=2))
    for (i, j), value in np.ndenumerate(kernel):
        text = f"{value:g}"  # a minus sign would run into the number before it
        ax.text(x + j, y + i, text, color=WORDS, ha="center", va="center", fontsize=7, clip_on=True)


def graph(nodes: dict[str, tuple], arrows: list[tuple[str, str, str]]) -> Figure:
    """A calculation as a graph: a number in each node, its gradient below it, on each arrow what the gradient
    is multiplied by on its way back.

    Args:
        nodes: name -> (x, y, value, gradient); x counts the steps of the calculation.
        arrows: (from, to, factor), the names of two nodes and a text.
    """
    figure, axes = axes_of(9, 3.4)
    ax = axes[0, 0]
    for start, end, factor in arrows:
        (x0, y0, *_), (x1, y1, *_) = nodes[start], nodes[end]
        style = {"arrowstyle": "-|>", "color": "0.5", "shrinkA": 34, "shrinkB": 34}
        ax.annotate("", (x1, y1), (x0, y0), arrowprops=style)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        on_it = {"ha": "center", "va": "center", "fontsize": 9, "color": WORDS, "bbox": box}
        ax.text((x0 + x1) / 2, (y0 + y1) / 2, f"← · {factor}", **on_it)
    for name, (x, y, value, gradient) in nodes.items():
        ax.scatter(x, y, s=3200, facecolor="white", edgecolor="0.3", zorder=2)
        middle = {"ha": "center", "va": "center", "zorder": 3}
        ax.text(x, y + 0.12, f"{name} = {value:g}".replace("-", "−"), color=BLUE, fontsize=10, **middle)
        ax.text(
            x, y - 0.14, f"∂L/∂{name} = {gradient:g}".replace("-", "−"), color=WORDS, fontsize=8, **middle
        )
    xs, ys = [node[0] for node in nodes.values()], [node[1] for node in nodes.values()]
    ax.set(xlim=(min(xs) - 0.5, max(xs) + 0.5), ylim=(min(ys) - 0.6, max(ys) + 0.6))
    ax.axis("off")
    return figure
