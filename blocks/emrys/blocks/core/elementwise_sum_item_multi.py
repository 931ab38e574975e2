"""The item's id times the sum of the other features."""

from __future__ import annotations

import functools
import operator
from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import TabularAggregation, aggregation_registry
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.one_shape import one_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError


@aggregation_registry.register("element-wise-sum-item-multi")
@keras.saving.register_keras_serializable("emrys")
class ElementwiseSumItemMulti(TabularAggregation):
    """Multiplies the item id's embedding with the sum of all other features: `x_item ⊙ Σ_{f ≠ item} x_f`.

    Args:
        schema: Says which column is the item's id: the one tagged ITEM_ID. Default: what `set_schema` gives.

    Input shape:
        Dictionary of F tensors (B, D), the item id's among them, F at least 2.

    Output shape:
        (B, D)

    Raises:
        SchemaError: when built, if no schema is known, or it has not one item id, or the batch lacks that column.
        ConfigError: when built, if the shapes differ or there is no other feature.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema, Tags
        >>> schema = Schema([mm.create_categorical_column("item", 9, tags=[Tags.ITEM_ID])])
        >>> batch = {name: np.full((1, 2), value) for name, value in {"item": 2.0, "brand": 3.0, "user": 4.0}.items()}
        >>> mm.ElementwiseSumItemMulti(schema)(batch).numpy().tolist()
        [[14.0, 14.0]]
    """

    def __init__(self, schema: Schema | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._schema = schema

    @property
    def schema(self) -> Schema | None:
        """The schema in which the item's id is looked up."""
        return self._schema

    def set_schema(self, schema: Schema | None) -> None:
        """Gives the schema in which the item's id is looked up, unless the constructor was given one."""
        if self._schema is None:
            self._schema = schema

    def _item_id(self, given: dict[str, Any]) -> str:
        if self._schema is None:
            raise SchemaError(f"{self.name} knows no schema", fix="Give it one: ElementwiseSumItemMulti(schema).")
        ids = self._schema.select_by_tag(Tags.ITEM_ID).column_names
        if len(ids) != 1:
            raise SchemaError(
                f"{self.name} needs the item's id",
                expected="one column tagged ITEM_ID",
                got=", ".join(ids) or "none",
            )
        if ids[0] not in given:
            raise SchemaError(f"{self.name} misses the item's id", column=ids[0], got=", ".join(sorted(given)))
        if len(given) < 2:
            raise ConfigError(f"{self.name} multiplies the item's id with other features", got="no other feature")
        return str(ids[0])

    def build(self, input_shape: Shape) -> None:
        """Checks the shapes, and that the item's id is there."""
        self.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Aggregates a dictionary."""
        item = self._item_id(_features(self, inputs))
        others = [inputs[name] for name in sorted(inputs) if name != item]
        return inputs[item] * functools.reduce(operator.add, others)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape that all inputs have."""
        self._item_id(_features(self, as_shape(input_shape)))
        return one_shape(self, input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "schema": to_config(self._schema)}


def _features(layer: keras.layers.Layer, inputs: Any) -> dict[str, Any]:
    if not isinstance(inputs, dict):
        raise ConfigError(f"{layer.name} takes features by name", expected="a dictionary", got="one tensor")
    return inputs
