"""How fast training and the webcam are, beside what most tutorials write, in one run on the same machine.

The plain loop: a `Dataset` that opens a file with Pillow, torchvision transforms an image (resize, mirror,
rotation and shift, to tensor), a `DataLoader` in the main process, float32, Adam. Its files have the size of
the data set's own pictures. Ours: `labkit.training` with the same model, images, batch size and augmentation,
from images that were decoded and resized once. The limit: forward and backward alone of the same network in
the same number format and memory layout, on a batch that lies ready. Each runs in a process of its own, as it
would for a user. Machines are noisy, so the three take turns, and ratio and share are medians over the
rounds.
"""

import itertools
import multiprocessing
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        architecture: see `models.build`.
        size: side of the images in pixels.
        channels: of the images, 1 (grey) or 3 (RGB).
        file_size: side of the pictures in the files, in pixels.
        batches: of each loop a turn.
    """

    architecture: str
    size: int
    channels: int
    file_size: int
    batches: int = 32


CASES = {
    # GENKI-4K's photographs: about 180 x 192.
    "smile-base": Case("smile-base", size=64, channels=3, file_size=192),
    "emotion-7": Case("emotion-7", size=48, channels=1, file_size=48, batches=2),
    "emotion-best": Case("emotion-best", size=48, channels=1, file_size=48, batches=8),
}
AUGMENT = {"mirror": 0.5, "rotate": 10, "shift": 0.1}
BATCH = 32


def plain_steps(case: Case, folder: Path, labels, precision: str):
    """The plain loop: a generator that trains one batch at each `next` and never ends.

    Args:
        case: what is measured.
        folder: of the pictures, in the order of their names.
        labels: int64 (N,), 0 or 1, one a picture.
        precision: means nothing here: float32 whatever it says.
    """
    import torch
    from PIL import Image
    from torchvision import transforms

    from labkit import models

    files, mode = sorted(folder.glob("*.jpg")), "RGB" if case.channels == 3 else "L"
    steps = [
        transforms.Resize((case.size, case.size)),
        transforms.RandomHorizontalFlip(AUGMENT["mirror"]),
        transforms.RandomAffine(AUGMENT["rotate"], (AUGMENT["shift"], AUGMENT["shift"])),
        transforms.ToTensor(),
    ]
    transform = transforms.Compose(steps)

    class Photographs(torch.utils.data.Dataset):
        def __len__(self):
            return len(files)

        def __getitem__(self, i):
            with Image.open(files[i]) as photograph:
                return transform(photograph.convert(mode)), int(labels[i])

    model = models.build(case.architecture, {"label": 2}, in_channels=case.channels).train()
    optimizer = torch.optim.Adam(model.parameters())
    loader = torch.utils.data.DataLoader(Photographs(), BATCH, shuffle=True, drop_last=True)
    while True:
        for images, target in loader:
            loss = torch.nn.functional.cross_entropy(model(images)["label"], target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def our_steps(case: Case, folder: Path, labels, precision: str):
    """The same with labkit, in the number format that `precision` names."""
    import cv2
    import numpy as np
    import torch

    from labkit import augment, devices, models, training

    device = devices.best_device()
    network = models.build(case.architecture, {"label": 2}, in_channels=case.channels)
    model, context = devices.prepare(network, device, precision)
    model.train()
    flags = cv2.IMREAD_COLOR_RGB if case.channels == 3 else cv2.IMREAD_GRAYSCALE
    size, pictures = (case.size, case.size), []
    for file in sorted(folder.glob("*.jpg")):
        pictures.append(cv2.resize(cv2.imread(str(file), flags), size, interpolation=cv2.INTER_AREA))
    images = torch.from_numpy(np.stack(pictures).reshape(-1, *size, case.channels)).to(device)
    labels = torch.from_numpy(labels).to(device)
    optimizer = training.make_optimizer(model, training.TrainConfig())
    generator = torch.Generator(device=device).manual_seed(0)
    while True:
        for index in torch.randperm(len(images), device=device).split(BATCH)[:-1]:
            batch = augment.augment(training.to_batch(images.index_select(0, index)), AUGMENT, generator)
            training.step(model, batch, {"label": labels[index]}, optimizer, context)
            yield


def limit_steps(case: Case, folder: Path, labels, precision: str):
    """Forward and backward alone, which no training of this network can outrun; a generator too."""
    import torch

    from labkit import devices, models, training

    device = devices.best_device()
    network = models.build(case.architecture, {"label": 2}, in_channels=case.channels)
    model, context = devices.prepare(network, device, precision)
    model.train()
    images = torch.rand(BATCH, case.channels, case.size, case.size, device=device)
    target = torch.from_numpy(labels[:BATCH]).to(device)
    while True:
        with context:
            logits = model(images)
        model.zero_grad()
        training.loss(logits, {"label": target}).backward()
        yield


LOOPS = {"plain": plain_steps, "ours": our_steps, "limit": limit_steps}


def _serve(connection, loop: str, case: Case, folder: Path, labels, precision: str) -> None:
    """In a process of its own: answer each number of batches with the images a second over them,
    until None comes."""
    steps = LOOPS[loop](case, folder, labels, precision)
    while (batches := connection.recv()) is not None:
        start = time.perf_counter()
        for _ in range(batches):
            next(steps)
        _wait()
        connection.send(batches * BATCH / (time.perf_counter() - start))


def take_turns(case: Case, folder: Path, labels, precision: str, rounds: int, batches: int) -> list[dict]:
    """Measure each of `LOOPS` in a process of its own, one after the other, round after round.

    Args:
        case: what is measured.
        folder: of the pictures, in the order of their names.
        labels: int64 (N,), 0 or 1, one a picture.
        precision: "float32" or "bfloat16", of ours and of the limit.
        rounds: how often they take turns.
        batches: of each loop a turn.

    Returns:
        One dict a round: loop -> images a second.
    """
    spawn, pipes = multiprocessing.get_context("spawn"), {}
    for loop in LOOPS:
        pipes[loop], other = spawn.Pipe()
        spawn.Process(target=_serve, args=(other, loop, case, folder, labels, precision), daemon=True).start()
        other.close()

    def rates(batches):
        measured = {}
        for loop, pipe in pipes.items():
            pipe.send(batches)
            measured[loop] = pipe.recv()
        return measured

    rates(3)  # the first batches build kernels and caches
    results = [rates(batches) for _ in range(rounds)]
    for pipe in pipes.values():
        pipe.send(None)
    return results


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def bench(name: str, rounds: int = 7, n: int = 256, precision: str = "") -> dict:
    """Measure one of `CASES`.

    Args:
        name: of the case.
        rounds: how often the loops take turns.
        n: pictures.
        precision: of ours and of the limit; "" = "bfloat16" where the machine has it in hardware, else
            "float32".

    Returns:
        `model`; `images_per_second` and `plain_images_per_second`, medians over the rounds; `ratio`, ours to
        plain; `limit_share`, ours to the limit, also under its former name `matmul_share`; `precision`;
        `layout`; and `load`, the load average when it began (None on Windows).

    Raises:
        ValueError: for a name that is not known, or a format that the machine lacks.
    """
    from labkit import devices, models, synthetic

    if name not in CASES:
        raise ValueError(f"model '{name}': expected one of {', '.join(CASES)}")
    case = CASES[name]
    device = devices.best_device()
    precision = precision or ("bfloat16" if devices.has_bfloat16(device) else "float32")
    network = models.build(case.architecture, {"label": 2}, in_channels=case.channels)
    model, _ = devices.prepare(network, device, precision)
    load = _load_average()
    faces = synthetic.make(n, size=case.file_size, colour=case.channels == 3)
    with tempfile.TemporaryDirectory() as folder:
        _write_pictures(faces.images, Path(folder))
        rates = take_turns(case, Path(folder), faces.targets["smile"], precision, rounds, case.batches)
    share = round(statistics.median(rate["ours"] / rate["limit"] for rate in rates), 3)
    return {
        "model": name,
        "images_per_second": round(statistics.median(rate["ours"] for rate in rates), 1),
        "plain_images_per_second": round(statistics.median(rate["plain"] for rate in rates), 1),
        "ratio": round(statistics.median(rate["ours"] / rate["plain"] for rate in rates), 2),
        "limit_share": share,
        "matmul_share": share,
        "precision": precision,
        "layout": devices.layout_of(model, precision),
        "load": load,
    }


def _load_average() -> float | None:
    """The load average of the last minute; None on Windows."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _write_pictures(images, folder: Path) -> None:
    import cv2

    for i, image in enumerate(images):
        file = str(folder / f"{i:05d}.jpg")
        cv2.imwrite(file, image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])


def bench_workers(workers: int, rows: int = 8, epochs: int = 50) -> dict:
    """Seconds that a table of short rows takes: one after the other on one core, on all cores, and several at
    once, each with its share of the cores. Starting the workers and opening the data count.

    Args:
        workers: rows at once.
        rows: of the table.
        epochs: of a row.

    Returns:
        `workers, rows, seconds_one_core, seconds_all_cores, seconds_workers`; `ratio`, workers to one core;
        and `ratio_all_cores`, workers to one training at a time that has all cores, which is what
        `--workers 1` means.
    """
    import torch

    from labkit import running, runs

    row = {"split": {"kind": "random"}, "model": "smile-base", "targets": ["smile"]}
    row |= {"data": {"name": "builtin", "n": 400, "size": 64}, "config": {"epochs": epochs}}
    specs = [runs.RunSpec.from_dict({**row, "seed": seed}) for seed in range(rows)]
    running.faces_of(specs[0])
    before, seconds = torch.get_num_threads(), {}
    cores = os.cpu_count() or 1
    for name, threads, at_once in (("one_core", 1, 1), ("all_cores", cores, 1), ("workers", 1, workers)):
        torch.set_num_threads(threads)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            store = runs.Store(Path(folder) / "rows", Path(folder) / "runs")
            running.run_all(specs, store, progress=False, workers=at_once)
            seconds[name] = time.perf_counter() - start
    torch.set_num_threads(before)
    return {
        "workers": workers,
        "rows": rows,
        **{f"seconds_{name}": round(value, 1) for name, value in seconds.items()},
        "ratio": round(seconds["workers"] / seconds["one_core"], 2),
        "ratio_all_cores": round(seconds["workers"] / seconds["all_cores"], 2),
    }


def one_face(seconds: float):
    """A frame with one drawn face that moves and smiles now and then, uint8 (480, 640, 3), RGB."""
    import numpy as np

    from labkit import synthetic

    frame, smile = np.full((480, 640, 3), (120, 130, 140), np.uint8), abs(seconds % 2 - 1)
    units = {"AU12": smile, "AU25": smile}
    x = 190 + round(60 * abs(seconds % 4 - 2))
    frame[110:366, x : x + 256] = synthetic.draw(synthetic.FaceParameters(action_units=units, zoom=0.8), 256)
    return frame


def plain_webcam(frame, networks, cascade) -> None:
    """What most tutorials do with a frame: Haar cascade, cut out its box, one image at a time through
    each model, draw.

    Args:
        frame: uint8 (H, W, 3), RGB; is drawn into.
        networks: target -> (network, about), of networks whose name is that of their target.
        cascade: `cv2.CascadeClassifier`.
    """
    import cv2
    import torch

    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    for x, y, width, height in cascade.detectMultiScale(grey, 1.1, 5):
        for target, (network, about) in networks.items():
            size = (about["size"], about["size"])
            picture = frame if about["channels"] == 3 else grey[..., None]
            face = cv2.resize(picture[y : y + height, x : x + width], size).reshape(*size, -1)
            batch = torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255
            with torch.no_grad():
                scores = network.eval()(batch)[target].softmax(1)[0]
            words = f"{about['classes'][target][int(scores.argmax())]} {scores.max():.2f}"
            cv2.putText(frame, words, (int(x), int(y)), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 255, 0), 1)
        cv2.rectangle(frame, (x, y), (x + width, y + height), (0, 255, 0), 2)


def bench_webcam(frames: int = 100) -> dict:
    """Milliseconds that a frame of 640x480 with one face takes on one core, and that it takes Haar cascade
    and plain models on the same frames in the same run, the two taking turns.

    Returns:
        Medians: `webcam_ms`, of which `find_ms`, `classify_ms` and `draw_ms`; `plain_ms`, of the plain
            models;
        `slow_ms`, what nine of ten frames stay below, since those in which the whole frame is searched take
        longer; `ratio`, plain to ours; `frames`; and `load`, the load average when it began (None on
        Windows).
    """
    import cv2
    import torch

    from labkit import evaluation

    load = _load_average()
    networks = {name: evaluation.load_network(name) for name in ("smile", "emotion")}
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    times = _time_frames(frames + 5, networks)[5:]  # the first build kernels
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])
    find, classify, draw, plain = (list(column) for column in zip(*times))
    ours = [sum(parts[:3]) for parts in times]
    medians = {"webcam": ours, "find": find, "classify": classify, "draw": draw, "plain": plain}
    result = {f"{name}_ms": round(statistics.median(values), 2) for name, values in medians.items()}
    result["slow_ms"] = round(statistics.quantiles(ours, n=10)[-1], 2)
    result["ratio"] = round(result["plain_ms"] / result["webcam_ms"], 2)
    return result | {"frames": frames, "load": load}


def _time_frames(frames: int, networks: dict) -> list[list[float]]:
    """Milliseconds of each frame: find its face, classify it, draw; then what the plain models take."""
    import cv2

    from labkit import camera, follow

    watcher, times = follow.Watcher(networks), []
    cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml")
    for i in range(frames):
        frame = one_face(i / 25)
        marks = [time.perf_counter()]
        found = watcher.find(frame, i / 25)
        marks.append(time.perf_counter())
        seen = watcher.say(frame, found, i / 25)
        marks.append(time.perf_counter())
        camera.annotated(frame, seen)
        marks.append(time.perf_counter())
        plain_webcam(frame, networks, cascade)
        marks.append(time.perf_counter())
        times.append([1000 * (b - a) for a, b in itertools.pairwise(marks)])
    return times
