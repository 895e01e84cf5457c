"""Face attributes: photographs with a table of any form that `labkit.formats.attribute_tables` reads."""

import numpy as np

from labkit.formats import archives, attribute_tables, celeba
from labkit.formats.reading import Reading, WrongLayout, photo_of
from labkit.labels import ATTRIBUTES, TASK, parse_task, read_task

PIXELS = 200  # as in the published report


def read(files, track=iter) -> Reading:
    """Photographs with a table of attributes: our own, makesense.ai's, CelebA's, or of people and cartoons.

    `labkit.formats.attribute_tables` states their forms. A table given alone names pictures in its own folder
    or below. CelebA may be a part: rows without a picture are left out and counted; any other table must be
    complete.

    Returns:
        A `Reading` with the targets of those of the six attributes that the table has; for CelebA also celeba
        float32 (N, 40), split and subjects where `list_eval_partition` and `identity_CelebA.txt` are there.

    Raises:
        WrongLayout: where there is no such table, or more than one.
        ValueError: where the table is not as its form says, or pictures are missing.
    """
    name = _table_of(files)
    table = attribute_tables.parse(files.text(name), name, _asked(files, name))
    place = archives.folder_files(files.path.absolute().parent) if _is_alone(files) else files
    members = attribute_tables.find_pictures(place, name, table.names)
    kept = [i for i, member in enumerate(members) if member]
    lost = len(members) - len(kept)
    is_celeba = table.layout == "celeba"
    if lost and (not is_celeba or not kept):
        missing = table.names[members.index(None)]
        raise ValueError(
            f"{name}: {missing} and {lost - 1} more pictures are not in {place.path} or below it"
        )
    left_out = [f"{lost} rows of the table have no picture here"] if lost else []
    columns = celeba.columns(place, table.names) if is_celeba else {}
    reading = Reading(
        layout=table.layout,
        names=np.array(table.names),
        targets=table.targets,
        classes=table.classes,
        views={"photo": (PIXELS, 3)},
        files=place,
        pictures=np.array([member or "" for member in members]),
        render=photo_of(PIXELS),
        notes=table.notes + left_out,
        **columns,
    )
    return reading.take(np.array(kept, int))


def recognises(files) -> bool:
    """Whether a table of attributes is among the files."""
    return bool(_tables(files))


def _is_alone(files) -> bool:
    """Whether a table was given, and no folder or archive."""
    return len(files.sizes) == 1 and files.path.is_file() and files.path.name in files.sizes


def _asked(files, table: str) -> dict[str, tuple[str, ...]]:
    """attribute -> classes: those of the task beside a table, or else the lab's own."""
    if _is_alone(files):
        beside = files.path.absolute().parent / TASK
        return read_task(beside if beside.is_file() else None).attributes
    task = f"{table.rpartition('/')[0]}/{TASK}".lstrip("/")
    return parse_task(files.text(task), task).attributes if task in files.sizes else ATTRIBUTES


def _tables(files) -> list[str]:
    """The names of all tables of attributes among the files."""
    names = list(files.sizes) if _is_alone(files) else files.ending(".csv", ".tsv", ".txt", ".json")
    return [name for name in names if attribute_tables.layout_of(files.head(name), _asked(files, name))]


def _table_of(files) -> str:
    """The name of the one table of attributes among the files."""
    tables = _tables(files)
    if len(tables) == 1:
        return tables[0]
    found = "found none; data/README.md shows one"
    if tables:
        found = f"found {', '.join(tables)}; give the one meant"
    raise WrongLayout(
        "expected one table of attributes, our own, makesense.ai's, CelebA's or that of people and cartoons, "
        f"with its photographs; {found}"
    )
