"""Files of JSON lines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import IO

import pyarrow as pa
from pyarrow import json as arrow_json

from emrys.blocks.errors import DataError
from emrys.components.sources.file_format import FileFormat, Types
from emrys.components.sources.listing import SourceFile
from emrys.components.storage.arrow_files import bucket_errors

_BLOCK = 1 << 23  # bytes; no line may be longer


class JsonFormat(FileFormat):
    """Text files with one JSON object a line."""

    name = "JSON lines"
    suffixes = (".jsonl", ".ndjson", ".json")
    is_text = True

    def schema(self, file: SourceFile) -> pa.Schema | None:
        """Columns of a file, from its first block; None if it has no rows."""
        with _opened(file) as stream:
            start = stream.read(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not start:
            return None
        if start.startswith(b"["):
            raise DataError(
                "the file holds one JSON array",
                path=file.name,
                expected="JSON lines, one object a line",
                fix="Write it with DataFrame.to_json(..., orient='records', lines=True).",
            )
        return self.head(file, 1, {}).schema

    def head(self, file: SourceFile, rows: int, types: Types) -> pa.Table:
        """The first rows."""
        with _opened(file) as stream, arrow_json.open_json(stream, *_options(types)) as reader:
            batches: list[pa.RecordBatch] = []
            while sum(batch.num_rows for batch in batches) < rows:
                try:
                    batches.append(reader.read_next_batch())
                except StopIteration:
                    break
            return pa.Table.from_batches(batches, reader.schema).slice(0, rows)

    def read(self, file: SourceFile, columns: Sequence[str], types: Types) -> pa.Table:
        """All rows."""
        with _opened(file) as stream:
            table = arrow_json.read_json(stream, *_options(types))
            return table.select(list(columns))


def _options(types: Types) -> tuple[arrow_json.ReadOptions, arrow_json.ParseOptions]:
    explicit = pa.schema(list(types.items())) if types else None
    return arrow_json.ReadOptions(block_size=_BLOCK), arrow_json.ParseOptions(explicit_schema=explicit)


@contextlib.contextmanager
def _opened(file: SourceFile) -> Iterator[IO[bytes]]:
    with bucket_errors(file.name):
        try:
            with file.system.open_input_stream(file.path, compression=file.compression) as stream:
                yield stream
        except (pa.ArrowException, ValueError) as error:
            raise _damaged(file, error) from None
        except OSError as error:
            if error.errno is not None or "://" in file.name:
                raise
            raise _damaged(file, error) from None


def _damaged(file: SourceFile, error: Exception) -> DataError:
    fix = "Write one JSON object a line, each column with values of one type."
    return DataError(f"the file cannot be read as JSON lines ({error})", path=file.name, fix=fix)
