"""Validation of the columns of a request."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emrys.blocks.errors import DataError
from emrys.blocks.workflow.columns import RawColumn

_EXACT = {"int64": np.dtype(np.int64), "float32": np.dtype(np.float32)}


def nearest(name: str, names: Iterable[str]) -> str | None:
    """A suggestion of the most similar name, for an error message, or None."""
    names = list(names)
    lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"Did you mean {lower[close[0]]!r}?" if close else None


def check_names(columns: Mapping[str, Any], raw_columns: Iterable[RawColumn]) -> None:
    """Checks that a request has exactly the raw columns.

    Raises:
        DataError: if a column is missing or unknown.
    """
    wanted = [column.name for column in raw_columns]
    missing = [name for name in wanted if name not in columns]
    unknown = [name for name in columns if name not in wanted]
    if missing:
        hint = nearest(missing[0], unknown)
        raise DataError("the column is missing", column=missing[0], expected=f"{', '.join(wanted)}", fix=hint)
    if unknown:
        raise DataError("the column is unknown", column=unknown[0], expected=f"{', '.join(wanted)}")


def read_column(column: RawColumn, values: NDArray[Any]) -> NDArray[Any]:
    """Checks the type and shape of a column and normalizes its shape.

    Args:
        column: The expected column.
        values: Scalars (B,) or (B, 1), lists (B, L).

    Returns:
        Scalars (B,), lists (B, L); int64, float32, or objects for strings.

    Raises:
        DataError: if the type or the shape is wrong.
    """
    values = np.asarray(values)
    if column.is_list:
        length = "L" if column.length is None else str(column.length)
        if values.ndim != 2 or values.shape[1] != (column.length or values.shape[1]):
            raise _shape_error(column, f"(B, {length})", values)
    elif values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    elif values.ndim != 1:
        raise _shape_error(column, "(B,) or (B, 1)", values)
    if values.dtype == _EXACT.get(column.dtype) or (column.dtype == "string" and values.dtype.kind in "OSU"):
        return values
    if column.dtype == "int64" and values.dtype.kind in "iu" and np.can_cast(values.dtype, np.int64, "safe"):
        return values.astype(np.int64)
    if column.dtype == "float32" and values.dtype.kind == "f":
        with np.errstate(over="ignore"):  # overflow becomes infinity, a missing value
            return values.astype(np.float32)
    kind = "strings (str or bytes)" if column.dtype == "string" else column.dtype
    raise DataError("the column has the wrong type", column=column.name, expected=kind, got=str(values.dtype))


def check_rows(rows: Mapping[str, int]) -> None:
    """Checks that all columns have the same number of rows.

    Raises:
        DataError: if they differ.
    """
    first = next(iter(rows))
    for name, number in rows.items():
        if number != rows[first]:
            raise DataError(
                "the columns have different numbers of rows",
                column=name,
                expected=f"{rows[first]}, as in {first!r}",
                got=str(number),
            )


def _shape_error(column: RawColumn, expected: str, values: NDArray[Any]) -> DataError:
    return DataError("the column has the wrong shape", column=column.name, expected=expected, got=str(values.shape))
