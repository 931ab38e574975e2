"""Class numbers as numbers per class."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.block import Block
from emrys.blocks.core.prediction import Prediction


@keras.saving.register_keras_serializable("emrys")
class ToOneHot(Block):
    """Turns the class numbers that a prediction is compared with into numbers per class, 1 for the right one.

    It is for losses of a user's own that want them so: `CategoricalOutput` takes class numbers as they are, and
    computes with them without a tensor of the size of all scores.

    Input shape:
        A `Prediction` with outputs (B, N) and targets (B,) or (B, 1). What is none is given back.

    Output shape:
        A `Prediction` with targets (B, N), float32

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.ToOneHot()(mm.Prediction(np.zeros((1, 3)), np.array([[2]]))).targets.numpy().tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.built = True  # nothing to build; Keras looks for the shapes of a prediction's missing fields

    def call(self, outputs: Any) -> Any:
        """Changes the targets of a prediction."""
        return self.call_outputs(outputs) if isinstance(outputs, Prediction) else outputs

    def call_outputs(self, outputs: Prediction, training: bool = True, **kwargs: Any) -> Prediction:
        """Changes the targets of a prediction.

        Args:
            outputs: The prediction, with outputs (B, N).
            training: Kept, without effect.
            **kwargs: Kept, without effect.
        """
        numbers = tf.reshape(outputs.targets, (-1,))
        return outputs._replace(targets=tf.one_hot(numbers, tf.shape(outputs.outputs)[-1], dtype=tf.float32))
