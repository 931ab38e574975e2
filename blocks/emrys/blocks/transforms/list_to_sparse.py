"""All lists as sparse tensors."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.transforms.list_forms import as_sparse, is_list, joined, joined_shape


@keras.saving.register_keras_serializable("emrys")
class ListToSparse(Block):
    """Makes every list feature a `tf.SparseTensor`: ragged ones, and those of two tensors. What is dense stays.

    Input shape:
        Dictionary by feature name: lists ragged (B, None), sparse, or two tensors `<name>__values` and
        `<name>__offsets`; or one such tensor.

    Output shape:
        The same with sparse (B, L) for lists.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> mm.ListToSparse()({"genres": tf.ragged.constant([[3, 5], [7]])})["genres"].values.numpy().tolist()
        [3, 5, 7]
    """

    def call(self, inputs: Any) -> Any:
        """Makes the lists sparse."""
        if not isinstance(inputs, dict):
            return self._sparse(inputs)
        return {name: self._sparse(tensor) for name, tensor in joined(inputs).items()}

    def _sparse(self, tensor: Any) -> Any:
        return as_sparse(tensor) if is_list(tensor) else tensor

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shapes of the features."""
        return joined_shape(input_shape) if isinstance(input_shape, dict) else as_shape(input_shape)
