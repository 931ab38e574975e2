"""Slices of the test rows by the levels of small columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emrys.components.evaluate.roles import tags_of

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
