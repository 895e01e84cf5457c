"""Training on pictures that stay on disk, beside the same training from memory."""

import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from labkit import models, training
from labkit.faces import FaceSet, OnDisk

SIZE = 200  # pixels a side, as the attribute lab imports photographs
IN_MEMORY = 1000  # pictures that are trained on from memory, as often as need be
CLASSES = {"glasses": ("no", "yes"), "hair_colour": ("black", "blond", "brown", "grey", "bald", "ginger")}


def bench_disk(pictures: int = 20_000, precision: str = "float32") -> dict:
    """Pictures a second of one epoch over pictures of 200x200 in a file, and of as many from memory, with the
    attribute lab's trunk; and the most memory that the process had while it read from the file.

    Args:
        pictures: how many. 20,000 take 2.4 GB of the disk for temporary files.
        precision: number format of the network.

    Returns:
        `pictures`, `disk_per_second`, `memory_per_second`, `ratio` (disk to memory), `peak_megabytes`,
        `start_megabytes` (before the first picture was read), `precision`, and `load`, the load average when
        it began (None on Windows).
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "pictures.npy"
        _write(file, pictures, rng)
        labels = {k: rng.integers(0, len(v), pictures) for k, v in CLASSES.items()}
        disk = FaceSet(OnDisk(np.load(file, mmap_mode="r")), labels, CLASSES)
        few = disk.take(np.arange(min(IN_MEMORY, pictures)))
        memory = FaceSet(few.images[:], few.targets, CLASSES)
        times = -(-pictures // len(memory))
        _epochs(memory, 1, precision)  # the first steps build kernels
        with _Peak() as peak:
            from_disk = _epochs(disk, 1, precision)
        from_memory = _epochs(memory, times, precision)
        del disk, few  # Windows removes no file that is open
    return {
        "pictures": pictures,
        "disk_per_second": round(from_disk, 1),
        "memory_per_second": round(from_memory, 1),
        "ratio": round(from_disk / from_memory, 3),
        "peak_megabytes": round(peak.highest / 1e6),
        "start_megabytes": round(peak.first / 1e6),
        "precision": precision,
        "load": load,
    }


def _write(file: Path, pictures: int, rng) -> None:
    """A file of so many pictures, stripes of noise, written a block at a time."""
    images = np.lib.format.open_memmap(file, "w+", np.uint8, (pictures, SIZE, SIZE, 3))
    for start in range(0, pictures, 500):
        block = images[start : start + 500]
        block[:] = rng.integers(0, 256, (len(block), 1, SIZE, 3), np.uint8)
    images.flush()


def _epochs(faces: FaceSet, epochs: int, precision: str) -> float:
    """Pictures a second of so many epochs."""
    outputs = {name: len(classes) for name, classes in CLASSES.items()}
    model = models.build("attributes-trunk", outputs, size=SIZE)
    config = training.TrainConfig(epochs=epochs, batch_size=32, learning_rate=1e-4, precision=precision)
    start = time.perf_counter()
    training.fit(model, faces, None, config, 0, progress=False)
    return epochs * len(faces) / (time.perf_counter() - start)


class _Peak:
    """The most memory that this process had at once inside a `with` block, looked at every 20 ms."""

    def __enter__(self):
        self.process, self.ended = psutil.Process(), threading.Event()
        self.first = self.highest = self.process.memory_info().rss
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()
        return self

    def _watch(self) -> None:
        while not self.ended.wait(0.02):
            self.highest = max(self.highest, self.process.memory_info().rss)

    def __exit__(self, *_) -> None:
        self.ended.set()
        self.watcher.join()
