"""Predicting every next element."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.sequences.masked_positions import PREDICTED
from emrys.blocks.sequences.ragged_rows import element_at, first_elements, lengths, mask_at, random_below
from emrys.blocks.sequences.sequence_transform import SequenceTransform


@keras.saving.register_keras_serializable("emrys")
class SequencePredictNext(SequenceTransform):
    """Makes every element the target of those before it: the model learns to say what comes next, at each position.

    The target is the sequence without its first element; all sequences of the schema lose their last one. Every
    position that is left is predicted. A row of one element has none left.

    Args:
        schema: The sequences; all have the same lengths.
        target: The one that is predicted: a name, a tag that one column has, or a column schema.
        pre: Layer on the features before, once lists are prepared by `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model, which `fit(pre=...)` then tells how it is trained; it has to
            be causal. Default: none.

    Input shape:
        Dictionary by feature name; sequences ragged (B, None), dense (B, L) with 0 as padding on the right, or as
        `<name>__values` and `<name>__offsets`.

    Output shape:
        A `Prediction`: `outputs` are the features with sequences (B, L - 1, 1) and the mask `<target>__predicted`
        (B, L - 1), `targets` those given and the sequence (B, L - 1, 1).

    Raises:
        ConfigError: if the schema is none, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a sequence is missing or is none.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> made = mm.SequencePredictNext(schema, "items")({"items": tf.ragged.constant([[3, 5, 7]])})
        >>> made.outputs["items"].to_list(), made.targets["items"].to_list()
        ([[[3], [5]]], [[[5], [7]]])
    """

    predicts = "next"
    mask_suffix = PREDICTED
    shorter = 1

    def transform(self, sequences: dict[str, Any]) -> tuple[dict[str, Any], Any, Any]:
        """Cuts the last element of the sequences, and the first of the target."""
        made = {name: sequence[:, :-1] for name, sequence in sequences.items()}
        target = made[self.target_name]
        mask = target.with_values(tf.ones_like(target.value_rowids(), dtype="bool"))
        return made, sequences[self.target_name][:, 1:], mask

    def configure_for_train(self) -> None:
        """Tells the transformer how it is trained.

        Raises:
            ConfigError: if the transformer sees what it is to predict, or is built for another training.
        """
        if self.transformer is not None:
            self.transformer.check_causal(self.name)
        super().configure_for_train()


@keras.saving.register_keras_serializable("emrys")
class SequencePredictLast(SequenceTransform):
    """Makes the last element the target of all before it.

    All sequences of the schema lose their last element, and the last position that is left is the one that is
    predicted. A row of one element has none left: outputs that give a vector a row are judged by it, others are not.

    Args:
        schema: The sequences; all have the same lengths.
        target: The one that is predicted: a name, a tag that one column has, or a column schema.
        pre: Layer on the features before, once lists are prepared by `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model, which `fit(pre=...)` then tells how it is trained.
            Default: none.

    Input shape:
        See `SequencePredictNext`; at least one element a row.

    Output shape:
        A `Prediction`: `outputs` are the features with sequences (B, L - 1, 1) and the mask `<target>__predicted`
        (B, L - 1), `targets` those given and the elements (B, 1).

    Raises:
        ConfigError: if the schema is none, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a sequence is missing or is none.
        DataError: when called, if a row is empty.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> made = mm.SequencePredictLast(schema, "items")({"items": tf.ragged.constant([[3, 5, 7]])})
        >>> made.outputs["items"].to_list(), made.targets["items"].numpy().tolist()
        ([[[3], [5]]], [[7]])
    """

    predicts = "next"
    mask_suffix = PREDICTED
    shorter = 1
    least = 1

    def place(self, size: Any) -> Any:
        """Where the target is in every row, (B,), int64, for rows of `size` elements."""
        return size - 1

    def transform(self, sequences: dict[str, Any]) -> tuple[dict[str, Any], Any, Any]:
        """Cuts the sequences where the target is."""
        target = sequences[self.target_name]
        place = self.place(lengths(target))
        made = {name: first_elements(sequence, place) for name, sequence in sequences.items()}
        return made, element_at(target, place), mask_at(made[self.target_name], place - 1)


@keras.saving.register_keras_serializable("emrys")
class SequencePredictRandom(SequencePredictLast):
    """Makes one element of every row, drawn anew for each batch, the target of all before it.

    Any element but the first can be drawn, all equally likely. All sequences of the schema are cut there, and the last
    position that is left is the one that is predicted. The only element of a row of one is its target.

    Args:
        schema: The sequences; all have the same lengths.
        target: The one that is predicted: a name, a tag that one column has, or a column schema.
        pre: Layer on the features before, once lists are prepared by `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model, which `fit(pre=...)` then tells how it is trained.
            Default: none.

    Input shape:
        See `SequencePredictNext`; at least one element a row.

    Output shape:
        That of `SequencePredictLast`.

    Raises:
        ConfigError: if the schema is none, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a sequence is missing or is none.
        DataError: when called, if a row is empty.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> made = mm.SequencePredictRandom(schema, "items")({"items": tf.ragged.constant([[3, 5]])})
        >>> made.outputs["items"].to_list(), made.targets["items"].numpy().tolist()
        ([[[3]]], [[5]])
    """

    def place(self, size: Any) -> Any:
        """Where the target is in every row, (B,), int64, for rows of `size` elements."""
        return tf.minimum(1 + random_below(tf.maximum(size - 1, 1)), size - 1)
