"""Hiding the last element."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.sequences.position_mask import HIDDEN
from emrys.blocks.sequences.rows import lengths, mask_at
from emrys.blocks.sequences.sequence_target_as_input import SequenceTargetAsInput


@keras.saving.register_keras_serializable("emrys")
class SequenceMaskLast(SequenceTargetAsInput):
    """Hides the last element of every row, which is to be predicted: the test of a model that guesses hidden elements.

    Args:
        schema: The sequences; all have the same lengths.
        target: The one that is predicted: a name, a tag that one column has, or a column schema.
        pre: Layer on the features before, once lists are prepared by `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model, which `fit(pre=...)` then tells how it is trained.
            Default: none.

    Input shape:
        See `SequencePredictNext`; at least two elements a row.

    Output shape:
        A `Prediction`: `outputs` are the features with sequences (B, L, 1) and the mask `<target>__hidden` (B, L),
        `targets` those given and the whole sequence (B, L, 1).

    Raises:
        ConfigError: if the schema is none, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a sequence is missing or is none.
        DataError: when called, if a row has fewer than two elements.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> layer = mm.SequenceMaskLast(schema, "items")
        >>> layer({"items": tf.ragged.constant([[3, 5, 7]])}).outputs[layer.mask_name].to_list()
        [[False, False, True]]
    """

    predicts = "masked"
    mask_suffix = HIDDEN
    least = 2

    def mask(self, target: Any) -> Any:
        """True at the last element of every row."""
        return mask_at(target, lengths(target) - 1)
