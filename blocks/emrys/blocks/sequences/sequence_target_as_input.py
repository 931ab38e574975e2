"""A sequence as target and as input."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.sequences.sequence_transform import SequenceTransform


@keras.saving.register_keras_serializable("emrys")
class SequenceTargetAsInput(SequenceTransform):
    """Makes a sequence the target, and keeps it among the features.

    Nothing is masked: for a model that hides by itself what it is to say. `SequenceMaskLast` and `SequenceMaskRandom`
    say what is to be hidden.

    Args:
        schema: The sequences; all have the same lengths.
        target: The one that is predicted: a name, a tag that one column has, or a column schema.
        pre: Layer on the features before, once lists are prepared by `PrepareFeatures`. Default: none.
        transformer: Kept for the sake of its siblings, without effect here. Default: none.

    Input shape:
        See `SequencePredictNext`.

    Output shape:
        A `Prediction`: `outputs` are the features with sequences (B, L, 1), `targets` those given and the sequence
        (B, L, 1).

    Raises:
        ConfigError: if the schema is none, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a sequence is missing or is none.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> layer = mm.SequenceTargetAsInput(schema, "items")
        >>> layer({"items": tf.ragged.constant([[3, 5]])}).targets["items"].to_list()
        [[[3], [5]]]
    """

    def mask(self, target: Any) -> Any:
        """Which elements of the sequence, ragged (B, None, 1), are to be hidden and predicted: none are named."""
        return None

    def transform(self, sequences: dict[str, Any]) -> tuple[dict[str, Any], Any, Any]:
        """Takes the target."""
        target = sequences[self.target_name]
        return sequences, target, self.mask(target)
