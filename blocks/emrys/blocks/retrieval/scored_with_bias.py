"""Item biases folded into inner products, for top-k search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class ScoredWithBias(Block):
    """Appends a 1 to each query, so that `q · c + b` is the inner product with candidates that end with their bias.

    With it, every top-k layer also serves outputs with a bias.

    Input shape:
        (B, D)

    Output shape:
        (B, D + 1), float32

    Example:
        >>> import numpy as np
        >>> ScoredWithBias()(np.array([[5.0, 6.0]])).numpy().tolist()
        [[5.0, 6.0, 1.0]]
    """

    def call(self, inputs: tf.Tensor) -> Any:
        """Appends the 1."""
        queries = tf.cast(inputs, tf.float32)
        return tf.concat([queries, tf.ones_like(queries[:, :1])], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D + 1)."""
        rows, size = as_shape(input_shape)
        return (rows, None if size is None else size + 1)


def with_bias(vectors: Dataset, bias: NDArray[np.float32]) -> Dataset:
    """Appends the bias of each candidate to its vector, as one more column.

    Args:
        vectors: Columns `"0"` to `"D - 1"`, indexed by the candidates' ids.
        bias: Bias of each id, (N,).
    """
    from merlin.io import Dataset  # imports Dask, which is optional

    frame = vectors.to_ddf().compute(scheduler="synchronous")
    return Dataset(frame.assign(**{str(frame.shape[1]): bias[frame.index.to_numpy()]}))
