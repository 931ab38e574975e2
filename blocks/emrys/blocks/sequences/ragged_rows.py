"""Operations on the rows of ragged tensors."""

from __future__ import annotations

import tensorflow as tf


def positions(sequence: tf.RaggedTensor) -> tf.Tensor:
    """Position of every element in its row, from 0: (number of elements,), int64."""
    rows = sequence.value_rowids()
    return tf.range(tf.size(rows, tf.int64)) - tf.gather(tf.cast(sequence.row_starts(), tf.int64), rows)


def of_row(sequence: tf.RaggedTensor, values: tf.Tensor) -> tf.Tensor:
    """Repeats a value of each row, (B,), for every element: (number of elements,)."""
    return tf.gather(values, sequence.value_rowids())


def lengths(sequence: tf.RaggedTensor) -> tf.Tensor:
    """Length of every row, (B,), int64."""
    return tf.cast(sequence.row_lengths(), tf.int64)


def first_elements(sequence: tf.RaggedTensor, count: tf.Tensor) -> tf.RaggedTensor:
    """The first `count` elements of every row; `count` (B,), int64, at most the length."""
    elements = tf.boolean_mask(sequence.values, positions(sequence) < of_row(sequence, count))
    return tf.RaggedTensor.from_row_lengths(elements, count, validate=False)


def last_elements(sequence: tf.RaggedTensor, count: tf.Tensor) -> tf.RaggedTensor:
    """The last `count` elements of every row; `count` (B,), int64, at most the length."""
    first = lengths(sequence) - count
    elements = tf.boolean_mask(sequence.values, positions(sequence) >= of_row(sequence, first))
    return tf.RaggedTensor.from_row_lengths(elements, count, validate=False)


def element_at(sequence: tf.RaggedTensor, position: tf.Tensor) -> tf.Tensor:
    """The element of every row at `position`, (B,), int64: (B, …)."""
    return tf.gather(sequence.values, tf.cast(sequence.row_starts(), tf.int64) + position)


def mask_at(sequence: tf.RaggedTensor, position: tf.Tensor) -> tf.RaggedTensor:
    """A mask (B, None), True at one `position` of each row, (B,), int64; -1 for none."""
    return sequence.with_values(tf.equal(positions(sequence), of_row(sequence, position)))


def random_below(limit: tf.Tensor) -> tf.Tensor:
    """Uniform random integers from 0 to `limit` - 1, one per row; `limit` (B,), int64, above 0."""
    sample = tf.random.uniform(tf.shape(limit), dtype=tf.float64) * tf.cast(limit, tf.float64)
    return tf.minimum(tf.cast(sample, tf.int64), limit - 1)


def as_rows(dense: tf.Tensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    """A dense tensor (B, L, …) as ragged rows of the first `lengths` elements."""
    return tf.RaggedTensor.from_tensor(dense, lengths=lengths)


def lengths_without_padding(dense: tf.Tensor) -> tf.Tensor:
    """Length of every row of ids, (B, L) or (B, L, 1), without trailing zeros: (B,), int64."""
    ids = tf.reshape(dense, tf.shape(dense)[:2])
    position = tf.range(1, tf.shape(ids, tf.int64)[1] + 1, dtype=tf.int64)
    return tf.reduce_max(tf.where(tf.not_equal(ids, 0), position, tf.zeros((), tf.int64)), axis=1)
