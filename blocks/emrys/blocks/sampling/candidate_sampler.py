"""Negative samplers: candidates, their sampling probabilities, the base class, and drawing from several samplers."""

from __future__ import annotations

import abc
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema
from numpy.typing import ArrayLike

from emrys.blocks.core.calling import Shape, call_layer
from emrys.blocks.errors import ConfigError
from emrys.blocks.utils.registry import Registry

#: Key of the embeddings in the metadata.
EMBEDDING = "__embedding__"


def ids_as_column(ids: tf.Tensor) -> Any:
    """Reshapes ids (M,) or (M, 1) to (M, 1). Integers keep their type, anything else becomes int64."""
    ids = tf.convert_to_tensor(ids)
    return tf.reshape(ids if ids.dtype.is_integer else tf.cast(ids, "int64"), (-1, 1))


class Candidate(NamedTuple):
    """Ids of candidate items, with their metadata and sampling probabilities.

    `left + right` concatenates two of them. Metadata that only one has is dropped, and so are the probabilities, which
    belong to one sampler.

    Attributes:
        id: Ids, (M, 1).
        metadata: Tensors of the items by name, each with M rows, including the embeddings (M, D).
        sampling_prob: Sampling probability of each item, (M, 1); None if unknown.

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
        """Whether the metadata contains embeddings."""
        return EMBEDDING in self.metadata

    def with_embedding(self, embedding: tf.Tensor) -> Candidate:
        """The same items with `embedding`, (M, D)."""
        return self._replace(metadata={**self.metadata, EMBEDDING: embedding})

    def with_sampling_prob(self, sampling_prob: tf.Tensor) -> Candidate:
        """The same items with `sampling_prob`, (M, 1)."""
        return self._replace(sampling_prob=sampling_prob)

    @property
    def shape(self) -> Candidate:
        """The shapes of all tensors, in the same structure."""
        return Candidate(self.id.shape, {name: value.shape for name, value in self.metadata.items()})

    def __add__(self, other: Candidate) -> Candidate:  # type: ignore[override]
        shared = [name for name in self.metadata if name in other.metadata]
        metadata = {name: tf.concat([self.metadata[name], other.metadata[name]], axis=0) for name in shared}
        ids = [tf.convert_to_tensor(self.id), tf.convert_to_tensor(other.id)]
        if ids[0].dtype != ids[1].dtype:
            ids = [tf.cast(each, "int64") for each in ids]
        return Candidate(tf.concat(ids, axis=0), metadata)


#: Sampler classes by the names that `negative_samplers=` accepts.
sampler_registry: Registry[Any] = Registry("negative sampler")


class CandidateSampler(keras.layers.Layer, abc.ABC):
    """Base class of negative samplers.

    A subclass implements `add`, which receives the positives of a batch, and `sample`, which returns the negatives,
    shared by all rows of the batch. Samplers that know the probability of an item to be drawn also implement
    `with_sampling_probs`.

    Args:
        max_num_samples: Maximum number of negatives. Default: no limit.

    Input shape:
        `Candidate`, the positives of a batch: ids (B, 1), embeddings (B, D) if available.

    Output shape:
        `Candidate`, the negatives: ids (M, 1), with or without embeddings (M, D).

    Example:
        >>> import emrys.blocks as mm
        >>> type(mm.CandidateSampler.parse("in-batch")).__name__
        'InBatchSamplerV2'
    """

    registry: ClassVar[Registry[Any]] = sampler_registry

    #: Whether each row of the batch selects its own negatives, by `choose`.
    chooses = False

    def __init__(self, max_num_samples: int | None = None, **kwargs: object) -> None:
        # Probabilities stay float32 under any dtype policy.
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.set_max_num_samples(max_num_samples)
        self.built = True  # most samplers have no weights, and Keras would fail on the missing fields of `Candidate`

    @classmethod
    def parse(cls, class_or_str: str | CandidateSampler, column: ColumnSchema | None = None) -> Any:
        """Creates a sampler by name, for the ids of `column`; anything but a string is returned unchanged.

        Raises:
            NamingError: if nothing is registered under the name.
        """
        return cls.registry[class_or_str].for_column(column) if isinstance(class_or_str, str) else class_or_str

    @classmethod
    def for_column(cls, column: ColumnSchema | None) -> Self:
        """Creates the sampler for its name alone, where items are the ids of `column`."""
        return cls()

    def prepare(self, dim: int | None, number_of_ids: int | None, with_probs: bool) -> None:
        """Creates the state that is kept across batches, if any; called once, by the output.

        Args:
            dim: Dimension D of the embeddings.
            number_of_ids: Number of possible ids.
            with_probs: Whether sampling probabilities are needed.
        """

    def call(
        self,
        items: Candidate,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
        testing: bool = False,
    ) -> Candidate:
        """Adds the positives of a batch, in training, and returns negatives."""
        if training:
            self.add(items)
        return self.sample()

    @abc.abstractmethod
    def add(self, items: Candidate) -> None:
        """Receives the positives of a batch."""

    @abc.abstractmethod
    def sample(self) -> Candidate:
        """Returns negatives."""

    def with_sampling_probs(self, items: Candidate) -> Candidate:
        """The items with their sampling probabilities; unchanged if the sampler does not know them."""
        return items

    def choose(self, scores: tf.Tensor) -> Any:
        """Selects the negatives of each row; called if `chooses` is set.

        Args:
            scores: Scores of the negatives, (B, M); false negatives of a row have the lowest score.

        Returns:
            Column indices, (B, K).
        """
        raise NotImplementedError

    @property
    def max_num_samples(self) -> int | None:
        """Maximum number of negatives."""
        return self._max_num_samples

    def set_max_num_samples(self, value: int | None) -> None:
        """Sets the maximum number of negatives.

        Raises:
            ConfigError: if it is below 1.
        """
        if value is not None and value < 1:
            raise ConfigError(f"{type(self).__name__}: max_num_samples", expected="a number from 1", got=str(value))
        self._max_num_samples = value

    def compute_output_shape(self, *args: object, **kwargs: object) -> Any:
        """Not supported: the number of negatives varies."""
        raise NotImplementedError


#: Type of `negative_samplers=`: one sampler or several, each also by name.
Samplers = CandidateSampler | str | Sequence[CandidateSampler | str] | None


def parse_samplers(value: Samplers, column: ColumnSchema | None = None) -> list[CandidateSampler]:
    """Converts an argument to a list of samplers.

    Raises:
        ConfigError: if an item is neither a sampler nor the name of one.
    """
    items: list[Any] = [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
    samplers = [CandidateSampler.parse(item, column) for item in items]
    for sampler in samplers:
        if not isinstance(sampler, CandidateSampler):
            raise ConfigError(
                "negative_samplers",
                expected=f"samplers, or names among {', '.join(map(repr, sampler_registry))}",
                got=type(sampler).__name__,
            )
    return samplers


class SamplerList(keras.layers.Layer):
    """Holds the samplers of an output. It is never built, so that they can be replaced when the output is.

    Attributes:
        samplers: The samplers.
        dim: Dimension D of the embeddings; None until the output is built.
    """

    def __init__(self, samplers: list[CandidateSampler]) -> None:
        super().__init__()
        self.samplers = samplers
        self.dim: int | None = None
        self.built = True


#: Fix for negatives without embeddings.
NO_EMBEDDING = "Use the in-batch sampler, or pass the EmbeddingTable of the items to the output."


@dataclass(frozen=True)
class Drawing:
    """Draws negatives for an output from one or several samplers.

    Attributes:
        owner: Name of the output, for error messages.
        samplers: The samplers.
        corrected: Whether scores are corrected for sampling probabilities (logQ correction).
        down_scored: Whether false negatives get the lowest score.
        look_up: Looks up the embeddings (M, D) of ids (M, 1), for samplers that return ids alone. None if unavailable.
    """

    owner: str
    samplers: list[CandidateSampler]
    corrected: bool
    down_scored: bool
    look_up: Callable[[Any], Any] | None

    def check(self) -> None:
        """Checks that the samplers can be combined.

        Raises:
            ConfigError: if there is no sampler, several with correction, or hard negatives without down-scoring.
        """
        if not self.samplers:
            raise ConfigError(f"{self.owner} has no negatives", expected="at least one sampler", got="none")
        if self.corrected and len(self.samplers) > 1:
            raise ConfigError(
                f"{self.owner}: logq_sampling_correction",
                expected="one sampler",
                got=str(len(self.samplers)),
                fix="Use one sampler, or no correction: sampling probabilities of several samplers cannot be combined.",
            )
        if not self.down_scored and any(sampler.chooses for sampler in self.samplers):
            raise ConfigError(
                f"{self.owner}: hard negatives",
                expected="downscore_false_negatives=True",
                got="False",
                fix="Without down-scoring, the hardest negative of a row would be its positive.",
            )

    def draw(self, positive: Candidate, **step_context: Any) -> tuple[list[Candidate], Candidate]:
        """Draws negatives with ids (M, 1) and embeddings (M, D) from each sampler.

        Args:
            positive: The positives of the batch.
            **step_context: `features`, `training` and `testing`, for the samplers.

        Returns:
            The negatives of each sampler, and the positives with their sampling probabilities, if known.

        Raises:
            ConfigError: see `check`; or if a sampler returns no embeddings and `look_up` is None.
        """
        self.check()
        drawn = []
        for sampler in self.samplers:
            negatives = sampler.with_sampling_probs(call_layer(sampler, positive, **step_context))
            if not negatives.has_embedding:
                if self.look_up is None:
                    raise ConfigError(f"{self.owner}: {sampler.name} returns no embeddings", fix=NO_EMBEDDING)
                negatives = negatives.with_embedding(self.look_up(negatives.id))
            drawn.append(negatives._replace(id=ids_as_column(negatives.id)))
            positive = sampler.with_sampling_probs(positive)
        return drawn, positive


def joined(drawn: list[Candidate]) -> Candidate:
    """Concatenates the negatives of all samplers."""
    return functools.reduce(operator.add, drawn)


@keras.saving.register_keras_serializable("emrys")
class ItemProbabilities(keras.layers.Layer):
    """Probability of each item to be a positive, known in advance or counted in training.

    The counted estimate is `(n_i + 1) / (n + N)`, for `n_i` of the `n` positives seen so far, so that unseen items have
    a small probability. Known probabilities of 0 are raised to the smallest positive one.

    Args:
        number_of_ids: Number N of possible ids.
        known: The probabilities, (N,). Default: counted.

    Input shape:
        Ids of any shape.

    Output shape:
        That shape, float32.
    """

    def __init__(self, number_of_ids: int, known: ArrayLike | None = None, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.number_of_ids = number_of_ids
        self.known = known
        self.counts: Any = None

    def build(self, input_shape: Shape = None) -> None:
        """Creates the counts, (N,), unless the probabilities are known."""
        if self.known is None:
            self.counts = self.add_weight(
                shape=(self.number_of_ids,),
                initializer="zeros",
                dtype="int64",
                trainable=False,
                autocast=False,
                name="counts",
            )
        self.built = True

    def count(self, ids: tf.Tensor) -> None:
        """Counts the positives of a batch."""
        if self.counts is not None:
            flat = ids_as_column(ids)
            self.counts.assign(tf.tensor_scatter_nd_add(self.counts.value, flat, tf.ones_like(flat[:, 0], "int64")))

    def call(self, ids: tf.Tensor) -> Any:
        """Returns the probabilities."""
        if self.counts is None:
            known = np.asarray(self.known, "float32")
            return tf.gather(tf.constant(np.maximum(known, known[known > 0].min())), ids)
        counts = tf.cast(tf.gather(self.counts.value, ids), "float32")
        total = tf.cast(tf.reduce_sum(self.counts.value), "float32")
        return (counts + 1.0) / (total + float(self.number_of_ids))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        known = None if self.known is None else np.asarray(self.known).tolist()
        return {**super().get_config(), "number_of_ids": self.number_of_ids, "known": known}


def as_probabilities(frequencies: ArrayLike, is_prob_distribution: bool, owner: str, number: int | None = None) -> Any:
    """Checks frequencies, and normalizes them to probabilities.

    Args:
        frequencies: (N,), by id: counts, or probabilities with sum 1.
        is_prob_distribution: Whether they are probabilities.
        owner: Name of the layer, for error messages.
        number: N, if it is known.

    Returns:
        (N,), float32.

    Raises:
        ConfigError: if they are not frequencies, not a distribution where one is expected, or not `number`.
    """
    if keras.ops.is_tensor(frequencies):
        frequencies = keras.ops.convert_to_numpy(frequencies)
    values = np.asarray(frequencies)
    what = f"{owner}: item_freq_probs"
    if values.ndim != 1 or not len(values) or values.dtype.kind not in "iuf":
        raise ConfigError(what, expected="numbers (N,), one for each id", got=f"{values.dtype} {values.shape}")
    if number is not None and len(values) != number:
        raise ConfigError(what, expected=f"{number} numbers, one for each id", got=str(len(values)))
    if not np.isfinite(values).all() or values.min() < 0 or not values.any():
        raise ConfigError(what, expected="finite numbers from 0, not all 0", got=f"{values.min()} to {values.max()}")
    total = values.sum(dtype="float64")
    if is_prob_distribution and abs(total - 1.0) > 1e-4:
        raise ConfigError(what, expected="probabilities with sum 1", got=f"sum {total:g}")
    return (values if is_prob_distribution else values / total).astype("float32")
