"""Top-k layers: the index of candidates, the base class, and the comparison of results with targets."""

from __future__ import annotations

import abc
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self, Unpack

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from emrys.blocks.core.block import Block, BlockArguments, UnnamedBlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics.ranking import checked_positive

if TYPE_CHECKING:
    from merlin.io import Dataset


def ids_and_vectors(
    data: Dataset | pd.DataFrame | ArrayLike, check_unique_ids: bool = True
) -> tuple[NDArray[np.int64] | None, NDArray[np.float32]]:
    """Splits candidates into ids and vectors.

    Args:
        data: A `merlin.io.Dataset` or a data frame with one row for each candidate, indexed by its id; or a tensor
            (N, D), whose ids are the row numbers.
        check_unique_ids: Whether duplicate ids are an error. Default: True. Otherwise the first row of each id counts.

    Returns:
        Ids (N,), None for a tensor, and vectors (N, D).

    Raises:
        ConfigError: if the vectors are not finite numbers (N, D), or the ids not unique integers.
    """
    frame = data.to_ddf().compute(scheduler="synchronous") if hasattr(data, "to_ddf") else data
    if not isinstance(frame, pd.DataFrame):
        return None, checked_vectors(frame)
    if not check_unique_ids:
        frame = frame[~frame.index.duplicated()]
    vectors = checked_vectors(frame.to_numpy())
    return checked_ids(frame.index.to_numpy(), len(vectors)), vectors


def checked_vectors(values: ArrayLike) -> NDArray[np.float32]:
    """Converts candidate vectors to float32.

    Raises:
        ConfigError: if they are not finite numbers of shape (N, D) with at least one row.
    """
    vectors = np.asarray(values)
    if vectors.ndim != 2 or 0 in vectors.shape or vectors.dtype.kind not in "fiu":
        raise ConfigError(
            "candidate vectors have the wrong shape or type",
            expected="numbers of shape (N, D), one row for each candidate",
            got=f"shape {vectors.shape} of {vectors.dtype}",
        )
    vectors = vectors.astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ConfigError(
            "candidate vectors are not finite",
            expected="numbers without NaN and infinities",
            got=f"{len(bad)} of {len(vectors)} rows with them, the first is row {bad[0]}",
            fix="Check the training data of the encoder.",
        )
    return vectors


def checked_ids(values: ArrayLike, rows: int) -> NDArray[np.int64]:
    """Converts candidate ids to int64.

    Args:
        values: The ids, (N,) or (N, 1).
        rows: N.

    Raises:
        ConfigError: if they are not N unique, non-negative integers.
    """
    ids = np.asarray(values)
    if ids.dtype.kind not in "iu":
        raise ConfigError("candidate ids have the wrong type", expected="integers", got=str(ids.dtype))
    ids = ids.reshape(-1).astype(np.int64)
    if len(ids) != rows:
        raise ConfigError("each candidate needs one id", expected=f"{rows} ids", got=str(len(ids)))
    if len(ids) and ids.min() < 0:
        raise ConfigError("candidate ids are negative", expected="0 or above", got=str(ids.min()))
    unique, counts = np.unique(ids, return_counts=True)
    if len(unique) != rows:
        duplicates = unique[counts > 1]
        raise ConfigError(
            "candidate ids are not unique",
            expected="each id once",
            got=f"{len(duplicates)} duplicate ids, such as {duplicates[0]}",
            fix="Select unique rows first, for example with unique_by_tag(dataset, Tags.ITEM, Tags.ITEM_ID).",
        )
    return ids


class CandidateIndex(tf.Module):
    """Vectors and ids of candidates, in TensorFlow variables of variable size.

    They are not weights: they are not trained, do not count as parameters, and can be replaced by a different number of
    candidates. Layers that hold an index save it with `saved` and load it with `restore`.

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
        #: Type of the ids in results of top-k layers: int32, or int64 where an id is too large for that.
        self.id_type = tf.int32
        #: Type of the ids that were assigned: int32 or int64.
        self.assigned_type = tf.int64

    @property
    def filled(self) -> bool:
        """Whether there are candidates."""
        return self.values is not None

    def assign(self, values: ArrayLike, ids: ArrayLike | None = None) -> Self:
        """Replaces the candidates.

        Args:
            values: Vectors, (N, D).
            ids: Unique ids, (N,). Default: the row numbers.

        Raises:
            ConfigError: if they have the wrong shape or type, or NaN.
        """
        vectors = checked_vectors(values)
        numbers = np.arange(len(vectors), dtype=np.int64) if ids is None else checked_ids(ids, len(vectors))
        order = np.argsort(numbers, kind="stable")
        self.assigned_type = tf.int32 if ids is not None and np.asarray(ids).dtype == np.int32 else tf.int64
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

    def rows_of(self, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Looks up the rows of ids.

        Args:
            ids: (M,), integers.

        Returns:
            Rows (M,), int64, and whether each id is in the index (M,), bool; the row of an unknown id is arbitrary.
        """
        ids = tf.cast(ids, tf.int64)
        last = tf.size(self._sorted, tf.int64) - 1
        positions = tf.minimum(tf.searchsorted(self._sorted, ids, out_type=tf.int64), last)
        return tf.gather(self._rows, positions), tf.equal(tf.gather(self._sorted, positions), ids)

    def ids_of(self, rows: tf.Tensor, dtype: tf.DType | None = None) -> tf.Tensor:
        """The ids of rows, of any shape; -1 stays -1. `dtype` is their type, by default `id_type`."""
        ids = tf.gather(self.ids, tf.maximum(rows, 0))
        return tf.cast(tf.where(rows < 0, tf.constant(-1, tf.int64), ids), dtype or self.id_type)

    def saved(self) -> dict[str, NDArray[Any]]:
        """The arrays that `restore` needs; empty without candidates."""
        if not self.filled:
            return {}
        return {"candidates": self.values.numpy(), "ids": self.ids.numpy().astype(self.assigned_type.as_numpy_dtype)}

    def restore(self, saved: Mapping[str, ArrayLike]) -> None:
        """Assigns the candidates of `saved`, if there are any."""
        if "candidates" in saved:
            self.assign(np.asarray(saved["candidates"]), np.asarray(saved["ids"]))


def _variable(value: NDArray[Any], name: str, shape: tuple[int | None, ...]) -> tf.Variable:
    # Created outside of any graph that is being traced, with a variable number of rows.
    with tf.init_scope():
        return tf.Variable(value, trainable=False, name=name, shape=tf.TensorShape(shape))


class CandidateHolder(Block):
    """Base class of blocks with a candidate index, which is saved with their weights.

    Attributes:
        candidates: Vectors and ids of the candidates.
    """

    def __init__(self, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.candidates = CandidateIndex()

    def save_own_variables(self, store: MutableMapping[str, ArrayLike]) -> None:
        """Saves the candidates."""
        for name, value in self.candidates.saved().items():
            store[name] = value

    def load_own_variables(self, store: MutableMapping[str, ArrayLike]) -> None:
        """Loads the candidates."""
        self.candidates.restore({name: store[name] for name in store.keys()})  # noqa: SIM118 - not a dictionary

    def take_candidates(self, other: CandidateHolder) -> None:
        """Copies the candidates of another block of the same kind."""
        store: dict[str, ArrayLike] = {}
        other.save_own_variables(store)
        self.load_own_variables(store)


class TopKPrediction(NamedTuple):
    """Scores and identifiers of the best candidates of each query, best first.

    Where there are fewer than K candidates, the rest has score -inf and identifier -1.

    Attributes:
        scores: (B, K), float32.
        identifiers: (B, K), int32, or int64 where ids are too large for that.
    """

    scores: Any
    identifiers: Any

    def to_df(self) -> pd.DataFrame:
        """Converts to a data frame with one row for each query: `score_0`, `id_0`, `score_1`, `id_1`, …."""
        scores, identifiers = np.asarray(self.scores), np.asarray(self.identifiers)
        columns: dict[str, Any] = {}
        for rank in range(scores.shape[1]):
            columns[f"score_{rank}"] = scores[:, rank]
            columns[f"id_{rank}"] = identifiers[:, rank]
        return pd.DataFrame(columns)

    @staticmethod
    def output_names(k: int) -> list[str]:
        """Names of the output columns of `batch_predict`: all scores, then all identifiers.

        Args:
            k: Number of candidates.
        """
        return [f"score_{rank}" for rank in range(k)] + [f"id_{rank}" for rank in range(k)]


#: Replaces -inf in scores that go into a loss, where it would give NaN.
_LOWEST_SCORE = -1e30


def relevant_items(targets: tf.Tensor | Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Ids of the relevant items of each query, as a dense tensor.

    Args:
        targets: (B,), (B, 1), (B, P) or lists (B, None); ids below 0 are padding.

    Returns:
        (B, P), int64, padded with -1; each id of a query occurs once.
    """
    if isinstance(targets, tf.RaggedTensor):
        # One more column, as the duplicate check below needs at least one.
        targets = tf.cast(targets, tf.int64).to_tensor(-1)
        targets = tf.pad(targets, [[0, 0], [0, 1]], constant_values=-1)
    targets = tf.cast(targets, tf.int64)
    targets = targets[:, tf.newaxis] if len(targets.shape) == 1 else targets
    targets = tf.sort(tf.maximum(targets, -1), axis=1)
    repeated = tf.concat([tf.zeros_like(targets[:, :1], tf.bool), tf.equal(targets[:, 1:], targets[:, :-1])], 1)
    return tf.where(repeated, tf.constant(-1, tf.int64), targets)


def hits(identifiers: tf.Tensor, targets: tf.Tensor | Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Marks the relevant items among the best candidates.

    Args:
        identifiers: (B, K), ids, padded with -1.
        targets: Ids of the relevant items, see `relevant_items`.

    Returns:
        (B, K), float32, 1 where the candidate is relevant, and the number of relevant items of each query, (B,),
        float32.
    """
    relevant = relevant_items(targets)
    identifiers = tf.cast(identifiers, tf.int64)
    equal = tf.equal(identifiers[:, :, tf.newaxis], relevant[:, tf.newaxis, :])
    is_relevant = tf.logical_and(tf.reduce_any(equal, axis=2), identifiers >= 0)
    return tf.cast(is_relevant, tf.float32), tf.math.count_nonzero(relevant >= 0, axis=1, dtype=tf.float32)


def with_relevance(ranked: TopKPrediction, targets: tf.Tensor | Mapping[str, tf.Tensor]) -> Prediction:
    """Pairs scores (B, K) with targets (B, K) that are 1 where the candidate is relevant."""
    relevance, _ = hits(ranked.identifiers, targets)
    return Prediction(tf.maximum(ranked.scores, _LOWEST_SCORE), relevance)


class TopKLayer(CandidateHolder, abc.ABC):
    """Base class of layers that find, among indexed candidates, the K with the largest inner product with a query.

    A subclass implements `search`. Of equal scores, the candidate indexed first comes first.

    Args:
        k: Number of results, K. Default: 10.
        name: Name of the layer.

    Input shape:
        Queries (B, D). A query with NaN or infinities has no results.

    Output shape:
        `TopKPrediction` of scores (B, K) and identifiers (B, K), padded with -inf and -1.

    Raises:
        ConfigError: when called, if nothing is indexed, there are fewer than K candidates, or their D differs.
    """

    def __init__(self, k: int = 10, name: str | None = None, **kwargs: Unpack[UnnamedBlockArguments]) -> None:
        super().__init__(name=name, **kwargs)
        self.k = checked_positive(f"k of {type(self).__name__}", k)
        # XLA does not support blocks of candidates of different sizes.
        self.supports_jit = False

    def index(self, candidates: ArrayLike, identifiers: ArrayLike | None = None) -> Self:
        """Indexes candidates, replacing the previous ones.

        Args:
            candidates: Vectors, (N, D).
            identifiers: Their ids, (N,), unique integers from 0. Default: the row numbers.

        Returns:
            The layer.

        Raises:
            ConfigError: if they have the wrong shape or type, or NaN.
        """
        self.candidates.assign(candidates, identifiers)
        return self

    def index_from_dataset(self, data: Dataset | pd.DataFrame, check_unique_ids: bool = True) -> Self:
        """Indexes candidates from a `merlin.io.Dataset` or a data frame of vectors that is indexed by their ids.

        Args:
            data: The candidates.
            check_unique_ids: Whether duplicate ids are an error. Default: True. Otherwise the first row of each id
                counts.

        Returns:
            The layer.
        """
        ids, vectors = ids_and_vectors(data, check_unique_ids)
        return self.index(vectors, ids)

    @abc.abstractmethod
    def search(self, queries: tf.Tensor, k: int, excluded: tuple[tf.Tensor, tf.Tensor] | None) -> tuple[Any, Any]:
        """Finds the rows of the best candidates.

        Args:
            queries: (B, D), float32.
            k: Number of results.
            excluded: Candidates to exclude: (M,) indices of queries and (M,) rows. None for none.

        Returns:
            Scores (B, K) and rows (B, K), best first, padded with -inf and -1.
        """

    def call(
        self,
        inputs: tf.Tensor,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        testing: bool | None = None,
        k: int | None = None,
        seen_items: tf.Tensor | tf.RaggedTensor | None = None,
    ) -> Any:
        """Finds the best candidates.

        Args:
            inputs: Queries, (B, D).
            targets: Ids of the relevant items, (B, 1), (B, P) or lists.
            testing: Whether to compare with `targets`.
            k: Number of results. Default: that of the layer.
            seen_items: Ids of the items to exclude, lists (B, None), or dense and padded with -1. Ids that are not in
                the index are ignored. Default: none.

        Returns:
            `TopKPrediction`; with `testing`, a `Prediction` of the scores (B, K) and of targets (B, K), 1 where the
            candidate is relevant.
        """
        k = self.k if k is None else checked_positive(f"k of {self.name}", k)
        self._check(inputs, k)
        excluded = None if seen_items is None else self._rows_of_seen(seen_items)
        scores, rows = self.search(tf.cast(inputs, tf.float32), k, excluded)
        ranked = TopKPrediction(scores, self.candidates.ids_of(rows))
        if not testing:
            return ranked
        if targets is None:
            raise ConfigError(f"{self.name} needs targets in evaluation", expected="ids of the relevant items")
        return with_relevance(ranked, targets)

    def _check(self, queries: Any, k: int) -> None:
        if not self.candidates.filled:
            raise ConfigError(f"{self.name} has no candidates", fix="Call index(candidates, identifiers) first.")
        if k > self.candidates.size:
            raise ConfigError(
                f"{self.name}: k is larger than the number of candidates",
                expected=f"at most {self.candidates.size}",
                got=str(k),
                fix="Choose a smaller k.",
            )
        if len(queries.shape) != 2 or queries.shape[1] not in (None, self.candidates.dim):
            raise ConfigError(
                f"{self.name}: queries must have the dimension of the candidates",
                expected=f"shape (B, {self.candidates.dim})",
                got=str(tuple(queries.shape)),
            )

    def _rows_of_seen(self, seen_items: Any) -> tuple[tf.Tensor, tf.Tensor]:
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
        """The constructor's arguments; the candidates are saved with the weights."""
        return {**super().get_config(), "k": self.k}
