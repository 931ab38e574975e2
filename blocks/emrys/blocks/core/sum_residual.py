"""`SumResidual`: a shortcut added to every feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.aggregation import TabularAggregation, aggregation_registry, common_shape
from emrys.blocks.core.block import BlockArguments, parse_activation
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError


@aggregation_registry.register("sum-residual")
@keras.saving.register_keras_serializable("emrys")
class SumResidual(TabularAggregation):
    """Adds one tensor of a dictionary to each of the others: `y_f = activation(x_f + shortcut)`.

    Args:
        activation: Activation of the sums: a name, a function or a layer; None for nothing. Default: `"relu"`.
        shortcut_name: Name of the tensor that is added. Default: `"shortcut"`.

    Input shape:
        Dictionary of tensors (B, D).

    Output shape:
        Dictionary of (B, D) without the shortcut; a single tensor (B, D) if there is only one other. Inputs that are no
        dictionary are returned unchanged.

    Raises:
        ConfigError: if the activation is unknown; when built, if the shortcut is missing, there is no other
            tensor, or shapes differ.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.SumResidual()({"x": np.array([[1.0, -5.0]]), "shortcut": np.array([[1.0, 1.0]])}).numpy().tolist()
        [[2.0, 0.0]]
    """

    def __init__(
        self,
        activation: str | Callable[[tf.Tensor], tf.Tensor] | keras.layers.Layer | None = "relu",
        shortcut_name: str = "shortcut",
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.activation = parse_activation(activation, "SumResidual")
        self.shortcut_name = shortcut_name
        self._activation_argument = activation

    def build(self, input_shape: Shape) -> None:
        """Checks the shapes."""
        self.compute_output_shape(input_shape)
        if isinstance(self.activation, keras.layers.Layer):
            build_layer(self.activation, common_shape(self, input_shape))
        self.built = True

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool | None = None) -> Any:
        """Returns the sums."""
        if not isinstance(inputs, dict):
            return inputs
        shortcut = inputs[self.shortcut_name]
        sums = {name: self._active(inputs[name] + shortcut, training) for name in inputs if name != self.shortcut_name}
        return next(iter(sums.values())) if len(sums) == 1 else sums

    def _active(self, total: Any, training: bool | None) -> Any:
        if isinstance(self.activation, keras.layers.Layer):
            return call_layer(self.activation, total, training=training)
        return self.activation(total)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shapes of the sums."""
        shapes = as_shape(input_shape)
        if not isinstance(shapes, dict):
            return shapes
        if self.shortcut_name not in shapes or len(shapes) < 2:
            raise ConfigError(
                f"{self.name} adds a shortcut to other tensors",
                expected=f"{self.shortcut_name!r} and at least one more",
                got=", ".join(map(repr, shapes)),
            )
        shape = common_shape(self, shapes)
        return shape if len(shapes) == 2 else {name: shape for name in shapes if name != self.shortcut_name}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "activation": to_config(self._activation_argument),
            "shortcut_name": self.shortcut_name,
        }
