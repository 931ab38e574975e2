"""Operations on gradients, sparse ones of embedding tables (`tf.IndexedSlices`) or dense ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def map_values(function: Callable[[tf.Tensor], tf.Tensor], gradient: tf.Tensor) -> Any:
    """Applies an element-wise function with f(0) = 0 to the values of a gradient."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(function(gradient.values), gradient.indices, gradient.dense_shape)
    return function(gradient)


def clip_gradients(
    gradients: list[tf.Tensor | tf.IndexedSlices],
    norm: float | None = None,
    global_norm: float | None = None,
    value: float | None = None,
) -> list[Any]:
    """Clips gradients; apply `sum_duplicate_rows` to sparse ones first.

    Args:
        gradients: One for each variable.
        norm: Maximum norm of each gradient. Default: no limit.
        global_norm: Maximum norm of all gradients together. Default: no limit.
        value: Maximum absolute value. Default: no limit.

    Returns:
        The clipped gradients, sparse or dense as before.
    """
    if norm:
        return [tf.clip_by_norm(gradient, norm) for gradient in gradients]
    if global_norm:
        return list(tf.clip_by_global_norm(gradients, global_norm)[0])
    if value:
        return [map_values(lambda values: tf.clip_by_value(values, -value, value), gradient) for gradient in gradients]
    return gradients


def nonzero_rows(gradient: tf.Tensor) -> tf.IndexedSlices:
    """The non-zero rows of a dense gradient, as `tf.IndexedSlices`."""
    used = tf.reduce_any(tf.not_equal(gradient, 0), axis=list(range(1, len(gradient.shape))))
    rows = tf.reshape(tf.where(used), [-1])
    return tf.IndexedSlices(tf.gather(gradient, rows), rows, tf.shape(gradient, "int64"))
