"""`labkit.metrics` against scikit-learn, and against cases small enough to work out by hand."""

import numpy as np
import pytest
import sklearn.metrics as sk

from labkit import metrics

CLASSES = ("angry", "happy", "sad", "fear", "neutral")


def random_predictions(seed, n=120, missing=0.1):
    """Labels of four of five classes (none is `fear`), some not labelled, and predictions that are often
    right."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 2, 4], n, p=[0.5, 0.3, 0.15, 0.05])
    scores = rng.normal(size=(n, 5)) + 1.2 * np.eye(5)[labels]
    scores[:, 2] -= 0.5 * (seed % 3)
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    labels[rng.random(n) < missing] = -1
    return labels, probabilities.astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_classification_agrees_with_scikit_learn(seed):
    labels, probabilities = random_predictions(seed)
    ours = metrics.classification(labels, probabilities, CLASSES)
    known = labels != -1
    true, predicted = labels[known], probabilities[known].argmax(1)
    present = np.unique(true)
    macro = {"labels": present, "average": "macro", "zero_division": 0}
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(true, predicted))
    assert ours["macro_precision"] == pytest.approx(sk.precision_score(true, predicted, **macro))
    assert ours["macro_recall"] == pytest.approx(sk.recall_score(true, predicted, **macro))
    assert ours["macro_f1"] == pytest.approx(sk.f1_score(true, predicted, **macro))
    assert ours["weighted_f1"] == pytest.approx(sk.f1_score(true, predicted, average="weighted"))
    balanced = (
        sk.confusion_matrix(true, predicted, labels=range(5)).diagonal()[present] / np.bincount(true)[present]
    )
    assert ours["balanced_accuracy"] == pytest.approx(balanced.mean())
    exact = probabilities[known].astype(np.float64)
    expected = sk.log_loss(true, exact / exact.sum(1, keepdims=True), labels=range(5))
    assert ours["log_loss"] == pytest.approx(expected, rel=1e-6)
    assert ours["n"] == known.sum()
    assert ours["confusion"] == sk.confusion_matrix(true, predicted, labels=range(5)).tolist()
    each = sk.precision_recall_fscore_support(true, predicted, labels=range(5), zero_division=0)
    for i, name in enumerate(CLASSES):
        assert list(ours["per_class"][name].values()) == pytest.approx([column[i] for column in each])


def test_balanced_accuracy_agrees_with_scikit_learn_where_every_class_is_there():
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 5, 200), rng.dirichlet(np.ones(5), 200)
    ours = metrics.classification(labels, probabilities, CLASSES)["balanced_accuracy"]
    assert ours == pytest.approx(sk.balanced_accuracy_score(labels, probabilities.argmax(1)))


@pytest.mark.parametrize("steps", [3, 1000])  # with many ties, and hardly any
def test_the_area_under_the_curve_agrees_with_scikit_learn(steps):
    rng = np.random.default_rng(steps)
    labels = rng.integers(-1, 2, 80)
    shares = np.clip(rng.integers(0, steps + 1, 80) / steps * 0.7 + 0.3 * (labels == 1), 0, 1)
    found = metrics.classification(labels, np.stack([1 - shares, shares], 1), ("no", "yes"))
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(labels[labels >= 0], shares[labels >= 0]))
    alone = metrics.classification(np.zeros(3, int), np.full((3, 2), 0.5), ("no", "yes"))
    assert "roc_auc" not in alone  # there is no curve


def test_a_certain_and_wrong_prediction_costs_a_finite_log_loss():
    result = metrics.classification(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]), ("a", "b"))
    assert result["log_loss"] == pytest.approx(-np.log(1e-15) / 2)
    assert result["per_class"]["a"] == {"precision": 0, "recall": 0, "f1": 0, "n": 1}
    assert result["calibration_error"] == pytest.approx(0.5)


def test_the_confusion_matrix_has_true_classes_in_rows():
    matrix = metrics.confusion_matrix(np.array([0, 0, 2]), np.array([0, 1, 1]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 0]]


def test_calibration_error_worked_out_by_hand():
    # Confidences 0.55, 0.55 (one right), 0.75, 0.75 (both right), 1.0 (wrong). In ten bins the gaps are
    # |0.5 - 0.55| = 0.05 for two images, |1 - 0.75| = 0.25 for two, |0 - 1| = 1 for one:
    # (0.1 + 0.5 + 1) / 5 = 0.32.
    confidence = np.array([0.55, 0.55, 0.75, 0.75, 1.0])
    probabilities = np.stack([confidence, 1 - confidence], 1)
    labels = np.array([0, 1, 0, 0, 1])
    assert metrics.calibration_error(labels, probabilities, bins=10) == pytest.approx(0.32)
    # One bin: |3/5 - 3.6/5| = 0.12. The gaps of different bins do not cancel, those within one do.
    assert metrics.calibration_error(labels, probabilities, bins=1) == pytest.approx(0.12)


def test_honest_probabilities_are_calibrated_and_overconfident_ones_are_not():
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.5, 1, 20_000)
    labels = (rng.random(20_000) > chance).astype(int)
    honest = np.stack([chance, 1 - chance], 1)
    boasting = np.stack([np.full(20_000, 0.99), np.full(20_000, 0.01)], 1)
    assert metrics.calibration_error(labels, honest) < 0.02
    assert metrics.calibration_error(labels, boasting) == pytest.approx(0.24, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_multilabel_agrees_with_scikit_learn_on_what_is_coded(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((60, 4)) < [0.5, 0.3, 0.1, 0.0]).astype(np.float32)
    labels[rng.random((60, 4)) < 0.2] = np.nan
    labels[:3] = np.nan
    probabilities = rng.random((60, 4)).astype(np.float32)
    ours = metrics.multilabel(labels, probabilities, ("AU1", "AU2", "AU4", "AU9"), threshold=0.4)
    coded = ~np.isnan(labels)
    true, said = labels[coded] == 1, probabilities[coded] >= 0.4
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(true, said))
    assert ours["micro_f1"] == pytest.approx(sk.f1_score(true, said))
    f1, balanced = [], []
    for i, name in enumerate(("AU1", "AU2", "AU4", "AU9")):
        rows = coded[:, i]
        one = labels[rows, i] == 1, probabilities[rows, i] >= 0.4
        each = ours["per_class"][name]
        assert each["precision"] == pytest.approx(sk.precision_score(*one, zero_division=0))
        assert each["recall"] == pytest.approx(sk.recall_score(*one, zero_division=0))
        assert each["f1"] == pytest.approx(sk.f1_score(*one, zero_division=0))
        assert each["n"] == one[0].sum()
        assert each["accuracy"] == pytest.approx(sk.accuracy_score(*one))
        if one[0].any():
            balanced.append(sk.balanced_accuracy_score(*one))
            assert each["balanced_accuracy"] == pytest.approx(balanced[-1])
            average = sk.average_precision_score(one[0], probabilities[rows, i])
            assert each["average_precision"] == pytest.approx(average)
            assert each["roc_auc"] == pytest.approx(sk.roc_auc_score(one[0], probabilities[rows, i]))
            weight = np.where(one[0], 1.0, one[0].sum() / (~one[0]).sum())  # as many of both
            evened = sk.f1_score(*one, sample_weight=weight, zero_division=0)
            assert each["skew_normalised_f1"] == pytest.approx(evened)
        else:
            assert each["balanced_accuracy"] is each["average_precision"] is None
        f1 += [each["f1"]] if one[0].any() else []
    assert ours["macro_f1"] == pytest.approx(np.mean(f1)) and len(f1) == 3
    assert ours["balanced_accuracy"] == pytest.approx(np.mean(balanced))
    frequent = [max((labels[:, i] == 1).sum(), (labels[:, i] == 0).sum()) for i in range(4)]
    assert ours["most_frequent"] == pytest.approx(sum(frequent) / coded.sum())
    assert ours["n"] == coded.any(1).sum()


def test_where_nothing_is_labelled_there_is_no_figure():
    with pytest.raises(ValueError, match="metrics: no labelled image to measure on"):
        metrics.classification(np.array([-1, -1]), np.full((2, 2), 0.5), ("a", "b"))
    with pytest.raises(ValueError, match="metrics: no coded label to measure on"):
        metrics.multilabel(np.full((2, 2), np.nan, np.float32), np.full((2, 2), 0.5), ("a", "b"))


def test_mean_and_sample_deviation():
    mean, deviation = metrics.mean_and_deviation([0.6, 0.7, 0.9])
    assert mean == pytest.approx(2.2 / 3)
    assert deviation == pytest.approx(
        np.sqrt(((0.6 - mean) ** 2 + (0.7 - mean) ** 2 + (0.9 - mean) ** 2) / 2)
    )
    assert metrics.mean_and_deviation([0.5]) == (0.5, None)


def test_interval_is_students():
    """Differences of 1 to 5: mean 3, standard error sqrt(2.5 / 5), and 2.776 is the quantile that every t
    table prints for 4."""
    low, high = metrics.interval([1, 2, 3, 4, 5])
    assert (low, high) == pytest.approx((3 - 2.776 * np.sqrt(0.5), 3 + 2.776 * np.sqrt(0.5)), abs=1e-3)
    with pytest.raises(ValueError, match="interval: needs two values or more, got one"):
        metrics.interval([0.5])


def test_bootstrap_over_people():
    """Of people with one picture each it is the interval of a share that everybody knows, of people with ten
    equal pictures each that of the same number of people, not of pictures."""
    share = lambda totals: totals[:, 0] / totals[:, 1]  # noqa: E731
    right = np.repeat([1.0, 0.0], [160, 40])
    one_each = np.stack([right, np.ones(200)], 1)
    half = 1.96 * np.sqrt(0.8 * 0.2 / 200)
    assert metrics.bootstrap(one_each, share) == pytest.approx((0.8 - half, 0.8 + half), abs=0.01)
    assert metrics.bootstrap(10 * one_each, share) == metrics.bootstrap(one_each, share)
    low, high = metrics.bootstrap(np.stack([one_each, one_each], 1), lambda totals: totals[..., 0])
    assert low.shape == high.shape == (2,)


def test_interval_of_splits_that_overlap_is_wider():
    """Five 80:20 splits of the same images: by the root of (1/5 + 1/4) / (1/5), which is 1.5."""
    values = [0.58, 0.6075, 0.60875, 0.5575, 0.59375]
    (low, high), (lower, higher) = metrics.interval(values), metrics.interval(values, overlap=0.25)
    assert higher - lower == pytest.approx(1.5 * (high - low))
    assert (lower + higher) / 2 == pytest.approx((low + high) / 2)
