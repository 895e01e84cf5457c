"""`labkit.augment` against torch.flip and OpenCV; draws are pinned where a known amount has to be
compared."""

import cv2
import numpy as np
import pytest
import torch

from labkit import augment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images():
    """Smooth pictures (B, C, H, W) in 0..1, different in every image and channel."""
    coarse = np.random.default_rng(0).random((4, 6, 6, 3), dtype=np.float32)
    pictures = np.stack([cv2.resize(c, (32, 32), interpolation=cv2.INTER_LINEAR) for c in coarse])
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())


@pytest.fixture
def pin(monkeypatch):
    """`pin(share)`: every draw gives that share of its way from `low` to `high` (0.5 = no rotation, no
    shift)."""

    def at(share, *others):
        queue = iter([share, *others])

        def drawn(n, low, high, generator):
            return torch.full((n, 1, 1, 1), low + (high - low) * next(queue, share))

        monkeypatch.setattr(augment, "uniform", drawn)

    return at


def pictures(batch):
    return batch.permute(0, 2, 3, 1).numpy()


EVERYTHING = {
    "mirror": 0.5,
    "rotate": 15,
    "shift": 0.1,
    "zoom": 0.1,
    "brightness": 0.3,
    "contrast": 0.3,
    "saturation": 0.5,
    "blur": 1.0,
    "noise": 0.1,
    "erase": 0.3,
}


def test_mirror_always_is_a_flip(images):
    torch.testing.assert_close(
        augment.augment(images, {"mirror": 1.0}, generator()), images.flip(-1), atol=1e-5, rtol=0
    )


def test_mirror_half_of_the_time_flips_half_of_the_images(images):
    many = images[:1].expand(400, -1, -1, -1)
    mirrored = augment.augment(many, {"mirror": 0.5}, generator())
    as_it_was, flipped = ((mirrored - kind).abs().amax((1, 2, 3)) < 1e-4 for kind in (many, many.flip(-1)))
    assert (as_it_was ^ flipped).all()
    assert 160 < flipped.sum() < 240  # four standard deviations


@pytest.mark.parametrize("name", [*sorted(augment.GEOMETRY), *augment.STEPS])
def test_amount_0_changes_nothing(images, name):
    torch.testing.assert_close(augment.augment(images, {name: 0.0}, generator()), images, atol=1e-5, rtol=0)
    if name in augment.STEPS:
        torch.testing.assert_close(augment.STEPS[name](images, generator(), 0.0), images, atol=1e-5, rtol=0)


def test_no_step_gives_the_images_themselves(images):
    assert augment.augment(images, {}, generator()) is images


def test_shift_moves_the_picture_and_repeats_the_border(images, pin):
    # the draws: angle, zoom, mirror, across, down; the source of each pixel lies 0.125 of 32 = 4 to its
    # right, 8 above it
    pin(0.5, 0.5, 0.5, 0.75, 0.0)
    moved = augment.geometry(images, generator(), shift=0.25)
    torch.testing.assert_close(moved[:, :, 8:, :-4], images[:, :, :-8, 4:], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        moved[:, :, :8, :-4], images[:, :, :1, 4:].expand(-1, -1, 8, -1), atol=1e-5, rtol=0
    )


def test_no_image_is_shifted_further_than_asked():
    dot = torch.zeros(300, 1, 33, 33)
    dot[:, :, 16, 16] = 1
    moved = augment.augment(dot, {"shift": 0.2}, generator())
    axis = torch.arange(33.0)
    down, across = ((moved.sum((1, other)) * axis).sum(1) / moved.sum((1, 2, 3)) - 16 for other in (3, 2))
    limit = 0.2 * 33
    for distance in (down, across):
        assert distance.abs().max() <= limit + 1e-3
        assert distance.min() < -0.9 * limit and distance.max() > 0.9 * limit


@pytest.mark.parametrize("degrees", [-30, 10, 90])
def test_rotation_agrees_with_opencv(images, pin, degrees):
    pin(1.0 if degrees > 0 else 0.0, 0.5)
    turned = pictures(augment.geometry(images, generator(), rotate=abs(degrees)))
    matrix = cv2.getRotationMatrix2D((15.5, 15.5), degrees, 1)
    for ours, picture in zip(turned, pictures(images)):
        expected = cv2.warpAffine(
            picture, matrix, (32, 32), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        assert np.abs(ours - expected).max() < 0.02  # OpenCV rounds places to 1/32 pixel


@pytest.mark.parametrize(("draw", "factor"), [(1.0, 1.25), (0.0, 0.75)])
def test_zoom_agrees_with_opencv(images, pin, draw, factor):
    pin(0.5, draw, 0.5, 0.5, 0.5)
    zoomed = pictures(augment.geometry(images, generator(), zoom=0.25))
    matrix = cv2.getRotationMatrix2D((15.5, 15.5), 0, factor)
    for ours, picture in zip(zoomed, pictures(images)):
        expected = cv2.warpAffine(
            picture, matrix, (32, 32), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        assert np.abs(ours - expected).max() < 0.02


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_blur_agrees_with_opencv(images, pin, sigma):
    pin(1.0)
    noise = torch.rand(
        images.shape, generator=generator()
    )  # rough up to the border, where a smooth picture shows no fault
    blurred = pictures(augment.blur(noise, generator(), sigma))
    for ours, picture in zip(blurred, pictures(noise)):
        expected = cv2.GaussianBlur(picture, (5, 5), sigma, borderType=cv2.BORDER_REPLICATE)
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_brightness_contrast_and_saturation_by_their_formulas(images, pin):
    pin(1.0)
    torch.testing.assert_close(augment.brightness(images, generator(), 0.5), (images * 1.5).clamp(0, 1))
    for image, ours in zip(images, augment.contrast(images, generator(), 0.2)):
        torch.testing.assert_close(ours, (image.mean() + 1.2 * (image - image.mean())).clamp(0, 1))
    grey = images.mean(1, keepdim=True)
    torch.testing.assert_close(
        augment.saturation(images, generator(), 0.2), (1.2 * images - 0.2 * grey).clamp(0, 1)
    )
    pin(0.0)
    torch.testing.assert_close(
        augment.saturation(images, generator(), 1.0), grey.expand_as(images), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        augment.saturation(images[:, :1], generator(), 0.7), images[:, :1], atol=1e-6, rtol=0
    )


def test_noise_has_the_deviation_asked_for(pin):
    pin(1.0)
    middle = torch.full((8, 1, 64, 64), 0.5)
    noisy = augment.noise(middle, generator(), 0.1) - middle
    assert noisy.std() == pytest.approx(0.1, rel=0.03) and abs(noisy.mean()) < 0.003


def test_erase_greys_out_one_square(images, pin):
    pin(1.0, 0.5, 0.5)  # half the side, its middle in the middle
    erased = augment.erase(images, generator(), 0.5)
    changed = (erased != images).all(1)
    assert changed[:, 8:24, 8:24].all() and changed.sum() == 4 * 16 * 16
    torch.testing.assert_close(erased[:, :, 16, 16], images.mean((1, 2, 3))[:, None].expand(-1, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_everything_at_once_keeps_shape_and_range_and_follows_the_generator(images, channels):
    batch = torch.cat([images[:, :channels]] * 8)
    first, second, other = (augment.augment(batch, EVERYTHING, generator(seed)) for seed in (1, 1, 2))
    assert first.shape == batch.shape and first.dtype == torch.float32
    assert first.min() >= 0 and first.max() <= 1 + 1e-6
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert len({tuple(image.flatten()[:50].tolist()) for image in first}) == len(
        batch
    )  # each image has draws of its own


def test_a_share_of_the_images_is_treated_harder_and_the_given_ones_stay(images):
    many = images[:1].repeat(400, 1, 1, 1)
    before = many.clone()
    made = augment.augment(many, {"harder": {"share": 0.25, "grey": 1.0}}, generator())
    unchanged, grey = (
        (made - kind).abs().amax((1, 2, 3)) < 1e-6 for kind in (many, many.mean(1, keepdim=True))
    )
    assert (unchanged ^ grey).all() and 65 < grey.sum() < 135  # four standard deviations
    assert torch.equal(many, before)
    none = augment.augment(many, {"mirror": 1.0, "harder": {"share": 0.0, "blur": 2.0}}, generator())
    torch.testing.assert_close(none, many.flip(-1), atol=1e-5, rtol=0)


def test_each_step_has_a_chance_of_its_own(images):
    many = images[:1].repeat(800, 1, 1, 1)
    steps = {"share": 1.0, "each": 0.5, "mirror": 1.0, "grey": 1.0}
    made = augment.augment(many, {"harder": steps}, generator())
    kinds = {}
    for turned, flip in {"as it was": many, "mirrored": many.flip(-1)}.items():
        for colour, kind in {"": flip, " grey": flip.mean(1, keepdim=True).expand_as(flip)}.items():
            kinds[turned + colour] = int(((made - kind).abs().amax((1, 2, 3)) < 1e-4).sum())
    assert sum(kinds.values()) == 800 and all(150 < n < 250 for n in kinds.values()), kinds


def test_glare_makes_a_share_brighter_up_to_white(images):
    many = images[:1].repeat(400, 1, 1, 1)
    ratio = (augment.glare(many, generator(), 0.5).sum((1, 2, 3)) / many.sum((1, 2, 3))).numpy()
    assert 160 < (ratio > 1.01).sum() < 240 and (ratio > 0.999).all()


def test_the_global_random_state_is_left_alone(images):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    augment.augment(images, EVERYTHING, generator())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("amounts", "message"),
    [
        (
            {"flip": 0.5},
            "augment: expected steps out of blur, brightness, coarse, contrast, .*, zoom, got 'flip'",
        ),
        ({"mirror": 0.5, "rotate": -3}, "augment: 'rotate' must be 0 or more, got -3"),
        ({"noise": float("nan")}, "augment: 'noise' must be 0 or more, got nan"),
        (
            {"harder": {"grey": 1}},
            "augment: 'harder' must be steps with a 'share'.*, from 0 to 1, got .*grey",
        ),
        ({"harder": {"share": 0.5, "flip": 1}}, "expected steps out of .*, got 'flip'"),
        ({"harder": 0.5}, "augment: 'harder' must be steps with a 'share'.*, from 0 to 1, got 0.5"),
    ],
)
def test_unknown_steps_and_negative_amounts_are_refused(amounts, message):
    with pytest.raises(ValueError, match=message):
        augment.check(amounts)


def test_stored_copies_are_the_steps_of_the_report_and_nothing_else():
    images = np.random.default_rng(0).integers(
        0, 256, (40, 8, 8, 1), np.uint8
    )  # grey: saturation changes nothing
    made = augment.stored_copies(images, 2, seed=1)
    assert made.shape == (80, 8, 8, 1) and np.array_equal(made, augment.stored_copies(images, 2, seed=1))
    kinds = set()
    for i, copy in enumerate(made):
        original = images[i % 40]
        allowed = {
            (turns, flip): np.rot90(original[:, ::-1] if flip else original, turns)
            for turns in range(4)
            for flip in (False, True)
        }
        same = [kind for kind, version in allowed.items() if np.array_equal(copy, version)]
        assert same, f"copy {i} is none of the eight turned and mirrored versions"
        kinds.add(same[0])
    assert len(kinds) == 8


def test_stored_copies_change_saturation_and_keep_grey_level():
    colour = np.full((30, 4, 4, 3), (90, 120, 150), np.uint8)  # one colour: turns and mirrors change nothing
    made = augment.stored_copies(colour, 1).astype(int)
    spread = made.max(-1) - made.min(-1)
    assert (spread >= 29).all() and (spread <= 91).all() and len(np.unique(spread)) > 5
    assert np.abs(made.mean(-1) - 120).max() <= 1
