"""Exact top-k search."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.retrieval.top_k_layer import TopKLayer

#: Scores in memory at a time, 32 MiB of float32; divided by the batch size, the size of a block of candidates.
SCORES_AT_ONCE = 2**23
_SMALLEST_BLOCK = 256


def streamed_top_k(
    queries: tf.Tensor,
    candidates: tf.Tensor | tf.Variable,
    k: int,
    excluded: tuple[tf.Tensor, tf.Tensor] | None = None,
    block_rows: int | None = None,
) -> tuple[Any, Any]:
    """Finds the candidates with the largest inner product with each query.

    Scores are computed for one block of candidates at a time, whose best are merged with the best so far. The result
    does not depend on the size of the blocks: of equal scores, that of the smaller row comes first.

    Args:
        queries: (B, D). A query with NaN or infinities has no results.
        candidates: (N, D), finite.
        k: Number of results, K.
        excluded: Candidates to exclude: (M,) indices of queries and (M,) rows. Default: none.
        block_rows: Rows of a block. Default: `SCORES_AT_ONCE` divided by the number of queries.

    Returns:
        Scores (B, K), float32, and rows (B, K), int32, best first, padded with -inf and -1.
    """
    queries = tf.cast(queries, tf.float32)
    candidates = tf.convert_to_tensor(candidates)
    count, size = tf.shape(queries)[0], tf.shape(candidates)[0]
    finite = tf.reduce_all(tf.math.is_finite(queries), axis=1, keepdims=True)
    queries = tf.where(finite, queries, tf.zeros_like(queries))
    block = tf.maximum(SCORES_AT_ONCE // tf.maximum(count, 1), _SMALLEST_BLOCK) if block_rows is None else block_rows

    def merge(start: Any, scores: tf.Tensor, rows: Any) -> tuple[Any, Any, Any]:
        stop = tf.minimum(start + block, size)
        in_block = tf.matmul(queries, candidates[start:stop], transpose_b=True)
        if excluded is not None:
            in_block = _mask_excluded(in_block, start, stop, excluded)
        best, columns = tf.math.top_k(in_block, tf.minimum(k, stop - start))
        # `top_k` is stable, and the rows of earlier blocks come before those of this one.
        all_scores, all_rows = tf.concat([scores, best], 1), tf.concat([rows, columns + start], 1)
        scores, order = tf.math.top_k(all_scores, k)
        return stop, scores, tf.gather(all_rows, order, batch_dims=1)

    empty = tf.fill((count, k), float("-inf")), tf.fill((count, k), -1)
    _, scores, rows = tf.while_loop(
        lambda start, *_: start < size,
        merge,
        (tf.constant(0), *empty),
        shape_invariants=(tf.TensorShape(()), tf.TensorShape((None, k)), tf.TensorShape((None, k))),
        parallel_iterations=1,
    )
    scores = tf.where(finite, scores, empty[0])
    rows = tf.where(tf.math.is_inf(scores), empty[1], rows)
    return tf.ensure_shape(scores, (queries.shape[0], k)), tf.ensure_shape(rows, (queries.shape[0], k))


def _mask_excluded(scores: Any, start: Any, stop: Any, excluded: tuple[tf.Tensor, tf.Tensor]) -> Any:
    """Sets the scores of excluded candidates to -inf, in the block of rows from `start` up to `stop`."""
    queries, rows = (tf.cast(each, tf.int32) for each in excluded)
    in_block = tf.logical_and(rows >= start, rows < stop)
    indices = tf.stack([tf.boolean_mask(queries, in_block), tf.boolean_mask(rows, in_block) - start], axis=1)
    return tf.tensor_scatter_nd_update(scores, indices, tf.fill((tf.shape(indices)[0],), float("-inf")))


@keras.saving.register_keras_serializable("emrys")
class BruteForce(TopKLayer):
    """Exact search for the candidates with the largest inner products: the K largest of `q Eᵀ`.

    Candidates are processed in blocks, so that memory does not grow with B times N. Of equal scores, the candidate
    indexed first comes first. The layer works in a graph and in a SavedModel.

    Args:
        k: Number of results, K. Default: 10.
        name: Name of the layer.

    Input shape:
        Queries (B, D). A query with NaN or infinities has no results.

    Output shape:
        `TopKPrediction` of scores (B, K), float32, and identifiers (B, K), padded with -inf and -1.

    Raises:
        ConfigError: when called, if nothing is indexed, there are fewer than K candidates, or their D differs.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> layer = mm.BruteForce(k=2).index(np.array([[1.0], [3.0], [2.0]]), np.array([10, 20, 30]))
        >>> layer(np.ones((1, 1), "float32")).identifiers.numpy().tolist()
        [[20, 30]]
    """

    def search(self, queries: tf.Tensor, k: int, excluded: tuple[tf.Tensor, tf.Tensor] | None) -> tuple[Any, Any]:
        """Searches all candidates."""
        return streamed_top_k(queries, self.candidates.values, k, excluded)
