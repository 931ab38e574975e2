"""All pairs of features, as a factorization machine takes them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class FMPairwiseInteraction(Block):
    """Sum over all pairs of feature vectors of their element-wise products, in linear time.

    `Σ_{i<j} v_i ⊙ v_j = ((Σ_i v_i)² - Σ_i v_i²) / 2`

    Args:
        context: See `Block`. Default: none.
        **kwargs: What every layer takes: `name`, `dtype`, `trainable`.

    Input shape:
        (B, F, D)

    Output shape:
        (B, D)

    Raises:
        ConfigError: when built, if the input has not three axes.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.FMPairwiseInteraction()(np.array([[[3.0, 4.0], [5.0, 6.0], [1.0, 0.0]]])).numpy().tolist()
        [[23.0, 24.0]]

    Reference:
        Rendle, "Factorization Machines", ICDM 2010, https://doi.org/10.1109/ICDM.2010.127.
    """

    def build(self, input_shape: Shape) -> None:
        """Checks the shape."""
        self.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Gives the sum over all pairs."""
        square_of_sum = tf.square(tf.reduce_sum(inputs, axis=1))
        sum_of_squares = tf.reduce_sum(tf.square(inputs), axis=1)
        return (square_of_sum - sum_of_squares) / 2

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D)."""
        shape = as_shape(input_shape)
        if len(shape) != 3:
            raise ConfigError(f"{self.name} combines feature vectors", expected="shape (B, F, D)", got=str(shape))
        return (shape[0], shape[2])
