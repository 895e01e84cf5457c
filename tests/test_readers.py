"""The readers in `labkit.formats` against files of every layout, written here pixel by pixel."""

import shutil

import cv2
import numpy as np
import pytest
from downloads import (
    CK_ROWS,
    GREY,
    OWN,
    RANDOM,
    STRAY,
    ck_photographs,
    ck_table,
    encoded,
    fer,
    fer_row,
    genki,
    load,
    noise,
    photographs,
    refuse,
    tarred,
    write,
    zipped,
)

from labkit import datasets, labels
from labkit.formats import attribute_tables, fer2013

# GENKI-4K


@pytest.mark.parametrize("packed", ["folder", "zip", "tar", "tar.gz", "inner folder", "carriage returns"])
def test_genki4k(tmp_path, packed):
    photos, files = genki(ending="\r\n" if packed == "carriage returns" else "\n")
    if packed == "zip":
        file = zipped(tmp_path / "g.zip", files)
    elif packed.startswith("tar"):
        file = tarred(tmp_path / f"g.{packed}", files, "w:gz" if packed == "tar.gz" else "w")
    else:
        file = write(tmp_path / "g", files) / ("genki4k" if packed == "inner folder" else "")
    faces, summary = load(tmp_path, "genki4k", file)
    assert faces.images.shape == (5, 96, 96, 3)
    assert faces.targets["smile"].tolist() == [0, 1, 0, 1, 0] and faces.counts("smile") == {
        "not smiling": 3,
        "smiling": 2,
    }
    assert faces.targets["pose"].tolist() == [0, 1, 1, 0, 1]
    assert faces.names.tolist() == [f"file{i:04d}.jpg" for i in range(1, 6)]
    for image, photo in zip(faces.images, photos):
        expected = cv2.resize(photo, (96, 96), interpolation=cv2.INTER_LINEAR).reshape(96, 96, -1)
        assert np.abs(image.astype(int) - expected).mean() < 4  # what JPEG loses
    # Nobody is in these pictures: each is counted, and the face view has the centred square.
    assert len(summary["faces_not_found"]) == 5 and "no face found in 5 photographs" in " ".join(
        summary["notes"]
    )
    square = datasets.load("genki4k", tmp_path / "data", view="face").images[2]
    photo = cv2.imdecode(np.frombuffer(files["genki4k/files/file0003.jpg"], np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(square, cv2.resize(photo[9:65], (96, 96), interpolation=cv2.INTER_LINEAR))
    assert summary["problems"] == [
        "all: 3 images of smile 'not smiling', expected 1,838",
        "all: 2 images of smile 'smiling', expected 2,162",
    ]


def test_the_face_view_is_the_crop_of_detect(tmp_path, monkeypatch):
    from labkit import detect

    face = detect.Face((10.0, 10.0, 40.0, 40.0), 1.0, ((20.0, 25.0), (40.0, 27.0)))
    monkeypatch.setattr(detect, "find_faces", lambda picture: [face])
    _, files = genki(2)
    faces, summary = load(tmp_path, "genki4k", tarred(tmp_path / "g.tar", files), view="face")
    photo = cv2.imdecode(np.frombuffer(files["genki4k/files/file0001.jpg"], np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(faces.images[0], detect.crop_face(photo, face, 96))
    assert summary["faces_not_found"] == []


def test_genki4k_refuses(tmp_path):
    _, files = genki()
    label, last = "genki4k/labels.txt", "genki4k/files/file0005.jpg"
    without = {name: content for name, content in files.items() if name != last}
    changes = {
        "a smile of 2": (
            files | {label: files[label].replace("1 0.3", "2 0.3")},
            "labels.txt line 2",
            "smile 0 or 1",
        ),
        "a word": (files | {label: files[label].replace("0.300000", "left")}, "labels.txt line 2", "left"),
        "five values": (files | {label: files[label].replace("0.300000", "0 0.3")}, "labels.txt line 2"),
        "not a number": (files | {label: files[label].replace("0.300000", "nan")}, "labels.txt line 2"),
        "fewer lines": (files | {label: "\n".join(files[label].split("\n")[:3])}, "file0004.jpg has no line"),
        "a missing picture": (without, "file0005.jpg is missing", "5 lines"),
        "no labels": (
            {name: content for name, content in files.items() if name != label},
            "is not laid out as GENKI-4K",
            "no labels.txt",
        ),
        "labels in binary": (files | {label: b"\x01\x00\x02"}, "is not a text file"),
    }
    for i, (changed, *words) in enumerate(changes.values()):
        refuse(tmp_path, "genki4k", tarred(tmp_path / f"{i}.tar", changed), *words)
    for content, why in {
        files[last][:-300]: "cut off",
        files[last][:30]: "cut off",
        b"": "not a picture",
        b"<html>not found</html>": "not a picture",
    }.items():  # one bad picture stops no other
        faces, summary = load(tmp_path, "genki4k", tarred(tmp_path / "bad.tar", files | {last: content}))
        assert len(faces) == 4 and why in summary["left_out"][last]
        shutil.rmtree(tmp_path / "data")
    refuse(tmp_path, "genki4k", write(tmp_path / "empty", {".DS_Store": b""}), "holds no files")
    refuse(tmp_path, "genki4k", tmp_path / "nowhere.tar", "no such file or folder", error=FileNotFoundError)


# FER2013


def test_fer2013_tables(tmp_path):
    images, emotions, usages = fer()
    original = "\n".join(
        ["emotion,pixels,Usage", *(fer_row(i, e, after=[u]) for i, e, u in zip(images, emotions, usages))]
    )
    spaced = "\n".join(
        ["emotion, Usage, pixels", *(fer_row(i, e, u) for i, e, u in zip(images, emotions, usages))]
    )
    files = [
        write(tmp_path, {"fer2013.csv": "\ufeff" + original + "\n\n"}) / "fer2013.csv",
        zipped(
            tmp_path / "f.zip",
            STRAY
            | {
                "icml_face_data.csv": spaced,
                "train.csv": "emotion,pixels",
                "example_submission.csv": "x,y\n1,2",
            },
        ),
        tarred(
            tmp_path / "f.tar.gz", STRAY | {"fer2013/fer2013.csv": original.replace("\n", "\r\n")}, "w:gz"
        ),
    ]
    prints = set()
    for file in files:
        faces, summary = load(tmp_path, "fer2013", file)
        np.testing.assert_array_equal(faces.images, images)
        assert faces.targets["emotion"].tolist() == emotions
        assert faces.split.tolist() == [fer2013.USAGES[usage] for usage in usages]
        prints.add(faces.fingerprint)
    assert len(prints) == 1 and summary["fingerprints"] == {"face": prints.pop()}


def test_fer2013_competition_tables(tmp_path):
    images, emotions, _ = fer(4)
    train = "\n".join(["emotion,pixels", *(fer_row(i, e) for i, e in zip(images[:2], emotions))])
    test = "\n".join(["pixels", *(fer_row(i) for i in images[2:])])
    faces, summary = load(
        tmp_path, "fer2013", write(tmp_path / "f", STRAY | {"train.csv": train, "test.csv": test})
    )
    np.testing.assert_array_equal(faces.images, images)
    assert faces.targets["emotion"].tolist() == [0, 1, -1, -1] and faces.split.tolist() == [
        "train",
        "train",
        "test",
        "test",
    ]
    assert {"split 'public_test' is not in this copy", "split 'private_test' is not in this copy"} <= set(
        summary["notes"]
    )


@pytest.mark.parametrize("ending", [".png", ".jpg"])
@pytest.mark.parametrize("top", ["", "archive/"])
def test_fer2013_folders(tmp_path, ending, top):
    images, emotions, usages = fer()
    names = [f"{usage}_{number}{ending}" for usage, number in zip(usages, [10, 9, 8, 100, 7, 3, 2, 5, 4])]
    files = {}
    for name, emotion, image in zip(names, emotions, images):
        part = "train" if name.startswith("Training") else "test"
        files[f"{top}{part}/{labels.EMOTIONS[emotion]}/{name}"] = encoded(image, ending)
    faces, _ = load(tmp_path, "fer2013", zipped(tmp_path / "f.zip", STRAY | files))
    order = [4, 2, 1, 0, 3, 6, 5, 8, 7]  # by split, then by number
    assert faces.names.tolist() == [names[i] for i in order] and faces.targets["emotion"].tolist() == [
        emotions[i] for i in order
    ]
    assert faces.split.tolist() == ["train"] * 5 + ["public_test"] * 2 + ["private_test"] * 2
    expected = [
        cv2.imdecode(np.frombuffer(encoded(images[i], ending), np.uint8), GREY)[..., None] for i in order
    ]
    np.testing.assert_array_equal(faces.images, expected)


def test_fer2013_without_the_private_test_is_complete(tmp_path, monkeypatch):
    images, emotions, usages = fer()
    table = "\n".join(
        ["emotion,pixels,Usage", *(fer_row(i, e, after=[u]) for i, e, u in zip(images[:7], emotions, usages))]
    )
    expected = {
        "train": {"emotion": {"angry": 1, "fear": 1}},
        "public_test": {"emotion": {"surprise": 1}},
        "private_test": {"emotion": {}},
    }
    monkeypatch.setitem(datasets.SOURCES["fer2013"].expected, "table", expected)
    _, summary = load(tmp_path, "fer2013", write(tmp_path, {"fer2013.csv": table}) / "fer2013.csv")
    assert summary["problems"] == [] and summary["notes"] == ["split 'private_test' is not in this copy"]
    expected["train"]["emotion"]["angry"] = 2
    assert datasets.check("fer2013", tmp_path / "data")["problems"] == [
        "train: 1 images of emotion 'angry', expected 2"
    ]


def test_fer2013_counts_black_images(tmp_path):
    images, emotions, usages = fer()
    images[[2, 5]] = 0
    table = "\n".join(
        ["emotion,pixels,Usage", *(fer_row(i, e, after=[u]) for i, e, u in zip(images, emotions, usages))]
    )
    _, summary = load(tmp_path, "fer2013", write(tmp_path, {"fer2013.csv": table}) / "fer2013.csv")
    assert "2 images are black: their highest pixel is 0" in summary["notes"]
    seen = datasets.load("fer2013", tmp_path / "data", black=False)
    assert len(seen) == summary["images"] - 2 and (seen.images.reshape(len(seen), -1).max(1) > 0).all()


def test_fer2013_refuses(tmp_path):
    images, _, _ = fer(2)
    good = fer_row(images[0], 3, after=["Training"])
    rows = {
        good.replace(" ", " 1 ", 1): "2305 pixels, expected 2304",
        f"3,{' '.join(['0'] * 2303)},Training": "2303 pixels, expected 2304",
        f"3,{' '.join(['0'] * 2303)} x,Training": "whole numbers 0 to 255",
        f"3,{' '.join(['0'] * 2303)} 256,Training": "whole numbers 0 to 255",
        f"3,{' '.join(['0'] * 2303)} -1,Training": "whole numbers 0 to 255",
        "8" + good[1:]: "emotion '8', expected a code 0 to 6",
        "-1" + good[1:]: "emotion '-1'",
        good[1:]: "emotion ''",
        good.replace("Training", "Exam"): "Usage 'Exam', expected one of Training, PublicTest, PrivateTest",
        good + ",9": "4 values, expected 3",
        good[:600]: "2 values, expected 3",
    }
    for i, (row, word) in enumerate(rows.items()):
        table = "\n".join(["emotion,pixels,Usage", good, row, good])
        refuse(
            tmp_path,
            "fer2013",
            zipped(tmp_path / f"{i}.zip", {"fer2013.csv": table}),
            "fer2013.csv line 3",
            word,
        )
    folder = {f"train/angry/Training_{i}.png": encoded(images[i]) for i in range(2)}
    others = [
        (
            {"fer2013.csv": "emotion,Usage\n1,Training"},
            "expected a table with columns emotion, pixels and Usage",
        ),
        ({"fer2013.csv": "emotion,pixels,Usage\n"}, "has no rows"),
        ({"fer2013.csv": b"emotion,pixels,Usage\n\xff\xfe"}, "1 values, expected 3"),
        (
            folder | {"train/angryy/Training_7.png": encoded(images[0])},
            "train/angryy/Training_7.png",
            "expected one of angry, disgust",
        ),
        (folder | {"test/angry/im7.png": encoded(images[0])}, "test/angry/im7.png", "PublicTest"),
    ]
    for i, (files, *words) in enumerate(others):
        refuse(tmp_path, "fer2013", write(tmp_path / f"folder{i}", files), *words)
    other = "train/sad/Training_7.png"
    _, summary = load(tmp_path, "fer2013", write(tmp_path / "f", folder | {other: encoded(noise(48, 50, 1))}))
    assert summary["images"] == 2 and "50x48 pixels, expected 48x48" in summary["left_out"][other]


# CK+


@pytest.mark.parametrize("place", ["inside", "beside"])
def test_ckplus_photographs(tmp_path, place):
    images, files = ck_photographs()
    if place == "inside":
        file = zipped(tmp_path / "ck.zip", files | {"data_labels.csv": ck_table(CK_ROWS)})
    else:
        file = write(tmp_path / "ck", files)
        write(tmp_path, {"data_labels.csv": ck_table(CK_ROWS)})
    faces, summary = load(tmp_path, "ckplus", file)
    assert faces.images.shape == (3, 300, 300, 1) and faces.subjects.tolist() == ["S005", "S005", "S010"]
    assert faces.targets["high_level_emotion"].tolist() == [0, 1, 2]
    assert faces.classes["action_units"][:3] == ("AU17", "AU1", "AU2")
    expected = [[float(unit or "nan") for unit in row[3]] for row in CK_ROWS]
    np.testing.assert_array_equal(faces.targets["action_units"], np.array(expected, np.float32))
    assert len(summary["faces_not_found"]) == 3
    np.testing.assert_array_equal(
        faces.images[0, ..., 0], cv2.resize(images[0][:, 75:565], (300, 300), interpolation=cv2.INTER_AREA)
    )


@pytest.mark.parametrize("with_table", [True, False])
def test_ck48(tmp_path, with_table):
    rows = [("S010", 4, 10, ["0"] * 15, "surprise"), *CK_ROWS]
    names = [
        "happy/S005_002_00000014.png",
        "happy/S005_002_00000013.png",
        "surprise/S010_004_00000016.png",
        "contempt/S138_008_00000007.png",
    ]
    images = [RANDOM.integers(0, 256, (48, 48, 1), dtype=np.uint8) for _ in names]
    files = {f"CK+48/{name}": encoded(image) for name, image in zip(names, images)} | {
        f"CK+48/{name}": data for name, data in STRAY.items()
    }
    faces, summary = load(
        tmp_path,
        "ckplus",
        zipped(tmp_path / "ck.zip", files | ({"data_labels.csv": ck_table(rows)} if with_table else {})),
    )
    order = [faces.names.tolist().index(name.split("/")[1]) for name in names]
    faces = faces.take(order)
    np.testing.assert_array_equal(faces.images, images)
    assert [faces.classes["emotion"][i] for i in faces.targets["emotion"]] == [
        "happy",
        "happy",
        "surprise",
        "contempt",
    ]
    assert faces.targets["high_level_emotion"].tolist() == [1, 1, 2, 0] and faces.subjects.tolist() == [
        "S005",
        "S005",
        "S010",
        "S138",
    ]
    nothing = [np.nan] * 15
    happy, surprise = (
        [float(unit or "nan") for unit in rows[i][3]] for i in (2, 3)
    )  # frame 16 is nearer to row 17 than to row 10
    if with_table:
        expected = np.array([happy, happy, surprise, nothing], np.float32)
        np.testing.assert_array_equal(faces.targets["action_units"], expected)
    else:
        assert "action_units" not in faces.targets
    assert summary["notes"] == [
        f"{1 if with_table else 4} of 4 images have no action units in data_labels.csv"
    ]


def test_ckplus_refuses(tmp_path):
    _, files = ck_photographs()
    table = ck_table(CK_ROWS)
    first = "cohn-kanade-images/S005/001/S005_001_00000011.png"
    changes = [
        (files, "data_labels.csv is missing"),
        (files | {"data_labels.csv": table.replace(",AU17,", ",AU99,")}, "no column AU17"),
        (
            files | {"data_labels.csv": table.replace(",0,1,0,0,1,", ",0,2,0,0,1,")},
            "data_labels.csv line 2",
            "must be 0 or 1",
        ),
        (
            files | {"data_labels.csv": table.replace("positive", "glad")},
            "data_labels.csv line 3",
            "negative, positive, surprise",
        ),
        (
            {"cohn-kanade-images/S999/001/S999_001_00000001.png": files[first], "data_labels.csv": table},
            "S005_001_00000011.png",
            "line 2",
        ),
        ({"CK+48/fury/S005_002_00000014.png": encoded(noise(48, 48, 1))}, "folder 'fury'", "anger, contempt"),
    ]
    for i, (changed, *words) in enumerate(changes):
        refuse(tmp_path, "ckplus", zipped(tmp_path / f"{i}.zip", changed), *words)


def test_a_row_of_ckplus_without_a_picture_is_left_out_and_named(tmp_path):
    _, files = ck_photographs()
    first = "cohn-kanade-images/S005/001/S005_001_00000011.png"
    there = {name: data for name, data in files.items() if name != first}
    faces, summary = load(
        tmp_path, "ckplus", zipped(tmp_path / "ck.zip", there | {"data_labels.csv": ck_table(CK_ROWS)})
    )
    assert len(faces) == len(CK_ROWS) - 1 and first.split("/")[-1] not in faces.names
    assert "line 2" in summary["left_out"][first.split("/")[-1]]


# Attributes


@pytest.mark.parametrize("give", ["table", "folder", "zip"])
def test_own_attributes(tmp_path, give):
    images, files = photographs()
    everything = files | {"labels.csv": OWN} | STRAY
    file = zipped(tmp_path / "a.zip", everything) if give == "zip" else write(tmp_path / "a", everything)
    faces, summary = load(tmp_path, "attributes", file / "labels.csv" if give == "table" else file)
    assert faces.images.shape == (3, 200, 200, 3) and faces.names.tolist() == list(files)
    assert {name: values.tolist() for name, values in faces.targets.items()} == {
        "wrinkles": [1, -1, 0],
        "freckles": [0, 0, 0],
        "glasses": [-1, 1, 0],
        "hair_colour": [4, 2, 0],
        "hair_top": [1, 2, 0],
        "not_human": [0, -1, 1],
    }
    np.testing.assert_array_equal(
        faces.images[0], cv2.resize(images["a.png"], (200, 200), interpolation=cv2.INTER_AREA)
    )
    np.testing.assert_array_equal(faces.images[2], np.repeat(images["c.png"], 3, axis=2))
    assert summary["notes"] == ["columns not used: annotator"] and summary["problems"] == []


def test_attributes_have_the_classes_of_the_built_in_faces():
    synthetic = pytest.importorskip("labkit.synthetic")
    shared = set(synthetic.CLASSES) & set(attribute_tables.ATTRIBUTES)
    assert {"wrinkles", "freckles", "glasses", "hair_colour", "hair_top"} <= shared
    assert all(synthetic.CLASSES[name] == attribute_tables.ATTRIBUTES[name] for name in shared)
    assert (
        synthetic.CLASSES["action_units"] == tuple(labels.ACTION_UNITS)
        and synthetic.CLASSES["emotion"] == labels.EMOTIONS
    )
    assert synthetic.CLASSES["high_level_emotion"] == labels.HIGH_LEVEL and synthetic.CLASSES["smile"] == (
        "not smiling",
        "smiling",
    )


BOXES = [
    "hair_colour=brown,5,5,90,90,a.png,200,300",
    "glasses,1,2,3,4,a.png,200,300",
    "no freckles,1,2,3,4,b.jpg,260,150",
]
TAGS = ['a.png,"[hair_colour: brown,glasses]"', 'b.jpg,"[no freckles]"']


@pytest.mark.parametrize(
    "lines",
    [
        BOXES,
        ["label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width,image_height", *BOXES],
        TAGS,
    ],
)
def test_makesense(tmp_path, lines):
    _, files = photographs()
    faces, _ = load(
        tmp_path, "attributes", write(tmp_path / "a", files | {"labels_my-project.csv": "\n".join(lines)})
    )
    assert faces.names.tolist() == ["a.png", "b.jpg"]
    assert {name: values.tolist() for name, values in faces.targets.items()} == {
        "freckles": [-1, 0],
        "glasses": [1, -1],
        "hair_colour": [2, -1],
    }


CELEBA_NAMES = [f"Attribute_{i}" for i in range(33)] + [
    "Bald",
    "Black_Hair",
    "Blond_Hair",
    "Brown_Hair",
    "Eyeglasses",
    "Gray_Hair",
    "Wearing_Hat",
]


@pytest.mark.parametrize("kind", ["txt", "csv"])
def test_celeba(tmp_path, kind):
    yes = [{"Black_Hair", "Eyeglasses"}, {"Black_Hair", "Brown_Hair", "Wearing_Hat"}, {"Bald"}, set()]
    values = [["1" if name in row else "-1" for name in CELEBA_NAMES] for row in yes]
    names = [f"00000{i}.jpg" for i in range(1, 5)]
    if kind == "txt":
        rows = [f"{name}  " + " ".join(f"{value:>2}" for value in row) for name, row in zip(names, values)]
        table = "\n".join(["4", " ".join(CELEBA_NAMES) + " ", *rows])
        partition = "".join(f"{name} {i % 3}\n" for i, name in enumerate(names))
    else:
        table = "\n".join(
            [
                "image_id," + ",".join(CELEBA_NAMES),
                *(",".join([name, *row]) for name, row in zip(names, values)),
            ]
        )
        partition = "image_id,partition\n" + "".join(f"{name},{i % 3}\n" for i, name in enumerate(names))
    files = {
        f"img_align_celeba/{name}": encoded(noise(218, 178), ".jpg") for name in names[:3]
    }  # the fourth was not downloaded
    files |= {
        f"list_attr_celeba.{kind}": table,
        f"list_eval_partition.{kind}": partition,
        "identity_CelebA.txt": "".join(f"{n} 77\n" for n in names),
    }
    faces, summary = load(tmp_path, "attributes", write(tmp_path / "celeba", files))
    assert faces.names.tolist() == names[:3] and summary["notes"] == [
        "1 rows of the table have no picture here"
    ]
    assert {name: faces.targets[name].tolist() for name in ("glasses", "hair_colour", "hair_top")} == {
        "glasses": [1, 0, 0],
        "hair_colour": [0, -1, 4],
        "hair_top": [0, 2, 1],
    }
    assert faces.classes["celeba"] == tuple(CELEBA_NAMES)
    assert [{CELEBA_NAMES[i] for i in np.flatnonzero(row)} for row in faces.targets["celeba"]] == yes[:3]
    assert faces.split.tolist() == ["train", "validation", "test"] and faces.subjects.tolist() == ["77"] * 3


COURSE = """4,,,,,
file_name,hair_color,eyeglasses,smiling,young,human
1,4,1,-1,1,1
2,2,-1,1,-1,-1
3,-1,-1,-1,-1,-1
10,-1,-1,1,1,1
"""


def test_people_and_cartoons_in_their_own_codes(tmp_path):
    files = {f"images/{i}.jpg": encoded(noise(20, 20), ".jpg") for i in (1, 2, 3, 10)}
    folder = write(tmp_path / "course", files | {"attribute_list.csv": COURSE})
    faces, summary = load(tmp_path, "attributes", folder)
    assert summary["layout"] == "people and cartoons" and faces.names.tolist() == ["1", "2", "3", "10"]

    def said(target):
        return [(*faces.classes[target], None)[value] for value in faces.targets[target]]

    assert said("kind") == ["person", "cartoon", "no face", "person"]
    assert said("not_human") == ["no", "yes", "yes", "no"]
    assert said("hair_colour") == ["black", "ginger", None, None]
    assert said("glasses") == ["yes", "no", None, "no"]  # of a picture without a face it says nothing
    assert said("smile") == ["not smiling", "smiling", None, "smiling"]
    assert said("age") == ["young", "old", None, "young"]
    again, _ = load(tmp_path, "cartoons", folder)
    assert again.names.tolist() == faces.names.tolist() and datasets.look(folder)["name"] == "attributes"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("4,,,,,", "5,,,,,"), "states 5 images but has 4 rows"),
        (("2,2,-1", "2,6,-1"), "line 4: expected hair_color -1 to 5 and eyeglasses, .* got 2,6,-1"),
        (("1,4,1,-1", "1,4,1,0"), "line 3: expected hair_color"),
        (("3,-1,-1,-1,-1,-1", "3,-1"), "line 5: expected hair_color"),
    ],
)
def test_people_and_cartoons_refuse(tmp_path, change, message):
    files = {f"images/{i}.jpg": encoded(noise(20, 20), ".jpg") for i in (1, 2, 3, 10)}
    folder = write(tmp_path / "course", files | {"attribute_list.csv": COURSE.replace(*change)})
    with pytest.raises(ValueError, match=message):
        load(tmp_path, "attributes", folder)


def test_attributes_refuse(tmp_path):
    _, files = photographs()
    celeba = "\n".join(["2", " ".join(CELEBA_NAMES), "a.png " + " ".join(["-1"] * 40)])
    tables = [
        (OWN.replace("brown", "green"), "labels.csv line 3", "hair_colour 'green', expected black, blond"),
        (OWN.replace("a.png,1", "a.png,2"), "labels.csv line 2", "wrinkles '2', expected no, yes"),
        (OWN + "a.png,1,1,1,1,1,1,bob\n", "labels.csv line 5", "'a.png' stood in line 2 already"),
        (OWN + "d.png,1,1,1,1,1,1,bob\n", "d.png", "not in"),
        (OWN + "c.png,1\n", "labels.csv line 5", "2 values, expected 8"),
        (OWN.splitlines()[0], "names no image"),
        (
            "brown,1,2,3,4,a.png,9,9\nblond,1,2,3,4,a.png,9,9",
            "labels.csv line 2",
            "'blond' and 'brown' at once",
        ),
        ("bald,1,2,3,4,a.png,9,9", "labels.csv line 1", "label 'bald' for a.png", "hair_top=bald"),
        ('a.png,"[glasses]"\nb.jpg', "labels.csv line 2", "expected image"),
        (celeba, "states 2 images but has 1 rows"),
        (celeba.replace("2\n", "1\n", 1).replace("-1", "0", 1), "row 1 ('a.png')", "each 1 or 0"),
        (celeba.replace("2\n", "1\n", 1).replace("Bald", "Bold"), "has no column Bald"),
        ("image,x\na.png,3", "expected"),
    ]
    for i, (table, *words) in enumerate(tables):
        refuse(
            tmp_path,
            "attributes",
            write(tmp_path / str(i), files | {"labels.csv": table}) / "labels.csv",
            *words,
        )
    twice = write(
        tmp_path / "twice",
        {"x/a.png": files["a.png"], "y/a.png": files["a.png"], "t.csv": "name,glasses\na.png,1\n"},
    )
    refuse(tmp_path, "attributes", twice, "'a.png' may be x/a.png or y/a.png")
    two = write(tmp_path / "two", files | {"one.csv": OWN, "two.csv": OWN})
    refuse(tmp_path, "attributes", two, "found one.csv, two.csv; give the one meant")


def test_folders_of_classes(tmp_path):
    files = {f"mine/{kind}/{i}.png": encoded(noise(40, 60)) for kind in ("Happy", "sad") for i in range(2)}
    faces, _ = load(tmp_path, "folders", zipped(tmp_path / "f.zip", files), view="photo")
    assert faces.counts("emotion") == dict(
        zip(labels.EMOTIONS, (0, 0, 0, 2, 2, 0, 0))
    ) and faces.images.shape == (4, 96, 96, 3)
    animals = {f"{kind}/{i}.jpg": encoded(noise(40, 60), ".jpg") for kind in ("10", "9") for i in range(3)}
    faces, _ = load(tmp_path, "folders", write(tmp_path / "g", animals))
    assert faces.counts("class") == {"9": 3, "10": 3}
    with pytest.raises(
        ValueError, match="is not laid out as Your own folders: expected folders named as their class"
    ):
        load(
            tmp_path,
            "folders",
            zipped(tmp_path / "flat.zip", {"a.png": encoded(noise(40, 60)), "a.txt": "1"}),
        )
