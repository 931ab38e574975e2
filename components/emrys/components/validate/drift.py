"""How far the values of a column have moved from those of another time."""

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

#: A distance that chance alone exceeds more rarely than this is believed.
_CHANCE = 0.001


@dataclasses.dataclass(frozen=True)
class Drift:
    """How far one side of a column has moved.

    Args:
        column: The column.
        part: What was compared: `values`, `lengths` (of lists) or `nulls`.
        measure: `js_distance`, `l_infinity` or `null_drift`, as in the configuration.
        distance: From 0 to 1.
        limit: What it may be: the configured one, or what so few rows reach by chance, if that is more.
        value: The value that moved most, of values that are counted.
        before: Its share before; of nulls, their share.
        now: Its share now.
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
        """Whether it is more than may be."""
        return self.distance > self.limit


def column_drift(
    before: ColumnStatistics, now: ColumnStatistics, column: pa.ChunkedArray, limits: ColumnLimits
) -> list[Drift]:
    """Compares a column with what it was before.

    Numbers and lengths are counted on the bins of the earlier histogram and compared by the Jensen-Shannon distance;
    identifiers, labels, texts and the elements of lists by the greatest difference of a value's share (L-infinity).
    Times always move, and are not compared.

    Args:
        before: The column as it was.
        now: The column as it is.
        column: Its values now.
        limits: What holds of it.

    Returns:
        A drift for each side that both have.
    """
    found = []
    if now.kind is ColumnKind.NUMBER and before.numbers and now.numbers:
        found.append(_numbers(now.name, "values", before.numbers, counts_on(before.numbers.edges, numbers_of(column)),
                              limits))  # fmt: skip
    if before.values and now.values and before.values.count and now.values.count:
        rows = (before.rows - before.nulls, now.rows - now.nulls)
        found.append(_values(now.name, before.values, now.values, rows, limits))
    if before.lengths and now.lengths:
        found.append(_numbers(now.name, "lengths", before.lengths, counts_on(before.lengths.edges, lengths_of(column)),
                              limits))  # fmt: skip
    if before.rows and now.rows:
        shares = before.null_share, now.null_share
        limit = max(limits.null_drift or 0.0, _chance_of_share(sum(shares) / 2, (before.rows, now.rows), 1))
        found.append(Drift(now.name, "nulls", "null_drift", abs(shares[1] - shares[0]), limit, None, *shares))
    return found


def _numbers(name: str, part: str, before: Numbers, now: npt.NDArray[np.int64], limits: ColumnLimits) -> Drift:
    was = np.array([0, *before.counts, 0])
    found = float(distance.jensenshannon(was, now, base=2))
    # A G-test: without drift, 8 ln 2 / (1/n + 1/m) times the divergence in bits follows chi-squared.
    filled = int(((was + now) > 0).sum())
    divergence = stats.chi2.isf(_CHANCE, max(1, filled - 1)) * (1 / was.sum() + 1 / now.sum()) / (8 * math.log(2))
    chance = min(1.0, math.sqrt(divergence))
    # Rounding leaves NaN where the divergence is a hair below 0.
    return Drift(name, part, "js_distance", 0.0 if math.isnan(found) else found, max(limits.js_distance or 0.0, chance))


def _values(name: str, before: Values, now: Values, rows: tuple[int, int], limits: ColumnLimits) -> Drift:
    was, now_is = dict(before.top), dict(now.top)
    best: tuple[float, int | str | None, float, float] = (0.0, None, 0.0, 0.0)
    for value in [*now_is, *was]:
        one, other = _share(was, before, value), _share(now_is, now, value)
        # Of a value that is not among those that are kept, only a greatest share is known: the least difference counts.
        apart = max(0.0, one[0] - other[1], other[0] - one[1])
        # Where one share falls as far as another rises, the one that rises is told.
        if (round(apart, 9), other[0] - one[0]) > (round(best[0], 9), best[3] - best[2]):
            best = (apart, value, one[0], other[0])
    apart, moved, one_share, other_share = best
    chance = _chance_of_share((one_share + other_share) / 2, rows, len({*was, *now_is}))
    limit = max(limits.l_infinity or 0.0, chance)
    return Drift(name, "values", "l_infinity", apart, limit, None if moved is None else str(moved), one_share,
                 other_share)  # fmt: skip


def _share(kept: dict[int | str, int], values: Values, value: int | str) -> tuple[float, float]:
    """Least and greatest share of a value."""
    if value in kept:
        return kept[value] / values.count, kept[value] / values.count
    return 0.0, 0.0 if len(kept) == values.distinct else values.top[-1][1] / values.count


def _chance_of_share(share: float, rows: tuple[int, int], values: int) -> float:
    """What the difference of a share comes to by chance, where the greatest of that many is looked at."""
    spread = math.sqrt(share * (1 - share) * (1 / rows[0] + 1 / rows[1])) if min(share, 1 - share) > 0 else 0.0
    return min(1.0, float(stats.norm.isf(_CHANCE / 2 / max(1, values))) * spread)
