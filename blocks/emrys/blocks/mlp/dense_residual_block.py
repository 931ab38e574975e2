"""Residual dense layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block
from emrys.blocks.core.residual_block import ResidualBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError
from emrys.blocks.mlp.low_rank_dense import LowRankDense


@keras.saving.register_keras_serializable("emrys")
class DenseResidualBlock(SequentialBlock):
    """Residual dense layers of the width of their input: `x ← activation(x + norm(W x + b))`.

    Args:
        low_rank_dim: Rank of the matrices, each then a product of two. Default: full matrices.
        activation: Activation of each sum: a name, a function, or a layer, which is copied for each sum. Default:
            `"relu"`.
        use_bias: Whether there are biases. Default: True.
        dropout: Share of values dropped after each dense layer. Default: none.
        normalization: `"batch_norm"`, a layer, which is copied for each dense layer, or None. Default: `"batch_norm"`.
        depth: Number of layers. Default: 1.
        **dense_kwargs: `kernel_initializer` (`"truncated_normal"`), `bias_initializer` (`"zeros"`),
            `kernel_regularizer` and `bias_regularizer` (none) of each layer, and `name`.

    Input shape:
        (B, D), or a dictionary of such tensors, which are concatenated in alphabetical order of their names.

    Output shape:
        (B, D)

    Raises:
        ConfigError: if `depth` or `low_rank_dim` is below 1, the dropout is not in [0, 1), or the normalization or the
            activation is unknown.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.DenseResidualBlock(normalization=None, kernel_initializer="ones", depth=2)
        >>> block(np.array([[1.0, 2.0]])).numpy().tolist()
        [[13.0, 14.0]]

    Reference:
        He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385.
    """

    def __init__(
        self,
        low_rank_dim: int | None = None,
        activation: str | Callable[[tf.Tensor], tf.Tensor] | keras.layers.Layer = "relu",
        use_bias: bool = True,
        dropout: float | None = None,
        normalization: str | keras.layers.Layer = "batch_norm",
        depth: int = 1,
        **dense_kwargs: Any,
    ) -> None:
        if not isinstance(depth, int) or depth < 1:
            raise ConfigError("DenseResidualBlock: depth", expected="a number of layers above 0", got=repr(depth))
        if dropout is not None and not 0 <= dropout < 1:
            raise ConfigError("DenseResidualBlock: dropout", expected="a share from 0 to below 1", got=repr(dropout))
        block_kwargs = {key: dense_kwargs.pop(key) for key in ("name", "trainable", "dtype") if key in dense_kwargs}
        self._arguments = {
            "low_rank_dim": low_rank_dim,
            "activation": activation,
            "use_bias": use_bias,
            "dropout": dropout,
            "normalization": normalization,
            **dense_kwargs,
        }
        residuals = []
        for _ in range(depth):
            layers: list[keras.layers.Layer] = [LowRankDense(low_rank_dim, use_bias=use_bias, **dense_kwargs)]
            if dropout:
                layers.append(keras.layers.Dropout(dropout))
            if normalization is not None:
                layers.append(_normalization(normalization))
            residuals.append(ResidualBlock(SequentialBlock(layers), activation=_copy(activation)))
        super().__init__(residuals, pre_aggregation="concat", **block_kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**Block.get_config(self), **to_config(self._arguments), "depth": len(self.layers)}

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the block from `get_config`."""
        return cls(**from_config(config))


def _copy(value: Any) -> Any:
    return type(value).from_config(value.get_config()) if isinstance(value, keras.layers.Layer) else value


def _normalization(value: Any) -> keras.layers.Layer:
    if value == "batch_norm":
        return keras.layers.BatchNormalization()
    if isinstance(value, keras.layers.Layer):
        return _copy(value)
    raise ConfigError("DenseResidualBlock: normalization", expected="'batch_norm' or a layer", got=repr(value))
