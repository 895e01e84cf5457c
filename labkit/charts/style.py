"""Colours, line styles and axes that all charts share; a figure as a file.

Blue, red, green, pink and black are Okabe and Ito's (2008). Their orange, sky and yellow are too pale for
thin lines on white, less than 3:1; purple, brown and plum stand in their place, found by a search for what
the colour-blind tell apart from the others. `tests/test_colours.py` calculates both. Lines differ in style
as well as in colour.
"""

from pathlib import Path

from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from labkit.places import whole_file

BLUE, RED, GREEN, PURPLE, BROWN, PINK, BLACK, PLUM = COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#8749F2", "#7F2600", "#CC79A7", "#000000", "#66334E",
)  # fmt: skip
GREY = "#767676"  # what stays behind the rest
WORDS = "#A84300"  # red for words, which need more contrast than lines: 4.5:1
YELLOW = "#F0E442"  # on a picture, with a black edge
LINES = ("-", "--", "-.", ":")
KINDS = (BLUE, BROWN, GREEN, PINK, PURPLE)  # red is for what was published


def colour_of(i: int) -> str:
    """The colour of the i-th of however many lines; the ninth has the first's again, with another style."""
    return COLOURS[i % len(COLOURS)]


def line_of(i: int) -> str:
    """The style of the i-th line: together with its colour, 32 of them differ."""
    return LINES[(i + i // len(COLOURS)) % len(LINES)]


def ink_on(colour) -> str:
    """Black or white, whichever is read more easily on a colour.

    Args:
        colour: red, green and blue, each 0 to 1; what comes after them is not looked at.
    """
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3])
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "black" if luminance > 0.179 else "white"  # at which both have the same contrast, 4.6:1


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


def band(ax, x, low, high, colour: str, **options) -> None:
    """A band between two lines: pale inside, its edge as dark as the line that it belongs to."""
    ax.fill_between(x, low, high, facecolor=to_rgba(colour, 0.12), edgecolor=colour, linewidth=0.5, **options)


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
