"""The widgets without a browser: what their controls do to their pictures. With one: test_browser.py."""

import base64
import gc
import itertools
import re
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import cv2
import ipywidgets
import numpy as np
import pytest

from labkit import camera, detect, devices, evaluation, follow, raster, running, runs, synthetic, views
from labkit.figures import bars
from labkit.training import TrainConfig
from labkit.widgets import camera as webcam
from labkit.widgets import coordinates, explorer, puppet, still


def decode(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.fixture(scope="module")
def networks():
    return {name: evaluation.load_network(name) for name in ("smile", "emotion")}


# the puppet


def plain_puppet(units: dict) -> np.ndarray:
    """The face that the puppet shows before head, lamp and person are changed."""
    light = -np.sin(np.radians(25)) * np.cos(np.radians(30)), -0.5
    return synthetic.draw(synthetic.FaceParameters(action_units=units, light=light), puppet.SIZE)


def test_a_slider_draws_the_face_with_that_action_unit():
    widget = puppet.Puppet()
    assert list(widget.sliders) == list(synthetic.ACTION_UNITS)
    assert all(isinstance(slider, ipywidgets.FloatSlider) for slider in widget.sliders.values())
    widget.sliders["AU12"].value = 0.8
    assert np.array_equal(decode(widget.face.value), plain_puppet({"AU12": 0.8}))


@pytest.mark.parametrize("emotion", synthetic.EMOTIONS)
def test_a_button_draws_the_whole_prototype_once(emotion):
    widget = puppet.Puppet()
    widget.sliders["AU26"].value = 0.9
    changes = []
    widget.face.observe(changes.append, "value")
    next(button for button in widget.buttons if button.description == emotion).click()
    prototype = synthetic.PROTOTYPES[emotion][0]
    difference = np.abs(decode(widget.face.value).astype(int) - plain_puppet(prototype))
    assert difference.max() <= 1 and difference.mean() < 1e-3, "units are added up in another order"
    assert len(changes) == 1
    sliders = {name: slider.value for name, slider in widget.sliders.items() if slider.value}
    assert sliders == {name: amount for name, amount in prototype.items() if name in widget.sliders}


SEEN = [  # slider, what it is set to, what is then drawn
    ("turned", 40, {"yaw": np.radians(40)}),
    ("turned", -40, {"yaw": np.radians(-40)}),
    ("bowed", 25, {"pitch": np.radians(25)}),
    ("bowed", -25, {"pitch": np.radians(-25)}),
    ("lamp_right", 90, {"light": (np.cos(np.radians(30)), -0.5)}),
    ("lamp_up", 0, {"light": (-np.sin(np.radians(25)), 0.0)}),
    ("lamp_up", 90, {"light": (0.0, -1.0)}),
    ("contrast", 1.0, {"contrast": 1.0}),
]


@pytest.mark.parametrize(("name", "value", "changed"), SEEN)
def test_other_sliders_turn_the_head_and_move_the_lamp(name, value, changed):
    widget = puppet.Puppet()
    assert {name for name, *_ in SEEN} == set(widget.seen)
    before = decode(widget.face.value)
    widget.seen[name].value = value
    light = -np.sin(np.radians(25)) * np.cos(np.radians(30)), -0.5
    expected = synthetic.draw(synthetic.FaceParameters(**{"light": light} | changed), puppet.SIZE)
    difference = np.abs(decode(widget.face.value).astype(int) - expected)
    assert difference.max() <= 1 and difference.mean() < 1e-3, "a sine is rounded in another way"
    assert np.abs(expected.astype(int) - before).mean() > 2


def test_people_of_every_age_sex_and_skin_can_be_chosen():
    widget, pictures = puppet.Puppet(), []
    for name in widget.person.options:
        widget.person.value = name
        pictures.append(decode(widget.face.value))
        assert np.array_equal(pictures[-1], puppet.face(puppet.PEOPLE[name], {}))
    assert all(np.abs(a.astype(int) - b).mean() > 5 for a, b in itertools.combinations(pictures, 2))
    known = [synthetic.labels(synthetic.FaceParameters(who)) for who in puppet.PEOPLE.values()]
    assert [{of[group] for of in known} for group in ("age", "sex", "skin")] == [{0, 1}, {0, 1}, {0, 1, 2}]


def test_a_person_that_is_given_comes_first_and_keeps_what_the_face_does():
    who = synthetic.Identity(skin=0.9)
    widget = puppet.Puppet(identity=who)
    widget.sliders["AU4"].value, widget.seen["turned"].value = 1.0, -20
    assert np.array_equal(decode(widget.face.value), puppet.face(who, {"AU4": 1.0}, turned=-20))
    widget.person.value = "old man, dark skin"
    expected = puppet.face(puppet.PEOPLE["old man, dark skin"], {"AU4": 1.0}, turned=-20)
    assert np.array_equal(decode(widget.face.value), expected)


def test_every_control_has_a_label():
    widget = puppet.Puppet()
    controls = [*widget.sliders.values(), *widget.seen.values(), widget.person, widget.method]
    assert all(control.description for control in controls)
    assert len({control.description for control in controls}) == len(controls) == 22


def test_networks_say_live_what_they_see_and_where_they_look(networks):
    widget = puppet.Puppet(networks)
    calm = decode(widget.live.value)
    widget.sliders["AU12"].value = 1.0
    units = dict.fromkeys(synthetic.ACTION_UNITS, 0.0) | {"AU12": 1.0}
    for method in puppet.METHODS:
        widget.method.value = method
        with devices.one_thread():  # as the widget does: more threads sum in another order
            expected = puppet.reactions(puppet.face(synthetic.Identity(), units), networks, method)
        assert np.array_equal(decode(widget.live.value), expected) and not np.array_equal(calm, expected)
    shown = widget._repr_mimebundle_()[0]
    picture = decode(base64.b64decode(shown["image/png"]))
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert np.array_equal(
        picture[: raster.px(puppet.SIZE), : raster.px(puppet.SIZE)][5, 5], decode(widget.face.value)[4, 4]
    )


# the explorer


@pytest.fixture
def open_explorer(networks):
    def load(name):
        if name == "broken":
            raise ValueError("not a weights file <b>")
        return networks[name]

    def make(names=("emotion", "smile", "broken"), **options):
        return explorer.Explorer(
            list(names), load, lambda about: evaluation.read_faces("builtin", about, n=12), **options
        )

    return make


def shown(widget) -> np.ndarray:
    if widget.work:
        widget.work.result()
    return decode(widget.picture.value)


@pytest.mark.parametrize("method", views.VIEWS)
def test_every_method_shows_its_view(open_explorer, method):
    widget = open_explorer()
    widget.layer.value, widget.channel.value, widget.face.value = "conv2", 3, 5
    widget.method.value = method
    assert np.array_equal(shown(widget), views.picture(widget.look(), method))
    assert (widget.look().layer, widget.look().channel, widget.look().face) == ("conv2", 3, 5)
    assert widget.channel.disabled == ("channel" not in views.VIEWS[method].uses)
    assert widget.status.value == "" and not widget.face.disabled


def test_the_controls_follow_the_network_and_the_layer(open_explorer):
    widget = open_explorer()
    widget.layer.value = "conv6"
    widget.channel.value = 255
    widget.layer.value = "conv2"
    assert (widget.channel.value, widget.channel.max) == (63, 63)
    widget.network.value = "smile"
    assert [label for label, _ in widget.label.options] == [explorer.PREDICTED, "not smiling", "smiling"]
    assert widget.look().about["size"] == 64 and np.array_equal(
        shown(widget), views.picture(widget.look(), "activations")
    )
    widget.method.value = "gradient"
    widget.label.value = ("smile", 0)
    assert widget.look().explained() == ("smile", 0, "not smiling")
    assert np.array_equal(shown(widget), views.picture(widget.look(), "gradient"))
    assert np.array_equal(decode(widget.prediction.value), views.prediction(widget.look()))


def test_a_network_that_cannot_be_opened_says_why_and_the_one_before_stays(open_explorer):
    widget = open_explorer()
    before = widget.picture.value
    widget.network.value = "broken"
    assert widget.status.value == "broken: not a weights file &lt;b&gt;"
    assert widget.network.value == "emotion" and widget.picture.value == before
    widget.channel.value = 2
    assert widget.picture.value != before
    with pytest.raises(ValueError, match="not a weights file"):
        open_explorer(names=["broken"])


@pytest.fixture
def slow_view(monkeypatch):
    """A view that never ends unless it is stopped; yields an event that is set once it runs."""
    running = threading.Event()

    def draw(look, tick):
        for i in range(10_000):
            tick(i / 10_000)
            running.set()
            time.sleep(0.005)

    monkeypatch.setitem(views.VIEWS, "endless", views.View(draw, ("face",), slow=True))
    return running


@pytest.mark.parametrize("how", ["stop", "another method", "another face"])
def test_slow_work_shows_how_far_it_is_and_is_stopped(open_explorer, slow_view, how):
    widget = open_explorer()
    widget.method.value = "endless"
    assert slow_view.wait(5) and not widget.stop.disabled and widget.status.value == "endless"
    time.sleep(0.05)
    assert 0 < widget.progress.value < 1
    first = widget.work
    if how == "stop":
        widget.stop.click()
        assert widget.status.value == "stopped" and widget.stop.disabled and widget.progress.value == 0
    elif how == "another method":
        widget.method.value = "filters"
        assert np.array_equal(shown(widget), views.picture(widget.look(), "filters"))
    else:
        widget.face.value = 3
        assert widget.work is not first
        widget.stop.click()
    assert first.done()


def test_an_error_in_slow_work_is_shown(open_explorer, monkeypatch):
    def draw(look, tick):
        raise RuntimeError("out of <memory>")

    monkeypatch.setitem(views.VIEWS, "failing", views.View(draw, (), slow=True))
    widget = open_explorer()
    widget.method.value = "failing"
    widget.work.result()
    assert widget.status.value == "failing: out of &lt;memory&gt;"


def test_kept_networks_lists_the_published_ones_and_those_of_a_store(tmp_path, networks):
    store = runs.Store(tmp_path / "rows", tmp_path / "runs")
    published = ("action_units", "attributes", "emotion", "smile")
    assert evaluation.kept_networks(store) == {name: name for name in published}
    data, split = {"name": "builtin", "n": 40, "size": 64}, {"kind": "random", "test": 0.5}
    spec = runs.RunSpec(data, split, "tiny", ("smile",), TrainConfig(epochs=1))
    result, _ = running.run(spec, store, progress=False)
    choices = evaluation.kept_networks(store)
    label = f"tiny, builtin, seed 0 ({result.key[:8]})"
    assert list(choices) == [*published, label]
    network, about = evaluation.load_network(choices[label])
    assert about["classes"] == {"smile": ["not smiling", "smiling"]} and "smile" in network.heads
    (store.rows / f"{result.key}.json").unlink()
    assert label not in evaluation.kept_networks(store), "weights without a row say nothing of what they are"


# pictures without a kernel


def test_flip_shows_one_state_at_a_time_without_a_script():
    picture = np.full((30, 60, 3), 200, np.uint8)
    page = still.Flip(
        {"first": picture, "a <b> & c": picture // 2, "figure": bars({"a": 1}, "x")}
    )._repr_html_()
    assert page.count('type="radio"') == 3 and page.count(" checked>") == 1 and "<script" not in page
    assert "a &lt;b&gt; &amp; c" in page and "<b>" not in page
    kinds = re.findall(r'src="data:image/(\w+);base64,([^"]+)" width="(\d+)"', page)
    assert [(kind, width) for kind, _, width in kinds] == [("webp", "40"), ("webp", "40"), ("png", "600")]
    assert np.abs(decode(base64.b64decode(kinds[1][1])).astype(int) - 100).max() < 6
    with pytest.raises(ValueError, match="at least one"):
        still.Flip({})


def test_two_flips_on_a_page_do_not_share_their_buttons():
    pages = [still.Flip({"a": np.full((9, 9, 3), grey, np.uint8)})._repr_html_() for grey in (10, 200)]
    names = [re.search(r'name="([^"]+)"', page)[1] for page in pages]
    assert names[0] != names[1]


# the camera


@pytest.fixture
def camera_widget(networks, monkeypatch):
    """(widget, what it sent, a function that hands it a message as the browser would)."""
    widget, sent = webcam.Camera(networks), []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append((content, buffers)))

    def receive(kind, *buffers, **content):
        widget._msg_callbacks(
            widget,
            {"kind": kind, "run": 1, "id": len(sent), "seconds": len(sent) / 25} | content,
            list(buffers),
        )

    return widget, sent, receive


def jpeg(frame) -> memoryview:
    return memoryview(cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


def test_a_frame_is_answered_with_faces_as_the_watcher_sees_them(camera_widget, networks):
    _, sent, receive = camera_widget
    frames = [frame for frame, _ in itertools.islice(camera.film(), 3)]
    for frame in frames:
        receive("frame", jpeg(frame))
    watcher = follow.Watcher(networks)
    expected = [webcam.answer(decode(bytes(jpeg(frame))), i / 25, watcher) for i, frame in enumerate(frames)]
    assert [(content["id"], content["run"], content["width"]) for content, _ in sent] == [
        (0, 1, 640),
        (1, 1, 640),
        (2, 1, 640),
    ]
    assert [len(content["faces"]) for content, _ in sent] == [0, 2, 2], (
        "faces are shown from the second frame on"
    )
    for (content, _), wanted in zip(sent, expected):
        for face, other in zip(content["faces"], wanted["faces"]):
            assert face["number"] == other["number"] and np.allclose(face["box"], other["box"], atol=10)
            assert [words.split(" ", 1)[0] for words, _ in face["lines"]] == [str(face["number"])] * 2


def test_what_is_no_jpeg_is_refused_with_a_sentence(camera_widget):
    _, sent, receive = camera_widget
    receive("frame", memoryview(b"no picture"))
    receive("frame", memoryview(bytes(webcam.LARGEST + 1)))
    receive("frame")
    assert [content["error"] for content, _ in sent] == [
        "The kernel received a frame that is no JPEG picture."
    ] * 3


def test_no_frame_is_kept(camera_widget, monkeypatch):
    """Every frame that is decoded, and every crop of it, is gone after its answer."""
    _, sent, receive = camera_widget
    pictures = []

    def noted(function):
        def call(*arguments, **options):
            result = function(*arguments, **options)
            pictures.append(weakref.ref(result))
            return result

        return call

    monkeypatch.setattr(cv2, "imdecode", noted(cv2.imdecode))
    monkeypatch.setattr(follow, "crops_of", noted(follow.crops_of))
    for frame, _ in itertools.islice(camera.film(), 3):
        receive("frame", jpeg(frame))
    gc.collect()
    assert len(pictures) == 3 + 2 * 2 and len(sent[2][0]["faces"]) == 2
    assert all(picture() is None for picture in pictures)


def test_a_frame_on_which_the_kernel_fails_is_answered_all_the_same(camera_widget, monkeypatch):
    _, sent, receive = camera_widget
    monkeypatch.setattr(detect, "find_faces", lambda *_: 1 / 0)
    receive("film")
    receive("frame", memoryview(b""))
    assert [c["error"] for c, _ in sent] == [
        "The kernel failed on a frame: division by zero",
        "The kernel received a frame that is no JPEG picture.",
    ]


def test_the_film_comes_with_its_pictures_and_start_begins_anew(camera_widget):
    _, sent, receive = camera_widget
    for _ in range(2):
        receive("film")
    picture = decode(sent[0][1][0])
    assert np.abs(picture.astype(int) - next(camera.film())[0]).mean() < 3
    receive("start")
    receive("film")
    assert sent[2][1] == sent[0][1] and len(sent[2][0]["faces"]) == 0, "nobody is known any more"


def test_one_model_alone_or_all_together(camera_widget):
    widget, sent, receive = camera_widget
    assert widget.choices == ["smile + emotion", "smile", "emotion"] and widget.chosen == "smile + emotion"
    widget.chosen = "emotion"
    for _ in range(2):
        receive("film")
    assert {len(face["lines"]) for face in sent[1][0]["faces"]} == {1} and list(widget.watcher.networks) == [
        "emotion"
    ]


def test_without_a_kernel_the_camera_shows_an_annotated_frame(networks):
    bundle, size = webcam.Camera(networks)._repr_mimebundle_()
    picture = decode(base64.b64decode(bundle["image/png"]))
    assert (
        picture.shape == (480, 640, 3)
        and "application/vnd.jupyter.widget-view+json" in bundle
        and size["image/png"]["width"] > 400
    )
    assert (np.abs(picture.astype(int) - camera.COLOURS[0]).max(2) < 10).sum() > 500


def test_messages_from_several_threads_are_answered_one_by_one(camera_widget):
    """JupyterLab 4.5 and ipykernel 7 hand a widget's messages to more than one thread."""
    _, sent, receive = camera_widget
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: receive("film"), range(12)))
    assert len(sent) == 12 and all("faces" in content for content, _ in sent)
    assert len({buffers[0] for _, buffers in sent}) == 12, "each got a frame of its own"


# parallel coordinates


def test_the_ranges_choose_the_trials_that_are_coloured():
    trials = [{"a": a, "config.b": b} for a in ("x", "y") for b in (1, 2, 3)]
    widget = coordinates.Coordinates(
        trials, {"a": ["x", "y"], "config.b": [1, 2, 3]}, [1, 2, 3, 4, 5, 6], "score"
    )
    assert widget.chosen().all() and "6 of 6 trials, the best of them 6.000" in widget.told.value
    before = decode(widget.image.value)
    widget.ranges["config.b"].index = (0, 1)
    assert widget.chosen().tolist() == [True, True, False] * 2
    assert "4 of 6 trials, the best of them 5.000" in widget.told.value
    after = decode(widget.image.value)
    assert after.shape == before.shape and (after != before).any()
    coloured = [(picture.max(2).astype(int) - picture.min(2) > 60).sum() for picture in (before, after)]
    assert 0 < coloured[1] < coloured[0], "two of the six lines are grey"
    assert widget.still().shape[2] == 3
    assert "image/png" in widget._repr_mimebundle_()[0]
    widget.ranges["a"].index, widget.ranges["config.b"].index = (0, 0), (2, 2)
    assert widget.told.value == "1 of 6 trials, the best of them 3.000"


def test_trials_of_a_range_stand_at_the_nearest_value_and_failed_ones_are_left_out():
    trials = [{"rate": 0.0023, "depth": 2}, {"rate": 0.09, "depth": 1}, {"rate": 0.01, "depth": 1}]
    widget = coordinates.Coordinates(
        trials, {"rate": [0.001, 0.01, 0.1], "depth": [1, 2]}, [0.5, None, 0.7], "accuracy"
    )
    assert widget.told.value == "2 of 2 trials, the best of them 0.700"
    widget.ranges["rate"].value = (0, 0)
    assert widget.chosen().tolist() == [True, False] and "0.500" in widget.told.value
    with pytest.raises(ValueError, match="trials: expected at least one with a score"):
        coordinates.Coordinates(trials[:1], {"rate": [1]}, [None], "accuracy")
