"""What blocks on dictionaries of features share: something before, something after, an aggregation."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import Schema

from blocks.core.aggregation import parse_aggregation
from blocks.core.block import Block
from blocks.core.calling import Shape, as_shape, build_layer, call_layer
from blocks.core.serializing import to_config


@keras.saving.register_keras_serializable("emrys")
class TabularBlock(Block):
    """A block on a dictionary of features; by itself it changes nothing but for `pre`, `post` and `aggregation`.

    Args:
        pre: Layer that is applied to the input first. Default: none.
        post: Layer that is applied to the result. Default: none.
        aggregation: Makes one tensor of the result, by name (`"concat"`) or as a layer. Default: none.
        schema: The columns that the block reads. Default: unknown.
        name: Name of the block.
        is_input: Whether the block reads features by their names and so wants the whole batch. Default: False.

    Input shape:
        Dictionary of tensors by feature name.

    Output shape:
        The same dictionary, or what `aggregation` makes of it.
    """

    def __init__(
        self,
        pre: Any = None,
        post: Any = None,
        aggregation: Any = None,
        schema: Schema | None = None,
        name: str | None = None,
        is_input: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pre: keras.layers.Layer | None = pre
        self.post: keras.layers.Layer | None = post
        self.aggregation = parse_aggregation(aggregation)
        self.is_input = is_input
        self._schema = schema

    @property
    def schema(self) -> Schema | None:
        """The columns that this block reads."""
        return self._schema

    def set_schema(self, schema: Schema | None) -> None:
        """Tells the layers before and after, and the aggregation, which columns there are."""
        for layer in (self.pre, self.post, self.aggregation):
            if isinstance(layer, Block):
                layer.set_schema(schema)

    def _after(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.post, self.aggregation) if layer is not None]

    def build_pre(self, input_shape: Shape) -> Shape:
        """Builds `pre` and gives the shape that the block itself gets."""
        shape = as_shape(input_shape)
        return shape if self.pre is None else build_layer(self.pre, shape)

    def build_post(self, shape: Shape) -> None:
        """Builds `post` and the aggregation for what the block itself gives."""
        for layer in self._after():
            shape = build_layer(layer, shape)

    def pre_call(self, inputs: Any, **kwargs: Any) -> Any:
        """Applies `pre`."""
        return inputs if self.pre is None else call_layer(self.pre, inputs, **kwargs)

    def post_call(self, outputs: Any, **kwargs: Any) -> Any:
        """Applies `post` and the aggregation."""
        for layer in self._after():
            outputs = call_layer(layer, outputs, **kwargs)
        return outputs

    def pre_shape(self, shape: Shape) -> Shape:
        """Shape behind `pre`."""
        return shape if self.pre is None else as_shape(self.pre.compute_output_shape(shape))

    def post_shape(self, shape: Shape) -> Shape:
        """Shape behind `post` and the aggregation."""
        for layer in self._after():
            shape = as_shape(layer.compute_output_shape(shape))
        return shape

    def build(self, input_shape: Shape) -> None:
        """Builds what is before and after."""
        self.build_post(self.build_pre(input_shape))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Passes the features on."""
        return self.post_call(self.pre_call(inputs, training=training), training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the result."""
        return self.post_shape(self.pre_shape(as_shape(input_shape)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "pre": to_config(self.pre),
            "post": to_config(self.post),
            "aggregation": to_config(self.aggregation),
            "schema": to_config(self._schema),
            "is_input": self.is_input,
        }
