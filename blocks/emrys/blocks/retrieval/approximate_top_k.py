"""Approximate top-k search in large catalogues, with Faiss."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Self, Unpack

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from emrys.blocks.core.block import UnnamedBlockArguments
from emrys.blocks.errors import ConfigError, DependencyError
from emrys.blocks.retrieval.brute_force import streamed_top_k
from emrys.blocks.retrieval.top_k_layer import TopKLayer

logger = logging.getLogger(__name__)

#: Catalogues up to this size are searched exactly, which is as fast for a single query (see `benchmarks/top_k.py`).
EXACT_UP_TO = 10_000
_ROWS_PER_LIST = 40
_SAMPLE = 256


@dataclass(frozen=True)
class IndexReport:
    """Measured recall of an approximate index.

    Attributes:
        candidates: Number of candidates.
        k: Number of results that were compared.
        recall: Share of the exact results that the index returns, averaged over the sample.
        queries: Number of queries in the sample.
        lists: Number of inverted lists; 0 if the search is exact.
        probes: Number of lists that are searched for a query.
    """

    candidates: int
    k: int
    recall: float
    queries: int
    lists: int
    probes: int


@keras.saving.register_keras_serializable("emrys")
class ApproximateTopK(TopKLayer):
    """Approximate search for the candidates with the largest inner products, with an inverted file index of Faiss.

    Candidates are clustered into lists; a query is compared with the lists of the nearest centroids only. Indexing
    raises the number of searched lists until a sample of queries gets `recall_target` of its exact results; the
    outcome is logged and kept as `report`. Scores are exact, and so are the results of catalogues of up to
    `exact_up_to` candidates.

    Faiss runs outside of TensorFlow's graph: the layer works in `predict` and `evaluate`, but not in a SavedModel; use
    `BruteForce` there. Of equal scores, the candidate indexed first comes first, among those that the index returns.
    The serialized index is saved with the model.

    Args:
        k: Number of results, K. Default: 10.
        recall_target: Recall at K that the sample must reach, above 0 and up to 1. Default: 0.95.
        exact_up_to: Number of candidates up to which the search is exact. Default: 10,000, where both are equally fast
            for a single query.
        name: Name of the layer.

    Input shape:
        Queries (B, D)

    Output shape:
        `TopKPrediction`, as of `BruteForce`.

    Raises:
        DependencyError: if candidates are indexed and Faiss is not installed.
        ConfigError: if an argument is out of range; when called, see `BruteForce`.

    Source:
        Douze et al., "The Faiss library", 2024, https://arxiv.org/abs/2401.08281
    """

    def __init__(
        self,
        k: int = 10,
        recall_target: float = 0.95,
        exact_up_to: int = EXACT_UP_TO,
        name: str | None = None,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        super().__init__(k=k, name=name, **kwargs)
        if not 0 < recall_target <= 1:
            raise ConfigError(f"{self.name}: recall_target", expected="above 0 and up to 1", got=repr(recall_target))
        self.recall_target = recall_target
        self.exact_up_to = exact_up_to
        #: Report of the last `index`; None before.
        self.report: IndexReport | None = None
        self._faiss: Any = None

    def index(
        self, candidates: ArrayLike, identifiers: ArrayLike | None = None, queries: ArrayLike | None = None
    ) -> Self:
        """Indexes candidates, and measures the recall of the index.

        Args:
            candidates: Vectors, (N, D).
            identifiers: Their ids, (N,). Default: the row numbers.
            queries: Queries to measure the recall with, (M, D), such as those of some users. Default: a sample of the
                candidates.

        Returns:
            The layer.
        """
        super().index(candidates, identifiers)
        vectors = self.candidates.values.numpy()
        rows, k = len(vectors), min(self.k, len(vectors))
        self._faiss = None
        if rows <= self.exact_up_to:
            self.report = IndexReport(rows, k, 1.0, 0, 0, 0)
            return self
        random = np.random.default_rng(0)
        sample = vectors[random.integers(0, rows, _SAMPLE)] if queries is None else np.asarray(queries, np.float32)
        self._faiss = _inverted_file(vectors)
        exact = streamed_top_k(sample, self.candidates.values, k)[1].numpy()
        recall = self._tune(sample, exact, k)
        self.report = IndexReport(rows, k, recall, len(sample), self._faiss.nlist, self._faiss.nprobe)
        logger.info("%s: %s", self.name, self.report)
        return self

    def _tune(self, sample: NDArray[np.float32], exact: NDArray[np.int32], k: int) -> float:
        self._faiss.nprobe = 1
        while True:
            approximate = self._faiss.search(sample, k)[1]
            in_both = (approximate[:, :, None] == exact[:, None, :]).any(axis=2)
            recall = float(in_both.mean())
            if recall >= self.recall_target or self._faiss.nprobe >= self._faiss.nlist:
                return recall
            self._faiss.nprobe = min(2 * self._faiss.nprobe, self._faiss.nlist)

    def search(self, queries: tf.Tensor, k: int, excluded: tuple[tf.Tensor, tf.Tensor] | None) -> tuple[Any, Any]:
        """Searches the index, or all candidates of a small catalogue."""
        if self._faiss is None:
            return streamed_top_k(queries, self.candidates.values, k, excluded)
        query_indices, rows = excluded if excluded is not None else (tf.zeros(0, tf.int64), tf.zeros(0, tf.int64))
        inputs = [queries, tf.cast(query_indices, tf.int64), tf.cast(rows, tf.int64), k]
        scores, best = tf.numpy_function(self._search, inputs, [tf.float32, tf.int32], stateful=False)
        return tf.ensure_shape(scores, (queries.shape[0], k)), tf.ensure_shape(best, (queries.shape[0], k))

    def _search(
        self,
        queries: NDArray[np.float32],
        excluded_queries: NDArray[np.int64],
        excluded_rows: NDArray[np.int64],
        k: Any,
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        size = self.candidates.size
        # Enough results to have K left for the query with the most excluded candidates.
        most_excluded = int(np.bincount(excluded_queries).max()) if len(excluded_queries) else 0
        finite = np.isfinite(queries).all(axis=1, keepdims=True)
        number = min(int(k) + most_excluded, size)
        scores, rows = self._faiss.search(np.where(finite, queries, 0).astype(np.float32), number)
        pairs = np.arange(len(queries))[:, None] * size + rows
        valid = (rows >= 0) & finite & ~np.isin(pairs, excluded_queries * size + excluded_rows)
        scores = np.where(valid, scores, -np.inf)
        rows = np.where(valid, rows, -1)
        order = np.lexsort((rows, -scores), axis=1)[:, : int(k)]
        return (
            np.take_along_axis(scores, order, 1).astype(np.float32),
            np.take_along_axis(rows, order, 1).astype(np.int32),
        )

    def save_own_variables(self, store: MutableMapping[str, ArrayLike]) -> None:
        """Saves the candidates and the index."""
        super().save_own_variables(store)
        if self._faiss is not None:
            store["faiss"] = _faiss().serialize_index(self._faiss)
        if self.report is not None:
            report = self.report
            store["report"] = np.array(
                [report.candidates, report.k, report.recall, report.queries, report.lists, report.probes], np.float64
            )

    def load_own_variables(self, store: MutableMapping[str, ArrayLike]) -> None:
        """Loads the candidates and the index."""
        super().load_own_variables(store)
        if "faiss" in store.keys():  # noqa: SIM118
            self._faiss = _faiss().deserialize_index(np.asarray(store["faiss"]))
        if "report" in store.keys():  # noqa: SIM118
            candidates, k, recall, *counts = np.asarray(store["report"]).tolist()
            self.report = IndexReport(int(candidates), int(k), recall, *map(int, counts))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; the candidates are saved with the weights."""
        return {**super().get_config(), "recall_target": self.recall_target, "exact_up_to": self.exact_up_to}


def _inverted_file(vectors: NDArray[np.float32]) -> Any:
    faiss = _faiss()
    lists = max(1, min(int(2 * np.sqrt(len(vectors))), len(vectors) // _ROWS_PER_LIST))
    dim = vectors.shape[1]
    # The quantizer compares by inner product, as the search does.
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 10
    index.cp.max_points_per_centroid = _ROWS_PER_LIST
    index.train(vectors)
    index.add(vectors)
    return index


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise DependencyError(
            "ApproximateTopK needs Faiss, which is not installed",
            fix="Install faiss-cpu, or use BruteForce.",
        ) from None
    return faiss
