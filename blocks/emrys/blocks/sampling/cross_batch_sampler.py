"""Cross-batch negative sampling: items of earlier batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.sampling.candidate_sampler import Candidate, CandidateSampler, ItemProbabilities, sampler_registry
from emrys.blocks.sampling.fifo_queue import FIFOQueue


@sampler_registry.register("cross-batch")
@keras.saving.register_keras_serializable("emrys")
class CrossBatchSampler(CandidateSampler):
    """Returns the positives of the last batches, with the embeddings they had then: cross-batch negatives.

    It provides more negatives than a batch has rows, at the cost of memory. The cached embeddings are constants: they
    lag behind the tower and receive no gradient. By default the current batch is not included, as an `"in-batch"`
    sampler returns it; combine both, because there are no cached items before the second batch.

    Items are cached in training only; evaluation uses the cached ones. Sampling probabilities, for an output with this
    sampler alone and `ignore_last_batch_on_sample=False`, are estimated as in `InBatchSamplerV2`.

    Args:
        capacity: Maximum number of cached items; the oldest are dropped first. Default: 1024.
        ignore_last_batch_on_sample: Whether to exclude the current batch. Default: True.

    Input shape:
        `Candidate` of the batch's positives: ids (B, 1), embeddings (B, D).

    Output shape:
        `Candidate`: ids (M, 1), int64, embeddings (M, D), with M at most `capacity`.

    Raises:
        ConfigError: if the capacity is below 1; when called, if the positives have no embeddings.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> sampler = mm.CrossBatchSampler(capacity=2, ignore_last_batch_on_sample=False)
        >>> for item in (5, 6, 7):
        ...     batch = mm.Candidate(np.array([[item]])).with_embedding(np.ones((1, 4), "float32"))
        ...     negatives = sampler(batch, training=True)
        >>> negatives.id.numpy().tolist()
        [[6], [7]]

    Reference:
        Wang, Zhu, He. Cross-Batch Negative Sampling for Training Two-Tower Recommenders. SIGIR 2021.
    """

    def __init__(self, capacity: int = 1024, ignore_last_batch_on_sample: bool = True, **kwargs: object) -> None:
        super().__init__(max_num_samples=capacity, **kwargs)
        self.capacity = capacity
        self.ignore_last_batch_on_sample = ignore_last_batch_on_sample
        self.ids = FIFOQueue(capacity, "int64", queue_name="ids")
        self.embeddings: FIFOQueue | None = None
        self.probabilities: ItemProbabilities | None = None
        self.supports_jit = False

    def prepare(self, dim: int | None, number_of_ids: int | None, with_probs: bool) -> None:
        """Creates the queue of embeddings and, if probabilities are needed, the item counts."""
        if self.embeddings is None:
            if dim is None:
                raise ConfigError(f"{self.name} needs the dimension of the embeddings")
            self.embeddings = FIFOQueue(self.capacity, "float32", dims=[dim], queue_name="embeddings")
        if with_probs and self.probabilities is None and number_of_ids is not None:
            self.probabilities = ItemProbabilities(number_of_ids)
            self.probabilities.build()

    def call(
        self,
        items: Candidate,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
        testing: bool = False,
    ) -> Candidate:
        """Returns the cached items, and caches the batch in training."""
        if not items.has_embedding:
            raise ConfigError(f"{self.name}: items", expected="items with embeddings", got="none")
        self.prepare(items.embedding.shape[-1], None, with_probs=False)
        if training and self.probabilities is not None:
            self.probabilities.count(items.id)
        if self.ignore_last_batch_on_sample:
            negatives = self.sample()
            if training:
                self.add(items)
            return negatives
        if training:
            self.add(items)
        return self.sample()

    def add(self, items: Candidate) -> None:
        """Caches the positives of a batch."""
        self.prepare(items.embedding.shape[-1], None, with_probs=False)
        self.ids.enqueue_many(tf.reshape(items.id, (-1,)))
        self._queue().enqueue_many(tf.stop_gradient(items.embedding))

    def sample(self) -> Candidate:
        """Returns all cached items."""
        ids = self.ids.list_all()[:, tf.newaxis]
        return Candidate(ids, {}).with_embedding(tf.stop_gradient(self._queue().list_all()))

    def _queue(self) -> FIFOQueue:
        if self.embeddings is None:
            raise ConfigError(f"{self.name} has no cached items yet", fix="Call it on a batch, or add() one.")
        return self.embeddings

    def with_sampling_probs(self, items: Candidate) -> Candidate:
        """The items with their share among positives; unchanged if it is not counted."""
        return items if self.probabilities is None else items.with_sampling_prob(self.probabilities(items.id))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "capacity": self.capacity,
            "ignore_last_batch_on_sample": self.ignore_last_batch_on_sample,
        }
