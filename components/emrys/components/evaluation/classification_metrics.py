"""ROC curve and calibration of scores in a form that is stored and drawn, and log loss."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from emrys.components.evaluation.weighted_metrics import calibration_bins

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class RocCurve:
    """Points of a ROC curve from (0, 0) to (1, 1).

    Args:
        false_positive_rate: Share of the negative rows with a score of at least the threshold.
        true_positive_rate: Share of the positive rows with a score of at least the threshold.
        thresholds: Descending and finite; the first lies just above the highest score.
    """

    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def of(cls, scores: Array, labels: Array, weights: Array | None = None, points: int = 200) -> RocCurve:
        """Computes the curve, thinned to at most `points` points at even distances along it.

        Args:
            scores: (N,) finite scores.
            labels: (N,) 0 or 1, both present.
            weights: (N,) weight of each row; None if all are equal.
            points: Maximum number of points, at least 2; both ends are kept.
        """
        fpr, tpr, thresholds = metrics.roc_curve(labels, scores, sample_weight=weights)
        thresholds = thresholds.astype(np.float64)
        thresholds[0] = np.nextafter(scores.max(), np.inf)  # scikit-learn returns infinity, which KFP rejects
        if len(fpr) > points:
            along = fpr + tpr  # length of the curve in steps right and up, from 0 to 2
            keep = np.unique(np.searchsorted(along, np.linspace(0.0, along[-1], points)).clip(0, len(fpr) - 1))
            keep[-1] = len(fpr) - 1
            fpr, tpr, thresholds = fpr[keep], tpr[keep], thresholds[keep]
        return cls(tuple(fpr.tolist()), tuple(tpr.tolist()), tuple(thresholds.tolist()))


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Mean score and share of positive rows, by bins of the score.

    Args:
        predicted: Mean score of each bin, ascending.
        observed: Share of positive rows of each bin.
        rows: Number of rows of each bin, or the sum of their weights.
    """

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    rows: tuple[float, ...]

    @classmethod
    def of(cls, scores: Array, labels: Array, bins: int, weights: Array | None = None) -> Calibration:
        """Bins the rows by the quantiles of the scores.

        Equal scores share a bin, so that there may be fewer bins than requested.

        Args:
            scores: (N,) probabilities.
            labels: (N,) 0 or 1.
            bins: Number of bins.
            weights: (N,) weight of each row in the means, of which the `rows` of a bin are the sum; None if all are 1.
        """
        index, number = calibration_bins(scores, bins)
        each = np.ones(len(scores)) if weights is None else weights
        rows = np.bincount(index, weights=each, minlength=number)
        filled = rows > 0
        predicted = np.bincount(index, weights=each * scores, minlength=number)[filled] / rows[filled]
        observed = np.bincount(index, weights=each * labels, minlength=number)[filled] / rows[filled]
        total = rows[filled].astype(np.int64) if weights is None else rows[filled]
        return cls(tuple(predicted.tolist()), tuple(observed.tolist()), tuple(total.tolist()))

    @property
    def error(self) -> float:
        """Expected calibration error: Σ_b rows_b / rows · |observed_b - predicted_b|."""
        rows = np.asarray(self.rows, np.float64)
        gaps = np.abs(np.asarray(self.observed) - np.asarray(self.predicted))
        return float(np.sum(rows * gaps) / rows.sum())


#: Scores are clipped to this distance from 0 and 1 before the logarithm, as in Keras.
CLIP = 1e-7


def log_losses(scores: Array, labels: Array) -> Array:
    """(N,) negative log likelihood of each row, natural logarithm, of probabilities that are clipped as in Keras."""
    clipped = np.clip(scores, CLIP, 1.0 - CLIP)
    return -np.where(labels > 0, np.log(clipped), np.log1p(-clipped))
