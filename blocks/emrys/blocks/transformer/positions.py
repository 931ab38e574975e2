"""Sequences as dense tensors, with what is padding and where each element is."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def padded(sequence: Any, mask: Any = None) -> tuple[Any, Any]:
    """Dense vectors of a sequence, and where there are any.

    Args:
        sequence: (B, L, D), dense or ragged.
        mask: For a dense one, (B, L), True where there is an element. Default: everywhere.

    Returns:
        (B, L, D), padded with 0 on the right, and (B, L), bool.
    """
    if isinstance(sequence, tf.RaggedTensor):
        dense = sequence.to_tensor()
        dense.set_shape((*dense.shape[:2], sequence.shape[-1]))
        return dense, tf.sequence_mask(sequence.row_lengths(), tf.shape(dense)[1])
    if mask is None:
        return sequence, tf.ones(tf.shape(sequence)[:2], "bool")
    return sequence, tf.cast(mask, "bool")


def with_one_more(vectors: Any, valid: Any, is_element: bool) -> tuple[Any, Any]:
    """Both with one more position at the end, of zeros; whether it is an element."""
    more = tf.fill((tf.shape(valid)[0], 1), is_element)
    return tf.pad(vectors, [[0, 0], [0, 1], [0, 0]]), tf.concat([valid, more], axis=1)


def numbers(valid: Any) -> Any:
    """The number of every element among those of its row, from 0; (B, L), int32."""
    return tf.maximum(tf.cumsum(tf.cast(valid, "int32"), axis=1) - 1, 0)


def last_element(vectors: Any, valid: Any) -> Any:
    """The vector of the last element of every row, (B, D); zeros where there is none. L has to be above 0."""
    back = tf.argmax(tf.cast(tf.reverse(valid, [1]), "int32"), axis=1, output_type="int32")
    found = tf.gather(vectors, tf.shape(valid)[1] - 1 - back, batch_dims=1)
    return tf.where(tf.reduce_any(valid, axis=1, keepdims=True), found, tf.zeros_like(found))
