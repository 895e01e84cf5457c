"""`FaceSet`: the one value that all data become.

Every reader in `labkit.datasets` and the generator in `labkit.synthetic` return a `FaceSet`; splits, training and figures
take one. A model never knows which data set it learns from. Taught in notebook 01.
"""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Face images of one size with their labels. Frozen: every change is a new `FaceSet`.

    images: uint8 (N, H, W, C), C = 1 (grey) or 3 (RGB).
    targets: name -> int64 (N,), a class index, -1 = not labelled; or
             name -> float32 (N, K), 0 or 1 for each of K labels, NaN = not coded.
    classes: name -> the class names (or the K label names) in order.
    subjects: (N,) str, who is in the picture, or None where that is not known.
    names: (N,) str, a name for each image, usually its file name, or None.
    split: (N,) str, the official split of each image, or None.
    source: one line that says where the images come from.

    Raises ValueError where a shape, type or range is not as above; the message names the field.
    """

    images: np.ndarray
    targets: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    subjects: np.ndarray | None = None
    names: np.ndarray | None = None
    split: np.ndarray | None = None
    source: str = ""

    def __post_init__(self):
        _check_images(self.images)
        n = len(self.images)
        if set(self.targets) != set(self.classes):
            raise ValueError(f"targets {sorted(self.targets)} and classes {sorted(self.classes)} must name the same labels")
        for name, values in self.targets.items():
            _check_target(name, values, len(self.classes[name]), n)
        for label in ("subjects", "names", "split"):
            values = getattr(self, label)
            if values is not None and len(values) != n:
                raise ValueError(f"{label}: expected {n} values, one an image, got {len(values)}")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        n, height, width, channels = self.images.shape
        colour = "RGB" if channels == 3 else "grey"
        return f"FaceSet({n:,} {colour} images of {width}x{height}; targets {', '.join(self.targets) or 'none'}; {self.source})"

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over pixels, labels, subjects and split, as hexadecimal text: moves with anything that training or splits could
        notice. Decoded pixels can differ in their last bit between CPUs: what data a row belongs to is `datasets.identity`."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(np.ascontiguousarray(self.images))
        for name in sorted(self.targets):
            digest.update(f"{name}:{','.join(self.classes[name])}".encode())
            digest.update(np.ascontiguousarray(self.targets[name]))
        for part in ("subjects", "split"):
            values = getattr(self, part)
            digest.update(f"{part}:{None if values is None else values.tolist()}".encode())
        return digest.hexdigest()

    def is_multilabel(self, target: str) -> bool:
        """True where `target` holds K independent 0/1 labels an image, False where it holds one class index."""
        return self.targets[target].ndim == 2

    def labelled(self, target: str) -> np.ndarray:
        """bool (N,): which images carry a label of `target`; of several labels, at least one."""
        values = self.targets[target]
        return ~np.isnan(values).all(1) if self.is_multilabel(target) else values != UNLABELLED

    def take(self, indices) -> "FaceSet":
        """The images at `indices` (an index array or a boolean mask), in that order; an index may stand twice."""

        def pick(values):
            return None if values is None else values[indices]

        return replace(
            self,
            images=self.images[indices],
            targets={name: values[indices] for name, values in self.targets.items()},
            subjects=pick(self.subjects),
            names=pick(self.names),
            split=pick(self.split),
        )

    def grey(self) -> "FaceSet":
        """The same images with one channel, weighted as ITU-R BT.601 does (0.299 R + 0.587 G + 0.114 B)."""
        if self.images.shape[-1] == 1:
            return self
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        grey = np.stack([np.rint(image @ weights).astype(np.uint8) for image in self.images])
        return replace(self, images=grey[..., None], source=f"{self.source}, grey")

    def counts(self, target: str) -> dict[str, int]:
        """How many images carry each class (or each label) of `target`, in the order of `classes`."""
        values = self.targets[target]
        if self.is_multilabel(target):
            totals = np.nansum(values, axis=0).astype(int)
        else:
            totals = np.bincount(values[values != UNLABELLED], minlength=len(self.classes[target]))
        return dict(zip(self.classes[target], totals.tolist()))


def _check_images(images):
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise ValueError(f"images: expected a uint8 array, got {getattr(images, 'dtype', type(images).__name__)}")
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"images: expected shape (N, H, W, 1) or (N, H, W, 3), got {images.shape}")


def _check_target(name, values, n_classes, n):
    if len(values) != n:
        raise ValueError(f"target '{name}': expected {n} values, one an image, got {len(values)}")
    if values.ndim == 1 and values.dtype == np.int64:
        outside = (values < UNLABELLED) | (values >= n_classes)
        if outside.any():
            i = int(np.flatnonzero(outside)[0])
            raise ValueError(f"target '{name}': image {i} has class {values[i]}, expected -1 (not labelled) or 0 to {n_classes - 1}")
    elif values.ndim == 2 and values.dtype == np.float32:
        if values.shape[1] != n_classes:
            raise ValueError(f"target '{name}': {values.shape[1]} columns for {n_classes} labels")
        if not np.isin(values[~np.isnan(values)], (0, 1)).all():
            raise ValueError(f"target '{name}': expected 0, 1 or NaN (not coded)")
    else:
        raise ValueError(f"target '{name}': expected int64 (N,) or float32 (N, K), got {values.dtype} {values.shape}")
