"""How alike two vectors are."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.aggregation import aggregation_registry
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.l2_normalize import l2_normalize
from emrys.blocks.core.pair_aggregation import PairAggregation


@aggregation_registry.register_with_multiple_names("cosine", "cosine-similarity")
@keras.saving.register_keras_serializable("emrys")
class CosineSimilarity(PairAggregation):
    """Cosine of the angle between two vectors, row by row: `x · y / (‖x‖ ‖y‖)`. A vector of zeros gives 0.

    Input shape:
        Dictionary of two tensors (B, D), or two arguments (B, D).

    Output shape:
        (B, 1)

    Raises:
        ConfigError: when built, if there are not two tensors of one shape.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> batch = {"query": np.array([[3.0, 4.0]]), "item": np.array([[4.0, 3.0]])}
        >>> round(float(mm.CosineSimilarity()(batch)[0, 0]), 6)
        0.96
    """

    def combine_pair(self, left: Any, right: Any) -> Any:
        """Gives the cosines."""
        return tf.reduce_sum(l2_normalize(left) * l2_normalize(right), axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, 1)."""
        return (*super().compute_output_shape(input_shape)[:-1], 1)
