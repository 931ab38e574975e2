"""Row lookup in embedding tables, combiners for lists of rows, and gradients of looked-up rows."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.errors import DataError

#: Names of the ways to combine the rows of a list into one.
COMBINERS = ("mean", "sum", "sqrtn")

_USE_GATHER_ND: contextvars.ContextVar[bool] = contextvars.ContextVar("use_gather_nd", default=False)


@contextlib.contextmanager
def use_gather_nd(enabled: bool) -> Iterator[None]:
    """Context manager in which `read_rows` uses `tf.gather_nd`.

    Where the rows come from main memory, `tf.gather` takes a third longer. XLA cannot compile `tf.gather_nd` of a
    variable, so `Model.train_step` enables it only without `jit_compile`; a custom training loop can do
    the same. It stays off for graphs that are saved.

    Args:
        enabled: Whether to use `tf.gather_nd`.
    """
    token = _USE_GATHER_ND.set(enabled)
    try:
        yield
    finally:
        _USE_GATHER_ND.reset(token)


def look_up(table: keras.Variable, ids: tf.Tensor, size: int, dtype: str, owner: str) -> Any:
    """Looks up the rows of `ids` in `table`.

    Args:
        table: Variable (size, D).
        ids: Ids of any shape.
        size: Number of rows.
        dtype: Type of the result.
        owner: Name of the table and of the layer that reads it, for error messages.

    Returns:
        Tensor of the shape of `ids` followed by D.

    Merlin Models looks such ids up silently (docs/coming-from-merlin-models.md).

    Raises:
        DataError: if an id has no row, in eager mode. A graph raises `tf.errors.InvalidArgumentError` when it runs;
            XLA drops such checks, so a graph compiled by it returns NaN for the id.
    """
    ids, inside = checked_ids(ids, size, owner)
    # The variable's value, not the Keras variable: its gradient is sparse (`tf.IndexedSlices`).
    rows = tf.cast(read_rows(table.value, ids), dtype)
    return rows + tf.expand_dims(nan_outside(inside, rows.dtype), -1)


def checked_ids(ids: tf.Tensor, size: int, owner: str) -> tuple[Any, Any]:
    """Returns `ids` as int64 after checking their range, and the mask of those in range; see `look_up`."""
    ids = tf.cast(ids, "int64")
    inside = tf.logical_and(ids >= 0, ids < size)
    if tf.executing_eagerly() and not tf.reduce_all(inside):
        invalid_id = int(tf.boolean_mask(ids, tf.logical_not(inside))[0])
        raise DataError(f"{owner}: an id has no row", expected=f"0 to {size - 1}", got=str(invalid_id), fix=_FIX)
    message = f"{owner}: an id has no row; expected 0 to {size - 1}. {_FIX}"
    with tf.control_dependencies(_checks(ids, inside, message)):
        return tf.identity(ids), inside


def nan_outside(inside: tf.Tensor, dtype: str | keras.DTypePolicy | None) -> Any:
    """0 where `inside` is true and NaN elsewhere; under XLA, which drops checks, NaN marks the invalid ids."""
    return tf.where(inside, tf.zeros((), dtype), tf.constant(float("nan"), dtype))


# Without quotation marks, which TensorFlow would escape in the message of a graph.
_FIX = "Raise the maximum of the column's domain, or map unknown ids to a known one."


def _checks(ids: Any, inside: Any, message: str) -> list[Any]:
    if tf.executing_eagerly():
        return []
    details = [message, "The ids lie between", tf.reduce_min(ids), "and", tf.reduce_max(ids)]
    return [tf.debugging.Assert(tf.reduce_all(inside), details)]


def combine(rows: tf.Tensor | tf.RaggedTensor, combiner: str) -> Any:
    """Combines each list of rows into one row: mean, sum, or sum divided by the root of the length; zeros if empty.

    Args:
        rows: (B, L, D), dense or ragged.
        combiner: One of `COMBINERS`.

    Returns:
        (B, D)
    """
    if isinstance(rows, tf.RaggedTensor):
        total = tf.math.unsorted_segment_sum(rows.values, rows.value_rowids(), rows.nrows())
        length = tf.cast(rows.row_lengths()[:, tf.newaxis], total.dtype)
    else:
        total = tf.reduce_sum(rows, axis=1)
        length = tf.cast(tf.shape(rows)[1], total.dtype)
    if combiner == "sum":
        return total
    return tf.math.divide_no_nan(total, length if combiner == "mean" else tf.sqrt(length))


def read_rows(variable: tf.Variable, rows: tf.Tensor) -> tf.Tensor:
    """Reads rows of a variable, with `tf.gather_nd` inside `use_gather_nd` and with `tf.gather` elsewhere.

    Args:
        variable: `tf.Variable`, (N, ...).
        rows: Row indices, of any shape.

    Returns:
        Tensor of the shape of `rows` followed by that of a row. The gradient is sparse (`tf.IndexedSlices`).
    """
    if not _USE_GATHER_ND.get():
        return tf.gather(variable, rows)
    if rows.shape.rank == 1:
        return tf.gather_nd(variable, rows[:, tf.newaxis])
    # Flat indices: with indices of more dimensions, the gradient would be dense.
    flat = tf.gather_nd(variable, tf.reshape(rows, [-1, 1]))
    return tf.reshape(flat, tf.concat([tf.shape(rows), tf.shape(flat)[1:]], axis=0))


def distinct_rows(gradients: list[tf.Tensor], optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """Sums the slices of each row for an optimizer that would take each slice for a row of its own.

    Keras 2 did this before an update. The optimizers of Keras 3 do not: for an id that a batch holds more than once,
    their second moments would be sums of squares, not squares of sums.

    Args:
        gradients: One for each variable; None where there is none.
        optimizer: The optimizer that gets them. One with `sums_duplicate_rows` sums by itself.

    Returns:
        The gradients, sparse or dense as before.
    """
    if getattr(optimizer, "sums_duplicate_rows", False):
        return gradients
    return [sum_duplicate_rows(gradient) for gradient in gradients]


def sum_duplicate_rows(gradient: tf.Tensor) -> Any:
    """Sums the slices of each row, so that every row occurs once.

    Args:
        gradient: `tf.IndexedSlices` of N rows, possibly repeated, or a dense tensor.

    Returns:
        `tf.IndexedSlices` of at most N distinct rows; a dense tensor is returned unchanged.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, segments = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, segments, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)
