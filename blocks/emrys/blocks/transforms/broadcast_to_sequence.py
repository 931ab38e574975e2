"""Broadcasting of context features to sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import Schema

from emrys.blocks.core.calling import Shape
from emrys.blocks.core.runtime_checks import require
from emrys.blocks.core.serializing import to_config
from emrys.blocks.core.tabular import TabularArguments, TabularBlock
from emrys.blocks.errors import ConfigError, SchemaError


@keras.saving.register_keras_serializable("emrys")
class BroadcastToSequence(TabularBlock):
    """Repeats context features for every element of the sequences of a row, so that both can be concatenated.

    Args:
        context_schema: The context features, such as those of the user. Without columns nothing is repeated.
        sequence_schema: The sequences; all have the same lengths. Without columns nothing is repeated.
        **kwargs: The other arguments of `TabularBlock`, such as `pre` and `post`.

    Input shape:
        Dictionary by feature name: context (B,) or (B, D), sequences (B, L) or (B, L, D'), dense or ragged; others are
        unchanged.

    Output shape:
        The same with context (B, L, D), ragged if the sequences are. A context (B,) becomes (B, L), or (B, L, 1) beside
        sequences of vectors. A Keras mask of the sequences is also that of the context.

    Raises:
        ConfigError: if a schema is not a schema.
        SchemaError: when called, if a column of a schema is missing, or a context feature is a ragged list.
        DataError: when called, if sequences differ in length (`tf.errors.InvalidArgumentError` from a graph).

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import ColumnSchema, Schema
        >>> layer = mm.BroadcastToSequence(Schema([ColumnSchema("user")]), Schema([ColumnSchema("items")]))
        >>> layer({"user": np.array([[7]]), "items": np.array([[[1], [2]]])})["user"].numpy().tolist()
        [[[7], [7]]]
    """

    def __init__(self, context_schema: Schema, sequence_schema: Schema, **kwargs: Unpack[TabularArguments]) -> None:
        super().__init__(**kwargs)
        for argument, value in (("context_schema", context_schema), ("sequence_schema", sequence_schema)):
            if not isinstance(value, Schema):
                raise ConfigError(f"BroadcastToSequence: {argument}", expected="a schema", got=repr(value))
        self.context_schema = context_schema
        self.sequence_schema = sequence_schema
        self.supports_masking = True

    def transform(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], **kwargs: object) -> dict[str, Any]:
        """Repeats the context."""
        if not self._has_columns():
            return dict(inputs)
        self._check(inputs)
        sequence = inputs[self.sequence_schema.column_names[0]]
        self._check_lengths({name: inputs[name] for name in self.sequence_schema.column_names})
        context = self.context_schema.column_names
        return {name: self._repeat(name, each, sequence) if name in context else each for name, each in inputs.items()}

    def _has_columns(self) -> bool:
        return len(self.context_schema) > 0 and len(self.sequence_schema) > 0

    def _check(self, features: Any) -> None:
        for name in (*self.context_schema.column_names, *self.sequence_schema.column_names):
            if name not in features:
                raise SchemaError(
                    f"{self.name}: a column is missing", column=name, expected="all columns of both schemas",
                    got=", ".join(features),
                )  # fmt: skip

    def _check_lengths(self, sequences: dict[str, Any]) -> None:
        (first, sequence), *others = sequences.items()
        for name, other in others:
            if isinstance(sequence, tf.RaggedTensor) != isinstance(other, tf.RaggedTensor):
                raise SchemaError(
                    f"{self.name}: sequences are of one kind", column=name, expected=f"that of {first}",
                    got="one is ragged, the other dense", fix="Use ListToDense.",
                )  # fmt: skip
            if isinstance(sequence, tf.RaggedTensor):
                equal = tf.equal(sequence.row_lengths(), tf.cast(other.row_lengths(), sequence.row_splits.dtype))
            else:
                equal = tf.equal(tf.shape(sequence)[1], tf.shape(other)[1])
            require(
                equal,
                f"{self.name}: sequences of {first} and {name} have different lengths",
                expected="equal lengths in a row",
                fix="Remove one of them from sequence_schema.",
            )

    def _repeat(self, name: str, context: Any, sequence: Any) -> Any:
        if isinstance(context, tf.RaggedTensor):
            raise SchemaError(
                f"{self.name}: a context feature is a list", column=name, expected="one value, or one vector, per row",
                got="a ragged tensor", fix="Move the column to sequence_schema.",
            )  # fmt: skip
        if len(context.shape) == 1 and len(sequence.shape) > 2:
            context = context[:, tf.newaxis]
        if isinstance(sequence, tf.RaggedTensor):
            return sequence.with_values(tf.gather(context, sequence.value_rowids()))
        return tf.repeat(tf.expand_dims(context, 1), tf.shape(sequence)[1], axis=1)

    def compute_mask(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], mask: tf.Tensor | tf.RaggedTensor | None = None
    ) -> Any:
        """Extends the mask of the sequences to the context; None without a mask."""
        if not isinstance(mask, dict):
            return None
        sequence_mask = next(
            (mask[name] for name in self.sequence_schema.column_names if mask.get(name) is not None), None
        )
        if sequence_mask is None:
            return None
        return {**mask, **dict.fromkeys(self.context_schema.column_names, sequence_mask)}

    def transform_shape(self, shape: Shape) -> Shape:
        """Shapes with the context as long as the sequences."""
        if not self._has_columns():
            return shape
        self._check(shape)
        sequence = shape[self.sequence_schema.column_names[0]]
        return {
            name: self._repeated_shape(each, sequence) if name in self.context_schema.column_names else each
            for name, each in shape.items()
        }

    def _repeated_shape(self, context: tuple[int | None, ...], sequence: tuple[int | None, ...]) -> Shape:
        vector = (1,) if len(context) == 1 and len(sequence) > 2 else context[1:]
        return (context[0], sequence[1], *vector)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "context_schema": to_config(self.context_schema),
            "sequence_schema": to_config(self.sequence_schema),
        }
