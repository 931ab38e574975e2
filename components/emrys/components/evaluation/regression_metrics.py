"""Residuals of numbers, in a form that is stored and drawn."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from emrys.components.evaluation.weighted_metrics import calibration_bins

Array = npt.NDArray[np.float64]

#: Bars of the histogram of residuals.
_BARS = 30


@dataclasses.dataclass(frozen=True)
class Residuals:
    """Actual values by bins of the predicted ones, and the distribution of the residuals, predicted minus actual.

    Args:
        predicted: Mean predicted value of each bin, ascending.
        actual: Mean actual value of each bin.
        low: 10 % quantile of the actual values of each bin.
        high: 90 % quantile of the actual values of each bin.
        rows: Number of rows of each bin.
        edges: Edges of the bars of the histogram of the residuals; the outer bars hold what lies beyond them.
        counts: Number of rows in each bar.
    """

    predicted: tuple[float, ...]
    actual: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    rows: tuple[int, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, predicted: Array, actual: Array, bins: int, weights: Array | None = None) -> Residuals:
        """Bins the rows by the quantiles of the predicted values; equal ones share a bin.

        Args:
            predicted: (N,) predicted values.
            actual: (N,) actual values.
            bins: Number of bins.
            weights: (N,) weight of each row in the means; None if all are equal.
        """
        index, number = calibration_bins(predicted, bins)
        each = np.ones(len(predicted)) if weights is None else weights
        total = np.bincount(index, weights=each, minlength=number)
        filled = np.flatnonzero(total > 0)
        means = [np.bincount(index, weights=each * values, minlength=number)[filled] / total[filled]
                 for values in (predicted, actual)]  # fmt: skip
        spread = np.array([np.quantile(actual[index == bin_], (0.1, 0.9)) for bin_ in filled]).reshape(-1, 2)
        residuals = predicted - actual
        low, high = np.quantile(residuals, (0.005, 0.995))
        edges = np.linspace(low, high if high > low else low + 1.0, _BARS + 1)
        counts, _ = np.histogram(np.clip(residuals, edges[0], edges[-1]), bins=edges)
        return cls(
            predicted=tuple(means[0].tolist()),
            actual=tuple(means[1].tolist()),
            low=tuple(spread[:, 0].tolist()),
            high=tuple(spread[:, 1].tolist()),
            rows=tuple(np.bincount(index, minlength=number)[filled].tolist()),
            edges=tuple(edges.tolist()),
            counts=tuple(counts.tolist()),
        )
