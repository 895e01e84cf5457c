"""Fixtures that several test files share."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from labkit.benches import browser
from labkit.faces import FaceSet

ROOT = Path(__file__).resolve().parents[1]

needs_browser = pytest.mark.skipif(
    browser.executable() is None
    and os.environ.get("LABKIT_BROWSER_TESTS") != "required",  # as .ci/run sets it: fail, never skip
    reason=browser.MISSING,
)


def _make_faces(n=48, size=16, channels=1, seed=0) -> FaceSet:
    """Noise with a bright left half (class 1) or right half (class 0): any network learns `side` within a few
    epochs.

    `marks`: two 0/1 labels an image, that is the side and its opposite; every fourth image is not coded."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 100, (n, size, size, channels), dtype=np.uint8)
    side = np.arange(n) % 2
    images[side == 1, :, : size // 2] += 150
    images[side == 0, :, size // 2 :] += 150
    marks = np.stack([side, 1 - side], 1).astype(np.float32)
    marks[::4] = np.nan
    return FaceSet(
        images,
        targets={"side": side.astype(np.int64), "marks": marks},
        classes={"side": ("right", "left"), "marks": ("left", "right")},
        subjects=np.array([f"S{i // 4:02d}" for i in range(n)]),
        names=np.array([f"{i:03d}.png" for i in range(n)]),
        split=np.array(["public_test" if i % 6 == 5 else "train" for i in range(n)]),
        source="two halves",
    )


@pytest.fixture(scope="session")
def make_faces():
    """`make_faces(n, size, channels, seed)`: a FaceSet that is trivial to learn."""
    return _make_faces


@pytest.fixture(scope="session")
def faces():
    return _make_faces()


@pytest.fixture(scope="module")
def one_thread():
    """Networks this small gain nothing from threads, and wait long for them where other processes run."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run_quick(folder: Path):
    """All notebooks in the quick profile, as `make report` does, into a folder of its own."""
    from labkit import reports

    return reports.report("quick", data_dir=folder / "no data", reports_dir=folder)


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory):
    """A `reports` folder with the plan and the published figures, and nothing made yet."""
    folder = tmp_path_factory.mktemp("reports")
    shutil.copy(ROOT / "reports" / "plan.toml", folder)
    shutil.copytree(ROOT / "reports" / "published", folder / "published")
    return folder


@pytest.fixture(scope="session")
def first_run(quick_folder):
    """What became of each notebook. They are run once for all tests: minutes. As they ran, they lie in
    quick/notebooks."""
    return {outcome.notebook: outcome for outcome in run_quick(quick_folder).notebooks}
