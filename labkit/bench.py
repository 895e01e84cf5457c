"""How fast training is, beside the loop that most tutorials write, in one run on the same machine.

The plain loop: a `Dataset` that opens a file with Pillow, torchvision transforms an image (mirror, rotation and shift, to
tensor), a `DataLoader` in the main process, float32, Adam. Ours: `labkit.training` with the same model, images, batch size and
augmentation. Machines are noisy, so the two take turns, and the ratio is the median over the rounds.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

MODELS = {"smile-base": {"architecture": "smile-base", "size": 64, "channels": 3}}
AUGMENT = {"mirror": 0.5, "rotate": 10, "shift": 0.1}
BATCH = 32


def plain_steps(architecture: str, folder: Path, labels, mode: str):
    """A generator that trains one batch of the plain loop at each `next` and never ends."""
    import torch
    from PIL import Image
    from torchvision import transforms

    from labkit import models

    files = sorted(folder.glob("*.jpg"))
    transform = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(AUGMENT["mirror"]),
            transforms.RandomAffine(AUGMENT["rotate"], [AUGMENT["shift"]] * 2),
            transforms.ToTensor(),
        ]
    )

    class Photographs(torch.utils.data.Dataset):
        def __len__(self):
            return len(files)

        def __getitem__(self, i):
            with Image.open(files[i]) as photograph:
                return transform(photograph.convert(mode)), int(labels[i])

    model = models.build(architecture, {"label": 2}, in_channels=3 if mode == "RGB" else 1).train()
    optimizer = torch.optim.Adam(model.parameters())
    loader = torch.utils.data.DataLoader(Photographs(), BATCH, shuffle=True, drop_last=True)
    while True:
        for images, target in loader:
            loss = torch.nn.functional.cross_entropy(model(images)["label"], target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def our_steps(architecture: str, images, labels):
    """The same with labkit: a generator that trains one batch at each `next` and never ends."""
    import torch

    from labkit import augment, models, training

    device = training.best_device()
    model, context = training.prepare(models.build(architecture, {"label": 2}, in_channels=images.shape[-1]), device, "auto")
    model.train()
    images, labels = torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
    optimizer = training.OPTIMIZERS["adam"](model.parameters(), training.TrainConfig())
    generator = torch.Generator(device=device).manual_seed(0)
    while True:
        for index in torch.randperm(len(images), device=device).split(BATCH)[:-1]:
            batch = augment.augment(training.to_batch(images[index]), AUGMENT, generator)
            training.step(model, batch, {"label": labels[index]}, optimizer, context)
            yield


def rate(steps, batches: int) -> float:
    """Images a second over the next `batches` batches."""
    start = time.perf_counter()
    for _ in range(batches):
        next(steps)
    _wait()
    return batches * BATCH / (time.perf_counter() - start)


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def matmul_rate(precision: str, size: int = 2048, seconds: float = 1.0) -> float:
    """Floating-point operations a second that the device reaches multiplying two `size` x `size` matrices."""
    import torch

    from labkit import training

    a = torch.randn(size, size, device=training.best_device(), dtype=getattr(torch, precision))
    a @ a
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        a @ a
        _wait()
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def training_operations(architecture: str, size: int, channels: int) -> float:
    """Floating-point operations of one image, forward and backward, counted by torch."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from labkit import models

    model = models.build(architecture, {"label": 2}, in_channels=channels)
    with FlopCounterMode(display=False) as counter:
        model(torch.rand(1, channels, size, size))["label"].sum().backward()
    return counter.get_total_flops()


def bench(name: str, rounds: int = 7, batches: int = 12, n: int = 512) -> dict:
    """Measure one of `MODELS`; rates are medians over the rounds, images a second. `matmul_share`: the share of the measured
    matrix multiplication rate, in the same precision, that training reaches. `load`: load average when it began."""
    import cv2
    import numpy as np

    from labkit import synthetic, training

    if name not in MODELS:
        raise ValueError(f"model '{name}': expected one of {', '.join(MODELS)}")
    settings = MODELS[name]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    faces = synthetic.make(n, size=settings["size"], colour=settings["channels"] == 3)
    labels = faces.targets["smile"].astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        for i, image in enumerate(faces.images):
            cv2.imwrite(str(Path(folder) / f"{i:05d}.jpg"), image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        ours = our_steps(settings["architecture"], faces.images, labels)
        plain = plain_steps(settings["architecture"], Path(folder), labels, "RGB" if settings["channels"] == 3 else "L")
        rate(ours, 3), rate(plain, 3)  # the first batches build kernels and caches
        pairs = [(rate(ours, batches), rate(plain, batches)) for _ in range(rounds)]
    precision = training.fast_precision(training.best_device())
    ours_rate = statistics.median(o for o, _ in pairs)
    operations = training_operations(settings["architecture"], settings["size"], settings["channels"])
    return {
        "model": name,
        "images_per_second": round(ours_rate, 1),
        "plain_images_per_second": round(statistics.median(p for _, p in pairs), 1),
        "ratio": round(statistics.median(o / p for o, p in pairs), 2),
        "matmul_share": round(ours_rate * operations / matmul_rate(precision), 3),
        "precision": precision,
        "load": load,
    }
