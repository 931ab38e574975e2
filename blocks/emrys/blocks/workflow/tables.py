"""Arrow tables: types and cleaning of raw columns, conversion to requests, and of results to tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emrys.blocks.errors import DataError
from emrys.blocks.workflow.columns import OutputColumn, RawColumn
from emrys.blocks.workflow.reserved_ids import NULL_INT, PADDING

_TYPES = {"int64": pa.int64(), "float32": pa.float32(), "string": pa.string()}


def raw_type(column: RawColumn) -> pa.DataType:
    """Arrow type of a raw column."""
    return pa.list_(_TYPES[column.dtype]) if column.is_list else _TYPES[column.dtype]


def cast_column(column: RawColumn, values: pa.ChunkedArray) -> pa.Array:
    """Casts a column to the type of the raw column, from other integers and floats, large or dictionary strings.

    Raises:
        DataError: if the type is incompatible, or a value is out of range.
    """
    expected = raw_type(column)
    actual = values.type
    try:
        if _is_compatible(expected, actual):
            cast = values.cast(expected, safe=not pa.types.is_floating(expected))
            return cast.combine_chunks() if isinstance(cast, pa.ChunkedArray) else cast
    except pa.ArrowInvalid:
        pass
    raise DataError("the column has the wrong type", column=column.name, expected=str(expected), got=str(actual))


def clean_column(column: RawColumn, values: pa.Array) -> pa.Array:
    """Replaces missing values (the empty string, NaN, infinities) by null, and removes them from lists of any length.

    Args:
        column: The raw column.
        values: The values, of the type of the raw column.

    Returns:
        The values, of the same type. A null list becomes an empty one, a null vector one of nulls.

    Raises:
        DataError: if a vector has another length than the column.
    """
    if column.length is not None:
        return _clean_vectors(column, values)
    if column.is_list:
        return _clean_lists(RawColumn(column.name, column.dtype), values)
    if column.dtype == "string":
        return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
    if column.dtype == "float32":
        return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float32()))
    return pc.if_else(pc.equal(values, NULL_INT), pa.scalar(None, pa.int64()), values)


def to_request(table: pa.Table, raw_columns: Sequence[RawColumn]) -> dict[str, NDArray[Any]]:
    """The raw columns of a table as a request.

    Args:
        table: The table; other columns are ignored.
        raw_columns: The columns of a request.

    Returns:
        Scalars (B,), lists (B, L), nulls as their replacement value.
    """
    request = {}
    for column in raw_columns:
        if column.name not in table.column_names:
            continue
        values = cast_column(column, table[column.name])
        request[column.name] = _dense(column, values) if column.is_list else _scalars(column, values)
    return request


def from_response(response: Mapping[str, NDArray[Any]], columns: Sequence[OutputColumn]) -> pa.Table:
    """The results as a table: int64 or float32, and lists of them without their padding."""
    arrays = []
    for column in columns:
        values = response[column.name]
        if not column.is_list:
            arrays.append(pa.array(values[:, 0]))
            continue
        valid = ~np.isnan(values) if column.dtype == "float32" else values != PADDING
        offsets = np.concatenate([[0], valid.sum(axis=1).cumsum()]).astype(np.int32)
        arrays.append(pa.ListArray.from_arrays(pa.array(offsets), pa.array(values[valid], _TYPES[column.dtype])))
    return pa.table(arrays, names=[column.name for column in columns])


def _is_compatible(expected: pa.DataType, actual: pa.DataType) -> bool:
    if pa.types.is_list(expected):
        is_list = pa.types.is_list(actual) or pa.types.is_large_list(actual) or pa.types.is_fixed_size_list(actual)
        return is_list and (
            _is_compatible(expected.value_type, actual.value_type) or pa.types.is_null(actual.value_type)
        )
    if pa.types.is_dictionary(actual):
        actual = actual.value_type
    if pa.types.is_integer(expected):
        return bool(pa.types.is_integer(actual))
    if pa.types.is_floating(expected):
        return bool(pa.types.is_floating(actual) or pa.types.is_integer(actual))
    return bool(pa.types.is_string(actual) or pa.types.is_large_string(actual))


def _clean_lists(element: RawColumn, lists: pa.Array) -> pa.Array:
    """Removes missing elements, in one pass over the elements of all lists."""
    parents = pc.list_parent_indices(lists)
    elements = clean_column(element, pc.list_flatten(lists))
    valid = pc.is_valid(elements)
    lengths = np.bincount(parents.filter(valid).to_numpy(zero_copy_only=False), minlength=len(lists))
    offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), elements.filter(valid))


def _clean_vectors(column: RawColumn, lists: pa.Array) -> pa.Array:
    """Vectors with nulls for missing elements, and for all elements of a missing vector."""
    lengths = pc.list_value_length(lists)
    wrong = pc.filter(lengths, pc.not_equal(lengths, column.length))
    if len(wrong):
        expected, got = f"lists of {column.length}", f"one of {wrong[0]}"
        raise DataError("the vectors differ in length", column=column.name, expected=expected, got=got)
    dtype = _TYPES[column.dtype]
    nothing = pa.scalar([None] * (column.length or 0), pa.list_(dtype))
    lists = pc.if_else(pc.is_null(lists), nothing, lists)
    elements = clean_column(RawColumn(column.name, column.dtype), pc.list_flatten(lists))
    offsets = np.arange(len(lists) + 1, dtype=np.int32) * (column.length or 0)
    return pa.ListArray.from_arrays(pa.array(offsets), elements)


def _scalars(column: RawColumn, values: pa.Array) -> NDArray[Any]:
    if column.dtype == "int64":
        return np.asarray(values.fill_null(NULL_INT).to_numpy(zero_copy_only=False))
    if column.dtype == "float32":
        return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float32)
    return np.array(values.fill_null("").to_pylist(), dtype=object)


def _dense(column: RawColumn, lists: pa.Array) -> NDArray[Any]:
    """Lists as (B, L), padded with the replacement value of null."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    elements = _scalars(RawColumn(column.name, column.dtype), pc.list_flatten(lists))
    longest = int(lengths.max(initial=0)) if column.length is None else column.length
    nulls: dict[str, Any] = {"string": "", "int64": NULL_INT, "float32": np.nan}
    dense = np.full((len(lists), longest), nulls[column.dtype], dtype=elements.dtype)
    dense[np.arange(longest) < lengths[:, np.newaxis]] = elements
    return dense
