"""A metric in each slice of the test rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.components.contracts.column_roles import tags_of
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.evaluation.weighted_metrics import measure_of, plain


@dataclasses.dataclass(frozen=True)
class Slice:
    """One level of one slice.

    Args:
        name: Name of the slice, such as a column.
        level: Its level.
        rows: How many rows it has.
        units: How many users or queries it has.
        values: The metric by scorer; None where it cannot be measured.
    """

    name: str
    level: str
    rows: int
    units: int
    values: Mapping[str, float | None]

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.name} {self.level}"


def slices_by(rows: MeasuredRows, metric: str, scorers: Sequence[str]) -> list[Slice]:
    """Measures scorers in every slice, as the gate does.

    Args:
        rows: What was measured on each row.
        metric: Name of the metric.
        scorers: Whom to measure.

    Returns:
        The slices in which the first of the scorers can be measured: by name, and the largest level first.
    """
    found = []
    for name, texts in sorted(rows.slices.items()):
        for level in sorted({text for text in texts if text is not None}):
            mask = texts == level
            values = {scorer: _value(rows, metric, scorer, mask) for scorer in scorers}
            if values[scorers[0]] is not None:
                found.append(Slice(name, level, int(mask.sum()), len(np.unique(rows.units[mask])), values))
    return sorted(found, key=lambda one: (one.name, -one.rows))


def _value(rows: MeasuredRows, metric: str, scorer: str, mask: np.ndarray) -> float | None:  # type: ignore[type-arg]
    measure = measure_of(rows, metric, scorer, mask)
    value = float("nan") if measure is None else plain(measure, rows)
    return value if math.isfinite(value) else None


#: Columns with more levels than this are no slices.
MOST_LEVELS = 25


def slices_of(raw: Path, schema: Any) -> dict[str, npt.NDArray[np.object_]]:
    """The level of each row in the categorical columns that have few.

    Args:
        raw: Raw test split.
        schema: Schema of the transformed rows; ids are left out by their tags.

    Returns:
        (N,) texts by column, None where the value is null.
    """
    wanted = [column.name for column in schema if "categorical" in tags_of(column) and "id" not in tags_of(column)]
    there = pq.read_schema(raw)
    scalar = [name for name in wanted if name in there.names and not pa.types.is_list(there.field(name).type)]
    table = pq.read_table(raw, columns=scalar, partitioning=None)
    small = [name for name in scalar if pc.count_distinct(table[name]).as_py() <= MOST_LEVELS]
    return {name: np.array(table[name].cast(pa.string()).to_pylist(), dtype=object) for name in small}
