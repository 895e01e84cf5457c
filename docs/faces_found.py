"""How many of GENKI-4K's photographs give exactly one face: counts, and a sheet of boxes to be judged by eye.

    python docs/faces_found.py GENKI4K.tar [sheet.png]      # about a minute on two processor cores

The photographs carry no boxes, so a program can only count. Whether the one box is the labelled face, a person sees on the
sheet: a hundred photographs drawn at random among those with one box, then those with none and with several. Don't commit it.
"""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from labkit import archives, detect, pictures

SIDE, COLUMNS, DRAWN = 120, 20, 100


def boxed(picture, faces):
    """The photograph at `SIDE` pixels with every box in it."""
    shown = picture.copy()
    for face in faces:
        x, y, width, height = (round(v) for v in face.box)
        cv2.rectangle(shown, (x, y), (x + width, y + height), (255, 220, 0), max(1, len(shown) // 80))
    return pictures.resize(shown, SIDE)


def sheet(images):
    """All images in rows of `COLUMNS`."""
    images = [*images, *[np.zeros((SIDE, SIDE, 3), np.uint8)] * (-len(images) % COLUMNS)]
    return np.vstack([np.hstack(images[i : i + COLUMNS]) for i in range(0, len(images), COLUMNS)])


def main(path, target=None):
    with archives.open_files(path) as files:
        names = [name for name in files.ending(*pictures.ENDINGS) if "files/" in name]
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(lambda name: detect.find_faces(pictures.decode(files.read(name), 3)), names))
        counts = Counter(min(len(faces), 2) for faces in found)
        for n, words in ((1, "one face"), (0, "none"), (2, "several")):
            print(f"{words:<9}{counts[n]:>6} of {len(names):,} photographs, {counts[n] / len(names):.2%}")
        if target:
            by_count = {n: [i for i, faces in enumerate(found) if min(len(faces), 2) == n] for n in (0, 1, 2)}
            drawn = sorted(np.random.default_rng(0).choice(by_count[1], min(DRAWN, len(by_count[1])), replace=False))
            shown = [boxed(pictures.decode(files.read(names[i]), 3), found[i]) for i in (*drawn, *by_count[0], *by_count[2])]
            cv2.imwrite(target, sheet(shown)[:, :, ::-1])


if __name__ == "__main__":
    main(*sys.argv[1:])
