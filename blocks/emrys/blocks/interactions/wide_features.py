"""One-hot encoding of categorical and continuous features as one sparse vector."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.interactions.wide_columns import WideColumns


@keras.saving.register_keras_serializable("emrys")
class WideFeatures(Block):
    """One-hot (for lists multi-hot) categorical features and continuous features, in one sparse tensor.

    Columns are in alphabetical order. Repeated ids of a list count once.

    Args:
        schema: The columns; targets, and columns tagged neither CATEGORICAL nor CONTINUOUS, are ignored.

    Input shape:
        Dictionary of ids, (B, 1) or lists of them, and of numbers (B, 1), by column name.

    Output shape:
        (B, sum of the cardinalities + number of continuous features), a `tf.SparseTensor`

    Raises:
        SchemaError: if there are no columns, or a categorical one has no domain; when called, if one is missing.
        DataError: when called, if an id is outside the domain (`tf.errors.InvalidArgumentError` from a graph).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("item", 3), mm.create_continuous_column("price")])
        >>> wide = mm.WideFeatures(schema)({"item": np.array([[2]]), "price": np.array([[0.5]])})
        >>> tf.sparse.to_dense(wide).numpy().tolist()
        [[0.0, 0.0, 1.0, 0.0, 0.5]]
    """

    is_input = True

    def __init__(self, schema: Schema, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self._columns = WideColumns(schema, self.name)

    @property
    def schema(self) -> Schema:
        """The input columns."""
        return self._columns.schema

    def call(self, inputs: dict[str, tf.Tensor]) -> Any:
        """Encodes the features."""
        widths = self._columns.widths({name: tuple(value.shape) for name, value in inputs.items()})
        indices_of_columns, values_of_columns, offset = [], [], 0
        for name, positions, values in self._columns.positions(inputs):
            indices_of_columns.append(positions + offset)
            values_of_columns.append(values)
            offset += widths[name]
        columns, values = tf.concat(indices_of_columns, axis=1), tf.concat(values_of_columns, axis=1)
        nonzero = tf.where(values != 0)
        indices = tf.stack([nonzero[:, 0], tf.gather_nd(columns, nonzero)], axis=1)
        shape = tf.stack([tf.shape(values, "int64")[0], tf.constant(offset, "int64")])
        wide = tf.SparseTensor(indices, tf.cast(tf.gather_nd(values, nonzero), self.compute_dtype), shape)
        wide.set_shape((values.shape[0], offset))
        return wide

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, number of positions)."""
        width = sum(self._columns.widths(input_shape).values())
        return (next(iter(as_shape(input_shape).values()))[0], width)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "schema": to_config(self._columns.schema)}
