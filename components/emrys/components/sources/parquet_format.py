"""Parquet files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.dataset as ds

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
        with _opened(file) as fragment:
            schema = fragment.physical_schema
            for name in schema.names:
                if schema.names.count(name) > 1:
                    raise DataError("the column occurs twice", path=file.name, column=name, fix="Keep one of them.")
            return schema if fragment.count_rows() else None

    def head(self, file: SourceFile, rows: int, types: Types) -> pa.Table:
        """The first rows."""
        with _opened(file) as fragment:
            return fragment.head(rows)

    def read(self, file: SourceFile, columns: Sequence[str], types: Types) -> pa.Table:
        """All rows."""
        with _opened(file) as fragment:
            return fragment.to_table(columns=list(columns))


@contextlib.contextmanager
def _opened(file: SourceFile) -> Iterator[ds.Fragment]:
    with bucket_errors(file.name):
        try:
            yield ds.ParquetFileFormat().make_fragment(file.path, filesystem=file.system)
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and (error.errno is not None or "://" in file.name):
                raise
            fix = "Write it again, or remove it."
            raise DataError(f"not a whole Parquet file ({error})", path=file.name, fix=fix) from None
