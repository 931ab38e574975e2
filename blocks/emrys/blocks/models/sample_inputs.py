"""Random batches of a schema, and the types and shapes of its columns' tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import SchemaError

#: Length of lists and number of ids, if the schema does not give them.
_LENGTH, _IDS = 4, 2


def sample_inputs(schema: Schema, batch_size: int) -> dict[str, Any]:
    """Returns random features that fit a schema.

    Args:
        schema: The columns. Ids come from their domain, lists are as long as their value count says.
        batch_size: Number of rows, B.

    Returns:
        Tensors by name, float32 or integers. Scalars are (B, 1), lists ragged (B, None) or dense (B, L); lists of
        vectors have a last axis D. Lists with the same bounds have the same lengths, like the lists of a session.
    """
    draw = np.random.default_rng()
    lengths: dict[tuple[int, int], Any] = {}
    for column in schema:
        bounds = _bounds(column)
        lengths.setdefault(bounds, draw.integers(bounds[0], bounds[1] + 1, batch_size))
    return {column.name: _column(column, lengths[_bounds(column)], draw) for column in schema}


def column_dtype(column: ColumnSchema) -> tf.DType:
    """Returns the type of a column's tensor in a batch, float32 for every floating-point type.

    Raises:
        SchemaError: if the column is neither an integer nor a float.
    """
    try:
        dtype = tf.dtypes.as_dtype(column.dtype.to("numpy"))
    except (TypeError, ValueError):
        raise SchemaError(
            "the column has no type that can be served",
            column=column.name,
            expected="an integer or a float",
            got=str(column.dtype),
        ) from None
    return tf.float32 if dtype.is_floating else dtype


def fixed_length(column: ColumnSchema) -> int | None:
    """Returns the length of a list column with lists of equal length; None for other columns."""
    if not column.is_list or column.is_ragged:
        return None
    return next((int(dim.max) for dim in (column.shape.dims or ())[1:] if dim.max), None)


def vector_sizes(column: ColumnSchema) -> tuple[int, ...]:
    """Returns the shape of the elements of a list, (D,) for vectors and () for numbers."""
    dims = (column.shape.dims or ())[2:] if column.is_list else ()
    return tuple(int(dim.max) for dim in dims if dim.max)


def _bounds(column: ColumnSchema) -> tuple[int, int]:
    """The least and the greatest length of a list."""
    count = column.value_count
    least = int(count.min or 0) if count else 0
    return least, max(int(count.max or 0) if count else 0, least) or _LENGTH


def _column(column: ColumnSchema, lengths: Any, draw: np.random.Generator) -> Any:
    length, rows, inner = fixed_length(column), len(lengths), vector_sizes(column)
    if not column.is_list and Tags.EMBEDDING not in column.tags:
        return tf.constant(_values(column, (rows, 1), draw))
    if length is not None or not column.is_list:
        return tf.constant(_values(column, (rows, length or _LENGTH, *inner), draw))
    return tf.RaggedTensor.from_row_lengths(_values(column, (int(lengths.sum()), *inner), draw), lengths)


def _values(column: ColumnSchema, shape: tuple[int, ...], draw: np.random.Generator) -> Any:
    dtype = column_dtype(column)
    if dtype.is_floating:
        return draw.random(shape).astype(dtype.as_numpy_dtype)
    domain = column.int_domain
    most = int(domain.max) if domain is not None and domain.max else _IDS - 1
    least = int(domain.min or 0) if domain is not None else 0
    return draw.integers(least, most + 1, shape).astype(dtype.as_numpy_dtype)
