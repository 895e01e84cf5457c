"""`FaceSet`: the one value that all data become.

Every reader in `labkit.datasets` and the generator in `labkit.synthetic` return a `FaceSet`; splits, training
and figures take one. A model never knows which data set it learns from. Taught in notebook 01.
"""

import hashlib
import mmap
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from labkit.labels import SMILES

UNLABELLED = -1


BLOCK = 1024  # images that are looked at together where all of them are needed


class OnDisk:
    """Images that stay in a file until they are asked for; then uint8 (N, H, W, C), as an array in memory has
    them.

    Args:
        file: uint8 (M, H, W, C), as `np.load(..., mmap_mode="r")` opens it.
        index: int64 (N,), the images of the file in their order; None = all.
        size: side in pixels to which they are resized; None = as they are.
        channels: 1 (grey) or 3 (RGB); None = as they are.
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, file: np.ndarray, index=None, size: int | None = None, channels: int | None = None):
        self.file = file
        self.index = np.arange(len(file)) if index is None else index
        self.size, self.channels = size or file.shape[1], channels or file.shape[-1]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.index), self.size, self.size, self.channels

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, which) -> np.ndarray:
        """Read an image, or those of a slice or index array."""
        if isinstance(which, (int, np.integer)):
            return self[[which]][0]
        index = self.index[which]
        images = np.empty((len(index), self.size, self.size, self.channels), np.uint8)
        for start in range(0, len(index), BLOCK):  # never all of them as they are in the file
            block = resized(self.file[index[start : start + BLOCK]], self.size)
            if self.channels == 1 != block.shape[-1]:
                block = grey(block)
            images[start : start + BLOCK] = block  # grey is repeated where three channels are asked for
            self._forget()
        return images

    def _forget(self) -> None:
        """Let the pages that were read go, so that a file of gigabytes never counts as this process's memory;
        the system still has them at hand while it has room."""
        pages = getattr(self.file, "base", None)
        if isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            pages.madvise(mmap.MADV_DONTNEED)

    def take(self, indices) -> "OnDisk":
        """The images at `indices`, still on disk."""
        return OnDisk(self.file, self.index[indices], self.size, self.channels)

    def with_channels(self, channels: int) -> "OnDisk":
        """The same images, grey (1) or RGB (3)."""
        return OnDisk(self.file, self.index, self.size, channels)


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Face images of one size with their labels. Frozen: every change is a new `FaceSet`.

    Attributes:
        images: uint8 (N, H, W, C), C = 1 (grey) or 3 (RGB), in memory or `OnDisk`.
        targets: name -> int64 (N,), a class index, -1 = not labelled; or
            name -> float32 (N, K), 0 or 1 for each of K labels, NaN = not coded.
        classes: name -> the class names (or the K label names) in order.
        subjects: (N,) str, who is in the picture, or None where that is not known.
        votes: target -> float32 (N, K): how several people's answers are shared among its classes, each row
            summing to 1; NaN = nobody was asked. Soft labels, beside the target's class indices.
        intensities: target -> float32 (N, K): how strong each of its K labels is, 0 = absent, 1 to 5 = the
            letters A to E of the Facial Action Coding System; NaN = of unknown strength, or not coded.
        names: (N,) str, a name for each image, usually its file name, or None.
        split: (N,) str, the official split of each image, or None.
        source: one line that says where the images come from.

    Raises:
        ValueError: where a shape, type or range is not as above; the message names the field.
    """

    images: np.ndarray | OnDisk
    targets: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    subjects: np.ndarray | None = None
    names: np.ndarray | None = None
    split: np.ndarray | None = None
    source: str = ""
    votes: dict[str, np.ndarray] = field(default_factory=dict)
    intensities: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        _check_images(self.images)
        n = len(self.images)
        if set(self.targets) != set(self.classes):
            raise ValueError(
                f"targets {sorted(self.targets)} and classes {sorted(self.classes)} must name the same labels"
            )
        for name, values in self.targets.items():
            _check_target(name, values, len(self.classes[name]), n)
        for name, values in self.votes.items():
            _check_votes(name, values, self.targets.get(name), len(self.classes.get(name, ())))
        for name, values in self.intensities.items():
            _check_intensities(name, values, self.targets.get(name))
        for label in ("subjects", "names", "split"):
            values = getattr(self, label)
            if values is not None and len(values) != n:
                raise ValueError(f"{label}: expected {n} values, one an image, got {len(values)}")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        n, height, width, channels = self.images.shape
        colour, targets = "RGB" if channels == 3 else "grey", ", ".join(self.targets) or "none"
        return f"FaceSet({n:,} {colour} images of {width}x{height}; targets {targets}; {self.source})"

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over pixels, labels, subjects and split, as hexadecimal text: moves with anything that
        training or splits could notice. Decoded pixels can differ in their last bit between CPUs: what data a
        row belongs to is `datasets.identity`."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        for block in self.blocks():
            digest.update(np.ascontiguousarray(block))
        for name in sorted(self.targets):
            digest.update(f"{name}:{','.join(self.classes[name])}".encode())
            digest.update(np.ascontiguousarray(self.targets[name]))
        for part in ("votes", "intensities"):
            for name, values in sorted(getattr(self, part).items()):
                digest.update(f"{part} of {name}".encode() + np.ascontiguousarray(values).tobytes())
        for part in ("subjects", "split"):
            values = getattr(self, part)
            digest.update(f"{part}:{None if values is None else values.tolist()}".encode())
        return digest.hexdigest()

    def is_multilabel(self, target: str) -> bool:
        """True where `target` holds K independent 0/1 labels an image, False where it holds one class
        index."""
        return self.targets[target].ndim == 2

    def labelled(self, target: str) -> np.ndarray:
        """bool (N,): which images carry a label of `target`; of several labels, at least one."""
        values = self.targets[target]
        return ~np.isnan(values).all(1) if self.is_multilabel(target) else values != UNLABELLED

    def take(self, indices) -> "FaceSet":
        """The images at `indices` (an index array or a boolean mask), in that order; an index may stand
        twice."""

        def pick(values):
            return None if values is None else values[indices]

        return replace(
            self,
            images=self.images.take(indices) if isinstance(self.images, OnDisk) else self.images[indices],
            targets={name: values[indices] for name, values in self.targets.items()},
            votes={name: values[indices] for name, values in self.votes.items()},
            intensities={name: values[indices] for name, values in self.intensities.items()},
            subjects=pick(self.subjects),
            names=pick(self.names),
            split=pick(self.split),
        )

    def blocks(self):
        """The images a block at a time, uint8 (B, H, W, C)."""
        return (self.images[start : start + BLOCK] for start in range(0, len(self), BLOCK))

    def brightest(self) -> np.ndarray:
        """uint8 (N,): the highest value of each image; 0 where it is black."""
        found = [block.reshape(len(block), -1).max(1) for block in self.blocks()]
        return np.concatenate(found) if found else np.empty(0, np.uint8)

    def grey(self) -> "FaceSet":
        """The same images with one channel, weighted as ITU-R BT.601 does (0.299 R + 0.587 G + 0.114 B)."""
        if self.images.shape[-1] == 1:
            return self
        images = self.images.with_channels(1) if isinstance(self.images, OnDisk) else grey(self.images)
        return replace(self, images=images, source=f"{self.source}, grey")

    def renamed(self, target: str, name: str) -> "FaceSet":
        """The same images with a target under another name."""
        parts = {}
        for part in ("targets", "classes", "votes", "intensities"):
            values = getattr(self, part)
            parts[part] = {name if key == target else key: value for key, value in values.items()}
        return replace(self, **parts)

    def only(self, target: str, names) -> "FaceSet":
        """With images of other classes than `names` unlabelled in `target`. Raises ValueError for a class
        that it has not."""
        classes = self.classes[target]
        for name in names:
            if name not in classes:
                raise ValueError(f"{target}: expected classes out of {', '.join(classes)}, got '{name}'")
        labels = self.targets[target]
        kept = np.isin(labels, [classes.index(name) for name in names])
        return replace(self, targets=self.targets | {target: np.where(kept, labels, UNLABELLED)})

    def captions(self, most: int = 2) -> list[str]:
        """What each image is labelled as, a line a target, of the first `most` targets with one class an
        image."""
        captions = []
        for i in range(len(self)):
            said = []
            for target, values in self.targets.items():
                if not self.is_multilabel(target) and values[i] != UNLABELLED:
                    said.append(self.classes[target][values[i]])
            captions.append("\n".join(said[:most]))
        return captions

    def counts(self, target: str) -> dict[str, int]:
        """How many images carry each class (or each label) of `target`, in the order of `classes`."""
        values = self.targets[target]
        if self.is_multilabel(target):
            totals = np.nansum(values, axis=0).astype(int)
        else:
            totals = np.bincount(values[values != UNLABELLED], minlength=len(self.classes[target]))
        return dict(zip(self.classes[target], totals.tolist()))


def joined(sets: list[FaceSet], targets=None) -> FaceSet:
    """The images of several sets as one, in memory.

    Args:
        sets: of one size and number of channels.
        targets: those to keep, None = all that any of them has. A set that lacks one of several is not
            labelled in it. Of a set that knows emotions but not smiles, happy faces count as smiling.

    Raises:
        ValueError: where a set has none of the targets, or differs in classes, size or channels from another.
    """
    if targets is None:
        targets = list(dict.fromkeys(name for faces in sets for name in faces.targets))
    sets = [_with_smile(faces) if "smile" in targets else faces for faces in sets]
    first, classes = sets[0], {}
    for faces in sets:
        if not set(targets) & set(faces.targets):
            raise ValueError(f"target '{targets[0]}': {faces.source} has other classes, or none")
        for target in filter(faces.targets.__contains__, targets):
            if classes.setdefault(target, faces.classes[target]) != faces.classes[target]:
                raise ValueError(f"target '{target}': {faces.source} has other classes than a set before it")
        if faces.images.shape[1:] != first.images.shape[1:]:
            shapes = f"{faces.images.shape[1:]} and {first.images.shape[1:]}"
            raise ValueError(
                f"images of {faces.source} and of {first.source} differ in size or channels: {shapes}"
            )
    known = {name: next(faces.targets[name] for faces in sets if name in faces.targets) for name in classes}
    named = all(faces.names is not None for faces in sets)
    return FaceSet(
        images=np.concatenate([faces.images[:] for faces in sets]),
        targets={
            name: np.concatenate([_labels(faces, name, known[name]) for faces in sets]) for name in known
        },
        classes={name: classes[name] for name in known},
        names=np.concatenate([faces.names for faces in sets]) if named else None,
        source=" and ".join(faces.source for faces in sets),
    )


def _labels(faces: FaceSet, target: str, like: np.ndarray) -> np.ndarray:
    """The labels of a target; of a set without it as many unlabelled ones, of the same kind as `like`."""
    if target in faces.targets:
        return faces.targets[target]
    return np.full((len(faces), *like.shape[1:]), UNLABELLED if like.ndim == 1 else np.nan, like.dtype)


def _with_smile(faces: FaceSet) -> FaceSet:
    if "smile" in faces.targets or "emotion" not in faces.targets:
        return faces
    emotion = faces.targets["emotion"]
    smile = np.where(emotion == UNLABELLED, UNLABELLED, emotion == faces.classes["emotion"].index("happy"))
    return replace(
        faces,
        targets=faces.targets | {"smile": smile.astype(np.int64)},
        classes=faces.classes | {"smile": SMILES},
    )


def _check_images(images):
    if not isinstance(images, (np.ndarray, OnDisk)) or images.dtype != np.uint8:
        raise ValueError(
            f"images: expected a uint8 array, got {getattr(images, 'dtype', type(images).__name__)}"
        )
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"images: expected shape (N, H, W, 1) or (N, H, W, 3), got {images.shape}")


def _check_target(name, values, n_classes, n):
    if len(values) != n:
        raise ValueError(f"target '{name}': expected {n} values, one an image, got {len(values)}")
    if values.ndim == 1 and values.dtype == np.int64:
        outside = (values < UNLABELLED) | (values >= n_classes)
        if outside.any():
            i = int(np.flatnonzero(outside)[0])
            expected = f"expected -1 (not labelled) or 0 to {n_classes - 1}"
            raise ValueError(f"target '{name}': image {i} has class {values[i]}, {expected}")
    elif values.ndim == 2 and values.dtype == np.float32:
        if values.shape[1] != n_classes:
            raise ValueError(f"target '{name}': {values.shape[1]} columns for {n_classes} labels")
        if not np.isin(values[~np.isnan(values)], (0, 1)).all():
            raise ValueError(f"target '{name}': expected 0, 1 or NaN (not coded)")
    else:
        raise ValueError(
            f"target '{name}': expected int64 (N,) or float32 (N, K), got {values.dtype} {values.shape}"
        )


def _check_votes(name, votes, labels, n_classes):
    if labels is None or labels.ndim != 1:
        raise ValueError(f"votes of '{name}': expected those of a target with one class an image")
    if votes.dtype != np.float32 or votes.shape != (len(labels), n_classes):
        expected = f"float32 ({len(labels)}, {n_classes})"
        raise ValueError(f"votes of '{name}': expected {expected}, got {votes.dtype} {votes.shape}")
    shares = votes[~np.isnan(votes).all(1)]
    if not (np.isfinite(shares).all() and (shares >= 0).all() and np.allclose(shares.sum(1), 1, atol=1e-4)):
        raise ValueError(f"votes of '{name}': expected shares of 0 or more that sum to 1, or NaN")


def _check_intensities(name, values, labels):
    if labels is None or labels.ndim != 2 or values.dtype != np.float32 or values.shape != labels.shape:
        raise ValueError(f"intensities of '{name}': expected float32 in the shape of a target of K labels")
    if (((values == 0) & (labels == 1)) | (values < 0) | (values > 5) | ((values > 0) & (labels != 1))).any():
        raise ValueError(f"intensities of '{name}': expected 0 where absent, 1 to 5 or NaN where present")


def grey(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 3) -> (N, H, W, 1), weighted as ITU-R BT.601 does."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    result = np.empty((*images.shape[:3], 1), np.uint8)
    for i, image in enumerate(images):
        result[i, ..., 0] = np.rint(image @ weights)
    return result


def resize(image, size) -> np.ndarray:
    """uint8 (H, W, C) -> (size, size, C): the mean over the area that each pixel covers; enlarged
    linearly."""
    if image.shape[:2] == (size, size):
        return image
    shrinks = image.shape[0] >= size and image.shape[1] >= size
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.reshape(size, size, -1)


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 (N, H, W, C) -> (N, size, size, C), each image as `resize` does it."""
    if images.shape[1:3] == (size, size):
        return images
    result = np.empty((len(images), size, size, images.shape[-1]), np.uint8)
    for i, image in enumerate(images):
        result[i] = resize(image, size)
    return result
