"""Slices of the test rows, and metrics in each slice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.components.contracts.column_roles import tags_of
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.evaluation.weighted_metrics import metric_of

if TYPE_CHECKING:  # Merlin imports TensorFlow if it is installed
    from merlin.schema import Schema


@dataclasses.dataclass(frozen=True)
class Slice:
    """A metric on the rows with one value of a column.

    Args:
        name: Name of the slicing column.
        level: Value of the column.
        rows: Number of rows.
        units: Number of users or queries.
        values: The metric by scorer; None if it is not defined.
    """

    name: str
    level: str
    rows: int
    units: int
    values: Mapping[str, float | None]

    @property
    def title(self) -> str:
        """Column and value, as shown in reports."""
        return f"{self.name} {self.level}"


def slice_metrics(rows: MeasuredRows, metric: str, scorers: Sequence[str]) -> list[Slice]:
    """Metrics of several scorers in every slice.

    Args:
        rows: Metric values per row.
        metric: Name of the metric.
        scorers: Names of the scorers.

    Returns:
        The slices in which the metric of the first scorer is defined, by name and descending number of rows.
    """
    slices = []
    for name, texts in sorted(rows.slices.items()):
        for level in sorted({text for text in texts if text is not None}):
            mask = texts == level
            values = {scorer: _value(rows, metric, scorer, mask) for scorer in scorers}
            if values[scorers[0]] is not None:
                slices.append(Slice(name, level, int(mask.sum()), len(np.unique(rows.units[mask])), values))
    return sorted(slices, key=lambda each: (each.name, -each.rows))


def _value(rows: MeasuredRows, metric: str, scorer: str, mask: npt.NDArray[np.bool_]) -> float | None:
    measured = metric_of(rows, metric, scorer, mask)
    value = float("nan") if measured is None else measured.value(rows.unit_count)
    return value if math.isfinite(value) else None


#: Maximum number of distinct values of a slicing column.
MAX_LEVELS = 25


def column_slices(raw: Path, schema: Schema) -> dict[str, npt.NDArray[np.object_]]:
    """Values of the categorical columns with few distinct values.

    Args:
        raw: Raw test split.
        schema: Schema of the transformed rows; columns tagged as ids are ignored.

    Returns:
        (N,) texts by column, None for null.
    """
    wanted = [column.name for column in schema if "categorical" in tags_of(column) and "id" not in tags_of(column)]
    columns = pq.read_schema(raw)
    scalar = [name for name in wanted if name in columns.names and not pa.types.is_list(columns.field(name).type)]
    table = pq.read_table(raw, columns=scalar, partitioning=None)
    small = [name for name in scalar if pc.count_distinct(table[name]).as_py() <= MAX_LEVELS]
    return {name: np.array(table[name].cast(pa.string()).to_pylist(), dtype=object) for name in small}
