"""`labkit.annotate`: the journal under kills, sessions, agreement against scikit-learn, tables out and in."""

import itertools
import subprocess
import sys

import cv2
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from labkit import annotate, datasets, metrics
from labkit.annotate import Journal, Session, Task
from labkit.faces import FaceSet
from labkit.formats import attribute_tables
from labkit.labels import NO_YES

NAMES = ["a.jpg", "b.jpg", "c.jpg"]
SMALL = Task({"glasses": ("no", "yes"), "hair_top": ("hair", "hat"), "not_human": ("no", "yes")})


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path, "anna")
    yield opened
    opened.close()


def again(journal):
    """The journal as another kernel would open it once this one is dead."""
    journal.close()
    return Journal(journal.file.parent, "anna")


def test_a_session_asks_one_attribute_after_the_other_and_goes_on_where_it_was(journal):
    session = Session(NAMES, journal, SMALL)
    assert (session.picture, session.attribute) == (0, "glasses")
    session.choose(2)
    assert (session.picture, session.attribute) == (0, "hair_top")
    session.choose(7)  # there is no such class
    assert (session.picture, session.attribute) == (0, "hair_top")
    session.choose(1)
    assert (session.picture, session.attribute) == (1, "glasses") and session.done() == 1
    session.choose(1)
    session = Session(NAMES, again(journal), SMALL)
    assert (session.picture, session.attribute) == (1, "hair_top")
    assert session.of(0) == {"glasses": "yes", "hair_top": "hair"} and session.of(1) == {"glasses": "no"}
    assert session.counts()["glasses"] == {"no": 1, "yes": 1}


def test_commands(journal):
    session = Session(NAMES, journal, SMALL)
    session.command("flag")  # nobody in it: done without the rest
    assert session.picture == 1 and session.of(0) == {"not_human": "yes"} and session.done() == 1
    session.command("skip")
    assert session.picture == 2
    session.choose(1)
    session.choose(1)
    assert session.picture == 1, "what was skipped comes at the end"
    session.command("back")
    session.command("unset")
    assert session.picture == 0 and session.of(0) == {} and session.done() == 1
    session.command("down")
    assert session.attribute == "hair_top"
    session.command("unset")  # nothing there to take back
    session.command("down")
    session.command("up")
    assert session.attribute == "hair_top"
    for _ in range(3):
        session.command("next")
    assert session.picture == 0, "from the last picture one comes to the first"
    kept = Session(NAMES, again(journal), SMALL)
    assert kept.said.get("a.jpg", {}) == {} and kept.skipped == {"b.jpg"} and kept.picture == 0


def test_a_label_that_is_changed_stays_at_its_picture(journal):
    session = Session(NAMES, journal, SMALL)
    for number in (1, 1):
        session.choose(number)
    session.command("back")
    session.label("glasses", "yes")
    assert session.picture == 0 and session.of(0)["glasses"] == "yes"
    with pytest.raises(ValueError, match="glasses 'maybe': expected"):
        session.label("glasses", "maybe")


def test_a_line_cut_off_by_a_kill_costs_that_answer_alone(journal):
    journal.write("a.jpg", "glasses", "yes")
    journal.close()
    with journal.file.open("a") as stream:
        stream.write('{"picture": "b.jpg", "attr')
    with journal.file.open("ab") as stream:
        stream.write("ü".encode()[:1])  # in the middle of a letter
    assert annotate.answers(journal.file)[0] == {"a.jpg": {"glasses": "yes"}}
    reopened = Journal(journal.file.parent, "anna")
    reopened.write("c.jpg", "glasses", "no")
    assert annotate.answers(reopened.file)[0] == {"a.jpg": {"glasses": "yes"}, "c.jpg": {"glasses": "no"}}
    reopened.close()


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    (tmp_path / "anna.jsonl").write_text("name,glasses\n")
    with pytest.raises(ValueError, match=r"anna.jsonl line 1: expected an answer, got 'name,glasses'"):
        annotate.annotators(tmp_path)


WRITER = """
import sys
from labkit.annotate import Journal
journal = Journal(sys.argv[1], "anna")
print(journal.annotator, flush=True)
for i in range(1000000):
    journal.write(f"{i}.jpg", "glasses", "yes")
    print(i, flush=True)
"""


def test_a_kernel_killed_while_it_writes_loses_no_answer_that_it_gave(tmp_path):
    told = -1
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline() == "anna\n", "the lock of a killed kernel is free"
        for line in itertools.islice(writer.stdout, 200):
            told = int(line)
        writer.kill()
        told = max([told, *map(int, writer.stdout.read().split())])
        writer.wait()
        said, _ = annotate.answers(tmp_path / "anna.jsonl")
        assert {f"{i}.jpg" for i in range(told + 1)} <= set(said)


def test_two_kernels_are_kept_apart(tmp_path):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout.readline() == "anna\n"
        second = Journal(tmp_path, "anna")
        assert second.shared and second.annotator == "anna (2)"
        second.write("a.jpg", "glasses", "no")
        second.close()
    finally:
        writer.kill()
        writer.wait()
    assert annotate.annotators(tmp_path)["anna (2)"] == {"a.jpg": {"glasses": "no"}}


def test_a_cell_that_is_run_again_takes_over(journal):
    taken = Journal(journal.file.parent, "anna")
    assert taken.annotator == "anna" and not taken.shared
    with pytest.raises(ValueError, match="anna goes on in another cell"):
        journal.write("a.jpg", "glasses", "yes")
    taken.close()


@pytest.mark.parametrize("name", ["", "../anna", "a/b", ".hidden", "x" * 41])
def test_names_that_are_no_file_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"annotator '.*': expected a name"):
        Journal(tmp_path / "x", name)


def test_a_task_is_data(tmp_path):
    file = tmp_path / "task.toml"
    file.write_text('flag = ""\n[attributes]\nearrings = ["no", "yes"]\n[keys]\nskip = "x"\n')
    task = annotate.read_task(file)
    assert task.asked == ["earrings"] and task.keys["skip"] == "x" and task.keys["back"] == "ArrowLeft"
    assert annotate.read_task().asked == ["wrinkles", "freckles", "glasses", "hair_colour", "hair_top"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "expected attributes, flag and keys, got x"),
        ("", r"no table \[attributes\]"),
        ('[attributes]\na = ["no"]', "a: expected 2 to 9 different classes"),
        ('[attributes]\na = ["no", "no"]', "a: expected 2 to 9 different classes"),
        ('flag = "b"\n[attributes]\na = ["no", "yes"]', "flag 'b': expected an attribute with the classes"),
        ('[attributes]\na = ["no", "yes"]\n[keys]\nzap = "x"', "keys: expected back, .*, got zap"),
        ('[attributes]\na = ["no", "yes"]\n[keys]\nskip = "1"', "a key of its own for each command"),
        ('[attributes]\na = ["no", "yes"]\n[keys]\nskip = "u"', "a key of its own for each command"),
        ("[attributes", "task.toml"),
    ],
)
def test_a_task_that_breaks_a_rule_is_refused(tmp_path, text, message):
    file = tmp_path / "task.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        annotate.read_task(file)


@pytest.mark.parametrize("classes", [2, 5])
def test_kappa_is_scikit_learns_and_its_interval_that_of_the_bootstrap(classes):
    rng = np.random.default_rng(classes)
    first = rng.integers(0, classes, 400)
    second = np.where(rng.random(400) < 0.7, first, rng.integers(0, classes, 400))
    found = metrics.cohens_kappa(first, second, classes)
    assert found["kappa"] == pytest.approx(cohen_kappa_score(first, second))
    picks = rng.integers(0, 400, (2000, 400))
    drawn = [metrics.cohens_kappa(first[i], second[i], classes)["kappa"] for i in picks]
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx([found["low"], found["high"]], abs=0.015)


def test_kappa_where_it_is_not_defined():
    none = {"kappa": None, "low": None, "high": None}
    same = np.zeros(5, np.int64)
    assert metrics.cohens_kappa(same[:0], same[:0], 2) == none == metrics.cohens_kappa(same, same, 2)
    assert metrics.cohens_kappa(np.array([0, 1]), np.array([0, 1]), 2) == {"kappa": 1, "low": 1, "high": 1}


def test_agreement_names_the_pictures_on_which_two_differ():
    anna = {"a.jpg": {"glasses": "yes"}, "b.jpg": {"glasses": "no"}, "c.jpg": {"glasses": "no"}}
    ben = {"a.jpg": {"glasses": "yes"}, "b.jpg": {"glasses": "yes"}, "d.jpg": {"glasses": "no"}}
    row = annotate.agreement(anna, ben, SMALL)[0]
    assert (row["attribute"], row["pictures"], row["same"], row["differ"]) == ("glasses", 2, 0.5, ["b.jpg"])
    assert annotate.agreement(anna, {}, SMALL)[0]["same"] is None
    both = annotate.agreed({"anna": anna, "ben": ben}, SMALL)
    assert both["a.jpg"] == {"glasses": "yes"} and "b.jpg" not in both and both["d.jpg"] == {"glasses": "no"}


def test_what_was_annotated_is_read_back_by_the_importer(tmp_path, journal):
    session = Session(["=a.jpg", "b.jpg", "c.jpg"], journal)
    for number in (1, 2, 1, 4, 3):  # wrinkles no, freckles yes, glasses no, grey, hat
        session.choose(number)
    session.command("flag")
    file = tmp_path / "out" / "labels.csv"
    assert annotate.write_csv(session.said, file) == 2
    table = attribute_tables.parse(file.read_text(), "labels.csv")
    assert table.names == ["'=a.jpg", "b.jpg"]
    values = {name: codes.tolist() for name, codes in table.targets.items()}
    assert values == {
        "wrinkles": [0, -1], "freckles": [1, -1], "glasses": [0, -1], "hair_colour": [3, -1],
        "hair_top": [2, -1], "not_human": [0, 1],
    }  # fmt: skip


def test_ones_own_attributes_are_imported_too(tmp_path):
    """The task beside the table says which attributes it has; the picture's name, a number of a class and an
    empty cell mean what they mean elsewhere."""
    task = annotate.Task({"Eye color": ("none", "small", "large"), "beard": NO_YES}, flag="")
    said = {"a.png": {"Eye color": "none", "beard": "yes"}, "b.png": {"Eye color": "large"}}
    annotate.write_csv(said, tmp_path / "set" / "labels.csv", task)
    for name in said:
        cv2.imwrite(str(tmp_path / "set" / name), np.full((20, 20, 3), 90, np.uint8))
    for file in (tmp_path / "set", tmp_path / "set" / "labels.csv"):
        datasets.import_data("", file, tmp_path / "data", progress=False)
        faces = datasets.load("attributes", tmp_path / "data")
        assert faces.classes == task.attributes
        assert {name: codes.tolist() for name, codes in faces.targets.items()} == {
            "Eye color": [0, 2],
            "beard": [1, -1],
        }
    with pytest.raises(ValueError, match="asks for other attributes"):
        annotate.write_csv({}, tmp_path / "set" / "more.csv", annotate.Task({"hat": NO_YES}, flag=""))
    with pytest.raises(ValueError, match="asks for other attributes"):
        annotate.write_csv({}, tmp_path / "set" / "more.csv")
    (tmp_path / "set" / "attributes.toml").unlink()
    with pytest.raises(ValueError, match=r"labels\.csv names pictures, but .* a file attributes\.toml"):
        datasets.import_data("", tmp_path / "set", tmp_path / "data", progress=False)
    (tmp_path / "set" / "attributes.toml").write_text("[attributes]\nbeard = 3\n")
    with pytest.raises(ValueError, match=r"attributes\.toml"):
        datasets.import_data("attributes", tmp_path / "set", tmp_path / "data", progress=False)


def test_labels_of_another_table_are_taken_in(tmp_path, journal):
    file = tmp_path / "other.csv"
    file.write_text("file_name,hair_color,eyeglasses,smiling,young,human\na,4,1,1,1,1\nz,-1,-1,1,1,1\n")
    told = annotate.take_in(file, journal, NAMES)
    assert told == {"answers": 3, "unknown": ["z"], "unused": ["smile", "age", "kind"]}
    said = {"glasses": "yes", "hair_colour": "black", "not_human": "no"}
    assert annotate.answers(journal.file)[0] == {"a.jpg": said}


def test_a_gallery_is_a_face_set_or_a_folder(tmp_path):
    faces = FaceSet(np.zeros((2, 4, 4, 3), np.uint8), names=np.array(["x", "y"]))
    names, opened = annotate.gallery(faces)
    assert names == ["x", "y"] and opened(1).shape == (4, 4, 3)
    (tmp_path / "sub").mkdir()
    for name in ("10.png", "9.png", "sub/1.png"):
        cv2.imwrite(str(tmp_path / name), np.full((5, 7, 3), 200, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("")
    names, opened = annotate.gallery(tmp_path)
    assert names == ["9.png", "10.png", "broken.png", "sub/1.png"] and opened(3).shape == (5, 7, 3)
    with pytest.raises(ValueError, match="picture"):
        opened(2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="expected a folder with pictures, found none"):
        annotate.gallery(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        annotate.gallery(tmp_path / "nowhere")
