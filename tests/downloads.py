"""Downloads of the real layouts for the tests, small and made of noise, and what file managers leave among
them."""

import io
import tarfile
import zipfile

import cv2
import numpy as np
import pytest

from labkit import datasets
from labkit.labels import ACTION_UNITS

RANDOM = np.random.default_rng(7)
STRAY = {
    ".DS_Store": b"\0\1",
    "Thumbs.db": b"\xd0\xcf",
    "._file0001.jpg": b"\0\5",
    "__MACOSX/files/._file0001.jpg": b"\0\5",
    "notes.md": b"hi",
}
GREY = cv2.IMREAD_GRAYSCALE


def noise(height, width, channels=3):
    """A smooth random picture, which survives JPEG nearly unchanged; always the same for one shape."""
    coarse = np.random.default_rng([height, width, channels]).integers(
        0, 256, (4, 4, channels), dtype=np.uint8
    )
    return cv2.resize(coarse, (width, height)).reshape(height, width, channels)


def encoded(image, ending=".png"):
    image = image[..., ::-1] if image.shape[-1] == 3 else image
    return cv2.imencode(ending, image)[1].tobytes()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            content = content if isinstance(content, bytes) else content.encode()
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def load(tmp_path, name, file, **options):
    summary = datasets.import_data(name, file, tmp_path / "data", progress=False)
    return datasets.load(name, tmp_path / "data", **options), summary


def refuse(tmp_path, name, file, *words, error=ValueError):
    """`file` gives one line with all `words`, and leaves nothing."""
    with pytest.raises(error) as caught:
        datasets.import_data(name, file, tmp_path / "data", progress=False)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    assert not list((tmp_path / "data").glob("*")) and not list((tmp_path / "data").glob(".*"))
    assert not datasets.available(name, tmp_path / "data")


def genki(count=5, ending="\n"):
    photos = [noise(60 + 7 * i, 50 + 3 * i, 1 if i == 1 else 3) for i in range(count)]
    yaws = [0.0, 0.3, -0.3, 0.24, -0.26][:count]
    labels = "".join(f"{i % 2} {yaw:.6f} 0.01 -0.02{ending}" for i, yaw in enumerate(yaws))
    files = {f"genki4k/files/file{i + 1:04d}.jpg": encoded(photo, ".jpg") for i, photo in enumerate(photos)}
    files |= {"genki4k/labels.txt": labels} | {f"genki4k/{name}": content for name, content in STRAY.items()}
    return photos, dict(RANDOM.permutation(np.array(list(files.items()), object)).tolist())


def fer(count=9):
    images = RANDOM.integers(0, 256, (count, 48, 48, 1), dtype=np.uint8)
    emotions = [i % 7 for i in range(count)]
    usages = ["Training"] * (count - 4) + ["PublicTest"] * 2 + ["PrivateTest"] * 2
    return images, emotions, usages


def fer_row(image, *before, after=()):
    return ",".join([*map(str, before), " ".join(map(str, image.ravel())), *after])


COLUMNS = [
    "subject",
    "sequence",
    "image_index",
    "filepath",
    "file_prefix",
    *ACTION_UNITS,
    "high_level_emotion",
]


def ck_table(rows):
    """rows: (subject, sequence, image number, units, emotion)."""
    lines = [",".join(COLUMNS)]
    for subject, sequence, number, units, emotion in rows:
        prefix = f"{subject}_{sequence:03d}_{number:08d}"
        path = f"cohn-kanade-images/{subject}/{sequence:03d}/{prefix}.png"
        lines.append(",".join([subject, f"{sequence:03d}", str(number), path, prefix, *units, emotion]))
    return "\n".join(lines)


CK_ROWS = [
    ("S005", 1, 11, list("010010000100001"), "negative"),
    ("S005", 2, 14, list("000000000011000"), "positive"),
    ("S010", 4, 17, ["1", "", *"1110000000000"], "surprise"),
]


def ck_photographs():
    images = [noise(490, 640, 1), noise(480, 720, 3), noise(490, 640, 1)]
    names = [f"cohn-kanade-images/{s}/{q:03d}/{s}_{q:03d}_{n:08d}.png" for s, q, n, _, _ in CK_ROWS]
    neutral = {
        "cohn-kanade-images/S005/001/S005_001_00000001.png": encoded(images[0])
    }  # no row: the whole data set has 10,000 frames
    return images, dict(zip(names, map(encoded, images))) | neutral | {
        f"S005/{name}": content for name, content in STRAY.items()
    }


OWN = """name,wrinkles,freckles,glasses,hair_colour,hair_top,not_human,annotator
a.png,1,no,,4,Bald,0,ann
sub/b.jpg,-1,0,yes,brown,hat,,ann
c.png,0,0,0,0,0,1,ann
"""


def photographs():
    images = {"a.png": noise(300, 200), "sub/b.jpg": noise(150, 260), "c.png": noise(200, 200, 1)}
    return images, {name: encoded(image, name[-4:]) for name, image in images.items()}
