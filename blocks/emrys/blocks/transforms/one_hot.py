"""One-hot and multi-hot vectors of ids, dense or sparse."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def one_hot(ids: tf.Tensor, size: int, sparse: bool, dtype: str) -> tf.Tensor | tf.SparseTensor:
    """Encodes every id as a one-hot vector.

    Args:
        ids: int64 (B,) or (B, L).
        size: Number of ids, N.
        sparse: Whether the result is a `tf.SparseTensor`.
        dtype: Type of the result.

    Returns:
        (B, N) or (B, L, N)
    """
    if not sparse:
        return tf.one_hot(ids, size, dtype=dtype)
    positions = tf.where(tf.ones_like(ids, tf.bool))
    indices = tf.concat([positions, tf.reshape(ids, (-1, 1))], axis=1)
    shape = tf.concat([tf.shape(ids, "int64"), [size]], axis=0)
    return _sparse(indices, tf.ones(tf.size(ids), dtype), shape, (*ids.shape, size))


def multi_hot(
    rows: tf.Tensor, ids: tf.Tensor, weights: tf.Tensor, batch: tf.Tensor, size: int, *, count: bool, sparse: bool
) -> tf.Tensor | tf.SparseTensor:
    """Encodes the ids of each row as one vector.

    Args:
        rows: int64 (n,), the row of every id.
        ids: int64 (n,).
        weights: (n,), weight of every id.
        batch: Number of rows, B.
        size: Number of ids, N.
        count: Whether the weights of equal ids of a row are added; else the component of every id is 1.
        sparse: Whether the result is a `tf.SparseTensor`.

    Returns:
        (B, N), of the type of `weights`.
    """
    batch = tf.cast(batch, "int64")
    if not sparse:
        sums = tf.scatter_nd(tf.stack([rows, ids], axis=1), weights, tf.stack([batch, size]))
        return sums if count else tf.cast(sums > 0, weights.dtype)
    # Sorted by row and id, as sparse tensors must be; equal ids are then adjacent.
    keys = rows * size + ids
    order = tf.argsort(keys, stable=True)
    unique, index = tf.unique(tf.gather(keys, order), out_idx=tf.int64)
    values = tf.math.unsorted_segment_sum(tf.gather(weights, order), index, tf.size(unique))
    indices = tf.stack([unique // size, unique % size], axis=1)
    return _sparse(indices, values if count else tf.ones_like(values), tf.stack([batch, size]), (None, size))


def _sparse(indices: tf.Tensor, values: tf.Tensor, shape: tf.Tensor, static_shape: tuple[Any, ...]) -> tf.SparseTensor:
    tensor = tf.SparseTensor(indices, values, shape)
    tensor.set_shape(static_shape)
    return tensor
