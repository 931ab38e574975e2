"""The rows of a split, whose histories are made block by block."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.components.ingest.history import Histories

_BLOCK = 1 << 16


@dataclasses.dataclass(frozen=True)
class SplitTable:
    """A table with some columns that are not in memory.

    Args:
        table: All other columns.
        events: (R,) number of the event of each row, for the histories. Default: none.
        histories: Histories by column. Default: none.
        order: Names of the columns, in order. Default: those of the table.
    """

    table: pa.Table
    events: npt.NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.empty(0, np.int64))
    histories: Mapping[str, Histories] = dataclasses.field(default_factory=dict)
    order: tuple[str, ...] = ()

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return self.order or tuple(self.table.column_names)

    def type_of(self, name: str) -> pa.DataType:
        """Type of a column."""
        if name in self.histories:
            return pa.list_(self.histories[name].values.type)
        return self.table.schema.field(name).type

    def slice(self, name: str, start: int, rows: int) -> pa.Array:
        """Some rows of a column."""
        if name in self.histories:
            return self.histories[name].take(self.events[start : start + rows])
        part = self.table[name].slice(start, rows)
        return pa.concat_arrays(part.chunks) if part.num_chunks else pa.array([], part.type)

    def blocks(self) -> Iterator[pa.Table]:
        """The whole table in blocks of rows; one empty block if it has none."""
        for start in range(0, max(self.num_rows, 1), _BLOCK):
            yield pa.table([self.slice(name, start, _BLOCK) for name in self.names], names=list(self.names))
