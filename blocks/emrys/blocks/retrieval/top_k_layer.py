"""Base of the layers that find the best candidates of queries."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import tensorflow as tf

from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics.ranking import checked_positive
from emrys.blocks.retrieval.candidate_index import CandidateHolder, ids_and_vectors


class TopKLayer(CandidateHolder, abc.ABC):
    """Finds, among indexed candidates, the K with the largest inner product with a query.

    A subclass gives `search`. Among equal scores, the candidate that was indexed first comes first.

    Args:
        k: Number of results, K. Default: 10.
        name: Name of the layer.

    Input shape:
        Queries (B, D). A query with NaN or infinities gets no candidate.

    Output shape:
        `TopKPrediction` of scores (B, K) and identifiers (B, K); -inf and -1 where there are not K.

    Raises:
        ConfigError: when called, if nothing is indexed, there are fewer than K candidates, or D is another.
    """

    def __init__(self, k: int = 10, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.k = checked_positive(f"k of {type(self).__name__}", k)
        # Blocks of candidates differ in size, which XLA does not take.
        self.supports_jit = False

    def index(self, candidates: Any, identifiers: Any = None) -> Self:
        """Takes candidates, in the place of those that are there.

        Args:
            candidates: Vectors, (N, D).
            identifiers: Their ids, (N,), integers from 0, each once. Default: the row numbers.

        Returns:
            The layer.

        Raises:
            ConfigError: if they are not as described, or have NaN.
        """
        self.candidates.assign(candidates, identifiers)
        return self

    def index_from_dataset(self, data: Any, check_unique_ids: bool = True) -> Self:
        """Takes candidates from a `merlin.io.Dataset` or a data frame of vectors that is indexed by their ids.

        Args:
            data: The candidates.
            check_unique_ids: Whether an id that comes twice is an error. Default: True. Otherwise its first row counts.

        Returns:
            The layer.
        """
        ids, vectors = ids_and_vectors(data, check_unique_ids)
        return self.index(vectors, ids)

    @abc.abstractmethod
    def search(self, queries: Any, k: int, left_out: tuple[Any, Any] | None) -> tuple[Any, Any]:
        """Finds the rows of the best candidates.

        Args:
            queries: (B, D), float32.
            k: Number of results.
            left_out: Candidates to leave out: (M,) numbers of queries and (M,) rows. None for none.

        Returns:
            Scores (B, K) and rows (B, K), best first; -inf and -1 where there are not K.
        """

    def call(
        self,
        inputs: Any,
        targets: Any = None,
        testing: bool | None = None,
        k: int | None = None,
        seen_items: Any = None,
    ) -> Any:
        """Finds the best candidates.

        Args:
            inputs: Queries, (B, D).
            targets: Ids of the right items, (B, 1), several (B, P) or lists.
            testing: Whether to compare with `targets`.
            k: Number of results. Default: that of the layer.
            seen_items: Ids of the items to leave out, lists (B, None); dense ones are padded with -1. Ids that are not
                in the index change nothing. Default: none.

        Returns:
            `TopKPrediction`; with `testing`, a `Prediction` of the scores (B, K) and of targets (B, K), 1 where the
            candidate is right.
        """
        k = self.k if k is None else checked_positive(f"k of {self.name}", k)
        self._check(inputs, k)
        left_out = None if seen_items is None else self._left_out(seen_items)
        scores, rows = self.search(tf.cast(inputs, tf.float32), k, left_out)
        found = TopKPrediction(scores, self.candidates.ids_of(rows))
        if not testing:
            return found
        if targets is None:
            raise ConfigError(f"{self.name} has nothing to compare with", expected="targets, ids of the right items")
        return compared(found, targets)

    def _check(self, queries: Any, k: int) -> None:
        if not self.candidates.filled:
            raise ConfigError(f"{self.name} has no candidates", fix="Call index(candidates, identifiers) first.")
        if k > self.candidates.size:
            raise ConfigError(
                f"{self.name} is asked for more results than it has candidates",
                expected=f"at most {self.candidates.size}",
                got=str(k),
                fix="Take a smaller k.",
            )
        if len(queries.shape) != 2 or queries.shape[1] not in (None, self.candidates.dim):
            raise ConfigError(
                f"{self.name} compares queries with candidates of their size",
                expected=f"queries of shape (B, {self.candidates.dim})",
                got=str(tuple(queries.shape)),
            )

    def _left_out(self, seen_items: Any) -> tuple[Any, Any]:
        if not isinstance(seen_items, tf.RaggedTensor):
            seen_items = tf.RaggedTensor.from_tensor(seen_items)
        rows, known = self.candidates.rows_of(seen_items.flat_values)
        queries = tf.boolean_mask(seen_items.value_rowids(), known)
        return queries, tf.boolean_mask(rows, known)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, K), twice."""
        rows = as_shape(input_shape)[0]
        return TopKPrediction((rows, self.k), (rows, self.k))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments. The candidates are in the file beside the weights."""
        return {**super().get_config(), "k": self.k}


class TopKPrediction(NamedTuple):
    """Scores and identifiers, best first.

    Where fewer than K candidates can be given, the rest has the score -inf and the identifier -1.

    Attributes:
        scores: (B, K), float32.
        identifiers: (B, K), int32, or int64 where ids are too large for that.
    """

    scores: Any
    identifiers: Any

    def to_df(self) -> pd.DataFrame:
        """A data frame with one row for each query: `score_0`, `id_0`, `score_1`, `id_1`, …."""
        scores, identifiers = np.asarray(self.scores), np.asarray(self.identifiers)
        columns: dict[str, Any] = {}
        for place in range(scores.shape[1]):
            columns[f"score_{place}"] = scores[:, place]
            columns[f"id_{place}"] = identifiers[:, place]
        return pd.DataFrame(columns)

    @staticmethod
    def output_names(k: int) -> list[str]:
        """Names of the columns that `batch_predict` gives: all scores, then all identifiers.

        Args:
            k: Number of candidates.
        """
        return [f"score_{place}" for place in range(k)] + [f"id_{place}" for place in range(k)]


#: What stands for -inf in a loss, where it would give NaN.
_LOWEST = -1e30


def right_items(targets: Any) -> Any:
    """Ids of the right items of each query as a dense tensor (B, P), int64.

    Args:
        targets: (B,), (B, 1), (B, P) or lists (B, None); ids below 0 pad.

    Returns:
        (B, P), with -1 where there is none; each id of a query once.
    """
    if isinstance(targets, tf.RaggedTensor):
        # Ids are counted once, so that a list of none needs one column all the same.
        targets = tf.cast(targets, tf.int64).to_tensor(-1)
        targets = tf.pad(targets, [[0, 0], [0, 1]], constant_values=-1)
    targets = tf.cast(targets, tf.int64)
    targets = targets[:, tf.newaxis] if len(targets.shape) == 1 else targets
    targets = tf.sort(tf.maximum(targets, -1), axis=1)
    again = tf.concat([tf.zeros_like(targets[:, :1], tf.bool), tf.equal(targets[:, 1:], targets[:, :-1])], 1)
    return tf.where(again, tf.constant(-1, tf.int64), targets)


def hits(identifiers: Any, targets: Any) -> tuple[Any, Any]:
    """Marks the right ones among the best candidates.

    Args:
        identifiers: (B, K), ids, -1 for none.
        targets: Ids of the right items, see `right_items`.

    Returns:
        (B, K), float32, 1 where the candidate is right, and the number of right items of each query, (B,), float32.
    """
    right = right_items(targets)
    identifiers = tf.cast(identifiers, tf.int64)
    same = tf.equal(identifiers[:, :, tf.newaxis], right[:, tf.newaxis, :])
    found = tf.logical_and(tf.reduce_any(same, axis=2), identifiers >= 0)
    return tf.cast(found, tf.float32), tf.math.count_nonzero(right >= 0, axis=1, dtype=tf.float32)


def compared(ranked: TopKPrediction, targets: Any) -> Prediction:
    """Scores (B, K) beside targets (B, K) that are 1 where the candidate is right."""
    found, _ = hits(ranked.identifiers, targets)
    return Prediction(tf.maximum(ranked.scores, _LOWEST), found)
