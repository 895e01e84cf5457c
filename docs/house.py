"""Draw which room of labkit imports which: `python docs/house.py` writes docs/house.png.

A room stands one floor above the highest that it imports, so that every arrow runs down. A folder is drawn
with the room that is its door. What may import what, `tests/test_structure.py` says.
"""

import sys
from collections import Counter, defaultdict
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from test_structure import ALLOWED, HOUSES, imports_of, modules  # noqa: E402

GROUPS = {
    "faces and data": (
        "labels",
        "places",
        "faces",
        "synthetic",
        "detect",
        "datasets",
        "splits",
        "annotate",
    ),
    "the engine": ("augment", "models", "metrics", "devices", "training", "runs", "running", "evaluation"),
    "looking": ("raster", "explain", "saliency", "views", "figures", "follow", "camera", "widgets"),
    "reports": ("plan", "tables", "reports", "search"),
    "this machine": ("bench", "doctor", "torchvision_on_cpu"),
}
# Each 4.5:1 on white or more.
COLOURS = dict(zip(GROUPS, ("#0072B2", "#A84300", "#00714F", "#8749F2", "#555555")))


def room_of(module: str) -> str:
    """The room in the corridor that a module belongs to: itself, or the door of its folder."""
    folder, _, inside = module.partition(".")
    return HOUSES.get(folder, folder) if inside else module


def arrows() -> dict[str, set[str]]:
    """Room -> the rooms that it imports."""
    found = defaultdict(set)
    for name, path in modules().items():
        if name in ALLOWED:
            found[room_of(name)] |= {room_of(other) for other in imports_of(path)} - {room_of(name)}
    return dict(found)


def floor_of(room: str, imports: dict[str, set[str]]) -> int:
    """0 for a room that imports none, else one above the highest that it imports."""
    return 1 + max((floor_of(other, imports) for other in imports[room]), default=-1)


def places(imports: dict[str, set[str]]) -> dict[str, tuple[float, float]]:
    """Room -> (x, floor): the rooms of a group side by side."""
    floors = {room: floor_of(room, imports) for room in imports}
    place, left = {}, 0.0
    for rooms in GROUPS.values():
        full = Counter(floors[room] for room in rooms)
        width, stood = max(full.values()), Counter()
        for room in rooms:
            y = floors[room]
            shift = 0.25 * (-1) ** y if full[y] < width else 0.0  # so that few stand right above another
            place[room] = (left + (width - full[y]) / 2 + stood[y] + shift, y)
            stood[y] += 1
        left += width + 0.35
    return place


def draw() -> Figure:
    imports = arrows()
    place, folders = places(imports), {door: folder for folder, door in HOUSES.items()}
    colours = {room: COLOURS[group] for group, rooms in GROUPS.items() for room in rooms}
    figure = Figure(figsize=(14, 8), layout="constrained", dpi=110)
    ax = figure.subplots()
    for room, (x, y) in place.items():
        text = room.replace("_", "_\n", 1) if len(room) > 12 else room
        text += f"\n{folders[room]}/" if room in folders else ""
        box = {
            "boxstyle": "round,pad=0.4",
            "facecolor": "white",
            "edgecolor": colours[room],
            "linewidth": 1.8,
        }
        ax.text(x, y, text, ha="center", va="center", fontsize=11, bbox=box, zorder=3)
        for other in sorted(imports[room]):
            arrow = FancyArrowPatch(
                (x, y),
                place[other],
                arrowstyle="-|>",
                mutation_scale=11,
                color=colours[room],
                alpha=0.5,
                shrinkA=20,
                shrinkB=22,
            )
            ax.add_patch(arrow)
    top = max(y for _, y in place.values())
    for group, rooms in GROUPS.items():
        middle = sum(place[room][0] for room in rooms) / len(rooms)
        style = {"ha": "center", "fontsize": 13, "fontweight": "bold", "color": COLOURS[group]}
        ax.text(middle, top + 0.75, group, **style)
    ax.set(xlim=(-0.6, max(x for x, _ in place.values()) + 0.6), ylim=(-0.5, top + 1.1))
    ax.axis("off")
    return figure


if __name__ == "__main__":
    draw().savefig(HERE / "house.png")
