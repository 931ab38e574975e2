"""Dropout for dense and sparse tensors."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("emrys")
class ValueDropout(keras.layers.Dropout):
    """`keras.layers.Dropout` that also takes a `tf.SparseTensor`, whose stored values it drops.

    Args:
        rate: Fraction of the values that are set to 0 in training; the others are scaled by `1 / (1 - rate)`.
        **kwargs: The other arguments of `keras.layers.Dropout`.

    Input shape:
        (B, …), dense or sparse

    Output shape:
        The input's.

    Example:
        >>> import numpy as np
        >>> ValueDropout(0.5)(np.ones((1, 2))).numpy().tolist()  # not in training
        [[1.0, 1.0]]
    """

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Drops values in training."""
        if isinstance(inputs, tf.SparseTensor):
            return inputs.with_values(super().call(inputs.values, training=training))
        return super().call(inputs, training=training)
