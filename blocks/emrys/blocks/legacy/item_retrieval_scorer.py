"""Scores of the positive and of sampled negatives (first generation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, Unpack

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.prediction import PredictionOutput
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, reject_removed
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.legacy.item_sampler import ItemSampler
from emrys.blocks.outputs.contrastive_output import FALSE_NEGATIVE_SCORE, ContrastiveOutput, one_positive
from emrys.blocks.outputs.dot_product import DotProduct
from emrys.blocks.sampling.candidate_sampler import Candidate, CandidateSampler, ids_as_column

#: The mode that needs a table of items instead of vectors, with what takes its place.
SAMPLED_SOFTMAX = {"sampled_softmax_mode": "Use ContrastiveOutput(to_call=<the EmbeddingTable of the items>)."}


@keras.saving.register_keras_serializable("emrys")
class ItemRetrievalScorer(Block):
    """Scores queries against their positive and sampled negatives. Deprecated: use `ContrastiveOutput`.

    In training, the default, and in testing, `call` returns its input and `call_outputs` computes the scores; otherwise
    `call` returns the score of each pair.

    Args:
        samplers: A sampler or several, of either generation.
        sampling_downscore_false_negatives: Whether negatives with the id of the positive get a low score. Default:
            True.
        sampling_downscore_false_negatives_value: That score. Default: -655.04.
        item_id_feature_name: Name of the feature with the ids. Default: `"item_id"`.
        item_domain: Accepted for compatibility; ignored. Default: `"item_id"`.
        query_name: Name of the queries. Default: `"query"`.
        item_name: Name of the items. Default: `"item"`.
        cache_query: Accepted for compatibility; ignored. Default: False.
        sampled_softmax_mode: Must be False; use `ContrastiveOutput(to_call=table)` to sample from a table.
        store_negative_ids: Whether to return the ids of the negatives; always with down-scoring. Default: False.

    Input shape:
        Dictionary with queries and items, (B, D) each.

    Output shape:
        (B, 1); in training and testing, the shape of the input.

    Raises:
        ConfigError: if a sampler is not a sampler, or `sampled_softmax_mode` is True.
    """

    def __init__(
        self,
        samplers: ItemSampler | CandidateSampler | Sequence[ItemSampler | CandidateSampler] = (),
        sampling_downscore_false_negatives: bool = True,
        sampling_downscore_false_negatives_value: float = FALSE_NEGATIVE_SCORE,
        item_id_feature_name: str = "item_id",
        item_domain: str = "item_id",
        query_name: str = "query",
        item_name: str = "item",
        cache_query: bool = False,
        sampled_softmax_mode: bool = False,
        store_negative_ids: bool = False,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        warn_deprecated("ItemRetrievalScorer", "ContrastiveOutput")
        super().__init__(**kwargs)
        if sampled_softmax_mode:
            reject_removed("ItemRetrievalScorer", SAMPLED_SOFTMAX, SAMPLED_SOFTMAX)
        self.samplers = list(samplers) if isinstance(samplers, (list, tuple)) else [samplers]
        self.downscore_false_negatives = sampling_downscore_false_negatives
        self.false_negatives_score = sampling_downscore_false_negatives_value
        self.item_id_feature_name = item_id_feature_name
        self.item_domain = item_domain
        self.query_name = query_name
        self.item_name = item_name
        self.cache_query = cache_query
        self.sampled_softmax_mode = sampled_softmax_mode
        self.store_negative_ids = store_negative_ids
        self.output_block = ContrastiveOutput(
            DotProduct(query_name, item_name),
            as_candidate_samplers(self.samplers, item_id_feature_name),
            downscore_false_negatives=sampling_downscore_false_negatives,
            false_negative_score=sampling_downscore_false_negatives_value,
            query_name=query_name,
            candidate_name=item_name,
            store_negative_ids=True,
            schema=Schema([ColumnSchema(item_id_feature_name)]),
        )
        self.set_required_features()

    def set_required_features(self) -> None:
        """Sets `required_features`, the names of the features that the scores need."""
        needed = {name for sampler in self.samplers for name in getattr(sampler, "required_features", [])}
        if self.downscore_false_negatives or self.store_negative_ids:
            needed.add(self.item_id_feature_name)
        self.required_features = sorted(needed)

    def build(self, input_shape: Shape) -> None:
        """Builds the scores."""
        self.output_block.build(input_shape)
        self.built = True

    def call(
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool | None = True, testing: bool | None = None
    ) -> Any:
        """Scores the pairs; in training and testing, returns the input."""
        return inputs if training or testing else self.output_block(inputs)

    def call_outputs(  # type: ignore[override]
        self,
        outputs: Any,
        features: Mapping[str, tf.Tensor] | None = None,
        training: bool = True,
        testing: bool = False,
    ) -> PredictionOutput:
        """Scores the items of the batch and sampled negatives.

        Args:
            outputs: `PredictionOutput` or `Prediction` with the queries and items of a batch. Targets that are one
                tensor are the ids of the positives.
            features: Features of the batch, including the ids of its items, which are the negatives of an in-batch
                sampler. They are needed for down-scoring and for stored ids only.
            training: Whether it is a training step. Default: True.
            testing: Whether it is an evaluation step.

        Returns:
            Scores (B, 1 + M), that of the positive first, their targets, the ids, and the mask of valid negatives;
            outside of training and testing, the input scores and targets `[1 | 0 … 0]`.

        Raises:
            ConfigError: if there is no sampler, or ids are missing that are needed.
        """
        positive = self._positive_ids(outputs.targets, features)
        if not (training or testing):
            return PredictionOutput(*one_positive(outputs.predictions)[:2], positive_item_ids=positive)
        if not self.output_block.built:
            shapes = {name: tuple(value.shape) for name, value in outputs.predictions.items()}
            self.output_block.build(shapes)
        needs_ids = self.downscore_false_negatives or self.store_negative_ids
        query, items = outputs.predictions[self.query_name], outputs.predictions[self.item_name]
        features = dict(features or {})
        if self.item_id_feature_name not in features and not needs_ids:
            features[self.item_id_feature_name] = tf.range(tf.shape(items)[0])[:, tf.newaxis]
        in_batch = Candidate(ids_as_column(self._batch_ids(features)), features).with_embedding(items)
        drawn, _ = self.output_block.sample_negatives(in_batch, features, training=training, testing=testing)
        compared = in_batch if positive is None else in_batch._replace(id=ids_as_column(positive))
        prediction = self.output_block.outputs(query, compared, drawn)
        negative = tf.reshape(prediction.negative_candidate_ids, (-1,))
        mask = None
        if self.downscore_false_negatives:
            mask = tf.not_equal(tf.cast(compared.id, "int64"), tf.cast(negative, "int64")[tf.newaxis])
        return PredictionOutput(
            prediction.outputs,
            prediction.targets,
            positive_item_ids=positive,
            valid_negatives_mask=mask,
            negative_item_ids=negative if needs_ids else None,
        )

    def _positive_ids(self, targets: Any, features: Mapping[str, tf.Tensor] | None) -> Any:
        """Ids of the positives, (B,): the target, or else the feature; None if there is neither."""
        is_tensor = keras.ops.is_tensor(targets) or isinstance(targets, np.ndarray)
        ids = targets if is_tensor else (features or {}).get(self.item_id_feature_name)
        return None if ids is None else tf.reshape(ids, (-1,))

    def _batch_ids(self, features: Mapping[str, tf.Tensor]) -> Any:
        if self.item_id_feature_name not in features:
            raise ConfigError(
                f"{self.name} tells items apart by their ids",
                column=self.item_id_feature_name,
                expected="a feature of this name",
                got=", ".join(features) or "none",
                fix="Without ids, give sampling_downscore_false_negatives=False.",
            )
        return features[self.item_id_feature_name]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, 1)."""
        return self.output_block.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "samplers": to_config(self.samplers),
            "sampling_downscore_false_negatives": self.downscore_false_negatives,
            "sampling_downscore_false_negatives_value": self.false_negatives_score,
            "item_id_feature_name": self.item_id_feature_name,
            "item_domain": self.item_domain,
            "query_name": self.query_name,
            "item_name": self.item_name,
            "cache_query": self.cache_query,
            "sampled_softmax_mode": self.sampled_softmax_mode,
            "store_negative_ids": self.store_negative_ids,
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the block from `get_config`."""
        with quietly():
            return super().from_config(config)


def as_candidate_samplers(samplers: Any, item_id: str) -> list[CandidateSampler]:
    """Converts samplers of either generation to the second, for ids in the column `item_id`."""
    items = list(samplers) if isinstance(samplers, (list, tuple)) else [samplers]
    return [each.as_candidate_sampler(item_id) if isinstance(each, ItemSampler) else each for each in items]
