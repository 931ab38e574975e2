"""`NoOp`: the identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments


@keras.saving.register_keras_serializable("emrys")
class NoOp(Block):
    """Returns its input unchanged: a tensor, or a dictionary of tensors.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.NoOp()(np.array([[1.0]], "float32")).numpy().tolist()
        [[1.0]]
    """

    def __init__(self, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Returns the input."""
        return inputs
