"""From the values of a column to its statistics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.contracts.column_statistics import ColumnKind, ColumnStatistics, Numbers, Values
from emrys.components.contracts.splits import TARGET

Array = npt.NDArray[np.float64]

#: Percentiles that are kept.
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)

_KINDS = {
    "userId": ColumnKind.IDENTIFIER,
    "movieId": ColumnKind.IDENTIFIER,
    "timestamp": ColumnKind.TIME,
    TARGET: ColumnKind.LABEL,
}


def kind_of(name: str, dtype: pa.DataType) -> ColumnKind:
    """How the values of a raw column are meant."""
    if name in _KINDS:
        return _KINDS[name]
    if pa.types.is_list(dtype):
        return ColumnKind.LIST
    return ColumnKind.TEXT if pa.types.is_string(dtype) else ColumnKind.NUMBER


def count_column(name: str, column: pa.ChunkedArray, *, bins: int, top: int) -> ColumnStatistics:
    """Counts the values of a column.

    Args:
        name: Its name.
        column: Its values; NaN counts as null.
        bins: Most bins of a histogram.
        top: How many of the most frequent values are kept.
    """
    kind = kind_of(name, column.type)
    rows, nulls = len(column), int(column.null_count)
    if kind in (ColumnKind.NUMBER, ColumnKind.TIME):
        there = column.drop_null()
        nan = int(pc.sum(pc.is_nan(there)).as_py() or 0)
        finite = numbers_of(column)
        return ColumnStatistics(
            name=name,
            type=str(column.type),
            kind=kind,
            rows=rows,
            nulls=nulls + nan,
            infinite=len(there) - nan - len(finite),
            distinct=len(np.unique(finite)),
            numbers=_numbers(finite, bins),
        )
    values = _values(elements_of(column), top)
    lengths = _numbers(lengths_of(column), bins) if kind is ColumnKind.LIST else None
    return ColumnStatistics(name, str(column.type), kind, rows, nulls, 0, values.distinct, None, values, lengths)


def numbers_of(column: pa.ChunkedArray) -> Array:
    """The finite values of a column of numbers, without nulls."""
    numbers = column.drop_null().to_numpy().astype(np.float64)
    return numbers[np.isfinite(numbers)]


def elements_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of a column without nulls; of lists, all their elements."""
    return (pc.list_flatten(column) if pa.types.is_list(column.type) else column).drop_null()


def lengths_of(column: pa.ChunkedArray) -> Array:
    """The lengths of the lists of a column; a null has none."""
    return pc.list_value_length(column).drop_null().to_numpy().astype(np.float64)


def counts_on(edges: tuple[float, ...], values: Array) -> npt.NDArray[np.int64]:
    """How many values lie below the bins, in each, and above them: (bins + 2,)."""
    ends = np.array(edges)
    ends[-1] = np.nextafter(ends[-1], np.inf)  # the last bin holds its upper end
    return np.bincount(np.searchsorted(ends, values, side="right"), minlength=len(ends) + 1)


def _numbers(values: Array, bins: int) -> Numbers | None:
    if not len(values):
        return None
    edges = _edges(values, bins)
    return Numbers(
        count=len(values),
        min=float(values.min()),
        max=float(values.max()),
        mean=float(values.mean()),
        std=float(values.std()),
        zeros=int((values == 0).sum()),
        quantiles={
            str(share): float(value)
            for share, value in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)
        },
        edges=edges,
        counts=tuple(counts_on(edges, values)[1:-1].tolist()),
    )


def _edges(values: Array, bins: int) -> tuple[float, ...]:
    """A bin for each value where these are few, else bins of about equally many rows, which outliers cannot stretch."""
    distinct = np.unique(values)
    if len(distinct) > bins:
        return tuple(np.unique(np.quantile(values, np.linspace(0, 1, bins + 1))).tolist())
    if len(distinct) == 1:
        return float(distinct[0] - 0.5), float(distinct[0] + 0.5)
    between = (distinct[1:] + distinct[:-1]) / 2
    ends = (2 * distinct[0] - between[0], 2 * distinct[-1] - between[-1])
    return float(ends[0]), *between.tolist(), float(ends[1])


def _values(elements: pa.ChunkedArray, top: int) -> Values:
    counted = pc.value_counts(elements)
    table = pa.table({"value": counted.field("values"), "count": counted.field("counts")})
    ordered = table.take(pc.sort_indices(table, [("count", "descending"), ("value", "ascending")])[:top])
    pairs = zip(ordered["value"].to_pylist(), ordered["count"].to_pylist(), strict=True)
    return Values(count=len(elements), distinct=table.num_rows, top=tuple(pairs))
