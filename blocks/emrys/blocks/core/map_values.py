"""`MapValues`: one layer applied to every feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class MapValues(Block):
    """Applies one layer, with one set of weights, to every tensor of a dictionary: `y_f = layer(x_f)`.

    Args:
        layer: The layer.

    Input shape:
        Dictionary of tensors that `layer` takes, or one such tensor.

    Output shape:
        Dictionary of what `layer` gives, under the same names, or one such tensor.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.MapValues(mm.L2Norm())({"a": np.array([[3.0, 4.0]])})["a"].numpy().round(1).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, keras.layers.Layer):
            raise ConfigError("MapValues: layer", expected="a layer", got=repr(layer))
        self.layer = layer

    def build(self, input_shape: Shape) -> None:
        """Builds the layer."""
        shapes = as_shape(input_shape)
        for shape in shapes.values() if isinstance(shapes, dict) else [shapes]:
            build_layer(self.layer, shape)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Applies the layer to every tensor."""
        arguments = {"training": training, "testing": testing, "features": features, "targets": targets}
        if not isinstance(inputs, dict):
            return call_layer(self.layer, inputs, **arguments)
        return {name: call_layer(self.layer, value, **arguments) for name, value in inputs.items()}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shapes of the layer's outputs."""
        shapes = as_shape(input_shape)
        if not isinstance(shapes, dict):
            return output_shape(self.layer, shapes)
        return {name: output_shape(self.layer, shape) for name, shape in shapes.items()}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "layer": to_config(self.layer)}
