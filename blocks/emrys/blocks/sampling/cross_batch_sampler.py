"""The items of earlier batches as negatives."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.sampling.candidate_sampler import Candidate, CandidateSampler, sampler_registry
from emrys.blocks.sampling.fifo_queue import FIFOQueue
from emrys.blocks.sampling.item_probabilities import ItemProbabilities


@sampler_registry.register("cross-batch")
@keras.saving.register_keras_serializable("emrys")
class CrossBatchSampler(CandidateSampler):
    """Gives the positives of the last batches, with the embeddings that they had then: cross-batch negatives.

    More negatives than a batch has rows, for the price of keeping them. The kept embeddings are constants: they lag
    behind the tower, and no gradient flows into them. By default the batch itself is not among them, as it is what an
    `"in-batch"` sampler beside this one gives; before the second batch there are none, so that it needs one beside it.

    Negatives are kept in training alone; evaluation uses those that are there. Sampling probabilities, for an output
    with this sampler alone and `ignore_last_batch_on_sample=False`, are counted as `InBatchSamplerV2` does.

    Args:
        capacity: Most items that are kept, the oldest leaving first. Default: 1024.
        ignore_last_batch_on_sample: Whether the batch's own items are left out. Default: True.

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
        ...     found = sampler(batch, training=True)
        >>> found.id.numpy().tolist()
        [[6], [7]]

    Reference:
        Wang, Zhu, He. Cross-Batch Negative Sampling for Training Two-Tower Recommenders. SIGIR 2021.
    """

    def __init__(self, capacity: int = 1024, ignore_last_batch_on_sample: bool = True, **kwargs: Any) -> None:
        super().__init__(max_num_samples=capacity, **kwargs)
        self.capacity = capacity
        self.ignore_last_batch_on_sample = ignore_last_batch_on_sample
        self.ids = FIFOQueue(capacity, "int64", queue_name="ids")
        self.embeddings: FIFOQueue | None = None
        self.probabilities: ItemProbabilities | None = None
        self.supports_jit = False

    def prepare(self, dim: int | None, number_of_ids: int | None, with_probs: bool) -> None:
        """Makes the queue of embeddings, and the counts of items if probabilities are asked for."""
        if self.embeddings is None:
            if dim is None:
                raise ConfigError(f"{self.name} does not know the size of the embeddings it keeps")
            self.embeddings = FIFOQueue(self.capacity, "float32", dims=[dim], queue_name="embeddings")
        if with_probs and self.probabilities is None and number_of_ids is not None:
            self.probabilities = ItemProbabilities(number_of_ids)
            self.probabilities.build()

    def call(
        self, items: Candidate, features: Any = None, targets: Any = None, training: bool = False, testing: bool = False
    ) -> Candidate:
        """Gives what is kept, and keeps the batch in training."""
        if not items.has_embedding:
            raise ConfigError(f"{self.name} keeps embeddings of items", got="items without embeddings")
        self.prepare(items.embedding.shape[-1], None, with_probs=False)
        if training and self.probabilities is not None:
            self.probabilities.count(items.id)
        if self.ignore_last_batch_on_sample:
            found = self.sample()
            if training:
                self.add(items)
            return found
        if training:
            self.add(items)
        return self.sample()

    def add(self, items: Candidate) -> None:
        """Keeps the positives of a batch."""
        self.prepare(items.embedding.shape[-1], None, with_probs=False)
        self.ids.enqueue_many(tf.reshape(items.id, (-1,)))
        self._queue().enqueue_many(tf.stop_gradient(items.embedding))

    def sample(self) -> Candidate:
        """Gives all that is kept."""
        ids = self.ids.list_all()[:, tf.newaxis]
        return Candidate(ids, {}).with_embedding(tf.stop_gradient(self._queue().list_all()))

    def _queue(self) -> FIFOQueue:
        if self.embeddings is None:
            raise ConfigError(f"{self.name} keeps nothing yet", fix="Call it on a batch, or add() one.")
        return self.embeddings

    def with_sampling_probs(self, items: Candidate) -> Candidate:
        """The items with the share that each has among positives; as they are, where it is not counted."""
        return items if self.probabilities is None else items.with_sampling_prob(self.probabilities(items.id))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "capacity": self.capacity,
            "ignore_last_batch_on_sample": self.ignore_last_batch_on_sample,
        }
