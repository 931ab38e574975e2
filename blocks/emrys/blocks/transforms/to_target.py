"""Features to targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments, block_registry
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.schema.functions import number_of_ids


@block_registry.register("to_target")
@keras.saving.register_keras_serializable("emrys")
class ToTarget(Block):
    """Moves columns of a batch from the features to the targets.

    Use it in `fit(pre=...)` and `evaluate(pre=...)`, as `pre` of a model, or as the transform of a `Loader`. An
    existing target has priority over the feature of its name. A batch without the column, as in serving, is unchanged.

    Args:
        schema: The columns.
        *target: The targets: names, tags, column schemas or schemas.
        one_hot: Whether targets are converted to one-hot vectors (B, N). Default: False.

    Input shape:
        Dictionary by feature name.

    Output shape:
        A `Prediction`: `outputs` are the remaining features, `targets` a dictionary by name. Called without targets, a
        single target is a tensor.

    Raises:
        ConfigError: if there is no target.
        SchemaError: if a target is not a column of the schema, or has no domain for `one_hot`.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> layer = mm.ToTarget(Schema([mm.create_continuous_column("price")]), "price")
        >>> layer({"price": np.array([3.0]), "item": np.array([1])}, targets={}).targets["price"].numpy().tolist()
        [3.0]
    """

    def __init__(
        self,
        schema: Schema,
        *target: str | Tags | ColumnSchema | Schema,
        one_hot: bool = False,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(schema, Schema):
            raise ConfigError("ToTarget: schema", expected="a Schema", got=repr(schema))
        if not target:
            raise ConfigError("ToTarget has no target", expected="names, tags, column schemas or schemas")
        self._columns = schema
        #: The columns that become targets.
        self.target_names = list(dict.fromkeys(name for each in target for name in _names(schema, each)))
        self.one_hot = one_hot
        self._classes = {name: number_of_ids(schema[name]) for name in self.target_names} if one_hot else {}
        self.built = True  # nothing to build; Keras would look for the shapes of a prediction's missing fields

    @property
    def schema(self) -> Schema:
        """The columns."""
        return self._columns

    def call(
        self, inputs: dict[str, tf.Tensor], targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None
    ) -> Prediction:
        """Moves the columns."""
        moved = {name: self._target(name, inputs[name]) for name in self.target_names if name in inputs}
        features = {name: tensor for name, tensor in inputs.items() if name not in self.target_names}
        if targets is None:
            return Prediction(features, next(iter(moved.values())) if len(moved) == 1 else moved or None)
        if not isinstance(targets, dict):
            raise ConfigError(f"{self.name}: targets", expected="a dictionary by name", got=type(targets).__name__)
        return Prediction(features, {**moved, **targets})

    def _target(self, name: str, values: Any) -> Any:
        if not self.one_hot:
            return values
        if isinstance(values, tf.RaggedTensor) or len(values.shape) > 2:
            expected = "one class id per row, (B,) or (B, 1)"
            raise ConfigError(f"{self.name}: one_hot of {name!r}", expected=expected, got=f"shape {values.shape}")
        return tf.one_hot(tf.reshape(values, (-1,)), self._classes[name], dtype=values.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shapes of the remaining features."""
        return {name: shape for name, shape in as_shape(input_shape).items() if name not in self.target_names}

    def compute_output_schema(self, input_schema: Schema) -> Schema:
        """The schema of the batch after the layer: the moved columns are tagged TARGET."""
        return Schema(
            [column.with_tags(Tags.TARGET) if column.name in self.target_names else column for column in input_schema]
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "schema": to_config(self._columns),
            "target": list(self.target_names),
            "one_hot": self.one_hot,
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the layer from the result of `get_config`."""
        arguments = from_config(config)
        return cls(arguments.pop("schema"), *arguments.pop("target"), **arguments)


def _names(schema: Schema, target: str | Tags | ColumnSchema | Schema) -> list[str]:
    if isinstance(target, Tags):
        names = list(schema.select_by_tag(target).column_names)
        if not names:
            raise SchemaError("ToTarget: the schema has no column for a target", expected=f"one tagged {target.name}")
        return names
    names = list(target.column_names) if isinstance(target, Schema) else [getattr(target, "name", target)]
    for name in names:
        if name not in schema.column_names:
            raise SchemaError(
                "ToTarget: a target is not in the schema",
                column=str(name),
                expected=f"one of {', '.join(schema.column_names)}",
            )
    return names
