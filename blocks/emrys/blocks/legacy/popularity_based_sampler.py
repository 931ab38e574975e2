"""Popularity-based negative sampling (first generation)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.legacy.item_sampler import EmbeddingWithMetadata, ItemSampler
from emrys.blocks.sampling.candidate_sampler import CandidateSampler
from emrys.blocks.sampling.popularity_based_sampler_v2 import (
    PopularityBasedSamplerV2,
    check_id_range,
    draw_log_uniform,
    log_uniform_probabilities,
)


@keras.saving.register_keras_serializable("emrys")
class PopularityBasedSampler(ItemSampler):
    """Draws distinct ids log-uniformly, low ids more often. Deprecated: use `PopularityBasedSamplerV2`.

    Args:
        max_id: One above the highest id that is drawn; the table must still have a row for it.
        min_id: Lowest id that is drawn. Default: 0.
        max_num_samples: Number of ids that are drawn. Default: 100.
        seed: Seed of the draws. Default: random.
        item_id_feature_name: Name of the ids in the metadata. Default: `"item_id"`.

    Input shape:
        Dictionary: `embeddings` and `metadata`, which must contain the ids in training; `item_weights`, the embeddings
        of all items, (max_id + 1, D).

    Output shape:
        `EmbeddingWithMetadata`: (max_num_samples, D), ids (max_num_samples,), int32.

    Raises:
        ConfigError: if there are fewer ids than draws; when called, if the size of the table differs.
        DataError: when called, if the ids are missing.
    """

    SUCCESSOR = "PopularityBasedSamplerV2"

    def __init__(
        self,
        max_id: int,
        min_id: int = 0,
        max_num_samples: int = 100,
        seed: int | None = None,
        item_id_feature_name: str = "item_id",
        **kwargs: object,
    ) -> None:
        super().__init__(max_num_samples=max_num_samples, **kwargs)
        check_id_range(type(self).__name__, max_num_samples, min_id, max_id, unique=True)
        self.max_id = max_id
        self.min_id = min_id
        self.seed = seed
        self.item_id_feature_name = item_id_feature_name
        self.supports_jit = False

    @property
    def required_features(self) -> list[str]:
        """The name of the ids."""
        return [self.item_id_feature_name]

    def add(self, embeddings: tf.Tensor, items_metadata: Mapping[str, tf.Tensor], training: bool = True) -> None:
        """Does nothing: the sample does not depend on the batch."""

    def call(  # type: ignore[override]
        self, inputs: tf.Tensor | Mapping[str, tf.Tensor], item_weights: tf.Tensor | None = None, training: bool = True
    ) -> EmbeddingWithMetadata:
        """Draws items."""
        if training and self.item_id_feature_name not in inputs["metadata"]:
            raise DataError(
                f"{self.name} misses the item ids in the metadata",
                column=self.item_id_feature_name,
                got=", ".join(inputs["metadata"]) or "none",
            )
        rows = None if item_weights is None else item_weights.shape[0]
        if rows != self.max_id + 1:
            raise ConfigError(f"{self.name}: item_weights", expected=f"{self.max_id + 1} rows", got=str(rows))
        return self.sample(item_weights)

    def sample(self, item_weights: tf.Tensor | None = None) -> EmbeddingWithMetadata:
        """Draws items; `item_weights` are the embeddings of all items, (max_id + 1, D)."""
        ids = draw_log_uniform(self.max_num_samples or 0, self.min_id, self.max_id, True, self.seed)
        rows = tf.gather(tf.convert_to_tensor(item_weights), ids)
        return EmbeddingWithMetadata(rows, {self.item_id_feature_name: tf.cast(ids, "int32")})

    def get_distribution_probs(self) -> Any:
        """Probabilities (max_id + 1,), float32, with sum 1, shifted by one as in Merlin Models.

        The probability of id i in `sample` is at index i + 1.
        """
        each = log_uniform_probabilities(self.max_id - self.min_id)
        return tf.constant(np.concatenate([np.zeros(self.min_id + 1), each]), "float32")

    def as_candidate_sampler(self, item_id: str) -> CandidateSampler:
        """The sampler of the second generation."""
        return PopularityBasedSamplerV2(self.max_id, self.min_id, int(self.max_num_samples or 0), seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "max_id": self.max_id,
            "min_id": self.min_id,
            "max_num_samples": self.max_num_samples,
            "seed": self.seed,
            "item_id_feature_name": self.item_id_feature_name,
        }
