"""A queue of rows that the newest push the oldest out of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from emrys.blocks.core.calling import Shape
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError, DataError


@keras.saving.register_keras_serializable("emrys")
class FIFOQueue(keras.layers.Layer):
    """Keeps the last `capacity` rows that were put in, from batch to batch; they are saved with the model.

    Rows are numbered by their place in the storage, which `index_of` gives and `get_values_by_indices` takes; places
    are used again once the queue is full.

    Args:
        capacity: Most rows that are kept.
        dtype: Type of the rows.
        dims: Shape of a row. Default: a scalar.
        queue_name: What the names of its variables begin with. Default: nothing.
        initialize_tensor: What the storage holds before rows come, (capacity, *dims); it counts as empty all the same.
            Default: -1, which is no id.

    Raises:
        ConfigError: if the capacity is below 1, or `initialize_tensor` has another shape.

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
        dtype: Any,
        dims: Sequence[int] = (),
        queue_name: str = "",
        initialize_tensor: Any = None,
        **kwargs: Any,
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
        """Makes the storage, (capacity, *dims), and the two numbers that say where it begins and how full it is."""
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

    def _places(self) -> Any:
        """Places of all rows, oldest first, (count,)."""
        return (self._first.value + tf.range(self._number.value)) % self.capacity

    def enqueue(self, val: Any) -> None:
        """Puts one row in, of shape `dims`."""
        self.enqueue_many(tf.convert_to_tensor(val, self.queue_dtype)[tf.newaxis])

    def enqueue_many(self, vals: Any) -> None:
        """Puts rows in, (M, *dims), in order; of more than `capacity` the last ones.

        Raises:
            ConfigError: if the rows have another shape.
        """
        rows = tf.convert_to_tensor(vals)
        if not rows.shape[1:].is_compatible_with(self.dims) or rows.shape.rank != 1 + len(self.dims):
            raise ConfigError(
                f"{self.name}: rows to put in", expected=f"(M, {', '.join(map(str, self.dims))})", got=str(rows.shape)
            )
        rows = tf.cast(rows, self.queue_dtype)[-self.capacity :]
        number = tf.shape(rows)[0]
        first, before = tf.identity(self._first.value), tf.identity(self._number.value)
        places = (first + before + tf.range(number)) % self.capacity
        self._rows.value.scatter_nd_update(places[:, tf.newaxis], rows)
        pushed_out = tf.maximum(before + number - self.capacity, 0)
        self._first.assign((first + pushed_out) % self.capacity)
        self._number.assign(before + number - pushed_out)

    def dequeue(self) -> Any:
        """Takes the oldest row out, of shape `dims`."""
        return self.dequeue_many(1)[0]

    def dequeue_many(self, n: int) -> Any:
        """Takes the oldest `n` rows out, (n, *dims), oldest first.

        Raises:
            DataError: if there are fewer (`tf.errors.InvalidArgumentError` in a graph).
        """
        number = tf.identity(self._number.value)
        if tf.executing_eagerly() and int(number) < n:
            raise DataError(f"{self.name} holds fewer rows", expected=f"at least {n}", got=str(int(number)))
        text = f"{self.name} holds fewer rows than {n}"
        with tf.control_dependencies([tf.debugging.Assert(number >= n, [text, number])]):
            rows = tf.gather(self._rows.value, self._places()[:n])
        self._first.assign((self._first.value + n) % self.capacity)
        self._number.assign(number - n)
        return rows

    def list_all(self) -> Any:
        """All rows, (count, *dims), oldest first."""
        return tf.gather(self._rows.value, self._places())

    def count(self) -> Any:
        """How many rows there are, a scalar, int32."""
        return tf.identity(self._number.value)

    def at_full_capacity(self) -> Any:
        """Whether the next row pushes one out, a scalar."""
        return tf.equal(self._number.value, self.capacity)

    def clear(self) -> None:
        """Takes all rows out."""
        self._first.assign(0)
        self._number.assign(0)

    def index_of(self, ids: Any) -> Any:
        """Places of the newest rows equal to `ids`, -1 where there is none; for queues of scalars.

        Args:
            ids: (M,)

        Returns:
            (M,), int32.

        Raises:
            ConfigError: if rows are no scalars.
        """
        if self.dims:
            raise ConfigError(f"{self.name}: index_of", expected="a queue of scalars", got=f"rows of shape {self.dims}")
        places = self._places()
        rows = tf.gather(self._rows.value, places)
        same = tf.cast(tf.convert_to_tensor(ids), self.queue_dtype)[:, tf.newaxis] == rows[tf.newaxis]
        # The age counts from 1 for the oldest, so that 0 says that no row is equal.
        newest = tf.reduce_max(tf.where(same, tf.range(1, tf.size(places) + 1), 0), axis=1)
        newest = tf.maximum(newest, 0)  # of no rows at all, the maximum is the lowest number
        return tf.where(newest > 0, tf.gather(tf.concat([[0], places], axis=0), newest), -1)

    def get_values_by_indices(self, indices: Any) -> Any:
        """Rows at the given places, (M, *dims)."""
        return tf.gather(self._rows.value, indices)

    def update_by_indices(self, indices: Any, values: Any) -> None:
        """Replaces the rows at the given places, (M,), by `values`, (M, *dims); their age stays."""
        rows = tf.cast(tf.convert_to_tensor(values), self.queue_dtype)
        self._rows.value.scatter_nd_update(tf.reshape(tf.cast(indices, "int32"), (-1, 1)), rows)

    def call(self, inputs: Any) -> Any:
        """Puts rows in and gives all that are there then."""
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
