"""The explorer's pictures on the published networks and drawn faces."""

from dataclasses import replace

import numpy as np
import pytest

from labkit import evaluation, explain, raster, saliency, training, views


@pytest.fixture(scope="module")
def looks():
    """network name -> Look at twenty drawn faces."""
    found = {}
    for name in ("smile", "emotion"):
        network, about = evaluation.load_network(name)
        found[name] = views.Look(
            network, about, evaluation.read_faces("builtin", about, n=20), layer="conv2", channel=3
        )
    return found


def changed(look, **changes):
    """Another look, which has found nothing yet."""
    return replace(look, **{"found": {}} | changes)


@pytest.mark.parametrize("name", ["smile", "emotion"])
@pytest.mark.parametrize("method", views.VIEWS)
def test_every_view_is_a_picture_that_fits_and_changes_with_what_it_uses(looks, name, method):
    look, view = looks[name], views.VIEWS[method]
    picture = views.picture(look, method)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert raster.px(400) < picture.shape[1] <= raster.px(700) and picture.shape[0] <= raster.px(450)
    assert np.array_equal(picture, views.picture(changed(look), method)), "the same look, the same picture"
    target = next(iter(look.network.heads))
    other = {
        "layer": {"layer": "conv3"},
        "channel": {"channel": 4},
        "face": {"face": 7},
        "class": {"target": target, "label": 0},
    }
    for what, change in other.items():
        if what == "class" and look.explained()[1] == 0:
            change = {"target": target, "label": 1}
        same = np.array_equal(picture, views.picture(changed(look, **change), method))
        assert same != (what in view.uses), what


def test_slow_views_tell_how_far_they_are_and_find_things_once(looks):
    for method in (name for name, view in views.VIEWS.items() if view.slow):
        look, ticks = changed(looks["emotion"]), []
        views.picture(look, method, ticks.append)
        assert len(ticks) >= 1 and ticks[-1] > 0.5, method
    look, ticks = changed(looks["emotion"]), []
    views.picture(look, "strongest faces", ticks.append)
    before = len(ticks)
    views.picture(replace(look, channel=9), "strongest faces", ticks.append)
    assert len(ticks) == before, "another channel of the same layer needs no other search"


def test_a_prediction_shows_what_predict_says(looks):
    look = looks["emotion"]
    said = training.predict(look.network, look.image[None], mirror=True)["emotion"][0]
    assert look.explained() == (
        "emotion",
        int(said.argmax()),
        look.about["classes"]["emotion"][said.argmax()],
    )
    bars = raster.bars(dict(zip(look.about["classes"]["emotion"], said)), raster.px(300), "emotion", row=18)
    assert np.array_equal(views.prediction(look)[-bars.shape[0] :], bars)


def test_covered_regions_say_when_the_answer_changes(looks):
    look = looks["emotion"]
    images = np.stack(
        [look.image, *(saliency.cover(look.image, region) for region in saliency.REGIONS.values())]
    )
    answers = training.predict(look.network, images, mirror=True)["emotion"].argmax(1)
    picture, side = views.covered(look), raster.px(views.WIDTH / 4 - 10)
    tile = (picture.shape[0] - raster.px(10)) // 2
    for i, answer in enumerate(answers):
        corner = picture[(i // 4) * (tile + raster.px(10)) :, (i % 4) * (side + raster.px(10)) :][
            :tile, :side
        ]
        words = corner[-raster.px(12) :]
        assert ((np.abs(words.astype(int) - raster.SECOND).max(2) < 40).sum() > 5) == (answer != answers[0])


def test_a_tile_of_a_colour_filter_has_its_colours():
    weights = np.zeros((2, 3, 1, 1), np.float32)
    weights[0, 0], weights[1, 2] = 2, -2
    assert views.filter_tile(weights[0], weights)[0, 0].tolist() == [255, 128, 128]
    assert views.filter_tile(weights[1], weights)[0, 0].tolist() == [128, 128, 0]


@pytest.mark.parametrize(("change", "message"), [
    ({"face": 20}, "face 20: expected 0 to 19"),
    ({"channel": 64}, "channel 64 of conv2: expected 0 to 63"),
    ({"layer": "conv8"}, "layer 'conv8': expected one of conv1"),
])  # fmt: skip
def test_what_does_not_exist_is_named(looks, change, message):
    with pytest.raises(ValueError, match=message):
        changed(looks["emotion"], **change)


def test_an_unknown_view_is_named(looks):
    with pytest.raises(ValueError, match="method 'x-ray': expected one of filters, activations"):
        views.picture(looks["smile"], "x-ray")
    assert set(saliency.METHODS) < set(views.VIEWS) and explain.layers(looks["smile"].network)
