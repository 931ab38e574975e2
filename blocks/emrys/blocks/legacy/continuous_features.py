"""`ContinuousFeatures`: selection of continuous features by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import UnnamedBlockArguments
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.core.tabular import Filter, TabularBlock
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.continuous import list_columns, list_of_vectors, list_shape
from emrys.blocks.schema.functions import create_continuous_column


@keras.saving.register_keras_serializable("emrys")
class ContinuousFeatures(TabularBlock):
    """Selects continuous features of a batch by name.

    Args:
        features: The names.
        pre: Layer before it. Default: none.
        post: Layer on the features kept. Default: none.
        aggregation: Aggregation of them to one tensor, such as `"concat"`. Default: none, a dictionary.
        schema: Their columns. Default: created from the names.
        name: Name of the block.

    Input shape:
        Dictionary of tensors by feature name.

    Output shape:
        Dictionary of those kept, (B, 1) each, lists (B, L, 1); or their aggregation, (B, F).

    Raises:
        ConfigError: if there are no names.
        SchemaError: when built, if none of the features is in the batch.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> batch = {"age": np.array([[3.0]]), "id": np.array([[1]]), "price": np.array([[7.0]])}
        >>> mm.ContinuousFeatures(["age", "price"], aggregation="concat")(batch).numpy().tolist()
        [[3.0, 7.0]]
    """

    def __init__(
        self,
        features: Sequence[str],
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        schema: Schema | None = None,
        name: str | None = None,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        if isinstance(features, str) or not features:
            raise ConfigError("ContinuousFeatures: features", expected="a list of names", got=repr(features))
        super().__init__(pre=pre, post=post, aggregation=aggregation, schema=schema, name=name, **kwargs)
        self.is_input = True
        self.features = list(features)
        self._filter = Filter(self.features)
        if schema is None:
            self._schema = Schema([create_continuous_column(feature) for feature in self.features])

    @classmethod
    def from_features(
        cls,
        features: Sequence[str],
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Creates the block for the features with these names; `pre` and `kwargs` are its other arguments."""
        return cls(features, pre=pre, **kwargs)

    def select_by_tag(self, tags: Tags | list[Tags]) -> ContinuousFeatures | None:
        """Returns the block for its features with one of `tags`; None if there is none."""
        selected = Schema([]) if self._schema is None else self._schema.select_by_tag(tags)
        if len(selected) == 0:
            return None
        return ContinuousFeatures.from_schema(selected, pre=self.pre, post=self.post, aggregation=self.aggregation)

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> dict[str, Any]:
        """Returns the features."""
        lists = list_columns(self._schema)
        selected = self._filter.transform(inputs)
        return {name: list_of_vectors(value, name in lists) for name, value in selected.items()}

    def transform_shape(self, shape: Shape) -> Shape:
        """Returns the shapes of the features.

        Raises:
            SchemaError: if the batch has none of them.
        """
        shapes = self._filter.transform_shape(shape)
        if not shapes:
            raise SchemaError(
                f"{self.name} finds none of its features in the batch",
                expected=", ".join(self.features),
                got=", ".join(shape),
            )
        lists = list_columns(self._schema)
        return {name: list_shape(value, name in lists) for name, value in shapes.items()}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        config.pop("is_input")
        return {**config, "features": to_config(self.features)}
