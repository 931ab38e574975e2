"""From what is stored to what a tensor can hold, still as Arrow, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.blocks.loader.columns import LoaderColumn, misfit

FILL_NULLS = "Fill the nulls when the data is preprocessed."


def convert(batch: pa.RecordBatch, columns: Sequence[LoaderColumn], path: str, place: str) -> pa.RecordBatch:
    """Gives columns the type that they have in the tensors; without a copy where they have it already.

    Args:
        batch: At least one row.
        columns: What shall come out: numbers without nulls, lists of them, or lists of one length of them.
        path: File that the batch comes from, for errors.
        place: Where in the file, for errors.

    Raises:
        DataError: A column is missing, holds nulls, has a type that does not fit, numbers out of range, or lists of a
            wrong length.
    """
    made: dict[str, pa.Array] = {}
    for column in columns:
        position = batch.schema.get_field_index(column.name)
        if position < 0:
            raise missing_column(column.name, path, batch.schema.names)
        array = batch.column(position)
        expected = misfit(column, array.type)
        if expected is not None:
            raise wrong_type(column.name, path, expected, array.type)
        try:
            made[column.name] = _list_column(array, column) if column.is_list else _numbers(array, column.dtype)
        except _UnfitError as error:
            raise DataError(
                error.problem, path=path, column=column.name, expected=error.expected,
                got=f"{error.got} in {place}", fix=error.fix,
            ) from None  # fmt: skip
    return pa.RecordBatch.from_pydict(made)


def missing_column(name: str, path: str, present: Sequence[str]) -> DataError:
    """The error about a column that is not in the data."""
    return DataError("the column is missing", path=path, column=name, expected=f"one of {', '.join(present)}")


def wrong_type(name: str, path: str, expected: str, arrow_type: pa.DataType) -> DataError:
    """The error about a column whose type cannot become the tensor that is asked for."""
    return DataError("the type does not fit", path=path, column=name, expected=expected, got=str(arrow_type))


def null_values(name: str, path: str, count: int, place: str) -> DataError:
    """The error about a column with nulls."""
    return DataError(
        "the column has nulls", path=path, column=name, expected="a value in every row",
        got=f"{count} nulls in {place}", fix=FILL_NULLS,
    )  # fmt: skip


class _UnfitError(Exception):
    def __init__(self, problem: str, expected: str, got: str, fix: str | None = None) -> None:
        super().__init__(problem)
        self.problem, self.expected, self.got, self.fix = problem, expected, got, fix


def _numbers(array: pa.Array, dtype: np.dtype[Any], expected: str = "a value in every row") -> pa.Array:
    if array.null_count:
        raise _UnfitError("the column has nulls", expected, f"{array.null_count} nulls", FILL_NULLS)
    wanted = pa.from_numpy_dtype(dtype)
    if array.type == wanted:
        return array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        # Only integers to narrower integers can go wrong; floats may lose digits.
        return array.cast(wanted, safe=dtype.kind in "iu")
    except pa.ArrowInvalid as error:
        raise _UnfitError("a number is out of range", str(dtype), str(error)) from error


def _list_column(array: pa.Array, column: LoaderColumn) -> pa.Array:
    if array.null_count:
        expected = "a list, possibly an empty one, in every row"
        raise _UnfitError("the column has nulls", expected, f"{array.null_count} nulls", FILL_NULLS)
    lengths = pc.list_value_length(array).to_numpy().astype(np.int64)
    # `flatten` minds that the array may be a slice of a longer one; `values` would not.
    elements = _numbers(array.flatten(), column.dtype, "a value in every place of every list")
    if column.length is None:
        offsets = np.zeros(len(array) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        return pa.ListArray.from_arrays(pa.array(offsets), elements)
    wrong = np.flatnonzero(lengths != column.length)
    if len(wrong) and column.exact:
        got = f"one of {lengths[wrong[0]]}"
        raise _UnfitError("the lists differ in length", f"lists of {column.length}", got)
    if len(wrong):
        elements = _padded(elements.to_numpy(zero_copy_only=False), lengths, column.length)
    return pa.FixedSizeListArray.from_arrays(elements, column.length)


def _padded(elements: Any, lengths: Any, length: int) -> pa.Array:
    """Cuts lists at the end, or fills them up with zeros on the right, to one length."""
    starts = np.cumsum(lengths) - lengths
    inside = np.arange(length) < np.minimum(lengths, length)[:, None]
    dense = np.zeros(inside.shape, elements.dtype)
    dense[inside] = elements[(starts[:, None] + np.arange(length))[inside]]
    return pa.array(dense.reshape(-1))
