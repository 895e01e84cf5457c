"""Bad inputs of every kind, each built where it is used. `KINDS` is the list: name -> what is done with one,
in an empty folder. That refuses it in one line, as ValueError or OSError, or returns what was said of it.

`tests/test_bad_inputs.py` tries each once; `tests/torture.py` repeats them, and damages them at random."""

import io
import json
import os
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import torch
from downloads import (
    CK_ROWS,
    OWN,
    ck_photographs,
    ck_table,
    encoded,
    fer,
    fer_row,
    genki,
    noise,
    photographs,
    tarred,
    write,
    zipped,
)
from PIL import Image

from labkit import camera, datasets, evaluation, models, plan, runs

KINDS: dict[str, Callable[[Path], str]] = {}


def kind(name: str, act: Callable[[Path], str]) -> None:
    assert name not in KINDS, name
    KINDS[name] = act


# Downloads


def taken_in(path: Path, name: str = "") -> str:
    """Import it; what the summary says."""
    summary = datasets.import_data(name, path, path.parent.parent / "data", progress=False)
    return datasets.described(summary)


def download(name: str, build: Callable[[Path], Path], of: str = "") -> None:
    """`build` makes it in a folder and returns its path; `of`, the data set that the user names."""

    def act(folder: Path) -> str:
        source = folder / "source"
        source.mkdir(exist_ok=True)
        return taken_in(build(source), of)

    kind(name, act)


def _file(name: str, content) -> Callable[[Path], Path]:
    return lambda folder: write(folder, {name: content}) / name


def _folder(files: dict) -> Callable[[Path], Path]:
    return lambda folder: write(folder / "set", files)


FER_IMAGES, FER_CODES, FER_USAGES = fer()
FER = ["emotion,pixels,Usage"]
FER += [fer_row(image, code, after=[usage]) for image, code, usage in zip(FER_IMAGES, FER_CODES, FER_USAGES)]
GENKI = genki()[1]
PICTURES = photographs()[1]
CK_PICTURES = ck_photographs()[1]


def _with_line(lines: list[str], number: int, line: str) -> str:
    return "\n".join([*lines[:number], line, *lines[number + 1 :]])


def _field(line: str, column: int, value: str) -> str:
    fields = line.split(",")
    fields[column] = value
    return ",".join(fields)


FER_DAMAGE = {
    "nothing but a header": FER[0],
    "no header": "\n".join(FER[1:]),
    "a row without pixels": _with_line(FER, 3, "3"),
    "a row too long": _with_line(FER, 3, FER[3] + ",x,y"),
    "a code of 8": _with_line(FER, 3, _field(FER[3], 0, "8")),
    "a negative code": _with_line(FER, 3, _field(FER[3], 0, "-3")),
    "a code that is a word": _with_line(FER, 3, _field(FER[3], 0, "happy")),
    "an empty code": _with_line(FER, 3, _field(FER[3], 0, "")),
    "too few pixels": _with_line(FER, 3, _field(FER[3], 1, "1 2 3")),
    "a pixel of 256": _with_line(FER, 3, _field(FER[3], 1, " ".join(["256"] * 2304))),
    "a negative pixel": _with_line(FER, 3, _field(FER[3], 1, " ".join(["-1"] * 2304))),
    "a pixel with a point": _with_line(FER, 3, _field(FER[3], 1, " ".join(["1.5"] * 2304))),
    "pixels that are words": _with_line(FER, 3, _field(FER[3], 1, "a b c")),
    "an unknown Usage": _with_line(FER, 3, _field(FER[3], 2, "Exam")),
    "a quote that is never closed": _with_line(FER, 3, '"3,1 2 3'),
    "a label column of another name": "\n".join(["mood,pixels,Usage", *FER[1:]]),
    "no column of pixels": "emotion,Usage\n3,Training\n",
    "NUL bytes": "\n".join(FER).replace("Training", "Train\0ing"),
    "two columns of one name": "\n".join(["emotion,pixels,emotion", *FER[1:]]),
    "cut off in the middle": "\n".join(FER)[: len("\n".join(FER)) // 2],
}
for what, text in FER_DAMAGE.items():
    download(f"fer2013.csv: {what}", _file("fer2013.csv", text), "fer2013")
download("fer2013.csv: UTF-16 cut off", _file("fer2013.csv", "\n".join(FER).encode("utf-16")[:-3]), "fer2013")
download("fer2013.csv: random bytes", _file("fer2013.csv", np.random.default_rng(1).bytes(5000)), "fer2013")
FER_FOLDERS = {"train/happy/Training_1.jpg": encoded(FER_IMAGES[0], ".jpg")}
for what, changes in {
    "a picture of another size": {"train/happy/Training_2.jpg": encoded(noise(40, 48, 1), ".jpg")},
    "a picture cut off": {"train/happy/Training_2.jpg": FER_FOLDERS["train/happy/Training_1.jpg"][:200]},
    "an emotion that does not exist": {"train/hungry/Training_2.jpg": encoded(FER_IMAGES[1], ".jpg")},
    "a name without its split": {"train/happy/one.jpg": encoded(FER_IMAGES[1], ".jpg")},
}.items():
    download(f"FER2013 in folders: {what}", _folder(FER_FOLDERS | changes), "fer2013")

LABELS = GENKI["genki4k/labels.txt"]
GENKI_DAMAGE = {
    "no labels": None,
    "empty labels": "",
    "a line too few": "\n".join(LABELS.splitlines()[:-1]),
    "a line too many": LABELS + "1 0 0 0\n",
    "a label of 2": LABELS.replace("1 ", "2 ", 1),
    "a word for an angle": LABELS.replace("0.010000", "left", 1) if "0.010000" in LABELS else "0 a b c\n" * 5,
    "an angle that is no number": "0 nan nan nan\n" * 5,
    "three columns": "0 0 0\n" * 5,
    "bytes that are no text": b"\0\1\2" * 40,
}
for what, labels in GENKI_DAMAGE.items():
    files = {name: content for name, content in GENKI.items() if name != "genki4k/labels.txt"}
    files |= {} if labels is None else {"genki4k/labels.txt": labels}
    download(f"GENKI-4K: {what}", _folder(files), "genki4k")
download("GENKI-4K: no pictures", _folder({"genki4k/labels.txt": LABELS}), "genki4k")
for what, data in {
    "cut off": GENKI["genki4k/files/file0001.jpg"][:300],
    "empty": b"",
    "a page": b"<html>",
}.items():
    download(f"GENKI-4K: a picture {what}", _folder(GENKI | {"genki4k/files/file0001.jpg": data}), "genki4k")

CK = ck_table(CK_ROWS)
CK_LINES = CK.splitlines()
for what, table in {
    "no table": None,
    "an empty table": "",
    "nothing but a header": CK_LINES[0],
    "a unit of 2": CK.replace(",1,", ",2,", 1),
    "an unknown emotion": CK.replace("negative", "hungry"),
    "a row too short": "\n".join([CK_LINES[0], CK_LINES[1][:30]]),
    "a picture that is not there": CK.replace("00000011", "00000099"),
    "no column of emotions": CK.replace("high_level_emotion", "mood"),
}.items():
    files = CK_PICTURES | ({} if table is None else {"data_labels.csv": table})
    download(f"CK+: {what}", _folder(files), "ckplus")
OFFICIAL = {"c/S005/001/S005_001_00000002.png": encoded(noise(90, 90, 1))}
for what, texts in {
    "an emotion of 9": {"Emotion/S005/001/S005_001_00000002_emotion.txt": "9"},
    "an emotion that is a word": {"Emotion/S005/001/S005_001_00000002_emotion.txt": "fear"},
    "a unit of intensity 7": {"FACS/S005/001/S005_001_00000002_facs.txt": "9 7"},
    "a unit without intensity": {"FACS/S005/001/S005_001_00000002_facs.txt": "9"},
    "labels of other sequences": {"FACS/S009/001/S009_001_00000002_facs.txt": "9 1"},
}.items():
    download(f"CK+ as given out: {what}", _folder(OFFICIAL | texts), "ckplus")

OWN_LINES = OWN.splitlines()
for what, table in {
    "an empty table": "",
    "nothing but a header": OWN_LINES[0],
    "a row too long": OWN + "a.png,1,1,1,1,1,1,1,1,1\n",
    "a picture that is not there": OWN.replace("a.png", "nobody.png"),
    "a class that does not exist": OWN.replace("brown", "purple"),
    "a code out of range": OWN.replace(",4,Bald", ",9,Bald"),
    "a label that is half a class": OWN.replace(",4,Bald", ",2.5,Bald"),
    "no column of names": OWN.replace("name,", "person,", 1),
    "no column of an attribute": "name,shoes\na.png,1\n",
    "two columns of one attribute": OWN.replace("annotator", "glasses"),
    "a picture twice with other labels": OWN + "a.png,0,0,0,0,0,0,bob\n",
    "a name above the folder": OWN.replace("a.png", "../a.png"),
    "an absolute name": OWN.replace("a.png", "/etc/passwd"),
    "bytes that are no text": b"\0\1\2" * 90,
}.items():
    download(f"attributes: {what}", _folder(PICTURES | {"labels.csv": table}), "attributes")
for what, text in {"cut off": '[{"file', "a number": "7", "a list of lists": "[[1]]", "null": "null"}.items():
    download(f"attributes: JSON, {what}", _folder(PICTURES | {"labels.json": text}), "attributes")
CELEBA = "3\nEyeglasses Bald\na.png 1 -1\nsub/b.jpg -1 -1\nc.png -1 1\n"
for what, text in {
    "a value of 2": CELEBA.replace("a.png 1", "a.png 2"),
    "a row too short": CELEBA.replace("a.png 1 -1", "a.png 1"),
    "no columns": "3\n",
    "pictures of none of its names": CELEBA.replace("a.png", "x").replace("b.jpg", "y").replace("c.png", "z"),
}.items():
    download(f"CelebA: {what}", _folder(PICTURES | {"list_attr_celeba.txt": text}), "attributes")


# Pictures, each alone in its folder beside a good one: left out and named


def _saved(form: str, size=(60, 50)) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(noise(*size)).save(stream, form)
    return stream.getvalue()


GOOD = {"smiling/good.jpg": encoded(noise(60, 50), ".jpg")}
for form in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM"):
    whole, ending = _saved(form), f".{form.lower()}"
    for what, data in {"cut in half": whole[: len(whole) // 2], "its beginning alone": whole[:12]}.items():
        download(f"picture: {form}, {what}", _folder(GOOD | {f"not smiling/bad{ending}": data}))
PNG_HEADER = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 90_000, 90_000, 8, 2, 0, 0, 0)
BMP = _saved("BMP")
for what, data in {
    "empty": b"",
    "a page of a web server": b"<!DOCTYPE html><title>404</title>",
    "random bytes": np.random.default_rng(2).bytes(3000),
    "zeros": bytes(3000),
    "a PNG that claims 8 gigapixels": PNG_HEADER + bytes(4) + _saved("PNG")[33:],
    "a GIF that claims 4 gigapixels": b"GIF89a" + struct.pack("<HH", 65535, 65535) + _saved("GIF")[10:],
    "a BMP that claims 4 gigapixels": _saved("BMP")[:18]
    + struct.pack("<ii", 65535, 65535)
    + _saved("BMP")[26:],
    "a BMP of no pixels": _saved("BMP")[:18] + struct.pack("<ii", 0, 0) + _saved("BMP")[26:],
    "HEIC": b"\0\0\0\x18ftypheic" + bytes(200),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "PDF": b"%PDF-1.7\n1 0 obj\n",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
}.items():
    download(f"picture: {what}", _folder(GOOD | {"not smiling/bad.png": data}))


# Archives


def _packed(mode: str) -> bytes:
    stream = io.BytesIO()
    if mode == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in GENKI.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=stream, mode=f"w:{mode.partition('.')[2]}") as archive:
            for name, content in GENKI.items():
                content = content if isinstance(content, bytes) else content.encode()
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


for mode in ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz"):
    whole = _packed(mode)
    middle = len(whole) // 2
    for what, data in {
        "cut in half": whole[:middle],
        "its beginning lost": whole[100:],
        "zeros in the middle": whole[:middle] + bytes(300) + whole[middle + 300 :],
        "a hundred bytes": whole[:100],
    }.items():
        download(f"archive: {mode}, {what}", _file(f"genki4k.{mode}", data), "genki4k")
for name in ("../out.jpg", "/tmp/labkit_out.jpg", "C:/out.jpg", "a/../../out.jpg", "..\\out.jpg"):
    for pack in (zipped, tarred):
        ending = "zip" if pack is zipped else "tar"
        download(
            f"archive: {ending} with {name!r}",
            lambda folder, pack=pack, name=name, ending=ending: pack(
                folder / f"a.{ending}", {"smiling/a.jpg": GOOD["smiling/good.jpg"], name: b"x"}
            ),
        )


def _special(type_) -> Callable[[Path], Path]:
    def build(folder):
        with tarfile.open(folder / "a.tar", "w") as archive:
            member = tarfile.TarInfo("smiling/a.jpg")
            member.type, member.linkname = type_, "/etc/passwd"
            archive.addfile(member)
        return folder / "a.tar"

    return build


for what, type_ in {
    "a link": tarfile.SYMTYPE,
    "a hard link": tarfile.LNKTYPE,
    "a device": tarfile.CHRTYPE,
    "a pipe": tarfile.FIFOTYPE,
}.items():
    download(f"archive: tar with {what}", _special(type_))
for what, data in {
    "RAR": b"Rar!\x1a\x07\x01\0" + bytes(50),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(50),
    "nothing": b"",
    "a zip without files": b"PK\x05\x06" + bytes(18),
    "a gzip of nothing": b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0",
    "a program": b"\x7fELF" + bytes(500),
}.items():
    download(f"archive: {what}", _file("genki4k.zip", data))
download("archive: a zip in a zip", lambda folder: zipped(folder / "a.zip", {"genki4k.zip": _packed("zip")}))


def _lying(folder: Path) -> Path:
    """A zip whose directory states another size than the file has."""
    data = bytearray(zipped(folder / "a.zip", GOOD).read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 10)
    (folder / "a.zip").write_bytes(data)
    return folder / "a.zip"


def _locked(folder: Path) -> Path:
    data = bytearray(zipped(folder / "a.zip", GOOD).read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    (folder / "a.zip").write_bytes(data)
    return folder / "a.zip"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _nowhere(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "nothing")
    return folder / "link"


def _loop(folder: Path) -> Path:
    (folder / "set").mkdir()
    (folder / "set" / "again").symlink_to(folder / "set")
    return folder / "set"


def _bomb(folder: Path) -> Path:
    return zipped(folder / "bomb.zip", {"smiling/a.bmp": bytes(80_000_000)})


download("archive: a zip that lies about a size", _lying)
download("archive: an encrypted zip", _locked)
download("archive: a bomb", _bomb)
download("path: a pipe", _pipe)
download("path: a link to nothing", _nowhere)
download("path: a folder that holds itself", _loop)
download("path: nothing", lambda folder: folder / "nothing.zip")
download("path: an empty folder", _folder({}) if False else lambda folder: folder)
download("path: a device without an end", lambda folder: Path("/dev/zero")) if Path(
    "/dev/zero"
).exists() else None
download("path: a file in a file", lambda folder: write(folder, {"a": b"x"}) / "a" / "b")
download("folders: none of them has a picture", _folder({"smiling/a.txt": "x", "not smiling/b.doc": "y"}))
download("folders: pictures beside no folder", _folder({"a.jpg": GOOD["smiling/good.jpg"]}))
download("folders: no picture can be read", _folder({"smiling/a.jpg": b"x", "sad/b.png": b"y"}))


# Imported data sets that were damaged


def cached(name: str, damage: Callable[[Path], None]) -> None:
    def act(folder: Path) -> str:
        datasets.import_data("genki4k", write(folder / "set", GENKI), folder / "data", progress=False)
        damage(folder / "data" / "genki4k")
        faces = datasets.load("genki4k", folder / "data")
        summary = datasets.check("genki4k", folder / "data")
        assert summary["problems"], f"nobody noticed; {len(faces)} faces"
        return "\n".join(summary["problems"])

    kind(f"imported: {name}", act)


def _replace(file: str, content) -> Callable[[Path], None]:
    return lambda folder: write(folder, {file: content}) and None


def _flip(file: str, at: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = bytearray((folder / file).read_bytes())
        data[int(at * (len(data) - 1))] ^= 0xFF
        (folder / file).write_bytes(data)

    return damage


def _cut(file: str) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / file, (folder / file).stat().st_size // 2)


for file in ("photo.npy", "labels.npz", "about.json"):
    cached(f"{file} cut in half", _cut(file))
    cached(f"{file} empty", _replace(file, b""))
    cached(f"{file} gone", lambda folder, file=file: (folder / file).unlink())
    cached(f"{file} a byte changed in front", _flip(file, 0))
cached("photo.npy a byte changed at the end", _flip("photo.npy", 1))
cached("labels.npz a byte changed in the middle", _flip("labels.npz", 0.5))
for what, text in {
    "a list": "[]", "a number": "3", "null": "null", "of another version": '{"version": 1}', "empty of views":
    '{"version": 2, "views": []}', "views that are a word": '{"version": 2, "views": "photo"}',
}.items():  # fmt: skip
    cached(f"about.json {what}", _replace("about.json", text))
for what, array in {
    "another type": np.zeros((5, 96, 96, 3)),
    "fewer images": np.zeros((2, 96, 96, 3), np.uint8),
    "another shape": np.zeros((5, 9), np.uint8),
    "objects": np.array([{}] * 5),
}.items():
    cached(f"photo.npy of {what}", lambda folder, array=array: np.save(folder / "photo.npy", array))
cached("labels.npz of nothing", lambda folder: np.savez(folder / "labels.npz"))


# Weights


def weights(name: str, change: Callable[[bytes], bytes]) -> None:
    def act(folder: Path) -> str:
        file = folder / "net.pt"
        models.save(file, models.build("1x32 1x16", {"smile": 2}, (), 1, 0, 32))
        file.write_bytes(change(file.read_bytes()))
        evaluation.load_network(file)
        return ""

    kind(f"weights: {name}", act)


def _pickled(value) -> Callable[[bytes], bytes]:
    def change(_) -> bytes:
        stream = io.BytesIO()
        torch.save(value, stream)
        return stream.getvalue()

    return change


class Evil:
    """Would write a file where it is unpickled as trusted."""

    def __reduce__(self):
        return (os.system, ("touch /tmp/labkit_was_here",))


def _middle(data: bytes, new: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + new + data[at + len(new) :]


weights("empty", lambda data: b"")
weights("cut in half", lambda data: data[: len(data) // 2])
weights("zeros in the middle", lambda data: _middle(data, bytes(400)))
weights("a bit flipped", lambda data: _middle(data, bytes([data[len(data) // 2] ^ 1])))
weights("a page of a web server", lambda data: b"<html>")
weights("random bytes", lambda data: np.random.default_rng(3).bytes(9000))
weights("a number", _pickled(7))
weights("a dictionary of nothing", _pickled({}))
weights("tensors alone", _pickled({"a": torch.zeros(3)}))
weights("code", _pickled({"network": Evil()}))
weights(
    "a network of no layers",
    _pickled({"network": {"net": {}, "in_channels": 1, "outputs": {}, "multilabel": []}}),
)
weights("another program's zip", lambda data: _packed("zip"))


# The plan

LAB = '[lab.smile]\n[lab.smile.spec]\nmodel = "tiny"\ntargets = ["smile"]\nsplit = {kind = "random"}\n'
PLANS = {
    "no TOML": "[table.t\n",
    "a table twice": '[table.t]\nlab = "smile"\n[table.t]\nlab = "smile"\n',
    "no lab": "[table.t]\n",
    "an unknown lab": '[table.t]\nlab = "smiel"\n',
}
for what, line in {
    "seed for seeds": "seed = [0]",
    "seeds a number": "seeds = 3",
    "seeds of words": 'seeds = ["a"]',
    "seeds of halves": "seeds = [0.5]",
    "rows a word": 'row = "x"',
    "rows of numbers": "row = [1]",
    "a grid a list": "grid = [1]",
    "a grid of numbers": "grid = {seed = 1}",
    "a grid of an unknown setting": 'grid = {"config.rate" = [1]}',
    "an unknown profile setting": "quick.epochs = 3",
    "epochs a word": 'spec.config.epochs = "4"',
    "epochs of 0": "spec.config.epochs = 0",
    "half an epoch": "spec.config.epochs = 1.5",
    "half an image a batch": "spec.config.batch_size = 8.5",
    "a negative batch": "spec.config.batch_size = -8",
    "a rate of 0": "spec.config.learning_rate = 0",
    "a rate a word": 'spec.config.learning_rate = "fast"',
    "a rate that is no number": "spec.config.learning_rate = nan",
    "an unknown optimizer": 'spec.config.optimizer = "adm"',
    "an unknown schedule": 'spec.config.schedule = "up"',
    "an unknown loss": 'spec.config.loss = "hope"',
    "an unknown scale": 'spec.config.scale = "large"',
    "an unknown precision": 'spec.config.precision = "float8"',
    "an unknown augmentation": "spec.config.augment = {melt = 1}",
    "an augmentation a word": 'spec.config.augment = {flip = "often"}',
    "a patience of 0": "spec.config.patience = 0",
    "smoothing of 1": "spec.config.label_smoothing = 1.0",
    "an average of 2": "spec.config.average = 2.0",
    "frozen a word": 'spec.config.frozen = "features"',
    "class weights a word": 'spec.config.class_weights = "balanced"',
    "an unknown setting of training": "spec.config.epoch = 4",
    "an unknown setting of a row": "spec.colour = 3",
    "targets a number": "spec.targets = 3",
    "data a word": 'spec.data = "builtin"',
    "a split a word": 'spec.split = "random"',
    "a config a word": 'spec.config = "fast"',
    "rows that train the same": 'row = [{noise = "none"}, {noise = "some"}]',
}.items():
    PLANS[what] = f'[table.t]\nlab = "smile"\nspec.data = {{name = "builtin", n = 20}}\n{line}\n'


def planned(name: str, text: str | bytes) -> None:
    def act(folder: Path) -> str:
        (folder / "plan.toml").write_bytes(text if isinstance(text, bytes) else (LAB + text).encode())
        table = plan.read_table("t", reports_dir=folder, data_dir=folder)
        failed = [result.error for row in table.run(progress=False) for result in row]
        assert all(failed), "it was trained"
        return failed[0]

    kind(f"plan: {name}", act)


for what, text in PLANS.items():
    planned(what, text)
planned("Latin-1", "[table.t]\nlab = 'gesicht\xe4'\n".encode("latin-1"))
planned("empty", b"")
for what, line in {
    "an unknown data set": 'spec.data = {name = "genki5k"}',
    "a data set that is not here": 'spec.data = {name = "genki4k"}',
    "data without a name": "spec.data = {n = 5}",
    "an unknown option of data": 'spec.data = {name = "builtin", shape = 3}',
    "an unknown architecture": 'spec.model = "huge"',
    "too deep a network": 'spec.model = "1x8 1x8 1x8 1x8 1x8 1x8 1x8"',
    "an unknown target": 'spec.targets = ["shoes"]',
    "an unknown split": 'spec.split = {kind = "fair"}',
    "a split without a kind": "spec.split = {test = 0.2}",
    "a test part of 0.99": 'spec.split = {kind = "by_subject", test = 0.99}',
    "more folds than images": 'spec.split = {kind = "k_fold", folds = 50}',
}.items():
    data = "" if "spec.data" in line else 'spec.data = {name = "builtin", n = 20}'
    planned(what, f'[table.t]\nlab = "smile"\nspec.config = {{epochs = 1}}\n{data}\n{line}\n')


# Kept rows

SPEC = runs.RunSpec({"name": "builtin", "n": 20}, {"kind": "random"}, "tiny", ("smile",))
KEY = SPEC.key("x")
ROW = asdict(
    runs.RunResult(KEY, SPEC.as_dict(), runs.ENGINE, "x", "CPU", {}, "", "2026-01-01T00:00:00+00:00")
)

TEXT = json.dumps(ROW)


def kept_rows(folder: Path) -> str:
    """The row as it should be: else no other could tell anything."""
    write(folder / "rows", {f"{KEY}.json": TEXT})
    assert runs.Store(folder / "rows", folder / "runs").read(KEY), "the whole row was not believed"
    return "read"


def row(name: str, content: str | bytes) -> None:
    def act(folder: Path) -> str:
        write(folder / "rows", {f"{KEY}.json": content})
        store = runs.Store(folder / "rows", folder / "runs")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert store.read(KEY) is None and store.find(SPEC) is None, "the row was believed"
        return str(said[0].message)

    kind(f"row: {name}", act)


for what, content in {
    "empty": "", "cut in half": TEXT[: len(TEXT) // 2], "binary": b"\0\xff\xfe\x80" * 30, "a list": "[]",
    "a number": "1", "a word": '"row"', "null": "null", "nothing in it": "{}", "zeros": bytes(500),
    "a field too many": json.dumps(ROW | {"luck": 1}), "no spec": json.dumps({**ROW, "spec": None}),
    "a spec that is a word": json.dumps({**ROW, "spec": "x"}),
    "metrics that are a list": json.dumps({**ROW, "metrics": []}),
    "an accuracy that is no number":
        TEXT.replace('"metrics": {}', '"metrics": {"test": {"smile": {"accuracy": NaN}}}'),
    "an accuracy that is a word":
        TEXT.replace('"metrics": {}', '"metrics": {"test": {"smile": {"accuracy": "good"}}}'),
    "an accuracy of 7": TEXT.replace('"metrics": {}', '"metrics": {"test": {"smile": {"accuracy": 7}}}'),
    "no part named test": TEXT.replace('"metrics": {}', '"metrics": {"exam": {"smile": {"accuracy": 0.5}}}'),
    "a history of words": TEXT.replace('"history": []', '"history": ["x"]'),
    "seconds that are a word": TEXT.replace('"seconds": 0.0', '"seconds": "fast"'),
    "another seed than its key's": TEXT.replace('"seed": 0', '"seed": 7'),
    "nested without end": "[" * 100_000,
    "a number without end": TEXT.replace('"seconds": 0.0', '"seconds": 1' + 400 * "0"),
    "no device": json.dumps({**ROW, "device": None}),
    "an engine that is a list": json.dumps({**ROW, "engine": []}),
    "another row's key": json.dumps({**ROW, "key": "f" * 16}),
}.items():  # fmt: skip
    row(what, content)


kind("row: whole, to compare with", kept_rows)


# Films


def film(name: str, build: Callable[[Path], Path | str]) -> None:
    def act(folder: Path) -> str:
        source = camera.open_source(str(build(folder)))
        return f"{sum(1 for _ in source.frames)} frames"

    kind(f"film: {name}", act)


def _avi(folder: Path) -> bytes:
    path = folder / "whole.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for i in range(40):
        writer.write(np.full((48, 64, 3), 6 * i, np.uint8))
    writer.release()
    data = path.read_bytes()
    path.unlink()
    return data


film("empty", _file("a.mp4", b""))
film("random bytes", _file("a.mp4", np.random.default_rng(4).bytes(5000)))
film("a page of a web server", _file("a.webm", b"<html>"))
film("cut in half", lambda folder: write(folder, {"a.avi": _avi(folder)[:9000]}) / "a.avi")
film("its beginning alone", lambda folder: write(folder, {"a.avi": _avi(folder)[:300]}) / "a.avi")
film("a folder of no pictures", lambda folder: folder)
film("a folder of bad pictures", lambda folder: write(folder / "set", {"a.jpg": b"x", "b.png": b"y"}))
film("a picture cut off", _file("a.jpg", GOOD["smiling/good.jpg"][:300]))
film("nothing there", lambda folder: folder / "none.mp4")
film("a camera that is not there", lambda folder: "77")
film("a device that is not there", lambda folder: "/dev/video77")
film("an address that nobody answers", lambda folder: "http://127.0.0.1:9/x")


# What `--out` may not be


def out(name: str, build: Callable[[Path], tuple[Path, str]]) -> None:
    def act(folder: Path) -> str:
        camera.check_out(*build(folder))
        return ""

    kind(f"out: {name}", act)


out("another ending", lambda folder: (folder / "a.gif", ""))
out("no ending", lambda folder: (folder / "a", ""))
out("a folder that is not there", lambda folder: (folder / "none" / "a.webm", ""))
out("the source", lambda folder: (write(folder, {"a.webm": b"x"}) / "a.webm", str(folder / "a.webm")))
out("beside a table of somebody", lambda folder: (write(folder, {"a.csv": "name\n"}) / "a.webm", ""))
out("beside a picture of somebody", lambda folder: (write(folder, {"a.png": _saved("PNG")}) / "a.webm", ""))
