"""How many built-in faces one core draws a second, beside photographs that are read."""

import os
import statistics
import time

import cv2

from labkit import synthetic

FACES_A_TURN = 50  # ten people, five pictures each


def bench_faces(rounds: int = 7, sizes: tuple[int, ...] = (64, 96)) -> dict:
    """Built-in faces that one core draws a second, as `synthetic.make` draws them: people at random, five
    pictures each, in one process and one thread. Beside them what real data takes: a JPEG photograph of
    192x192 pixels is decoded and reduced to the same size. Seconds are those that the core spent here,
    whatever else it did.

    Args:
        rounds: how often sizes and photographs take turns; each time with other people.
        sizes: sides of the faces in pixels.

    Returns:
        `faces`, a dict a size: `size`; `faces_per_second` and `photographs_per_second`, medians over the
        rounds; and `ratio`, the time of a face to that of a photograph. `load`, the load average when it
        began (None on Windows).
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    photographs = synthetic.make(FACES_A_TURN, size=192).images
    files = [cv2.imencode(".jpg", image[:, :, ::-1], quality)[1] for image in photographs]

    def read(size):
        for file in files:
            cv2.resize(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB), (size, size), interpolation=cv2.INTER_AREA)

    rows = []
    for turn in range(rounds):
        for size in sizes:
            drawn = _a_second(lambda turn=turn, size=size: synthetic.make(FACES_A_TURN, size, seed=turn + 1))
            rows.append((size, drawn, _a_second(lambda size=size: read(size))))
    cv2.setNumThreads(threads)
    return {"faces": [_of_size(size, rows) for size in sizes], "load": load}


def _a_second(work) -> float:
    """How many of `FACES_A_TURN` pictures this process got through a second of processor time."""
    start = time.process_time()
    work()
    return FACES_A_TURN / (time.process_time() - start)


def _of_size(size: int, rows: list) -> dict:
    drawn, read = zip(*[rates for of_size, *rates in rows if of_size == size])
    return {
        "size": size,
        "faces_per_second": round(statistics.median(drawn), 1),
        "photographs_per_second": round(statistics.median(read), 1),
        "ratio": round(statistics.median(b / a for a, b in zip(drawn, read)), 1),
    }
