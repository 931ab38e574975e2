"""Whether a score of 0.7 comes true in seven cases of ten."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Rows binned by score.

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

        Equal scores stay in one bin, so there may be fewer bins than asked for.

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
