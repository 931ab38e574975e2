"""Candidates in TensorFlow variables that can change their size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from emrys.blocks.retrieval.candidates import checked_ids, checked_vectors


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
