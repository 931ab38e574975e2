"""All lists as ragged tensors."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.transforms.list_forms import as_ragged, joined, joined_shape


@keras.saving.register_keras_serializable("emrys")
class ListToRagged(Block):
    """Makes every list feature a `tf.RaggedTensor`: sparse ones, and those of two tensors. What is dense stays.

    Input shape:
        Dictionary by feature name: lists sparse, ragged, or two tensors `<name>__values` and `<name>__offsets`; or one
        such tensor.

    Output shape:
        The same with ragged (B, None) for lists.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> batch = {"genres__values": np.array([3, 5, 7]), "genres__offsets": np.array([0, 2, 3])}
        >>> mm.ListToRagged()(batch)["genres"].to_list()
        [[3, 5], [7]]
    """

    def call(self, inputs: Any) -> Any:
        """Makes the lists ragged."""
        if not isinstance(inputs, dict):
            return as_ragged(inputs)
        return {name: as_ragged(tensor) for name, tensor in joined(inputs).items()}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shapes of the features."""
        return joined_shape(input_shape) if isinstance(input_shape, dict) else as_shape(input_shape)
