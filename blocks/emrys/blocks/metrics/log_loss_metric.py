"""Log loss as a metric."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from emrys.blocks.core.calling import check_shape


@keras.saving.register_keras_serializable("emrys")
class LogLossMetric(keras.metrics.Mean):
    """Mean binary cross-entropy over all predictions since the last reset.

    For a target t and a probability p, clipped to [1e-7, 1 - 1e-7]:

        loss = -t * ln(p) - (1 - t) * ln(1 - p)

    Args:
        name: Name of the metric. Default "logloss".
        from_logits: Whether `y_pred` holds logits; otherwise probabilities. Default False.
        dtype: Type of the state and the result. Default None: the default float type of Keras.

    Input shape:
        `y_true` and `y_pred`: (B, 1) or (B,). `sample_weight`, optional: the same, or (B,).

    Output shape:
        A scalar.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.LogLossMetric()
        >>> metric.update_state([[0.0], [1.0]], [[0.5], [0.5]])
        >>> round(float(metric.result()), 4)
        0.6931
    """

    def __init__(
        self, name: str = "logloss", from_logits: bool = False, dtype: str | keras.DTypePolicy | None = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:
        """Adds predictions to the mean.

        Args:
            y_true: (B, 1) or (B,), from 0 to 1.
            y_pred: (B, 1) or (B,).
            sample_weight: (B, 1) or (B,). Default None: each prediction weighs 1.

        Raises:
            ConfigError: if the shapes do not match.
        """
        y_true, y_pred = ops.convert_to_tensor(y_true, self.dtype), ops.convert_to_tensor(y_pred, self.dtype)
        if len(y_true.shape) == len(y_pred.shape) + 1 and y_true.shape[-1] == 1:
            y_true = ops.squeeze(y_true, -1)
        elif len(y_pred.shape) == len(y_true.shape) + 1 and y_pred.shape[-1] == 1:
            y_pred = ops.squeeze(y_pred, -1)
        check_shape(f"y_true of {self.name}", y_true.shape, y_pred.shape)
        super().update_state(ops.binary_crossentropy(y_true, y_pred, from_logits=self.from_logits), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "from_logits": self.from_logits}
