"""`RowL2`: L2 regularization of the embeddings of a batch."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.models.fit_data import Data


@keras.saving.register_keras_serializable("emrys")
class RowL2(keras.regularizers.Regularizer):
    """Mean over a batch of the squared length of its vectors: `factor * Σ_b |x_b|² / B`.

    As the `activity_regularizer` of an `EmbeddingTable` it is the usual penalty of matrix factorization, once for each
    time that a row is looked up; unlike a sum it weighs the same whatever the size of the batch, and unlike a penalty
    on the table it costs nothing for rows that the batch does not hold.

    Args:
        factor: Weight in the loss. Default: 0.03.

    Raises:
        ConfigError: if `factor` is below 0.

    Example:
        >>> import numpy as np
        >>> float(RowL2(0.5)(np.array([[3.0, 4.0], [0.0, 1.0]])))  # 0.5 * (25 + 1) / 2
        6.5
    """

    def __init__(self, factor: float = 0.03) -> None:
        if not factor >= 0:  # so that NaN is refused too
            raise ConfigError("RowL2: factor", expected="a number from 0", got=repr(factor))
        self.factor = float(factor)

    def __call__(self, x: Data) -> Any:
        """Returns the penalty of vectors (B, …)."""
        x = tf.cast(x, "float32")
        rows = tf.maximum(tf.cast(tf.shape(x)[0], "float32"), 1.0)
        return self.factor * tf.reduce_sum(tf.square(x)) / rows

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"factor": self.factor}
