"""Films in, boxes and labels drawn, video, table and timeline out; and what happens where something
breaks."""

import csv
import itertools
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from labkit import camera, detect, evaluation, figures, follow
from labkit.__main__ import app

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ["frame", "seconds", "face", "x", "y", "width", "height", "smile", "emotion", "emotion_probability"]


@pytest.fixture(scope="module")
def networks():
    return {name: evaluation.load_network(name) for name in ("smile", "emotion")}


@pytest.fixture(scope="module")
def film():
    """Thirty frames of the film, RGB."""
    return [frame for frame, _ in itertools.islice(camera.film(), 30)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory, film):
    """The same as a video file of 25 frames a second."""
    path = tmp_path_factory.mktemp("clip") / "clip.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 25, (640, 480))
    for frame in film:
        writer.write(frame[:, :, ::-1])
    writer.release()
    return path


def frames_of(path) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while (got := capture.read())[0]:
        frames.append(got[1][:, :, ::-1])
    return frames


# sources


def test_a_video_gives_its_frames_and_their_seconds(clip, film):
    source = camera.open_source(clip)
    frames, seconds = zip(*source.frames)
    assert (len(frames), source.rate, source.still) == (30, 25, False)
    assert seconds[:3] == (0.0, 0.04, 0.08)
    assert np.abs(frames[7].astype(int) - film[7]).mean() < 6, "RGB, and the same picture"


def test_a_video_that_names_no_steady_rate_is_read_by_the_times_of_its_frames(tmp_path, film):
    """Browsers' recordings are like that: a thousand frames a second, most of them missing."""
    path = tmp_path / "fast.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 1000, (640, 480))
    for frame in film[:5]:
        writer.write(frame[:, :, ::-1])
    writer.release()
    source = camera.open_source(path)
    assert (source.n, source.rate) == (None, camera.FILM_RATE)
    assert [seconds for _, seconds in source.frames] == pytest.approx([0, 0.001, 0.002, 0.003, 0.004])


def test_a_folder_gives_its_pictures_in_order_whatever_their_size(tmp_path, film):
    for name, frame in (("b.png", film[1][:240]), ("a.jpg", film[0])):
        cv2.imwrite(str(tmp_path / name), frame[:, :, ::-1])
    (tmp_path / "notes.txt").write_text("no picture")
    source = camera.open_source(tmp_path)
    frames = [frame for frame, _ in source.frames]
    assert (source.n, source.still) == (2, True)
    assert [frame.shape for frame in frames] == [(480, 640, 3), (240, 640, 3)]
    assert np.array_equal(frames[1], film[1][:240])


def test_the_film_is_the_same_every_time_and_holds_two_faces(film):
    again = next(camera.open_source("builtin").frames)[0]
    assert np.array_equal(again, film[0]) and not np.array_equal(film[0], film[20])
    assert [len(detect.find_faces(frame)) for frame in film[::10]] == [2, 2, 2]


@pytest.mark.parametrize(("make", "message"), [
    (lambda folder: folder / "missing.mp4", "missing.mp4': expected the number of a camera, a "
                                            "video file, a folder"),
    (lambda folder: folder, "expected pictures, found none"),
    (lambda folder: "73", "camera 73: not there, used by another program, or not allowed; "
                          "--source builtin needs none"),
])  # fmt: skip
def test_a_source_that_cannot_be_opened_says_why(tmp_path, make, message, capfd):
    with pytest.raises(OSError) as error:
        camera.open_source(make(tmp_path))
    assert message in str(error.value)
    assert capfd.readouterr().err == "", "OpenCV's own chatter is left out"


def test_a_file_that_is_no_video_and_a_damaged_picture(tmp_path, film):
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(OSError, match="not a video that OpenCV can read"):
        camera.open_source(tmp_path / "text.mp4")
    whole = cv2.imencode(".jpg", film[0])[1].tobytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match=r"cut.jpg: the picture is cut off or damaged"):
        list(camera.open_source(tmp_path).frames)


class Unplugged:
    """Stands in for `cv2.VideoCapture`: a camera with a picture each 20 ms, fifty of them, then none."""

    opened: ClassVar[list] = []

    def __init__(self, *_):
        self.left, self.released = 51, False  # the first is taken to see whether it works
        self.opened.append(self)
        self.frame = next(camera.film())[0][:, :, ::-1]

    def isOpened(self):
        return True

    def read(self):
        time.sleep(0.02)
        self.left -= 1
        return (True, self.frame.copy()) if self.left >= 0 else (False, None)

    def get(self, _):
        return 30.0

    def release(self):
        self.released = True


# drawing


def test_boxes_labels_and_bars_are_drawn_into_a_copy(film, networks):
    seen = follow.Watcher(networks, sure=1).watch(film[0], 0.0)
    before, page = film[0].copy(), camera.annotated(film[0], seen)
    assert np.array_equal(film[0], before)
    for one in seen:
        x, y, width, height = (round(v) for v in one.face.box)
        colour = camera.COLOURS[one.number - 1]
        assert np.abs(page[y + height // 2, x].astype(int) - colour).max() < 30
        share = one.probabilities["smile"][one.said["smile"]]
        bar = page[y + height + 4, x : x + max(width, camera.NARROWEST)].astype(int)  # above the words
        filled = np.abs(bar - 2 * np.array(colour) // 3).max(1) < 40
        assert filled.sum() == pytest.approx(share * len(bar), abs=6)
    words = camera.bar_lines(seen[0])
    assert words[0][0] == f"1 {seen[0].said['smile']} {words[0][1]:.2f}" and len(words) == 2


def test_a_face_of_which_nothing_is_said_is_grey_and_one_at_the_edge_keeps_its_label(film):
    far = follow.Seen(3, detect.Face((620, 430, 20, 45), 0.9), "too small")
    page = camera.annotated(film[0], [far])
    assert np.abs(page[440, 620].astype(int) - camera.GREY).max() < 20
    assert (page[407:427, 490:] > 230).any(), "the words stand inside the picture, above the face"


def test_labels_of_a_face_at_the_lower_edge_do_not_cover_it(film):
    """They stand above it, below each other; over its lower end where there is no room above either."""
    both = {"smile": {"not smiling": 0.1, "smiling": 0.9}, "emotion": {"happy": 1.0}}
    said = {"smile": "smiling", "emotion": "happy"}
    for box, first, rest in (
        ((100, 400, 130, 78), 359, slice(405, 475)),
        ((100, 20, 130, 455), 442, slice(25, 440)),
    ):
        page = camera.annotated(film[0], [follow.Seen(1, detect.Face(box, 0.9), "", both, said)])
        changed = (page != film[0]).any(2)[:, 110:220]  # inside the box's left and right edge
        assert changed[first : first + 18].all() and changed[first + 19 : first + 37].all()
        assert not changed[rest].any()


# writing


def test_a_recording_is_video_table_and_timeline(tmp_path, clip, networks):
    out = tmp_path / "out.webm"
    result = camera.run(camera.open_source(clip), follow.Watcher(networks), out, progress=False)
    assert (result["frames"], result["faces"], result["error"]) == (30, 2, "")
    assert result["out"] == [str(tmp_path / name) for name in ("out.webm", "out.csv", "out.png")]
    video = frames_of(out)
    assert len(video) == 30 and video[0].shape == (480, 640, 3)
    rows = list(csv.DictReader(out.with_suffix(".csv").open()))
    assert list(rows[0]) == COLUMNS
    assert [row["frame"] for row in rows if row["face"] == "1"] == [str(i) for i in range(1, 30)], (
        "from the second frame on"
    )
    for row in rows:
        assert (
            0 <= float(row["smile"]) <= 1 and row["emotion"] in networks["emotion"][1]["classes"]["emotion"]
        )
        assert float(row["seconds"]) == pytest.approx(int(row["frame"]) / 25, abs=1e-3)
    boxes = detect.find_faces(next(camera.open_source(clip).frames)[0], 60)
    expected = sorted(face.box[0] for face in boxes)  # of the frame before
    assert sorted(float(row["x"]) for row in rows[:2]) == pytest.approx(expected, abs=15)
    picture = cv2.imread(str(out.with_suffix(".png")))
    assert picture.shape[1] > 800 and sorted(file.name for file in tmp_path.iterdir()) == [
        "out.csv",
        "out.png",
        "out.webm",
    ]


def test_changes_are_noted_when_a_label_changes(tmp_path):
    about = {"classes": {"smile": ["not smiling", "smiling"]}}
    given = detect.Face((10, 10, 30, 40), 0.9)
    with camera.Recording(tmp_path / "a.webm", {"smile": (None, about)}, 10.0, "test") as recording:
        for i, said in enumerate(("not smiling", "smiling", "smiling", "not smiling")):
            seen = [
                follow.Seen(1, given, "", {"smile": {"not smiling": 0.4, "smiling": 0.6}}, {"smile": said})
            ]
            recording.add(np.zeros((64, 64, 3), np.uint8), i / 10, seen + [follow.Seen(2, given, "too dark")])
    moments = [(m["seconds"], m["face"], m["before"], m["after"]) for m in recording.changes]
    assert moments == [(0.1, 1, "not smiling", "smiling"), (0.3, 1, "smiling", "not smiling")]
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [row["smile"] for row in rows[:2]] == ["0.6", ""], "nothing where nothing is said"


def test_a_camera_slower_than_it_promised_still_makes_a_video_in_which_time_runs_true(tmp_path):
    frames = [
        (np.full((64, 64, 3), 40 * i, np.uint8), i / 5) for i in range(6)
    ]  # five a second, promised were 25
    source = camera.Source(frames, None, 25.0, "slow")
    camera.run(source, follow.Watcher({}), tmp_path / "slow.webm", progress=False)
    video = frames_of(tmp_path / "slow.webm")
    assert len(video) == 26
    assert abs(video[13].mean() - 40 * 3) < 25 and abs(video[2].mean() - 40) < 25


def test_a_camera_unplugged_in_the_middle_ends_with_a_sentence_and_keeps_what_was_written(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(cv2, "VideoCapture", Unplugged)
    out = tmp_path / "cam.webm"
    done = CliRunner().invoke(app, ["webcam", "--source", "0", "--out", str(out)])
    monkeypatch.undo()
    assert done.exit_code == 1 and Unplugged.opened[-1].released
    assert (
        "ended early: camera 0: no picture after 50 frames; it was unplugged, or another program took it"
        in done.output
    )
    rows = list(csv.DictReader(out.with_suffix(".csv").open()))
    frames = [int(row["frame"]) for row in rows if row["face"] == "1"]
    assert frames == list(range(1, 1 + len(frames))) and 1 < len(frames) < 50  # the slower, the fewer
    assert len(frames_of(out)) == pytest.approx(15 * float(rows[-1]["seconds"]), abs=2)
    assert out.with_suffix(".png").exists()
    assert not list(tmp_path.glob(".*"))


def test_pictures_of_a_folder_have_nothing_to_do_with_each_other(tmp_path, film, networks):
    (tmp_path / "in").mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / "in" / f"{i}.png"), film[0][: 480 - 60 * i, :, ::-1])
    out = tmp_path / "out.webm"
    done = CliRunner().invoke(app, ["webcam", "--source", str(tmp_path / "in"), "--out", str(out), "--json"])
    result = json.loads(done.stdout)
    assert (done.exit_code, result["frames"], result["faces"], result["changes"]) == (0, 3, 6, [])
    video = frames_of(out)
    assert len(video) == 3 and {frame.shape for frame in video} == {(480, 640, 3)}


def test_a_film_of_nobody_leaves_no_timeline_of_another_film(tmp_path):
    (tmp_path / "o.png").write_bytes(b"old timeline of labkit")
    source = camera.Source([(np.zeros((64, 64, 3), np.uint8), 0.0)], 1, 25.0, "nobody")
    result = camera.run(source, follow.Watcher({}), tmp_path / "o.webm", progress=False)
    assert result["out"] == [str(tmp_path / "o.webm"), str(tmp_path / "o.csv")]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["o.csv", "o.webm"]


def test_a_video_that_cannot_be_written_says_so_and_leaves_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "o.webm").write_bytes(b"old")
    with pytest.raises(ValueError, match=r"o\.webm': is there and is no video of labkit"):
        camera.check_out(tmp_path / "o.webm")
    (tmp_path / "o.csv").write_text("frame,seconds,face,x,y,width,height\n")  # with it, it is one
    monkeypatch.setattr(cv2.VideoWriter, "isOpened", lambda _: False)
    with pytest.raises(ValueError, match=r"OpenCV here cannot write this video \(VP80\)"):
        camera.run(camera.open_source("builtin"), follow.Watcher({}), tmp_path / "o.webm", progress=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["o.csv", "o.webm"]
    assert (tmp_path / "o.webm").read_bytes() == b"old"


@pytest.mark.parametrize(("out", "message"), [
    ("x.avi", "expected a name that ends with .webm or .mp4"),
    ("missing/x.webm", "there is no folder"),
])  # fmt: skip
def test_a_bad_name_is_refused_before_anything_is_written(tmp_path, clip, out, message):
    command = [sys.executable, "-m", "labkit", "webcam", "--source", str(clip), "--out", str(tmp_path / out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere a screen is not named in the environment"
)
@pytest.mark.parametrize("screen", [{}, {"DISPLAY": ":9999"}], ids=["none", "one that is not there"])
def test_without_a_screen_the_window_says_what_to_do(clip, screen):
    command = [sys.executable, "-m", "labkit", "webcam", "--source", str(clip), "--window"]
    environment = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    } | screen
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 1 and "no window can be opened: there is no screen" in done.stderr


@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="no virtual screen: xvfb-run is not installed")
def test_a_window_on_a_virtual_screen():
    command = [
        "xvfb-run",
        "-a",
        "--server-args=-noreset",  # else the screen is gone for a moment after the window's trial
        sys.executable,
        "-m",
        "labkit",
        "webcam",
        "--source",
        "builtin",
        "--seconds",
        "0.2",
        "--window",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "6 frames" in done.stdout


def test_without_a_camera_the_film_plays_and_it_is_said(monkeypatch):
    monkeypatch.setattr(Unplugged, "isOpened", lambda _: False)
    monkeypatch.setattr(cv2, "VideoCapture", Unplugged)
    said = []
    source = camera.camera_or_film(said.append)
    assert source.name == camera.FILM and said == [said[0]] and said[0].endswith("Playing built-in faces.")


def test_a_limit_of_seconds_ends_the_film(tmp_path, networks):
    result = camera.run(camera.open_source("builtin"), follow.Watcher(networks), seconds=0.4, progress=False)
    assert (result["frames"], result["out"]) == (11, [])
    assert "builtin: 11 frames, 0.4 s, 2 faces" in camera.text(result)


class Fast:
    """Stands in for `cv2.VideoCapture`: a camera of 4K that gives a numbered picture each 10 ms."""

    def __init__(self, *_):
        self.began, self.released = time.perf_counter(), False

    def isOpened(self):
        return not self.released

    def read(self):
        time.sleep(0.01)
        return True, np.full(
            (2160, 3840, 3), min(255, round((time.perf_counter() - self.began) * 50)), np.uint8
        )

    def get(self, _):
        return 100.0

    def release(self):
        self.released = True


def test_who_is_slower_than_a_camera_misses_pictures_and_is_shown_none_late(monkeypatch):
    captures = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: captures.append(Fast()) or captures[-1])
    source = camera.open_source(0)
    assert source.live
    frames = iter(source.frames)
    for _ in range(4):
        frame, at = next(frames)
        now = time.perf_counter() - captures[0].began
        assert now - frame[0, 0, 0] / 50 < 0.25, "an old picture"
        time.sleep(0.3)  # thirty pictures long
    frames.close()
    assert at > 0.8
    assert captures[0].released


def test_a_live_recording_is_no_larger_and_faster_than_can_be_written_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Fast)
    out = tmp_path / "live.webm"
    began = time.perf_counter()
    result = camera.run(camera.open_source(0), follow.Watcher({}), out, seconds=1.5, progress=False)
    late = time.perf_counter() - began - result["seconds"]
    monkeypatch.undo()
    video = frames_of(out)
    assert video[0].shape == (720, 1280, 3) and len(video) == pytest.approx(15 * result["seconds"], abs=2)
    assert late < result["seconds"] + 3


def test_a_film_that_a_phone_held_upright_is_shown_upright(tmp_path):
    """Phones write pictures as the sensor lies, and a matrix that turns them."""
    path = tmp_path / "phone.mp4"
    lying = np.zeros((48, 64, 3), np.uint8)
    lying[:, :32] = 255  # bright on the left
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 48))
    for _ in range(5):
        writer.write(lying)
    writer.release()
    data = bytearray(path.read_bytes())
    one, matrix = 2**16, data.index(b"tkhd") + 44
    quarter = [0, one, 0, 2**32 - one, 0, 0, 48 * one, 0, 2**30]  # ISO 14496-12: turned right by 90 degrees
    data[matrix : matrix + 36] = struct.pack(">9I", *quarter)
    path.write_bytes(data)
    frame, _ = next(iter(camera.open_source(path).frames))
    assert frame.shape == (64, 48, 3)
    assert frame[:24].mean() > 200 and frame[-24:].mean() < 50  # what was on the left is above


def test_a_timeline_of_thirty_faces_has_a_strip_each():
    rows = [
        {"seconds": i / 10, "face": face, "smile": face / 30, "emotion": ("happy", "sad")[face % 2]}
        | {"emotion_probability": 0.5}
        for i in range(20)
        for face in range(1, 31)
    ]
    few = figures.timeline([row for row in rows if row["face"] < 4], [])
    many = figures.timeline(rows, [], "thirty")
    panels = [ax for ax in many.axes if ax.get_ylabel() == "face"]
    assert len(panels) == 2 and not few.axes[0].get_images() and few.axes[0].get_legend()
    (smile,), (emotion,) = (ax.get_images() for ax in panels)
    assert smile.get_array().shape == (30, 20) == emotion.get_array().shape
    assert smile.get_array()[14, 3] == 0.5 and set(emotion.get_array()[:, 0]) == {0, 1}


def test_fitted_keeps_proportions():
    page = camera.fitted(np.full((100, 50, 3), 200, np.uint8), (80, 60))
    assert page.shape == (60, 80, 3)
    assert (page[:, 25:55] == 200).all() and (page[:, :24] == 20).all()


def test_a_portrait_is_a_still(tmp_path, networks):
    picture = tmp_path / "portrait"  # whatever it is called
    frame, _ = next(camera.film())
    picture.write_bytes(cv2.imencode(".jpg", frame[:, :, ::-1])[1].tobytes())
    source = camera.open_source(picture)
    assert source.still and source.n == 1 and [shown.shape for shown, _ in source.frames] == [frame.shape]


def test_one_bad_picture_of_a_folder_stops_no_other_and_is_named(tmp_path):
    good = cv2.imencode(".png", np.zeros((20, 20, 3), np.uint8))[1].tobytes()
    for name, data in {"a.png": good, "b.jpg": b"no", "c.webp": good}.items():
        (tmp_path / name).write_bytes(data)
    seen = []
    with pytest.raises(OSError, match=r"1 of 3 pictures could not be read; the first, b\.jpg: not a picture"):
        seen.extend(at for _, at in camera.open_source(tmp_path).frames)
    assert seen == [0.0, 2.0]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/dev/video77", "camera 77: not there"),
        ("http://127.0.0.1:9/cam", "http://127.0.0.1:9/cam: no film there, or no answer within 10 s"),
    ],
)
def test_devices_and_addresses_that_do_not_answer(source, message):
    with pytest.raises(OSError, match=message):
        camera.open_source(source)


def test_a_video_that_breaks_off_is_told_from_a_whole_one(tmp_path):
    film = [frame for (frame, _), _ in zip(camera.film(), range(40))]
    path = tmp_path / "whole.avi"
    size = film[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, size)
    for frame in film:
        writer.write(frame[:, :, ::-1])
    writer.release()
    assert len(list(camera.open_source(path).frames)) == 40
    broken = tmp_path / "broken.avi"
    data = path.read_bytes()
    broken.write_bytes(data[: len(data) // 2])
    seen = []
    with pytest.raises(
        OSError, match=r"broken\.avi: \d+ of 40 frames could be read; the file breaks off there"
    ):
        seen.extend(camera.open_source(broken).frames)
    assert 10 < len(seen) < 30


def test_the_source_and_files_that_are_not_ours_are_never_written_over(tmp_path):
    film = tmp_path / "film.webm"
    film.write_bytes(b"film")
    with pytest.raises(ValueError, match="is the source; give another name"):
        camera.check_out(film, str(film))
    (tmp_path / "film.csv").write_text("name,age\nanna,3\n")
    with pytest.raises(ValueError, match=r"film\.csv is there and is no table of labkit"):
        camera.check_out(film)
    (tmp_path / "film.csv").write_text("frame,seconds,face,x,y,width,height,smile\n")
    camera.check_out(film)
    (tmp_path / "film.png").write_bytes(cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes())
    with pytest.raises(ValueError, match=r"film\.png is there and is no timeline of labkit"):
        camera.check_out(film)


def test_a_camera_that_begins_with_empty_reads_is_asked_again(monkeypatch):
    class Capture:
        def __init__(self, _):
            self.reads = 0

        def isOpened(self):
            return True

        def read(self):
            self.reads += 1
            return self.reads > 3 and self.reads != 6, np.zeros((4, 4, 3), np.uint8)

        def get(self, _):
            return 0

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    frames = [at for (_, at), _ in zip(camera.open_source(0).frames, range(5))]
    assert len(frames) == 5
