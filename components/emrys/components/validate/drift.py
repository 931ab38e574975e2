"""Distances between the distributions of a column at two times."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import stats
from scipy.spatial import distance

from emrys.components.contracts.column_statistics import ColumnKind, ColumnStatistics, Numbers, Values
from emrys.components.validate.column_limits import ColumnLimits
from emrys.components.validate.counting import counts_on, lengths_of, numbers_of

#: Significance level: limits are raised to distances that chance exceeds with this probability.
_CHANCE = 0.001


@dataclasses.dataclass(frozen=True)
class Drift:
    """Distance of one part of a column.

    Args:
        column: The column.
        part: Compared part: `values`, `lengths` (of lists) or `nulls`.
        measure: `js_distance`, `l_infinity` or `null_drift`, as in the configuration.
        distance: Distance from 0 to 1.
        limit: The configured limit, or the distance that is expected by chance for few rows if that is larger.
        value: The value whose share changed most, for counted values.
        before: Its earlier share, or the earlier share of nulls.
        now: Its share now, or the share of nulls now.
    """

    column: str
    part: str
    measure: str
    distance: float
    limit: float
    value: str | None = None
    before: float | None = None
    now: float | None = None

    @property
    def exceeded(self) -> bool:
        """Whether the distance exceeds its limit."""
        return self.distance > self.limit


def column_drift(
    before: ColumnStatistics, now: ColumnStatistics, column: pa.ChunkedArray, limits: ColumnLimits
) -> list[Drift]:
    """Compares a column with an earlier state.

    Numbers and lengths are counted in the bins of the earlier histogram and compared by the Jensen-Shannon distance;
    identifiers, labels, texts and elements of lists by the largest change in the share of a value (L-infinity). Times
    are not compared.

    Args:
        before: Earlier statistics.
        now: Current statistics.
        column: Current values.
        limits: Limits of the column.

    Returns:
        A drift for each part that both have.
    """
    drifts = []
    if now.kind is ColumnKind.NUMBER and before.numbers and now.numbers:
        drifts.append(_numbers(now.name, "values", before.numbers, counts_on(before.numbers.edges, numbers_of(column)),
                              limits))  # fmt: skip
    if before.values and now.values and before.values.count and now.values.count:
        rows = (before.rows - before.nulls, now.rows - now.nulls)
        drifts.append(_values(now.name, before.values, now.values, rows, limits))
    if before.lengths and now.lengths:
        drifts.append(_numbers(now.name, "lengths", before.lengths, counts_on(before.lengths.edges, lengths_of(column)),
                              limits))  # fmt: skip
    if before.rows and now.rows:
        shares = before.null_share, now.null_share
        limit = max(limits.null_drift or 0.0, _chance_of_share(sum(shares) / 2, (before.rows, now.rows), 1))
        drifts.append(Drift(now.name, "nulls", "null_drift", abs(shares[1] - shares[0]), limit, None, *shares))
    return drifts


def _numbers(name: str, part: str, before: Numbers, now: npt.NDArray[np.int64], limits: ColumnLimits) -> Drift:
    was = np.array([0, *before.counts, 0])
    js_distance = float(distance.jensenshannon(was, now, base=2))
    # A G-test: without drift, 8 ln 2 / (1/n + 1/m) times the divergence in bits follows chi-squared.
    filled = int(((was + now) > 0).sum())
    divergence = stats.chi2.isf(_CHANCE, max(1, filled - 1)) * (1 / was.sum() + 1 / now.sum()) / (8 * math.log(2))
    chance = min(1.0, math.sqrt(divergence))
    # Rounding leaves NaN where the divergence is a hair below 0.
    return Drift(
        name,
        part,
        "js_distance",
        0.0 if math.isnan(js_distance) else js_distance,
        max(limits.js_distance or 0.0, chance),
    )


def _values(name: str, before: Values, now: Values, rows: tuple[int, int], limits: ColumnLimits) -> Drift:
    was, now_is = dict(before.top), dict(now.top)
    best: tuple[float, int | str | None, float, float] = (0.0, None, 0.0, 0.0)
    for value in [*now_is, *was]:
        one, other = _share(was, before, value), _share(now_is, now, value)
        # The share of a value that is not among the top values has only an upper bound: the minimum change counts.
        apart = max(0.0, one[0] - other[1], other[0] - one[1])
        # If one share falls as much as another rises, the rising one is reported.
        if (round(apart, 9), other[0] - one[0]) > (round(best[0], 9), best[3] - best[2]):
            best = (apart, value, one[0], other[0])
    apart, moved, one_share, other_share = best
    chance = _chance_of_share((one_share + other_share) / 2, rows, len({*was, *now_is}))
    limit = max(limits.l_infinity or 0.0, chance)
    return Drift(name, "values", "l_infinity", apart, limit, None if moved is None else str(moved), one_share,
                 other_share)  # fmt: skip


def _share(kept: dict[int | str, int], values: Values, value: int | str) -> tuple[float, float]:
    """Minimum and maximum share of a value."""
    if value in kept:
        return kept[value] / values.count, kept[value] / values.count
    return 0.0, 0.0 if len(kept) == values.distinct else values.top[-1][1] / values.count


def _chance_of_share(share: float, rows: tuple[int, int], values: int) -> float:
    """Change of a share that is expected by chance, as the largest of many values."""
    spread = math.sqrt(share * (1 - share) * (1 / rows[0] + 1 / rows[1])) if min(share, 1 - share) > 0 else 0.0
    return min(1.0, float(stats.norm.isf(_CHANCE / 2 / max(1, values))) * spread)
