"""Who trains, who is tested: index arrays into a `FaceSet`.

A `Split` holds int64 index arrays that share no image. Everything is drawn from `seed` alone. Taught in
notebook 01.
"""

import hashlib
import inspect
import warnings
from collections import defaultdict
from dataclasses import dataclass

import cv2
import numpy as np

from labkit.faces import UNLABELLED, FaceSet

FOLDS = 4
KEPT_BACK = ("private_test",)  # parts that a copy of the data may lack, since they are the exam
KINDS = (
    "random",
    "stratified",
    "official",
    "by_subject",
    "k_fold",
    "group_k_fold",
    "stratified_group_k_fold",
)


@dataclass(frozen=True, eq=False)
class Split:
    """int64 index arrays; `validation` chooses, `test` only measures. Either may be empty."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def make(
    faces: FaceSet, kind: str, seed: int = 0, test: float = 0.2, validation: float = 0.0, **options
) -> Split:
    """Split `faces` as `kind` says.

    Args:
        faces: what is split.
        kind: one of
            "random": every image alike; with `train_on`, target -> classes, only images of these classes
            train and validate, while the test part stays what it is without;
            "stratified": each class of `target` in the same shares;
            "by_subject": no person on both sides;
            "official": `faces.split`, where `train` trains and `test_name` tests; with `validation_name`
            these images validate, and the test part, which may be kept back, is empty where it is missing;
            "k_fold": `fold`, counted from 0, of `folds` is the test part;
            "group_k_fold": the same, and no person on both sides;
            "stratified_group_k_fold": the same, and each class of `target` in about the same share of every
                fold; `validation` is then one fold of the rest, the nearest to its share, at most half.
        seed: everything is drawn from it.
        test, validation: shares, 0 to below 1, of all images; by_subject: of all people; official and folds:
            `validation` of what trains (group_k_fold: of its people), `test` does not count.
        options: those named above.
    Raises:
        ValueError: for a kind, share, option or label that does not fit.
    Source:
        scikit-learn's `GroupKFold` and `StratifiedGroupKFold` draw the folds of the last two.
    """
    if kind not in KINDS:
        raise ValueError(f"split: expected kind to be one of {', '.join(KINDS)}, got '{kind}'")
    if kind == "official" or kind.endswith("k_fold"):
        test = 0.0  # their test part is no share
    if not (0 <= test < 1 and 0 <= validation < 1 and test + validation < 1):
        got = f"test {test}, validation {validation}"
        raise ValueError(f"split: shares must lie in 0..1 and leave something to train on, got {got}")
    makers = {
        "random": _random,
        "stratified": _stratified,
        "by_subject": _by_subject,
        "official": _official,
        "k_fold": _k_fold,
        "group_k_fold": _group_k_fold,
        "stratified_group_k_fold": _stratified_group_k_fold,
    }
    arguments = faces, np.random.default_rng(seed), test, validation
    try:
        inspect.signature(makers[kind]).bind(*arguments, **options)
    except TypeError as error:
        raise ValueError(f"split: {kind}: {error}") from error
    return makers[kind](*arguments, **options)


def _cut(order: np.ndarray, test: float, validation: float) -> Split:
    n_test, n_validation = round(len(order) * test), round(len(order) * validation)
    rest = order[n_test:]
    return Split(train=rest[n_validation:], validation=rest[:n_validation], test=order[:n_test])


def _join(parts: list[Split], rng) -> Split:
    def joined(name):
        return rng.permutation(np.concatenate([getattr(part, name) for part in parts]))

    return Split(joined("train"), joined("validation"), joined("test"))


def _random(faces, rng, test, validation, train_on=None):
    parts = _cut(rng.permutation(len(faces)), test, validation)
    chosen = np.ones(len(faces), bool)
    expected = "train_on: expected target -> a list of its classes"
    if not isinstance(train_on or {}, dict):
        raise ValueError(f"split: {expected}, got {train_on!r}")
    for target, classes in (train_on or {}).items():
        if not isinstance(classes, (list, tuple)) or not classes:
            raise ValueError(f"split: {expected}, got {target} = {classes!r}")
        of_target = faces.classes.get(target, ())
        if unknown := [name for name in classes if name not in of_target]:
            expected = ", ".join(of_target) or "no such target"
            raise ValueError(f"split: train_on: '{unknown[0]}' of {target}, expected {expected}")
        chosen &= np.isin(_class_labels(faces, target), [of_target.index(name) for name in classes])
    train = parts.train[chosen[parts.train]]
    if not len(train):
        raise ValueError(f"split: train_on {train_on}: no image of these is left to train on")
    return Split(train, parts.validation[chosen[parts.validation]], parts.test)


def _stratified(faces, rng, test, validation, target):
    labels = _class_labels(faces, target)
    parts = [_cut(rng.permutation(np.flatnonzero(labels == c)), test, validation) for c in np.unique(labels)]
    for c, part in zip(np.unique(labels), parts):
        if not len(part.train):
            name = faces.classes[target][c] if c != UNLABELLED else "no label"
            shares = f"test {test} and validation {validation}"
            raise ValueError(
                f"split: stratified: '{name}' has {(labels == c).sum()} images, too few for "
                f"{shares}: none trains"
            )
    return _join(parts, rng)


def _people(faces, kind) -> np.ndarray:
    """int64 (N,): a number for each person."""
    if faces.subjects is None:
        whose = faces.source or "this set"
        raise ValueError(f"split: {kind} needs to know who is in each picture, which {whose} does not say")
    return np.unique(faces.subjects, return_inverse=True)[1]


def _by_subject(faces, rng, test, validation):
    index = _people(faces, "by_subject")
    parts = _cut(rng.permutation(index.max() + 1), test, validation)
    people = (parts.train, parts.validation, parts.test)
    return Split(*(rng.permutation(np.flatnonzero(np.isin(index, p))) for p in people))


def _official(faces, rng, test, validation, test_name="public_test", validation_name=None):
    present = () if faces.split is None else np.unique(faces.split).tolist()
    for name in ("train", validation_name or test_name):
        if name not in present:
            has = ", ".join(present) or "no official split"
            raise ValueError(f"split: official needs images marked '{name}'; this set has {has}")
    if test_name not in (*present, *KEPT_BACK):
        has = f"{', '.join(present)}; {', '.join(KEPT_BACK)} may be missing"
        raise ValueError(f"split: test_name '{test_name}': this set has {has}")
    training = _cut(rng.permutation(np.flatnonzero(faces.split == "train")), 0, validation)
    watched = np.flatnonzero(faces.split == validation_name) if validation_name else training.validation
    return Split(training.train, watched, np.flatnonzero(faces.split == test_name))


def _check_fold(fold, folds):
    if folds < 2:
        raise ValueError(f"split: folds must be 2 or more, got {folds}")
    if not 0 <= fold < folds:
        raise ValueError(f"split: fold must be 0 to {folds - 1}, got {fold}")


def _k_fold(faces, rng, test, validation, fold, folds=FOLDS):
    _check_fold(fold, folds)
    if folds > len(faces):
        raise ValueError(f"split: {folds} folds of {len(faces)} images: at least one each")
    parts = np.array_split(rng.permutation(len(faces)), folds)
    rest = np.concatenate([p for i, p in enumerate(parts) if i != fold])
    inner = _cut(rest, 0, validation)
    return Split(inner.train, inner.validation, parts[fold])


def _folds_of(rng, folds, people, labels=None) -> list[np.ndarray]:
    """The index arrays of each fold; a person is in one alone."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    if folds > len(np.unique(people)):
        raise ValueError(f"split: {folds} folds of {len(np.unique(people))} people: at least one each")
    if labels is not None and folds > np.unique(labels, return_counts=True)[1].max():
        raise ValueError(f"split: {folds} folds, but no class has as many images")
    kind = GroupKFold if labels is None else StratifiedGroupKFold
    of_seed = kind(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():  # that some class has fewer images than there are folds
        warnings.simplefilter("ignore", UserWarning)
        return [part for _, part in of_seed.split(people, labels, people)]


def _group_k_fold(faces, rng, test, validation, fold, folds=FOLDS):
    _check_fold(fold, folds)
    people = _people(faces, "group_k_fold")
    tested = _folds_of(rng, folds, people)[fold]
    rest = np.setdiff1d(np.arange(len(faces)), tested)
    inner = _cut(rng.permutation(np.unique(people[rest])), 0, validation)
    if not len(inner.train):
        raise ValueError(f"split: validation {validation} of {len(people)} images leaves nobody to train on")
    parts = (np.isin(people, inner.train), np.isin(people, inner.validation))
    return Split(*(rng.permutation(np.flatnonzero(part)) for part in parts), rng.permutation(tested))


def _stratified_group_k_fold(faces, rng, test, validation, target, fold, folds=FOLDS):
    _check_fold(fold, folds)
    people, labels = _people(faces, "stratified_group_k_fold"), _class_labels(faces, target)
    tested = _folds_of(rng, folds, people, labels)[fold]
    rest = np.setdiff1d(np.arange(len(faces)), tested)
    watched = rest[:0]
    if validation:  # the nearest share that whole folds of the rest have
        shares = np.clip(round(1 / validation), 2, len(np.unique(people[rest])))
        watched = rest[_folds_of(rng, int(shares), people[rest], labels[rest])[0]]
    train = np.setdiff1d(rest, watched)
    return Split(rng.permutation(train), rng.permutation(watched), rng.permutation(tested))


def _class_labels(faces: FaceSet, target: str) -> np.ndarray:
    if target not in faces.targets:
        raise ValueError(f"target '{target}': expected one of {', '.join(faces.targets)}")
    if faces.is_multilabel(target):
        raise ValueError(
            f"target '{target}' holds several labels an image; expected one with one class an image"
        )
    return faces.targets[target]


def oversample(faces: FaceSet, train: np.ndarray, target: str, seed: int = 0) -> np.ndarray:
    """Training indices in which every class of `target` stands as often as the largest: images of the small
    classes are repeated, each as evenly as possible. Only ever give it training indices: a copy of a test
    image in training is a leak. Images without a label stay as they are."""
    labels = _class_labels(faces, target)[train]
    if not (labels != UNLABELLED).any():
        raise ValueError(f"target '{target}': no training image is labelled, nothing to oversample")
    rng = np.random.default_rng(seed)
    largest = max(np.bincount(labels[labels != UNLABELLED]))
    parts = [train[labels == UNLABELLED]]
    for c in np.unique(labels[labels != UNLABELLED]):
        members = train[labels == c]
        whole, rest = divmod(largest, len(members))
        parts += [np.tile(members, whole), rng.permutation(members)[:rest]]
    return rng.permutation(np.concatenate(parts))


def pixel_keys(images: np.ndarray) -> np.ndarray:
    """int64 (N,): the first 8 bytes of each image's sha256; the same for the same pixels."""
    digests = (hashlib.sha256(np.ascontiguousarray(image)).digest()[:8] for image in images)
    return np.frombuffer(b"".join(digests), "<i8").astype(np.int64)


def duplicates(faces: FaceSet) -> list[np.ndarray]:
    """Groups of two or more images with exactly the same pixels, as sorted index arrays."""
    groups = defaultdict(list)
    for i, key in enumerate(pixel_keys(faces.images).tolist()):
        groups[key].append(i)
    return [np.array(group) for group in groups.values() if len(group) > 1]


SIGNATURE = 16  # numbers an image


def signatures(images: np.ndarray) -> np.ndarray:
    """int8 (N, 16): a few numbers that tell pictures apart and survive what CPUs decode differently, another
    size, or grey for colour.

    images: uint8 (N, H, W, C). Each is shrunk to 16x16 grey pixels and projected on 16 fixed random
    directions (Johnson and Lindenstrauss 1984); one step is a fortieth of the deviation between pictures, far
    more than rounding moves them."""
    small = np.empty((len(images), 16, 16), np.float64)
    for i, image in enumerate(images):
        channels = [image[..., c].astype(np.float32) for c in range(image.shape[-1])]
        small[i] = cv2.resize(sum(channels) / len(channels), (16, 16), interpolation=cv2.INTER_AREA)
    directions = np.random.default_rng(0).standard_normal((256, SIGNATURE))
    return np.clip(np.rint((small.reshape(-1, 256) - 128) @ directions / 24), -128, 127).astype(np.int8)


def copied(images: np.ndarray, known: np.ndarray) -> np.ndarray:
    """bool (N,): which of `images`, uint8 (N, H, W, C), have a signature within one step of one of `known`,
    int8 (M, 16)."""
    from scipy.spatial import KDTree

    distance, _ = KDTree(known).query(signatures(images), p=np.inf, distance_upper_bound=1.5)
    return np.isfinite(distance)


def black(faces: FaceSet) -> np.ndarray:
    """Indices of the images whose highest pixel is 0."""
    return np.flatnonzero(faces.brightest() == 0)
