"""Function `l2_normalize`: scales dense vectors to length 1."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

#: Lower bound of the squared length, so that a zero vector stays zero.
SMALLEST_SQUARE = 1e-12


def l2_normalize(values: tf.Tensor, axis: int = -1) -> Any:
    """Divides dense `values` by `sqrt(max(Σ values², 1e-12))`, computed in float32 at least."""
    wide = tf.cast(values, tf.float32) if values.dtype in (tf.float16, tf.bfloat16) else values
    return tf.cast(tf.math.l2_normalize(wide, axis=axis, epsilon=SMALLEST_SQUARE), values.dtype)
