"""`L2Norm`: L2 normalization as a layer, also for ragged tensors and dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, block_registry
from emrys.blocks.core.l2_normalize import l2_normalize
from emrys.blocks.errors import ConfigError


@block_registry.register("l2-norm")
@keras.saving.register_keras_serializable("emrys")
class L2Norm(Block):
    """Scales vectors to length 1: `x / sqrt(max(Σ x², 1e-12))`, so that zero vectors stay zero.

    `call` takes an optional `axis`, along which the vectors lie; default: the last.

    Input shape:
        (B, …, D), dense or ragged, or a dictionary of such tensors, each of which is scaled by itself.

    Output shape:
        The input's.

    Raises:
        ConfigError: when called, if a ragged tensor is to be scaled along an axis before its lists.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.L2Norm()(np.array([[3.0, 4.0], [0.0, 0.0]])).numpy().round(2).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], axis: int = -1) -> Any:
        """Scales the vectors that lie along `axis`."""
        if isinstance(inputs, dict):
            return {name: self._scaled(value, axis) for name, value in inputs.items()}
        return self._scaled(inputs, axis)

    def _scaled(self, values: Any, axis: int) -> Any:
        if not isinstance(values, tf.RaggedTensor):
            return l2_normalize(values, axis)
        inner = axis % values.shape.rank - values.ragged_rank
        if inner > 0:
            return values.with_flat_values(l2_normalize(values.flat_values, inner))
        if inner == 0 and values.ragged_rank == 1:
            return self._scaled_lists(values)
        raise ConfigError(f"{self.name} scales ragged tensors along lists or vectors", got=f"axis {axis}")

    def _scaled_lists(self, lists: Any) -> Any:
        """Scales each list as one vector: dense padding adds nothing to its length."""
        padded = l2_normalize(lists.to_tensor(), 1)
        return tf.RaggedTensor.from_tensor(padded, lengths=lists.row_lengths())
