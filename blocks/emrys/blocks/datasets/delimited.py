"""Reader for delimited text files without a header, whose errors show the line and the column."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.csv as pacsv

from emrys.blocks.datasets.file_source import FileSource
from emrys.blocks.errors import DataError

#: Replacement of a separator of several characters, which Arrow does not support; it does not occur in text.
_UNIT_SEPARATOR = b"\x1f"
_FIX = "Correct the line, or download the data again."


def read_delimited(
    source: FileSource,
    name: str,
    *,
    separator: str,
    columns: Mapping[str, pa.DataType],
    required: Collection[str],
) -> pa.Table:
    """Reads a latin-1 file of one row per line; an empty field is null and an empty line is skipped.

    Args:
        source: Archive or folder of the file.
        name: Name of the file in `source`.
        separator: Separator of the fields, one character or more.
        columns: Name and type (int64, float32 or string) of every field of a line, in order.
        required: Columns that may not be null.

    Returns:
        The table, its columns in the order of `columns`.

    Raises:
        DataError: if the file is empty, or a line has the wrong number of fields, a field of the wrong type, or an
            empty required field.
    """
    data = source.read(name)
    if not data.strip():
        raise DataError("the file is empty", path=source.where(name), expected="one row per line")
    mark = separator.encode()
    if len(mark) > 1:
        data, mark = data.replace(mark, _UNIT_SEPARATOR), _UNIT_SEPARATOR
    try:
        table = pacsv.read_csv(
            io.BytesIO(data),
            read_options=pacsv.ReadOptions(column_names=list(columns), encoding="latin-1"),
            parse_options=pacsv.ParseOptions(delimiter=mark.decode(), quote_char=False, double_quote=False),
            convert_options=pacsv.ConvertOptions(column_types=columns, null_values=[""], strings_can_be_null=True),
        )
    except pa.ArrowInvalid as error:
        _raise_first_fault(data, mark, columns, required, source.where(name))
        raise DataError(f"the file cannot be parsed ({error})", path=source.where(name), fix=_FIX) from None
    if any(table[column].null_count for column in required) or not _all_finite(table):
        _raise_first_fault(data, mark, columns, required, source.where(name))
    return table


def _all_finite(table: pa.Table) -> bool:
    numbers = (column for column in table.columns if pa.types.is_floating(column.type))
    return all(math.isfinite(value) for column in numbers for value in column.unique().to_pylist() if value is not None)


def _raise_first_fault(
    data: bytes, mark: bytes, columns: Mapping[str, pa.DataType], required: Collection[str], where: str
) -> None:
    """Raises an error for the first faulty line; in plain Python, because Arrow's errors lack the line."""
    for number, line in enumerate(re.split(b"\r\n|\n|\r", data), start=1):  # as Arrow splits lines
        fields = line.split(mark)
        if fields == [b""]:
            continue
        if len(fields) != len(columns):
            raise DataError(
                f"line {number} is incomplete",
                path=where,
                expected=f"{len(columns)} fields ({', '.join(list(columns)[:6])}{', ...' if len(columns) > 6 else ''})",
                got=f"{len(fields)}",
                fix=_FIX,
            )
        for (column, dtype), field in zip(columns.items(), fields, strict=True):
            text = field.decode("latin-1")
            if not text and column in required:
                problem = f"the field is empty in line {number}"
            elif text and not _is_valid(text, dtype):
                problem = f"wrong value in line {number}"
            else:
                continue
            kind = "an integer" if pa.types.is_integer(dtype) else "a number"
            expected = "text" if pa.types.is_string(dtype) else kind
            raise DataError(problem, path=where, column=column, expected=expected, got=repr(text[:40]), fix=_FIX)


def _is_valid(text: str, dtype: pa.DataType) -> bool:
    try:
        if pa.types.is_integer(dtype):
            return -(2**63) <= int(text) < 2**63
        return not pa.types.is_floating(dtype) or math.isfinite(float(text))
    except ValueError:
        return False
