"""`labkit.models`: the block syntax, and the networks that it builds against the same layers written out by
hand."""

import hashlib
import os
import pickle
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labkit import models
from labkit.models import Net

BASE = "1x64 2x32 2x16 1x8"


def random_images(n=3, channels=3, size=64):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0))


def by_hand(channels=3):
    """The base model as a plain list of layers."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 2),
    )


def copy_weights(source, target):
    for (_, value), (_, place) in zip(source.named_parameters(), target.named_parameters(), strict=True):
        place.data.copy_(value)


def test_blocks_are_parsed():
    assert models.parse_blocks(BASE) == [(1, 64), (2, 32), (2, 16), (1, 8)]
    assert models.parse_blocks("  12x8   1x4 ") == [(12, 8), (1, 4)]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ("2x64 3y32", "block 2 of '2x64 3y32': expected NxS (N layers at size S), got '3y32'"),
        ("0x64", "block 1 of '0x64': expected NxS (N layers at size S), got '0x64'"),
        ("-1x64", "block 1 of '-1x64': expected NxS (N layers at size S), got '-1x64'"),
        ("1x64 32", "block 2 of '1x64 32': expected NxS (N layers at size S), got '32'"),
        ("1x64,1x32", "block 1 of '1x64,1x32': expected NxS (N layers at size S), got '1x64,1x32'"),
        ("1x48", "block 1 of '1x48': size 48 is not one of 64, 32, 16, 8, 4"),
        ("1x64 1x16", "block 2 of '1x64 1x16': expected size 32, half of the group before, got 16"),
        ("1x32 1x32", "block 2 of '1x32 1x32': expected size 16, half of the group before, got 32"),
        ("1x8 1x16", "block 2 of '1x8 1x16': expected size 4, half of the group before, got 16"),
        ("", "blocks: expected at least one NxS, got an empty text"),
        ("  ", "blocks: expected at least one NxS, got an empty text"),
    ],
)
def test_a_slip_in_the_blocks_is_named(blocks, message):
    with pytest.raises(ValueError) as error:
        models.parse_blocks(blocks)
    assert str(error.value) == message


def test_find_takes_a_name_or_blocks():
    assert models.find("smile-base") == Net(BASE)
    assert models.find("2x16 1x8") == Net("2x16 1x8")
    with pytest.raises(
        ValueError,
        match="architecture 'smile': expected blocks like '1x64 2x32', layers like '32k3 relu P', "
        "or one of smile-base",
    ):
        models.find("smile")
    with pytest.raises(ValueError, match="block 2 of '1x64 1x63': size 63 is not one of"):
        models.find("1x64 1x63")
    assert models.find("32k3 relu P") == Net("32k3 relu P")


def test_the_base_model_is_the_plain_list_of_layers():
    model, plain, images = models.build(BASE, {"smile": 2}), by_hand(), random_images()
    copy_weights(model, plain)
    torch.testing.assert_close(model(images)["smile"], plain(images))
    layers = [(3, 16), (16, 16), (16, 16), (16, 32), (32, 32), (32, 64)]
    on_paper = sum(i * o * 9 + o for i, o in layers) + 64 * 4 * 4 * 2 + 2
    assert models.count_parameters(model) == models.count_parameters(plain) == on_paper == 39_522


def test_the_scale_is_the_first_layer():
    model, plain, images = models.build(BASE, {"smile": 2}), by_hand(), random_images()
    copy_weights(model, plain)
    mean, deviation = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3])
    model.mean.copy_(mean)
    model.deviation.copy_(deviation)
    expected = plain((images - mean[:, None, None]) / deviation[:, None, None])
    torch.testing.assert_close(model(images)["smile"], expected, atol=1e-5, rtol=1e-4)
    assert {"mean", "deviation"} <= set(model.state_dict())  # they travel with the weights


def test_several_heads_share_the_features():
    model = models.build("1x32 1x16", {"emotion": 7, "units": 15}, multilabel=("units",), in_channels=1)
    logits = model(random_images(5, 1, 32))
    assert {name: tuple(z.shape) for name, z in logits.items()} == {"emotion": (5, 7), "units": (5, 15)}
    assert model.multilabel == ("units",) and list(model.heads) == ["emotion", "units"]
    logits["emotion"].sum().backward()
    assert model.heads["units"].weight.grad is None
    assert model.features[0].weight.grad is not None


def test_normalised_narrow_pooled_net_with_dropout():
    model = models.FaceNet(
        Net("2x16 1x8", normalise=True, width=0.5, dropout=0.5, pool=True), 1, {"smile": 2}
    )
    plain = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 2),
    )
    copy_weights(model, plain)
    images = random_images(4, 1, 16)
    torch.testing.assert_close(model.eval()(images)["smile"], plain.eval()(images))
    torch.testing.assert_close(
        model(random_images(2, 1, 24))["smile"].shape, torch.Size([2, 2])
    )  # any size fits
    dropped = model.train()(images)["smile"]
    assert not torch.equal(dropped, model(images)["smile"])


def test_the_seed_alone_decides_the_weights():
    torch.manual_seed(11)
    state = torch.get_rng_state()
    first, second, other = (models.build("1x16", {"side": 2}, seed=s) for s in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    for a, b in zip(first.state_dict().values(), second.state_dict().values()):
        assert torch.equal(a, b)
    assert not torch.equal(first.features[0].weight, other.features[0].weight)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        assert torch.equal(first.features[0].weight, nn.Conv2d(3, 32, 3).weight)  # PyTorch's own way to begin


def test_the_random_state_of_a_gpu_is_left_alone(monkeypatch):
    seen = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seen.append)
    models.build("1x16", {"side": 2}, seed=1)
    assert seen == []


# Files


def small_model(seed=0):
    return models.build("1x16 1x8", {"side": 2, "marks": 3}, ("marks",), in_channels=1, seed=seed)


def test_a_network_saved_in_half_comes_back_rounded(tmp_path):
    model = models.build("smile-base", {"smile": 2})
    models.save(tmp_path / "whole.pt", model)
    models.save(tmp_path / "half.pt", model, half=True, classes={"smile": ["a", "b"]})
    again, meta = models.load(tmp_path / "half.pt")
    assert (tmp_path / "half.pt").stat().st_size < 0.6 * (tmp_path / "whole.pt").stat().st_size
    for name, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[name].half().to(value.dtype)), name
    assert again.heads["smile"].weight.dtype == torch.float32 and meta == {"classes": {"smile": ["a", "b"]}}


def test_a_saved_network_comes_back_exactly(tmp_path):
    model = small_model()
    model.mean.fill_(0.4)
    models.save(tmp_path / "weights.pt", model, classes={"side": ["right", "left"]}, size=16)
    again, meta = models.load(tmp_path / "weights.pt")
    assert meta == {"classes": {"side": ["right", "left"]}, "size": 16}
    assert again.multilabel == ("marks",)
    images = random_images(channels=1, size=16)
    for name, scores in model(images).items():
        torch.testing.assert_close(again(images)[name], scores, atol=0, rtol=0)
    assert os.listdir(tmp_path) == ["weights.pt"]  # no temporary file is left


def test_a_name_is_a_published_network(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    models.save(tmp_path / "frown.pt", small_model(), size=16)
    assert models.load("frown")[1] == {"size": 16}
    with pytest.raises(FileNotFoundError, match="weights 'smirk': expected a file, or one of frown"):
        models.load("smirk")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_with_code_in_it_is_refused_and_nothing_runs(tmp_path):
    target = tmp_path / "executed"
    content = {"weights": Bomb(target), "network": {}, "meta": {}}
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(content))
    torch.save(content, tmp_path / "torch.pt")
    for name in ("plain.pt", "torch.pt"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of the pickle's protocol
            with pytest.raises(ValueError, match=rf"{name}: not a weights file of labkit"):
                models.load(tmp_path / name)
    assert not target.exists()
    pickle.loads((tmp_path / "plain.pt").read_bytes())  # the same file does its harm where it is trusted
    assert target.exists()


@pytest.mark.filterwarnings("ignore")  # torch's own, about what it finds in there
def test_a_flipped_bit_is_noticed(tmp_path):
    path, rng = tmp_path / "w.pt", np.random.default_rng(0)
    meta = {"classes": {"side": ["left", "right"]}, "seen": torch.arange(2000, dtype=torch.int32)}
    models.save(path, small_model(), **meta)
    whole, kept = path.read_bytes(), models.load(path)
    for place in rng.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            network, found = models.load(path)
        except ValueError:
            continue
        for name, value in network.state_dict().items():  # then it was in the padding between members
            assert torch.equal(value, kept[0].state_dict()[name])
        assert torch.equal(found["seen"], meta["seen"]) and found["classes"] == meta["classes"]


def test_any_other_or_damaged_file_is_refused(tmp_path):
    models.save(tmp_path / "whole.pt", small_model())
    whole = (tmp_path / "whole.pt").read_bytes()
    random = np.random.default_rng(0)
    contents = [b"", b"not weights\n", b"PK\3\4", b"X=\xcf\x94", b"\x89PNG\r\n\x1a\n"]
    contents += [whole[: int(len(whole) * share)] for share in (0.02, 0.1, 0.5, 0.9, 0.99)]
    contents += [random.bytes(n) for n in range(1, 60)]
    for content in contents:
        (tmp_path / "bad.pt").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad.pt: not a weights file of labkit"):
            models.load(tmp_path / "bad.pt")
    for other in (torch.zeros(3), [1, 2], {"weights": {}}, {"state_dict": {}}):
        torch.save(other, tmp_path / "bad.pt")
        with pytest.raises(ValueError, match=r"bad.pt: not a weights file of labkit"):
            models.load(tmp_path / "bad.pt")
    with pytest.raises(FileNotFoundError):
        models.load(tmp_path / "missing.pt")


@pytest.mark.parametrize(
    ("number", "parameters"),
    list(enumerate((6553991, 6553991, 2130311, 2130311, 314023, 2393543, 6783559, 7836039, 6634343), 1)),
)
def test_the_nine_emotion_networks_have_the_printed_counts(number, parameters):
    model = models.build(f"emotion-{number}", {"emotion": 7}, in_channels=1)
    assert models.count_parameters(model) == parameters
    assert model.eval()(random_images(channels=1, size=48))["emotion"].shape == (3, 7)


@pytest.mark.parametrize(("name", "parameters"), [("emotion-best", 575_495), ("emotion-fast", 538_951)])
def test_the_networks_of_today_have_the_counts_that_the_table_states(name, parameters):
    assert models.count_parameters(models.build(name, {"emotion": 7}, in_channels=1)) == parameters


@pytest.mark.parametrize(
    "text", ["16k3/2 16k3/2", "16k5/2 P 16s3/2", "8k3/2 8k3/2 8k3/2 8k3/2 8k3/2 | 16", "4k3/2 P P"]
)
@pytest.mark.parametrize("size", [33, 48, 50])
def test_the_side_of_the_last_map_is_known_whatever_is_odd(text, size):
    model = models.build(text, {"smile": 2}, size=size).eval()
    assert model(random_images(size=size))["smile"].shape == (3, 2)


def test_mobilenet_has_the_printed_counts():
    """5.3 million, of which 2.1 are left where the trunk is frozen (the report on action units); 3,206,976 of
    them lie in the convolutions of MobileNet, whose first here has a bias and sees one channel."""
    outputs = {"high_level_emotion": 3, "action_units": 15}
    model = models.build("mobilenet", outputs, ("action_units",), 1, size=96)
    trunk = sum(p.numel() for p in model.features.parameters())
    assert trunk == 3_206_976 + 32 - 2 * 32 * 9
    assert (models.count_parameters(model), models.count_parameters(model, ("features",))) == (
        5_324_082,
        2_117_650,
    )
    assert model.eval().features(model.normalised(random_images(channels=1, size=96))).shape == (
        3,
        1024,
        3,
        3,
    )


def test_emotion_7_is_the_same_layers_written_out():
    model = models.build("emotion-7", {"emotion": 7}, in_channels=1).eval()
    by_hand = nn.Sequential(
        nn.Conv2d(1, 32, 5, padding="same"),
        nn.LeakyReLU(0.01),
        nn.Conv2d(32, 64, 5, padding="same"),
        nn.LeakyReLU(0.01),
        nn.BatchNorm2d(64),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 7, padding="same"),
        nn.LeakyReLU(0.01),
        nn.Conv2d(128, 256, 7, padding="same"),
        nn.LeakyReLU(0.01),
        nn.BatchNorm2d(256),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256 * 12 * 12, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(128, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(32, 7),
    ).eval()
    copy_weights(model, by_hand)
    images = random_images(channels=1, size=48)
    with torch.no_grad():
        assert torch.allclose(model(images)["emotion"], by_hand(images), atol=1e-5)


def test_normalisation_stands_before_or_after_the_activation():
    def kinds(architecture):
        return [
            type(layer).__name__
            for layer in models.build(architecture, {"emotion": 7}, in_channels=1).features
        ]

    assert kinds("emotion-3")[:4] == ["Conv2d", "ReLU", "BatchNorm2d", "MaxPool2d"]
    assert kinds("emotion-4")[:4] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    assert kinds("emotion-8").count("BatchNorm2d") == 2 and "BatchNorm2d" not in kinds("emotion-9")


@pytest.mark.parametrize("text", ["32k3 64k4", "32k", "0k3", "32k3 64x3", "32k3 bn2", "32k3 Relu"])
def test_a_slip_in_the_layers_is_named(text):
    with pytest.raises(ValueError, match=rf"layer [12] of '{text}': expected CkK .*, got '"):
        models.find(text)


@pytest.mark.parametrize("name", ["smile-final", "emotion-2", "emotion-7"])
def test_a_fused_network_gives_the_same_answers(name):
    """In front of the activation the normalisation is gone, behind it (model 7) it has to stay."""
    network = models.build(name, {"label": 3}, in_channels=1, seed=1)
    images = torch.rand(4, 1, 64 if name == "smile-final" else 48, 64 if name == "smile-final" else 48)
    network.train()(images)  # statistics that are not 0 and 1
    network.eval()
    fused = models.fused(network)
    with torch.no_grad():
        torch.testing.assert_close(fused(images)["label"], network(images)["label"], atol=1e-4, rtol=1e-4)
    left = sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in fused.features)
    assert left == (2 if name == "emotion-7" else 0)
    assert any(isinstance(layer, torch.nn.BatchNorm2d) for layer in network.features), (
        "the network itself stays as it is"
    )


# Trunks that are neither blocks nor layers


@pytest.mark.parametrize("name", ["mobilenet-v2", "mobilenet-v3-small"])
def test_a_trunk_of_torchvision_gives_what_torchvision_gives(name):
    from torchvision import models as networks

    model = models.build(name, {"emotion": 7}, in_channels=1, seed=3, size=32).eval()
    theirs = networks.get_model(name.replace("-", "_"), weights=None).features.eval()
    own = model.features[1]  # behind the grey channel's three copies
    theirs.load_state_dict(own.state_dict())
    images = random_images(n=4, size=32, channels=1)
    maps = theirs(images.expand(-1, 3, -1, -1))
    torch.testing.assert_close(model.features(images), maps)
    features = model.hidden(maps.mean((2, 3)))  # two dense layers
    assert features.shape == (4, 1024)
    torch.testing.assert_close(
        model(images)["emotion"], F.linear(features, *model.heads["emotion"].parameters())
    )


def test_imagenets_weights_are_found_checked_and_put_in(tmp_path, monkeypatch):
    """With a file of our own in place of torchvision's: what is tested needs no network."""
    from torchvision import models as networks

    for trunk, name in models.pretrained.FILES.items():
        assert networks.get_model_weights(trunk)["IMAGENET1K_V1"].url.endswith(f"/{name}")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    model = models.build("mobilenet-v3-small", {"emotion": 7}, in_channels=1, size=64).eval()
    with pytest.raises(FileNotFoundError, match=r"v3_small-047dcff4\.pth: not in .*imagenet"):
        models.pretrained.put(model, "mobilenet_v3_small", tmp_path)
    with pytest.raises(ValueError, match="for '64k3': expected one of mobilenet_v2, mobilenet_v3_small"):
        models.pretrained.put(model, "64k3", tmp_path)
    theirs = networks.get_model("mobilenet_v3_small", weights=None).eval()
    (tmp_path / "imagenet").mkdir()
    file = tmp_path / "imagenet" / "mobilenet_v3_small-047dcff4.pth"
    torch.save(theirs.state_dict(), file)
    with pytest.raises(ValueError, match="not torchvision's file, or damaged"):
        models.pretrained.put(model, "mobilenet_v3_small", tmp_path)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.rename(named := file.with_name(f"mobilenet_v3_small-{digest[:8]}.pth"))
    monkeypatch.setitem(models.pretrained.FILES, "mobilenet_v3_small", named.name)
    models.pretrained.put(model, "mobilenet_v3_small", tmp_path)
    images = random_images(n=3, size=64, channels=1)
    scaled = ((images - 0.449) / 0.226).expand(-1, 3, -1, -1)
    torch.testing.assert_close(model.described(images), theirs.features(scaled).mean((2, 3)))
    assert models.pretrained.fetch("mobilenet_v3_small", tmp_path) == named  # downloads nothing


def test_any_module_is_a_trunk(monkeypatch, tmp_path):
    monkeypatch.setitem(models.TRUNKS, "patches", lambda channels: torch.nn.Conv2d(channels, 5, 8, 8))
    monkeypatch.setitem(models.ARCHITECTURES, "patches", models.Net("patches"))
    model = models.build("patches", {"smile": 2}, size=32)
    assert model(torch.zeros(3, 3, 32, 32))["smile"].shape == (3, 2)
    assert model.heads["smile"].in_features == 5 * 4 * 4
    models.save(tmp_path / "w.pt", model)
    again, _ = models.load(tmp_path / "w.pt")
    images = random_images(n=2, size=32)
    torch.testing.assert_close(again.eval()(images), model.eval()(images))
    torch.testing.assert_close(models.fused(model)(images), model(images))
    monkeypatch.delitem(models.TRUNKS, "patches")
    with pytest.raises(ValueError, match="trunk 'patches': expected blocks, layers, or one of mobilenet_v2"):
        models.load(tmp_path / "w.pt")


def test_a_trunk_with_a_way_of_its_own_is_fused_as_it_is(monkeypatch):
    class Residual(torch.nn.Sequential):
        def forward(self, images):
            return images + super().forward(images)

    monkeypatch.setitem(
        models.TRUNKS,
        "residual",
        lambda channels: Residual(torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.BatchNorm2d(3)),
    )
    model = models.FaceNet(models.Net("residual"), 3, {"smile": 2}).eval()
    images = random_images(n=2, size=48)
    torch.testing.assert_close(models.fused(model)(images), model(images))
    with pytest.raises(ValueError, match="images of 4 pixels are too small for the layers"):
        models.build("8k3 P 8k3 P 8k3 P", {"smile": 2}, size=4)


def test_the_builder_is_told_the_size_of_the_images():
    large = models.build("emotion-1", {"emotion": 7}, in_channels=1, size=64)
    assert large(torch.zeros(2, 1, 64, 64))["emotion"].shape == (2, 7)
    with pytest.raises(ValueError, match="'smile-base' takes images of 64 pixels, got 48"):
        models.build("smile-base", {"smile": 2}, size=48)


def test_a_picture_of_another_exposure_and_tint_is_nearly_the_same_to_a_net_with_instance_norm():
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    other = images * torch.tensor([0.9, 0.6, 0.5])[:, None, None] + 0.05

    def apart(name):
        model = models.build(name, {"smile": 2})
        model.mean.fill_(0.5), model.deviation.fill_(0.29)
        return (model.normalised(images) - model.normalised(other)).abs().max()

    assert apart("smile-even") < 0.15 < 1 < apart("smile-final")


def test_the_image_is_normalised_as_torch_does_it():
    model = models.build("emotion-even", {"emotion": 7}, in_channels=1, size=48)
    model.mean.fill_(0.4), model.deviation.fill_(0.2)
    images = torch.rand(2, 1, 48, 48)
    layer = torch.nn.InstanceNorm2d(1, eps=models.FLATTEST)
    torch.testing.assert_close(model.normalised(images), layer((images - 0.4) / 0.2))


def test_dropout_and_connected_layers_are_words_too():
    net = models.find("8k3 bn relu P d25 16k3 relu P | 32 16 d50")
    assert (net.hidden, net.dropout) == ((32, 16), 0.5)
    model = models.build("8k3 bn relu P d25 16k3 relu P | 32 16 d50", {"emotion": 7}, in_channels=1)
    assert [type(m).__name__ for m in model.features][3:5] == ["MaxPool2d", "Dropout"]
    assert model.features[4].p == 0.25 and model.hidden[3].p == 0.5
    assert model.hidden[0].in_features == 16 * 12 * 12 and model.hidden[4].out_features == 16


@pytest.mark.parametrize("text", ["8k3 d", "8k3 d100", "8k3 |", "8k3 | x", "8k3 | d20 8", "8k3 | 0"])
def test_a_slip_in_these_words_is_named(text):
    with pytest.raises(ValueError, match="expected"):
        models.find(text)
