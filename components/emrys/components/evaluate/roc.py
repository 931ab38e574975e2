"""The ROC curve, thinned so that it can be stored and drawn."""

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
        """Computes the curve and keeps at most `points` points, spread evenly along it.

        Args:
            scores: (N,) finite scores.
            labels: (N,) 0 or 1, both present.
            points: Most points to keep, at least 2; both ends are among them.
        """
        fpr, tpr, thresholds = metrics.roc_curve(labels, scores)
        thresholds = thresholds.astype(np.float64)
        thresholds[0] = np.nextafter(scores.max(), np.inf)  # scikit-learn says infinity, which KFP refuses
        if len(fpr) > points:
            along = fpr + tpr  # the way along the curve in steps right and up: from 0 to 2
            keep = np.unique(np.searchsorted(along, np.linspace(0.0, along[-1], points)).clip(0, len(fpr) - 1))
            keep[-1] = len(fpr) - 1
            fpr, tpr, thresholds = fpr[keep], tpr[keep], thresholds[keep]
        return cls(tuple(fpr.tolist()), tuple(tpr.tolist()), tuple(thresholds.tolist()))
