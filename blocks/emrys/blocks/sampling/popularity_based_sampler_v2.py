"""Negatives from the whole catalogue, popular ones more often."""

from __future__ import annotations

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema

from emrys.blocks.errors import ConfigError
from emrys.blocks.sampling import log_uniform
from emrys.blocks.sampling.candidate_sampler import Candidate, CandidateSampler, sampler_registry


@sampler_registry.register("popularity")
@keras.saving.register_keras_serializable("emrys")
class PopularityBasedSamplerV2(CandidateSampler):
    """Draws ids log-uniformly: it takes the ids to be sorted by frequency, the most frequent item having the lowest.

    The i-th id from `min_id` on is drawn with `q_i = ln((i + 2) / (i + 1)) / ln(max_id - min_id + 2)`; where ids are
    drawn once at most, the probability to be among them is `1 - (1 - q_i)^max_num_samples`. `max_id` itself is never
    drawn, though it has a probability: for N ids, 0 to N - 1, it is N. It gives ids alone: the output has to know the
    embeddings of all items, from an `EmbeddingTable` or weights of its own.

    Under its name, `"popularity"`, it draws 10 of the ids of the output's column. It does not run under XLA; a model
    that holds one is not compiled by it.

    Args:
        max_id: The number of ids, which is one above the highest that is drawn.
        min_id: The lowest id that is drawn, above those reserved for padding or unknown values. Default: 0.
        max_num_samples: How many ids are drawn for a batch. Default: 10.
        unique: Whether each is drawn once at most. Default: True.
        seed: Makes the draws the same in every run of a program. Default: they differ.

    Input shape:
        `Candidate`, which is not looked at.

    Output shape:
        `Candidate`: ids (max_num_samples, 1), int64, without embeddings.

    Raises:
        ConfigError: if more ids are to be drawn once than there are, or the range is empty.

    Example:
        >>> import emrys.blocks as mm
        >>> sampler = mm.PopularityBasedSamplerV2(max_id=10, max_num_samples=5)
        >>> tuple(sampler.sample().id.shape)
        (5, 1)

    Reference:
        Bengio, Senécal. Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language Model.
        IEEE Transactions on Neural Networks 19(4), 2008.
    """

    def __init__(
        self,
        max_id: int,
        min_id: int = 0,
        max_num_samples: int = 10,
        unique: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(max_num_samples=max_num_samples, **kwargs)
        log_uniform.check_range(type(self).__name__, max_num_samples, min_id, max_id, unique)
        self.max_id = max_id
        self.min_id = min_id
        self.unique = unique
        self.seed = seed
        self.supports_jit = False

    @classmethod
    def for_column(cls, column: ColumnSchema | None) -> Self:
        """10 of the ids of `column`, or all where it has fewer.

        Raises:
            ConfigError: if the column, or its domain, is unknown.
        """
        domain = None if column is None else column.int_domain
        if domain is None or not domain.max:
            raise ConfigError(
                "the sampler 'popularity' does not know how many ids there are",
                expected="a column with a domain",
                fix="Give PopularityBasedSamplerV2(max_id=...) instead of its name.",
            )
        low, number = int(domain.min or 0), int(domain.max) + 1
        return cls(max_id=number, min_id=low, max_num_samples=min(10, number - low))

    def add(self, items: Candidate) -> None:
        """Does nothing: the draw does not depend on the batch."""

    def call(
        self,
        items: Candidate | None = None,
        features: Any = None,
        targets: Any = None,
        training: bool = False,
        testing: bool = False,
    ) -> Candidate:
        """Draws ids."""
        return self.sample()

    def sample(self) -> Candidate:
        """Draws ids."""
        ids = log_uniform.draw_log_uniform(self.max_num_samples or 0, self.min_id, self.max_id, self.unique, self.seed)
        return Candidate(ids[:, tf.newaxis], {})

    def get_sampling_distribution(self) -> Any:
        """Probability of each id from 0 to `max_id` to be drawn for a batch, (max_id + 1,), float32."""
        each = log_uniform.probabilities(self.max_id - self.min_id + 1)
        if self.unique:
            each = -np.expm1((self.max_num_samples or 0) * np.log1p(-each))
        return tf.constant(np.concatenate([np.zeros(self.min_id), each]), "float32")

    def with_sampling_probs(self, items: Candidate) -> Candidate:
        """The items with the probability of each to be drawn, of the shape of their ids."""
        return items.with_sampling_prob(tf.gather(self.get_sampling_distribution(), items.id))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "max_id": self.max_id,
            "min_id": self.min_id,
            "max_num_samples": self.max_num_samples,
            "unique": self.unique,
            "seed": self.seed,
        }
