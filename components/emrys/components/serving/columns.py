"""Columns of a Triton model: dtype and shape of its inputs and outputs, and the nulls of a request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.io import read_json, write_json
from emrys.blocks.workflow import OutputColumn, RawColumn

#: Columns of one request or batch by name: scalars (B, 1), lists (B, L).
Columns = dict[str, npt.NDArray[Any]]

#: Null of each dtype in a request. A null list is an empty list.
NULL_INT64 = -(2**63)
NULL_FLOAT32 = float("nan")
NULL_STRING = b""

_NUMPY: dict[str, npt.DTypeLike] = {"int64": np.int64, "float32": np.float32, "string": np.object_}


@dataclass(frozen=True)
class Column:
    """One input or output of a model in the repository.

    Args:
        name: Name of the tensor.
        dtype: `int64`, `float32` or `string`.
        is_list: Whether a row contains a list; lists are sent dense, (B, L), padded on the right. Default: False.
        cardinality: Number of ids of a categorical column, 0 to `cardinality` - 1. Default: None, not categorical.
        length: Length of every list, for vectors; they have no padding. Default: None, lists of any length.
    """

    name: str
    dtype: str
    is_list: bool = False
    cardinality: int | None = None
    length: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in _NUMPY:
            raise ConfigError(
                "the dtype of the column cannot be served",
                column=self.name,
                expected=", ".join(_NUMPY),
                got=repr(self.dtype),
            )

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """Dtype of its arrays; strings are objects (bytes)."""
        return np.dtype(_NUMPY[self.dtype])

    @property
    def width(self) -> int | None:
        """Number of values in each row; None if it differs."""
        return self.length if self.is_list else 1

    @classmethod
    def of(cls, column: RawColumn | OutputColumn) -> Column:
        """Converts a column of a fitted workflow."""
        return cls(
            name=column.name,
            dtype=column.dtype,
            is_list=column.is_list,
            cardinality=column.cardinality if isinstance(column, OutputColumn) else None,
            length=column.length,
        )

    def check(self, values: npt.NDArray[Any]) -> int:
        """Checks the shape and the dtype of an array of the column.

        Args:
            values: Scalars (B, 1), lists (B, L), vectors (B, D).

        Returns:
            The number of rows.

        Raises:
            DataError: if the shape or the dtype is wrong.
        """
        width = self.width
        if values.ndim != 2 or (width is not None and values.shape[1] != width):
            raise DataError(
                "an input has the wrong shape",
                column=self.name,
                expected=f"(B, {width or 'L'})",
                got=str(values.shape),
            )
        if values.dtype != self.numpy_dtype:
            raise DataError(
                "an input has the wrong dtype", column=self.name, expected=self.dtype, got=str(values.dtype)
            )
        return len(values)


def check_columns(columns: Sequence[Column], values: Mapping[str, npt.NDArray[Any]]) -> int:
    """Checks that `values` has every column, with the right shape and dtype and the same number of rows.

    Returns:
        The number of rows.

    Raises:
        DataError: naming the first column with an error.
    """
    rows: int | None = None
    for column in columns:
        if column.name not in values:
            raise DataError("an input is missing", column=column.name, got=", ".join(sorted(values)) or "nothing")
        count = column.check(values[column.name])
        if rows is not None and count != rows:
            raise DataError(
                "the inputs differ in their number of rows", column=column.name, expected=str(rows), got=str(count)
            )
        rows = count
    return rows or 0


def write_columns(path: str | os.PathLike[str], columns: Iterable[Column], **rest: Any) -> None:
    """Writes columns as JSON, together with further values."""
    write_json(path, {**rest, "columns": [asdict(column) for column in columns]})


def read_columns(path: str | os.PathLike[str]) -> tuple[tuple[Column, ...], dict[str, Any]]:
    """Reads a file of `write_columns`: the columns and the further values."""
    content = read_json(path)
    columns = tuple(Column(**column) for column in content.pop("columns"))
    return columns, content
