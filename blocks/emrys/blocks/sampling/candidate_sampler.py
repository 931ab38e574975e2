"""Base of what draws negatives."""

from __future__ import annotations

import abc
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema

from emrys.blocks.core.calling import call_layer
from emrys.blocks.errors import ConfigError
from emrys.blocks.utils.registry import Registry

#: The classes of samplers by the names that `negative_samplers=` accepts.
sampler_registry: Registry[Any] = Registry("negative sampler")


class CandidateSampler(keras.layers.Layer, abc.ABC):
    """Draws the items that a query's positive is compared with.

    A subclass writes `add`, which takes the batch's positives into account, and `sample`, which gives the negatives:
    the same ones for every row of the batch. Those that say how probable each item is to be drawn write
    `with_sampling_probs` too.

    Args:
        max_num_samples: Most items that are drawn. Default: no limit.

    Input shape:
        `Candidate`, the positives of a batch: ids (B, 1), embeddings (B, D) where they are known.

    Output shape:
        `Candidate`, the negatives: ids (M, 1), with or without embeddings (M, D).

    Example:
        >>> import emrys.blocks as mm
        >>> type(mm.CandidateSampler.parse("in-batch")).__name__
        'InBatchSamplerV2'
    """

    registry: ClassVar[Registry[Any]] = sampler_registry

    #: Whether each row of the batch keeps negatives of its own, by `choose`.
    chooses = False

    def __init__(self, max_num_samples: int | None = None, **kwargs: Any) -> None:
        # What is drawn keeps its type: probabilities are float32 under any policy.
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.set_max_num_samples(max_num_samples)
        self.built = True  # most have nothing to build, and Keras would look for the shapes of missing fields

    @classmethod
    def parse(cls, class_or_str: Any, column: ColumnSchema | None = None) -> Any:
        """A sampler by its name, made for the ids of `column`; anything but a string comes back as it is.

        Raises:
            NamingError: if nothing is registered under the name.
        """
        return cls.registry[class_or_str].for_column(column) if isinstance(class_or_str, str) else class_or_str

    @classmethod
    def for_column(cls, column: ColumnSchema | None) -> Self:
        """The sampler that the class's name alone stands for, where items are the ids of `column`."""
        return cls()

    def prepare(self, dim: int | None, number_of_ids: int | None, with_probs: bool) -> None:
        """Makes the state that is kept from batch to batch, if there is any; called once, by the output.

        Args:
            dim: D, size of the embeddings.
            number_of_ids: How many ids there can be.
            with_probs: Whether sampling probabilities will be asked for.
        """

    def call(
        self, items: Candidate, features: Any = None, targets: Any = None, training: bool = False, testing: bool = False
    ) -> Candidate:
        """Takes the positives of a batch and gives negatives."""
        if training:
            self.add(items)
        return self.sample()

    @abc.abstractmethod
    def add(self, items: Candidate) -> None:
        """Takes the positives of a batch into account."""

    @abc.abstractmethod
    def sample(self) -> Candidate:
        """Gives negatives."""

    def with_sampling_probs(self, items: Candidate) -> Candidate:
        """The items with the probability of each to be drawn; as they are, where the sampler cannot tell."""
        return items

    def choose(self, scores: Any) -> Any:
        """Which negatives each row keeps, where `chooses` is set.

        Args:
            scores: Scores of the negatives, (B, M); those that are no negatives of a row have the lowest.

        Returns:
            Their numbers, (B, K).
        """
        raise NotImplementedError

    @property
    def max_num_samples(self) -> int | None:
        """Most items that are drawn."""
        return self._max_num_samples

    def set_max_num_samples(self, value: int | None) -> None:
        """Sets the most items that are drawn.

        Raises:
            ConfigError: if it is below 1.
        """
        if value is not None and value < 1:
            raise ConfigError(f"{type(self).__name__}: max_num_samples", expected="a number from 1", got=str(value))
        self._max_num_samples = value

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """What is drawn has no shape of its own."""
        raise NotImplementedError


#: What `negative_samplers=` accepts: one sampler or several, each also by its name.
Samplers = CandidateSampler | str | Sequence[CandidateSampler | str] | None


def parse_samplers(value: Samplers, column: ColumnSchema | None = None) -> list[CandidateSampler]:
    """The samplers that an argument stands for.

    Raises:
        ConfigError: if something is no sampler and no name of one.
    """
    given = [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
    found = [CandidateSampler.parse(item, column) for item in given]
    for sampler in found:
        if not isinstance(sampler, CandidateSampler):
            raise ConfigError(
                "negative_samplers",
                expected=f"samplers, or names among {', '.join(map(repr, sampler_registry))}",
                got=type(sampler).__name__,
            )
    return found


#: What to do where items have no embeddings.
NO_EMBEDDING = "Sample in-batch, or give the output an EmbeddingTable of the items."


@dataclass(frozen=True)
class Drawing:
    """Draws negatives for an output.

    Attributes:
        owner: Name of the output, for errors.
        samplers: The samplers.
        corrected: Whether scores will be corrected for how probable items are to be drawn.
        down_scored: Whether negatives that are the row's positive get the lowest score.
        look_up: Gives the embeddings (M, D) of ids (M, 1) where samplers give ids alone. None: nothing does.
    """

    owner: str
    samplers: list[CandidateSampler]
    corrected: bool
    down_scored: bool
    look_up: Callable[[Any], Any] | None

    def check(self) -> None:
        """Refuses samplers that cannot be drawn from together.

        Raises:
            ConfigError: if there is none, there are several to correct for, or hard negatives without down-scoring.
        """
        if not self.samplers:
            raise ConfigError(f"{self.owner} has no negatives", expected="at least one sampler", got="none")
        if self.corrected and len(self.samplers) > 1:
            raise ConfigError(
                f"{self.owner}: logq_sampling_correction",
                expected="one sampler",
                got=str(len(self.samplers)),
                fix="The probability of an item to be drawn is that of one sampler.",
            )
        if not self.down_scored and any(sampler.chooses for sampler in self.samplers):
            raise ConfigError(
                f"{self.owner}: hard negatives",
                expected="downscore_false_negatives=True",
                got="False",
                fix="The hardest negative of a row would be its positive.",
            )

    def draw(self, positive: Candidate, **told: Any) -> tuple[list[Candidate], Candidate]:
        """What each sampler draws, with ids (M, 1) and embeddings (M, D).

        Args:
            positive: The positives of the batch.
            **told: What samplers are told: `features`, `training`, `testing`.

        Returns:
            The negatives by sampler, and the positives with the probability of each to be drawn, where it is known.

        Raises:
            ConfigError: see `check`; or if a sampler gives no embeddings and nothing else does.
        """
        self.check()
        drawn = []
        for sampler in self.samplers:
            found = sampler.with_sampling_probs(call_layer(sampler, positive, **told))
            if not found.has_embedding:
                if self.look_up is None:
                    raise ConfigError(f"{self.owner}: {sampler.name} gives no embeddings", fix=NO_EMBEDDING)
                found = found.with_embedding(self.look_up(found.id))
            drawn.append(found._replace(id=ids_as_column(found.id)))
            positive = sampler.with_sampling_probs(positive)
        return drawn, positive


def joined(drawn: list[Candidate]) -> Candidate:
    """The negatives of all samplers, one after the other."""
    return functools.reduce(operator.add, drawn)


#: Key of the embeddings among the metadata.
EMBEDDING = "__embedding__"


def ids_as_column(ids: Any) -> Any:
    """Ids (M,) or (M, 1) as (M, 1), int64."""
    return tf.reshape(tf.cast(ids, "int64"), (-1, 1))


class Candidate(NamedTuple):
    """Ids of items, and what is known of each of them.

    `left + right` joins two along the batch: metadata that only one of them has is left out, and so are the
    probabilities, which belong to one way of drawing.

    Attributes:
        id: Ids, (M, 1).
        metadata: Tensors of the items by name, each with M rows; the embeddings (M, D) among them.
        sampling_prob: Probability of each item to be drawn, (M, 1); None where it is unknown.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> both = mm.Candidate(np.array([[1], [2]])) + mm.Candidate(np.array([[3]]))
        >>> both.id.numpy().tolist()
        [[1], [2], [3]]
    """

    id: Any
    metadata: Mapping[str, Any] = {}
    sampling_prob: Any = None

    @property
    def embedding(self) -> Any:
        """The embeddings, (M, D)."""
        return self.metadata[EMBEDDING]

    @property
    def has_embedding(self) -> bool:
        """Whether the embeddings are there."""
        return EMBEDDING in self.metadata

    def with_embedding(self, embedding: Any) -> Candidate:
        """The same items with `embedding`, (M, D)."""
        return self._replace(metadata={**self.metadata, EMBEDDING: embedding})

    def with_sampling_prob(self, sampling_prob: Any) -> Candidate:
        """The same items with `sampling_prob`, (M, 1)."""
        return self._replace(sampling_prob=sampling_prob)

    @property
    def shape(self) -> Candidate:
        """The same with the shapes of all tensors in their place."""
        return Candidate(self.id.shape, {name: value.shape for name, value in self.metadata.items()})

    def __add__(self, other: Candidate) -> Candidate:  # type: ignore[override]
        shared = [name for name in self.metadata if name in other.metadata]
        metadata = {name: tf.concat([self.metadata[name], other.metadata[name]], axis=0) for name in shared}
        return Candidate(tf.concat([self.id, other.id], axis=0), metadata)
