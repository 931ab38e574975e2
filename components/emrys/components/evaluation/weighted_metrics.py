"""What the gate measures, as functions of how often each user was drawn."""

from __future__ import annotations

import abc

import numpy as np
import numpy.typing as npt

from emrys.components.contracts.measured_rows import MeasuredRows

Array = npt.NDArray[np.float64]
Units = npt.NDArray[np.int64]

#: Numbers that one product of draws and rows may hold at once.
_BLOCK = 8_000_000


class Measure(abc.ABC):
    """A metric of the test rows where each unit (a user, a query) counts as often as it was drawn."""

    @abc.abstractmethod
    def of(self, draws: Array) -> Array:
        """The metric.

        Args:
            draws: (R, U) how often each of the U units was drawn in each of R resamples.

        Returns:
            (R,), NaN where a resample cannot be measured.
        """


class Mean(Measure):
    """The mean of a value; rows where it is NaN have none.

    Args:
        values: (N,) a value per row.
        units: (N,) which unit each row belongs to, 0 to U - 1.
        count: U.
    """

    def __init__(self, values: Array, units: Units, count: int) -> None:
        there = np.isfinite(values)
        self._sums = np.bincount(units[there], weights=values[there], minlength=count)
        self._rows = np.bincount(units[there], minlength=count).astype(np.float64)

    def of(self, draws: Array) -> Array:
        """The mean, (R,)."""
        rows = draws @ self._rows
        return np.divide(draws @ self._sums, rows, out=np.full(len(draws), np.nan), where=rows > 0)


class Auc(Measure):
    """The area under the ROC curve: the share of pairs of a positive and a negative row in the right order.

    Equal scores count half.

    Args:
        scores: (N,) what rows are ordered by.
        labels: (N,) 0 or 1.
        units: (N,) which unit each row belongs to, 0 to U - 1.
    """

    def __init__(self, scores: Array, labels: Array, units: Units) -> None:
        order = np.argsort(scores, kind="stable")
        self._units = units[order]
        self._positive = labels[order] > 0
        ordered = scores[order]
        #: First and last row of the tie of each row.
        self._first = np.searchsorted(ordered, ordered, side="left")
        self._behind = np.searchsorted(ordered, ordered, side="right")

    def of(self, draws: Array) -> Array:
        """The area, (R,)."""
        step = max(1, _BLOCK // max(1, len(self._units)))
        return np.concatenate([self._block(draws[start : start + step]) for start in range(0, len(draws), step)])

    def _block(self, draws: Array) -> Array:
        weights = draws[:, self._units]
        negative = np.cumsum(np.where(self._positive, 0.0, weights), axis=1)
        negative = np.concatenate([np.zeros((len(draws), 1)), negative], axis=1)  # of the rows before each place
        below = (negative[:, self._first] + negative[:, self._behind]) / 2
        positives = np.where(self._positive, weights, 0.0)
        pairs = positives.sum(axis=1) * negative[:, -1]
        found = (positives * below).sum(axis=1)
        return np.divide(found, pairs, out=np.full(len(draws), np.nan), where=pairs > 0)


def measure_of(rows: MeasuredRows, metric: str, scorer: str, mask: npt.NDArray[np.bool_]) -> Measure | None:
    """A metric of a scorer in some of the rows of an evaluation.

    Args:
        rows: What was measured.
        metric: Name of the metric.
        scorer: Name of the scorer.
        mask: (N,) which rows.

    Returns:
        The measure over all units of the rows; None where there are no such rows, or it was not measured.
    """
    if not mask.any():
        return None
    values = rows.values.get((metric, scorer))
    if values is not None:
        return Mean(values[mask], rows.units[mask], rows.unit_count)
    if metric == "auc" and scorer in rows.scores and rows.labels is not None:
        return Auc(rows.scores[scorer][mask], rows.labels[mask], rows.units[mask])
    return None


def plain(measure: Measure, rows: MeasuredRows) -> float:
    """The metric of the rows as they are, every unit once; NaN where it cannot be measured."""
    return float(measure.of(np.ones((1, rows.unit_count)))[0])
