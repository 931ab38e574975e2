"""Conversion of the columns of a source to the types of a data schema."""

from __future__ import annotations

import binascii

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.components.contracts.data_schema import TIME_UNITS, DataColumn, Role

#: Seconds from 1970 to the year 3000; a larger time is of another unit.
_LATEST = 32_503_680_000
_EXPECTED = {"int64": "whole numbers", "float32": "numbers", "string": "texts"}


def convert_column(values: pa.ChunkedArray, column: DataColumn, path: str) -> pa.ChunkedArray:
    """Converts a column to its type in the splits.

    Numbers may have any width; booleans become 0 and 1, dates days since 1970, UUIDs their usual text. NaN and empty
    texts become null; in lists, null and empty elements are removed.

    Args:
        values: The column.
        column: What it is in the data schema.
        path: Path of the source, for messages.

    Raises:
        DataError: if the values do not fit.
    """
    try:
        if pa.types.is_null(values.type):
            return values.cast(column.arrow_type)
        if column.is_list:
            return _lists(values, column, path)
        if column.role is Role.TIME or column.unit:
            return _times(values, column, path)
        return _scalars(values, column.dtype)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        expected = _EXPECTED[column.dtype]
        raise DataError(
            f"the values do not fit ({error})",
            path=path,
            column=column.name,
            expected=f"lists of {expected}" if column.is_list else expected,
            got=str(values.type),
            fix="Correct the values, or change the role of the column in the recipe.",
        ) from None


def _scalars(values: pa.ChunkedArray, dtype: str) -> pa.ChunkedArray:
    values = _decoded(values)
    kind = values.type
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values)
    if dtype == "string":
        if pa.types.is_floating(kind):
            values = _whole(values)
        return pc.if_else(pc.equal(texts := values.cast(pa.string()), ""), pa.scalar(None, pa.string()), texts)
    if dtype == "float32":
        return values.cast(pa.float64()).cast(pa.float32())
    if pa.types.is_timestamp(kind):
        return values.cast(pa.timestamp("s", kind.tz), safe=False).cast(pa.int64())
    if pa.types.is_date64(kind):
        values = values.cast(pa.date32())
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    return values.cast(pa.int64())


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values of dictionaries, and UUIDs as texts."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if isinstance(values.type, pa.BaseExtensionType):
        values = pa.chunked_array([chunk.storage for chunk in values.chunks], values.type.storage_type)
    if pa.types.is_fixed_size_binary(values.type) and values.type.byte_width == 16:
        return pa.chunked_array([_uuids(chunk) for chunk in values.chunks], pa.string())
    return values


def _uuids(values: pa.FixedSizeBinaryArray) -> pa.Array:
    content = b"".join(values.fill_null(bytes(16)).cast(pa.binary()).to_pylist())
    signs = np.frombuffer(binascii.hexlify(content), "S1").reshape(-1, 32)
    text = np.insert(signs, (8, 12, 16, 20), b"-", axis=1).tobytes()
    offsets = pa.py_buffer(np.arange(0, 36 * (len(values) + 1), 36, dtype=np.int32))
    array = pa.StringArray.from_buffers(len(values), offsets, pa.py_buffer(text))
    return pc.if_else(values.is_valid(), array, pa.scalar(None, pa.string()))


def _whole(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats that are all whole numbers as integers, so that 35.0 becomes the text 35; others as they are."""
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        return values


def _lists(values: pa.ChunkedArray, column: DataColumn, path: str) -> pa.ChunkedArray:
    chunks = []
    for chunk in values.cast(pa.list_(values.type.value_type)).chunks if _is_list(values.type) else _refused(values):
        if column.length is not None:
            _check_lengths(chunk, column, path)
        elements = _scalars(pa.chunked_array([chunk.flatten()]), column.dtype).combine_chunks()
        offsets = np.concatenate([[0], np.cumsum(chunk.value_lengths().fill_null(0).to_numpy())])
        if elements.null_count and column.length is None:
            # The number of elements that remain before each place.
            kept = np.concatenate([[0], np.cumsum(elements.is_valid().to_numpy(zero_copy_only=False))])
            offsets, elements = kept[offsets], elements.drop_null()
        made = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), elements, mask=chunk.is_null())
        chunks.append(made)
    return pa.chunked_array(chunks, column.arrow_type)


def _is_list(dtype: pa.DataType) -> bool:
    return pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype)


def _refused(values: pa.ChunkedArray) -> list[pa.Array]:
    raise pa.ArrowInvalid(f"{values.type} is no list")


def _check_lengths(lists: pa.ListArray, column: DataColumn, path: str) -> None:
    lengths = lists.value_lengths().drop_null().to_numpy()
    wrong = lengths[lengths != column.length]
    if len(wrong) or lists.flatten().null_count:
        raise DataError(
            "the vectors are not of one length",
            path=path,
            column=column.name,
            expected=f"{column.length} numbers in every row",
            got=str(wrong[0]) if len(wrong) else "a null",
            fix="Correct the values, or name the column in columns.ignore.",
        )


def _times(values: pa.ChunkedArray, column: DataColumn, path: str) -> pa.ChunkedArray:
    values = _decoded(values)
    unit = column.unit or "s"
    if pa.types.is_string(values.type):
        values = _parsed(values)
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp(unit))
    if pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp(unit, values.type.tz), safe=False).cast(pa.int64())
    if pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
        values = pc.floor(pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values))
    values = values.cast(pa.int64())
    latest = pc.max(values).as_py()
    if latest is not None and latest > _LATEST * TIME_UNITS[unit]:
        raise DataError(
            "a time is past the year 3000",
            path=path,
            column=column.name,
            expected=f"times since 1970 in {unit}",
            got=str(latest),
            fix="Set columns.time.unit to that of the numbers, such as ms.",
        )
    return values


def _parsed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts in the form of ISO 8601 as times; those with an offset in UTC."""
    values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
    try:
        return values.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return values.cast(pa.timestamp("us", "UTC"))
