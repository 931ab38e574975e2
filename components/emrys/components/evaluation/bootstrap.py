"""How low a number may really be, given that other users could have come."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]


class Bound(NamedTuple):
    """A number, and the value that it exceeds with the confidence asked for."""

    estimate: float
    lower: float


def lower_bound(
    measure: Callable[[Array], Array], units: int, *, confidence: float, resamples: int, seed: int
) -> Bound:
    """Bounds a measure from below by the percentile bootstrap over units (Efron 1979).

    Users are drawn, not rows: the rows of a user resemble each other, and taking them for independent would make the
    bound too tight. A difference of two measures under the same draws gives the paired bootstrap.

    Args:
        measure: (R, U) draws per unit to (R,) values.
        units: U, how many units there are.
        confidence: Such as 0.95; the bound is one-sided.
        resamples: Number of resamples.
        seed: Of the draws.

    Returns:
        The value for the units as they are, and its lower bound; NaN where it cannot be measured.
    """
    estimate = float(measure(np.ones((1, units)))[0])
    if units < 2 or not np.isfinite(estimate):
        return Bound(estimate, float("nan"))

    def statistic(drawn: npt.NDArray[np.int64], axis: int = -1) -> Array:
        rows = np.atleast_2d(np.moveaxis(drawn, axis, -1))
        return measure(np.stack([np.bincount(row, minlength=units) for row in rows]).astype(np.float64)).reshape(
            drawn.shape[:-1]
        )

    found = stats.bootstrap(
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
    # A resample that cannot be measured (a slice with one class, say) says nothing in favour of the model.
    values = found.bootstrap_distribution
    lower = float("nan") if np.isnan(values).mean() > 0.01 else float(np.nanquantile(values, 1 - confidence))
    return Bound(estimate, lower)
