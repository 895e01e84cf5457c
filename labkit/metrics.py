"""Predictions in, rows out. Formulas in plain numpy; the tests compare each with scikit-learn.

`labels`: int64 (N,), -1 = not labelled, left out; `probabilities`: float (N, K), each row sums to 1.
"""

import numpy as np


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """How often each class was taken for which.

    Args:
        labels: int64 (N,), the true classes, each 0 to K - 1.
        predicted: int64 (N,), the predicted classes, each 0 to K - 1.
        n_classes: K.

    Returns:
        int64 (K, K): row = true class, column = predicted class.

    Example:
        >>> confusion_matrix(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2).tolist()
        [[1, 1], [0, 2]]
    """
    return np.bincount(labels * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: how far, on average, confidence and accuracy lie apart.

    The images are put into `bins` equal steps of confidence; each bin weighs what it holds.

    Args:
        labels: int64 (N,), all labelled.
        probabilities: float (N, K), each row sums to 1; the highest of a row is its confidence.
        bins: how many steps.

    Returns:
        0 to 1; 0 is perfect.

    Source:
        Guo et al. 2017.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(index, right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The area under the curve of true against false positives: the probability that an image of class 1 has
    a higher score than one of class 0, ties counting half.

    Args:
        labels: int (N,), 0 or 1, both among them.
        scores: float (N,), higher for class 1.

    Source:
        Hanley and McNeil 1982: it is the statistic of Mann and Whitney.
    """
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]  # equal scores share theirs
    positives = int((labels == 1).sum())
    wins = ranks[labels == 1].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * (len(labels) - positives)))


def classification(labels: np.ndarray, probabilities: np.ndarray, classes) -> dict:
    """All figures of one target with one class an image.

    Args:
        labels: int64 (N,), class indices; -1 = not labelled, left out.
        probabilities: float (N, K), each row sums to 1.
        classes: the K class names in order.

    Returns:
        `accuracy, macro_precision, macro_recall, macro_f1, weighted_f1, balanced_accuracy, log_loss,
        calibration_error, n`, `most_frequent` (what always answering the most frequent class would score),
        `per_class` (class -> precision, recall, f1, n) and `confusion` (list of rows); of two classes that
        both have an image also `roc_auc`. Macro figures are means over the classes that have an image, in
        the weighted one each counts as often as it occurs; a class that is never predicted has precision 0.

    Raises:
        ValueError: where no image is labelled.
    """
    labelled = labels >= 0
    labels, probabilities = labels[labelled], probabilities[labelled].astype(np.float64)
    if not len(labels):
        raise ValueError("metrics: no labelled image to measure on")
    matrix = confusion_matrix(labels, probabilities.argmax(1), len(classes))
    hits, true, predicted = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    precision, recall = hits / np.maximum(predicted, 1), hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(true + predicted, 1)
    present = true > 0
    picked = probabilities[np.arange(len(labels)), labels]
    area = {"roc_auc": roc_auc(labels, probabilities[:, 1])} if len(classes) == 2 and present.all() else {}
    return {
        "accuracy": float(hits.sum() / len(labels)),
        "most_frequent": float(true.max() / len(labels)),
        **area,
        "macro_precision": float(precision[present].mean()),
        "macro_recall": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
        "weighted_f1": float(f1 @ true / len(labels)),
        "balanced_accuracy": float(recall[present].mean()),
        "log_loss": float(-np.log(np.clip(picked, 1e-15, 1)).mean()),
        "calibration_error": calibration_error(labels, probabilities),
        "n": len(labels),
        "per_class": _per_class(classes, precision, recall, f1, true),
        "confusion": matrix.tolist(),
    }


def multilabel(labels: np.ndarray, probabilities: np.ndarray, names, threshold: float = 0.5) -> dict:
    """All figures of one target with K independent labels an image.

    Args:
        labels: float32 (N, K), 0 or 1; NaN = not coded, left out.
        probabilities: float (N, K), each 0 to 1.
        names: the K label names in order.
        threshold: the least probability that counts as a yes.

    Returns:
        `accuracy` (binary, over all coded labels), `most_frequent` (what always giving each label's more
        frequent answer would score), `balanced_accuracy` (mean over the labels of which both answers occur of
        the mean share found of each answer), `micro_f1`, `macro_f1` (labels with a positive), `n` (images
        with a coded label) and `per_class`: label -> precision, recall, f1, n positives, accuracy, and, None
        where one answer does not occur, balanced_accuracy, average_precision, roc_auc and
        skew_normalised_f1, the F1 that as many positives as negatives would give (Jeni, Cohn and De la Torre
        2013).

    Raises:
        ValueError: where no label is coded.
    """
    coded = ~np.isnan(labels)
    if not coded.any():
        raise ValueError("metrics: no coded label to measure on")
    true, said = (labels == 1) & coded, (probabilities >= threshold) & coded
    hits, positives, claims = (true & said).sum(0), true.sum(0), said.sum(0)
    precision, recall = hits / np.maximum(claims, 1), hits / np.maximum(positives, 1)
    f1 = 2 * hits / np.maximum(positives + claims, 1)
    n, right = coded.sum(0), (coded & (true == said)).sum(0)
    per_class = _per_class(names, precision, recall, f1, positives)
    for i, figures in enumerate(per_class.values()):
        known = coded[:, i]
        figures["accuracy"] = float(right[i] / n[i]) if n[i] else None
        figures |= _of_both_answers(true[known, i], said[known, i], probabilities[known, i])
    balanced = [figures["balanced_accuracy"] for figures in per_class.values()]
    balanced = [value for value in balanced if value is not None]
    return {
        "accuracy": float(right.sum() / n.sum()),
        "most_frequent": float(np.maximum(positives, n - positives).sum() / n.sum()),
        "balanced_accuracy": float(np.mean(balanced)) if balanced else 0.0,
        "micro_f1": float(2 * hits.sum() / max(positives.sum() + claims.sum(), 1)),
        "macro_f1": float(f1[positives > 0].mean()) if (positives > 0).any() else 0.0,
        "n": int(coded.any(1).sum()),
        "per_class": per_class,
    }


def _of_both_answers(true, said, scores) -> dict:
    """Figures of one label, bool (N,) and what was said of it, that need both answers among the images; None
    where one does not occur."""
    from sklearn.metrics import average_precision_score

    positives, negatives = true.sum(), (~true).sum()
    if not (positives and negatives):
        return dict.fromkeys(("balanced_accuracy", "average_precision", "roc_auc", "skew_normalised_f1"))
    hits, false_alarms = (true & said).sum() / positives, (~true & said).sum() / negatives
    return {
        "balanced_accuracy": float((hits + 1 - false_alarms) / 2),
        "average_precision": float(average_precision_score(true, scores)),
        "roc_auc": roc_auc(true.astype(np.int64), scores),
        "skew_normalised_f1": float(2 * hits / (1 + hits + false_alarms)),
    }


def _per_class(names, precision, recall, f1, n):
    """Name of a class -> its figures as plain numbers."""
    rows = {}
    for i, name in enumerate(names):
        rows[name] = {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "n": int(n[i]),
        }
    return rows


def mean_and_deviation(values) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1) over seeds; of one value, which has no spread, None."""
    values = np.asarray(values, float)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else None
    return float(values.mean()), deviation


def interval(values, level: float = 0.95, overlap: float = 0.0) -> tuple[float, float]:
    """Low and high end of Student's confidence interval of the mean.

    Args:
        values: two or more: independent ones, such as one difference a seed on one split, or one of each
            random split of the same images.
        level: of confidence, 0 to 1.
        overlap: of random splits, which share training images, the size of the test part divided by that of
            the training part; 0 = independent.

    Raises:
        ValueError: for fewer than two values: one has no spread.

    Source:
        The correction for splits that overlap: Nadeau and Bengio 2003.
    """
    from scipy import stats

    mean, deviation = mean_and_deviation(values)
    if deviation is None:
        raise ValueError("interval: needs two values or more, got one; run more seeds")
    shrinks = np.sqrt(1 / len(values) + overlap)
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * deviation * shrinks
    return mean - float(half), mean + float(half)


def cohens_kappa(first: np.ndarray, second: np.ndarray, n_classes: int, level: float = 0.95) -> dict:
    """How far two people's labels agree beyond chance, with the interval of large samples.

    Args:
        first, second: int64 (N,), the labels that each gave the same N pictures, 0 to K - 1.
        n_classes: K.
        level: of confidence, 0 to 1.

    Returns:
        `kappa`, `low`, `high`: 1 = always the same, 0 = as often as chance; None each where no picture was
        labelled by both, or where both gave one and the same class throughout, of which chance makes as much.

    Source:
        Cohen 1960; the standard error is that of Fleiss, Cohen and Everitt 1969.
    """
    from scipy import stats

    undefined = {"kappa": None, "low": None, "high": None}
    if not len(first):
        return undefined
    share = confusion_matrix(first, second, n_classes) / len(first)
    rows, columns, same = share.sum(1), share.sum(0), float(share.trace())
    chance = float(rows @ columns)
    if np.isclose(chance, 1):
        return undefined
    kappa = (same - chance) / (1 - chance)
    beside = rows[None, :] + columns[:, None]  # of row i and column j: what j's row and i's column sum to
    diagonal = share.diagonal() * (1 - (rows + columns) * (1 - kappa)) ** 2
    off = (share * beside**2).sum() - (share.diagonal() * beside.diagonal() ** 2).sum()
    rest = (1 - kappa) ** 2 * off - (kappa - chance * (1 - kappa)) ** 2
    variance = max(float(diagonal.sum() + rest), 0.0) / (len(first) * (1 - chance) ** 2)
    half = float(stats.norm.ppf((1 + level) / 2)) * variance**0.5
    return {"kappa": kappa, "low": max(kappa - half, -1.0), "high": min(kappa + half, 1.0)}


def bootstrap(sums: np.ndarray, statistic, samples: int = 1000, level: float = 0.95, seed: int = 0):
    """Low and high end of the interval of a figure, by drawing people anew, with replacement: pictures of one
    person are not independent, people are.

    Args:
        sums: float (P, ...), what each of P people adds to the totals, such as how many of their pictures
            are right, and how many there are.
        statistic: totals of every sample, float (samples, ...) -> the figure of every sample,
            float (samples,) or (samples, K).
        samples, level, seed: how many samples, the level of confidence, and what they are drawn from.

    Source:
        Efron 1979; of whole clusters: Field and Welsh 2007.

    Example:
        >>> right_and_all = np.array([[3, 3], [1, 3], [2, 3], [3, 3]], float)
        >>> low, high = bootstrap(right_and_all, lambda totals: totals[:, 0] / totals[:, 1])
        >>> bool(low < 0.75 < high)
        True
    """
    n = len(sums)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), samples)
    values = statistic(np.tensordot(drawn, sums, 1))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
