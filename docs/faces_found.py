"""How many of GENKI-4K's photographs give exactly one face: counts, and a sheet of boxes to be judged by eye.

    python docs/faces_found.py GENKI4K.tar [sheet.png]      # about a minute on two processor cores

The photographs carry no boxes, so a program can only count. Whether the one box is the labelled face, a
person sees on the sheet: a hundred photographs drawn at random among those with one box, then those with none
and with several. Don't commit it.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from labkit import detect
from labkit.faces import resize
from labkit.formats import archives, decoding

SIDE, COLUMNS, DRAWN = 120, 20, 100


def boxed(picture, faces):
    """The photograph at `SIDE` pixels a side with every box in it."""
    shown = picture.copy()
    for face in faces:
        x, y, width, height = (round(v) for v in face.box)
        cv2.rectangle(shown, (x, y), (x + width, y + height), (255, 220, 0), max(1, len(shown) // 80))
    return resize(shown, SIDE)


def sheet(images):
    """All images in rows of `COLUMNS`, the last one filled up with black."""
    black = np.zeros((SIDE, SIDE, 3), np.uint8)
    images = [*images, *[black] * (-len(images) % COLUMNS)]
    return np.vstack([np.hstack(images[i : i + COLUMNS]) for i in range(0, len(images), COLUMNS)])


def main(path, target=None):
    """Print the counts, and write the sheet where a file is named for it."""
    with archives.open_files(path) as files:
        names = [name for name in files.ending(*decoding.ENDINGS) if "files/" in name]

        def picture(name):
            return decoding.decode(files.read(name), 3)

        with ThreadPoolExecutor() as pool:
            found = list(pool.map(lambda name: detect.find_faces(picture(name)), names))
        by_count = {0: [], 1: [], 2: []}  # 2 stands for several
        for i, faces in enumerate(found):
            by_count[min(len(faces), 2)].append(i)
        for n, words in ((1, "one face"), (0, "none"), (2, "several")):
            count = len(by_count[n])
            print(f"{words:<9}{count:>6} of {len(names):,} photographs, {count / len(names):.2%}")
        if target:
            ones = by_count[1]
            drawn = np.random.default_rng(0).choice(ones, min(DRAWN, len(ones)), replace=False)
            shown = (*sorted(drawn), *by_count[0], *by_count[2])
            images = [boxed(picture(names[i]), found[i]) for i in shown]
            cv2.imwrite(target, sheet(images)[:, :, ::-1])


if __name__ == "__main__":
    main(*sys.argv[1:])
