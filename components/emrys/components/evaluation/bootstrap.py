"""Confidence bounds by the bootstrap over users, sessions or rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]


class Bound(NamedTuple):
    """An estimate and its lower confidence bound."""

    estimate: float
    lower: float


def lower_bound(metric: Callable[[Array], Array], units: int, *, confidence: float, resamples: int, seed: int) -> Bound:
    """Lower confidence bound of a metric by the percentile bootstrap over units (Efron 1979).

    Where there are users, units are users and not rows: the rows of a user resemble each other, and treating them as
    independent would make the bound too tight. The difference of two metrics under the same draws gives the paired
    bootstrap.

    Args:
        metric: (R, U) draws per unit to (R,) values.
        units: Number of units, U.
        confidence: Confidence of the one-sided bound, such as 0.95.
        resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        The value with every unit counted once, and its lower bound; NaN if it is not defined.
    """
    estimate = float(metric(np.ones((1, units)))[0])
    if units < 2 or not np.isfinite(estimate):
        return Bound(estimate, float("nan"))

    def statistic(drawn: npt.NDArray[np.int64], axis: int = -1) -> Array:
        rows = np.atleast_2d(np.moveaxis(drawn, axis, -1))
        draws = np.stack([np.bincount(row, minlength=units) for row in rows]).astype(np.float64)
        return metric(draws).reshape(drawn.shape[:-1])

    result = stats.bootstrap(
        (np.arange(units),),
        statistic,
        vectorized=True,
        method="percentile",
        alternative="greater",
        confidence_level=confidence,
        n_resamples=resamples,
        batch=max(1, 2_000_000 // units),
        random_state=np.random.default_rng(seed),
    )
    # Resamples without a value (a slice with one class, for example) must not count in favour of the model.
    values = result.bootstrap_distribution
    lower = float("nan") if np.isnan(values).mean() > 0.01 else float(np.nanquantile(values, 1 - confidence))
    return Bound(estimate, lower)


def interval(
    metric: Callable[[Array], Array], units: int, *, resamples: int, seed: int, confidence: float = 0.9
) -> tuple[float | None, float | None]:
    """Two-sided interval of a metric by the percentile bootstrap over units, for plots.

    Args:
        metric: (R, U) draws per unit to (R,) values.
        units: Number of units, U.
        resamples: Number of resamples.
        seed: Seed of the draws.
        confidence: Confidence of the interval.

    Returns:
        The bounds; None where the metric is not defined in more than 1 % of the resamples.
    """
    random = np.random.default_rng(seed)
    step = max(1, 2_000_000 // units)
    values = np.concatenate(
        [
            metric(
                random.multinomial(units, np.full(units, 1 / units), min(step, resamples - start)).astype(np.float64)
            )
            for start in range(0, resamples, step)
        ]
    )
    if np.isnan(values).mean() > 0.01:
        return None, None
    low, high = np.nanquantile(values, ((1 - confidence) / 2, (1 + confidence) / 2))
    return float(low), float(high)
