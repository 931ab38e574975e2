"""Statistics of a column: its kind, distribution, and counts in given bins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.contracts.column_statistics import ColumnKind, ColumnStatistics, Numbers, Values
from emrys.components.contracts.data_schema import TIME_UNITS, DataColumn, DataSchema, Role, TargetKind

Array = npt.NDArray[np.float64]

#: Percentiles of a distribution.
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)

_KINDS = {
    Role.USER_ID: ColumnKind.IDENTIFIER,
    Role.ITEM_ID: ColumnKind.IDENTIFIER,
    Role.SESSION_ID: ColumnKind.IDENTIFIER,
    Role.TIME: ColumnKind.TIME,
}
_TARGET_KINDS = {
    TargetKind.BINARY: ColumnKind.LABEL,
    TargetKind.REGRESSION: ColumnKind.NUMBER,
    TargetKind.CLASSES: ColumnKind.IDENTIFIER,
}


def column_kinds(schema: DataSchema) -> dict[str, ColumnKind]:
    """Kind of the values of every raw column and target."""
    kinds = {column.name: _kind_of(column) for column in schema.columns}
    return {**kinds, **{target.name: _TARGET_KINDS[target.kind] for target in schema.targets}}


def _kind_of(column: DataColumn) -> ColumnKind:
    if column.is_list:
        return ColumnKind.LIST
    return _KINDS.get(column.role, ColumnKind.TEXT if column.dtype == "string" else ColumnKind.NUMBER)


def in_seconds(column: DataColumn, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of a time in seconds since 1970; of other columns unchanged."""
    if column.role is not Role.TIME or column.unit in ("", "s"):
        return values
    return pc.divide(values, pa.scalar(TIME_UNITS[column.unit], pa.int64()))


def count_column(name: str, column: pa.ChunkedArray, kind: ColumnKind, *, bins: int, top: int) -> ColumnStatistics:
    """Computes the statistics of a column.

    Args:
        name: Name of the column.
        column: Values; NaN counts as null. Times are in seconds.
        kind: Kind of the values.
        bins: Maximum number of bins of a histogram.
        top: Number of most frequent values to keep.
    """
    rows, nulls = len(column), int(column.null_count)
    if kind in (ColumnKind.NUMBER, ColumnKind.TIME):
        present = column.drop_null()
        nan = int(pc.sum(pc.is_nan(present)).as_py() or 0)
        finite = numbers_of(column)
        return ColumnStatistics(
            name=name,
            type=str(column.type),
            kind=kind,
            rows=rows,
            nulls=nulls + nan,
            infinite=len(present) - nan - len(finite),
            distinct=len(np.unique(finite)),
            numbers=_numbers(finite, bins),
        )
    values = _values(elements_of(column), top)
    lengths = _numbers(lengths_of(column), bins) if kind is ColumnKind.LIST else None
    return ColumnStatistics(name, str(column.type), kind, rows, nulls, 0, values.distinct, None, values, lengths)


def numbers_of(column: pa.ChunkedArray) -> Array:
    """Finite values of a column of numbers."""
    numbers = column.drop_null().to_numpy().astype(np.float64)
    return numbers[np.isfinite(numbers)]


def elements_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values of a column without nulls; for lists, all elements."""
    return (pc.list_flatten(column) if pa.types.is_list(column.type) else column).drop_null()


def lengths_of(column: pa.ChunkedArray) -> Array:
    """Lengths of the lists of a column, without nulls."""
    return pc.list_value_length(column).drop_null().to_numpy().astype(np.float64)


def counts_on(edges: tuple[float, ...], values: Array) -> npt.NDArray[np.int64]:
    """(bins + 2,) number of values below the bins, in each bin, and above them."""
    ends = np.array(edges)
    ends[-1] = np.nextafter(ends[-1], np.inf)  # the last bin includes its upper end
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
    """One bin per value for few values, otherwise bins of about equally many rows, which are robust to outliers."""
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
