"""Base of the first generation's samplers."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.sampling.candidate_sampler import Candidate, CandidateSampler, ids_as_column


class ItemSampler(keras.layers.Layer, abc.ABC):
    """Draws items, with their embeddings. Deprecated: use `CandidateSampler`.

    A subclass writes `add` and `sample`.

    Args:
        max_num_samples: Most items that are drawn. Default: no limit.

    Input shape:
        Dictionary: `embeddings` (B, D) of the batch's items, `metadata`, a dictionary of tensors (B,).

    Output shape:
        `EmbeddingWithMetadata` of M items.
    """

    #: What users are told to use instead.
    SUCCESSOR = "CandidateSampler"

    def __init__(self, max_num_samples: int | None = None, **kwargs: Any) -> None:
        warn_deprecated(type(self).__name__, self.SUCCESSOR, stacklevel=_above(self))
        super().__init__(**{"autocast": False, **kwargs})
        self.set_max_num_samples(max_num_samples)
        self.built = True

    @abc.abstractmethod
    def add(self, embeddings: Any, items_metadata: Any, training: bool = True) -> None:
        """Takes the items of a batch into account."""

    @abc.abstractmethod
    def sample(self) -> EmbeddingWithMetadata:
        """Gives items."""

    def call(self, inputs: Any, training: bool = True) -> EmbeddingWithMetadata:
        """Takes the items of a batch and gives items.

        Raises:
            DataError: if the embeddings and the metadata have another number of rows.
        """
        rows = inputs["embeddings"].shape[0]
        for name, values in inputs["metadata"].items():
            if None not in (rows, values.shape[0]) and rows != values.shape[0]:
                raise DataError(
                    f"{self.name}: embeddings and metadata differ in their rows",
                    column=name,
                    expected=str(rows),
                    got=str(values.shape[0]),
                )
        self.add(inputs["embeddings"], inputs["metadata"], training=training)
        return self.sample()

    @property
    def required_features(self) -> list[str]:
        """Features that have to be among the metadata."""
        return []

    @property
    def max_num_samples(self) -> int | None:
        """Most items that are drawn."""
        return self._max_num_samples

    def set_max_num_samples(self, value: int | None) -> None:
        """Sets the most items that are drawn."""
        self._max_num_samples = value

    def as_candidate_sampler(self, item_id: str) -> CandidateSampler:
        """The sampler of the second generation that draws the same, where `item_id` is the column of the ids."""
        return _Translated(self, item_id)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes the sampler from what `get_config` gave."""
        with quietly():
            return super().from_config(config)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """What is drawn has no shape of its own."""
        raise NotImplementedError


def _above(sampler: ItemSampler) -> int:
    """How far above `warn_deprecated` the call of the constructor is: each class with one of its own adds a step."""
    own = [each for each in type(sampler).__mro__ if "__init__" in vars(each) and issubclass(each, ItemSampler)]
    return 2 + len(own)


@keras.saving.register_keras_serializable("emrys")
class _Translated(CandidateSampler):
    """A sampler of the first generation as one of the second."""

    def __init__(self, sampler: ItemSampler, item_id: str, **kwargs: Any) -> None:
        super().__init__(max_num_samples=sampler.max_num_samples, **kwargs)
        self.sampler = sampler
        self.item_id = item_id

    def add(self, items: Candidate) -> None:
        """Left to the sampler's own `call`."""

    def sample(self) -> Candidate:
        """Not without a batch."""
        raise ConfigError(f"{self.name} draws from a batch", fix="Call it on one.")

    def call(
        self, items: Candidate, features: Any = None, targets: Any = None, training: bool = False, testing: bool = False
    ) -> Candidate:
        """Gives what the sampler gives."""
        metadata = {self.item_id: tf.reshape(items.id, (-1,))}
        for name in self.sampler.required_features:
            metadata.setdefault(name, tf.reshape(items.metadata[name], (-1,)))
        found = self.sampler({"embeddings": items.embedding, "metadata": metadata}, training=training)
        ids = ids_as_column(found.metadata[self.item_id])
        return Candidate(ids, {}).with_embedding(found.embeddings)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        sampler = keras.saving.serialize_keras_object(self.sampler)
        return {**super().get_config(), "sampler": sampler, "item_id": self.item_id}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> _Translated:
        """Makes the sampler from what `get_config` gave."""
        return cls(**{**config, "sampler": keras.saving.deserialize_keras_object(config["sampler"])})


class EmbeddingWithMetadata(NamedTuple):
    """Embeddings of items, and what is known of each.

    Attributes:
        embeddings: (M, D)
        metadata: Tensors (M,) by name, the ids among them.
    """

    embeddings: Any
    metadata: Mapping[str, Any]
