"""`labkit.training` against the same steps written out, and what it refuses."""

import copy
import math
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labkit import augment, devices, models, training
from labkit.faces import FaceSet, OnDisk
from labkit.loop import losses
from labkit.loop.average import MovingAverage
from labkit.training import TrainConfig

pytestmark = pytest.mark.usefixtures("one_thread")
BLOCKS = "1x16 1x8"
SHORT = TrainConfig(epochs=3, batch_size=16, precision="float32")


def new_model(outputs=None, multilabel=(), seed=0):
    return models.build(BLOCKS, outputs or {"side": 2}, multilabel, in_channels=1, seed=seed)


def fit(model, train, validation=None, config=SHORT, seed=0):
    return training.fit(model, train, validation, config, seed, device="cpu", progress=False)


def predict(model, images, **options):
    return training.predict(model, images, device="cpu", precision="float32", **options)


def written_out(model, faces, config, seed, each_step=lambda model: None):
    """The loop of notebook 02 in plain PyTorch; the mean training loss of every epoch."""
    images = torch.from_numpy(faces.images).permute(0, 3, 1, 2) / 255
    labels = torch.from_numpy(faces.targets["side"])
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), config.learning_rate)
    losses, done, steps = [], 0, config.epochs * math.ceil(len(images) / config.batch_size)
    for _ in range(config.epochs):
        summed = 0.0
        for index in torch.randperm(len(images), generator=generator).split(config.batch_size):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * training.SCHEDULES[config.schedule](done / steps)
            batch = augment.augment(images[index], config.augment, generator)
            loss = F.cross_entropy(
                model(batch)["side"], labels[index], label_smoothing=config.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            each_step(model)
            summed += loss.item() * len(index)
            done += 1
        losses.append(summed / len(images))
    return losses


def assert_same_weights(first, second, **tolerance):
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


# The loop


@pytest.mark.parametrize(
    "config",
    [
        replace(SHORT, batch_size=20),  # 48 images: the last batch is short
        replace(
            SHORT,
            schedule="one_cycle",
            augment={"mirror": 0.5, "shift": 0.1, "noise": 0.05},
            label_smoothing=0.1,
        ),
    ],
    ids=["plain", "everything"],
)
def test_fit_is_the_loop_written_out(faces, config):
    ours, plain = new_model(), new_model()
    history = fit(ours, faces, config=config, seed=7)
    losses = written_out(plain, faces, config, seed=7)
    assert [row["train_loss"] for row in history.rows] == pytest.approx(losses, abs=1e-5)
    assert [row["epoch"] for row in history.rows] == [1, 2, 3]
    seconds = [row["seconds"] for row in history.rows]
    assert 0 < seconds[0] < seconds[1] < seconds[2]
    assert_same_weights(ours, plain, atol=1e-5, rtol=1e-4)
    assert (
        history.best_epoch == 3 and history.stopped == "all 3 epochs done; the weights are those of the last"
    )


def test_the_seed_decides_order_and_augmentation(faces):
    config = replace(SHORT, epochs=1, augment={"noise": 0.1})
    first, second, other = new_model(), new_model(), new_model()
    for model, seed in ((first, 1), (second, 1), (other, 2)):
        torch.manual_seed(seed * 100)  # the global state must not matter
        fit(model, faces, config=config, seed=seed)
    assert_same_weights(first, second, atol=0, rtol=0)
    assert not torch.equal(first.features[0].weight, other.features[0].weight)


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
@pytest.mark.parametrize("schedule", training.SCHEDULES)
def test_every_optimizer_and_schedule_learns(faces, make_faces, optimizer, schedule):
    rate = 0.02 if optimizer == "sgd" else 2e-3
    config = TrainConfig(
        epochs=6,
        batch_size=8,
        optimizer=optimizer,
        schedule=schedule,
        learning_rate=rate,
        precision="float32",
    )
    model = new_model()
    history = fit(model, faces, config=config)
    assert history.rows[-1]["train_loss"] < 0.5 * history.rows[0]["train_loss"]
    unseen = make_faces(n=30, seed=9)
    assert (predict(model, unseen.images)["side"].argmax(1) == unseen.targets["side"]).mean() == 1


def test_weight_decay_reaches_the_optimizer():
    usual = {"adam": 0, "adamw": 0.01, "sgd": 0, "rmsprop": 0}  # torch's own; without it AdamW would be Adam
    for name in training.OPTIMIZERS:
        for decay in (None, 0.0, 0.03):
            config = TrainConfig(optimizer=name, weight_decay=decay, learning_rate=0.5)
            optimizer = training.make_optimizer(new_model(), config)
            expected = usual[name] if decay is None else decay
            assert [(g["lr"], g["weight_decay"]) for g in optimizer.param_groups] == [(0.5, expected)]
            assert type(optimizer).__name__.lower() == name


def test_one_cycle_rises_for_a_fifth_and_falls_to_nothing():
    rates = [training.one_cycle(i / 1000) for i in range(1001)]
    assert (
        rates[0] == pytest.approx(0.04)
        and rates[200] == pytest.approx(1)
        and rates[1000] == pytest.approx(0, abs=1e-9)
    )
    steps = np.diff(rates)
    assert (steps[:200] > 0).all() and (steps[200:] < 0).all()
    assert rates[400:801:200] == pytest.approx([(1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2])  # the cosine
    assert np.abs(steps).max() < 0.01  # no jump


def test_scale_standard_is_that_of_the_training_images(make_faces):
    faces = make_faces(channels=3)
    pixels = faces.images.reshape(-1, 3) / 255
    model = models.build(BLOCKS, {"side": 2})
    fit(model, faces, make_faces(seed=5, channels=3), replace(SHORT, epochs=1, scale="standard"))
    np.testing.assert_allclose(model.mean, pixels.mean(0), atol=1e-6)
    np.testing.assert_allclose(model.deviation, pixels.std(0), atol=1e-6)
    unit = models.build(BLOCKS, {"side": 2})
    fit(unit, faces, config=replace(SHORT, epochs=1))
    assert unit.mean.tolist() == [0, 0, 0] and unit.deviation.tolist() == [1, 1, 1]


def test_images_become_batches():
    images = torch.arange(2 * 3 * 4 * 3, dtype=torch.uint8).view(2, 3, 4, 3)
    batch = training.to_batch(images)
    assert (
        batch.shape == (2, 3, 3, 4)
        and batch.dtype == torch.float32
        and batch.is_contiguous(memory_format=torch.channels_last)
    )
    assert batch[1, 2, 0, 3] == images[1, 0, 3, 2] / 255
    grey = images[..., :1]
    assert (
        training.to_batch(grey).shape == (2, 1, 3, 4) and grey.flatten()[1] == 3
    )  # the images themselves stay


# The loss


def random_logits(seed=0, n=6):
    generator = torch.Generator().manual_seed(seed)
    return {
        "emotion": torch.randn(n, 3, generator=generator),
        "units": torch.randn(n, 2, generator=generator),
    }


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_leaves_out_what_is_not_labelled(smoothing):
    logits = random_logits()
    labels = torch.tensor([0, -1, 2, 1, -1, 2])
    units = torch.tensor([[1, 0], [math.nan, 1], [0, math.nan], [math.nan, math.nan], [1, 1], [0, 0]])
    softmax = []
    for scores, label in zip(logits["emotion"].double(), labels):
        if label >= 0:
            wanted = torch.full((3,), smoothing / 3, dtype=torch.float64)
            wanted[label] += 1 - smoothing
            softmax.append(-(wanted * (scores - scores.exp().sum().log())).sum())
    sigmoid = []
    for score, unit in zip(logits["units"].double().flatten(), units.flatten()):
        if not unit.isnan():
            sigmoid.append(-(torch.sigmoid(score) if unit == 1 else torch.sigmoid(-score)).log())
    expected = sum(softmax) / 4 + sum(sigmoid) / 8
    assert len(softmax) == 4 and len(sigmoid) == 8
    ours = training.loss(logits, {"emotion": labels, "units": units}, smoothing)
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)


def test_the_seed_decides_dropout_too_and_leaves_the_global_state_alone(faces):
    untrained = models.FaceNet(models.Net(BLOCKS, dropout=0.5), 1, {"side": 2})

    def trained(seed):
        model = copy.deepcopy(untrained)
        training.fit(model, faces, config=SHORT, seed=seed, progress=False)
        return model.heads["side"].weight

    one = trained(3)
    torch.rand(7)
    before = torch.get_rng_state()
    assert torch.equal(trained(3), one) and not torch.equal(trained(4), one)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_other_losses_are_those_of_torch():
    logits, labels = {"emotion": random_logits()["emotion"]}, torch.tensor([0, -1, 2, 1, -1, 2])
    known = labels >= 0
    scores = logits["emotion"][known]
    margin = training.loss(logits, {"emotion": labels}, kind="multi_margin")
    assert float(margin) == pytest.approx(float(torch.nn.MultiMarginLoss()(scores, labels[known])))
    twice = training.loss(logits, {"emotion": labels}, kind="softmax_twice")
    assert float(twice) == pytest.approx(
        float(torch.nn.CrossEntropyLoss()(torch.nn.Softmax(1)(scores), labels[known]))
    )


def test_votes_cost_what_torch_says_and_teach_their_shares(faces):
    logits = {"emotion": random_logits()["emotion"]}
    shares = torch.tensor(
        [[0.8, 0.2, 0.0], [0, 1, 0], [math.nan] * 3, [0.5, 0.25, 0.25], [1, 0, 0], [0, 0, 1]]
    )
    known = ~shares.isnan().any(1)
    cost = training.loss(logits, {"emotion": shares}, kind={"emotion": "votes"})
    expected = F.cross_entropy(logits["emotion"][known], shares[known])
    assert float(cost) == pytest.approx(float(expected))
    votes = np.where(faces.targets["side"][:, None] == [0, 1], 0.75, 0.25).astype(np.float32)
    asked = replace(faces, votes={"side": votes})
    model = new_model()
    config = replace(SHORT, epochs=30, loss="votes")
    training.fit(model, asked, config=config, progress=False)
    said = training.predict(model, faces.images)["side"]
    assert abs(said.max(1).mean() - 0.75) < 0.08 and (said.argmax(1) == faces.targets["side"]).mean() > 0.9
    with pytest.raises(ValueError, match="'votes' for side, but two halves has votes for no target"):
        training.fit(model, faces, config=config, progress=False)
    with pytest.raises(ValueError, match="class_weights: side: votes have no single class to weigh"):
        replace(config, class_weights={"side": "balanced"})


def test_a_batch_without_any_label_costs_nothing_and_moves_nothing():
    logits = {name: z.requires_grad_() for name, z in random_logits().items()}
    value = training.loss(
        logits, {"emotion": torch.full((6,), -1), "units": torch.full((6, 2), math.nan)}, 0.1
    )
    value.backward()
    assert float(value.detach()) == 0
    assert all((z.grad == 0).all() for z in logits.values())


def test_two_heads_with_missing_labels_learn_together(faces):
    labels = faces.targets["side"].copy()
    labels[1::3] = -1
    partly = replace(faces, targets=faces.targets | {"side": labels})
    model = new_model({"side": 2, "marks": 2}, multilabel=("marks",))
    history = fit(model, partly, faces, replace(SHORT, epochs=8, batch_size=8, learning_rate=3e-3))
    last = history.rows[-1]
    assert last["validation_accuracy_side"] == last["validation_accuracy_marks"] == 1
    predicted = predict(model, faces.images)
    np.testing.assert_allclose(predicted["side"].sum(1), 1, atol=1e-5)
    known = ~np.isnan(faces.targets["marks"])
    assert ((predicted["marks"] > 0.5) == faces.targets["marks"])[known].all()


# Validation, early stopping, averages


def test_validate_gives_loss_and_accuracy_of_the_labelled(faces):
    labels = faces.targets["side"].copy()
    labels[::5] = -1
    partly = replace(faces, targets=faces.targets | {"side": labels})
    model = new_model({"side": 2, "marks": 2}, multilabel=("marks",))
    row = training.validate(model, partly, device="cpu", precision="float32")
    predicted = predict(model, faces.images)
    known, coded = labels != -1, ~np.isnan(faces.targets["marks"])
    right = predicted["side"].argmax(1) == labels
    marks = faces.targets["marks"] == 1
    p = np.where(marks, predicted["marks"], 1 - predicted["marks"])[coded]
    expected = -np.log(predicted["side"][np.arange(48), labels][known]).mean() - np.log(p).mean()
    assert row["validation_loss"] == pytest.approx(expected, rel=1e-4)
    assert row["validation_accuracy_side"] == pytest.approx(right[known].mean())
    assert row["validation_accuracy_marks"] == pytest.approx(
        ((predicted["marks"] > 0.5) == marks)[coded].mean()
    )


def test_validate_is_silent_on_targets_without_a_label(faces):
    none = replace(faces, targets=faces.targets | {"side": np.full(48, -1)})
    row = training.validate(new_model({"side": 2, "marks": 2}, multilabel=("marks",)), none, device="cpu")
    assert set(row) == {"validation_loss", "validation_accuracy_marks"} and all(
        math.isfinite(value) for value in row.values()
    )
    with pytest.raises(
        ValueError, match="patience watches the validation loss: no validation image is labelled with side"
    ):
        fit(new_model(), faces, none, replace(SHORT, patience=2))


def overfitting(make_faces):
    """Training images whose labels are half noise, and clean validation images: validation gets worse
    soon."""
    train = make_faces(n=24, seed=1)
    labels = np.random.default_rng(0).permutation(train.targets["side"])
    return replace(train, targets=train.targets | {"side": labels}), make_faces(n=24, seed=2)


@pytest.mark.parametrize(("epochs", "patience"), [(40, 3), (8, 8)], ids=["used up", "not used up"])
def test_early_stopping_restores_the_best_epoch_and_says_so(make_faces, epochs, patience):
    train, validation = overfitting(make_faces)
    model = new_model()
    history = fit(
        model, train, validation, replace(SHORT, epochs=epochs, patience=patience, learning_rate=5e-3)
    )
    losses = [row["validation_loss"] for row in history.rows]
    best = int(np.argmin(losses)) + 1
    assert history.best_epoch == best < len(losses) == min(best + patience, epochs)
    why = "no better validation loss for 3 epochs" if patience == 3 else "all 8 epochs done"
    assert history.stopped == f"{why}; the weights of epoch {best}, the best, are restored"
    after = training.validate(model, validation, device="cpu", precision="float32")["validation_loss"]
    assert after == pytest.approx(min(losses), rel=1e-5) and after < losses[-1]


def test_the_average_of_the_weights_is_an_exponential_moving_one(faces):
    config = replace(SHORT, epochs=2, average=0.8)
    ours, plain = new_model(), new_model()
    kept = {name: value.clone() for name, value in plain.state_dict().items()}

    steps = []

    def average(model):
        n = len(steps)  # of the steps averaged so far; the first is taken as it is
        share = min(0.8, (1 + n) / (10 + n)) if n else 0.0
        steps.append(share)
        for name, value in model.state_dict().items():
            kept[name] = share * kept[name] + (1 - share) * value

    fit(ours, faces, config=config, seed=3)
    written_out(plain, faces, config, seed=3, each_step=average)
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, kept[name], atol=1e-5, rtol=1e-4)
    assert not torch.equal(ours.features[0].weight, plain.features[0].weight)
    assert steps[:3] == [0, 2 / 11, 3 / 12]


def test_a_frozen_trunk_is_asked_once_and_trains_the_same(make_faces, monkeypatch):
    config = replace(SHORT, epochs=3, frozen=("features",))
    train, validation = make_faces(n=60), make_faces(n=30)
    kept = new_model()
    slow = copy.deepcopy(kept)
    asked = []
    kept.features.register_forward_hook(lambda *_: asked.append(1))
    first = fit(kept, train, validation, config, seed=3)
    assert len(asked) == 2  # once of each part, in whatever batches
    monkeypatch.setattr(training, "keeps_features", lambda *_: False)
    second = fit(slow, train, validation, config, seed=3)
    assert_same_weights(kept, slow, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(first.rows, second.rows):
        assert ours["validation_loss"] == pytest.approx(theirs["validation_loss"], abs=1e-4)


def test_weights_that_are_kept_small_count_in_the_loss(make_faces):
    model = models.FaceNet(models.Net(BLOCKS, hidden=(4,)), 1, {"side": 2})
    faces, before = make_faces(n=40), None
    for factor in (0.0, 0.02):
        network = copy.deepcopy(model)
        fit(network, faces, config=replace(SHORT, epochs=15, l1={"hidden": factor}), seed=3)
        size = network.hidden[0].weight.abs().sum().item()
        assert before is None or size < 0.7 * before
        before = size
    weight = model.hidden[0].weight
    size, batch, labels = (
        weight.abs().sum().item(),
        torch.zeros(4, 1, 16, 16),
        {"side": torch.zeros(4).long()},
    )
    losses = [
        training.step(copy.deepcopy(model), batch, labels, torch.optim.SGD([weight]), nullcontext(), l1=l1)
        for l1 in ([], [(0.5, weight)])
    ]
    assert (losses[1] - losses[0]).item() == pytest.approx(0.5 * size, rel=1e-5)
    with pytest.raises(ValueError, match="l1: the network has no module 'dense'"):
        fit(new_model(), faces, config=replace(SHORT, l1={"dense": 0.1}))


def test_training_ends_with_the_epoch_that_reaches_all_that_is_asked(make_faces):
    """And has its weights, although another epoch had a better loss for patience to restore."""
    train, validation = make_faces(n=60), make_faces(n=30)
    config = replace(SHORT, epochs=30, learning_rate=5e-3)
    history = fit(new_model(), train, validation, config)
    loss, right = (
        [row[name] for row in history.rows] for name in ("validation_loss", "validation_accuracy_side")
    )
    until = {"validation_accuracy_side": right[9], "validation_loss": loss[4]}
    first = next(i for i in range(30) if right[i] >= right[9] and loss[i] <= loss[4])
    model = new_model()
    history = fit(model, train, validation, replace(config, until=until, patience=30))
    assert history.best_epoch == len(history.rows) == first + 1
    assert history.stopped.endswith(f"reached in epoch {first + 1}; the weights are those of that epoch")
    assert training.validate(model, validation)["validation_loss"] == pytest.approx(loss[first], abs=1e-5)
    with pytest.raises(
        ValueError, match="until: expected one of validation_loss, validation_accuracy_side, got 'x'"
    ):
        fit(new_model(), train, validation, replace(SHORT, until={"x": 1}))


def test_a_long_average_forgets_the_random_weights():
    """After 360 steps at 0.999 a plain exponential average, begun at the random weights, would still hold 70
    % of them."""
    model = torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(model.weight)
    average = MovingAverage(model, 0.999)
    for step in range(360):
        torch.nn.init.constant_(model.weight, 0.0 if step == 0 else 1.0)
        average.update(model)
    assert average.module.weight.item() > 0.99


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a CUDA GPU")
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_recorded_step_is_the_step(make_faces, monkeypatch, optimizer):
    """Replayed, with a rate that changes and a last batch of another size, it trains the same weights."""
    config = replace(SHORT, epochs=3, batch_size=8, optimizer=optimizer, schedule="one_cycle", augment={})
    faces, networks = make_faces(n=100), []
    network = models.FaceNet(models.Net(BLOCKS), 1, {"side": 2})
    for recorded in (True, False):
        if not recorded:
            monkeypatch.setattr(training, "can_record", lambda *_: False)
        networks.append(copy.deepcopy(network))
        fit(networks[-1], faces, config=config, seed=3)
    for name, value in networks[0].state_dict().items():
        torch.testing.assert_close(value, networks[1].state_dict()[name], atol=1e-4, rtol=1e-3)


def test_a_last_batch_of_one_joins_the_one_before(make_faces):
    sizes = [
        [len(part) for part in training.batches(torch.arange(n), size)]
        for n, size in ((65, 64), (66, 64), (1, 64), (3, 1), (7, 3))
    ]
    assert sizes == [[65], [64, 2], [1], [1, 1, 1], [3, 4]]
    model = models.FaceNet(models.Net(BLOCKS, hidden=(4,)), 1, {"side": 2})  # normalises over the batch
    history = fit(model, make_faces(n=17), config=replace(SHORT, epochs=1, batch_size=16))
    assert len(history.rows) == 1


def test_multi_margin_is_torchs():
    logits, labels = (
        torch.randn(5, 4, generator=torch.Generator().manual_seed(0)),
        torch.tensor([0, 3, 1, 2, 2]),
    )
    expected = torch.nn.functional.multi_margin_loss(logits, labels, reduction="none")
    torch.testing.assert_close(training.multi_margin(logits, labels), expected)


def test_with_an_average_the_average_is_what_is_validated_and_restored(make_faces):
    train, validation = overfitting(make_faces)
    model = new_model()
    history = fit(
        model, train, validation, replace(SHORT, epochs=6, patience=6, average=0.7, learning_rate=5e-3)
    )
    after = training.validate(model, validation, device="cpu", precision="float32")["validation_loss"]
    assert after == pytest.approx(min(row["validation_loss"] for row in history.rows), rel=1e-5)


# Broken off


BROKEN_OFF = {
    "plain": {},
    "everything": {
        "average": 0.8,
        "schedule": "one_cycle",
        "augment": {"mirror": 0.5, "noise": 0.1},
        "patience": 5,
        "optimizer": "sgd",
    },
    "patience": {"patience": 1, "learning_rate": 0.05},
}


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_a_training_that_was_broken_off_ends_with_the_same_weights(make_faces, tmp_path, name):
    train, validation = overfitting(make_faces)
    config = replace(SHORT, epochs=6, **BROKEN_OFF[name])
    net = models.Net(BLOCKS, normalise=True, dropout=0.3)

    def new():
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(2)
            return models.FaceNet(net, 1, {"side": 2})

    def run(model, after_epoch=None, file=None):
        return training.fit(model, train, validation, config, 3, "cpu", False, file, after_epoch)

    def killed_after(epoch):
        def after_epoch(row, model):
            if row["epoch"] == epoch:
                raise KeyboardInterrupt

        return after_epoch

    whole, broken, file = new(), new(), tmp_path / "runs" / "checkpoint.pt"
    expected = run(whole)
    for epoch in (1, 2, 4):  # the epoch that is broken off is begun anew
        if epoch <= len(expected.rows):
            with pytest.raises(KeyboardInterrupt):
                run(new(), killed_after(epoch), file)
    history = run(broken, file=file)
    for (key, a), b in zip(whole.state_dict().items(), broken.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    losses = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in h.rows] for h in (expected, history)
    ]
    assert losses[0] == losses[1] and (history.stopped, history.best_epoch) == (
        expected.stopped,
        expected.best_epoch,
    )
    assert [row["seconds"] for row in history.rows] == sorted(row["seconds"] for row in history.rows)
    again = new()
    assert run(again, file=file).stopped == expected.stopped and torch.equal(
        again.features[0].weight, whole.features[0].weight
    ), "finished"
    assert [path.name for path in file.parent.iterdir()] == ["checkpoint.pt"]


def test_a_damaged_checkpoint_begins_anew(faces, tmp_path):
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(b"PK\x03\x04 half")
    with pytest.warns(UserWarning, match=r"checkpoint\.pt: damaged .*; the training begins anew"):
        history = training.fit(new_model(), faces, None, SHORT, device="cpu", progress=False, checkpoint=file)
    assert len(history.rows) == 3


def test_what_is_told_of_each_epoch_may_end_the_training(faces):
    seen = []
    history = training.fit(
        new_model(),
        faces,
        None,
        SHORT,
        device="cpu",
        progress=False,
        after_epoch=lambda r, model: seen.append(r["epoch"]) or len(seen) == 2,
    )
    assert seen == [1, 2] and history.stopped == "ended after epoch 2; the weights are those of the last"


# Doors for the labs to come


def test_class_weights_are_those_of_scikit_learn_and_torch():
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, -1])
    units = np.array([[1, 0], [1, 0], [0, 0], [0, 1], [0, np.nan]] * 2, np.float32)
    images = np.zeros((10, 16, 16, 1), np.uint8)
    classes = {"emotion": ("a", "b", "c"), "units": ("x", "y")}
    faces = FaceSet(images, {"emotion": labels, "units": units}, classes)
    balanced = losses.class_weights(faces, "emotion", "balanced")
    known = labels[labels >= 0]
    np.testing.assert_allclose(balanced, compute_class_weight("balanced", classes=np.unique(known), y=known))
    np.testing.assert_allclose(losses.class_weights(faces, "units", "balanced"), [6 / 4, 6 / 2])
    weights = {"emotion": torch.tensor(balanced), "units": torch.tensor([1.5, 3.0])}
    logits = {"emotion": torch.randn(10, 3), "units": torch.randn(10, 2)}
    targets = {"emotion": torch.tensor(labels), "units": torch.tensor(units)}
    single = F.cross_entropy(
        logits["emotion"], targets["emotion"], weight=weights["emotion"], ignore_index=-1
    )
    coded = ~targets["units"].isnan()
    several = F.binary_cross_entropy_with_logits(
        logits["units"], targets["units"].nan_to_num(), pos_weight=weights["units"], reduction="none"
    )[coded].mean()
    torch.testing.assert_close(training.loss(logits, targets, weights=weights), single + several)
    with pytest.raises(ValueError, match="class_weights: emotion has 3 classes, got 2 weights"):
        losses.class_weights(faces, "emotion", (1, 2))


def test_rare_classes_are_found_more_often_with_weights(make_faces):
    faces = make_faces(n=90, seed=4)
    labels = faces.targets["side"]
    rare = faces.take(np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:4]]))
    unseen, config = make_faces(n=60, seed=5), replace(SHORT, epochs=2)
    found = {}
    for weights in ({}, {"side": "balanced"}, {"side": (1, 1000)}):
        model = new_model()
        fit(model, rare, config=replace(config, class_weights=weights))
        found[str(weights)] = int((predict(model, unseen.images)["side"].argmax(1) == 1).sum())
    without, balanced, much = found.values()
    assert without < balanced <= much and much == 60


def test_a_loss_for_each_target(faces):
    logits = {"a": torch.randn(5, 3), "b": torch.randn(5, 3)}
    labels = {name: torch.tensor([0, 1, 2, 1, 0]) for name in logits}
    both = training.loss(logits, labels, kind={"a": "squared_error"})
    probabilities, right = logits["a"].softmax(1), F.one_hot(labels["a"], 3).float()
    expected = F.mse_loss(probabilities, right) + F.cross_entropy(logits["b"], labels["b"])
    torch.testing.assert_close(both, expected)
    history = fit(new_model(), faces, config=replace(SHORT, loss={"side": "squared_error"}))
    assert history.rows[-1]["train_loss"] < history.rows[0]["train_loss"] < 0.5


def test_a_plateau_lowers_the_rate_when_torch_would(make_faces):
    train, validation = overfitting(make_faces)
    config = replace(SHORT, epochs=12, schedule="plateau", reduce_by=0.5, reduce_after=2, learning_rate=0.01)
    rows = fit(new_model(), train, validation, config).rows
    dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.01)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(dummy, factor=0.5, patience=1, threshold=0)
    rates = []
    for row in rows:
        rates.append(dummy.param_groups[0]["lr"])
        theirs.step(row["validation_loss"])
    assert [row["learning_rate"] for row in rows] == rates and rates[-1] < 0.01
    with pytest.raises(ValueError, match="plateau watches the validation loss: give validation images"):
        fit(new_model(), train, config=config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": {"smiel": "squared_error"}}, "loss: target 'smiel', the network predicts side"),
        ({"class_weights": {"mood": "balanced"}}, "class_weights: target 'mood', the network predicts side"),
        ({"frozen": ("features", "heads")}, "frozen: nothing is left to train without features, heads"),
    ],
)
def test_a_config_that_does_not_fit_the_network_is_refused(faces, options, message):
    with pytest.raises(ValueError, match=message):
        fit(new_model(), faces, config=replace(SHORT, **options))


def test_a_training_that_was_cut_short_says_so(faces):
    def after(epoch):
        return lambda row, model: row["epoch"] == epoch

    for epoch, short in ((2, True), (SHORT.epochs, False)):
        history = training.fit(
            new_model(), faces, None, SHORT, device="cpu", progress=False, after_epoch=after(epoch)
        )
        assert history.cut_short == short and len(history.rows) == epoch


def test_a_checkpoint_of_another_training_is_not_gone_on_from(faces, tmp_path):
    def run(config):
        file = tmp_path / "checkpoint.pt"
        return training.fit(new_model(), faces, None, config, device="cpu", progress=False, checkpoint=file)

    run(SHORT)
    with pytest.warns(UserWarning, match="of another training; this one begins anew"):
        assert len(run(replace(SHORT, learning_rate=1e-4)).rows) == SHORT.epochs


def test_what_the_caller_froze_stays_frozen(faces):
    model = new_model()
    model.features.requires_grad_(False)
    before = copy.deepcopy(model.features.state_dict())
    fit(model, faces, config=SHORT)
    assert all(torch.equal(value, before[name]) for name, value in model.features.state_dict().items())


def test_what_is_watched_decides_which_epoch_is_the_best(make_faces):
    train, validation = overfitting(make_faces)
    config = replace(SHORT, epochs=8, patience=8, watch="validation_accuracy_side")
    history = fit(new_model(), train, validation, config)
    accuracies = [row["validation_accuracy_side"] for row in history.rows]
    assert history.best_epoch == 1 + int(np.argmax(accuracies))
    with pytest.raises(ValueError, match="watch: expected one of validation_loss, validation_accuracy_side"):
        fit(new_model(), train, validation, replace(config, watch="validation_accuracy_marks"))


def test_a_frozen_trunk_keeps_weights_and_statistics(faces):
    model = models.FaceNet(models.Net(BLOCKS, normalise=True), 1, {"side": 2})
    model.mean.fill_(0.3)  # and what the trunk was made for, whatever these images are like
    before = copy.deepcopy(model.state_dict())
    fit(model, faces, config=replace(SHORT, frozen=("features",), scale="standard"))
    for name, value in model.state_dict().items():
        same = torch.equal(value, before[name])
        assert same == (not name.startswith("heads")), name
    trained = sum(p.numel() for p in model.heads.parameters())
    assert models.count_parameters(model, ("features",)) == trained < models.count_parameters(model)
    fit(model, faces, config=SHORT)  # and the next training trains all of it again
    assert not torch.equal(model.features[0].weight, before["features.0.weight"])
    with pytest.raises(
        ValueError, match="frozen: the network has no module 'trunk'; it has features, hidden"
    ):
        fit(new_model(), faces, config=replace(SHORT, frozen=("trunk",)))


@pytest.mark.parametrize("scale", ["unit", "standard"])
def test_images_on_disk_train_and_predict_as_those_in_memory(faces, tmp_path, scale):
    np.save(tmp_path / "images.npy", faces.images)
    file = np.load(tmp_path / "images.npy", mmap_mode="r")
    order = np.random.default_rng(0).permutation(len(faces))
    there = replace(faces, images=OnDisk(file)).take(order)
    here, config = faces.take(order), replace(SHORT, scale=scale)
    assert isinstance(there.images, OnDisk) and there.fingerprint == here.fingerprint
    in_memory, on_disk = new_model(), new_model()
    fit(in_memory, here, here, config)
    fit(on_disk, there, there, config)
    assert_same_weights(in_memory, on_disk, atol=0, rtol=0)
    for mirror in (False, True):
        one, two = (predict(in_memory, each.images, mirror=mirror)["side"] for each in (here, there))
        np.testing.assert_array_equal(one, two)


# Prediction and precision


def test_batches_predict_as_images_one_by_one_do(faces):
    model = new_model({"side": 2, "marks": 2}, multilabel=("marks",))
    whole = predict(model, faces.images)
    single = [predict(model, image[None]) for image in faces.images]
    small = training.predict_logits(model, faces.images, "cpu", "float32", batch_size=7)
    for name, values in whole.items():
        assert values.dtype == np.float32 and values.shape == (48, 2)
        np.testing.assert_allclose(values, np.concatenate([one[name] for one in single]), atol=1e-6)
    np.testing.assert_allclose(small["side"].softmax(1), whole["side"], atol=1e-6)
    np.testing.assert_allclose(small["marks"].sigmoid(), whole["marks"], atol=1e-6)


def test_mirrored_prediction_is_the_mean_of_both_images(faces):
    model = new_model()
    both = predict(model, faces.images, mirror=True)["side"]
    mirrored = np.stack([np.fliplr(image) for image in faces.images])
    mean = (predict(model, faces.images)["side"] + predict(model, mirrored)["side"]) / 2
    np.testing.assert_allclose(both, mean, atol=1e-6)
    np.testing.assert_allclose(both, predict(model, mirrored, mirror=True)["side"], atol=1e-6)


def test_dropout_is_off_while_predicting_and_on_while_training(faces):
    model = models.FaceNet(models.Net(BLOCKS, normalise=True, dropout=0.5), 1, {"side": 2})
    before = copy.deepcopy(model.state_dict())
    first, second = (predict(model, faces.images)["side"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert_same_weights(model, type("Before", (), {"state_dict": lambda self: before})())
    fit(
        model, faces, faces, replace(SHORT, epochs=2)
    )  # validation in between must not leave the model in evaluation
    assert model.features[1].num_batches_tracked == 2 * 3


def test_format_and_layout_follow_from_config_and_network_alone(monkeypatch):
    """The same on every machine: nothing is measured."""
    cpu = torch.device("cpu")
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: True)
    cases = [(BLOCKS, "float32", "channels_last"), (BLOCKS, "bfloat16", "channels_last")]
    cases += [
        ("8k5 relu P", "float32", "channels_last"),
        ("8k7 relu P", "float32", "contiguous"),
        ("8k7 relu P", "bfloat16", "channels_last"),
    ]
    for blocks, precision, layout in cases:
        built = models.FaceNet(models.Net(blocks, size=16), 3, {"side": 2})
        assert devices.layout_of(built, precision) == layout
        model, context = devices.prepare(built, cpu, precision)
        kernels = model.features[0].weight
        assert kernels.is_contiguous(memory_format=devices.LAYOUTS[layout]) and kernels.dtype == torch.float32
        with context:
            assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == getattr(torch, precision)


def test_a_format_that_the_machine_lacks_is_refused_and_never_replaced(faces, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert not devices.has_bfloat16(torch.device("cpu"))
    with pytest.raises(
        ValueError, match="precision 'bfloat16': this machine's cpu does not have it; use a machine that has"
    ):
        fit(new_model(), faces, config=replace(SHORT, precision="bfloat16"))


def test_bfloat16_and_float32_agree_roughly(faces):
    half, full = replace(SHORT, epochs=5, precision="bfloat16"), replace(SHORT, epochs=5)
    if not devices.has_bfloat16(torch.device("cpu")):
        with pytest.raises(ValueError, match="does not have it"):
            fit(new_model(), faces, config=half)
        return
    ours, plain = new_model(), new_model()
    losses = [
        [row["train_loss"] for row in fit(m, faces, config=c).rows] for m, c in ((ours, half), (plain, full))
    ]
    assert losses[0] == pytest.approx(losses[1], abs=0.05) and losses[0] != losses[1]
    assert ours.features[0].weight.dtype == torch.float32
    a, b = (
        training.predict(m, faces.images, "cpu", p)["side"]
        for m, p in ((ours, "bfloat16"), (plain, "float32"))
    )
    assert a.dtype == np.float32 and np.abs(a - b).max() < 0.1


SAME_AGAIN = """
import hashlib, sys
sys.path.insert(0, "tests")
import torch
from conftest import _make_faces
from labkit import models, training
torch.set_num_threads(2)
torch.manual_seed(1)
model = models.FaceNet(models.Net("1x16 1x8", normalise=True, dropout=0.3), 1, {"side": 2})
config = training.TrainConfig(3, 16, augment={"rotate": 10, "noise": 0.1})
training.fit(model, _make_faces(), config=config, seed=5, progress=False)
print(hashlib.sha256(b"".join(v.numpy().tobytes() for v in model.state_dict().values())).hexdigest())
"""


def test_two_processes_train_the_same_weights_to_the_bit():
    root = Path(__file__).resolve().parents[1]
    runs = [
        subprocess.Popen([sys.executable, "-c", SAME_AGAIN], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    first, second = (run.communicate(timeout=300)[0].strip() for run in runs)
    assert len(first) == 64 and first == second


# What is refused


def test_images_that_do_not_fit_the_network_are_refused(faces):
    for wrong in (faces.images.repeat(3, -1), faces.images / 255, faces.images[:0], faces.images[0]):
        with pytest.raises(
            ValueError,
            match=r"predict: the network takes uint8 images of shape \(N, H, W, 1\), N above 0; got",
        ):
            predict(new_model(), wrong)
    with pytest.raises(ValueError, match="fit: no image to train on"):
        fit(new_model(), faces.take([]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "lion"}, "optimizer: expected one of adam, adamw, sgd, rmsprop, got 'lion'"),
        ({"schedule": "cosine"}, "schedule: expected one of constant, one_cycle, plateau, got 'cosine'"),
        ({"scale": "imagenet"}, "scale: expected one of unit, standard, got 'imagenet'"),
        ({"precision": "float16"}, "precision: expected one of float32, bfloat16, got 'float16'"),
        ({"epochs": 0}, "epochs, batch_size and learning_rate must be above 0, got 0, 32, 0.001"),
        ({"batch_size": 0}, "must be above 0, got 20, 0, 0.001"),
        ({"learning_rate": float("nan")}, "must be above 0, got 20, 32, nan"),
        ({"augment": {"spin": 3}}, "augment: expected steps out of .*, got 'spin'"),
        ({"average": 1.0}, "average and label_smoothing must be 0 or more and below 1, got 1.0, 0.0"),
        (
            {"label_smoothing": -0.1},
            "average and label_smoothing must be 0 or more and below 1, got 0.0, -0.1",
        ),
        ({"frozen": "features"}, "frozen: expected a list of module names, got the text 'features'"),
        ({"class_weights": {"side": 2.0}}, "class_weights: side: expected 'balanced' or a list of numbers"),
        ({"class_weights": "balanced"}, "class_weights: expected target -> 'balanced' or a list of numbers"),
        ({"loss": {"side": "hinge"}}, "loss: expected one of cross_entropy, .*, got 'hinge'"),
        ({"loss": ["cross_entropy"]}, "loss: expected one of cross_entropy"),
        (
            {"reduce_by": 1.0},
            "reduce_by must lie between 0 and 1, reduce_after be 1 epoch or more",
        ),
        ({"patience": 0}, "patience: expected 1 epoch or more, or None, got 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message) as error:
        TrainConfig(**options)
    assert "\n" not in str(error.value)


def test_patience_needs_validation_images(faces):
    for nothing in (None, faces.take([])):
        with pytest.raises(
            ValueError,
            match="patience watches the validation loss: give validation images, or do without patience",
        ):
            fit(new_model(), faces, nothing, replace(SHORT, patience=2))


def test_a_loss_that_is_no_longer_finite_stops_training(faces):
    model = new_model()
    model.heads["side"].bias.data[0] = math.inf
    with pytest.raises(
        FloatingPointError, match=r"epoch 1: the loss is no longer finite; try a lower learning rate"
    ):
        fit(model, faces)
