"""Broadcasting of context features to sequences."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError


@keras.saving.register_keras_serializable("emrys")
class BroadcastToSequence(Block):
    """Repeats context features for every element of the sequences of a row, so that both can be concatenated.

    Args:
        context_schema: The context features, such as those of the user.
        sequence_schema: The sequences; all have the same lengths.

    Input shape:
        Dictionary by feature name: context (B, D), sequences (B, L, D') or ragged (B, None, D'); others are
        unchanged.

    Output shape:
        The same with context (B, L, D), ragged if the sequences are. A Keras mask of the sequences is
        also that of the context.

    Raises:
        ConfigError: if a schema is not a schema, or has no columns.
        SchemaError: when called, if a column of a schema is missing.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import ColumnSchema, Schema
        >>> layer = mm.BroadcastToSequence(Schema([ColumnSchema("user")]), Schema([ColumnSchema("items")]))
        >>> layer({"user": np.array([[7]]), "items": np.array([[[1], [2]]])})["user"].numpy().tolist()
        [[[7], [7]]]
    """

    def __init__(self, context_schema: Schema, sequence_schema: Schema, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for argument, value in (("context_schema", context_schema), ("sequence_schema", sequence_schema)):
            if not isinstance(value, Schema) or not len(value):
                raise ConfigError(f"BroadcastToSequence: {argument}", expected="a schema with columns", got=repr(value))
        self.context_schema = context_schema
        self.sequence_schema = sequence_schema
        self.supports_masking = True

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Repeats the context."""
        self._check(inputs)
        sequence = inputs[self.sequence_schema.column_names[0]]
        context = self.context_schema.column_names
        return {name: _repeat(tensor, sequence) if name in context else tensor for name, tensor in inputs.items()}

    def _check(self, features: Any) -> None:
        for name in (*self.context_schema.column_names, *self.sequence_schema.column_names):
            if name not in features:
                raise SchemaError(
                    f"{self.name}: a column is missing", column=name, expected="all columns of both schemas",
                    got=", ".join(features),
                )  # fmt: skip

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Extends the mask of the sequences to the context; None without a mask."""
        if not isinstance(mask, dict):
            return None
        sequence_mask = next(
            (mask[name] for name in self.sequence_schema.column_names if mask.get(name) is not None), None
        )
        if sequence_mask is None:
            return None
        return {**mask, **dict.fromkeys(self.context_schema.column_names, sequence_mask)}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shapes with the context as long as the sequences."""
        shapes = as_shape(input_shape)
        self._check(shapes)
        length = shapes[self.sequence_schema.column_names[0]][1]
        context = self.context_schema.column_names
        return {name: (shape[0], length, *shape[1:]) if name in context else shape for name, shape in shapes.items()}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "context_schema": to_config(self.context_schema),
            "sequence_schema": to_config(self.sequence_schema),
        }


def _repeat(context: Any, sequence: Any) -> Any:
    if isinstance(sequence, tf.RaggedTensor):
        return sequence.with_values(tf.gather(context, sequence.value_rowids()))
    return tf.repeat(tf.expand_dims(context, 1), tf.shape(sequence)[1], axis=1)
