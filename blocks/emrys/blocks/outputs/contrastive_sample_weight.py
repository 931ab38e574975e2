"""`ContrastiveSampleWeight`: weights of positives and of sampled negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, Unpack

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, SchemaError


@keras.saving.register_keras_serializable("emrys")
class ContrastiveSampleWeight(Block):
    """Weights every score of a `ContrastiveOutput` separately, as its `post`.

    As each score has its own weight, it becomes a row: outputs and targets get a last axis of size 1. This requires a
    loss of single scores, such as binary cross-entropy, the default loss of such an output. Metrics get the scores of a
    row together again, with the weight of its positive.

    Args:
        pos_class_weight: Weight of positives: a number; the name of a feature (B, 1) that holds it; or numbers (N,) by
            the positive's id.
        neg_class_weight: Weight of negatives: a number; or numbers (N,) by their ids, for which the output needs
            `store_negative_ids=True`. Default: 1.
        schema: Schema with the column of the ids. Default: the schema passed to `set_schema`.
        candidate_tag_id: Tag of that column. Default: `Tags.ITEM_ID`.

    Input shape:
        `Prediction` with outputs (B, 1 + M); anything else passes unchanged.

    Output shape:
        `Prediction` with outputs and targets (B, 1 + M, 1) and weights (B, 1 + M) in training and testing.

    Raises:
        ConfigError: when called, if the batch lacks the feature of the weights, or the ids.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> scores = mm.Prediction(np.array([[2.0, 1.0]]), np.array([[1.0, 0.0]]))
        >>> weigh = mm.ContrastiveSampleWeight(1.0, 0.5)
        >>> weigh(scores, training=True).sample_weight.numpy().tolist()
        [[1.0, 0.5]]
    """

    def __init__(
        self,
        pos_class_weight: Sequence[float] | tf.Tensor,
        neg_class_weight: Sequence[float] | tf.Tensor = 1,
        schema: Schema | None = None,
        candidate_tag_id: Tags = Tags.ITEM_ID,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.pos_class_weight = pos_class_weight if isinstance(pos_class_weight, str) else _as_numbers(pos_class_weight)
        self.neg_class_weight = _as_numbers(neg_class_weight)
        self.candidate_tag_id = candidate_tag_id
        self._schema = schema
        self.built = True  # nothing to build; Keras would look for the shapes of a prediction's missing fields

    @property
    def schema(self) -> Schema | None:
        """The schema with the column of the ids."""
        return self._schema

    def set_schema(self, schema: Schema | None) -> Self:
        """Sets the schema, unless the constructor got one, and returns the layer."""
        if self._schema is None:
            self._schema = schema
        return self

    def call(
        self,
        outputs: tf.Tensor | Mapping[str, tf.Tensor] | Prediction,
        features: Mapping[str, tf.Tensor] | None = None,
        training: bool | None = None,
        testing: bool | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the scores with their weights."""
        if not isinstance(outputs, Prediction) or not (training or testing):
            return outputs
        scores = outputs.outputs
        positive = tf.broadcast_to(self._positive_weights(features, targets), tf.shape(scores[:, :1]))
        negative = tf.broadcast_to(self._negative_weights(outputs.negative_candidate_ids), tf.shape(scores[:, 1:]))
        weights = tf.concat([positive, negative], axis=1)
        if outputs.sample_weight is not None:
            weights *= tf.reshape(tf.cast(outputs.sample_weight, weights.dtype), (-1, 1))
        return outputs._replace(
            outputs=scores[..., tf.newaxis],
            targets=tf.convert_to_tensor(outputs.targets)[..., tf.newaxis],
            sample_weight=weights,
        )

    def _positive_weights(self, features: Any, targets: Any) -> Any:
        weights = self.pos_class_weight
        if isinstance(weights, str):
            if weights not in (features or {}):
                raise ConfigError(
                    f"{self.name} finds no weights of positives",
                    column=weights,
                    expected="a feature of this name",
                    got=", ".join(features or {}) or "none",
                )
            return tf.reshape(tf.cast(features[weights], "float32"), (-1, 1))
        if np.ndim(weights) == 0:
            return tf.constant(weights, "float32")
        ids = positive_ids(self, self._schema, self.candidate_tag_id, features, targets)
        return tf.gather(tf.constant(weights, "float32"), tf.reshape(ids, (-1, 1)))

    def _negative_weights(self, ids: Any) -> Any:
        if np.ndim(self.neg_class_weight) == 0:
            return tf.constant(self.neg_class_weight, "float32")
        return tf.gather(tf.constant(self.neg_class_weight, "float32"), negative_ids(self, ids))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "pos_class_weight": self.pos_class_weight,
            "neg_class_weight": self.neg_class_weight,
            "schema": to_config(self._schema),
            "candidate_tag_id": to_config(self.candidate_tag_id),
        }


def positive_ids(
    owner: Block,
    schema: Schema | None,
    tag: Tags,
    features: Mapping[str, tf.Tensor] | None,
    targets: tf.Tensor | Mapping[str, tf.Tensor] | None,
) -> Any:
    """Returns the ids of the positives, (B, 1): the feature, or else the target, with `tag`.

    Raises:
        SchemaError: if no schema is known, or no column has the tag.
        ConfigError: if the batch lacks the column.
    """
    names = [] if schema is None else schema.select_by_tag(tag).column_names
    if not names:
        raise SchemaError(f"{owner.name} needs the column of the ids", expected=f"a schema with a column tagged {tag}")
    for values in (features, targets):
        if isinstance(values, dict) and names[0] in values:
            return values[names[0]]
    if targets is not None and not isinstance(targets, dict):
        return targets
    raise ConfigError(
        f"{owner.name} finds no ids of the positives",
        column=names[0],
        expected="a feature or a target of this name",
        got=", ".join([*(features or {}), *(targets or {})]) or "none",
    )


def negative_ids(owner: Block, ids: tf.Tensor) -> Any:
    """Returns the ids of the negatives: (1, M), the same for all rows, or (B, M).

    Raises:
        ConfigError: if they were not stored.
    """
    if ids is None:
        raise ConfigError(f"{owner.name} finds no ids of the negatives", fix="Give the output store_negative_ids=True.")
    ids = tf.convert_to_tensor(ids)
    return tf.transpose(ids) if ids.shape[-1] == 1 else ids


def _as_numbers(weights: Any) -> Any:
    """Weights as a number, or a list of numbers by id."""
    if keras.ops.is_tensor(weights):
        weights = keras.ops.convert_to_numpy(weights)
    values = np.asarray(weights)
    if values.dtype.kind not in "iuf" or values.ndim > 1 or not np.isfinite(values).all():
        raise ConfigError("ContrastiveSampleWeight: a weight", expected="a number, or numbers (N,)", got=repr(weights))
    return values.astype("float64").tolist()
