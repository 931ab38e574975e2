"""Reading some rows of a large variable."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


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
