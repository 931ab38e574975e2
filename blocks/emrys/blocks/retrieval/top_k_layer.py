"""Base of the layers that find the best candidates of queries."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics.ranking import checked_positive


class CandidateHolder(Block):
    """A block with candidates: they are saved beside its weights, and are none themselves.

    Attributes:
        candidates: Their vectors and ids.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidates = CandidateIndex()

    def save_own_variables(self, store: Any) -> None:
        """Writes the candidates."""
        for name, value in self.candidates.saved().items():
            store[name] = value

    def load_own_variables(self, store: Any) -> None:
        """Reads the candidates."""
        self.candidates.restore({name: store[name] for name in store.keys()})  # noqa: SIM118 - no dictionary

    def take_candidates(self, other: CandidateHolder) -> None:
        """Takes the candidates of another block of the same kind."""
        store: dict[str, Any] = {}
        other.save_own_variables(store)
        self.load_own_variables(store)


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


class CandidateIndex(tf.Module):
    """Vectors of candidates and their ids.

    They are no weights: no optimizer sees them, they do not count as parameters, and other candidates, of another
    number, can take their place. Layers that hold an index save it with `saved` and bring it back with `assign`.

    Attributes:
        values: Variable (N, D), float32.
        ids: Variable (N,), int64.
    """

    def __init__(self) -> None:
        super().__init__(name="candidates")
        self.values: Any = None
        self.ids: Any = None
        self._sorted: Any = None
        self._rows: Any = None
        self.size = 0
        self.dim = 0
        #: Type of the ids that are given out.
        self.id_type = tf.int32

    @property
    def filled(self) -> bool:
        """Whether there are candidates."""
        return self.values is not None

    def assign(self, values: Any, ids: Any = None) -> Self:
        """Takes candidates in the place of those that are there.

        Args:
            values: Vectors, (N, D).
            ids: Ids, (N,), each once. Default: the row numbers.

        Raises:
            ConfigError: if they are not as described, or have NaN.
        """
        vectors = checked_vectors(values)
        numbers = np.arange(len(vectors), dtype=np.int64) if ids is None else checked_ids(ids, len(vectors))
        order = np.argsort(numbers, kind="stable")
        self.id_type = tf.int32 if numbers[order[-1]] <= np.iinfo(np.int32).max else tf.int64
        self.size, dim = vectors.shape
        if self.values is None or dim != self.dim:
            self.dim = dim
            self.values = _variable(vectors, "values", (None, dim))
            self.ids = _variable(numbers, "ids", (None,))
            self._sorted = _variable(numbers[order], "sorted_ids", (None,))
            self._rows = _variable(order, "rows", (None,))
        else:
            for variable, value in zip(
                (self.values, self.ids, self._sorted, self._rows),
                (vectors, numbers, numbers[order], order),
                strict=True,
            ):
                variable.assign(value)
        return self

    def rows_of(self, ids: Any) -> tuple[Any, Any]:
        """Finds the rows of ids.

        Args:
            ids: (M,), integers.

        Returns:
            Rows (M,), int64, and whether each id is in the index (M,), bool; the row of one that is not says nothing.
        """
        ids = tf.cast(ids, tf.int64)
        places = tf.minimum(tf.searchsorted(self._sorted, ids, out_type=tf.int64), tf.size(self._sorted, tf.int64) - 1)
        return tf.gather(self._rows, places), tf.equal(tf.gather(self._sorted, places), ids)

    def ids_of(self, rows: Any) -> Any:
        """The ids of rows, of any shape; -1 stays -1."""
        ids = tf.gather(self.ids, tf.maximum(rows, 0))
        return tf.cast(tf.where(rows < 0, tf.constant(-1, tf.int64), ids), self.id_type)

    def saved(self) -> dict[str, NDArray[Any]]:
        """What has to be kept to `assign` it again."""
        return {"candidates": self.values.numpy(), "ids": self.ids.numpy()} if self.filled else {}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Takes the candidates that `saved` gave; none if it gave none."""
        if "candidates" in saved:
            self.assign(np.asarray(saved["candidates"]), np.asarray(saved["ids"]))


def _variable(value: Any, name: str, shape: tuple[int | None, ...]) -> tf.Variable:
    # Made outside of any graph that is being traced, and of a size that may change.
    with tf.init_scope():
        return tf.Variable(value, trainable=False, name=name, shape=tf.TensorShape(shape))


def ids_and_vectors(data: Any, check_unique_ids: bool = True) -> tuple[NDArray[np.int64] | None, NDArray[np.float32]]:
    """Takes candidates apart.

    Args:
        data: A `merlin.io.Dataset` or a data frame with one row for each candidate, indexed by its id; or a tensor
            (N, D), whose ids are the row numbers.
        check_unique_ids: Whether an id that comes twice is an error. Default: True. Otherwise its first row counts.

    Returns:
        Ids (N,), None for a tensor, and vectors (N, D).

    Raises:
        ConfigError: if the vectors are not finite numbers (N, D), or the ids not integers, each once.
    """
    frame = data.to_ddf().compute(scheduler="synchronous") if hasattr(data, "to_ddf") else data
    if not isinstance(frame, pd.DataFrame):
        return None, checked_vectors(frame)
    if not check_unique_ids:
        frame = frame[~frame.index.duplicated()]
    vectors = checked_vectors(frame.to_numpy())
    return checked_ids(frame.index.to_numpy(), len(vectors)), vectors


def checked_vectors(values: Any) -> NDArray[np.float32]:
    """Vectors of candidates as float32.

    Raises:
        ConfigError: if they are no finite numbers of shape (N, D), with a candidate at least.
    """
    vectors = np.asarray(values)
    if vectors.ndim != 2 or 0 in vectors.shape or vectors.dtype.kind not in "fiu":
        raise ConfigError(
            "the vectors of the candidates do not fit",
            expected="numbers of shape (N, D), one row for each candidate",
            got=f"shape {vectors.shape} of {vectors.dtype}",
        )
    vectors = vectors.astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ConfigError(
            "vectors of candidates are not finite",
            expected="numbers without NaN and infinities",
            got=f"{len(bad)} of {len(vectors)} rows with them, the first is row {bad[0]}",
            fix="Look at what the encoder was trained on.",
        )
    return vectors


def checked_ids(values: Any, rows: int) -> NDArray[np.int64]:
    """Ids of candidates as int64.

    Args:
        values: The ids, (N,) or (N, 1).
        rows: N.

    Raises:
        ConfigError: if they are no integers, are not N, or one comes twice.
    """
    ids = np.asarray(values)
    if ids.dtype.kind not in "iu":
        raise ConfigError("the ids of the candidates do not fit", expected="integers", got=str(ids.dtype))
    ids = ids.reshape(-1).astype(np.int64)
    if len(ids) != rows:
        raise ConfigError("candidates and ids do not go together", expected=f"{rows} ids", got=str(len(ids)))
    if len(ids) and ids.min() < 0:
        raise ConfigError("the ids of the candidates do not fit", expected="0 or above", got=str(ids.min()))
    unique, counts = np.unique(ids, return_counts=True)
    if len(unique) != rows:
        twice = unique[counts > 1]
        raise ConfigError(
            "ids of candidates come more than once",
            expected="each id once",
            got=f"{len(twice)} that do not, such as {twice[0]}",
            fix="Take the unique rows first, as unique_by_tag(dataset, Tags.ITEM, Tags.ITEM_ID) does.",
        )
    return ids
