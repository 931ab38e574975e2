"""Dense layer with as many outputs as inputs, optionally factorized."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape, build_layer
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class LowRankDense(Block):
    """Linear layer of the width of its input, `W x + b`, or with a factorised matrix, `V (U x) + b`.

    With D inputs and rank r, the factorised matrix has 2 D r weights instead of D².

    Args:
        low_rank_dim: The rank r. Default: none, one full matrix.
        use_bias: Whether there is a bias. Default: True.
        kernel_initializer: Initializer of the matrices. Default: `"truncated_normal"`.
        bias_initializer: Initializer of the bias. Default: `"zeros"`.
        kernel_regularizer: Regularizer of the matrices. Default: none.
        bias_regularizer: Regularizer of the bias. Default: none.

    Input shape:
        (B, D)

    Output shape:
        (B, D)

    Raises:
        ConfigError: if `low_rank_dim` is below 1; when built, if the size of the last axis is unknown.
    """

    def __init__(
        self,
        low_rank_dim: int | None = None,
        use_bias: bool = True,
        kernel_initializer: str | keras.initializers.Initializer = "truncated_normal",
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        kernel_regularizer: str | keras.regularizers.Regularizer | None = None,
        bias_regularizer: str | keras.regularizers.Regularizer | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        if low_rank_dim is not None and (not isinstance(low_rank_dim, int) or low_rank_dim < 1):
            raise ConfigError("low_rank_dim", expected="None or a size above 0", got=repr(low_rank_dim))
        self.low_rank_dim = low_rank_dim
        self._dense_arguments = {
            "use_bias": use_bias,
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
        }
        self.dense: keras.layers.Dense | None = None
        self.dense_u: keras.layers.Dense | None = None

    def build(self, input_shape: Shape) -> None:
        """Creates the layers for the width of the input."""
        shape = as_shape(input_shape)
        if isinstance(shape, dict) or shape[-1] is None:
            raise ConfigError(f"{self.name}: input shape", expected="(B, D) with a known D", got=str(shape))
        if self.low_rank_dim is not None:
            arguments = {**_fresh(self._dense_arguments), "use_bias": False, "bias_regularizer": None}
            self.dense_u = keras.layers.Dense(self.low_rank_dim, name="dense_u", **arguments)
            build_layer(self.dense_u, shape)
        self.dense = keras.layers.Dense(shape[-1], name="dense", **_fresh(self._dense_arguments))
        build_layer(self.dense, (*shape[:-1], self.low_rank_dim or shape[-1]))
        self.built = True

    def call(self, inputs: tf.Tensor) -> Any:
        """Applies the layer."""
        hidden = inputs if self.dense_u is None else self.dense_u(inputs)
        return hidden if self.dense is None else self.dense(hidden)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "low_rank_dim": self.low_rank_dim, **to_config(self._dense_arguments)}


def _fresh(arguments: dict[str, Any]) -> dict[str, Any]:
    # Layers that share a seeded initializer would start with equal weights, and Keras warns of it.
    return {
        name: value.clone() if isinstance(value, keras.initializers.Initializer) else value
        for name, value in arguments.items()
    }
