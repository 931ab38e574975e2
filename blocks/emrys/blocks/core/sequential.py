"""`SequentialBlock`: a chain of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import parse_aggregation
from emrys.blocks.core.block import Block, BlockArguments, parse_layer
from emrys.blocks.core.calling import Shape, build_layers, call_layers, shape_behind
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.core.tabular import Filter


@keras.saving.register_keras_serializable("emrys")
class SequentialBlock(Block):
    """Calls layers in order, the output of each being the input of the next.

    Unlike `keras.Sequential` it is a layer, takes and passes dictionaries, and hands `training`, `testing`,
    `features` and `targets` to those layers that ask for them.

    Args:
        *layers: The layers, or names of blocks, or one list of them.
        filter: Selects what the first layer gets: a `Filter`, or what `Filter` takes. Default: everything.
        pre_aggregation: Aggregation of the input of the first layer to one tensor, such as `"concat"`. Default: none.
        block_name: Name of the block.
        copy_layers: Whether to take fresh copies of the layers instead of the layers themselves. Default: False.

    Input shape:
        The input of the first layer.

    Output shape:
        The output of the last layer.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.SequentialBlock(mm.Dense(4), mm.Dense(2))
        >>> tuple(block(np.ones((3, 5), "float32")).shape)
        (3, 2)
    """

    def __init__(
        self,
        *layers: Any,
        filter: Schema | str | Tags | Sequence[str | Tags] | Filter | None = None,
        pre_aggregation: str | keras.layers.Layer | None = None,
        block_name: str | None = None,
        copy_layers: bool = False,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        if block_name is not None:
            kwargs["name"] = block_name
        super().__init__(**kwargs)
        flat = list(layers[0]) if len(layers) == 1 and isinstance(layers[0], (list, tuple)) else list(layers)
        flat = [parse_layer(layer, type(self).__name__, "layers") for layer in flat]
        self.filter = filter if filter is None or isinstance(filter, Filter) else Filter(filter)
        self.pre_aggregation = parse_aggregation(pre_aggregation)
        self.layers = [_copy(layer) for layer in flat] if copy_layers else flat
        if self.context is not None:
            self.set_context(self.context)

    def _chain(self) -> list[keras.layers.Layer]:
        first = [layer for layer in (self.filter, self.pre_aggregation) if layer is not None]
        return [*first, *self.layers]

    def build(self, input_shape: Shape) -> None:
        """Builds every layer for the output of the one before it."""
        build_layers(self._chain(), input_shape)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Runs `inputs` through all layers."""
        arguments = {"training": training, "testing": testing, "features": features, "targets": targets}
        return call_layers(self._chain(), inputs, **arguments)

    def call_outputs(self, outputs: Any, training: bool = False, **kwargs: object) -> Any:
        """Passes a `Prediction` through `call_outputs` of every block, in order."""
        for layer in self._chain():
            if isinstance(layer, Block):
                outputs = layer.call_outputs(outputs, training=training, **kwargs)
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape that the last layer gives."""
        return shape_behind(self._chain(), input_shape)

    @property
    def schema(self) -> Schema | None:
        """The schema of the first layer that has one."""
        schemas = (getattr(layer, "schema", None) for layer in self._chain())
        return next((schema for schema in schemas if schema is not None), None)

    def set_schema(self, schema: Schema | None) -> Self:
        """Passes the schema on to all layers, and returns the block."""
        for layer in self._chain():
            if isinstance(layer, Block):
                layer.set_schema(schema)
        return self

    def select_by_name(self, name: str) -> keras.layers.Layer | None:
        """Returns the layer of this name, at any depth; None if there is none."""
        if self.name == name:
            return self
        for layer in self.layers:
            selected = layer.select_by_name(name) if isinstance(layer, Block) else None
            if selected is not None or layer.name == name:
                return selected or layer
        return None

    @property
    def first(self) -> keras.layers.Layer:
        """The first layer."""
        return self.layers[0]

    @property
    def last(self) -> keras.layers.Layer:
        """The last layer."""
        return self.layers[-1]

    @property
    def inputs(self) -> keras.layers.Layer | None:
        """The block that reads the features, if the chain begins with one."""
        first = self._chain()[:1]
        if first and isinstance(first[0], SequentialBlock):
            return first[0].inputs
        return first[0] if first and getattr(first[0], "is_input", False) else None

    @property
    def filter_features(self) -> list[str]:
        """Names of the features selected by the filter at the start of the chain; empty without a filter."""
        first = self._chain()[:1]
        if first and isinstance(first[0], SequentialBlock):
            return first[0].filter_features
        return first[0].feature_names if first and isinstance(first[0], Filter) else []

    @property
    def is_tabular(self) -> bool:
        """Whether the last layer is known to return a dictionary."""
        return bool(getattr(self._chain()[-1], "is_tabular", False)) if self._chain() else False

    @property
    def regularizers(self) -> list[Any]:
        """The regularizers of the layers inside, each once."""
        unique: dict[int, Any] = {}
        for layer in self._chain():
            inner = layer.regularizers if isinstance(layer, SequentialBlock) else _regularizers(layer)
            unique.update({id(regularizer): regularizer for regularizer in inner})
        return list(unique.values())

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[keras.layers.Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> keras.layers.Layer:
        return self.layers[index]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        config["layers"] = to_config(self.layers)
        config["filter"] = to_config(self.filter)
        config["pre_aggregation"] = to_config(self.pre_aggregation)
        return config

    @classmethod
    def from_config(cls, config: dict[str, object]) -> SequentialBlock:
        """Creates the block from the configuration that `get_config` returned."""
        arguments = dict(config)
        layers = from_config(arguments.pop("layers"))
        return cls(layers, **from_config(arguments))


def _copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    return layer.copy() if isinstance(layer, Block) else type(layer).from_config(layer.get_config())


def _regularizers(layer: keras.layers.Layer) -> list[Any]:
    attributes = [value for name, value in vars(layer).items() if name.endswith("_regularizer")]
    return [value for value in attributes if isinstance(value, keras.regularizers.Regularizer)]
