"""`Debug`: prints the tensors between two blocks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments


@keras.saving.register_keras_serializable("emrys")
class Debug(Block):
    """Prints names, shapes and types of its inputs to standard error, and returns them unchanged.

    In eager mode it prints at every call, in a graph when the graph is traced.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.Debug()({"a": np.array([[1.0]], "float32")})["a"].numpy().tolist()
        [[1.0]]
    """

    def __init__(self, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Returns the input."""
        tensors = inputs if isinstance(inputs, dict) else {"": inputs}
        lines = [f"{self.name}: {name or 'tensor'} {_describe(tensor)}" for name, tensor in tensors.items()]
        print("\n".join(lines), file=sys.stderr)
        return inputs


def _describe(tensor: Any) -> str:
    kinds = {tf.RaggedTensor: "ragged ", tf.SparseTensor: "sparse "}
    kind = next((label for tensor_class, label in kinds.items() if isinstance(tensor, tensor_class)), "")
    return f"{kind}{tuple(tensor.shape)} {keras.backend.standardize_dtype(tensor.dtype)}"
