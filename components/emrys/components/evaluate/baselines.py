"""Baselines of ranking: popularity, and a regression on the mean labels of user and item."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import Interactions

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def popularity_scores(train: Interactions, items: Codes) -> Array:
    """Counts the positive train rows of each item.

    Args:
        train: Train rows.
        items: (N,) items to score.

    Returns:
        (N,) counts, 0 for unknown items.
    """
    known = train.items >= 0
    size = _size(train.items, items)
    counts = np.bincount(train.items[known], weights=train.labels[known], minlength=size)
    return np.where(items >= 0, counts[items], 0.0)


def smoothed_means(keys: Codes, labels: Array, query: Codes, smoothing: float, prior: float) -> Array:
    """Mean label of each key, smoothed towards a prior.

    mean(key) = (Σ labels of key + smoothing · prior) / (rows of key + smoothing)

    Args:
        keys: (M,) key of each labelled row, negative for none.
        labels: (M,) labels of these rows.
        query: (N,) keys to look up.
        smoothing: Weight of the prior, in rows.
        prior: Prior mean; also the result for keys without rows.

    Returns:
        (N,) means.
    """
    known = keys >= 0
    size = _size(keys, query)
    rows = np.bincount(keys[known], minlength=size).astype(np.float64)
    sums = np.bincount(keys[known], weights=labels[known], minlength=size)
    weight = rows + smoothing
    means = np.where(weight > 0, (sums + smoothing * prior) / np.where(weight > 0, weight, 1.0), prior)
    return np.where(query >= 0, means[query], prior)


def mean_scores(train: Interactions, test: Interactions, config: EvaluateConfig) -> Array:
    """Scores test rows by a logistic regression on the mean label of the user and of the item.

    The regression is fitted on out-of-fold means of the train rows, so that no row sees its own label. The means of
    the test rows come from all train rows.

    Args:
        train: Train rows.
        test: Rows to score; their labels are not used.
        config: Settings, of which `smoothing`, `folds` and `seed` are used.

    Returns:
        (N,) probabilities.
    """
    # One prior for all folds: the mean of the other folds would be low exactly when the labels of the fold are high.
    prior = float(train.labels.mean())
    fold = np.random.default_rng(config.seed).permutation(len(train)) % config.folds
    seen = np.empty((len(train), 2))
    unseen = np.empty((len(test), 2))
    for column, (known, query) in enumerate(((train.users, test.users), (train.items, test.items))):
        unseen[:, column] = smoothed_means(known, train.labels, query, config.smoothing, prior)
        for number in range(config.folds):
            inside, outside = fold == number, fold != number
            seen[inside, column] = smoothed_means(
                known[outside], train.labels[outside], known[inside], config.smoothing, prior
            )
    model = LogisticRegression(C=1e6).fit(seen - prior, train.labels)
    return model.predict_proba(unseen - prior)[:, 1]


def _size(*codes: Codes) -> int:
    return max(int(values.max(initial=-1)) for values in codes) + 1
