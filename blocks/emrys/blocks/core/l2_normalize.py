"""L2 normalization of vectors."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

#: Squared lengths below this count as this, so that a vector of zeros stays one.
SMALLEST_SQUARE = 1e-12


def l2_normalize(values: tf.Tensor | tf.RaggedTensor, axis: int = -1) -> Any:
    """Divides dense `values` by `sqrt(max(Σ values², 1e-12))`, computed in float32 at least."""
    wide = tf.cast(values, tf.float32) if values.dtype in (tf.float16, tf.bfloat16) else values
    return tf.cast(tf.math.l2_normalize(wide, axis=axis, epsilon=SMALLEST_SQUARE), values.dtype)
