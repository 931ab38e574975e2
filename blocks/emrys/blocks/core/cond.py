"""`Cond`: one of two layers, chosen by a condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer, output_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError

LayerOrFunction: TypeAlias = "keras.layers.Layer | Callable[..., object]"


@keras.saving.register_keras_serializable("emrys")
class Cond(Block):
    """Calls one layer if a condition holds for the batch, and another one otherwise.

    Args:
        condition: Layer that returns one boolean for the input. Here and in the next two, a function of the input
            becomes a `keras.layers.Lambda`, with what Keras says about saving those.
        true: Layer that is called if the condition is true.
        false: Layer that is called if the condition is false. Default: none, the input is returned.

    Input shape:
        An input that all three layers accept.

    Output shape:
        The output of `true`; the output of `false` (or the input itself) has the same shape.

    Raises:
        ConfigError: when built, if the two give different shapes; when called, if `condition` gives more than one
            value.

    Example:
        >>> import emrys.blocks as mm
        >>> import keras, numpy as np
        >>> class Positive(keras.layers.Layer):
        ...     def call(self, inputs):
        ...         return keras.ops.sum(inputs) > 0
        >>> layer = mm.Cond(Positive(), keras.layers.Rescaling(2.0), keras.layers.Rescaling(-1.0))
        >>> layer(np.array([[3.0]])).numpy().tolist(), layer(np.array([[-3.0]])).numpy().tolist()
        ([[6.0]], [[3.0]])
    """

    def __init__(
        self,
        condition: LayerOrFunction,
        true: LayerOrFunction,
        false: LayerOrFunction | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.condition = _as_layer("condition", condition)
        self.true = _as_layer("true", true)
        self.false = None if false is None else _as_layer("false", false)

    def build(self, input_shape: Shape) -> None:
        """Builds the layers."""
        shape = as_shape(input_shape)
        if not self.condition.built:  # its output's shape is not needed, and not every layer can compute it
            self.condition.build(shape)
        if_true = build_layer(self.true, shape)
        if_false = shape if self.false is None else build_layer(self.false, shape)
        if if_true != if_false:
            raise ConfigError(
                f"{self.name} needs layers that give one shape", got=f"{if_true} if true, {if_false} if false"
            )
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Calls `true` or `false`."""
        arguments = {"training": training, "testing": testing, "features": features, "targets": targets}
        decision = tf.cast(call_layer(self.condition, inputs, **arguments), tf.bool)
        if decision.shape.num_elements() not in (1, None):
            raise ConfigError(f"{self.name}: the condition", expected="one boolean", got=f"shape {decision.shape}")

        def if_false() -> Any:
            return inputs if self.false is None else call_layer(self.false, inputs, **arguments)

        return tf.cond(tf.reshape(decision, ()), lambda: call_layer(self.true, inputs, **arguments), if_false)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape that `true` gives."""
        return output_shape(self.true, as_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "condition": to_config(self.condition),
            "true": to_config(self.true),
            "false": to_config(self.false),
        }


def _as_layer(argument: str, layer: LayerOrFunction) -> keras.layers.Layer:
    if isinstance(layer, keras.layers.Layer):
        return layer
    if not callable(layer) or isinstance(layer, type):
        raise ConfigError(f"Cond: {argument}", expected="a layer or a function", got=repr(layer))
    return keras.layers.Lambda(layer)
