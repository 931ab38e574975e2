"""The checks of the gate, one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emrys.components.contracts.measured_rows import MODEL, PRODUCTION, MeasuredRows
from emrys.components.evaluation.bootstrap import Bound, lower_bound
from emrys.components.evaluation.weighted_metrics import measure_of, plain
from emrys.components.gate.config import LOWER_IS_BETTER, GateConfig

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        metric: By what.
        against: What the model is compared with: `threshold`, a baseline, `production`.
        slice: `<name>=<level>`, or `all`.
        estimate: The metric itself for a threshold, else the lift; higher is better, so a loss counts negatively.
        lower: Its lower bound.
        needed: What the bound has to reach, for a lift: to exceed.
        passed: Whether it does.
        reason: Why not, in one line; empty where it does.
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
    """Looks at everything that the configuration asks for; an empty configuration does not pass.

    Args:
        rows: What was measured.
        config: What the model has to reach.
    """
    if not config.thresholds:
        text = "no threshold is set, and a model that has none to reach does not pass"
        return [Check(config.metric, "threshold", "all", None, None, None, False, text)]
    judge = _Judge(rows, config)
    baselines = [scorer for scorer in rows.scorers if scorer not in (MODEL, PRODUCTION)]
    found = [judge.threshold(metric, value) for metric, value in sorted(config.thresholds.items())]
    for metric in dict.fromkeys([config.metric, *config.baseline_metrics]):
        measured = [name for name in baselines if judge.has(name, metric)]
        found += [judge.lift(metric, name, config.baseline_margin) for name in measured]
        if not measured:
            text = f"no baseline was measured by {metric}"
            found.append(Check(metric, "baseline", "all", None, None, None, False, text))
    reference = _reference(judge, baselines)
    if PRODUCTION in rows.scorers:
        found.append(judge.lift(config.metric, PRODUCTION, config.production_margin))
    if reference is not None:
        found += judge.slices(reference)
    return found


class _Judge:
    def __init__(self, rows: MeasuredRows, config: GateConfig) -> None:
        self._rows = rows
        self._config = config
        self._everything = np.ones(len(rows.units), bool)

    def has(self, scorer: str, metric: str | None = None) -> bool:
        """Whether a scorer was measured by a metric, by default that of comparisons."""
        return measure_of(self._rows, metric or self._config.metric, scorer, self._everything) is not None

    def threshold(self, metric: str, needed: float) -> Check:
        """The model's metric against a number."""
        bound = self._bound(metric, None, self._everything)
        if bound is None:
            text = f"{metric} was not measured; known are {', '.join(self._rows.metrics)}"
            return Check(metric, "threshold", "all", None, None, needed, False, text)
        sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
        passed = bound.lower >= sign * needed
        side, word = ("at most", "upper") if sign < 0 else ("at least", "lower")
        value, limit = sign * bound.estimate, sign * bound.lower
        text = "" if passed else f"{metric} is {value:.4f}; its {word} bound {limit:.4f} has to be {side} {needed:g}"
        return Check(metric, "threshold", "all", _finite(value), _finite(limit), needed, passed, text)

    def lift(self, metric: str, against: str, needed: float, where: str = "all", mask: Mask | None = None) -> Check:
        """The model's lift over another scorer."""
        bound = self._bound(metric, against, self._everything if mask is None else mask)
        of = "" if where == "all" else f" where {where}"
        if bound is None:
            text = f"{metric} of {against} was not measured{of}"
            return Check(metric, against, where, None, None, needed, False, text)
        passed = bound.lower > needed
        text = f"{metric}: the lift over {against}{of} is {bound.estimate:+.4f}, its lower bound {bound.lower:+.4f}"
        reason = "" if passed else f"{text}, which has to exceed {needed:+g}"
        return Check(metric, against, where, _finite(bound.estimate), _finite(bound.lower), needed, passed, reason)

    def slices(self, against: str) -> Iterator[Check]:
        """The lift in every slice that is large enough, and in which the metric can be measured."""
        for name, texts in sorted(self._rows.slices.items()):
            for level in sorted({text for text in texts if text is not None}):
                mask = texts == level
                if len(np.unique(self._rows.units[mask])) < self._config.min_slice_size:
                    continue
                if math.isfinite(self.value(MODEL, mask)):
                    yield self.lift(self._config.metric, against, self._config.slice_margin, f"{name}={level}", mask)

    def value(self, scorer: str, mask: Mask | None = None) -> float:
        """A scorer's metric of comparisons, higher is better; NaN where it cannot be measured."""
        measure = measure_of(self._rows, self._config.metric, scorer, self._everything if mask is None else mask)
        sign = -1.0 if self._config.metric in LOWER_IS_BETTER else 1.0
        return float("nan") if measure is None else sign * plain(measure, self._rows)

    def _bound(self, metric: str, against: str | None, mask: Mask) -> Bound | None:
        own = measure_of(self._rows, metric, MODEL, mask)
        other = None if against is None else measure_of(self._rows, metric, against, mask)
        if own is None or (against is not None and other is None):
            return None
        sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
        return lower_bound(
            lambda draws: sign * (own.of(draws) - (0.0 if other is None else other.of(draws))),
            self._rows.unit_count,
            confidence=self._config.confidence,
            resamples=self._config.resamples,
            seed=self._config.seed,
        )


def _reference(judge: _Judge, baselines: list[str]) -> str | None:
    """What slices are compared with: production, else the best baseline."""
    if judge.has(PRODUCTION):
        return PRODUCTION
    return max(filter(judge.has, baselines), key=judge.value, default=None)


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
