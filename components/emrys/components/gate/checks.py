"""Checks of the gate: thresholds, lifts over baselines and production, and slices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emrys.components.contracts.measured_rows import MODEL, PRODUCTION, MeasuredRows, lower_is_better
from emrys.components.evaluation.bootstrap import Bound, lower_bound
from emrys.components.evaluation.weighted_metrics import metric_of
from emrys.components.gate.config import GateConfig

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Attributes:
        metric: Name of the metric.
        against: Reference: `threshold`, a baseline, or `production`.
        slice: `<name>=<level>`, or `all`.
        estimate: The metric for a threshold, otherwise the lift. A higher lift is better for every metric.
        lower: Confidence bound of the estimate.
        needed: Minimum of the bound; a lift must exceed it.
        passed: Whether the check passed.
        reason: One line about the failure; empty if the check passed.
    """

    metric: str
    against: str
    slice: str
    estimate: float | None
    lower: float | None
    needed: float | None
    passed: bool
    reason: str


def all_checks(rows: MeasuredRows, config: GateConfig) -> list[Check]:
    """Runs all checks. Without any condition the model does not pass.

    Args:
        rows: Metric values per row.
        config: Thresholds and margins.
    """
    if not config.promote:
        text = "the recipe says `gate: none`, with which no model is promoted; leave it out for the default gate"
        return [Check(config.metric, "threshold", "all", None, None, None, False, text)]
    if not config.thresholds and not config.comparisons:
        text = "no threshold is set; a model needs at least one to pass"
        if config.comparisons is not None:
            text = (
                "the gate has no threshold and no baseline; name one in `gate` of the recipe, or in its `better_than`"
            )
        return [Check(config.metric, "threshold", "all", None, None, None, False, text)]
    comparison = _Comparison(rows, config)
    checks = [comparison.threshold(metric, value) for metric, value in sorted(config.thresholds.items())]
    baselines = [scorer for scorer in rows.scorers if scorer not in (MODEL, PRODUCTION)]
    if config.comparisons is None:
        checks += comparison.all_baselines(baselines)
    else:
        checks += [comparison.lift(metric, name, config.baseline_margin) for metric, name in config.comparisons]
        baselines = [name for name in baselines if name in {pair[1] for pair in config.comparisons}]
    for metric in (config.metric, *config.further_metrics):
        if PRODUCTION in rows.scorers and (metric == config.metric or comparison.has(PRODUCTION, metric)):
            checks.append(comparison.lift(metric, PRODUCTION, config.production_margin))
        reference = _slice_reference(comparison, baselines, metric)
        if reference is not None and config.slice_margin is not None:
            checks += comparison.slices(reference, metric, config.slice_margin)
    return checks


class _Comparison:
    """Compares the model with thresholds and other scorers on the same rows."""

    def __init__(self, rows: MeasuredRows, config: GateConfig) -> None:
        self._rows = rows
        self._config = config
        self._all_rows = np.ones(len(rows.units), bool)

    def has(self, scorer: str, metric: str) -> bool:
        """Whether a scorer has a metric."""
        return metric_of(self._rows, metric, scorer, self._all_rows) is not None

    def all_baselines(self, baselines: list[str]) -> Iterator[Check]:
        """Checks the lift over every baseline that has one of the metrics for comparisons."""
        for metric in dict.fromkeys([self._config.metric, *self._config.baseline_metrics]):
            measured = [name for name in baselines if self.has(name, metric)]
            for name in measured:
                yield self.lift(metric, name, self._config.baseline_margin)
            if not measured:
                text = f"no baseline has the metric {metric}"
                yield Check(metric, "baseline", "all", None, None, None, False, text)

    def threshold(self, metric: str, needed: float) -> Check:
        """Checks a metric of the model against a threshold."""
        bound = self._bound(metric, None, self._all_rows)
        if bound is None:
            text = f"{metric} was not measured; available are {', '.join(self._rows.metrics)}"
            return Check(metric, "threshold", "all", None, None, needed, False, text)
        if not math.isfinite(bound.lower):
            return Check(
                metric, "threshold", "all", _finite(bound.estimate), None, needed, False, self._undefined(metric)
            )
        sign = -1.0 if lower_is_better(metric) else 1.0
        passed = bound.lower >= sign * needed
        side, word = ("at most", "upper") if sign < 0 else ("at least", "lower")
        value, limit = sign * bound.estimate, sign * bound.lower
        text = "" if passed else f"{metric} is {value:.4f}; its {word} bound {limit:.4f} must be {side} {needed:g}"
        return Check(metric, "threshold", "all", _finite(value), _finite(limit), needed, passed, text)

    def lift(self, metric: str, against: str, needed: float, where: str = "all", mask: Mask | None = None) -> Check:
        """Checks the lift of the model over another scorer."""
        bound = self._bound(metric, against, self._all_rows if mask is None else mask)
        of = "" if where == "all" else f" where {where}"
        if bound is None:
            text = f"{metric} of {against} was not measured{of}"
            return Check(metric, against, where, None, None, needed, False, text)
        if not math.isfinite(bound.lower):
            text = self._undefined(metric, against, of)
            return Check(metric, against, where, _finite(bound.estimate), None, needed, False, text)
        passed = bound.lower > needed
        text = f"{metric}: the lift over {against}{of} is {bound.estimate:+.4f}, its lower bound {bound.lower:+.4f}"
        reason = "" if passed else f"{text}, which must exceed {needed:+g}"
        return Check(metric, against, where, _finite(bound.estimate), _finite(bound.lower), needed, passed, reason)

    def slices(self, against: str, metric: str, margin: float) -> Iterator[Check]:
        """Checks the lift in every slice that is large enough and in which the metric is defined."""
        labels = self._rows.labels_of(metric.rpartition("/")[0])
        inside = self._all_rows if labels is None else np.isfinite(labels)
        for name, texts in sorted(self._rows.slices.items()):
            for level in sorted({text for text in texts if text is not None}):
                mask = (texts == level) & inside
                if len(np.unique(self._rows.units[mask])) < self._config.min_slice_size:
                    continue
                if math.isfinite(self.value(MODEL, metric, mask)):
                    yield self.lift(metric, against, margin, f"{name}={level}", mask)

    def value(self, scorer: str, metric: str, mask: Mask | None = None) -> float:
        """Metric of a scorer, higher is better; NaN if it is not defined."""
        measured = metric_of(self._rows, metric, scorer, self._all_rows if mask is None else mask)
        sign = -1.0 if lower_is_better(metric) else 1.0
        return float("nan") if measured is None else sign * measured.value(self._rows.unit_count)

    def _bound(self, metric: str, against: str | None, mask: Mask) -> Bound | None:
        own = metric_of(self._rows, metric, MODEL, mask)
        other = None if against is None else metric_of(self._rows, metric, against, mask)
        if own is None or (against is not None and other is None):
            return None
        sign = -1.0 if lower_is_better(metric) else 1.0
        return lower_bound(
            lambda draws: sign * (own.resampled(draws) - (0.0 if other is None else other.resampled(draws))),
            self._rows.unit_count,
            confidence=self._config.confidence,
            resamples=self._config.resamples,
            seed=self._config.seed,
        )

    def _undefined(self, metric: str, against: str | None = None, of: str = "") -> str:
        """Reason why a metric has no bound, and what to change."""
        what = metric if against is None else f"{metric}: the lift over {against}{of}"
        units = self._rows.unit_count
        if units < 2:
            return (
                f"{what} has no bound, since the test rows have {units} user, session or row to draw from; use more "
                "data, or change `split` or `evaluate.bootstrap_by` in the recipe"
            )
        return (
            f"{what} has no bound, since it is not defined on the test rows or on resamples of them; it may need both "
            "classes, or users with a positive row: use more data, or change `split` or `columns.targets` in the recipe"
        )


def _slice_reference(comparison: _Comparison, baselines: list[str], metric: str) -> str | None:
    """Scorer to compare with in slices: production, otherwise the best baseline."""
    if comparison.has(PRODUCTION, metric):
        return PRODUCTION
    having = [name for name in baselines if comparison.has(name, metric)]
    return max(having, key=lambda name: comparison.value(name, metric), default=None)


def _finite(value: float) -> float | None:
    """Replaces NaN, which JSON does not have, by None."""
    return value if math.isfinite(value) else None
