"""Candidates in TensorFlow variables that can change their size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from emrys.blocks.core.block import Block
from emrys.blocks.errors import ConfigError


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
