"""Filters, activations and what excites a channel, against hooks, gradients and planted patterns."""

import numpy as np
import pytest
import torch
from torch import nn

from labkit import explain, models


def network(blocks="4k3 bn relu P 6k5 relu", channels=1, size=16, seed=0):
    net = models.Net(blocks, pool=True, size=size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return models.FaceNet(net, channels, {"side": 2}).eval()


@pytest.fixture
def images(make_faces):
    return make_faces(n=10).images


def test_layers_are_named_from_the_input_on():
    model = network()
    assert list(explain.layers(model)) == ["conv1", "conv2"]
    assert explain.filters(model, "conv2").shape == (6, 4, 5, 5)
    assert [
        layer.out_channels for layer in explain.layers(models.build("smile-base", {"smile": 2})).values()
    ][:2] == [16, 16]


@pytest.mark.parametrize(("call", "message"), [
    (lambda m: explain.filters(m, "conv9"), r"layer 'conv9': expected one of conv1, conv2"),
    (lambda m: explain.check_channel(m, "conv2", 6), r"channel 6 of conv2: expected 0 to 5"),
    (lambda m: explain.excite(m, "conv1", [4], 16), r"channel 4 of conv1: expected 0 to 3"),
])  # fmt: skip
def test_what_does_not_exist_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(network())


@pytest.mark.parametrize(
    ("blocks", "behind"),
    [("4k3 bn relu P 6k5 relu", 2), ("4k3 relu bn P 6k5 relu", 2), ("4k3 leaky 6k3 relu", 1)],
)
def test_an_activation_is_what_a_hook_sees_behind_normalisation_and_relu(blocks, behind, images):
    model, seen = network(blocks), []
    model.features[behind].register_forward_hook(lambda *args: seen.append(args[2].clone()))
    model(explain.to_input(model, images))
    np.testing.assert_allclose(
        explain.activations(model, images, "conv1"), seen[0].detach().numpy(), atol=1e-6
    )


def test_the_scale_of_the_training_images_is_used(images):
    model = network()
    plain = explain.activations(model, images, "conv1")
    model.mean.fill_(0.4)
    model.deviation.fill_(0.2)
    assert not np.allclose(plain, explain.activations(model, images, "conv1"))


def test_untrained_is_where_training_with_this_seed_began():
    trained = models.build("emotion-5", {"emotion": 7}, in_channels=1, seed=3)
    first = {name: value.clone() for name, value in trained.state_dict().items()}
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1)
    new, other = explain.untrained(trained, 3), explain.untrained(trained, 4)
    assert all(torch.equal(value, first[name]) for name, value in new.state_dict().items())
    assert not torch.equal(other.features[0].weight, new.features[0].weight)


@pytest.mark.parametrize("blocks", ["4k3 relu P 4k3 relu P 4k5 relu", "4k3 relu 4k3 relu", "1x64 1x32 1x16"])
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_a_receptive_field_is_where_the_gradient_is_not_zero(blocks, layer):
    size = 64
    model = network(blocks, size=size)
    part, extent, random = (
        explain.up_to(model, layer, activated=False),
        torch.zeros(size, size),
        torch.Generator().manual_seed(0),
    )
    for _ in range(40):  # pooling lets one pixel of several through, another one each time
        image = torch.rand(1, 1, size, size, generator=random, requires_grad=True)
        maps = part(image)
        place = maps.shape[-1] // 2
        extent += torch.autograd.grad(maps[0, :, place, place].sum(), image)[0][0, 0].abs()
    rows = torch.nonzero(extent.sum(1)).flatten()
    field, step, offset = explain.receptive_field(model, layer)
    assert (rows.min().item(), rows.max().item()) == (
        offset + step * place,
        offset + step * place + field - 1,
    )


def bright_squares(n=6, size=16):
    """Dark images; the i-th has a square of brightness 40 i at a place of its own."""
    images = np.zeros((n, size, size, 1), np.uint8)
    for i in range(n):
        images[i, 2 + i : 5 + i, 9 - i : 12 - i] = 40 * i
    return images


def test_the_strongest_faces_are_those_with_the_brightest_square_and_the_patch_lies_on_it():
    model, images = network("2k3 relu", seed=1), bright_squares()
    with torch.no_grad():
        model.features[0].weight[1].fill_(1.0)
        model.features[0].bias.zero_()
    rows = explain.strongest(model, images, "conv1", 1, n=3)
    assert [row["index"] for row in rows] == [5, 4, 3]
    assert rows[0]["value"] == pytest.approx(9 * 200 / 255, rel=1e-5)
    assert [rows[0][edge] for edge in ("top", "left", "bottom", "right")] == [7, 4, 10, 7]


def test_one_pass_serves_all_channels_and_is_told_of(images):
    model, ticks = network(), []
    values, places = explain.peaks(model, images, "conv2", batch=4, tick=ticks.append)
    maps = explain.activations(model, images, "conv2")
    np.testing.assert_array_equal(values, maps.max((2, 3)))
    assert maps[3, 2, places[3, 2, 0], places[3, 2, 1]] == values[3, 2]
    assert ticks == pytest.approx([0.4, 0.8, 1.0])
    rows = explain.strongest(model, images, "conv2", 2, found=(values, places))
    assert rows == explain.strongest(model, images, "conv2", 2)
    assert [row["value"] for row in rows] == sorted((row["value"] for row in rows), reverse=True)


def test_made_images_excite_their_channel_more_than_any_noise():
    model, channels = network(channels=3), [0, 3, 5]
    made = explain.excite(model, "conv2", channels, 16, steps=40)
    noise = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)
    part = explain.up_to(model, "conv2", activated=False)
    with torch.no_grad():
        ours, theirs = (
            part(explain.scaled(model, explain.to_input(model, x))).mean((2, 3)) for x in (made, noise)
        )
    for i, channel in enumerate(channels):
        assert ours[i, channel] > theirs[:, channel].max()
    assert made.shape == (3, 16, 16, 3) and made.dtype == np.uint8
    assert np.array_equal(made, explain.excite(model, "conv2", channels, 16, steps=40)), "seeded"
    assert all(parameter.grad is None for parameter in model.parameters())


def test_slow_work_can_be_stopped():
    class Enough(Exception):
        pass

    def tick(done):
        if done > 0.3:
            raise Enough

    with pytest.raises(Enough):
        explain.excite(network(), "conv1", [0], 16, tick=tick)


def test_by_norm_puts_the_strongest_first():
    weights = np.zeros((3, 1, 3, 3), np.float32)
    weights[1], weights[2] = -2, 1
    assert explain.by_norm(weights).tolist() == [1, 2, 0]
    assert isinstance(explain.convolution(network(), "conv1"), nn.Conv2d)


def test_a_trunk_that_is_no_list_of_layers_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(models.TRUNKS, "patches", lambda channels: torch.nn.Conv2d(channels, 5, 8, 8))
    for trunk in ("patches", "mobilenet_v3_small"):
        network = models.FaceNet(models.Net(trunk, size=32), 3, {"smile": 2})
        with pytest.raises(ValueError, match=f"the trunk '{trunk}' is no plain list of layers"):
            explain.layers(network)
