"""Popularity-based negative sampling from the whole catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema

from emrys.blocks.errors import ConfigError
from emrys.blocks.sampling.candidate_sampler import Candidate, CandidateSampler, sampler_registry


def draw_log_uniform(number: int, min_id: int, max_id: int, unique: bool, seed: int | None) -> Any:
    """Draws ids from `min_id` to `max_id - 1`, log-uniformly: low ids more often.

    Returns:
        (number,), int64.
    """
    ids, _, _ = tf.random.log_uniform_candidate_sampler(
        true_classes=tf.zeros((1, 1), "int64"),
        num_true=1,
        num_sampled=number,
        unique=unique,
        range_max=max_id - min_id,
        seed=seed,
    )
    return tf.stop_gradient(ids + min_id)


def log_uniform_probabilities(number: int) -> Any:
    """Probability of the first `number` ids, (number,): `ln((i + 2) / (i + 1)) / ln(number + 1)`, with sum 1."""
    logs = np.log(np.arange(1, number + 2, dtype="float64"))
    return (logs[1:] - logs[:-1]) / logs[-1]


def check_id_range(owner: str, number: int, min_id: int, max_id: int, unique: bool) -> None:
    """Checks that a range contains at least as many ids as are drawn.

    Raises:
        ConfigError: if it does not, or the range is invalid.
    """
    if not 0 <= min_id < max_id:
        raise ConfigError(f"{owner}: min_id and max_id", expected="0 <= min_id < max_id", got=f"{min_id} and {max_id}")
    if unique and number > max_id - min_id:
        raise ConfigError(
            f"{owner}: max_num_samples",
            expected=f"at most {max_id - min_id}, the number of ids from {min_id} to {max_id - 1}",
            got=str(number),
        )


@sampler_registry.register("popularity")
@keras.saving.register_keras_serializable("emrys")
class PopularityBasedSamplerV2(CandidateSampler):
    """Draws ids log-uniformly, assuming that ids are sorted by frequency, the most frequent item first.

    The i-th id from `min_id` is drawn with `q_i = ln((i + 2) / (i + 1)) / ln(max_id - min_id + 2)`; with `unique`, its
    probability to be in the sample is `1 - (1 - q_i)^max_num_samples`. `max_id` itself is never drawn, although it has
    a probability: for N ids, 0 to N - 1, `max_id` is N. The sampler returns ids alone: the output needs the embeddings
    of all items, from an `EmbeddingTable` or its own weights.

    By its name, `"popularity"`, it draws 10 ids of the output's column. It does not support XLA; models with it are
    not compiled by XLA.

    Args:
        max_id: Number of ids: one above the highest id that is drawn.
        min_id: Lowest id that is drawn, above those reserved for padding or unknown values. Default: 0.
        max_num_samples: Number of ids drawn for a batch. Default: 10.
        unique: Whether to draw without replacement. Default: True.
        seed: Seed of the draws. Default: random.

    Input shape:
        `Candidate`, which is ignored.

    Output shape:
        `Candidate`: ids (max_num_samples, 1), int64, without embeddings.

    Raises:
        ConfigError: if `unique` and there are fewer ids than draws, or the range is empty.

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
        **kwargs: object,
    ) -> None:
        super().__init__(max_num_samples=max_num_samples, **kwargs)
        check_id_range(type(self).__name__, max_num_samples, min_id, max_id, unique)
        self.max_id = max_id
        self.min_id = min_id
        self.unique = unique
        self.seed = seed
        self.supports_jit = False

    @classmethod
    def for_column(cls, column: ColumnSchema | None) -> Self:
        """Creates a sampler of 10 ids of `column`, or of all if it has fewer.

        Raises:
            ConfigError: if the column, or its domain, is unknown.
        """
        domain = None if column is None else column.int_domain
        if domain is None or not domain.max:
            raise ConfigError(
                "the sampler 'popularity' needs the number of ids",
                expected="a column with a domain",
                fix="Pass PopularityBasedSamplerV2(max_id=...) instead of the name.",
            )
        low, number = int(domain.min or 0), int(domain.max) + 1
        return cls(max_id=number, min_id=low, max_num_samples=min(10, number - low))

    def add(self, items: Candidate) -> None:
        """Does nothing: the sample does not depend on the batch."""

    def call(
        self,
        items: Candidate | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
        testing: bool = False,
    ) -> Candidate:
        """Draws ids."""
        return self.sample()

    def sample(self) -> Candidate:
        """Draws ids."""
        ids = draw_log_uniform(self.max_num_samples or 0, self.min_id, self.max_id, self.unique, self.seed)
        return Candidate(ids[:, tf.newaxis], {})

    def get_sampling_distribution(self) -> Any:
        """Probability of each id from 0 to `max_id` to be in the sample, (max_id + 1,), float32."""
        each = log_uniform_probabilities(self.max_id - self.min_id + 1)
        if self.unique:
            each = -np.expm1((self.max_num_samples or 0) * np.log1p(-each))
        return tf.constant(np.concatenate([np.zeros(self.min_id), each]), "float32")

    def with_sampling_probs(self, items: Candidate) -> Candidate:
        """The items with their sampling probabilities, of the shape of their ids."""
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
