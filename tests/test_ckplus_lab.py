"""CK+ in each of its four forms, written here with built-in faces on the pictures, from the import to the
rows of the report."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from downloads import ck_table, encoded, write

from labkit import datasets, plan, running, synthetic
from labkit.labels import ACTION_UNITS, CK_EMOTIONS, HIGH_LEVEL, HIGH_LEVEL_OF

REPORTS = Path(__file__).parents[1] / "reports"
SHOWN = {"anger": "angry", "happy": "happy", "surprise": "surprise"}  # CK+'s word -> ours
PEOPLE = 8
MISSING = ("S107", "happy")  # in the table, without a picture


@pytest.fixture(scope="module")
def films():
    """(subject, sequence, emotion, units, picture uint8 (480 or 490, W, 3)) of each film."""
    found = []
    for p in range(PEOPLE):
        who = synthetic.sample_identity(np.random.default_rng([6, p]), {"hair_top": {"hair": 1}})
        for s, (word, emotion) in enumerate(SHOWN.items(), 1):
            face = synthetic.sample(np.random.default_rng([p, s]), who, emotion)
            face = replace(face, yaw=0.0, pitch=0.0, roll=0.0)
            height, width = (480, 720) if p == 3 else (490, 640)
            picture = np.full((height, width, 3), 128, np.uint8)
            drawn = cv2.resize(synthetic.draw(face, 128), (400, 400), interpolation=cv2.INTER_CUBIC)
            picture[40:440, 120:520] = drawn
            if p != 5:  # one person's photographs have colour, as a few of CK+ have
                picture[:] = picture.mean(-1, keepdims=True)
            found.append((f"S{100 + p}", s, word, synthetic.labels(face, emotion)["action_units"], picture))
    return found


def frame(subject, sequence):
    return f"{subject}_{sequence:03d}_00000011.png"


def photographs(folder, films):
    pictures = {
        f"cohn-kanade-images/{subject}/{s:03d}/{frame(subject, s)}": encoded(picture)
        for subject, s, word, _, picture in films
        if (subject, word) != MISSING
    }
    table = ck_table(
        [(who, s, 11, [f"{u:.0f}" for u in units], HIGH_LEVEL_OF[e]) for who, s, e, units, _ in films]
    )
    return write(folder, pictures | {"data_labels.csv": table})


def as_given_out(folder, films):
    files = {}
    for subject, s, word, units, picture in films:
        place = f"{subject}/{s:03d}/{frame(subject, s)}"
        files[f"cohn-kanade-images/{place}"] = encoded(picture)
        code, stem = 1 + CK_EMOTIONS.index(word), place.removesuffix(".png")
        files[f"Emotion/{stem}_emotion.txt"] = f"   {code:.7e}\n"
        shown = [name for name, unit in zip(ACTION_UNITS, units) if unit]
        # 0 is CK+'s way of writing "there, but nobody said how strong"
        lines = [f"  {int(name[2:]):.7e}   {i % 6:.7e}\n" for i, name in enumerate(shown)]
        files[f"FACS/{stem}_facs.txt"] = "".join(lines)
    return write(folder, files)


def ck48(folder, films):
    pictures, rows = {}, []
    for subject, s, word, units, picture in films:
        small = cv2.resize(picture[60:420, 140:500], (48, 48)).mean(-1, keepdims=True).astype(np.uint8)
        for last in (9, 10, 11):
            pictures[f"CK+48/{word}/{subject}_{s:03d}_{last:08d}.png"] = encoded(small)
        rows.append((subject, s, 11, [f"{u:.0f}" for u in units], HIGH_LEVEL_OF[word]))
    return write(folder, pictures | {"data_labels.csv": ck_table(rows)})


def pixels(folder, films):
    lines = ["emotion,pixels,Usage"]
    codes = {"anger": 0, "happy": 3, "surprise": 5}
    for i, (_, _, word, _, picture) in enumerate(films):
        small = cv2.resize(picture[60:420, 140:500], (48, 48)).mean(-1).astype(int)
        usage = "PublicTest" if i % 5 == 4 else "Training"
        lines.append(f"{codes[word] if i else 7},{' '.join(map(str, small.ravel()))},{usage}")
    return write(folder, {"ckextended.csv": "\n".join(lines) + "\n"})


@pytest.mark.parametrize("form", [photographs, as_given_out, ck48, pixels])
def test_from_the_download_to_the_rows(tmp_path, films, form):
    data = tmp_path / "data"
    summary = datasets.import_data("ckplus", form(tmp_path / "ck", films), data, progress=False)
    faces = datasets.load("ckplus", data, size=48, colour=False)
    expected = {photographs: 23, as_given_out: 24, ck48: 72, pixels: 24}[form]
    assert faces.images.shape == (expected, 48, 48, 1) and len(summary["faces_not_found"]) < 3
    assert faces.classes["high_level_emotion"] == HIGH_LEVEL
    assert set(faces.targets["high_level_emotion"]) == {0, 1, 2}
    assert ("action_units" in faces.targets) == (form is not pixels)
    if form is photographs:
        (name, why) = next(iter(summary["left_out"].items()))
        assert name == "S107_002_00000011.png" and "is missing" in why
    if form is as_given_out:
        assert np.isnan(faces.intensities["action_units"]).any()  # the zeros

    for id in ("action-units-emotion", "action-units-splits"):
        table = plan.read_table(id, "full", "", data, REPORTS)
        rows = [row for row in table.rows if row.labels["images"] == "CK+"]
        assert rows
        if id == "action-units-emotion":  # the last two begin with our network, or have built-in faces too
            rows = [row for row in rows if "our network emotion" in row.labels["model"]][:2]
        for row in rows:
            spec = replace(row.specs[0], config=replace(row.specs[0].config, epochs=1))
            result, _ = running.train(spec, data, progress=False)
            if form is pixels and spec.split["kind"] == "by_subject":
                assert "by_subject needs to know who is in each picture" in result.error
                continue
            assert result.error is None and result.has("test", "high_level_emotion")
            assert result.has("test", "action_units") == (form is not pixels)
            if spec.split["kind"] == "by_subject":
                parts = running.parts_of(spec, running.faces_of(spec, data)).values()
                people = [set(part.subjects) for part in parts]
                assert sum(map(len, people)) == len(set.union(*people)) == PEOPLE
