"""Items that a query can be answered with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

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
