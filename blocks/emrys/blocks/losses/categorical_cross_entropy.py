"""CategoricalCrossEntropy."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.calling import check_shape
from emrys.blocks.losses.base import keras_reduction


@keras.saving.register_keras_serializable("emrys")
class CategoricalCrossEntropy(keras.losses.CategoricalCrossentropy):
    """Cross-entropy of scores over classes, with the target as numbers per class; logits by default.

    For targets t and logits s of a row:

        loss = -sum(t * log(softmax(s)))

    Targets are not normalised: in a row with several positives each adds its own log-probability.

    Args:
        from_logits: Whether `y_pred` holds logits; otherwise probabilities. Default True.
        label_smoothing: Share of the target, from 0 to 1, that is spread over all classes. Default 0.0.
        axis: Axis of the classes. Default -1.
        reduction: "auto" (the mean over rows), "sum_over_batch_size", "mean", "mean_with_sample_weight", "sum" or
            "none". Default "auto".
        name: Name of the loss. Default "categorical_crossentropy".
        dtype: Type of the computation. Default None: the default float type of Keras.

    Input shape:
        `y_true` and `y_pred`: (B, N). `sample_weight`, optional: (B,).

    Output shape:
        A scalar, or (B,) with reduction "none".

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> y_true, y_pred = np.array([[1.0, 0.0, 0.0]]), np.array([[2.0, 1.0, 0.5]])
        >>> round(float(mm.CategoricalCrossEntropy()(y_true, y_pred)), 4)
        0.4644
    """

    def __init__(
        self,
        from_logits: bool = True,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "auto",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
            reduction=keras_reduction(type(self).__name__, reduction),
            name=name,
            dtype=dtype,
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row, before weights and reduction, (B,)."""
        check_shape(f"y_true of {type(self).__name__}", y_true.shape, y_pred.shape)
        if not self.from_logits or self.label_smoothing:
            return super().call(y_true, y_pred)
        # TensorFlow's gradient, softmax(s) - t, is right where a row of targets sums to 1: other rows are scaled to it.
        y_true = keras.ops.cast(y_true, y_pred.dtype)
        total = keras.ops.sum(y_true, axis=self.axis, keepdims=True)
        share = keras.ops.divide_no_nan(y_true, total)
        return keras.ops.squeeze(total, self.axis) * super().call(share, y_pred)
