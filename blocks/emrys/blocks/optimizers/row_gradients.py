"""Gradients of embedding tables, which name the rows that they are of (`tf.IndexedSlices`), beside dense ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def summed(gradient: Any) -> Any:
    """The gradient with each row named once: what comes for a row several times is added up.

    Args:
        gradient: `tf.IndexedSlices` of N rows, possibly repeated, or a dense tensor.

    Returns:
        `tf.IndexedSlices` of at most N different rows; a dense tensor as it is.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, places = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def mapped(function: Callable[[Any], Any], gradient: Any) -> Any:
    """Applies a function, which leaves zeros alone, to every value of a gradient."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(function(gradient.values), gradient.indices, gradient.dense_shape)
    return function(gradient)


def clipped(
    gradients: list[Any],
    norm: float | None = None,
    global_norm: float | None = None,
    value: float | None = None,
) -> list[Any]:
    """Clips gradients; those of tables have to be `summed` before.

    Args:
        gradients: One for each variable.
        norm: Greatest norm of each. Default: none.
        global_norm: Greatest norm of all together. Default: none.
        value: Greatest absolute value. Default: none.

    Returns:
        The gradients, of the kinds that they were.
    """
    if norm:
        return [tf.clip_by_norm(gradient, norm) for gradient in gradients]
    if global_norm:
        return list(tf.clip_by_global_norm(gradients, global_norm)[0])
    if value:
        return [mapped(lambda values: tf.clip_by_value(values, -value, value), gradient) for gradient in gradients]
    return gradients


def rows_of(gradient: Any) -> Any:
    """The rows of a dense gradient that are not zero, as `tf.IndexedSlices`."""
    used = tf.reduce_any(tf.not_equal(gradient, 0), axis=list(range(1, len(gradient.shape))))
    rows = tf.reshape(tf.where(used), [-1])
    return tf.IndexedSlices(tf.gather(gradient, rows), rows, tf.shape(gradient, "int64"))
