"""`labkit.faces`: what a FaceSet promises, what it refuses, and when its fingerprint moves."""

import hashlib
import re
import tracemalloc
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from labkit.faces import FaceSet, OnDisk


def test_it_is_frozen_and_says_what_it_holds(faces):
    with pytest.raises(FrozenInstanceError):
        faces.source = "another"
    assert len(faces) == 48
    assert repr(faces) == "FaceSet(48 grey images of 16x16; targets side, marks; two halves)"
    assert repr(FaceSet(np.zeros((2, 3, 5, 3), np.uint8))) == "FaceSet(2 RGB images of 5x3; targets none; )"
    assert not faces.is_multilabel("side") and faces.is_multilabel("marks")


def test_take_picks_everything_in_the_order_asked_for(faces):
    chosen = [5, 5, 2, 40]
    taken = faces.take(chosen)
    for i, j in enumerate(chosen):
        np.testing.assert_array_equal(taken.images[i], faces.images[j])
        for name in faces.targets:
            np.testing.assert_array_equal(taken.targets[name][i], faces.targets[name][j])
        assert (taken.subjects[i], taken.names[i], taken.split[i]) == (
            faces.subjects[j],
            faces.names[j],
            faces.split[j],
        )
    mask = faces.targets["side"] == 1
    assert taken.classes == faces.classes
    assert faces.take(mask).names.tolist() == faces.names[1::2].tolist()
    bare = FaceSet(faces.images).take([1, 2])
    assert bare.subjects is None and bare.names is None and bare.split is None


def test_grey_agrees_with_opencv(make_faces):
    colour = make_faces(channels=3)
    grey = colour.grey()
    assert grey.images.shape == (48, 16, 16, 1)
    for image, of_grey in zip(colour.images, grey.images):
        expected = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(int)
        assert np.abs(of_grey[..., 0] - expected).max() <= 1  # OpenCV rounds its fixed point weights
    assert grey.source == "two halves, grey"
    assert grey.grey() is grey


def test_counts_leave_out_what_is_not_labelled():
    labels = np.array([0, 2, 2, -1, -1], np.int64)
    marks = np.array([[1, np.nan], [0, 1], [1, 1], [np.nan, np.nan], [0, 0]], np.float32)
    faces = FaceSet(
        np.zeros((5, 4, 4, 1), np.uint8),
        {"emotion": labels, "marks": marks},
        {"emotion": ("a", "b", "c"), "marks": ("x", "y")},
    )
    assert faces.counts("emotion") == {"a": 1, "b": 0, "c": 2}
    assert list(faces.counts("emotion")) == ["a", "b", "c"]
    assert faces.counts("marks") == {"x": 2, "y": 2}


def test_the_fingerprint_follows_pixels_labels_and_partitions_only(faces, make_faces):
    assert make_faces().fingerprint == faces.fingerprint
    assert len(faces.fingerprint) == len(hashlib.sha256().hexdigest())
    assert replace(faces, source="elsewhere", names=None).fingerprint == faces.fingerprint
    backwards = replace(faces, targets=dict(reversed(faces.targets.items())))
    assert backwards.fingerprint == faces.fingerprint
    assert faces.take(np.arange(48)).fingerprint == faces.fingerprint
    assert replace(faces, images=np.asfortranarray(faces.images)).fingerprint == faces.fingerprint

    pixel, label = faces.images.copy(), faces.targets["side"].copy()
    pixel[0, 0, 0, 0] ^= 1
    label[0] = -1
    changed = [
        replace(faces, images=pixel),
        replace(faces, targets=faces.targets | {"side": label}),
        replace(faces, classes=faces.classes | {"side": ("left", "right")}),
        replace(faces, images=faces.images.reshape(48, 8, 32, 1)),
        faces.take(np.arange(47, -1, -1)),
        replace(faces, targets={"side": faces.targets["side"]}, classes={"side": faces.classes["side"]}),
        replace(faces, subjects=faces.subjects[::-1]),
        replace(faces, subjects=None),
        replace(faces, split=faces.split[::-1]),
    ]
    assert len({faces.fingerprint, *(c.fingerprint for c in changed)}) == 10


IMAGES = np.zeros((3, 4, 4, 1), np.uint8)
THREE = np.zeros(3, np.int64)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"images": [[0]]}, "images: expected a uint8 array, got list"),
        ({"images": IMAGES / 255}, "images: expected a uint8 array, got float64"),
        ({"images": IMAGES[0]}, r"images: expected shape \(N, H, W, 1\) or \(N, H, W, 3\), got \(4, 4, 1\)"),
        ({"images": np.zeros((3, 4, 4, 4), np.uint8)}, r"got \(3, 4, 4, 4\)"),
        ({"classes": {}}, r"targets \['y'\] and classes \[\] must name the same labels"),
        ({"targets": {"y": THREE[:2]}}, "target 'y': expected 3 values, one an image, got 2"),
        (
            {"targets": {"y": THREE + 2}},
            "target 'y': image 0 has class 2, expected -1 .not labelled. or 0 to 1",
        ),
        ({"targets": {"y": np.array([0, -2, 0])}}, "target 'y': image 1 has class -2"),
        (
            {"targets": {"y": THREE.astype(np.int32)}},
            r"target 'y': expected int64 \(N,\) or float32 \(N, K\), got int32 \(3,\)",
        ),
        ({"targets": {"y": np.zeros((3, 3), np.float32)}}, "target 'y': 3 columns for 2 labels"),
        ({"targets": {"y": np.full((3, 2), 0.5, np.float32)}}, "target 'y': expected 0, 1 or NaN"),
        ({"subjects": np.array(["a"])}, "subjects: expected 3 values, one an image, got 1"),
        ({"names": np.array(["a"] * 4)}, "names: expected 3 values, one an image, got 4"),
        ({"split": np.array([])}, "split: expected 3 values, one an image, got 0"),
    ],
)
def test_what_does_not_fit_is_refused(fields, message):
    with pytest.raises(ValueError, match=message) as error:
        FaceSet(**{"images": IMAGES, "targets": {"y": THREE}, "classes": {"y": ("no", "yes")}} | fields)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux alone says what a process holds")
def test_what_was_read_from_disk_does_not_stay_in_memory(tmp_path):
    np.save(tmp_path / "i.npy", np.ones((2000, 100, 100, 3), np.uint8))  # 60 MB
    images = OnDisk(np.load(tmp_path / "i.npy", mmap_mode="r"))

    def held() -> int:  # kilobytes of files
        return int(re.search(r"RssFile:\s+(\d+)", Path("/proc/self/status").read_text()).group(1))

    before = held()
    assert all(images[i : i + 100].min() == 1 for i in range(0, 2000, 100))
    assert held() - before < 10_000


def test_images_on_disk_are_shrunk_without_ever_being_all_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "i.npy", rng.integers(0, 256, (3000, 64, 64, 3), dtype=np.uint8))  # 37 MB
    images = OnDisk(np.load(tmp_path / "i.npy", mmap_mode="r"), size=8, channels=1)
    tracemalloc.start()
    shrunk = images[:]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shrunk.shape == (3000, 8, 8, 1) and peak < 25e6
    np.testing.assert_array_equal(images[2999], shrunk[2999])
    assert images.take(np.arange(3000) > 2990).shape[0] == 9 and len(images[[]]) == 0
    none = FaceSet(images).take([])
    assert len(none.brightest()) == 0 and len(none.grey()) == 0


def test_votes_are_checked_and_go_where_their_images_go(faces):
    votes = np.full((len(faces), 2), 0.5, np.float32)
    votes[0] = np.nan
    asked = replace(faces, votes={"side": votes})
    assert asked.fingerprint != faces.fingerprint
    assert asked.renamed("side", "half").votes["half"] is votes and len(asked.take([3, 4]).votes["side"]) == 2
    for wrong, message in (
        ({"marks": votes}, "votes of 'marks': expected those of a target with one class an image"),
        ({"side": votes[:5]}, r"votes of 'side': expected float32 \(48, 2\), got float32 \(5, 2\)"),
        ({"side": votes * 2}, "votes of 'side': expected shares of 0 or more that sum to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(faces, votes=wrong)
