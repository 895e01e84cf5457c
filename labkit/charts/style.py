"""Colours, line styles and axes that all charts share; a figure as a file.

Colours are those of Okabe and Ito (2008), told apart by the colour-blind; lines differ in style as well
as in colour.
"""

from pathlib import Path

from matplotlib.figure import Figure

from labkit.places import whole_file

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000",
)  # fmt: skip
COLOURS = (BLUE, RED, GREEN, ORANGE, SKY, PINK, BLACK, YELLOW)
LINES = ("-", "--", "-.", ":")
KINDS = (BLUE, ORANGE, GREEN, PINK, SKY)  # red is for what was published


def colour_of(i: int) -> str:
    """The colour of the i-th of however many lines; the ninth has the first's again, with another style."""
    return COLOURS[i % len(COLOURS)]


def line_of(i: int) -> str:
    """The style of the i-th line: together with its colour, 32 of them differ."""
    return LINES[(i + i // len(COLOURS)) % len(LINES)]


def axes_of(width: float, height: float, rows: int = 1, columns: int = 1, **options):
    """A new figure and its axes, without the upper and the right edge.

    Args:
        width: of the figure, in inches.
        height: of the figure, in inches.
        rows: of axes.
        columns: of axes.
        options: what else `Figure.subplots` takes, such as `sharex`.

    Returns:
        (figure, axes), the axes an array (rows, columns) even where there is only one.
    """
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def legend_beside(ax) -> None:
    """The legend to the right of the axes, where it covers no line."""
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def save(figure: Figure, folder: str | Path, name: str) -> Path:
    """Write `<folder>/figures/<name>.png`, where the report's page finds it; returns the path."""
    return write(figure, Path(folder) / "figures" / f"{name}.png")


def check_target(path: Path) -> None:
    """Raise ValueError for a picture's name that does not end with .png, and for a file that is there and
    that `write` did not make."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: expected a name that ends with .png")
    if path.exists() and (not path.is_file() or b"labkit" not in path.read_bytes()[:1000]):
        raise ValueError(f"{path}: is there and is no picture of labkit; give another name")


def write(figure: Figure, path: Path) -> Path:
    """Write a PNG file, to a temporary name first; returns the path."""
    # Two notebooks may draw the same figure at once.
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": "labkit"})
    return path
