"""Sequence transforms that keep the target in the input, masked or not."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import BlockArguments, block_registry
from emrys.blocks.errors import ConfigError
from emrys.blocks.sequences.masked_positions import HIDDEN
from emrys.blocks.sequences.ragged_rows import lengths, mask_at, of_row, random_below
from emrys.blocks.sequences.sequence_transform import SequenceTransform


@block_registry.register("seq_target_as_input")
@keras.saving.register_keras_serializable("emrys")
class SequenceTargetAsInput(SequenceTransform):
    """Makes a sequence the target and keeps it among the features, without a mask.

    It is for models that mask their input themselves. `SequenceMaskLast` and `SequenceMaskRandom` add a mask.

    Args:
        schema: The sequences; all have the same lengths.
        target: The sequence to predict: a name, a tag that exactly one column has, or a column schema.
        pre: Layer that is applied to the features after `PrepareFeatures`. Default: none.
        transformer: Accepted for a common interface, without effect. Default: none.

    Input shape:
        See `SequencePredictNext`.

    Output shape:
        A `Prediction`: `outputs` are the features with sequences (B, L, 1), `targets` are the input targets and the
        sequence (B, L, 1).

    Raises:
        ConfigError: if `schema` is not a schema, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a column is missing or not a sequence.

    Example:
        >>> import emrys.blocks as mm
        >>> import tensorflow as tf
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
        >>> layer = mm.SequenceTargetAsInput(schema, "items")
        >>> layer({"items": tf.ragged.constant([[3, 5]])}).targets["items"].to_list()
        [[[3], [5]]]
    """

    def mask(self, target: tf.Tensor | tf.RaggedTensor) -> Any:
        """The mask of the elements to hide and predict, for a sequence (B, None, 1); None here."""
        return None

    def transform(self, sequences: dict[str, tf.Tensor]) -> tuple[dict[str, Any], Any, Any]:
        """Returns the sequences, the target and its mask."""
        target = sequences[self.target_name]
        return sequences, target, self.mask(target)


@keras.saving.register_keras_serializable("emrys")
class SequenceMaskLast(SequenceTargetAsInput):
    """Masks the last element of every sequence: the evaluation of a model that is trained on masked elements.

    Args:
        schema: The sequences; all have the same lengths.
        target: The sequence to predict: a name, a tag that exactly one column has, or a column schema.
        pre: Layer that is applied to the features after `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model; `fit(pre=...)` sets its training objective. Default: none.

    Input shape:
        See `SequencePredictNext`; at least two elements per sequence.

    Output shape:
        A `Prediction`: `outputs` are the features with sequences (B, L, 1) and the mask `<target>__hidden` (B, L),
        `targets` are the input targets and the whole sequence (B, L, 1).

    Raises:
        ConfigError: if `schema` is not a schema, or several columns have the tag.
        SchemaError: if the target is not in the schema; when called, if a column is missing or not a sequence.
        DataError: when called, if a sequence has fewer than two elements.

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
    min_length = 2

    def mask(self, target: tf.Tensor | tf.RaggedTensor) -> Any:
        """True at the last element of every row."""
        return mask_at(target, lengths(target) - 1)


@keras.saving.register_keras_serializable("emrys")
class SequenceMaskRandom(SequenceTargetAsInput):
    """Masks random elements of every sequence, sampled for each batch; the model predicts them from the others.

    Each element is masked with the same probability. If none or all elements of a sequence are sampled, one of them is
    masked instead, uniformly at random, so that at least one element is masked and at least one is visible.

    Args:
        schema: The sequences; all have the same lengths.
        target: The sequence to predict: a name, a tag that exactly one column has, or a column schema.
        masking_prob: Probability that an element is masked. Default: 0.2.
        pre: Layer that is applied to the features after `PrepareFeatures`. Default: none.
        transformer: The `TransformerBlock` of the model; `fit(pre=...)` sets its training objective. Default: none.

    Input shape:
        See `SequencePredictNext`; at least two elements per sequence.

    Output shape:
        That of `SequenceMaskLast`.

    Raises:
        ConfigError: if `schema` is not a schema, several columns have the tag, or the probability is not
            between 0 and 1.
        SchemaError: if the target is not in the schema; when called, if a column is missing or not a sequence.
        DataError: when called, if a sequence has fewer than two elements.

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
    min_length = 2

    def __init__(
        self,
        schema: Schema,
        target: str | Tags | ColumnSchema,
        masking_prob: float = 0.2,
        pre: keras.layers.Layer | None = None,
        transformer: keras.layers.Layer | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(schema, target, pre=pre, transformer=transformer, **kwargs)
        if not 0 < masking_prob < 1:
            raise ConfigError(
                "SequenceMaskRandom: masking_prob", expected="a number between 0 and 1", got=repr(masking_prob)
            )
        self.masking_prob = masking_prob

    def mask(self, target: tf.Tensor | tf.RaggedTensor) -> Any:
        """True at random elements of every row, at least one and not all."""
        size = lengths(target)
        drawn = tf.random.uniform(tf.shape(target.value_rowids())) < self.masking_prob
        count = tf.math.unsorted_segment_sum(tf.cast(drawn, "int64"), target.value_rowids(), target.nrows())
        again = tf.logical_or(tf.equal(count, 0), tf.equal(count, size))
        one = mask_at(target, random_below(tf.maximum(size, 1)))
        return target.with_values(tf.where(of_row(target, again), one.values, drawn))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "masking_prob": self.masking_prob}
