"""`ResidualBlock`: a block with its input added to its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.block import Block, UnnamedBlockArguments, parse_activation
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer
from emrys.blocks.core.serializing import to_config
from emrys.blocks.core.tabular import TabularBlock
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class ResidualBlock(TabularBlock):
    """Adds the input to the output of a block: `activation(x + block(x))`.

    Args:
        block: The block; its output has the shape of its input.
        activation: Activation of the sum: a name, a function or a layer. Default: none.
        post: Layer behind the sum. Default: none.
        schema: The columns that the block reads. Default: unknown.
        name: Name of the block.
        strict: Whether only dictionaries are accepted. A sum takes tensors, so True is refused. Default: False.

    Input shape:
        (B, D)

    Output shape:
        (B, D)

    Raises:
        ConfigError: if `activation` is unknown; when built, if the block changes the shape or the input is a
            dictionary.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.ResidualBlock(mm.Dense(2, kernel_initializer="ones"))
        >>> block(np.array([[1.0, 2.0]], "float32")).numpy().tolist()
        [[4.0, 5.0]]

    Reference:
        He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385.
    """

    applies_pre_and_post: ClassVar[bool] = True

    def __init__(
        self,
        block: keras.layers.Layer,
        activation: str | Callable[[tf.Tensor], tf.Tensor] | keras.layers.Layer | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        schema: Schema | None = None,
        name: str | None = None,
        strict: bool = False,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        super().__init__(post=post, schema=schema, name=name, **kwargs)
        if not isinstance(block, keras.layers.Layer):
            raise ConfigError("ResidualBlock: block", expected="a layer", got=repr(block))
        if strict:
            raise ConfigError("ResidualBlock: strict", expected="False: a sum takes tensors", got="True")
        self.block = block
        self.activation = parse_activation(activation, "ResidualBlock")
        self._activation_argument = activation

    @property
    def schema(self) -> Schema | None:
        """The schema of the constructor; without one, the columns that the block reads."""
        return self._schema if self._schema is not None else getattr(self.block, "schema", None)

    def set_schema(self, schema: Schema | None) -> Self:
        """Passes the schema on to the inner layers, and returns the block."""
        self._pass_schema_on(schema)
        if isinstance(self.block, Block):
            self.block.set_schema(schema)
        return self

    def build(self, input_shape: Shape) -> None:
        """Builds the block, the activation and `post`."""
        shape = as_shape(input_shape)
        if isinstance(shape, dict):
            raise ConfigError(
                f"{self.name} adds tensors", expected="one tensor", got="a dictionary", fix="Aggregate it first."
            )
        output_shape = build_layer(self.block, shape)
        if output_shape != shape:
            raise ConfigError(
                f"{self.name} needs a block that keeps the shape", expected=str(shape), got=str(output_shape)
            )
        if isinstance(self.activation, keras.layers.Layer):
            build_layer(self.activation, shape)
        self.build_post(shape)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the sum."""
        arguments = {"training": training, "testing": testing, "features": features, "targets": targets}
        total = inputs + call_layer(self.block, inputs, **arguments)
        if isinstance(self.activation, keras.layers.Layer):
            total = call_layer(self.activation, total, **arguments)
        else:
            total = self.activation(total)
        return self.post_call(total, **arguments)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape, or the shape of the output of `post`."""
        return self.post_shape(as_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        for inherited in ("pre", "aggregation", "is_input"):
            config.pop(inherited)
        return {**config, "block": to_config(self.block), "activation": to_config(self._activation_argument)}
