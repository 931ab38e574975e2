"""The area under the ROC curve."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def auc(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.bool_]) -> float:
    """Share of the pairs of a positive and a negative row in which the positive has the higher score; ties count half.

    Args:
        scores: Shape (rows,).
        labels: Shape (rows,), with rows of both kinds.

    Returns:
        A number from 0 to 1.
    """
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]  # from 1; the mean of its ranks for every tied score
    positives = int(labels.sum())
    negatives = len(labels) - positives
    return float((rank[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))
