"""`PrepareListFeatures`: list features in a uniform shape."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments, block_registry
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.features import OFFSETS, VALUES
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError


@block_registry.register("prepare_lists")
@keras.saving.register_keras_serializable("emrys")
class PrepareListFeatures(Block):
    """Joins the two tensors of a list column, and gives every list of scalars a last axis of size 1.

    Args:
        schema: The columns. Features that are not in it are passed on as they are.
        list_as_dense: Whether lists become dense, padded with 0 to the most values that the schema allows, or to the
            longest list of the batch where it allows any number. Default: False.

    Input shape:
        Dictionary by feature name. A list column is `<name>__values` (sum of the lengths,) with `<name>__offsets`
        (B + 1,), or ragged (B, None), or dense (B, L); each may have a last axis.

    Output shape:
        Dictionary by feature name: lists ragged (B, None, 1) or dense (B, L, 1), lists of vectors (B, None, D); scalars
        as they are.

    Raises:
        ConfigError: if `schema` is no schema.
        SchemaError: if one of the two tensors of a list column is missing.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> layer = mm.PrepareListFeatures(Schema([mm.create_categorical_column("genres", 9, min_value_count=0)]))
        >>> layer({"genres__values": np.array([3, 5, 7]), "genres__offsets": np.array([0, 2, 3])})["genres"].to_list()
        [[[3], [5]], [[7]]]
    """

    def __init__(self, schema: Schema, list_as_dense: bool = False, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        if not isinstance(schema, Schema):
            raise ConfigError(f"{type(self).__name__}: schema", expected="a Schema", got=repr(schema))
        self._columns = schema
        self.list_as_dense = list_as_dense

    @property
    def schema(self) -> Schema:
        """The columns."""
        return self._columns

    def call(self, inputs: dict[str, tf.Tensor]) -> dict[str, Any]:
        """Returns the features in their new form."""
        prepared: dict[str, Any] = {}
        for feature, tensor in inputs.items():
            name, column = self._source_column(feature, inputs)
            if column is None:
                prepared[feature] = tensor
            elif name == feature:
                prepared[name] = self._one(column, tensor)
            elif name not in prepared:
                splits = tf.reshape(inputs[name + OFFSETS], (-1,))
                joined = tf.RaggedTensor.from_row_splits(_flat(inputs[name + VALUES]), splits, validate=False)
                prepared[name] = self._list(column, joined)
        return prepared

    def _source_column(self, feature: str, features: Any) -> tuple[str, ColumnSchema | None]:
        names = self._columns.column_names
        for suffix in (VALUES, OFFSETS):
            name = feature.removesuffix(suffix)
            if name != feature and feature not in names and name in names:
                missing = {name + VALUES, name + OFFSETS} - set(features)
                if missing:
                    raise SchemaError(f"{self.name} needs both tensors of a list", column=name, expected=missing.pop())
                return name, self._columns[name]
        return feature, self._columns[feature] if feature in names else None

    def _one(self, column: ColumnSchema, tensor: Any) -> Any:
        """Prepares a feature that is one tensor."""
        if isinstance(tensor, tf.RaggedTensor) or _is_list(column):
            return self._list(column, tensor)
        return tensor

    def _list(self, column: ColumnSchema, lists: Any) -> Any:
        if not isinstance(lists, tf.RaggedTensor):
            return tf.expand_dims(lists, -1) if len(lists.shape) == 2 else lists
        if len(lists.shape) == 2:
            lists = tf.expand_dims(lists, -1)
        return lists.to_tensor(shape=(None, _longest(column), lists.shape[2])) if self.list_as_dense else lists

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shapes of the features in their new form."""
        shapes = as_shape(input_shape)
        prepared: dict[str, Any] = {}
        for feature, shape in shapes.items():
            name, column = self._source_column(feature, shapes)
            if column is None:
                prepared[feature] = shape
            elif name == feature:
                prepared[name] = self._one_shape(column, shape)
            else:
                values = shapes[name + VALUES]
                length = _longest(column) if self.list_as_dense else None
                prepared[name] = (None, length, values[1] if len(values) > 1 else 1)
        return prepared

    def _one_shape(self, column: ColumnSchema, shape: tuple[int | None, ...]) -> Shape:
        if not _is_list(column):
            return shape
        length = shape[1] if shape[1] is not None or not self.list_as_dense else _longest(column)
        return (shape[0], length, shape[2] if len(shape) > 2 else 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "schema": to_config(self._columns), "list_as_dense": self.list_as_dense}


def _is_list(column: ColumnSchema) -> bool:
    """Whether a row of the column is a list of scalars; a pretrained vector is not."""
    return bool(column.is_list) and Tags.EMBEDDING not in column.tags


def _flat(values: Any) -> Any:
    return values[:, tf.newaxis] if len(values.shape) == 1 else values


def _longest(column: ColumnSchema) -> int | None:
    longest = (column.properties.get("value_count") or {}).get("max")
    return int(longest) if longest else None
