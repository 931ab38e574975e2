"""Predicting the last element."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.sequences.position_mask import PREDICTED
from emrys.blocks.sequences.rows import element_at, first_elements, lengths, mask_at
from emrys.blocks.sequences.sequence_transform import SequenceTransform


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
