"""Tables that are in memory, or are made when their turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from emrys.blocks.loader.data_source import DataSource


class TableSource(DataSource):
    """Arrow tables as groups.

    Args:
        name: What the data is called in errors.
        tables: Number of rows of each table and a function that gives it. Empty ones are left out.

    Raises:
        DataError: There is no row.
    """

    def __init__(self, name: str, tables: Sequence[tuple[int, Callable[[], pa.Table]]]) -> None:
        self._tables = [table for rows, table in tables if rows]
        super().__init__(name, [rows for rows, _ in tables if rows])
        self._schema: pa.Schema = self._tables[0]().schema

    @property
    def arrow_schema(self) -> pa.Schema:
        """Names and types of the columns of the first table."""
        return self._schema

    def batches(self, group: int, names: Sequence[str], size: int) -> Iterator[tuple[pa.RecordBatch, str, str]]:
        """Cuts one table into pieces."""
        table = self._tables[group]()
        kept = table.select([name for name in names if name in table.column_names])
        for batch in kept.to_batches(max_chunksize=size):
            yield batch, self.name, f"partition {group}"
