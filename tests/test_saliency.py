"""Maps against finite differences, formulas and planted networks; the check with random weights; covered
regions."""

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from labkit import explain, models, saliency


@pytest.fixture
def model():
    net = models.Net("4k3 bn relu P 6k3 relu", pool=True, size=16)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = models.FaceNet(net, 3, {"emotion": 3}).eval()
        model.features[1].running_mean.normal_()
    model.mean.fill_(0.4)
    model.deviation.fill_(0.25)
    return model


@pytest.fixture
def image():
    return np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def score(model, image, label=1):
    """Of one image (H, W, C), float64 in 0..1."""
    with torch.no_grad():
        return model.double()(torch.from_numpy(image.transpose(2, 0, 1)[None]))["emotion"][0, label].item()


def test_the_gradient_is_the_largest_finite_difference_of_the_colours(model, image):
    found = saliency.saliency(model, image, "gradient", "emotion", 1)
    pixels, step = image / 255, 1e-4
    for y, x in ((3, 4), (8, 8), (15, 0)):
        slopes = []
        for colour in range(3):
            up, down = pixels.copy(), pixels.copy()
            up[y, x, colour] += step
            down[y, x, colour] -= step
            slopes.append(abs(score(model, up) - score(model, down)) / (2 * step))
        assert found[y, x] == pytest.approx(max(slopes), rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_grad_cam_is_its_formula(model, image, layer):
    part = explain.up_to(model, layer)
    maps = part(explain.scaled(model, explain.to_input(model, image[None]))).detach().requires_grad_()
    logits = model.heads["emotion"](model.features[len(part) :](maps).mean((2, 3)))
    (slopes,) = torch.autograd.grad(logits[0, 1], maps)
    expected = np.maximum(
        sum(slopes[0, k].mean() * maps[0, k] for k in range(maps.shape[1])).detach().numpy(), 0
    )
    found = saliency.saliency(model, image, "Grad-CAM", "emotion", 1, layer)
    assert found.shape == (16, 16) and expected.max() > 0
    if layer == "conv1":  # as large as the image: nothing to enlarge
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.max() <= expected.max() + 1e-6


def test_integrated_gradients_sum_to_the_difference_in_score(model, image):
    found = saliency.saliency(model, image, "integrated gradients", "emotion", 1)
    flat = np.broadcast_to((image / 255).mean((0, 1)), image.shape)
    assert found.sum() == pytest.approx(
        score(model, image / 255) - score(model, flat.copy()), rel=0.05, abs=1e-3
    )


def test_occlusion_is_the_mean_fall_of_the_score_over_the_squares_on_a_pixel(model, image):
    found = saliency.saliency(model, image, "occlusion", "emotion", 1)
    pixels = image / 255
    whole, falls, counts = score(model, pixels), np.zeros((16, 16)), np.zeros((16, 16))
    for top in range(0, 15):  # squares of 2, each a pixel further
        for left in range(0, 15):
            covered = pixels.copy()
            covered[top : top + 2, left : left + 2] = pixels.mean((0, 1))
            falls[top : top + 2, left : left + 2] += whole - score(model, covered)
            counts[top : top + 2, left : left + 2] += 1
    np.testing.assert_allclose(found, falls / counts, atol=1e-5)


@pytest.mark.parametrize("method", saliency.METHODS)
def test_pixels_that_the_network_cannot_see_do_not_matter(method):
    model = models.FaceNet(models.Net("1k1 relu", size=16), 1, {"emotion": 2}).eval()
    with torch.no_grad():
        model.features[0].weight.fill_(1.0)
        model.features[0].bias.zero_()  # drawn at random: now and then no pixel would pass the ReLU
        model.heads["emotion"].weight.zero_()
        model.heads["emotion"].weight[1, : 8 * 16] = 1.0  # the upper half only
    image = np.random.default_rng(0).integers(50, 256, (16, 16, 1), dtype=np.uint8)
    found = saliency.saliency(model, image, method, "emotion", 1)
    assert found.dtype == np.float32 and np.abs(found[:8]).max() > 0
    if method != "Grad-CAM":  # its weights are means over the whole map
        assert np.abs(found[10:]).max() < 1e-4 * np.abs(found).max()


@pytest.mark.parametrize(("change", "message"), [
    ({"method": "guess"}, "method 'guess': expected one of gradient, Grad-CAM, integrated "
                          "gradients, occlusion"),
    ({"target": "smile"}, "target 'smile': expected one of emotion"),
    ({"label": 3}, "class 3 of emotion: expected 0 to 2"),
    ({"method": "Grad-CAM", "layer": "conv7"}, "layer 'conv7': expected one of conv1, conv2"),
])  # fmt: skip
def test_what_does_not_exist_is_named(model, image, change, message):
    with pytest.raises(ValueError, match=message):
        saliency.saliency(model, image, **{"method": "gradient", "target": "emotion", "label": 0} | change)


@pytest.mark.parametrize("method", ["integrated gradients", "occlusion"])
def test_slow_methods_tell_how_far_they_are_and_can_be_stopped(model, image, method):
    ticks = []
    saliency.saliency(model, image, method, "emotion", 1, tick=ticks.append)
    assert len(ticks) > 3 and ticks == sorted(ticks) and 0.6 <= ticks[-1] <= 1

    def stop(done):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        saliency.saliency(model, image, method, "emotion", 1, tick=stop)


def test_randomised_begins_at_the_output_and_leaves_the_network_alone(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    steps = saliency.randomised(model, seed=1)
    assert list(steps) == ["trained", "heads", "conv2", "conv1"] and steps["trained"] is model
    same = {}
    for step, other in steps.items():
        weights = {name: value for name, value in other.state_dict().items() if "weight" in name}
        kept = [name for name, value in weights.items() if torch.equal(value, before[name])]
        same[step] = {"".join(name.split(".")[:2]) for name in kept}
    assert same["heads"] == {"features0", "features1", "features4"}
    assert same["conv2"] == {"features0", "features1"}
    assert same["conv1"] == {"features1"}, "the scale of a new normalisation is 1, as this one still is"
    assert not torch.equal(steps["conv1"].features[1].running_mean, before["features.1.running_mean"])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(steps["conv1"].mean, model.mean), "images are scaled as before"


def test_similarity_is_the_correlation_of_ranks():
    random = np.random.default_rng(0)
    a, b = random.random((9, 9)), random.random((9, 9))
    assert saliency.similarity(a, b) == pytest.approx(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
    assert saliency.similarity(a, np.exp(a)) == pytest.approx(1)
    assert saliency.similarity(a, -a) == pytest.approx(1), "signs are left out"
    assert saliency.similarity(a, np.ones((9, 9))) == 0


def test_a_covered_region_has_the_mean_colour_and_the_rest_stays(image):
    covered = saliency.cover(image, (0.25, 0.5, 0.5, 1.0))
    assert np.array_equal(covered[4:8, 8:], np.broadcast_to(image.mean((0, 1)).round(), (4, 8, 3)))
    covered[4:8, 8:] = image[4:8, 8:]
    assert np.array_equal(covered, image)


def test_the_regions_lie_on_the_parts_of_a_drawn_face():
    """Closing the eyes changes pixels within the region of the eyes more than anywhere else; the same for
    mouth and brows."""
    from labkit import synthetic

    def drawn(units):
        return synthetic.draw(synthetic.FaceParameters(action_units=units), 96).astype(float).mean(2)

    for region, units in (
        ("eyes", {"AU43": 1.0}),
        ("mouth", {"AU25": 1.0, "AU12": 1.0}),
        ("brows", {"AU4": 1.0}),
    ):
        change = np.abs(drawn(units) - drawn({}))
        means = {}
        for name, (top, left, bottom, right) in saliency.REGIONS.items():
            means[name] = change[
                round(top * 96) : round(bottom * 96), round(left * 96) : round(right * 96)
            ].mean()
        assert max(means, key=means.get) == region
