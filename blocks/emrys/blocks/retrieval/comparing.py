"""Which of the best candidates are right."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from emrys.blocks.core.prediction import Prediction
from emrys.blocks.retrieval.top_k_prediction import TopKPrediction

#: What stands for -inf in a loss, where it would give NaN.
_LOWEST = -1e30


def right_items(targets: Any) -> Any:
    """Ids of the right items of each query as a dense tensor (B, P), int64.

    Args:
        targets: (B,), (B, 1), (B, P) or lists (B, None); ids below 0 pad.

    Returns:
        (B, P), with -1 where there is none; each id of a query once.
    """
    if isinstance(targets, tf.RaggedTensor):
        # Ids are counted once, so that a list of none needs one column all the same.
        targets = tf.cast(targets, tf.int64).to_tensor(-1)
        targets = tf.pad(targets, [[0, 0], [0, 1]], constant_values=-1)
    targets = tf.cast(targets, tf.int64)
    targets = targets[:, tf.newaxis] if len(targets.shape) == 1 else targets
    targets = tf.sort(tf.maximum(targets, -1), axis=1)
    again = tf.concat([tf.zeros_like(targets[:, :1], tf.bool), tf.equal(targets[:, 1:], targets[:, :-1])], 1)
    return tf.where(again, tf.constant(-1, tf.int64), targets)


def hits(identifiers: Any, targets: Any) -> tuple[Any, Any]:
    """Marks the right ones among the best candidates.

    Args:
        identifiers: (B, K), ids, -1 for none.
        targets: Ids of the right items, see `right_items`.

    Returns:
        (B, K), float32, 1 where the candidate is right, and the number of right items of each query, (B,), float32.
    """
    right = right_items(targets)
    identifiers = tf.cast(identifiers, tf.int64)
    same = tf.equal(identifiers[:, :, tf.newaxis], right[:, tf.newaxis, :])
    found = tf.logical_and(tf.reduce_any(same, axis=2), identifiers >= 0)
    return tf.cast(found, tf.float32), tf.math.count_nonzero(right >= 0, axis=1, dtype=tf.float32)


def compared(ranked: TopKPrediction, targets: Any) -> Prediction:
    """Scores (B, K) beside targets (B, K) that are 1 where the candidate is right."""
    found, _ = hits(ranked.identifiers, targets)
    return Prediction(tf.maximum(ranked.scores, _LOWEST), found)
