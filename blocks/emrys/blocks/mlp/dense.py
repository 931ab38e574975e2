"""A dense layer that takes dictionaries."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.aggregation import ConcatFeatures
from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape


@keras.saving.register_keras_serializable("emrys")
class Dense(keras.layers.Dense, Block):
    """`keras.layers.Dense` that concatenates a dictionary of features first.

    Args:
        units: Size of the output.
        activation: Activation function. Default: none.
        use_bias: Whether there is a bias. Default: True.
        kernel_initializer: Initializer of the weights. Default: `"glorot_uniform"`.
        bias_initializer: Initializer of the bias. Default: `"zeros"`.
        kernel_regularizer: Regularizer of the weights. Default: none.
        bias_regularizer: Regularizer of the bias. Default: none.
        activity_regularizer: Regularizer of the output. Default: none.
        kernel_constraint: Constraint of the weights. Default: none.
        bias_constraint: Constraint of the bias. Default: none.
        **kwargs: What every layer takes: `name`, `dtype`, `trainable`.

    Input shape:
        (B, D), (B, L, D) dense or ragged, or a dictionary of such tensors, which are concatenated in alphabetical order
        of their names.

    Output shape:
        (B, `units`), or (B, L, `units`)

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> tuple(mm.Dense(3)({"a": np.ones((2, 1)), "b": np.ones((2, 4))}).shape)
        (2, 3)
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        # mypy takes the next typed class for the next one: Keras has no types.
        super().__init__(
            units,  # type: ignore[arg-type]
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self._concat = ConcatFeatures()
        self.input_spec = None  # Keras' own admits one tensor

    def build(self, input_shape: Shape) -> None:
        """Makes the weights for the concatenated input."""
        super().build(self._concat.compute_output_shape(as_shape(input_shape)))
        self.input_spec = None

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Applies the layer."""
        values = self._concat.call(inputs)
        if isinstance(values, tf.RaggedTensor):
            return values.with_flat_values(super().call(values.flat_values, training=training))
        return super().call(values, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, `units`)."""
        return as_shape(super().compute_output_shape(self._concat.compute_output_shape(as_shape(input_shape))))
