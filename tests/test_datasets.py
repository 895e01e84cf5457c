"""`labkit.datasets`: import, cache, load and check, and everything that may go wrong on the way."""

import dataclasses
import os
import re
import shutil
import threading
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from downloads import (
    ck_photographs,
    encoded,
    genki,
    noise,
    refuse,
    tarred,
    write,
    zipped,
)

from labkit import datasets, places
from labkit.faces import OnDisk
from labkit.formats import cache, decoding
from labkit.formats.reading import Reading

# Pictures, wrong files, and what is not there


def test_a_picture_that_claims_to_be_huge_is_not_decoded():
    size = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    header = b"\x89PNG\r\n\x1a\n\0\0\0\r" + size + zlib.crc32(size).to_bytes(4, "big")
    jpeg = bytearray(encoded(noise(30, 40), ".jpg"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = (50_000).to_bytes(2, "big") * 2
    for data in (header + b"\0\0\0\0IDAT", bytes(jpeg)):
        with pytest.raises(ValueError, match="000 pixels; refused"):
            decoding.decode(data, 3)


def test_a_picture_that_is_cut_off_is_refused_even_where_its_thumbnail_is_complete():
    thumbnail, whole = encoded(noise(20, 20), ".jpg"), encoded(noise(200, 200), ".jpg")
    with_thumbnail = whole[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + whole[2:]
    np.testing.assert_array_equal(decoding.decode(with_thumbnail, 3), decoding.decode(whole, 3))
    for data in (
        with_thumbnail,
        whole,
        encoded(noise(200, 200, 1), ".jpg"),
        encoded(noise(90, 80)),
        encoded(noise(90, 80, 1)),
    ):
        for cut in (20, 100, len(data) // 2, len(data) - 30, len(data) - 3):
            with pytest.raises(ValueError, match="cut off"):
                decoding.decode(data[:-cut], 3)


def test_another_data_sets_files_are_named(tmp_path):
    g, f = (
        tarred(tmp_path / "g.tar", genki()[1]),
        write(tmp_path, {"fer2013.csv": "emotion,pixels,Usage\n"}) / "fer2013.csv",
    )
    c = zipped(tmp_path / "c.zip", ck_photographs()[1])
    for name, file, title in [
        ("fer2013", g, "GENKI-4K"),
        ("genki4k", f, "FER2013"),
        ("genki4k", c, "CK+"),
        ("ckplus", g, "GENKI-4K"),
        ("attributes", f, "FER2013"),
    ]:
        refuse(
            tmp_path,
            name,
            file,
            f"is not laid out as {datasets.SOURCES[name].title}",
            f"looks like {title}",
            "python -m labkit data import",
        )
    nested = zipped(tmp_path / "n.zip", {"x/fer2013.tar.gz": b"\x1f\x8b"})
    refuse(tmp_path, "fer2013", nested, "x/fer2013.tar.gz: unpack that")


def test_a_missing_data_set_is_a_lesson(tmp_path):
    with pytest.raises(datasets.DataMissing) as caught:
        datasets.load("genki4k", tmp_path)
    assert isinstance(caught.value, FileNotFoundError)
    for words in (
        str(tmp_path / "genki4k"),
        "https://inc.ucsd.edu/mplab/398/",
        "python -m labkit data import genki4k FILE",
        "built-in faces",
    ):
        assert words in str(caught.value)
    for call in (datasets.load, datasets.check, datasets.available):
        with pytest.raises(
            ValueError, match="'mnist': expected one of builtin, genki4k, fer2013, ckplus, attributes"
        ):
            call("mnist", tmp_path)
    assert datasets.available("builtin", tmp_path)


def test_the_readme_names_every_source():
    readme = (Path(__file__).parent.parent / "data" / "README.md").read_text(encoding="utf-8")
    for name, source in datasets.SOURCES.items():
        assert f"data import {name} " in readme
        for address in re.findall(r"https://[^\s:,)]+", source.get):
            assert address.rstrip("/") in readme


# The cache


@pytest.fixture
def imported(tmp_path):
    _, files = genki()
    file = tarred(tmp_path / "g.tar", files)
    datasets.import_data("genki4k", file, tmp_path / "data", progress=False)
    return file, tmp_path / "data"


def test_load_options(imported):
    _, data = imported
    whole = datasets.load("genki4k", data)
    small = datasets.load("genki4k", data, size=48)
    np.testing.assert_array_equal(
        small.images[3], cv2.resize(whole.images[3], (48, 48), interpolation=cv2.INTER_AREA)
    )
    assert datasets.load("genki4k", data, n=3).names.tolist() == [
        "file0001.jpg",
        "file0003.jpg",
        "file0005.jpg",
    ]
    assert len(datasets.load("genki4k", data, n=99)) == 5
    np.testing.assert_array_equal(datasets.load("genki4k", data, colour=False).images, whole.grey().images)
    assert whole.images.flags.writeable and whole.source == "GENKI-4K, photo"
    for options, words in [
        ({"view": "side"}, "view 'side': expected one of photo, face"),
        ({"seed": 1}, "option 'seed'"),
        ({"n": 0}, "1 or more"),
    ]:
        with pytest.raises(ValueError, match=words):
            datasets.load("genki4k", data, **options)


def test_builtin_passes_its_options_on():
    pytest.importorskip("labkit.synthetic")
    faces = datasets.load("builtin", size=32, n=3, seed=5)
    assert faces.images.shape == (3, 32, 32, 3)
    with pytest.raises(ValueError, match="view 'photo'"):
        datasets.load("builtin", view="photo", n=3)


def test_limit_imports_a_part(tmp_path):
    _, files = genki()
    summary = datasets.import_data(
        "genki4k", tarred(tmp_path / "g.tar", files), tmp_path / "data", progress=False, limit=2
    )
    assert summary["images"] == 2 and datasets.load("genki4k", tmp_path / "data").names.tolist() == [
        "file0001.jpg",
        "file0005.jpg",
    ]


def test_import_is_repeatable_and_gives_the_same(imported):
    file, data = imported
    before = datasets.check("genki4k", data)
    summary = datasets.import_data("genki4k", file, data, progress=False)
    assert {name: summary[name] for name in before} == before
    assert [path.name for path in data.iterdir()] == ["genki4k"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("earlier", [True, False])
def test_a_broken_off_import_leaves_nothing_new(tmp_path, monkeypatch, error, earlier):
    file = tarred(tmp_path / "g.tar", genki()[1])
    data = tmp_path / "data"
    if earlier:
        datasets.import_data("genki4k", file, data, progress=False)
    before = datasets.check("genki4k", data) if earlier else None
    crop = decoding.face_crop
    calls = []

    def stops(picture, size):
        calls.append(1)
        if len(calls) == 3:
            raise error("in the middle")
        return crop(picture, size)

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "face_crop", stops)
        with pytest.raises(error):
            datasets.import_data("genki4k", file, data, progress=False)
    assert [path.name for path in data.iterdir()] == ["genki4k"] * earlier
    if earlier:
        assert datasets.check("genki4k", data) == before
    datasets.import_data("genki4k", file, data, progress=False)
    assert len(datasets.load("genki4k", data)) == 5


def test_two_imports_at_once(tmp_path):
    file = tarred(tmp_path / "g.tar", genki()[1])
    failures = []

    def work():
        try:
            for _ in range(4):
                datasets.import_data("genki4k", file, tmp_path / "data", progress=False)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(datasets.load("genki4k", tmp_path / "data")) == 5
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["genki4k"]


def test_what_is_read_during_an_import_is_one_set_or_the_other(tmp_path):
    content = genki()[1]
    files = [tarred(tmp_path / name, content) for name in ("a.tar", "b.tar")]
    data, failures = tmp_path / "data", []
    datasets.import_data("genki4k", files[0], data, progress=False)
    writers = [
        threading.Thread(
            target=lambda file=file: [
                datasets.import_data("genki4k", file, data, progress=False) for _ in range(5)
            ]
        )
        for file in files
    ]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        try:
            assert len(datasets.load("genki4k", data)) == 5 and datasets.available("genki4k", data)
            reads += 1
        except (ValueError, OSError) as error:
            failures.append(error)
    assert failures == [] and reads > 10


def test_an_import_killed_between_its_two_renames_is_undone(imported):
    _, data = imported
    (data / "genki4k").rename(data / ".genki4k-1-abc-old")
    assert datasets.available("genki4k", data) and len(datasets.load("genki4k", data)) == 5
    (data / "genki4k").rename(data / ".genki4k-1-abc-old")
    os.utime(data / ".genki4k-1-abc-old", (time.time() - 2 * places.STALE_SECONDS,) * 2)
    with pytest.raises(FileNotFoundError):
        datasets.import_data("genki4k", tmp := data / "nothing.tar", data, progress=False)
    assert not tmp.exists() and len(datasets.load("genki4k", data)) == 5


def test_a_file_where_the_data_set_should_be_stays(tmp_path):
    file = tarred(tmp_path / "g.tar", genki()[1])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "genki4k").write_text("mine")
    with pytest.raises(FileExistsError, match="genki4k is a file"):
        datasets.import_data("genki4k", file, tmp_path / "data", progress=False)
    assert (tmp_path / "data" / "genki4k").read_text() == "mine"


@pytest.mark.parametrize(
    "about",
    ["[]", "3", "null", "{}", '{"version": 2}', '{"version": 2, "views": ["face"]}', "\u0000", "{", '"text"'],
)
def test_a_description_of_another_shape_is_one_line(imported, about):
    _, data = imported
    (data / "genki4k" / "about.json").write_text(about)
    for call in (datasets.load, datasets.check, datasets.identity, datasets.views):
        with pytest.raises(ValueError, match="genki4k: damaged or written by another version"):
            call("genki4k", data)


def test_leftovers_of_killed_imports_are_removed(imported):
    file, data = imported
    old, young = data / ".genki4k-1-abc", data / ".genki4k-2-abc"
    for folder in (old, young):
        write(folder, {"photo.npy": b"part"})
    os.utime(old, (time.time() - 2 * places.STALE_SECONDS,) * 2)
    datasets.import_data("genki4k", file, data, progress=False)
    assert not old.exists() and young.exists()


def test_a_full_disk_and_a_closed_folder(tmp_path, monkeypatch):
    file = tarred(tmp_path / "g.tar", genki()[1])
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OSError, match=r"cannot write to .*taken.*; give another data_dir"):
        datasets.import_data("genki4k", file, tmp_path / "taken", progress=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1000))
    refuse(tmp_path, "genki4k", file, "MB are free", error=OSError)


def test_check_finds_a_changed_or_damaged_cache(imported):
    _, data = imported
    path = data / "genki4k" / "face.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert any(
        "view 'face' has changed" in problem for problem in datasets.check("genki4k", data)["problems"]
    )
    path.write_bytes(content[:-500])
    with pytest.raises(ValueError, match="cache is damaged"):
        datasets.check("genki4k", data)
    (data / "genki4k" / "about.json").write_text('{"version": 0}')
    for call in (datasets.load, datasets.check):
        with pytest.raises(ValueError, match="import it again: python -m labkit data import genki4k FILE"):
            call("genki4k", data)


def test_four_thousand_faces_load_at_another_size(tmp_path, monkeypatch):
    reading = Reading(
        layout="as downloaded",
        names=np.array([f"file{i:04d}.jpg" for i in range(4000)]),
        targets={"smile": np.zeros(4000, np.int64)},
        classes={"smile": ("not smiling", "smiling")},
        views={"photo": (96, 3)},
        images=np.zeros((4000, 96, 96, 3), np.uint8),
    )
    monkeypatch.setitem(
        datasets.SOURCES,
        "genki4k",
        dataclasses.replace(datasets.SOURCES["genki4k"], reader=lambda files, track: reading),
    )
    datasets.import_data("genki4k", write(tmp_path / "x", {"x": b"x"}), tmp_path / "data", progress=False)
    assert datasets.load("genki4k", tmp_path / "data", size=64).images.shape == (4000, 64, 64, 3)


# What a row belongs to


def test_the_identity_is_that_of_the_download_not_of_decoded_pixels(tmp_path, monkeypatch):
    """Another CPU decodes another last bit; the same files are the same data, whatever archive they lie
    in."""
    images, files = genki()
    datasets.import_data("genki4k", tarred(tmp_path / "g.tar", files), tmp_path / "a", progress=False)
    decode = decoding.decode
    with monkeypatch.context() as patch:
        patch.setattr(
            decoding,
            "decode",
            lambda data, channels: np.clip(decode(data, channels).astype(int) + 1, 0, 255).astype(np.uint8),
        )
        datasets.import_data("genki4k", zipped(tmp_path / "g.zip", files), tmp_path / "b", progress=False)
    for view in ("photo", "face"):
        assert datasets.identity("genki4k", tmp_path / "a", view) == datasets.identity(
            "genki4k", tmp_path / "b", view
        )
        assert not np.array_equal(*(datasets.load("genki4k", tmp_path / d, view=view).images for d in "ab"))
    assert datasets.identity("genki4k", tmp_path / "a") == datasets.identity(
        "genki4k", tmp_path / "a", "photo"
    )

    labels = files["genki4k/labels.txt"]
    relabelled = files | {"genki4k/labels.txt": labels.replace("1 0.300000", "0 0.300000")}
    assert relabelled != files
    datasets.import_data("genki4k", tarred(tmp_path / "r.tar", relabelled), tmp_path / "c", progress=False)
    datasets.import_data("genki4k", tmp_path / "g.tar", tmp_path / "d", progress=False, limit=len(images) - 1)
    monkeypatch.setattr("labkit.detect.CROP_VERSION", 2)
    datasets.import_data("genki4k", tmp_path / "g.tar", tmp_path / "e", progress=False)
    face, photo = (
        [datasets.identity("genki4k", tmp_path / d, view) for d in "acde"] for view in ("face", "photo")
    )
    assert len(set(face)) == 4 and len(set(photo)) == 3 and photo[0] == photo[3], (
        "the crop's version moves the crops alone"
    )
    assert len({*face, *photo}) == 7


def test_the_built_in_faces_are_those_of_a_version(tmp_path, monkeypatch):
    before = datasets.identity("builtin", tmp_path)
    monkeypatch.setattr("labkit.synthetic.VERSION", 0)
    assert datasets.identity("builtin", tmp_path) != before
    with pytest.raises(datasets.DataMissing):
        datasets.identity("genki4k", tmp_path)


def test_built_in_faces_are_drawn_once_for_all(tmp_path, monkeypatch):
    from labkit import synthetic

    drawn = []
    draw = synthetic.draw
    monkeypatch.setattr(synthetic, "draw", lambda *arguments: drawn.append(1) or draw(*arguments))
    options = {"size": 32, "seed": 5}
    first = datasets.load("builtin", tmp_path, n=6, **options)
    fewer, grey, more = (
        datasets.load("builtin", tmp_path, n=n, colour=c, **options)
        for n, c in ((4, True), (6, False), (9, True))
    )
    assert len(drawn) == 9, "the first six once, then three more"
    for faces, colour in ((first, True), (fewer, True), (grey, False), (more, True)):
        assert faces.fingerprint == synthetic.make(len(faces), colour=colour, **options).fingerprint
    file = next((tmp_path / "builtin").iterdir())
    file.write_bytes(b"no array")
    assert datasets.load("builtin", tmp_path, n=6, **options).fingerprint == first.fingerprint
    assert not list(tmp_path.glob("builtin/.*")), "nothing half-written stays"
    datasets.load("builtin", tmp_path / "nowhere", n=2, **options)
    assert not (tmp_path / "nowhere").exists(), "a data folder is not made by the way"


def test_images_that_do_not_fit_into_memory_stay_on_disk_and_are_the_same(imported, tmp_path, monkeypatch):
    data = imported[1]
    (tmp_path / "meminfo").write_text("MemTotal:  8000000 kB\nMemFree: 90000 kB\nMemAvailable:   1 kB\n")
    options = [{}, {"size": 32}, {"n": 3, "colour": False}, {"size": 40, "black": False, "view": "face"}]
    for option in options:
        here = datasets.load("genki4k", data, **option)
        with monkeypatch.context() as patch:
            patch.setattr(cache, "MEMORY", tmp_path / "meminfo")
            there = datasets.load("genki4k", data, **option)
        assert isinstance(here.images, np.ndarray) and isinstance(there.images, OnDisk)
        assert there.images.shape == here.images.shape and there.fingerprint == here.fingerprint
        np.testing.assert_array_equal(there.images[::-1], here.images[::-1])
        np.testing.assert_array_equal(there.images[1], here.images[1])
