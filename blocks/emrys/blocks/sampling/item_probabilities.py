"""The probability of an item to be in a batch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from emrys.blocks.core.calling import Shape
from emrys.blocks.sampling.candidate import ids_as_column


@keras.saving.register_keras_serializable("emrys")
class ItemProbabilities(keras.layers.Layer):
    """Probability of each item to be a positive, known beforehand or counted in training.

    Counted, it is `(n_i + 1) / (n + N)`, for `n_i` of the `n` positives seen so far: an item that was never seen has a
    small probability, not none. Known ones of 0 count as the smallest that is not.

    Args:
        number_of_ids: N, how many ids there can be.
        known: The probabilities, (N,). Default: they are counted.

    Input shape:
        Ids of any shape.

    Output shape:
        That shape, float32.
    """

    def __init__(self, number_of_ids: int, known: Any = None, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.number_of_ids = number_of_ids
        self.known = known
        self.counts: Any = None

    def build(self, input_shape: Shape = None) -> None:
        """Makes the counts, (N,), unless the probabilities are known."""
        if self.known is None:
            self.counts = self.add_weight(
                shape=(self.number_of_ids,),
                initializer="zeros",
                dtype="int64",
                trainable=False,
                autocast=False,
                name="counts",
            )
        self.built = True

    def count(self, ids: Any) -> None:
        """Counts the positives of a batch."""
        if self.counts is not None:
            flat = ids_as_column(ids)
            self.counts.assign(tf.tensor_scatter_nd_add(self.counts.value, flat, tf.ones_like(flat[:, 0])))

    def call(self, ids: Any) -> Any:
        """Gives the probabilities."""
        if self.counts is None:
            known = np.asarray(self.known, "float32")
            return tf.gather(tf.constant(np.maximum(known, known[known > 0].min())), ids)
        counts = tf.cast(tf.gather(self.counts.value, ids), "float32")
        total = tf.cast(tf.reduce_sum(self.counts.value), "float32")
        return (counts + 1.0) / (total + float(self.number_of_ids))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        known = None if self.known is None else np.asarray(self.known).tolist()
        return {**super().get_config(), "number_of_ids": self.number_of_ids, "known": known}
