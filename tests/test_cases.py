"""Inputs as people really have them: each test writes a file of one kind, and says what is expected of it."""

import bz2
import io
import json
import lzma
import os
import tarfile
import unicodedata

import cv2
import numpy as np
import pytest
from downloads import encoded, write, zipped
from PIL import Image

from labkit import datasets, evaluation
from labkit.labels import ACTION_UNITS, EMOTIONS

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8)
JPEG = encoded(PICTURE, ".jpg")


def look(path):
    return datasets.look(path, progress=False)


def counts(found, target):
    return {name: n for name, n in found["targets"][target].items() if n}


def load(tmp_path, path, name=""):
    summary = datasets.import_data(name, path, tmp_path / "data", progress=False)
    return datasets.load(summary["name"], tmp_path / "data"), summary


def saved(kind, **options):
    """PICTURE as a file of one of Pillow's formats."""
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, kind, **options)
    return stream.getvalue()


def pixel_table(*columns, rows=3, separator=","):
    """A table of pixels with these columns; its labels are 0, 3, 6, ..."""
    values = {"pixels": " ".join(["7"] * 2304), "usage": "Training", "Usage": "Training"}
    lines = [separator.join(columns)]
    for i in range(rows):
        lines.append(separator.join(values.get(column, str(3 * i % 7)) for column in columns))
    return "\n".join(lines).encode()


# Pictures are what they contain


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000", "PPM"])
def test_pictures_are_read_by_content_whatever_they_are_called(tmp_path, kind):
    files = {"smiling/a.jpg": saved(kind), "not smiling/b.jpg": JPEG}
    faces, summary = load(tmp_path, zipped(tmp_path / "f.zip", files))
    assert len(faces) == 2 and summary["left_out"] == {}


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".JPEG", ".webp", ".bmp", ".tif", ".gif"])
def test_pictures_of_every_usual_ending_are_found(tmp_path, ending):
    found = look(zipped(tmp_path / "f.zip", {f"sad/a{ending}": JPEG, "happy/b.png": JPEG}))
    assert found["images"] == 2


def test_what_cannot_be_read_is_named_and_stops_nothing(tmp_path):
    heic = b"\0\0\0\x18ftypheic" + bytes(100)
    files = {
        "smiling/1.jpg": JPEG,
        "smiling/2.heic": heic,
        "smiling/3.jpg": JPEG[:300],
        "not smiling/4.png": b"<html>",
    }
    files |= {"not smiling/5.png": encoded(PICTURE)}
    faces, summary = load(tmp_path, zipped(tmp_path / "f.zip", files))
    assert [name.item() for name in faces.names] == ["5.png", "1.jpg"]
    assert faces.counts("smile") == {"not smiling": 1, "smiling": 1}
    why = summary["left_out"]
    assert set(why) == {"smiling/2.heic", "smiling/3.jpg", "not smiling/4.png"}
    assert "HEIC" in why["smiling/2.heic"] and "cut off" in why["smiling/3.jpg"]
    assert "not a picture" in why["not smiling/4.png"]
    assert summary["notes"][-1].startswith("3 files left out") or any(
        "3 files left" in n for n in summary["notes"]
    )
    assert datasets.check("folders", tmp_path / "data")["problems"] == []


def test_nothing_that_can_be_read_is_an_error_that_names_the_first(tmp_path):
    with pytest.raises(ValueError, match=r"no picture could be read; the first, happy/b\.jpg: not a picture"):
        load(tmp_path, zipped(tmp_path / "f.zip", {"sad/a.jpg": b"no", "happy/b.jpg": b"no"}))
    assert not (tmp_path / "data" / "folders").exists()


def test_turned_transparent_deep_and_prefixed_pictures(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = np.dstack([PICTURE, np.zeros((60, 50), np.uint8)])
    grey16 = cv2.imencode(".png", np.full((60, 50), 40_000, np.uint16))[1].tobytes()
    for data, shape, mean in (
        (saved("JPEG", exif=turned), (50, 60, 3), PICTURE.mean()),
        (saved("PNG", exif=turned), (50, 60, 3), PICTURE.mean()),
        (cv2.imencode(".png", clear)[1].tobytes(), (60, 50, 3), 255),
        (grey16, (60, 50, 3), 40_000 / 257),
        (b"\n" + JPEG, (60, 50, 3), PICTURE.mean()),
        (JPEG + b"\0" * 50, (60, 50, 3), PICTURE.mean()),
    ):
        picture = datasets.decode(data, 3)
        assert picture.shape == shape and abs(picture.mean() - mean) < 2
        assert datasets.decode(data, 1).shape == (*shape[:2], 1)


# Folders of classes


@pytest.mark.parametrize(
    ("folders", "target", "classes"),
    [
        (("Happy", "ANGRY"), "emotion", {"angry": 2, "happy": 2}),
        (("happiness", "disgusted", "fearful"), "emotion", {"disgust": 2, "fear": 2, "happy": 2}),
        (("anger", "sadness", "contempt"), "emotion", {"angry": 2, "sad": 2, "contempt": 2}),
        (("smile", "non_smile"), "smile", {"not smiling": 2, "smiling": 2}),
        (("Smiling", "Not-Smiling"), "smile", {"not smiling": 2, "smiling": 2}),
        (tuple("0123456"), "emotion", dict.fromkeys(EMOTIONS, 2)),
        (("cats", "dogs"), "class", {"cats": 2, "dogs": 2}),
        (("0", "1"), "class", {"0": 2, "1": 2}),
    ],
)
def test_folders_under_their_usual_other_names(tmp_path, folders, target, classes):
    files = {f"all/{folder}/{i}.jpg": JPEG for folder in folders for i in range(2)}
    assert counts(look(zipped(tmp_path / "f.zip", files)), target) == classes


@pytest.mark.parametrize(
    "parts", [("train", "test"), ("Training", "val", "testing"), ("train", "validation", "test")]
)
def test_folders_above_the_classes_are_the_split(tmp_path, parts):
    files = {f"x/{part}/{mood}/a.jpg": JPEG for part in parts for mood in ("happy", "sad")}
    found = look(zipped(tmp_path / "f.zip", files))
    assert found["name"] == "folders" and sum(found["split"].values()) == 2 * len(parts)
    assert set(found["split"]) <= {"train", "validation", "test"} and len(found["split"]) == len(parts)


def test_a_loose_picture_beside_the_folders_is_no_class(tmp_path):
    files = {"my/smiling/1.jpg": JPEG, "my/not smiling/1.jpg": JPEG, "my/cover.jpg": JPEG}
    found = look(zipped(tmp_path / "f.zip", files))
    assert counts(found, "smile") == {"not smiling": 1, "smiling": 1}
    assert found["left_out"] == {"my/cover.jpg": "lies beside the folders of classes"}


# Tables of pixels


@pytest.mark.parametrize("name", ["fer2013 (1).csv", "data", "FER.TXT", "table.tsv"])
@pytest.mark.parametrize("column", ["emotion", "label", "Emotion", "class"])
def test_a_table_of_pixels_is_known_by_its_header(tmp_path, name, column):
    separator = "\t" if name.endswith("tsv") else ","
    path = tmp_path / name
    path.write_bytes(pixel_table(column, "pixels", "Usage", separator=separator))
    found = look(path)
    assert found["name"] == "fer2013" and counts(found, "emotion") == {"angry": 1, "happy": 1, "neutral": 1}
    assert found["split"] == {"train": 3}


def test_a_label_column_that_nobody_knows_is_refused_not_lost(tmp_path):
    (tmp_path / "t.csv").write_bytes(pixel_table("mood", "pixels", "Usage"))
    with pytest.raises(
        ValueError, match=r"has columns mood, pixels, usage; the emotion's must be called one of"
    ):
        look(tmp_path / "t.csv")


def test_a_table_without_usage_is_one_part_and_says_so(tmp_path):
    (tmp_path / "faces.csv").write_bytes(pixel_table("emotion", "pixels"))
    found = look(tmp_path / "faces.csv")
    assert found["split"] == {} and any("one part, without a split" in note for note in found["notes"])


def test_three_tables_are_three_parts(tmp_path):
    for part in ("train", "val", "test"):
        write(tmp_path / "x", {f"{part}.csv": pixel_table("emotion", "pixels", rows=2)})
    assert look(tmp_path / "x")["split"] == {"test": 2, "train": 2, "validation": 2}


def test_code_seven_is_contempt(tmp_path):
    rows = pixel_table("emotion", "pixels", "Usage").replace(b"\n3,", b"\n7,")
    (tmp_path / "ck.csv").write_bytes(rows)
    assert counts(look(tmp_path / "ck.csv"), "emotion") == {"angry": 1, "neutral": 1, "contempt": 1}


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_a_packed_table(tmp_path, pack):
    (tmp_path / "t.bin").write_bytes(pack(pixel_table("emotion", "pixels", "Usage")))
    assert look(tmp_path / "t.bin")["images"] == 3


def test_a_tar_that_is_called_csv(tmp_path):
    data = pixel_table("emotion", "pixels", "Usage")
    with tarfile.open(tmp_path / "fer2013.csv", "w") as archive:
        member = tarfile.TarInfo("fer2013/fer2013.csv")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    assert look(tmp_path / "fer2013.csv")["images"] == 3


FER_PLUS = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
VOTES = ("0,8,2,0,0,0,0,0,0,0", "5,0,0,5,0,0,0,0,0,0", "3,1,0,0,0,0,0,0,6,0")  # happy, a tie, unclear


def test_votes_of_fer_plus_are_soft_labels(tmp_path):
    votes = "\n".join([FER_PLUS, *(f"Training,fer000000{i}.png,{row}" for i, row in enumerate(VOTES))])
    files = {
        "fer2013.csv": pixel_table("emotion", "pixels", "Usage"),
        "fer2013new.csv": votes.encode(),
    }
    faces, summary = load(tmp_path, zipped(tmp_path / "f.zip", files))
    classes = faces.classes["emotion_voted"]
    assert classes == (*EMOTIONS, "contempt") and faces.classes["emotion"] == EMOTIONS
    assert faces.targets["emotion_voted"].tolist() == [3, -1, -1]
    first, second, third = faces.votes["emotion_voted"]
    assert dict(zip(classes, first)) == dict.fromkeys(classes, 0) | {
        "happy": pytest.approx(0.8),
        "surprise": pytest.approx(0.2),
    }
    assert second[4] == second[6] == 0.5 and np.isnan(third).all()
    assert "votes of FER+ for 2 pictures; 1 that most called no face or unclear" in " ".join(summary["notes"])
    assert faces.take([1]).votes["emotion_voted"].tolist() == [second.tolist()] and summary["left_out"] == {}


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([f"Training,a,{VOTES[0]}"], "1 rows, expected 3, one a picture"),
        ([f"Training,a,{VOTES[0]}"] * 4, "line 5: not the table of votes for these pictures: it has more"),
        ([f"PublicTest,a,{VOTES[0]}"] * 3, "line 2: not the table of votes for these pictures: their Usage"),
        (["Training,a,x,8,2,0,0,0,0,0,0,0"] * 3, "line 2: 'x' votes, expected a number of 0 or more"),
    ],
)
def test_votes_that_do_not_fit_are_left_out_with_the_reason(tmp_path, rows, why):
    files = {
        "fer2013.csv": pixel_table("emotion", "pixels", "Usage"),
        "fer2013new.csv": "\n".join([FER_PLUS, *rows]).encode(),
    }
    found = look(zipped(tmp_path / "f.zip", files))
    assert list(found["targets"]) == ["emotion"] and why in found["left_out"]["fer2013new.csv"]


# GENKI and CK+ as their makers give them out


def test_genki_inside_the_whole_release_is_read_by_name(tmp_path):
    names = ["file0000000000000003.jpg", "file0000000000004784.jpg"]
    files = {f"G/files/{name}": JPEG for name in (*names, "file0000000000000001.jpg")}
    files["G/Subsets/GENKI-4K/GENKI-4K_Images.txt"] = "\n".join(names).encode()
    files["G/Subsets/GENKI-4K/GENKI-4K_Labels.txt"] = b"1 0 0 0\n0 0.5 0 0\n"
    files["G/Subsets/GENKI-SZSL/GENKI-SZSL_labels.txt"] = b"90 96 100\n"
    path = zipped(tmp_path / "g.zip", files)
    assert counts(look(path), "smile") == {"not smiling": 1, "smiling": 1}
    faces, summary = load(tmp_path, path)
    assert faces.names.tolist() == names and "1 pictures of other subsets are left out" in summary["notes"]
    del files[f"G/files/{names[1]}"]
    with pytest.raises(ValueError, match=f"{names[1]}, named in .*, is missing"):
        look(zipped(tmp_path / "g.zip", files))


@pytest.mark.parametrize("packed", [True, False])
def test_ck_plus_as_it_is_given_out(tmp_path, packed):
    parts = {
        "images": {f"c/S005/001/S005_001_0000000{i}.png": encoded(PICTURE) for i in (1, 2)},
        "Emotion_labels": {"Emotion/S005/001/S005_001_00000002_emotion.txt": b"   3.0000000e+00\n"},
        "FACS_labels": {
            "FACS/S005/001/S005_001_00000002_facs.txt": b"  9.0e+00 4.0e+00\n 1.7e+01 0.0e+00\n 25 3\n"
        },
    }
    parts["images"]["c/S006/002/S006_002_00000001.png"] = encoded(PICTURE)  # no labels
    folder = tmp_path / "ck"
    folder.mkdir()
    for name, files in parts.items():
        zipped(folder / f"{name}.zip", files) if packed else write(folder, files)
    faces, summary = load(tmp_path, folder)
    assert faces.names.tolist() == ["S005_001_00000002.png"] and faces.subjects.tolist() == ["S005"]
    assert faces.counts("emotion")["disgust"] == faces.counts("high_level_emotion")["negative"] == 1
    units = dict(zip(ACTION_UNITS, faces.targets["action_units"][0]))
    assert {unit for unit, present in units.items() if present} == {"AU17", "AU25"}
    strong = dict(zip(ACTION_UNITS, faces.intensities["action_units"][0]))
    assert strong.pop("AU25") == 3 and np.isnan(strong.pop("AU17")) and set(strong.values()) == {0}
    assert "1 sequences without a label are left out" in summary["notes"]


def test_two_pictures_of_one_name_in_two_folders_are_both_kept(tmp_path):
    files = {f"CK+48/{mood}/S015_004_00000017.png": encoded(PICTURE[:48, :48]) for mood in ("anger", "happy")}
    assert look(zipped(tmp_path / "c.zip", files))["images"] == 2


# Tables of attributes

ATTRIBUTES = {
    "decimals": ("name,glasses,hair_colour\na.jpg,1.0,2.0\nb.jpg,0.0,\n", {"no": 1, "yes": 1}),
    "back-slashes": ("name,glasses\nphotos\\a.jpg,yes\nphotos\\b.jpg,no\n", {"no": 1, "yes": 1}),
    "semicolons": ("name;glasses\na.jpg;yes\nb.jpg;no\n", {"no": 1, "yes": 1}),
    "another case": ("name,glasses\nA.JPG,yes\nB.Jpg,no\n", {"no": 1, "yes": 1}),
    "no ending": ("name,glasses\na,yes\nb,no\n", {"no": 1, "yes": 1}),
    "blanks and NaN": ("name, glasses\na.jpg, Yes \nb.jpg, NaN\n", {"yes": 1}),
    "words": ("filename,Glasses\na.jpg,true\nb.jpg,false\n", {"no": 1, "yes": 1}),
    "JSON": (json.dumps([{"image": "a.jpg", "annotations": ["glasses"]}]), {"yes": 1}),
    "tags": ('a.jpg,"[glasses]"\nb.jpg,"[no glasses]"\n', {"no": 1, "yes": 1}),
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_a_table_of_attributes_as_people_write_it(tmp_path, kind):
    text, expected = ATTRIBUTES[kind]
    place = "photos/" if kind == "back-slashes" else ""
    ending = "json" if kind == "JSON" else "csv"
    found = look(
        zipped(
            tmp_path / "a.zip",
            {f"labels.{ending}": text.encode(), f"{place}a.jpg": JPEG, f"{place}b.jpg": JPEG},
        )
    )
    assert counts(found, "glasses") == expected and found["name"] == "attributes"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_in_any_encoding_and_form(tmp_path, encoding, form):
    write(tmp_path / "x", {"labels.csv": "name,glasses\nzoé.jpg,yes\n".encode(encoding)})
    write(tmp_path / "x", {unicodedata.normalize(form, "zoé.jpg"): JPEG})
    assert counts(look(tmp_path / "x"), "glasses") == {"yes": 1}


def test_american_spelling(tmp_path):
    text = "name,hair_color\na.jpg,gray\nb.jpg,blonde\n"
    found = look(zipped(tmp_path / "a.zip", {"labels.csv": text.encode(), "a.jpg": JPEG, "b.jpg": JPEG}))
    assert counts(found, "hair_colour") == {"blond": 1, "grey": 1}


def test_names_with_commas_in_a_web_annotators_boxes(tmp_path):
    text = "glasses,1,2,3,4,smith, anna.jpg,640,480\n"
    found = look(zipped(tmp_path / "a.zip", {"labels.csv": text.encode(), "smith, anna.jpg": JPEG}))
    assert found["layout"] == "makesense boxes" and found["samples"] == ["smith, anna.jpg"]


def test_a_name_that_may_be_two_pictures_is_refused_with_both(tmp_path):
    files = {"labels.csv": b"name,glasses\nA.jpg,yes\n", "x/a.jpg": JPEG, "y/a.JPG": JPEG}
    with pytest.raises(ValueError, match=r"'A\.jpg' may be x/a\.jpg or y/a\.JPG"):
        look(zipped(tmp_path / "a.zip", files))


@pytest.mark.parametrize("ending", [".jpg", ".png"])
@pytest.mark.parametrize("no", ["-1", "0"])
@pytest.mark.parametrize("index", [True, False])
def test_celeba_with_other_pictures_values_and_columns(tmp_path, ending, no, index):
    columns = ["Eyeglasses", "Wearing_Hat", "Bald", "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"]
    lines = [",".join((["Unnamed:"] if index else []) + ["image_id", *columns])]
    lines.append(",".join((["0"] if index else []) + ["000001.jpg", "1", *[no] * 6]))
    lines.append(",".join((["1"] if index else []) + ["000002.jpg", *[no] * 6, "1"]))
    files = {f"img/00000{i}{ending}": JPEG for i in (1, 2)} | {
        "list_attr_celeba.csv": "\n".join(lines).encode()
    }
    found = look(zipped(tmp_path / "c.zip", files))
    assert counts(found, "glasses") == {"no": 1, "yes": 1} and counts(found, "hair_colour") == {"grey": 1}


# Links, and what is looked at without a name


@pytest.mark.parametrize(
    ("names", "target", "split"),
    [
        (("happy/train/1.jpg", "sad/train/1.jpg", "sad/test/2.jpg"), "emotion", {"train": 2, "test": 1}),
        (("train_set/happy/1.jpg", "Test Set/sad/1.jpg"), "emotion", {"train": 1, "test": 1}),
        (("happy/anna/1.jpg", "sad/ben/1.jpg"), "emotion", {}),
        (("train/happy/anna/1.jpg", "test/sad/ben/1.jpg"), "emotion", {"train": 1, "test": 1}),
        (("cat/train/1.jpg", "dog/test/1.jpg"), "class", {"train": 1, "test": 1}),
    ],
)
def test_splits_and_people_below_or_above_the_classes(tmp_path, names, target, split):
    found = look(zipped(tmp_path / "f.zip", dict.fromkeys(names, JPEG)))
    assert list(found["targets"]) == [target] and found["split"] == split
    assert len(counts(found, target)) == 2


def test_folders_that_mean_nothing_are_named(tmp_path):
    files = dict.fromkeys(("train/happy/1.jpg", "test/sad/1.jpg", "extra/sad/2.jpg", "train/notes.csv"), JPEG)
    found = look(zipped(tmp_path / "f.zip", files))
    assert found["split"] == {} and found["left_out"] == {"train/notes.csv": "is no picture"}
    assert "folders that are neither classes nor a split: extra, test, train" in found["notes"]
    one = look(zipped(tmp_path / "one.zip", {"jaffe/KA.AN1.39.tiff": JPEG, "jaffe/KA.HA1.29.tiff": JPEG}))
    assert "all pictures lie in folders called jaffe: one class" in one["notes"]


def test_pictures_without_a_usual_ending_are_known_by_content(tmp_path):
    files = dict.fromkeys(("happy/anna", "happy/b.jpg_large", "sad/c.png ", "sad/d.jpg?width=200"), JPEG)
    assert look(zipped(tmp_path / "f.zip", files | {"sad/e.docx": b"PK"}))["images"] == 4


def test_one_word_in_two_unicode_forms_is_one_class(tmp_path):
    files = {f"{unicodedata.normalize(form, 'fröhlich')}/{form}.jpg": JPEG for form in ("NFC", "NFD")}
    assert counts(look(zipped(tmp_path / "f.zip", files | {"traurig/a.jpg": JPEG})), "class") == {
        unicodedata.normalize("NFC", "fröhlich"): 2,
        "traurig": 1,
    }


def test_zips_that_do_not_say_that_their_names_are_utf_8(tmp_path):
    name = "fröhlich/zoé.jpg"
    path = zipped(tmp_path / "f.zip", {"f____hlich/zo__.jpg"[: len(name.encode())]: JPEG, "sad/a.jpg": JPEG})
    path.write_bytes(path.read_bytes().replace(b"f____hlich/zo__.jpg"[: len(name.encode())], name.encode()))
    assert "fröhlich" in look(path)["targets"]["class"]


def test_two_links_to_one_folder_are_both_followed(tmp_path):
    write(tmp_path / "store", {"1.jpg": JPEG})
    (tmp_path / "f").mkdir()
    for name in ("happy", "sad"):
        (tmp_path / "f" / name).symlink_to(tmp_path / "store")
    (tmp_path / "f" / "sad2").symlink_to(tmp_path / "f")  # round and round
    assert look(tmp_path / "f")["images"] == 2


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        (np.full((60, 50), 127, np.int32), 127),
        (np.full((60, 50), 0.5, np.float32), 128),
        (np.full((60, 50), 32896, np.uint16), 128),
    ],
)
def test_grey_values_of_any_depth(tmp_path, values, mean):
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "TIFF")
    assert np.unique(datasets.decode(stream.getvalue(), 3)) == [mean]


TABLE = "name;glasses;hair_colour;;\na.jpg;1,0;brown;;\n;;;;\nb.jpg;-;-;;\nb.jpg;-;-;;\n"


@pytest.mark.parametrize("preface", ["", "sep=;\r\n", "\n\n", "\ufeffsep=;\n"])
def test_tables_as_spreadsheets_write_them(tmp_path, preface):
    files = {"a.jpg": JPEG, "b.jpg": JPEG, "labels.csv": (preface + TABLE).encode()}
    found = look(zipped(tmp_path / "f.zip", files))
    assert found["images"] == 2 and counts(found, "glasses") == {"yes": 1}


def test_the_pictures_name_is_told_from_a_persons(tmp_path):
    table = "name,image_path,glasses\nAnn,in/a.jpg,1\nBen,in/b.jpg,0\n"
    found = look(zipped(tmp_path / "f.zip", {"in/a.jpg": JPEG, "in/b.jpg": JPEG, "labels.csv": table}))
    assert counts(found, "glasses") == {"no": 1, "yes": 1}


def test_rows_that_cannot_both_be_right_are_refused(tmp_path):
    for rows, message in (
        ("a.jpg,1\nA.JPG,0\n", "'a.jpg' and 'A.JPG' are one picture; keep one row of it"),
        ('a.jpg,"1\nb.jpg,0\n', "a quote is not closed"),
    ):
        files = {"a.jpg": JPEG, "b.jpg": JPEG, "labels.csv": f"name,glasses\n{rows}"}
        with pytest.raises(ValueError, match=message):
            look(zipped(tmp_path / "f.zip", files))


def test_pixel_tables_with_words_and_parts_in_each(tmp_path):
    row = pixel_table("emotion", "pixels", "Usage").decode().splitlines()[1].split(",", 1)[1]
    pixels = row.rpartition(",")[0]
    table = f"emotion,pixels,Usage,\nHappiness,{pixels},train,\n3.0,{pixels},PUBLICTEST,\n,,,\n"
    faces, _ = load(tmp_path, write(tmp_path / "f", {"fer2013.csv": table}) / "fer2013.csv")
    assert faces.targets["emotion"].tolist() == [3, 3] and faces.split.tolist() == ["train", "public_test"]
    three = {
        f"{part}.csv": f"emotion,pixels,Usage\n3,{pixels},{usage}\n"
        for part, usage in {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}.items()
    }
    found = look(write(tmp_path / "g", three))
    assert found["split"] == {"private_test": 1, "public_test": 1, "train": 1} and not found["left_out"]


def test_a_contact_sheet_goes_over_nothing_that_is_not_ours(tmp_path):
    source = zipped(tmp_path / "f.zip", {"sad/a.jpg": JPEG, "happy/b.jpg": JPEG})
    mine = tmp_path / "mine.png"
    mine.write_bytes(encoded(PICTURE))
    for target in (mine, tmp_path / "mine.jpg"):
        with pytest.raises(ValueError, match=r"is no picture of labkit|ends with \.png"):
            datasets.contact_sheet(source, target)
    assert mine.read_bytes() == encoded(PICTURE)
    for _ in range(2):
        datasets.contact_sheet(source, tmp_path / "sheet.png")


def test_pictures_alone_are_a_set_without_labels(tmp_path):
    faces, summary = load(
        tmp_path, zipped(tmp_path / "f.zip", {"a.jpg": JPEG, "b.png": JPEG, "c.gif": b"no"})
    )
    assert len(faces) == 2 and faces.targets == {} and set(summary["left_out"]) == {"c.gif"}
    assert "no folders of classes: pictures without labels" in summary["notes"]
    with pytest.raises(ValueError, match="no picture has a label; sort them into folders"):
        evaluation.evaluate("smile", tmp_path / "f.zip")
    with pytest.raises(ValueError, match="expected folders named as their class"):  # labels may be in there
        look(zipped(tmp_path / "f.zip", {"a.jpg": JPEG, "notes.xlsx": b"?"}))


def test_a_folder_that_holds_one_archive_is_that_archive(tmp_path):
    write(tmp_path / "one", {"faces of ann.bin": zipped(tmp_path / "z", {"sad/a.jpg": JPEG}).read_bytes()})
    assert look(tmp_path / "one")["images"] == 1


def test_a_second_whole_table_is_named(tmp_path):
    table = pixel_table("emotion", "pixels", "Usage")
    found = look(write(tmp_path / "f", {"fer2013.csv": table, "fer2013 (1).csv": table}))
    assert found["images"] == 3 and len(found["left_out"]) == 1


def test_links_are_followed_each_folder_once(tmp_path):
    write(tmp_path / "store", {"file0001.jpg": JPEG, "file0002.jpg": JPEG})
    write(tmp_path / "genki", {"labels.txt": b"1 0 0 0\n0 0 0 0\n"})
    os.symlink(tmp_path / "store", tmp_path / "genki" / "files")
    os.symlink(tmp_path / "genki", tmp_path / "store" / "again")
    assert look(tmp_path / "genki")["images"] == 2


def test_looking_imports_nothing_and_importing_needs_no_name(tmp_path):
    path = zipped(
        tmp_path / "f.zip", {f"{mood}/{i}.jpg": JPEG for mood in ("happy", "sad") for i in range(30)}
    )
    found = look(path)
    assert (found["name"], found["images"], len(found["samples"])) == ("folders", 60, 24)
    assert [entry.name for entry in tmp_path.iterdir()] == ["f.zip"]
    summary = datasets.import_data("", path, tmp_path / "data", progress=False)
    assert summary["name"] == "folders" and summary["images"] == 60
    datasets.contact_sheet(path, tmp_path / "sheet.png")
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] > 500
