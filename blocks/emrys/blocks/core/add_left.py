"""`AddLeft`: one value of each row added to the other features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.aggregation import ConcatFeatures, TabularAggregation, aggregation_registry
from emrys.blocks.core.block import BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.errors import ConfigError


@aggregation_registry.register("add-left")
@keras.saving.register_keras_serializable("emrys")
class AddLeft(TabularAggregation):
    """Concatenates the tensors of a dictionary, and adds one of them to all values: `y = left + concat(others)`.

    If `left` has more than one value a row, a trained linear layer first reduces it to one.

    Args:
        left_name: Name of the tensor that is added. Default: `"bias"`.

    Input shape:
        Dictionary of tensors (B, D); `left_name` (B, 1), or (B, D).

    Output shape:
        (B, sum of the dimensions of the others)

    Raises:
        ConfigError: when built, if `left_name`, or all else, is missing.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.AddLeft()({"x": np.array([[1.0, 2.0]]), "bias": np.array([[10.0]])}).numpy().tolist()
        [[11.0, 12.0]]
    """

    def __init__(self, left_name: str = "bias", **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.left_name = left_name
        self.concat = ConcatFeatures()
        self.wide_logit = keras.layers.Dense(1, name="wide_logit")

    def build(self, input_shape: Shape) -> None:
        """Builds the linear layer, if it is needed."""
        self.compute_output_shape(input_shape)
        shapes = as_shape(input_shape)
        if isinstance(shapes, dict) and shapes[self.left_name][-1] != 1:
            self.wide_logit.build(shapes[self.left_name])
        self.built = True

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor]) -> Any:
        """Returns the sum."""
        if not isinstance(inputs, dict):
            return inputs
        left = inputs[self.left_name]
        others = self.concat({name: value for name, value in inputs.items() if name != self.left_name})
        left = left if left.shape[-1] == 1 else self.wide_logit(left)
        return tf.cast(left, others.dtype) + others

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the others, concatenated."""
        shapes = as_shape(input_shape)
        if not isinstance(shapes, dict):
            return shapes
        others = {name: shape for name, shape in shapes.items() if name != self.left_name}
        if self.left_name not in shapes or not others:
            raise ConfigError(
                f"{self.name} adds one tensor to others",
                expected=f"{self.left_name!r} and at least one more",
                got=", ".join(map(repr, shapes)),
            )
        return as_shape(self.concat.compute_output_shape(others))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "left_name": self.left_name}
