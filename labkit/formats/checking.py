"""Count an imported data set, and compare it with the complete one."""

import numpy as np

from labkit.faces import FaceSet
from labkit.formats import cache

COMMAND = "python -m labkit data import {name} FILE"


def counts(targets, classes, split=None) -> dict:
    """Part of the split, or "all" -> target -> class -> how many images carry it.

    Args:
        targets, classes, split: as in `FaceSet`, or as a reader found them.
    """
    n = len(next(iter(targets.values()), ()))
    images = np.empty((n, 1, 1, 1), np.uint8)  # counting needs no pictures
    labels = FaceSet(images, targets, classes, split=split)
    parts = {"all": labels}
    for part in [] if split is None else dict.fromkeys(split.tolist()):
        parts[part] = labels.take(split == part)
    return {name: {target: part.counts(target) for target in targets} for name, part in parts.items()}


def examine(name, source, place, about) -> dict:
    """What `labkit.datasets.check` returns of the data set `name`, whose `source` is its row of the table, in
    the folder `place`, of which `about.json` says `about`."""
    problems, shapes = [], {}
    for view in about["views"]:
        faces = cache.faces_of(place, about, view, on_disk=True)
        shapes[view] = list(faces.images.shape[1:])
        if faces.fingerprint != about["fingerprints"][view]:
            again = COMMAND.format(name=name)
            problems.append(f"view '{view}' has changed since the import; import it again: {again}")
    counted = counts(faces.targets, faces.classes, faces.split)
    notes = [*about["notes"], *_remarks(faces, about)]
    for split, targets in source.expected.get(about["layout"], {}).items():
        if split in counted:
            problems += _differences(split, counted[split], targets)
        elif split in source.optional:
            notes.append(f"split '{split}' is not in this copy")
        else:
            problems.append(f"split '{split}' is missing")
    return {
        "name": name,
        "title": source.title,
        "file": about["file"],
        "layout": about["layout"],
        "images": len(faces),
        "views": shapes,
        "counts": counted,
        "identities": about["identities"],
        "fingerprints": about["fingerprints"],
        "faces_not_found": about["faces_not_found"],
        "left_out": about.get("left_out", {}),
        "notes": notes,
        "problems": problems,
    }


def _remarks(faces, about):
    """Notes on what the images show, and on what is not among them."""
    if left_out := about.get("left_out", {}):
        some = "; ".join(f"{name}: {why}" for name, why in list(left_out.items())[:3])
        yield f"{len(left_out)} files left out: {some}{' ...' if len(left_out) > 3 else ''}"
    lost = about["faces_not_found"]
    if black := int((faces.brightest() == 0).sum()):
        yield f"{black} images are black: their highest pixel is 0"
    if lost:
        which = f"{len(lost)} photographs ({', '.join(lost[:3])}{' ...' if len(lost) > 3 else ''})"
        yield f"no face found in {which}: view 'face' has their centred square"


def _differences(split, counts, expected):
    """A line for each class of `expected` that has another count."""
    for target, classes in expected.items():
        for label, count in classes.items():
            if counts[target][label] != count:
                yield f"{split}: {counts[target][label]:,} images of {target} '{label}', expected {count:,}"


def described(summary: dict) -> str:
    """What `labkit.datasets.check` or `look` returned, for a reader."""
    lines = []
    if "counts" in summary:  # of an imported data set
        source = f"{summary['file']} ({summary['layout']})"
        lines.append(f"{summary['title']}: {summary['images']:,} images, from {source}")
        for split, targets in summary["counts"].items():
            for target, counts in targets.items():
                total = f"{sum(counts.values()):,} images, " if target != "action_units" else ""
                lines.append(f"  {split}, {target}: {total}{_listed(counts)}")
    else:
        place = f"{summary['title']} ({summary['name']}), {summary['layout']}"
        lines.append(f"{place}: {summary['images']:,} images")
        lines += [f"  {target}: {_listed(counts)}" for target, counts in summary["targets"].items()]
        if summary["split"]:
            lines.append(f"  split: {_listed(summary['split'])}")
        lines += [f"  left out: {name}: {why}" for name, why in summary["left_out"].items()]
    lines += [f"  note: {note}" for note in summary["notes"]]
    if "problems" in summary:
        lines += [f"  PROBLEM: {problem}" for problem in summary["problems"]] or ["  all counts as expected"]
    return "\n".join(lines)


def _listed(counts: dict) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())
