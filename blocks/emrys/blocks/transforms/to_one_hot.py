"""Class targets to one-hot targets."""

from __future__ import annotations

from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block, BlockArguments, block_registry
from emrys.blocks.core.prediction import Prediction


@block_registry.register("label_to_onehot")
@keras.saving.register_keras_serializable("emrys")
class ToOneHot(Block):
    """Converts the class targets of a prediction to one-hot vectors.

    It is for custom losses that need one-hot targets: `CategoricalOutput` takes class ids, and needs no tensor of the
    size of the scores for them.

    Input shape:
        A `Prediction` with outputs (B, N) and targets (B,) or (B, 1). Anything else is returned unchanged.

    Output shape:
        A `Prediction` with targets (B, N), float32

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ToOneHot()(mm.Prediction(np.zeros((1, 3)), np.array([[2]]))).targets.numpy().tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(self, **kwargs: Unpack[BlockArguments]) -> None:
        super().__init__(**kwargs)
        self.built = True  # nothing to build; Keras would look for the shapes of a prediction's missing fields

    def call(self, outputs: Any) -> Any:
        """Converts the targets of a prediction."""
        return self.call_outputs(outputs) if isinstance(outputs, Prediction) else outputs

    def call_outputs(self, outputs: Prediction, training: bool = True, **kwargs: object) -> Prediction:
        """Converts the targets of a prediction.

        Args:
            outputs: The prediction, with outputs (B, N).
            training: Ignored.
            **kwargs: Ignored.
        """
        numbers = tf.reshape(outputs.targets, (-1,))
        return outputs._replace(targets=tf.one_hot(numbers, tf.shape(outputs.outputs)[-1], dtype=tf.float32))
