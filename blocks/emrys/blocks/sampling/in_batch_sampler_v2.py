"""In-batch negative sampling: the positives of the other rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from emrys.blocks.errors import ConfigError
from emrys.blocks.sampling.candidate_sampler import (
    Candidate,
    CandidateSampler,
    ItemProbabilities,
    as_probabilities,
    sampler_registry,
)


@sampler_registry.register("in-batch")
@keras.saving.register_keras_serializable("emrys")
class InBatchSamplerV2(CandidateSampler):
    """Returns the positives of the batch: the negatives of a row are the positives of the other rows.

    It is the cheapest sampler, as it needs no further embeddings. Items are sampled by their frequency in the data. The
    positive of the row itself is included; the output identifies it by its id.

    **Hard negatives.** With `hard_negatives=K`, each row keeps only the K items of the batch with the highest scores.
    The hardest are often false negatives: `skip_hardest` drops them. The positive of the row is never selected first.

    **Sampling probabilities** for `logq_sampling_correction` come from `item_freq_probs`, or are estimated from the
    positives seen in training so far (see `ItemProbabilities`) and saved with the model.

    Args:
        batch_size: Rows of a batch. Default: that of the first batch.
        item_freq_probs: Frequency of each item, (N,), by id. Default: counted, if the output corrects for it.
        is_prob_distribution: Whether `item_freq_probs` are probabilities, with sum 1. Default: False.
        hard_negatives: Number K of hardest negatives that each row keeps. Default: all items of the batch.
        skip_hardest: Number of the very hardest negatives to drop. Default: 0.

    Input shape:
        `Candidate` of the batch's positives: ids (B, 1), embeddings (B, D).

    Output shape:
        The same.

    Raises:
        ConfigError: if a number is out of range, or `item_freq_probs` are invalid.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> sampler = mm.InBatchSamplerV2()
        >>> sampler(mm.Candidate(np.array([[7], [3]]))).id.numpy().tolist()
        [[7], [3]]

    Reference:
        Yi, Yang, Hong, Cheng, Heldt, Kumthekar, Zhao, Wei, Chi. Sampling-Bias-Corrected Neural Modeling for Large
        Corpus Item Recommendations. RecSys 2019.
    """

    def __init__(
        self,
        batch_size: int | None = None,
        item_freq_probs: ArrayLike | None = None,
        is_prob_distribution: bool = False,
        hard_negatives: int | None = None,
        skip_hardest: int = 0,
        **kwargs: object,
    ) -> None:
        super().__init__(max_num_samples=batch_size, **kwargs)
        if hard_negatives is not None and hard_negatives < 1:
            raise ConfigError("InBatchSamplerV2: hard_negatives", expected="a number from 1", got=str(hard_negatives))
        if skip_hardest < 0 or (skip_hardest and hard_negatives is None):
            raise ConfigError(
                "InBatchSamplerV2: skip_hardest",
                expected="a number from 0, beside hard_negatives",
                got=str(skip_hardest),
            )
        self.hard_negatives = hard_negatives
        self.skip_hardest = skip_hardest
        self.chooses = hard_negatives is not None
        self.probabilities: ItemProbabilities | None = None
        if item_freq_probs is not None:
            known = as_probabilities(item_freq_probs, is_prob_distribution, "InBatchSamplerV2")
            self.probabilities = ItemProbabilities(len(known), known)
            self.probabilities.build()
        self._has_known_probabilities = self.probabilities is not None
        self._batch: Candidate | None = None

    @property
    def batch_size(self) -> int | None:
        """Rows of a batch."""
        return self.max_num_samples

    def set_batch_size(self, value: int | None) -> None:
        """Sets the rows of a batch."""
        self.set_max_num_samples(value)

    def prepare(self, dim: int | None, number_of_ids: int | None, with_probs: bool) -> None:
        """Creates the item counts, if probabilities are needed and not known."""
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
        """Returns the batch; in training its items are counted."""
        if training and self.probabilities is not None:
            self.probabilities.count(items.id)
        self.add(items)
        negatives = self.sample()
        self._batch = None  # tensors of a graph must not outlive it
        return negatives

    def add(self, items: Candidate) -> None:
        """Stores the positives of a batch."""
        if self.batch_size is None:
            self.set_batch_size(items.id.shape[0])
        self._batch = items

    def sample(self) -> Candidate:
        """Returns the positives that were added last.

        Raises:
            ConfigError: if no batch was added.
        """
        if self._batch is None:
            raise ConfigError(f"{self.name} has no batch to sample from", fix="Call add() first.")
        return self._batch

    def with_sampling_probs(self, items: Candidate) -> Candidate:
        """The items with their share among positives; unchanged if it is unknown."""
        if self.probabilities is None:
            return items
        return items.with_sampling_prob(self.probabilities(items.id))

    def choose(self, scores: tf.Tensor) -> Any:
        """The hardest negatives of each row, (B, K)."""
        last = tf.minimum(self.skip_hardest + int(self.hard_negatives or 0), tf.shape(scores)[1])
        return tf.math.top_k(scores, k=last).indices[:, self.skip_hardest :]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        known = (
            self.probabilities.get_config()["known"]
            if self._has_known_probabilities and self.probabilities is not None
            else None
        )
        return {
            **super().get_config(),
            "batch_size": self.batch_size,
            "item_freq_probs": known,
            "is_prob_distribution": known is not None,
            "hard_negatives": self.hard_negatives,
            "skip_hardest": self.skip_hardest,
        }
