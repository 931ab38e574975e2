"""A bounded first-in-first-out queue of rows, as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from emrys.blocks.core.calling import Shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError


@keras.saving.register_keras_serializable("emrys")
class FIFOQueue(keras.layers.Layer):
    """Keeps the last `capacity` enqueued rows across batches; they are saved with the model.

    `index_of` returns, and `get_values_by_indices` accepts, indices into the storage, which are reused once the queue
    is full.

    Args:
        capacity: Maximum number of rows.
        dtype: Type of the rows.
        dims: Shape of a row. Default: a scalar.
        queue_name: Prefix of the variable names. Default: none.
        initialize_tensor: Initial content of the storage, (capacity, *dims); the queue counts as empty all the same.
            Default: -1, which is not an id.

    Raises:
        ConfigError: if the capacity is below 1, or the shape of `initialize_tensor` differs.

    Example:
        >>> import emrys.blocks as mm
        >>> queue = mm.FIFOQueue(3, "int64")
        >>> queue.enqueue_many([1, 2, 3, 4])
        >>> queue.list_all().numpy().tolist()
        [2, 3, 4]
    """

    def __init__(
        self,
        capacity: int,
        dtype: str | keras.DTypePolicy,
        dims: Sequence[int] = (),
        queue_name: str = "",
        initialize_tensor: ArrayLike | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if capacity < 1:
            raise ConfigError("FIFOQueue: capacity", expected="a number from 1", got=str(capacity))
        self.capacity = capacity
        self.queue_dtype = tf.as_dtype(dtype).name
        self.dims = tuple(int(size) for size in dims)
        self.queue_name = queue_name
        self.initialize_tensor = None if initialize_tensor is None else np.asarray(initialize_tensor)
        if self.initialize_tensor is not None and self.initialize_tensor.shape != (capacity, *self.dims):
            raise ConfigError(
                "FIFOQueue: initialize_tensor",
                expected=f"shape {(capacity, *self.dims)}",
                got=str(self.initialize_tensor.shape),
            )
        self.supports_jit = False
        self.build()

    def build(self, input_shape: Shape = None) -> None:
        """Creates the storage, (capacity, *dims), the index of the oldest row, and the number of rows."""
        if getattr(self, "_rows", None) is not None:
            return
        prefix = f"{self.queue_name}_" if self.queue_name else ""
        options = {"trainable": False, "autocast": False}
        self._rows = self.add_weight(
            shape=(self.capacity, *self.dims),
            dtype=self.queue_dtype,
            initializer=keras.initializers.Constant(-1),
            name=f"{prefix}rows",
            **options,
        )
        self._first = self.add_weight(shape=(), dtype="int32", initializer="zeros", name=f"{prefix}first", **options)
        self._number = self.add_weight(shape=(), dtype="int32", initializer="zeros", name=f"{prefix}number", **options)
        if self.initialize_tensor is not None:
            self._rows.assign(self.initialize_tensor)
        self.built = True

    def _indices(self) -> Any:
        """Storage indices of all rows, oldest first, (count,)."""
        return (self._first.value + tf.range(self._number.value)) % self.capacity

    def enqueue(self, val: tf.Tensor) -> None:
        """Adds one row, of shape `dims`."""
        self.enqueue_many(tf.convert_to_tensor(val, self.queue_dtype)[tf.newaxis])

    def enqueue_many(self, vals: tf.Tensor) -> None:
        """Adds rows, (M, *dims), in order; of more than `capacity`, the last ones.

        Raises:
            ConfigError: if the shape of the rows differs.
        """
        rows = tf.convert_to_tensor(vals)
        if not rows.shape[1:].is_compatible_with(self.dims) or rows.shape.rank != 1 + len(self.dims):
            raise ConfigError(
                f"{self.name}: shape of the rows",
                expected=f"(M, {', '.join(map(str, self.dims))})",
                got=str(rows.shape),
            )
        rows = tf.cast(rows, self.queue_dtype)[-self.capacity :]
        number = tf.shape(rows)[0]
        first, before = tf.identity(self._first.value), tf.identity(self._number.value)
        indices = (first + before + tf.range(number)) % self.capacity
        self._rows.value.scatter_nd_update(indices[:, tf.newaxis], rows)
        dropped = tf.maximum(before + number - self.capacity, 0)
        self._first.assign((first + dropped) % self.capacity)
        self._number.assign(before + number - dropped)

    def dequeue(self) -> Any:
        """Removes and returns the oldest row, of shape `dims`.

        Raises:
            IndexError: if there is none (`tf.errors.InvalidArgumentError` in a graph).
        """
        return self.dequeue_many(1)[0]

    def dequeue_many(self, n: int) -> Any:
        """Removes and returns the oldest `n` rows, (n, *dims), oldest first; all rows if there are fewer.

        Raises:
            ConfigError: if `n` is below 1.
            IndexError: if there is no row (`tf.errors.InvalidArgumentError` in a graph).
        """
        if n < 1:
            raise ConfigError(f"{self.name}: rows to dequeue", expected="a number from 1", got=str(n))
        number = tf.identity(self._number.value)
        if tf.executing_eagerly() and int(number) == 0:
            raise IndexError(f"{self.name} is empty")
        taken = tf.minimum(number, n)
        with tf.control_dependencies([tf.debugging.Assert(number > 0, [f"{self.name} is empty"])]):
            rows = tf.gather(self._rows.value, self._indices()[:taken])
        self._first.assign((self._first.value + taken) % self.capacity)
        self._number.assign(number - taken)
        return rows

    def list_all(self) -> Any:
        """All rows, (count, *dims), oldest first."""
        return tf.gather(self._rows.value, self._indices())

    def count(self) -> Any:
        """Number of rows, a scalar, int32."""
        return tf.identity(self._number.value)

    @property
    def at_full_capacity(self) -> Any:
        """Whether the queue is full, a scalar."""
        return tf.equal(self._number.value, self.capacity)

    def clear(self) -> None:
        """Removes all rows."""
        self._first.assign(0)
        self._number.assign(0)

    def index_of(self, ids: tf.Tensor) -> Any:
        """Storage indices of the newest rows equal to `ids`, -1 if there is none; for queues of scalars.

        Args:
            ids: (M,)

        Returns:
            (M,), int32.

        Raises:
            ConfigError: if rows are not scalars.
        """
        if self.dims:
            raise ConfigError(f"{self.name}: index_of", expected="a queue of scalars", got=f"rows of shape {self.dims}")
        indices = self._indices()
        rows = tf.gather(self._rows.value, indices)
        equal = tf.cast(tf.convert_to_tensor(ids), self.queue_dtype)[:, tf.newaxis] == rows[tf.newaxis]
        # Positions count from 1 for the oldest row; 0 means that no row is equal.
        newest = tf.reduce_max(tf.where(equal, tf.range(1, tf.size(indices) + 1), 0), axis=1)
        newest = tf.maximum(newest, 0)  # without rows, the maximum is the smallest int32
        return tf.where(newest > 0, tf.gather(tf.concat([[0], indices], axis=0), newest), -1)

    def get_values_by_indices(self, indices: tf.Tensor) -> Any:
        """Rows at storage indices, (M, *dims)."""
        return tf.gather(self._rows.value, indices)

    def update_by_indices(self, indices: tf.Tensor, values: tf.Tensor) -> None:
        """Replaces the rows at storage indices (M,) by `values`, (M, *dims), without changing their order."""
        rows = tf.cast(tf.convert_to_tensor(values), self.queue_dtype)
        self._rows.value.scatter_nd_update(tf.reshape(tf.cast(indices, "int32"), (-1, 1)), rows)

    def call(self, inputs: tf.Tensor) -> Any:
        """Adds rows and returns all rows."""
        self.enqueue_many(inputs)
        return self.list_all()

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(count, *dims)."""
        return (None, *self.dims)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        start = self.initialize_tensor
        return {
            **super().get_config(),
            "capacity": self.capacity,
            "dtype": self.queue_dtype,
            "dims": to_config(self.dims),
            "queue_name": self.queue_name,
            "initialize_tensor": None if start is None else start.tolist(),
        }
