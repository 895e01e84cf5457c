"""Notebook 10 as students use it: Chromium's fake camera plays a clip that is made here, the widget sends its
frames to a real kernel and draws what comes back. Then what it says when the camera fails, and the recorded
video in the browser."""

import functools
import itertools
import json
import re
import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import needs_browser

from labkit import camera, detect, evaluation, follow, synthetic, training
from labkit.benches import browser

ROOT = Path(__file__).resolve().parents[1]

pytestmark = needs_browser


STEADY = 3  # seconds that each expression of the clip lasts, so that a slow machine sees enough of it


@functools.cache
def drawn(smiles: bool) -> np.ndarray:
    units = {"AU12": 1.0, "AU25": 0.9, "AU6": 0.8} if smiles else {}
    parameters = synthetic.FaceParameters(synthetic.Identity(skin=0.1), units, zoom=0.85)
    return synthetic.draw(parameters, 256)


def clip_frame(i: int) -> np.ndarray:
    """A face that moves to and fro and smiles every other three seconds: uint8 (480, 640, 3)."""
    frame = np.full((480, 640, 3), (120, 130, 140), np.uint8)
    x = 40 + round(300 * abs(i % 120 / 60 - 1))
    frame[110:366, x : x + 256] = drawn(bool(i // (30 * STEADY) % 2))
    return frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("webcam")
    (folder / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "10_webcam_demo.ipynb", folder / "notebooks")
    shutil.copytree(
        ROOT / "reports", folder / "reports", ignore=shutil.ignore_patterns("quick*", "runs", "full*")
    )
    jpegs = [
        cv2.imencode(".jpg", clip_frame(i)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        for i in range(120 * STEADY)
    ]
    (folder / "clip.mjpeg").write_bytes(b"".join(jpegs))
    return folder


@pytest.fixture(scope="module")
def networks():
    return {name: evaluation.load_network(name) for name in ("smile", "emotion")}


class Wire:
    """What goes over the page's websockets: the frames that were sent, and the answers, by their number."""

    def __init__(self, page):
        self.frames, self.answers = {}, {}
        page.on("websocket", self.listen)

    def listen(self, socket) -> None:
        socket.on("framesent", lambda data: self.sent(data) if isinstance(data, bytes) else None)
        socket.on("framereceived", lambda data: self.received(data) if isinstance(data, bytes) else None)

    def sent(self, data: bytes) -> None:
        number, start = re.search(rb'"kind":"frame","id":(\d+)', data), data.find(b"\xff\xd8")
        if number and start >= 0:
            self.frames[int(number[1])] = data[start:]

    def received(self, data: bytes) -> None:
        found = re.search(rb'"content": ?(\{"id": ?\d+, ?"run".*?"faces": ?\[.*?\]\})\}', data)
        if found:
            answer = json.loads(found[1])
            self.answers[answer["id"]] = answer


@pytest.fixture(scope="module")
def page(folder):
    flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with browser.chromium(
        flags=[*flags, f"--use-file-for-fake-video-capture={folder / 'clip.mjpeg'}"]
    ) as page:
        page.wire = Wire(page)
        yield page


@pytest.fixture(scope="module")
def notebook(page, folder):
    with browser.jupyterlab(folder) as address:
        browser.run_all(page, address("notebooks/10_webcam_demo.ipynb"), 900)
        page.locator(".camera-widget").scroll_into_view_if_needed()
        yield page


def begin(page) -> None:
    page.click(".camera-button:text-is('start')")
    page.wait_for_selector(".camera-button:text-is('stop'):not([disabled])")


def end(page) -> None:
    if page.locator(".camera-button:text-is('stop')").is_enabled():
        page.click(".camera-button:text-is('stop')")


def answered(notebook, more: int, least: float = 0.0) -> float:
    """Wait until the kernel has answered so many frames more, and at least so many seconds; returns the
    seconds."""
    start, before = time.monotonic(), len(notebook.wire.answers)
    while (seconds := time.monotonic() - start) < 300:
        notebook.wait_for_timeout(200)
        if len(notebook.wire.answers) >= before + more and seconds > least:
            break
    return seconds


def test_boxes_follow_the_face_and_labels_are_those_of_predict(notebook, networks):
    """The very frames that went to the kernel are looked at again here, with the functions that the kernel
    uses."""
    begin(notebook)
    notebook.wire.seconds = answered(notebook, 100, 2.5 * STEADY)
    rate = notebook.inner_text(".camera-rate")
    end(notebook)
    wire, checked, smiles, middles, apart, raws = notebook.wire, 0, set(), [], [], []
    for number in sorted(set(wire.frames) & set(wire.answers))[-160:]:
        frame = cv2.imdecode(np.frombuffer(wire.frames[number], np.uint8), cv2.IMREAD_COLOR_RGB)
        (found,) = detect.find_faces(frame, 60)
        faces = wire.answers[number]["faces"]
        for face in faces:
            assert face["number"] == 1
            apart.append(np.abs(np.array(face["box"]) - found.box).max() / found.box[3])
            middles.append(face["box"][0] + face["box"][2] / 2)
            raw = training.predict(
                networks["smile"][0], follow.crops_of(frame, [found], networks["smile"][1]), mirror=True
            )["smile"][0]
            raws.append(networks["smile"][1]["classes"]["smile"][raw.argmax()])
            said = re.fullmatch(r"1 (not smiling|smiling) [\d.]+", face["lines"][0][0])[1]
            smiles.add(said)
            if len(raws) >= 12 and len(set(raws[-12:])) == 1:  # smoothing has settled
                assert said == raws[-1]
                checked += 1
    assert np.median(apart) < 0.05 and max(apart) < 0.15, (
        "between two searches of the whole frame a face is looked for where it was"
    )
    assert checked >= 10 and smiles == {"smiling", "not smiling"}
    assert max(middles) - min(middles) > 150, "the box went along"
    assert int(re.match(r"(\d+) frames/s, (\d+) ms", rate)[1]) > 0


def test_one_number_is_one_label_for_a_steady_face(notebook):
    """Of the steady part of the clip every label is the same: no flicker."""
    labels = [
        a["faces"][0]["lines"][0][0].split(" ", 1)[1].rsplit(" ", 1)[0]
        for a in notebook.wire.answers.values()
        if a["faces"]
    ]
    changes = sum(a != b for a, b in itertools.pairwise(labels))
    most = notebook.wire.seconds / STEADY + 3
    assert len(labels) > 60 and 1 <= changes <= most, "the clip changes every three seconds"


def test_what_is_drawn_is_the_box_over_the_live_picture_mirrored(notebook):
    begin(notebook)
    answered(notebook, 15)
    picture = notebook.locator(".camera-widget canvas").screenshot()
    shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR_RGB)
    blue = (np.abs(shown.astype(int) - camera.COLOURS[0]).max(2) < 40).sum()
    assert blue > 400, "box and bars in the colour of face 1"
    end(notebook)


def test_stop_releases_the_camera(notebook):
    notebook.evaluate("""() => {
        const devices = navigator.mediaDevices, real = devices.getUserMedia.bind(devices);
        window.streams = [];
        devices.getUserMedia = async (...args) => {
            const stream = await real(...args); window.streams.push(stream); return stream;
        };
    }""")
    begin(notebook)
    notebook.wait_for_timeout(1000)
    states = "window.streams.flatMap(s => s.getTracks().map(t => t.readyState))"
    assert notebook.evaluate(states) == ["live"]
    end(notebook)
    assert notebook.evaluate(states) == ["ended"]
    sent = len(notebook.wire.frames)
    notebook.wait_for_timeout(700)
    assert len(notebook.wire.frames) <= sent + 1, "no frame leaves any more"


def test_unplugged_in_the_middle(notebook):
    begin(notebook)
    notebook.wait_for_timeout(800)
    notebook.evaluate("window.streams.at(-1).getTracks()[0].dispatchEvent(new Event('ended'))")
    notebook.wait_for_selector(".camera-message:has-text('unplugged or taken away')")
    assert notebook.locator(".camera-button:text-is('start')").is_enabled()


@pytest.mark.parametrize(("name", "sentence"), [
    ("NotAllowedError", "The browser was not allowed to use the camera."),
    ("NotFoundError", "No camera was found."),
    ("NotReadableError", "The camera cannot be read: another program uses it."),
    ("OverconstrainedError", "The chosen camera is no longer there."),
    ("AbortError", "The camera cannot be opened: AbortError for a test"),
])  # fmt: skip
def test_each_failure_is_a_sentence(notebook, name, sentence):
    notebook.evaluate(
        """name => { window.before = navigator.mediaDevices.getUserMedia;
                     navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('for a test',
                     name); }; }""",
        name,
    )
    notebook.click(".camera-button:text-is('start')")
    notebook.wait_for_selector(f".camera-message:has-text('{sentence}')")
    assert notebook.locator(".camera-button:text-is('start')").is_enabled()
    notebook.evaluate("() => { navigator.mediaDevices.getUserMedia = window.before; }")


def test_a_page_that_is_not_secure_says_so(notebook):
    notebook.evaluate("Object.defineProperty(window, 'isSecureContext', {value: false, configurable: true})")
    notebook.click(".camera-button:text-is('start')")
    notebook.wait_for_selector(".camera-message:has-text('This page is not secure')")
    notebook.evaluate("delete window.isSecureContext")


def test_without_a_camera_the_film_plays_and_one_model_alone_is_asked(notebook):
    notebook.select_option(".camera-widget select >> nth=1", "emotion")
    notebook.select_option(".camera-widget select >> nth=0", "film")
    before = set(notebook.wire.answers)
    begin(notebook)
    answered(notebook, 15)
    end(notebook)
    answers = [answer for number, answer in notebook.wire.answers.items() if number not in before]
    assert len(answers) > 10 and len(answers[-1]["faces"]) == 2
    assert [len(face["lines"]) for face in answers[-1]["faces"]] == [1, 1]
    assert notebook.faults == []


def test_a_recorded_video_plays_in_the_browser(page, folder, networks):
    out = folder / "recorded.webm"
    source = camera.Source(((clip_frame(i), i / 25) for i in range(30)), 30, 25.0, "clip")
    camera.run(source, follow.Watcher(networks), out, progress=False)
    other = page.context.browser.new_page()
    other.goto(out.as_uri())
    other.wait_for_function("document.querySelector('video')?.readyState >= 2")
    video = "document.querySelector('video')"
    assert other.evaluate(f"[{video}.videoWidth, {video}.videoHeight]") == [640, 480]
    other.evaluate(f"{video}.muted = true; {video}.play()")
    other.wait_for_function(f"{video}.currentTime > 0.5 || {video}.ended", timeout=60_000)
    assert other.evaluate(f"{video}.error") is None
