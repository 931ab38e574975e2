"""Base class of samplers (first generation)."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.sampling.candidate_sampler import Candidate, CandidateSampler, ids_as_column


class EmbeddingWithMetadata(NamedTuple):
    """Embeddings of items, with their metadata.

    Attributes:
        embeddings: (M, D)
        metadata: Tensors (M,) by name, including the ids.
    """

    embeddings: Any
    metadata: Mapping[str, Any]


class ItemSampler(keras.layers.Layer, abc.ABC):
    """Base class of samplers of items with their embeddings. Deprecated: use `CandidateSampler`.

    A subclass implements `add` and `sample`.

    Args:
        max_num_samples: Maximum number of items. Default: no limit.

    Input shape:
        Dictionary: `embeddings` (B, D) of the batch's items, `metadata`, a dictionary of tensors (B,).

    Output shape:
        `EmbeddingWithMetadata` of M items.
    """

    #: Replacement, for the deprecation warning.
    SUCCESSOR = "CandidateSampler"

    def __init__(self, max_num_samples: int | None = None, **kwargs: object) -> None:
        warn_deprecated(type(self).__name__, self.SUCCESSOR, stacklevel=_stack_level(self))
        super().__init__(**{"autocast": False, **kwargs})
        self.set_max_num_samples(max_num_samples)
        self.built = True

    @abc.abstractmethod
    def add(self, embeddings: tf.Tensor, items_metadata: Mapping[str, tf.Tensor], training: bool = True) -> None:
        """Receives the items of a batch."""

    @abc.abstractmethod
    def sample(self) -> EmbeddingWithMetadata:
        """Returns items."""

    def call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], training: bool = True) -> EmbeddingWithMetadata:
        """Adds the items of a batch and returns items.

        Raises:
            DataError: if embeddings and metadata differ in their number of rows.
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
        """Names of features that the metadata must contain."""
        return []

    @property
    def max_num_samples(self) -> int | None:
        """Maximum number of items."""
        return self._max_num_samples

    def set_max_num_samples(self, value: int | None) -> None:
        """Sets the maximum number of items."""
        self._max_num_samples = value

    def as_candidate_sampler(self, item_id: str) -> CandidateSampler:
        """Converts to a sampler of the second generation, for ids in the column `item_id`."""
        return _Translated(self, item_id)

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Any:
        """Creates the sampler from `get_config`."""
        with quietly():
            return super().from_config(config)

    def compute_output_shape(self, *args: object, **kwargs: object) -> Any:
        """Not supported: the number of items varies."""
        raise NotImplementedError


def _stack_level(sampler: ItemSampler) -> int:
    """Stack level of the constructor call: every class of the hierarchy with its own `__init__` adds one."""
    classes = [each for each in type(sampler).__mro__ if "__init__" in vars(each) and issubclass(each, ItemSampler)]
    return 2 + len(classes)


@keras.saving.register_keras_serializable("emrys")
class _Translated(CandidateSampler):
    """Adapter from a sampler of the first generation to the second."""

    def __init__(self, sampler: ItemSampler, item_id: str, **kwargs: Any) -> None:
        super().__init__(max_num_samples=sampler.max_num_samples, **kwargs)
        self.sampler = sampler
        self.item_id = item_id

    def add(self, items: Candidate) -> None:
        """Does nothing: the wrapped sampler adds items in its `call`."""

    def sample(self) -> Candidate:
        """Not supported: the wrapped sampler needs a batch."""
        raise ConfigError(f"{self.name} cannot sample without a batch", fix="Call it on a batch.")

    def call(
        self,
        items: Candidate,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        training: bool = False,
        testing: bool = False,
    ) -> Candidate:
        """Calls the wrapped sampler."""
        metadata = {self.item_id: tf.reshape(items.id, (-1,))}
        for name in self.sampler.required_features:
            metadata.setdefault(name, tf.reshape(items.metadata[name], (-1,)))
        items_drawn = self.sampler({"embeddings": items.embedding, "metadata": metadata}, training=training)
        ids = ids_as_column(items_drawn.metadata[self.item_id])
        return Candidate(ids, {}).with_embedding(items_drawn.embeddings)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        sampler = keras.saving.serialize_keras_object(self.sampler)
        return {**super().get_config(), "sampler": sampler, "item_id": self.item_id}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> _Translated:
        """Creates the sampler from `get_config`."""
        return cls(**{**config, "sampler": keras.saving.deserialize_keras_object(config["sampler"])})
