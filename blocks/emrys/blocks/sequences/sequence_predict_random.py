"""Predicting one element drawn at random."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.sequences.rows import random_below
from emrys.blocks.sequences.sequence_predict_last import SequencePredictLast


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
