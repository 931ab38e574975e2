"""The best candidates, exactly."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.retrieval.streaming import streamed_top_k
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
