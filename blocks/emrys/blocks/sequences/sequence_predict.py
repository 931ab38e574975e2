"""Sequence transforms that predict an element from the elements before it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.block import block_registry
from emrys.blocks.sequences.masked_positions import PREDICTED
from emrys.blocks.sequences.ragged_rows import element_at, first_elements, lengths, mask_at, random_below
from emrys.blocks.sequences.sequence_transform import SequenceTransform


@block_registry.register("seq_predict_next")
@keras.saving.register_keras_serializable("emrys")
class SequencePredictNext(SequenceTransform):
    """Next-item prediction at every position: each element is the target of the elements before it.

    The target is the sequence without its first element; the last element is removed from all sequences of the schema.
    Every remaining position predicts. A sequence of one element has no positions left.

    Args:
        schema: The sequences; all have the same lengths.
        target: The sequence to predict: a name, a tag that exactly one column has, or a column schema.
        pre: Layer that is applied to the features after `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model; it must be causal. `fit(pre=...)` sets its training objective.
            Default: none.

    Input shape:
        Dictionary by feature name; sequences ragged (B, None), dense (B, L) with 0 as padding on the right, or as
        `<name>__values` and `<name>__offsets`.

    Output shape:
        A `Prediction`: `outputs` are the features with sequences (B, L - 1, 1) and the mask `<target>__predicted`
        (B, L - 1), `targets` are the input targets and the sequence (B, L - 1, 1).

    Raises:
        ConfigError: if `schema` is not a schema, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a column is missing or not a sequence.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> prediction = mm.SequencePredictNext(schema, "items")({"items": tf.ragged.constant([[3, 5, 7]])})
        >>> prediction.outputs["items"].to_list(), prediction.targets["items"].to_list()
        ([[[3], [5]]], [[[5], [7]]])
    """

    predicts = "next"
    mask_suffix = PREDICTED
    shorter = 1

    def transform(self, sequences: dict[str, tf.Tensor]) -> tuple[dict[str, Any], Any, Any]:
        """Removes the last element of the sequences, and the first of the target."""
        inputs = {name: sequence[:, :-1] for name, sequence in sequences.items()}
        target = inputs[self.target_name]
        mask = target.with_values(tf.ones_like(target.value_rowids(), dtype="bool"))
        return inputs, sequences[self.target_name][:, 1:], mask

    def configure_for_train(self) -> None:
        """Sets the training objective of the transformer.

        Raises:
            ConfigError: if the transformer is not causal, or is built for another objective.
        """
        if self.transformer is not None:
            self.transformer.check_causal(self.name)
        super().configure_for_train()


@block_registry.register("seq_predict_last")
@keras.saving.register_keras_serializable("emrys")
class SequencePredictLast(SequenceTransform):
    """Last-item prediction: the last element is the target of all elements before it.

    The last element is removed from all sequences of the schema, and the last remaining position predicts. A sequence
    of one element has no positions left: it counts in outputs with one vector per row, and not in others.

    Args:
        schema: The sequences; all have the same lengths.
        target: The sequence to predict: a name, a tag that exactly one column has, or a column schema.
        pre: Layer that is applied to the features after `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model; `fit(pre=...)` sets its training objective. Default: none.

    Input shape:
        See `SequencePredictNext`; at least one element per sequence.

    Output shape:
        A `Prediction`: `outputs` are the features with sequences (B, L - 1, 1) and the mask `<target>__predicted`
        (B, L - 1), `targets` are the input targets and the elements (B, 1).

    Raises:
        ConfigError: if `schema` is not a schema, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a column is missing or not a sequence.
        DataError: when called, if a sequence is empty.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> prediction = mm.SequencePredictLast(schema, "items")({"items": tf.ragged.constant([[3, 5, 7]])})
        >>> prediction.outputs["items"].to_list(), prediction.targets["items"].numpy().tolist()
        ([[[3], [5]]], [[7]])
    """

    predicts = "next"
    mask_suffix = PREDICTED
    shorter = 1
    min_length = 1

    def target_position(self, size: tf.Tensor | tf.RaggedTensor) -> Any:
        """Position of the target in every row, (B,), int64, for rows of `size` elements."""
        return size - 1

    def transform(self, sequences: dict[str, tf.Tensor]) -> tuple[dict[str, Any], Any, Any]:
        """Truncates the sequences before the target."""
        target = sequences[self.target_name]
        position = self.target_position(lengths(target))
        inputs = {name: first_elements(sequence, position) for name, sequence in sequences.items()}
        return inputs, element_at(target, position), mask_at(inputs[self.target_name], position - 1)


@block_registry.register("seq_predict_random")
@keras.saving.register_keras_serializable("emrys")
class SequencePredictRandom(SequencePredictLast):
    """Prediction of one element at random, sampled for each batch, from all elements before it.

    The element is sampled uniformly from all but the first. All sequences of the schema are truncated before it, and
    the last remaining position predicts. The target of a sequence of one element is that element.

    Args:
        schema: The sequences; all have the same lengths.
        target: The sequence to predict: a name, a tag that exactly one column has, or a column schema.
        pre: Layer that is applied to the features after `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model; `fit(pre=...)` sets its training objective. Default: none.

    Input shape:
        See `SequencePredictNext`; at least one element per sequence.

    Output shape:
        That of `SequencePredictLast`.

    Raises:
        ConfigError: if `schema` is not a schema, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a column is missing or not a sequence.
        DataError: when called, if a sequence is empty.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> prediction = mm.SequencePredictRandom(schema, "items")({"items": tf.ragged.constant([[3, 5]])})
        >>> prediction.outputs["items"].to_list(), prediction.targets["items"].numpy().tolist()
        ([[[3]]], [[5]])
    """

    def target_position(self, size: tf.Tensor | tf.RaggedTensor) -> Any:
        """Position of the target in every row, (B,), int64, for rows of `size` elements."""
        return tf.minimum(1 + random_below(tf.maximum(size - 1, 1)), size - 1)
