"""Ids as vectors with one place for each id, dense or sparse."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def one_hot(ids: Any, size: int, sparse: bool, dtype: str) -> Any:
    """A vector with a 1 for every id.

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
    places = tf.where(tf.ones_like(ids, tf.bool))
    indices = tf.concat([places, tf.reshape(ids, (-1, 1))], axis=1)
    shape = tf.concat([tf.shape(ids, "int64"), [size]], axis=0)
    return _sparse(indices, tf.ones(tf.size(ids), dtype), shape, (*ids.shape, size))


def multi_hot(rows: Any, ids: Any, weights: Any, batch: Any, size: int, *, count: bool, sparse: bool) -> Any:
    """A vector for each row, with what its ids weigh at their places.

    Args:
        rows: int64 (n,), the row of every id.
        ids: int64 (n,).
        weights: (n,), what an id weighs.
        batch: Number of rows, B.
        size: Number of ids, N.
        count: Whether the weights of equal ids of a row add up; else every id that is there is 1.
        sparse: Whether the result is a `tf.SparseTensor`.

    Returns:
        (B, N), of the type of `weights`.
    """
    batch = tf.cast(batch, "int64")
    if not sparse:
        added = tf.scatter_nd(tf.stack([rows, ids], axis=1), weights, tf.stack([batch, size]))
        return added if count else tf.cast(added > 0, weights.dtype)
    # In order of row and id, as sparse tensors have to be; equal ones are neighbours then.
    keys = rows * size + ids
    order = tf.argsort(keys, stable=True)
    found, place = tf.unique(tf.gather(keys, order), out_idx=tf.int64)
    values = tf.math.unsorted_segment_sum(tf.gather(weights, order), place, tf.size(found))
    indices = tf.stack([found // size, found % size], axis=1)
    return _sparse(indices, values if count else tf.ones_like(values), tf.stack([batch, size]), (None, size))


def _sparse(indices: Any, values: Any, shape: Any, known: tuple[Any, ...]) -> tf.SparseTensor:
    made = tf.SparseTensor(indices, values, shape)
    made.set_shape(known)
    return made
