"""Baselines of ranking, regression and classes: popularity, mean labels of user and item, and constants."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LinearRegression, LogisticRegression

from emrys.components.contracts.data_schema import TargetKind
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import Interactions

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def popularity_scores(train: Interactions, items: Codes) -> Array:
    """Counts the positive train rows of each item, by their weights.

    Args:
        train: Train rows, with items.
        items: (N,) items to score.

    Returns:
        (N,) counts, 0 for unknown items.
    """
    of_rows = _codes_of(train.items)
    known = of_rows >= 0
    size = _size(of_rows, items)
    counts = np.bincount(of_rows[known], weights=(train.each * train.labels)[known], minlength=size)
    return np.where(items >= 0, counts[items], 0.0)


def smoothed_means(
    keys: Codes, labels: Array, query: Codes, smoothing: float, prior: float, weights: Array | None = None
) -> Array:
    """Mean label of each key, smoothed towards a prior.

    mean(key) = (Σ weight · label of key + smoothing · prior) / (Σ weight of key + smoothing)

    Args:
        keys: (M,) key of each labelled row, negative for none.
        labels: (M,) labels of these rows.
        query: (N,) keys to look up.
        smoothing: Weight of the prior, in rows.
        prior: Prior mean; also the result for keys without rows.
        weights: (M,) weight of each row; None if all are 1.

    Returns:
        (N,) means.
    """
    known = keys >= 0
    size = _size(keys, query)
    each = np.ones(len(keys)) if weights is None else weights
    rows = np.bincount(keys[known], weights=each[known], minlength=size)
    sums = np.bincount(keys[known], weights=(each * labels)[known], minlength=size)
    weight = rows + smoothing
    means = np.where(weight > 0, (sums + smoothing * prior) / np.where(weight > 0, weight, 1.0), prior)
    return np.where(query >= 0, means[query], prior)


def mean_scores(
    train: Interactions, test: Interactions, config: EvaluateConfig, kind: TargetKind = TargetKind.BINARY
) -> Array:
    """Scores test rows by a regression on the mean label of the user and of the item, as far as there are any.

    The regression, logistic for a binary target and linear for numbers, is fitted on out-of-fold means of the train
    rows, so that no row sees its own label. The means of the test rows come from all train rows.

    Args:
        train: Train rows.
        test: Rows to score; their labels are not used.
        config: Settings, of which `smoothing`, `folds` and `seed` are used.
        kind: Kind of the target, binary or regression.

    Returns:
        (N,) probabilities, or numbers.
    """
    # One prior for all folds: the mean of the other folds would be low exactly when the labels of the fold are high.
    prior = constant_score(train)
    fold = np.random.default_rng(config.seed).permutation(len(train)) % config.folds
    pairs = [(train.users, test.users), (train.items, test.items)]
    keys = [(known, query) for known, query in pairs if known is not None and query is not None]
    seen = np.empty((len(train), len(keys)))
    unseen = np.empty((len(test), len(keys)))
    each = train.each
    for column, (known, query) in enumerate(keys):
        unseen[:, column] = smoothed_means(known, train.labels, query, config.smoothing, prior, each)
        for number in range(config.folds):
            inside, outside = fold == number, fold != number
            seen[inside, column] = smoothed_means(
                known[outside], train.labels[outside], known[inside], config.smoothing, prior, each[outside]
            )
    if kind is TargetKind.BINARY:
        model = LogisticRegression(C=1e6).fit(seen - prior, train.labels, sample_weight=train.weights)
        return np.asarray(model.predict_proba(unseen - prior)[:, 1], np.float64)
    line = LinearRegression().fit(seen - prior, train.labels, sample_weight=train.weights)
    return np.asarray(line.predict(unseen - prior), np.float64)


def constant_score(train: Interactions) -> float:
    """Mean label of the train rows."""
    return float(np.average(train.labels, weights=train.weights))


def class_frequencies(train: Interactions, classes: int) -> Array:
    """(C,) share of each class in the train rows."""
    counts = np.bincount(train.labels.astype(np.int64), weights=train.each, minlength=classes)
    return counts / counts.sum()


def _codes_of(codes: Codes | None) -> Codes:
    if codes is None:
        raise ValueError("the log has no such ids")  # the plan of an evaluation has no baseline of items then
    return codes


def _size(*codes: Codes) -> int:
    return max(int(values.max(initial=-1)) for values in codes) + 1
