"""Reads raw rows from a file, for `emrys predict`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError

Row = dict[str, Any]

#: Separator of the elements of a list in a CSV file, as in MovieLens.
SEPARATOR = "|"


class ColumnLike(Protocol):
    """A column: its name, its type, and whether it contains lists."""

    @property
    def name(self) -> str:
        """Name of the column."""

    @property
    def dtype(self) -> str:
        """`int64`, `float32` or `string`."""

    @property
    def is_list(self) -> bool:
        """Whether a row contains a list."""


def read_rows(path: Path, columns: Sequence[ColumnLike]) -> list[Row]:
    """Reads raw rows.

    A JSON file contains a list of rows or one list per column, a JSONL file one row per line. In a CSV file an empty
    field is null, and the elements of a list are separated by "|".

    Args:
        path: The file; its extension gives the format.
        columns: Columns of the ensemble; they give the types of CSV fields.

    Returns:
        The rows, at least one.

    Raises:
        DataError: if the file is missing, of an unknown format, damaged, or empty.
    """
    readers: Mapping[str, Callable[[Path, Sequence[ColumnLike]], Any]] = {
        ".json": _read_json,
        ".jsonl": _read_json_lines,
        ".csv": _read_csv,
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError("the rows cannot be read", path=path, expected=f"a file in {', '.join(readers)}")
    try:
        rows = reader(path, columns)
    except FileNotFoundError:
        raise DataError("the file of rows is missing", path=path) from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"the rows cannot be read ({error})", path=path) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError("not a list of rows", path=path, expected='[{"userId": 1, ...}, ...]')
    if not rows:
        raise DataError("the file contains no rows", path=path)
    return rows


def _read_json(path: Path, columns: Sequence[ColumnLike]) -> Any:
    content = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict) and content and all(isinstance(values, list) for values in content.values()):
        return pa.Table.from_pydict(content).to_pylist()
    return [content] if isinstance(content, dict) else content


def _read_json_lines(path: Path, columns: Sequence[ColumnLike]) -> Any:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _read_csv(path: Path, columns: Sequence[ColumnLike]) -> Any:
    types = {column.name: column for column in columns}
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            {name: _field(types.get(name), text) for name, text in row.items() if name is not None}
            for row in csv.DictReader(stream)
        ]


def _field(column: ColumnLike | None, text: str | None) -> Any:
    if text is None or text == "":
        return [] if column is not None and column.is_list else None
    if column is None:
        return text
    parts = text.split(SEPARATOR) if column.is_list else [text]
    values = [{"int64": int, "float32": float, "string": str}[column.dtype](part) for part in parts]
    return values if column.is_list else values[0]


def _read_parquet(path: Path, columns: Sequence[ColumnLike]) -> Any:
    return pq.read_table(path).to_pylist()
