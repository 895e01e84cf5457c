"""Networks that begin with another's trunk, and rows that need what not everybody has."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from labkit import models, plan, running, training
from labkit.runs import RunSpec
from labkit.workers import transfer

SPEC = RunSpec(
    data={"name": "builtin", "n": 60, "size": 48, "colour": False},
    split={"kind": "by_subject", "test": 0.2, "validation": 0.2},
    model="emotion-long-dense",
    targets=("high_level_emotion", "action_units"),
    config=training.TrainConfig(epochs=1, frozen=("features",)),
    start="emotion",
)


def test_a_row_begins_with_a_published_trunk():
    result, model = running.train(SPEC, progress=False)
    first, _ = models.load("emotion")
    assert result.error is None
    for name, weight in first.features.state_dict().items():
        assert torch.equal(model.features.state_dict()[name], weight), name
    assert torch.equal(model.mean, first.mean)  # frozen: the scale that its trunk was made for
    trained = {name for name, _ in model.named_parameters() if not name.startswith("features")}
    assert result.parameters == sum(dict(model.named_parameters())[name].numel() for name in trained)
    assert len(running.about(SPEC)["trained_on"]) > len(models.load("emotion")[1]["trained_on"])


def test_the_key_follows_the_weights_that_it_begins_with(monkeypatch, tmp_path):
    own = running.identity_of(SPEC)
    assert own != running.identity_of(replace(SPEC, start=None))
    assert transfer.identity("imagenet") == "imagenet"
    file = (models.WEIGHTS / "emotion.pt").read_bytes()
    assert transfer.identity("emotion") == hashlib.sha256(file).hexdigest()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"start": "smile"}, "start: its trunk is '1x64"),
        ({"start": "attributes", "model": "attributes-small"}, "3 channels', that of the model '24k3"),
        ({"start": "laughter"}, "start: 'laughter', expected imagenet or one of action_units, attributes"),
        ({"start": "imagenet"}, "weights of ImageNet for '32k3"),
        ({"start": "imagenet", "model": "mobilenet-v2"}, "mobilenet_v2-b0353104.pth: not in"),
    ],
)
def test_a_start_that_does_not_fit_fails_in_one_line(changes, message, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    result, model = running.train(replace(SPEC, **changes), tmp_path, progress=False)
    assert model is None and message in result.error


PLAN = """
[lab.l]
[lab.l.spec]
model = "tiny"
targets = ["high_level_emotion", "action_units"]
data = { name = "builtin", n = 30, size = 64 }
split = { kind = "random", test = 0.2, validation = 0.2 }
[lab.l.spec.config.until]
validation_accuracy_high_level_emotion = 0.9
validation_accuracy_action_units = 0.5

[table.t]
lab = "l"
title = ""
measures = { f1 = ["test", "micro_f1", "action_units"] }

[[table.t.row]]
who = "everybody"

[[table.t.row]]
who = "those who signed"
optional = true
spec.data = { name = "ckplus", size = 64, colour = true }
spec.config = { class_weights = { action_units = "balanced" } }
"""


def test_an_optional_row_is_there_where_its_data_is(tmp_path, monkeypatch):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "plan.toml").write_text(PLAN, encoding="utf-8")

    def read():
        return plan.read_table("t", "full", "", tmp_path / "data", tmp_path / "reports")

    assert [row.labels["who"] for row in read().rows] == ["everybody"]
    monkeypatch.setattr(plan.datasets, "available", lambda name, data_dir="data": True)
    monkeypatch.setattr(
        plan.datasets, "targets", lambda name, data_dir="data": ["emotion", "high_level_emotion"]
    )
    signed = read().rows[1].specs[0]
    assert signed.targets == ("high_level_emotion",)  # those that its data has, and rules about no others
    assert signed.config.until == {"validation_accuracy_high_level_emotion": 0.9}
    assert signed.config.class_weights == {}


def test_a_figure_that_a_part_cannot_give_stays_empty(tmp_path):
    spec = replace(SPEC, start=None, model="tiny", targets=("smile",), data=SPEC.data | {"size": 64})
    result, _ = running.train(replace(spec, config=training.TrainConfig(epochs=1)), progress=False)
    assert result.has("test") and result.has("run", "epochs") and not result.has("test", "action_units")
    assert not result.has("private_test") and not result.has("test", "smile", "dark")
    assert np.isfinite(result.value("weighted_f1"))
