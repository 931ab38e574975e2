"""In-batch negative sampling (first generation)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.legacy.item_sampler import EmbeddingWithMetadata, ItemSampler
from emrys.blocks.sampling.candidate_sampler import CandidateSampler
from emrys.blocks.sampling.in_batch_sampler_v2 import InBatchSamplerV2


@keras.saving.register_keras_serializable("emrys")
class InBatchSampler(ItemSampler):
    """Returns the items of the batch. Deprecated: use `InBatchSamplerV2`, or its name, `"in-batch"`.

    Args:
        batch_size: Rows of a batch. Default: that of the first batch.

    Input shape:
        Dictionary: `embeddings` (B, D), `metadata`, a dictionary of tensors (B,).

    Output shape:
        `EmbeddingWithMetadata`, the same.

    Raises:
        DataError: when called, if embeddings and metadata differ in their number of rows.
    """

    SUCCESSOR = "InBatchSamplerV2"

    def __init__(self, batch_size: int | None = None, **kwargs: object) -> None:
        super().__init__(max_num_samples=batch_size, **kwargs)
        self._batch: EmbeddingWithMetadata | None = None

    @property
    def batch_size(self) -> int | None:
        """Rows of a batch."""
        return self.max_num_samples

    def set_batch_size(self, value: int | None) -> None:
        """Sets the rows of a batch."""
        self.set_max_num_samples(value)

    def add(self, embeddings: tf.Tensor, items_metadata: Mapping[str, tf.Tensor], training: bool = True) -> None:
        """Stores the items of a batch."""
        if self.batch_size is None:
            self.set_batch_size(embeddings.shape[0])
        self._batch = EmbeddingWithMetadata(embeddings, dict(items_metadata))

    def sample(self) -> EmbeddingWithMetadata:
        """Returns the items that were added last.

        Raises:
            ConfigError: if no batch was added.
        """
        if self._batch is None:
            raise ConfigError(f"{self.name} has no batch to sample from", fix="Call add() first.")
        items, self._batch = self._batch, None  # tensors of a graph must not outlive it
        return items

    def as_candidate_sampler(self, item_id: str) -> CandidateSampler:
        """The sampler of the second generation."""
        return InBatchSamplerV2(batch_size=self.batch_size)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "batch_size": self.batch_size}
