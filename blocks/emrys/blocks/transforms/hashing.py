"""The hash behind crossed features.

It is that of `tf.sparse.cross_hashed` with its default key, spelled out: that operation neither runs on a GPU nor
compiles with XLA.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

_START = np.uint64(0xDECAFCAFFE)
_FACTOR = np.uint64(0xC6A4A7935BD1E995)
_SHIFT = np.uint64(47)


def hashed_bins(values: list[Any], num_bins: int) -> Any:
    """The bin of each combination.

    Args:
        values: One tensor a column, all of one shape, in the order in which they are hashed: integers, or strings,
            which go in by their 64-bit FarmHash fingerprint.
        num_bins: Number of bins.

    Returns:
        int64, of the same shape, from 0 to `num_bins` - 1.
    """
    factor = tf.constant(_FACTOR)
    state = tf.fill(tf.shape(values[0]), tf.constant(_START))
    for value in values:
        mixed = _folded(_unsigned(value) * factor) * factor
        state = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(state, factor), mixed)
        state = _folded(_folded(state * factor) * factor)
    return _modulo(state, num_bins)


def _folded(numbers: Any) -> Any:
    return tf.bitwise.bitwise_xor(numbers, tf.bitwise.right_shift(numbers, tf.constant(_SHIFT)))


def _modulo(numbers: Any, divisor: int) -> Any:
    # Not every device divides unsigned numbers: the upper 63 bits and the last one by themselves.
    upper = tf.cast(tf.bitwise.right_shift(numbers, tf.constant(1, tf.uint64)), "int64")
    last = tf.cast(tf.bitwise.bitwise_and(numbers, tf.constant(1, tf.uint64)), "int64")
    return ((upper % divisor) * 2 + last) % divisor


def _unsigned(values: Any) -> Any:
    if values.dtype != tf.string:
        return tf.bitcast(tf.cast(values, "int64"), tf.uint64)
    prints = tf.fingerprint(tf.reshape(values, (-1,)))
    return tf.reshape(tf.bitcast(prints, tf.uint64), tf.shape(values))
