"""Data sources: Parquet files and Arrow tables, read one group of rows at a time."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.loader.batches import LoaderColumn, convert, expected_type, missing_column, null_values, wrong_type
from emrys.blocks.loader.parquet_files import parquet_files

if TYPE_CHECKING:
    from merlin.io import Dataset


class DataSource(ABC):
    """Rows in groups that can be read independently; their numbers of rows are known in advance.

    Args:
        name: Name of the data in errors.
        group_rows: Number of rows of each group, in the order of the data; none is empty.
    """

    def __init__(self, name: str, group_rows: Sequence[int]) -> None:
        self.name = name
        self.group_rows = tuple(group_rows)
        if not self.group_rows:
            raise DataError("the data has no rows", path=name, expected="at least one")

    @property
    def rows(self) -> int:
        """Total number of rows."""
        return sum(self.group_rows)

    @property
    @abstractmethod
    def arrow_schema(self) -> pa.Schema:
        """Names and types of the columns, from the first group."""

    @abstractmethod
    def batches(self, group: int, names: Sequence[str], size: int) -> Iterator[tuple[pa.RecordBatch, str, str]]:
        """Reads one group in chunks.

        Args:
            group: Number of the group.
            names: Columns to read.
            size: Maximum number of rows of a chunk.

        Yields:
            The chunk, its file, and its position in the file.
        """

    def read(
        self, group: int, start: int, stop: int, columns: Sequence[LoaderColumn], size: int
    ) -> Iterator[pa.RecordBatch]:
        """Reads and converts the rows from `start` to before `stop` of one group, in chunks of at most `size` rows.

        Raises:
            DataError: if the file is damaged, or does not fit `columns`.
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
        """Checks the columns as far as possible without reading the data.

        Raises:
            DataError: if a column is missing or has an unsupported type.
        """
        check_types(self.arrow_schema, columns, self.name)

    def list_length(self, name: str) -> float:
        """Estimated mean length of the lists of a column, for sizing buffers."""
        del name
        return 8.0


def check_types(schema: pa.Schema, columns: Sequence[LoaderColumn], path: str) -> None:
    """Checks that all columns are in an Arrow schema, with supported types.

    Raises:
        DataError: if one is not.
    """
    for column in columns:
        position = schema.get_field_index(column.name)
        if position < 0:
            raise missing_column(column.name, path, schema.names)
        arrow_type = schema.field(position).type
        expected = expected_type(column, arrow_type)
        if expected is not None:
            raise wrong_type(column.name, path, expected, arrow_type)


class TableSource(DataSource):
    """Arrow tables, in memory or computed when they are read; each is a group.

    Args:
        name: Name of the data in errors.
        tables: Number of rows of each table and a function that returns it. Empty tables are ignored.

    Raises:
        DataError: if there are no rows.
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
        """Splits one table into chunks."""
        table = self._tables[group]()
        selected = table.select([name for name in names if name in table.column_names])
        for batch in selected.to_batches(max_chunksize=size):
            yield batch, self.name, f"partition {group}"


#: Options of `pyarrow.parquet.ParquetFile` that a caller can set.
READER_OPTIONS = ("buffer_size", "coerce_int96_timestamp_unit", "memory_map", "page_checksum_verification",
                  "pre_buffer", "thrift_container_size_limit", "thrift_string_size_limit")  # fmt: skip


class ParquetSource(DataSource):
    """Row groups of one or several Parquet files.

    The footers are read in the constructor; a row group is decoded in chunks when it is read, so that it does not have
    to fit into memory.

    Args:
        files: File system and path of each file, in order.
        reader_options: Options of `pyarrow.parquet.ParquetFile`, see `READER_OPTIONS`.

    Raises:
        DataError: if a file is missing, empty, truncated or not Parquet, or none of them has rows.
        ConfigError: if an option is unknown.
    """

    def __init__(
        self, files: Sequence[tuple[fs.FileSystem, str]], reader_options: Mapping[str, object] | None = None
    ) -> None:
        # Column chunks are read in parts: a whole one can be as large as the file.
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
        """Names and types of the columns of the first file with rows."""
        return self._footers[self._groups[0][0]].schema.to_arrow_schema()

    def batches(self, group: int, names: Sequence[str], size: int) -> Iterator[tuple[pa.RecordBatch, str, str]]:
        """Decodes one row group in chunks."""
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
        """Checks names, types and null counts in the footer of every file."""
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
        # The null count of a list column includes its empty lists, so lists are checked on reading.
        names = {column.name for column in columns if not column.is_list}
        footer = self._footers[file]
        positions = [(at, footer.schema.column(at).path) for at in range(len(footer.schema))]
        positions = [(at, name) for at, name in positions if name in names]
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            for at, name in positions:
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
                "the file is not a complete Parquet file", path=path, got=str(error), fix="Write or download it again."
            ) from error

    def _open(self, system: fs.FileSystem, path: str, footer: pq.FileMetaData | None = None) -> pq.ParquetFile:
        return pq.ParquetFile(path, metadata=footer, filesystem=system, **self._options)


PathLike: TypeAlias = "str | os.PathLike[str]"
#: The data that a loader can read.
Readable: TypeAlias = "PathLike | Iterable[PathLike] | Dataset | pa.Table"


def open_source(data: Readable, reader_options: Mapping[str, object] | None = None) -> DataSource:
    """Opens a data source.

    Args:
        data: A Parquet file, a folder of them, a pattern (`part-*.parquet`), a list of these, an address that
            `pyarrow.fs` knows (`gs://bucket/folder`), a `merlin.io.Dataset`, or an Arrow table.
        reader_options: Options of `pyarrow.parquet.ParquetFile`; `filesystem` is a `pyarrow.fs.FileSystem` to use for
            all paths.

    Raises:
        DataError: if there is no data to read.
        ConfigError: `data` has an unsupported type.
    """
    if isinstance(data, pa.Table):
        table = data
        return TableSource("the table", [(table.num_rows, lambda: table)])
    if _is_dataset(data):
        return _from_dataset(data, reader_options)
    paths = [data] if isinstance(data, str | os.PathLike) else data
    if not isinstance(paths, Iterable):
        raise ConfigError(f"paths_or_dataset must be paths or a merlin.io.Dataset; got {type(data).__name__}")
    options = dict(reader_options or {})
    system = options.pop("filesystem", None)
    files = [file for path in paths for file in parquet_files(os.fspath(path), system)]
    if not files:
        raise DataError("there is nothing to read", expected="at least one Parquet file")
    return ParquetSource(files, options)


def _is_dataset(data: object) -> bool:
    # By its attributes: importing merlin.io for `isinstance` takes seconds.
    return hasattr(data, "to_ddf") and hasattr(data, "engine")


def _from_dataset(dataset: Any, reader_options: Mapping[str, Any] | None) -> DataSource:
    engine = dataset.engine
    paths = getattr(engine, "paths", None)
    plain = not (getattr(engine, "filters", None) or getattr(engine, "read_parquet_kwargs", None) or dataset.dtypes)
    if type(engine).__name__ == "ParquetDatasetEngine" and paths and plain:
        return open_source(list(paths), reader_options)
    # In memory, in another format, or transformed: partition by partition, as Dask computes them.
    frame = dataset.to_ddf()
    counts = frame.map_partitions(len, meta=("rows", "int64")).compute(scheduler="synchronous")

    def partition(number: int) -> Callable[[], pa.Table]:
        def compute() -> pa.Table:
            rows = frame.get_partition(number).compute(scheduler="synchronous")
            return pa.Table.from_pandas(rows, preserve_index=False)

        return compute

    return TableSource("the data set", [(int(rows), partition(number)) for number, rows in enumerate(counts)])
