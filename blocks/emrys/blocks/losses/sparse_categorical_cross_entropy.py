"""SparseCategoricalCrossEntropy."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.calling import check_shape
from emrys.blocks.losses.base import keras_reduction


@keras.saving.register_keras_serializable("emrys")
class SparseCategoricalCrossEntropy(keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy of scores over classes, with the target as the number of its class; logits by default.

    For the class c and the logits s of a row:

        loss = -log(softmax(s)[c])

    Args:
        from_logits: Whether `y_pred` holds logits; otherwise probabilities. Default True.
        ignore_class: A class whose rows have loss 0, padding for one. Default None: no such class.
        reduction: "auto" (the mean over rows), "sum_over_batch_size", "mean", "mean_with_sample_weight", "sum" or
            "none". Default "auto".
        name: Name of the loss. Default "sparse_categorical_crossentropy".
        dtype: Type of the computation. Default None: the default float type of Keras.

    Input shape:
        `y_true`: (B,) or (B, 1), integers from 0 to N - 1. `y_pred`: (B, N). `sample_weight`, optional: (B,).

    Output shape:
        A scalar, or (B,) with reduction "none".

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> loss = mm.SparseCategoricalCrossEntropy()
        >>> round(float(loss(np.array([0]), np.array([[2.0, 1.0, 0.5]]))), 4)
        0.4644
    """

    def __init__(
        self,
        from_logits: bool = True,
        ignore_class: int | None = None,
        reduction: str | None = "auto",
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            from_logits=from_logits,
            ignore_class=ignore_class,
            reduction=keras_reduction(type(self).__name__, reduction),
            name=name,
            dtype=dtype,
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row, before weights and reduction, (B,)."""
        true, rows = tuple(y_true.shape), tuple(y_pred.shape)[:-1]
        one_class_each = len(true) == len(rows) + 1 and true[-1] == 1
        check_shape(f"y_true of {type(self).__name__}", true[:-1] if one_class_each else true, rows)
        return super().call(y_true, y_pred)
