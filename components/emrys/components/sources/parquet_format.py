"""Parquet files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.components.sources.file_format import FileFormat, Types
from emrys.components.sources.listing import SourceFile
from emrys.components.storage.arrow_files import bucket_errors


class ParquetFormat(FileFormat):
    """Parquet files, of which only the columns that are used are read."""

    name = "Parquet"
    suffixes = (".parquet", ".pq", ".parq")
    is_text = False

    def schema(self, file: SourceFile) -> pa.Schema | None:
        """Columns of a file; None if it has no rows."""
        with _opened(file) as parquet:
            schema = parquet.schema_arrow
            for name in schema.names:
                if schema.names.count(name) > 1:
                    raise DataError("the column occurs twice", path=file.name, column=name, fix="Keep one of them.")
            return schema if parquet.metadata.num_rows else None

    def head(self, file: SourceFile, rows: int, types: Types) -> pa.Table:
        """The first rows."""
        with _opened(file) as parquet:
            batches = list(_first(parquet.iter_batches(batch_size=rows), rows))
            return pa.Table.from_batches(batches, parquet.schema_arrow).slice(0, rows)

    def read(self, file: SourceFile, columns: Sequence[str], types: Types) -> pa.Table:
        """All rows."""
        with _opened(file) as parquet:
            return parquet.read(columns=list(columns)).select(list(columns))


def _first(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    while rows > 0 and (batch := next(batches, None)) is not None:
        rows -= batch.num_rows
        yield batch


@contextlib.contextmanager
def _opened(file: SourceFile) -> Iterator[pq.ParquetFile]:
    with bucket_errors(file.name):
        try:
            with file.system.open_input_file(file.path) as stream, pq.ParquetFile(stream) as parquet:
                yield parquet
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and (error.errno is not None or "://" in file.name):
                raise
            fix = "Write it again, or remove it."
            raise DataError(f"not a whole Parquet file ({error})", path=file.name, fix=fix) from None
