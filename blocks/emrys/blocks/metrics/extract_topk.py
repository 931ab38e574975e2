"""The results with the highest scores, with their labels."""

from __future__ import annotations

import tensorflow as tf


def extract_topk(
    k: int,
    predictions: tf.Tensor,
    labels: tf.Tensor,
    shuffle_ties: bool = False,
    shuffle_ties_epsilon: float = 1e-6,
    seed: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the k highest scores of each row, their labels, and the sums of all labels.

    Args:
        k: Number of results, at most N; a larger one counts as N.
        predictions: (B, N), scores.
        labels: (B, N)
        shuffle_ties: Whether equal scores come in random order. Default: False, the first one first.
        shuffle_ties_epsilon: Bound of the random numbers that are then added to the scores. Default: 1e-6.
        seed: Seed of these numbers. Default: random.

    Returns:
        The scores (B, K), best first, their labels (B, K), and the number of relevant items of each row (B,), which a
        metric with `pre_sorted=True` takes as `label_relevant_counts`.

    Example:
        >>> scores, labels, counts = extract_topk(2, [[0.1, 0.3, 0.2]], [[1, 0, 1]])
        >>> labels.numpy().tolist(), counts.numpy().tolist()
        ([[0, 1]], [2])
    """
    predictions, labels = tf.convert_to_tensor(predictions), tf.convert_to_tensor(labels)
    if shuffle_ties:
        noise = tf.random.uniform(
            tf.shape(predictions), maxval=shuffle_ties_epsilon, dtype=predictions.dtype, seed=seed
        )
        predictions += noise
    scores, positions = tf.math.top_k(predictions, tf.minimum(k, tf.shape(predictions)[-1]))
    return scores, tf.gather(labels, positions, batch_dims=1), tf.reduce_sum(labels, axis=-1)
