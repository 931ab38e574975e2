"""Packing raw rows into the arrays of a request."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emrys.blocks.errors import DataError
from emrys.components.serving.columns import NULL_FLOAT32, NULL_INT64, NULL_STRING, Column, Columns

#: Rows one by one, or column by column.
Rows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]

_INT64 = range(-(2**63), 2**63)


def pack(rows: Rows, columns: Sequence[Column]) -> Columns:
    """Packs raw rows into arrays.

    None (and NaN, for any column) is null: NaN for float32, -2**63 for int64, "" for strings, an empty list for
    lists, and a vector of nulls for vectors. Lists are padded on the right to the longest, and to a length of at least
    1. Other columns are ignored.

    Args:
        rows: A list of rows, or a list of values per column.
        columns: Inputs of the model.

    Returns:
        Scalars (B, 1), lists (B, L), vectors (B, D); strings as objects (bytes).

    Raises:
        DataError: if a column is missing or a value has the wrong type; the message names the column and the row.
    """
    by_column = _by_column(rows, columns)
    lengths = {len(values) for values in by_column.values()}
    if len(lengths) > 1:
        raise DataError("the columns differ in length", got=", ".join(map(str, sorted(lengths))))
    return {column.name: _pack_column(column, by_column[column.name]) for column in columns}


def _by_column(rows: Rows, columns: Sequence[Column]) -> dict[str, Sequence[Any]]:
    if isinstance(rows, Mapping):
        missing = [column.name for column in columns if column.name not in rows]
        if missing:
            raise DataError("a column is missing", column=missing[0], got=", ".join(rows) or "no columns")
        return {column.name: rows[column.name] for column in columns}
    for index, row in enumerate(rows):
        for column in columns:
            if column.name not in row:
                raise DataError(
                    f"row {index} lacks the column",
                    column=column.name,
                    got=", ".join(row) or "an empty row",
                    fix="Use null for a missing value.",
                )
    return {column.name: [row[column.name] for row in rows] for column in columns}


def _pack_column(column: Column, values: Sequence[Any]) -> npt.NDArray[Any]:
    if not column.is_list:
        packed = np.empty((len(values), 1), dtype=column.numpy_dtype)
        for index, value in enumerate(values):
            packed[index, 0] = _scalar(column, index, value)
        return packed
    lists = [_elements(column, index, value) for index, value in enumerate(values)]
    if column.length is not None:
        for index, elements in enumerate(lists):
            if len(elements) not in (0, column.length):
                raise DataError(
                    f"row {index} has a vector of the wrong length",
                    column=column.name,
                    expected=str(column.length),
                    got=str(len(elements)),
                )
    width = column.length or max([1, *map(len, lists)])
    packed = np.full((len(lists), width), _null(column), dtype=column.numpy_dtype)
    for index, elements in enumerate(lists):
        for position, element in enumerate(elements):
            packed[index, position] = _scalar(column, index, element)
    return packed


def _elements(column: Column, index: int, value: Any) -> Sequence[Any]:
    if _is_null(value):
        return ()
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
        raise _type_error(column, index, f"a list of {column.dtype}", value)
    return value  # type: ignore[return-value]


def _scalar(column: Column, index: int, value: Any) -> Any:
    if _is_null(value):
        return _null(column)
    if column.dtype == "string":
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, bytes):
            return value
    elif not isinstance(value, (bool, np.bool_)):
        if column.dtype == "float32" and isinstance(value, numbers.Real):
            return float(value)
        if isinstance(value, numbers.Integral) and int(value) in _INT64:
            return int(value)
    raise _type_error(column, index, column.dtype, value)


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


def _null(column: Column) -> Any:
    return {"int64": NULL_INT64, "float32": NULL_FLOAT32, "string": NULL_STRING}[column.dtype]


def _type_error(column: Column, index: int, expected: str, value: Any) -> DataError:
    return DataError(
        f"row {index} has a value of the wrong type",
        column=column.name,
        expected=expected,
        got=f"{value!r:.60} ({type(value).__name__})",
    )
