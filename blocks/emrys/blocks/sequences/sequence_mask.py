"""A sequence as target and as input."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError
from emrys.blocks.sequences.masked_positions import HIDDEN
from emrys.blocks.sequences.ragged_rows import lengths, mask_at, of_row, random_below
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
