"""AUC and means of measured rows, computed for many bootstrap resamples at once."""

from __future__ import annotations

import abc

import numpy as np
import numpy.typing as npt

from emrys.components.contracts.measured_rows import MeasuredRows

Array = npt.NDArray[np.float64]
Units = npt.NDArray[np.int64]

#: Most elements of an array of draws times rows.
_BLOCK = 8_000_000


class WeightedMetric(abc.ABC):
    """A metric in which each unit (a user or a query) counts as often as it was drawn."""

    @abc.abstractmethod
    def resampled(self, draws: Array) -> Array:
        """Values of the metric.

        Args:
            draws: (R, U) how often each of the U units was drawn in each of R resamples.

        Returns:
            (R,) values, NaN if the metric is not defined for a resample.
        """

    def value(self, units: int) -> float:
        """The metric with every unit counted once; NaN if it is not defined.

        Args:
            units: Number of units, U.
        """
        return float(self.resampled(np.ones((1, units)))[0])


class WeightedMean(WeightedMetric):
    """Mean of a value; rows with NaN are ignored.

    Args:
        values: (N,) value of each row.
        units: (N,) unit of each row, 0 to U - 1.
        count: Number of units, U.
    """

    def __init__(self, values: Array, units: Units, count: int) -> None:
        present = np.isfinite(values)
        self._sums = np.bincount(units[present], weights=values[present], minlength=count)
        self._rows = np.bincount(units[present], minlength=count).astype(np.float64)

    def resampled(self, draws: Array) -> Array:
        """(R,) means."""
        rows = draws @ self._rows
        return np.divide(draws @ self._sums, rows, out=np.full(len(draws), np.nan), where=rows > 0)


class WeightedAuc(WeightedMetric):
    """Area under the ROC curve: share of the pairs of a positive and a negative row in the right order.

    Ties count half.

    Args:
        scores: (N,) scores.
        labels: (N,) 0 or 1.
        units: (N,) unit of each row, 0 to U - 1.
    """

    def __init__(self, scores: Array, labels: Array, units: Units) -> None:
        order = np.argsort(scores, kind="stable")
        self._units = units[order]
        self._positive = labels[order] > 0
        ordered = scores[order]
        # first row and end of the tie of each row
        self._first = np.searchsorted(ordered, ordered, side="left")
        self._end = np.searchsorted(ordered, ordered, side="right")

    def resampled(self, draws: Array) -> Array:
        """(R,) areas."""
        step = max(1, _BLOCK // max(1, len(self._units)))
        return np.concatenate([self._block(draws[start : start + step]) for start in range(0, len(draws), step)])

    def _block(self, draws: Array) -> Array:
        weights = draws[:, self._units]
        negative = np.cumsum(np.where(self._positive, 0.0, weights), axis=1)
        negative = np.concatenate([np.zeros((len(draws), 1)), negative], axis=1)  # of the rows before each row
        below = (negative[:, self._first] + negative[:, self._end]) / 2
        positives = np.where(self._positive, weights, 0.0)
        pairs = positives.sum(axis=1) * negative[:, -1]
        ordered_pairs = (positives * below).sum(axis=1)
        return np.divide(ordered_pairs, pairs, out=np.full(len(draws), np.nan), where=pairs > 0)


def auc(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Area under the ROC curve; ties count half.

    Args:
        scores: (N,) scores.
        labels: (N,) 0 or 1.

    Returns:
        The area, NaN if there is only one class.
    """
    rows = np.asarray(scores, np.float64)
    return WeightedAuc(rows, np.asarray(labels, np.float64), np.zeros(len(rows), np.int64)).value(1)


def metric_of(rows: MeasuredRows, metric: str, scorer: str, mask: npt.NDArray[np.bool_]) -> WeightedMetric | None:
    """A metric of a scorer on some rows of an evaluation.

    Args:
        rows: Metric values per row.
        metric: Name of the metric.
        scorer: Name of the scorer.
        mask: (N,) rows to use.

    Returns:
        The metric, or None if there are no such rows or the metric was not measured.
    """
    if not mask.any():
        return None
    values = rows.values.get((metric, scorer))
    if values is not None:
        return WeightedMean(values[mask], rows.units[mask], rows.unit_count)
    if metric == "auc" and scorer in rows.scores and rows.labels is not None:
        return WeightedAuc(rows.scores[scorer][mask], rows.labels[mask], rows.units[mask])
    return None
