"""Hiding elements drawn at random."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError
from emrys.blocks.sequences.position_mask import HIDDEN
from emrys.blocks.sequences.rows import lengths, mask_at, of_row, random_below
from emrys.blocks.sequences.sequence_target_as_input import SequenceTargetAsInput


@keras.saving.register_keras_serializable("emrys")
class SequenceMaskRandom(SequenceTargetAsInput):
    """Hides elements of every row at random, anew for each batch; the model learns to guess them from all others.

    Each element is hidden with the same probability. A row in which none or all would be has one hidden instead, any
    of them equally likely: at least one element is hidden and at least one is seen, whatever the length of the row.

    Args:
        schema: The sequences; all have the same lengths.
        target: The one that is predicted: a name, a tag that one column has, or a column schema.
        masking_prob: Probability of being hidden. Default: 0.2.
        pre: Layer on the features before, once lists are prepared by `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model, which `fit(pre=...)` then tells how it is trained.
            Default: none.

    Input shape:
        See `SequencePredictNext`; at least two elements a row.

    Output shape:
        That of `SequenceMaskLast`.

    Raises:
        ConfigError: if the schema is none, several columns have the tag, or the probability is not between 0 and 1.
        SchemaError: if the target is not in the schema; when called, if a sequence is missing or is none.
        DataError: when called, if a row has fewer than two elements.

    Source:
        Sun et al., "BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from Transformer",
        CIKM 2019.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> layer = mm.SequenceMaskRandom(schema, "items")
        >>> sorted(layer({"items": tf.ragged.constant([[3, 5]])}).outputs[layer.mask_name].to_list()[0])
        [False, True]
    """

    predicts = "masked"
    mask_suffix = HIDDEN
    least = 2

    def __init__(
        self,
        schema: Schema,
        target: str | Tags | ColumnSchema,
        masking_prob: float = 0.2,
        pre: keras.layers.Layer | None = None,
        transformer: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, target, pre=pre, transformer=transformer, **kwargs)
        if not 0 < masking_prob < 1:
            raise ConfigError(
                "SequenceMaskRandom: masking_prob", expected="a number between 0 and 1", got=repr(masking_prob)
            )
        self.masking_prob = masking_prob

    def mask(self, target: Any) -> Any:
        """True at some elements of every row, though neither at none nor at all of them."""
        size = lengths(target)
        drawn = tf.random.uniform(tf.shape(target.value_rowids())) < self.masking_prob
        count = tf.math.unsorted_segment_sum(tf.cast(drawn, "int64"), target.value_rowids(), target.nrows())
        again = tf.logical_or(tf.equal(count, 0), tf.equal(count, size))
        one = mask_at(target, random_below(tf.maximum(size, 1)))
        return target.with_values(tf.where(of_row(target, again), one.values, drawn))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "masking_prob": self.masking_prob}
