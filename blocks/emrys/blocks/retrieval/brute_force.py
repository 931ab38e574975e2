"""The best candidates, exactly."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.retrieval.top_k_layer import TopKLayer


@keras.saving.register_keras_serializable("emrys")
class BruteForce(TopKLayer):
    """Compares each query with every candidate: `q Eᵀ`, of which the K largest.

    Candidates are compared in blocks, so that memory is bounded by a block and not by B times N. Among equal scores,
    the candidate that was indexed first comes first. It runs in a graph and in a SavedModel.

    Args:
        k: Number of results, K. Default: 10.
        name: Name of the layer.

    Input shape:
        Queries (B, D). A query with NaN or infinities gets no candidate.

    Output shape:
        `TopKPrediction` of scores (B, K), float32, and identifiers (B, K); -inf and -1 where there are not K.

    Raises:
        ConfigError: when called, if nothing is indexed, there are fewer than K candidates, or D is another.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> layer = mm.BruteForce(k=2).index(np.array([[1.0], [3.0], [2.0]]), np.array([10, 20, 30]))
        >>> layer(np.ones((1, 1), "float32")).identifiers.numpy().tolist()
        [[20, 30]]
    """

    def search(self, queries: Any, k: int, left_out: tuple[Any, Any] | None) -> tuple[Any, Any]:
        """Finds the rows of the best candidates."""
        return streamed_top_k(queries, self.candidates.values, k, left_out)


#: Scores that are held at once, 32 MiB of float32: the size of a block of candidates is this over the batch size.
SCORES_AT_ONCE = 2**23
_SMALLEST_BLOCK = 256


def streamed_top_k(
    queries: Any, candidates: Any, k: int, left_out: tuple[Any, Any] | None = None, block_rows: int | None = None
) -> tuple[Any, Any]:
    """Finds the candidates with the largest inner product with each query.

    Candidates are compared block by block, and the best so far are merged with the best of a block: no more scores are
    held than those of a block. The result does not depend on the size of the blocks: among equal scores the candidate
    of the smaller row comes first.

    Args:
        queries: (B, D). A query with NaN or infinities gets no candidate.
        candidates: (N, D), finite.
        k: Number of results, K.
        left_out: Candidates to leave out: (M,) numbers of queries and (M,) rows. Default: none.
        block_rows: Rows of a block. Default: `SCORES_AT_ONCE` over the number of queries.

    Returns:
        Scores (B, K), float32, and rows (B, K), int32, best first; -inf and -1 where there are not K.
    """
    queries = tf.cast(queries, tf.float32)
    candidates = tf.convert_to_tensor(candidates)
    count, size = tf.shape(queries)[0], tf.shape(candidates)[0]
    usable = tf.reduce_all(tf.math.is_finite(queries), axis=1, keepdims=True)
    queries = tf.where(usable, queries, tf.zeros_like(queries))
    block = tf.maximum(SCORES_AT_ONCE // tf.maximum(count, 1), _SMALLEST_BLOCK) if block_rows is None else block_rows

    def merge(start: Any, scores: Any, rows: Any) -> tuple[Any, Any, Any]:
        stop = tf.minimum(start + block, size)
        found = tf.matmul(queries, candidates[start:stop], transpose_b=True)
        if left_out is not None:
            found = _without(found, start, stop, left_out)
        found, places = tf.math.top_k(found, tf.minimum(k, stop - start))
        # `top_k` puts the first of equals first, and all earlier candidates stand before those of this block.
        together, numbers = tf.concat([scores, found], 1), tf.concat([rows, places + start], 1)
        scores, order = tf.math.top_k(together, k)
        return stop, scores, tf.gather(numbers, order, batch_dims=1)

    none = tf.fill((count, k), float("-inf")), tf.fill((count, k), -1)
    _, scores, rows = tf.while_loop(
        lambda start, *_: start < size,
        merge,
        (tf.constant(0), *none),
        shape_invariants=(tf.TensorShape(()), tf.TensorShape((None, k)), tf.TensorShape((None, k))),
        parallel_iterations=1,
    )
    scores = tf.where(usable, scores, none[0])
    rows = tf.where(tf.math.is_inf(scores), none[1], rows)
    return tf.ensure_shape(scores, (queries.shape[0], k)), tf.ensure_shape(rows, (queries.shape[0], k))


def _without(scores: Any, start: Any, stop: Any, left_out: tuple[Any, Any]) -> Any:
    """The scores of the rows from `start` to before `stop`, with -inf where a candidate is left out."""
    numbers, rows = (tf.cast(each, tf.int32) for each in left_out)
    here = tf.logical_and(rows >= start, rows < stop)
    places = tf.stack([tf.boolean_mask(numbers, here), tf.boolean_mask(rows, here) - start], axis=1)
    return tf.tensor_scatter_nd_update(scores, places, tf.fill((tf.shape(places)[0],), float("-inf")))
