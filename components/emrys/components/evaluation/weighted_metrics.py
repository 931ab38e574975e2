"""Metrics of measured rows, computed for many bootstrap resamples at once, and scores without drawn negatives."""

from __future__ import annotations

import abc
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from emrys.components.contracts.measured_rows import NEW, MeasuredRows

Array = npt.NDArray[np.float64]
Units = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

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
    """Mean of a value, `Σ weight · value / Σ weight`; rows with NaN are ignored.

    Args:
        values: (N,) value of each row.
        units: (N,) unit of each row, 0 to U - 1.
        count: Number of units, U.
        weights: (N,) weight of each row; None if all are equal.
    """

    def __init__(self, values: Array, units: Units, count: int, weights: Array | None = None) -> None:
        present = np.isfinite(values)
        units = units[present]
        each = np.ones(len(units)) if weights is None else weights[present]
        self._sums = np.bincount(units, weights=each * values[present], minlength=count)
        self._rows = np.bincount(units, weights=each, minlength=count)

    def resampled(self, draws: Array) -> Array:
        """(R,) means."""
        rows = draws @ self._rows
        return np.divide(draws @ self._sums, rows, out=np.full(len(draws), np.nan), where=rows > 0)


class RootMean(WeightedMean):
    """Square root of a mean, such as the RMSE of squared errors; see `WeightedMean`."""

    def resampled(self, draws: Array) -> Array:
        """(R,) roots."""
        return np.sqrt(super().resampled(draws))


class NormalizedEntropy(WeightedMetric):
    """Log loss relative to that of the mean label p, `log_loss / -(p · ln p + (1 - p) · ln(1 - p))`.

    1 is as good as the mean label, and lower is better.

    Args:
        losses: (N,) log loss of each row.
        labels: (N,) 0 or 1.
        units: (N,) unit of each row, 0 to U - 1.
        count: Number of units, U.
        weights: (N,) weight of each row; None if all are equal.
    """

    def __init__(self, losses: Array, labels: Array, units: Units, count: int, weights: Array | None = None) -> None:
        self._loss = WeightedMean(losses, units, count, weights)
        self._label = WeightedMean(labels, units, count, weights)

    def resampled(self, draws: Array) -> Array:
        """(R,) values, NaN for a resample with one class."""
        loss, share = self._loss.resampled(draws), self._label.resampled(draws)
        both = (share > 0) & (share < 1)
        p = np.where(both, share, 0.5)
        return np.where(both, loss / -(p * np.log(p) + (1 - p) * np.log1p(-p)), np.nan)


class CalibrationError(WeightedMetric):
    """Expected calibration error, with the bins of all rows.

    Args:
        scores: (N,) probabilities.
        labels: (N,) 0 or 1.
        units: (N,) unit of each row, 0 to U - 1.
        count: Number of units, U.
        bins: Number of bins.
        weights: (N,) weight of each row; None if all are equal.
    """

    def __init__(
        self, scores: Array, labels: Array, units: Units, count: int, bins: int = 15, weights: Array | None = None
    ) -> None:
        each = np.ones(len(scores)) if weights is None else weights
        index, number = calibration_bins(scores, bins)
        self._weight = np.bincount(units, weights=each, minlength=count)
        self._gaps = [
            np.bincount(units[inside], weights=(each * (labels - scores))[inside], minlength=count)
            for inside in (index == bin_ for bin_ in range(number))
        ]

    def resampled(self, draws: Array) -> Array:
        """(R,) errors."""
        weight = draws @ self._weight
        gaps = np.sum([np.abs(draws @ gap) for gap in self._gaps], axis=0)
        return np.divide(gaps, weight, out=np.full(len(draws), np.nan), where=weight > 0)


class WeightedAuc(WeightedMetric):
    """Area under the ROC curve: share of the pairs of a positive and a negative row in the right order.

    Ties count half, and a pair as often as the product of its weights.

    Args:
        scores: (N,) scores.
        labels: (N,) 0 or 1.
        units: (N,) unit of each row, 0 to U - 1.
        weights: (N,) weight of each row; None if all are equal.
    """

    def __init__(self, scores: Array, labels: Array, units: Units, weights: Array | None = None) -> None:
        order = np.argsort(scores, kind="stable")
        self._units = units[order]
        self._weights = None if weights is None else weights[order]
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
        if self._weights is not None:
            weights = weights * self._weights
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

    Means over users or queries, `<name>_at_<k>`, do not use the weights of rows. A name with the end `_new_users` or
    `_new_items` is the metric on the rows of users or items that are not in train.

    Args:
        rows: Metric values per row.
        metric: Name of the metric, with its target if there are several.
        scorer: Name of the scorer.
        mask: (N,) rows to use.

    Returns:
        The metric, or None if there are no such rows or the metric was not measured.
    """
    values = rows.values.get((metric, scorer))
    weights = None if rows.weights is None or "_at_" in metric else rows.weights
    if values is not None:
        return _over(mask, lambda at: WeightedMean(values[at], rows.units[at], rows.unit_count, _part(weights, at)))
    target, slash, name = metric.rpartition("/")
    for end, column in NEW.items():
        if name.endswith(end) and column in rows.slices:
            return metric_of(rows, metric.removesuffix(end), scorer, mask & (rows.slices[column] == "new"))
    if name == "rmse":
        errors = rows.values.get((f"{target}{slash}mse", scorer))
        if errors is None:
            return None
        return _over(mask, lambda at: RootMean(errors[at], rows.units[at], rows.unit_count, _part(weights, at)))
    scores, labels = rows.scores.get(f"{target}{slash}{scorer}"), rows.labels_of(target)
    if scores is None or labels is None:
        return None
    inside = mask & np.isfinite(labels)
    if name == "auc":
        return _over(inside, lambda at: WeightedAuc(scores[at], labels[at], rows.units[at], _part(weights, at)))
    losses = rows.values.get((f"{target}{slash}log_loss", scorer))
    if losses is None:  # the scores are not probabilities
        return None
    makers: dict[str, Callable[[Mask], WeightedMetric]] = {
        "brier": lambda at: WeightedMean(
            (scores[at] - labels[at]) ** 2, rows.units[at], rows.unit_count, _part(weights, at)
        ),
        "normalized_entropy": lambda at: NormalizedEntropy(
            losses[at], labels[at], rows.units[at], rows.unit_count, _part(weights, at)
        ),
        "calibration_error": lambda at: CalibrationError(
            scores[at], labels[at], rows.units[at], rows.unit_count, weights=_part(weights, at)
        ),
    }
    return _over(inside, makers[name]) if name in makers else None


def _over(mask: Mask, make: Callable[[Mask], WeightedMetric]) -> WeightedMetric | None:
    return make(mask) if mask.any() else None


def _part(weights: Array | None, mask: Mask) -> Array | None:
    return None if weights is None else weights[mask]


def calibration_bins(scores: Array, bins: int) -> tuple[npt.NDArray[np.int64], int]:
    """Bins of about equally many rows, by the quantiles of the scores.

    Args:
        scores: (N,) scores; equal ones share a bin.
        bins: Number of bins.

    Returns:
        (N,) bin of each row, and the number of bins.
    """
    inner = np.unique(np.quantile(scores, np.arange(1, bins) / bins))
    return np.searchsorted(inner, scores, side="left").astype(np.int64), len(inner) + 1


def calibrate_back(scores: Array, negatives: int) -> Array:
    """Probabilities without the effect of negatives that were drawn for each positive row.

    Where every positive row has n drawn negatives, a model learns odds that are n times too low. Multiplying them by n,

        p' = n · p / (n · p + 1 - p),

    gives the probability of a positive among as many positives as negatives: 0.5 for an item that is as likely as a
    random one. The order of the scores does not change. In metrics, each negative then counts 1 / n.

    Args:
        scores: (N,) probabilities of a model that was trained with the drawn negatives.
        negatives: Negatives per positive row, n; 0 for none.
    """
    if negatives == 0:
        return scores
    return negatives * scores / (negatives * scores + 1.0 - scores)
