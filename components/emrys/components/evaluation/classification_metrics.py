"""ROC curve and calibration of scores, in a form that is stored and drawn."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from sklearn import metrics

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
    def of(cls, scores: Array, labels: Array, points: int = 200) -> RocCurve:
        """Computes the curve, thinned to at most `points` points at even distances along it.

        Args:
            scores: (N,) finite scores.
            labels: (N,) 0 or 1, both present.
            points: Maximum number of points, at least 2; both ends are kept.
        """
        fpr, tpr, thresholds = metrics.roc_curve(labels, scores)
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
        rows: Number of rows of each bin.
    """

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    rows: tuple[int, ...]

    @classmethod
    def of(cls, scores: Array, labels: Array, bins: int) -> Calibration:
        """Bins the rows by the quantiles of the scores.

        Equal scores share a bin, so that there may be fewer bins than requested.

        Args:
            scores: (N,) probabilities.
            labels: (N,) 0 or 1.
            bins: Number of bins.
        """
        inner = np.unique(np.quantile(scores, np.arange(1, bins) / bins))
        index = np.searchsorted(inner, scores, side="left")
        rows = np.bincount(index, minlength=len(inner) + 1)
        filled = rows > 0
        predicted = np.bincount(index, weights=scores, minlength=len(rows))[filled] / rows[filled]
        observed = np.bincount(index, weights=labels, minlength=len(rows))[filled] / rows[filled]
        return cls(tuple(predicted.tolist()), tuple(observed.tolist()), tuple(rows[filled].tolist()))

    @property
    def error(self) -> float:
        """Expected calibration error: Σ_b rows_b / rows · |observed_b - predicted_b|."""
        rows = np.asarray(self.rows, np.float64)
        gaps = np.abs(np.asarray(self.observed) - np.asarray(self.predicted))
        return float(np.sum(rows * gaps) / rows.sum())
