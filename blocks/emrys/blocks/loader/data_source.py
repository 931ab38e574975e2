"""What the loader reads from: rows in groups, each of which can be read on its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import pyarrow as pa

from emrys.blocks.errors import DataError
from emrys.blocks.loader.columns import LoaderColumn, misfit
from emrys.blocks.loader.conversion import convert, missing_column, wrong_type


class DataSource(ABC):
    """Rows in groups. Subclasses know how many there are before they read any.

    Args:
        name: What the data is called in errors.
        group_rows: Number of rows of each group, in the order of the data; none is empty.
    """

    def __init__(self, name: str, group_rows: Sequence[int]) -> None:
        self.name = name
        self.group_rows = tuple(group_rows)
        if not self.group_rows:
            raise DataError("the data has no rows", path=name, expected="at least one")

    @property
    def rows(self) -> int:
        """Number of rows altogether."""
        return sum(self.group_rows)

    @property
    @abstractmethod
    def arrow_schema(self) -> pa.Schema:
        """Names and types of the columns, from the first group."""

    @abstractmethod
    def batches(self, group: int, names: Sequence[str], size: int) -> Iterator[tuple[pa.RecordBatch, str, str]]:
        """Reads one group, a piece at a time.

        Args:
            group: Number of the group.
            names: Columns to read.
            size: Rows of a piece, at most.

        Yields:
            The piece, the file that it comes from, and where in that file.
        """

    def read(
        self, group: int, start: int, stop: int, columns: Sequence[LoaderColumn], size: int
    ) -> Iterator[pa.RecordBatch]:
        """Reads the rows from `start` to before `stop` of one group, in pieces of at most `size` rows, converted.

        Raises:
            DataError: The file is damaged, or holds what does not fit `columns`.
        """
        seen = 0
        for batch, path, place in self.batches(group, [column.name for column in columns], size):
            first, last = max(start - seen, 0), min(stop - seen, batch.num_rows)
            seen += batch.num_rows
            if first < last:
                yield convert(batch.slice(first, last - first), columns, path, place)
            if seen >= stop:
                return

    def check(self, columns: Sequence[LoaderColumn]) -> None:
        """Checks what is known of the data before it is read.

        Raises:
            DataError: A column is missing or has a type that does not fit.
        """
        check_types(self.arrow_schema, columns, self.name)

    def list_length(self, name: str) -> float:
        """Mean length of the lists of a column, or a guess; for sizing buffers."""
        del name
        return 8.0


def check_types(schema: pa.Schema, columns: Sequence[LoaderColumn], path: str) -> None:
    """Checks that all columns are in an Arrow schema, with types that fit.

    Raises:
        DataError: One is not.
    """
    for column in columns:
        position = schema.get_field_index(column.name)
        if position < 0:
            raise missing_column(column.name, path, schema.names)
        arrow_type = schema.field(position).type
        expected = misfit(column, arrow_type)
        if expected is not None:
            raise wrong_type(column.name, path, expected, arrow_type)
