"""The sum over the last axis."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape


@keras.saving.register_keras_serializable("emrys")
class FactorSum(Block):
    """Sums a vector: `y = Σ_d x_d`, which makes a factorization machine's logit of what `FMPairwiseInteraction` gives.

    Input shape:
        (B, D)

    Output shape:
        (B, 1)

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.FactorSum()(np.array([[45.0, 64.0]])).numpy().tolist()
        [[109.0]]
    """

    def call(self, inputs: Any) -> Any:
        """Gives the sum."""
        return tf.reduce_sum(inputs, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, 1)."""
        return (*as_shape(input_shape)[:-1], 1)
