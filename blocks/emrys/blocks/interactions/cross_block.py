"""Cross network (DCN-v2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape, call_layer
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.core.tabular import Filter
from emrys.blocks.errors import ConfigError
from emrys.blocks.mlp.low_rank_dense import LowRankDense


@keras.saving.register_keras_serializable("emrys")
class CrossLayer(LowRankDense):
    """One layer of a cross network: `x_0 ⊙ (W x + b) + x`.

    It is called on `x` with `initial`, the input `x_0` of the network. Default: `x` itself, for the first layer.

    Args:
        **kwargs: Arguments of `LowRankDense`.

    Input shape:
        (B, D)

    Output shape:
        (B, D)
    """

    def call(self, inputs: tf.Tensor, initial: tf.Tensor | None = None) -> Any:
        """Crosses `inputs` with `initial`."""
        return (inputs if initial is None else initial) * super().call(inputs) + inputs


@keras.saving.register_keras_serializable("emrys")
class CrossBlock(SequentialBlock):
    """Cross network of explicit feature products: `x_{l+1} = x_0 ⊙ (W_l x_l + b_l) + x_l`.

    With `depth` layers, the output contains products of up to `depth` + 1 features.

    Args:
        depth: Number of layers. Default: 1.
        filter: Features to use, see `Filter`. Default: all.
        low_rank_dim: Rank r of the matrices, which are then `V_l U_l`, D × r and r × D. Default: full matrices.
        use_bias: Whether there are biases `b_l`. Default: True.
        kernel_initializer: Initializer of the matrices. Default: `"truncated_normal"`.
        bias_initializer: Initializer of the biases. Default: `"zeros"`.
        kernel_regularizer: Regularizer of the matrices. Default: none.
        bias_regularizer: Regularizer of the biases. Default: none.
        inputs: Layer before the network, such as an input block. Default: none.

    Input shape:
        (B, D), or a dictionary of such tensors, which are concatenated in alphabetical order of their names. With
        `inputs`, its input shape. A pair of tensors (B, D) is `x_0` and the first layer's input `x`.

    Output shape:
        (B, D)

    Raises:
        ConfigError: if `depth` or `low_rank_dim` is below 1.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.CrossBlock(kernel_initializer="ones")(np.array([[1.0, 2.0]])).numpy().tolist()
        [[4.0, 8.0]]

    Reference:
        Wang et al., "DCN V2: Improved Deep & Cross Network", WWW 2021, https://arxiv.org/abs/2008.13535.
    """

    def __init__(
        self,
        depth: int = 1,
        filter: Schema | str | Tags | Sequence[str | Tags] | Filter | None = None,
        low_rank_dim: int | None = None,
        use_bias: bool = True,
        kernel_initializer: str | keras.initializers.Initializer = "truncated_normal",
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        kernel_regularizer: str | keras.regularizers.Regularizer | None = None,
        bias_regularizer: str | keras.regularizers.Regularizer | None = None,
        inputs: keras.layers.Layer | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        if not isinstance(depth, int) or depth < 1:
            raise ConfigError("CrossBlock: depth", expected="a number of layers above 0", got=repr(depth))
        if low_rank_dim is not None and (not isinstance(low_rank_dim, int) or low_rank_dim < 1):
            raise ConfigError("CrossBlock: low_rank_dim", expected="None or a size above 0", got=repr(low_rank_dim))
        self._arguments: dict[str, Any] = {
            "low_rank_dim": low_rank_dim,
            "use_bias": use_bias,
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
        }
        layers = [CrossLayer(**self._arguments) for _ in range(depth)]
        super().__init__(layers, filter=filter, pre_aggregation="concat", **kwargs)
        self.input_block = inputs

    def _ahead(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.filter, self.input_block, self.pre_aggregation) if layer is not None]

    def _chain(self) -> list[keras.layers.Layer]:
        return [*self._ahead(), *self.layers]

    def build(self, input_shape: Shape) -> None:
        """Builds the layers."""
        super().build(_shape_of_one(input_shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D)."""
        return super().compute_output_shape(_shape_of_one(input_shape))

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor] | tuple[tf.Tensor, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Crosses the features."""
        if isinstance(inputs, (list, tuple)):
            return self._cross(*inputs)
        for layer in self._ahead():
            inputs = call_layer(layer, inputs, training=training, testing=testing, features=features, targets=targets)
        return self._cross(inputs, inputs)

    def _cross(self, initial: tf.Tensor, crossed: tf.Tensor) -> Any:
        for layer in self.layers:
            crossed = layer(crossed, initial=initial)
        return crossed

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **Block.get_config(self),
            "depth": len(self.layers),
            "filter": to_config(self.filter),
            **to_config(self._arguments),
            "inputs": to_config(self.input_block),
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the block from `get_config`."""
        return cls(**from_config(config))


def _shape_of_one(shape: Shape) -> Shape:
    """The shape of the input; of a pair of inputs, that of the second."""
    shape = as_shape(shape)
    return shape[1] if isinstance(shape, tuple) and isinstance(shape[0], tuple) else shape
