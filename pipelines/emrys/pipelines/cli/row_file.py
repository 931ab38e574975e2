"""Reads raw rows from a file, for `emrys predict`."""

from __future__ import annotations

import csv
import datetime
import decimal
import json
import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.components.contracts.data_schema import TIME_UNITS

Row = dict[str, Any]

#: Separator of the elements of a list in a CSV file, as in MovieLens.
SEPARATOR = "|"

_DELIMITERS = (",", ";", "\t")
_COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
#: Texts that are null where a number is expected.
_NULLS = frozenset(text.lower() for text in [*pa.csv.ConvertOptions().null_values, "none"])
_TRUTH = {"true": 1, "false": 0}
#: A list that `str` or `to_csv` has turned into text.
_LIST_TEXT = re.compile(r"\s*(\[.*\]|\(.*,.*\))\s*", re.DOTALL)
#: The beginning of a date in text; digits alone are a number.
_DATE = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
#: Integers beyond this are not exact as floating-point numbers.
_EXACT = 2**53
_INT64 = range(-(2**63), 2**63)


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


def read_rows(path: Path, columns: Sequence[ColumnLike], time_units: Mapping[str, str] | None = None) -> list[Row]:
    """Reads raw rows and converts the values to the types of the ensemble.

    Files may be compressed (`.gz`, `.bz2`, `.zst`, `.lz4`):

    - `.json`: a list of rows, one row, one list per column, or what `DataFrame.to_json` writes: `records`, `columns`,
      `index` or `split`. One row per line is read too.
    - `.jsonl`, `.ndjson`: one row per line.
    - `.csv`, `.tsv`: separated by commas, semicolons or tabs. An empty field is null, and the elements of a list are
      separated by "|".
    - `.parquet`.

    A number for an int64 column may be written as `35.0` or as text; a time also as a date or a time of day on a date,
    in text by ISO 8601, without an offset in UTC. Null, NaN and a missing key are null.

    Args:
        path: The file; its extension gives the format.
        columns: Columns of the ensemble. Others are kept as they are.
        time_units: Unit of each column of times, `s`, `ms`, `us` or `ns` since 1970. Default: there is none.

    Returns:
        The rows, at least one.

    Raises:
        DataError: if the file is missing, of an unknown format, damaged, or empty, or has a value of another type; the
            message names the column and the row.
    """
    readers: Mapping[str, Callable[[bytes, Sequence[ColumnLike]], Any]] = {
        ".json": _read_json,
        ".jsonl": _read_json_lines,
        ".ndjson": _read_json_lines,
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".parquet": _read_parquet,
    }
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    reader = readers.get(suffixes[-1] if suffixes else "")
    if reader is None:
        raise DataError(
            "the rows cannot be read",
            path=path,
            expected=f"a file in {', '.join(readers)}, possibly with {', '.join(_COMPRESSED)} behind",
        )
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            rows = reader(stream.read(), columns)
    except FileNotFoundError:
        raise DataError("the file of rows is missing", path=path) from None
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        raise DataError(f"the rows cannot be read ({error})", path=path) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        names = ", ".join(f'"{column.name}": …' for column in columns[:2])
        raise DataError("not a list of rows", path=path, expected=f"[{{{names}, …}}, …]")
    if not rows:
        raise DataError("the file contains no rows", path=path)
    return _converted(rows, columns, time_units or {}, path)


def _read_json(content: bytes, columns: Sequence[ColumnLike]) -> Any:
    try:
        values = json.loads(_text(content))
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
        return _read_json_lines(content, columns)
    return values if isinstance(values, list) else _rows_of(values, columns)


def _rows_of(content: Any, columns: Sequence[ColumnLike]) -> Any:
    """Rows of a JSON object, which is one row, or a table in one of the orientations of pandas."""
    if not isinstance(content, dict) or not content:
        return content
    known = {column.name: column for column in columns}
    if not known.keys() & content.keys() and isinstance(content.get("data"), list) and "columns" in content:
        return [dict(zip(content["columns"], values, strict=True)) for values in content["data"]]  # split
    if all(isinstance(values, dict) for values in content.values()):
        if not known.keys() & content.keys():
            return list(content.values())  # index
        keys = list(next(iter(content.values())))
        return [{name: values.get(key) for name, values in content.items()} for key in keys]  # columns
    if all(isinstance(values, list) for values in content.values()) and _is_table(content, known):
        lengths = {name: len(values) for name, values in content.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns differ in length: {lengths}"[:200])
        return [dict(zip(content, values, strict=True)) for values in zip(*content.values(), strict=True)]
    return [content]


def _is_table(content: Mapping[str, list[Any]], known: Mapping[str, ColumnLike]) -> bool:
    """Whether lists by column hold a value for each row; the lists of one row hold no lists."""
    lists = [values for name, values in content.items() if name in known and known[name].is_list]
    scalars = [name for name in content if name in known and not known[name].is_list]
    return bool(scalars) or not lists or any(isinstance(value, list) for values in lists for value in values)


def _read_json_lines(content: bytes, columns: Sequence[ColumnLike]) -> Any:
    return [json.loads(line) for line in _text(content).splitlines() if line.strip()]


def _read_csv(content: bytes, columns: Sequence[ColumnLike]) -> Any:
    header = _text(content.split(b"\n", 1)[0]).strip("\r\n")
    known = {column.name for column in columns}
    headers = {delimiter: next(csv.reader([header], delimiter=delimiter), []) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=lambda one: (len(known.intersection(headers[one])), len(headers[one])))
    names = headers[delimiter]
    repeated = [name for name in names if names.count(name) > 1 and name in known]
    if repeated:
        raise ValueError(f"the column {repeated[0]!r} stands twice")
    table = pa.csv.read_csv(
        pa.BufferReader(content),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    lists = [column.name for column in columns if column.is_list and column.name in names]
    rows = table.to_pylist()
    for row in rows:
        for name in lists:
            text = row[name]
            if text is None:
                row[name] = []
            elif not _LIST_TEXT.fullmatch(text):
                row[name] = text.split(SEPARATOR)
    return rows


def _read_parquet(content: bytes, columns: Sequence[ColumnLike]) -> Any:
    return pq.read_table(pa.BufferReader(content)).to_pylist()


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig")


def _converted(
    rows: Sequence[Row], columns: Sequence[ColumnLike], time_units: Mapping[str, str], path: Path
) -> list[Row]:
    """Converts the columns of the ensemble; reports the first wrong value of each."""
    present = {name for row in rows for name in row}
    converted = [dict(row) for row in rows]
    faults: list[tuple[str, int, _WrongValueError]] = []
    for column in columns:
        if column.name not in present:
            continue  # packing names it
        for number, row in enumerate(converted, 1):
            try:
                value = row.get(column.name)
                if column.name in time_units:
                    value = _ticks(value, time_units[column.name])
                row[column.name] = _value(column, value)
            except _WrongValueError as wrong:
                faults.append((column.name, number, wrong))
                break
    if not faults:
        return converted
    name, number, first = faults[0]
    others = "".join(
        f"; column {name!r}, row {row}: expected {one.expected}, got {one.got}" for name, row, one in faults[1:]
    )
    raise DataError(
        f"row {number}, counted from 1, has a value of the wrong type",
        path=path,
        column=name,
        expected=first.expected,
        got=first.got + others,
        fix=first.fix,
    )


class _WrongValueError(Exception):
    def __init__(self, expected: str, value: object, fix: str | None = None) -> None:
        self.expected = expected
        self.got = f"{value!r:.60}"
        self.fix = fix


def _value(column: ColumnLike, value: Any) -> Any:
    if not column.is_list:
        return _scalar(column.dtype, value)
    if _is_null(value):
        return []
    if isinstance(value, str | bytes):
        raise _WrongValueError(
            f"a list of {column.dtype}",
            value,
            f"Write the elements separated by {SEPARATOR!r} in CSV, or write Parquet or JSON lines, which hold lists: "
            'frame.to_json(path, orient="records", lines=True).',
        )
    if not isinstance(value, Sequence):
        raise _WrongValueError(f"a list of {column.dtype}", value)
    return [_scalar(column.dtype, element) for element in value]


def _scalar(dtype: str, value: Any) -> Any:
    if _is_null(value):
        return None
    return {"int64": _integer, "float32": _number, "string": _string}[dtype](value)


def _ticks(value: Any, unit: str) -> Any:
    """Converts a date, a time on a date, or the text of one to units since 1970; returns other values unchanged."""
    text = value.isoformat() if isinstance(value, datetime.date) else value  # a datetime is a date
    if not isinstance(text, str) or not _DATE.match(text):
        return value
    try:
        time = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return value  # the column's type refuses it
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.UTC)
    return (time - _EPOCH) // datetime.timedelta(microseconds=1) * TIME_UNITS[unit] // TIME_UNITS["us"]


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _integer(value: Any) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in _NULLS:
            return None
        if text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        if not re.fullmatch(r"[-+]?[0-9]+(\.0*)?", text):
            raise _WrongValueError("int64", value)
        number = int(text.split(".")[0])
    elif isinstance(value, numbers.Integral):
        number = int(value)
    elif isinstance(value, float | decimal.Decimal) and value == value // 1:
        number = int(value)
        if isinstance(value, float) and abs(number) > _EXACT:
            raise _WrongValueError(
                "int64", value, "So large a number has lost digits as a floating-point one; write integers or text."
            )
    else:
        raise _WrongValueError("int64", value, _time_fix(value))
    if number not in _INT64:
        raise _WrongValueError("int64", value)
    return number


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in _NULLS:
            return None
        if text.lower() in _TRUTH:
            return float(_TRUTH[text.lower()])
        try:
            return float(text)
        except ValueError:
            comma = re.fullmatch(r"[-+]?[0-9]+,[0-9]+", text)
            raise _WrongValueError("float32", value, "Write a point in numbers." if comma else None) from None
    if isinstance(value, numbers.Real | decimal.Decimal):
        return float(value)
    raise _WrongValueError("float32", value, _time_fix(value))


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise _WrongValueError("string", value) from None
    if type(value).__name__ == "UUID":
        return str(value)
    raise _WrongValueError("string", value)


def _time_fix(value: Any) -> str | None:
    if isinstance(value, datetime.date | datetime.time):
        return "Write times as the numbers that the training data has, such as seconds since 1970."
    return None
