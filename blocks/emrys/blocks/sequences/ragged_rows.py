"""Rows of different lengths, as one run of elements."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def places(sequence: Any) -> Any:
    """The place of every element within its row, from 0: (number of elements,), int64."""
    rows = sequence.value_rowids()
    return tf.range(tf.size(rows, tf.int64)) - tf.gather(tf.cast(sequence.row_starts(), tf.int64), rows)


def of_row(sequence: Any, values: Any) -> Any:
    """A value of each row, (B,), for every element: (number of elements,)."""
    return tf.gather(values, sequence.value_rowids())


def lengths(sequence: Any) -> Any:
    """Length of every row, (B,), int64."""
    return tf.cast(sequence.row_lengths(), tf.int64)


def first_elements(sequence: Any, count: Any) -> Any:
    """The first `count` elements of every row; `count` (B,), int64, no larger than the length."""
    kept = tf.boolean_mask(sequence.values, places(sequence) < of_row(sequence, count))
    return tf.RaggedTensor.from_row_lengths(kept, count, validate=False)


def element_at(sequence: Any, place: Any) -> Any:
    """The element of every row at `place`, (B,), int64: (B, …)."""
    return tf.gather(sequence.values, tf.cast(sequence.row_starts(), tf.int64) + place)


def mask_at(sequence: Any, place: Any) -> Any:
    """(B, None), True at one `place` of each row, (B,), int64; -1 for nowhere."""
    return sequence.with_values(tf.equal(places(sequence), of_row(sequence, place)))


def random_below(limit: Any) -> Any:
    """One number from 0 to `limit` - 1 for every row, all equally likely; `limit` (B,), int64, above 0."""
    drawn = tf.random.uniform(tf.shape(limit), dtype=tf.float64) * tf.cast(limit, tf.float64)
    return tf.minimum(tf.cast(drawn, tf.int64), limit - 1)


def as_rows(dense: Any, lengths: Any) -> Any:
    """The first elements of every row of a dense tensor (B, L, …), as ragged rows."""
    return tf.RaggedTensor.from_tensor(dense, lengths=lengths)


def lengths_without_padding(dense: Any) -> Any:
    """Length of every row of ids, (B, L) or (B, L, 1), up to its last one that is not 0: (B,), int64."""
    ids = tf.reshape(dense, tf.shape(dense)[:2])
    place = tf.range(1, tf.shape(ids, tf.int64)[1] + 1, dtype=tf.int64)
    return tf.reduce_max(tf.where(tf.not_equal(ids, 0), place, tf.zeros((), tf.int64)), axis=1)
