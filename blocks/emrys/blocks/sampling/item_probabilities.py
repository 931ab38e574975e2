"""Sampling probabilities of items, from frequencies or counted in training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from emrys.blocks.core.calling import Shape
from emrys.blocks.errors import ConfigError
from emrys.blocks.sampling.candidate_sampler import ids_as_column


@keras.saving.register_keras_serializable("emrys")
class ItemProbabilities(keras.layers.Layer):
    """Probability of each item to be a positive, known in advance or counted in training.

    The counted estimate is `(n_i + 1) / (n + N)`, for `n_i` of the `n` positives seen so far, so that unseen items have
    a small probability. Known probabilities of 0 are raised to the smallest positive one.

    Args:
        number_of_ids: Number N of possible ids.
        known: The probabilities, (N,). Default: counted.

    Input shape:
        Ids of any shape.

    Output shape:
        That shape, float32.
    """

    def __init__(self, number_of_ids: int, known: ArrayLike | None = None, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.number_of_ids = number_of_ids
        self.known = known
        self.counts: Any = None

    def build(self, input_shape: Shape = None) -> None:
        """Creates the counts, (N,), unless the probabilities are known."""
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

    def count(self, ids: tf.Tensor) -> None:
        """Counts the positives of a batch."""
        if self.counts is not None:
            flat = ids_as_column(ids)
            self.counts.assign(tf.tensor_scatter_nd_add(self.counts.value, flat, tf.ones_like(flat[:, 0], "int64")))

    def call(self, ids: tf.Tensor) -> Any:
        """Returns the probabilities."""
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


def as_probabilities(frequencies: ArrayLike, is_prob_distribution: bool, owner: str, number: int | None = None) -> Any:
    """Checks frequencies, and normalizes them to probabilities.

    Args:
        frequencies: (N,), by id: counts, or probabilities with sum 1.
        is_prob_distribution: Whether they are probabilities.
        owner: Name of the layer, for error messages.
        number: N, if it is known.

    Returns:
        (N,), float32.

    Raises:
        ConfigError: if they are not frequencies, not a distribution where one is expected, or not `number`.
    """
    if keras.ops.is_tensor(frequencies):
        frequencies = keras.ops.convert_to_numpy(frequencies)
    values = np.asarray(frequencies)
    what = f"{owner}: item_freq_probs"
    if values.ndim != 1 or not len(values) or values.dtype.kind not in "iuf":
        raise ConfigError(what, expected="numbers (N,), one for each id", got=f"{values.dtype} {values.shape}")
    if number is not None and len(values) != number:
        raise ConfigError(what, expected=f"{number} numbers, one for each id", got=str(len(values)))
    if not np.isfinite(values).all() or values.min() < 0 or not values.any():
        raise ConfigError(what, expected="finite numbers from 0, not all 0", got=f"{values.min()} to {values.max()}")
    total = values.sum(dtype="float64")
    if is_prob_distribution and abs(total - 1.0) > 1e-4:
        raise ConfigError(what, expected="probabilities with sum 1", got=f"sum {total:g}")
    return (values if is_prob_distribution else values / total).astype("float32")
