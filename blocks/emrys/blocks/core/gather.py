"""Looking rows of a table up, and making one row of a list of them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from emrys.blocks.errors import DataError

#: How the rows of a list become one, by name.
COMBINERS = ("mean", "sum", "sqrtn")


def look_up(table: Any, ids: Any, size: int, dtype: str, owner: str, training: bool | None = None) -> Any:
    """Gives the rows of `table` that `ids` name.

    Args:
        table: Variable (size, D).
        ids: Ids of any shape.
        size: Number of rows.
        dtype: Type of the result.
        owner: What the table, and what looks ids up in it, is called in an error.
        training: Whether this is a step of training, whose graph nobody saves. Default: None, which means that it is
            not.

    Returns:
        Tensor of the shape of `ids` and D behind it.

    Raises:
        DataError: if an id has no row, in eager mode. A graph raises `tf.errors.InvalidArgumentError` when it runs;
            one compiled by XLA, which drops checks, gives nan for such an id instead of the nearest row.
    """
    ids, inside = checked_ids(ids, size, owner)
    # The variable's value, not the variable: the gradient then names the rows of the batch, not the whole table.
    rows = tf.cast((read_rows if training else tf.gather)(table.value, ids), dtype)
    return rows + tf.expand_dims(nan_outside(inside, rows.dtype), -1)


def checked_ids(ids: Any, size: int, owner: str) -> tuple[Any, Any]:
    """Gives `ids` as int64, once they are known to have rows, and where they have; see `look_up`."""
    ids = tf.cast(ids, "int64")
    inside = tf.logical_and(ids >= 0, ids < size)
    if tf.executing_eagerly() and not tf.reduce_all(inside):
        stranger = int(tf.boolean_mask(ids, tf.logical_not(inside))[0])
        raise DataError(f"{owner}: an id has no row", expected=f"0 to {size - 1}", got=str(stranger), fix=_FIX)
    message = f"{owner}: an id has no row; expected 0 to {size - 1}. {_FIX}"
    with tf.control_dependencies(_checks(ids, inside, message)):
        return tf.identity(ids), inside


def nan_outside(inside: Any, dtype: Any) -> Any:
    """0 where an id has a row, nan where it has none: what XLA shows instead of an error."""
    return tf.where(inside, tf.zeros((), dtype), tf.constant(float("nan"), dtype))


# No quotation marks: TensorFlow would escape them in the message of a graph.
_FIX = "Give the domain a larger maximum, or map unknown ids to one that is there."


def _checks(ids: Any, inside: Any, message: str) -> list[Any]:
    if tf.executing_eagerly():
        return []
    found = [message, "The ids lie between", tf.reduce_min(ids), "and", tf.reduce_max(ids)]
    return [tf.debugging.Assert(tf.reduce_all(inside), found)]


def combine(rows: Any, combiner: str) -> Any:
    """Makes one row of each list: the mean, the sum, or the sum over the root of the length; zeros for no rows.

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


def read_rows(variable: Any, rows: Any) -> Any:
    """Reads rows of a variable the faster way.

    `tf.gather` takes a third longer where the rows come from main memory. It is what XLA compiles, so that it is used
    inside of what XLA compiles; a graph that is to be saved, and may be compiled later, should use it as well.

    Args:
        variable: `tf.Variable`, (N, ...).
        rows: Numbers of rows, of any shape.

    Returns:
        The shape of `rows`, and that of a row behind it. The gradient names the rows (`tf.IndexedSlices`).
    """
    if tf.__internal__.get_enclosing_xla_context() is not None:
        return tf.gather(variable, rows)
    if rows.shape.rank == 1:
        return tf.gather_nd(variable, rows[:, tf.newaxis])
    # One after the other: of rows of more dimensions the gradient would be as large as the variable.
    found = tf.gather_nd(variable, tf.reshape(rows, [-1, 1]))
    return tf.reshape(found, tf.concat([tf.shape(rows), tf.shape(found)[1:]], axis=0))
