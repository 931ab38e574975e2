"""Parquet files, read one row group at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.loader.columns import LoaderColumn
from emrys.blocks.loader.conversion import null_values
from emrys.blocks.loader.data_source import DataSource, check_types

#: Options of `pyarrow.parquet.ParquetFile` that a caller may set.
READER_OPTIONS = ("buffer_size", "coerce_int96_timestamp_unit", "memory_map", "page_checksum_verification",
                  "pre_buffer", "thrift_container_size_limit", "thrift_string_size_limit")  # fmt: skip


class ParquetSource(DataSource):
    """Row groups of one or several Parquet files.

    The footers are read once, here; a row group is opened when its turn comes, and decoded piece by piece, so that a
    row group need not fit into memory.

    Args:
        files: File system and path of each file, in order.
        reader_options: Options of `pyarrow.parquet.ParquetFile`, out of `READER_OPTIONS`.

    Raises:
        DataError: A file is missing, empty, cut short or no Parquet, or none of them has a row.
        ConfigError: An option is unknown.
    """

    def __init__(
        self, files: Sequence[tuple[fs.FileSystem, str]], reader_options: Mapping[str, Any] | None = None
    ) -> None:
        # Column chunks are read a piece at a time: a whole one may be as large as the file.
        self._options = {"buffer_size": 1 << 18, **(reader_options or {})}
        for option in self._options:
            if option not in READER_OPTIONS:
                raise ConfigError(f"reader_kwargs has an unknown option {option!r}; known: {', '.join(READER_OPTIONS)}")
        self._files = tuple(files)
        self._footers = [self._footer(system, path) for system, path in files]
        self._groups = [
            (file, group)
            for file, footer in enumerate(self._footers)
            for group in range(footer.num_row_groups)
            if footer.row_group(group).num_rows
        ]
        name = files[0][1] if len(files) == 1 else f"{files[0][1]} and {len(files) - 1} more"
        super().__init__(name, [self._footers[file].row_group(group).num_rows for file, group in self._groups])

    @property
    def arrow_schema(self) -> pa.Schema:
        """Names and types of the columns of the first file that has rows."""
        return self._footers[self._groups[0][0]].schema.to_arrow_schema()

    def batches(self, group: int, names: Sequence[str], size: int) -> Iterator[tuple[pa.RecordBatch, str, str]]:
        """Decodes one row group, a piece at a time."""
        file, number = self._groups[group]
        system, path = self._files[file]
        try:
            with self._open(system, path, self._footers[file]) as parquet:
                for batch in parquet.iter_batches(size, row_groups=[number], columns=list(names)):
                    yield batch, path, f"row group {number}"
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"row group {number} cannot be read: {error}", path=path, fix="Write the file again."
            ) from error

    def check(self, columns: Sequence[LoaderColumn]) -> None:
        """Checks names, types, and the counts of nulls that the footers hold, of every file."""
        checked: pa.Schema | None = None
        for file in dict.fromkeys(file for file, _ in self._groups):
            schema = self._footers[file].schema.to_arrow_schema()
            if checked is None or not schema.equals(checked):
                check_types(schema, columns, self._files[file][1])
                checked = schema
            self._check_nulls(file, columns)

    def list_length(self, name: str) -> float:
        """Mean length of the lists in the first row group, from its footer."""
        file, number = self._groups[0]
        group = self._footers[file].row_group(number)
        for position in range(group.num_columns):
            chunk = group.column(position)
            if chunk.path_in_schema.startswith(f"{name}."):
                return float(chunk.num_values) / float(group.num_rows)
        return 1.0

    def _check_nulls(self, file: int, columns: Sequence[LoaderColumn]) -> None:
        # The count of a list column also counts its empty lists, so those are checked when they are read.
        names = {column.name for column in columns if not column.is_list}
        footer = self._footers[file]
        places = [(at, footer.schema.column(at).path) for at in range(len(footer.schema))]
        places = [(at, name) for at, name in places if name in names]
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            for at, name in places:
                statistics = group.column(at).statistics
                if statistics is not None and statistics.has_null_count and statistics.null_count:
                    raise null_values(name, self._files[file][1], statistics.null_count, f"row group {number}")

    def _footer(self, system: fs.FileSystem, path: str) -> pq.FileMetaData:
        try:
            with self._open(system, path) as parquet:
                return parquet.metadata
        except FileNotFoundError:
            raise DataError("the file is missing", path=path, expected="a Parquet file") from None
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                "this is no whole Parquet file", path=path, got=str(error), fix="Write or download it again."
            ) from error

    def _open(self, system: fs.FileSystem, path: str, footer: pq.FileMetaData | None = None) -> pq.ParquetFile:
        return pq.ParquetFile(path, metadata=footer, filesystem=system, **self._options)
