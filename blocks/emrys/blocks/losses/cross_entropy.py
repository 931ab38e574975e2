"""Categorical cross-entropy, with one-hot targets or class ids."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.calling import check_shape
from emrys.blocks.errors import ConfigError

#: Values of `reduction`; "auto" is "sum_over_batch_size", as in Keras 2.
REDUCTIONS = ("auto", "sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none")


def keras_reduction(loss: str, reduction: str | None) -> str:
    """The name that Keras knows for `reduction`.

    Raises:
        ConfigError: if there is no such reduction.
    """
    if reduction is None:
        return "none"
    if reduction not in REDUCTIONS:
        raise ConfigError(
            f"unknown reduction of {loss}", expected=f"one of {', '.join(map(repr, REDUCTIONS))}", got=repr(reduction)
        )
    return "sum_over_batch_size" if reduction == "auto" else reduction


@keras.saving.register_keras_serializable("emrys")
class CategoricalCrossEntropy(keras.losses.CategoricalCrossentropy):
    """Cross-entropy of scores over classes, with one-hot targets or class ids; logits by default.

    For targets t and logits s of a row:

        loss = -sum(t * log(softmax(s)))

    Targets are not normalised: in a row with several positives, each contributes its log-probability. Class ids give
    the value of the same targets in one-hot form; without label smoothing, no (B, N) tensor of targets is created.

    Args:
        from_logits: Whether `y_pred` holds logits; otherwise probabilities. Default True.
        label_smoothing: Share of the target, from 0 to 1, that is distributed over all classes. Default 0.0.
        axis: Axis of the classes. Default -1.
        reduction: "auto" (the mean over rows), "sum_over_batch_size", "mean", "mean_with_sample_weight", "sum" or
            "none". Default "auto".
        name: Name of the loss. Default "categorical_crossentropy".
        dtype: Type of the computation. Default None: the default float type of Keras.

    Input shape:
        `y_pred`: (B, N). `y_true`: (B, N), or class ids from 0 to N - 1, (B,) or (B, 1). `sample_weight`, optional:
        (B,).

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
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
            reduction=keras_reduction(type(self).__name__, reduction),
            name=name,
            dtype=dtype,
        )

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> Any:
        """The loss of each row, before weights and reduction, (B,)."""
        if _are_class_ids(y_true, y_pred):
            class_ids = keras.ops.reshape(y_true, (-1,))
            if not self.label_smoothing:
                return keras.losses.sparse_categorical_crossentropy(class_ids, y_pred, from_logits=self.from_logits)
            y_true = keras.ops.one_hot(keras.ops.cast(class_ids, "int64"), y_pred.shape[-1], dtype=y_pred.dtype)
        check_shape(f"y_true of {type(self).__name__}", y_true.shape, y_pred.shape)
        if not self.from_logits or self.label_smoothing:
            return super().call(y_true, y_pred)
        # TensorFlow's gradient, softmax(s) - t, assumes targets that sum to 1: other rows are normalised and rescaled.
        y_true = keras.ops.cast(y_true, y_pred.dtype)
        total = keras.ops.sum(y_true, axis=self.axis, keepdims=True)
        share = keras.ops.divide_no_nan(y_true, total)
        return keras.ops.squeeze(total, self.axis) * super().call(share, y_pred)


def _are_class_ids(y_true: Any, y_pred: Any) -> bool:
    """Whether targets are class ids, (B,) or (B, 1), of scores (B, N) with N above 1."""
    true, scores = tuple(y_true.shape), tuple(y_pred.shape)
    return len(scores) == 2 and scores[1] != 1 and (len(true) == 1 or (len(true) == 2 and true[1] == 1))


@keras.saving.register_keras_serializable("emrys")
class SparseCategoricalCrossEntropy(keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy over classes, with class ids as targets; `y_pred` holds logits by default.

    For the class c and the logits s of a row:

        loss = -log(softmax(s)[c])

    Args:
        from_logits: Whether `y_pred` holds logits; otherwise probabilities. Default True.
        ignore_class: Class id whose rows have loss 0, such as padding. Default None.
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
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(
            from_logits=from_logits,
            ignore_class=ignore_class,
            reduction=keras_reduction(type(self).__name__, reduction),
            name=name,
            dtype=dtype,
        )

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> Any:
        """The loss of each row, before weights and reduction, (B,)."""
        true, rows = tuple(y_true.shape), tuple(y_pred.shape)[:-1]
        one_class_each = len(true) == len(rows) + 1 and true[-1] == 1
        check_shape(f"y_true of {type(self).__name__}", true[:-1] if one_class_each else true, rows)
        return super().call(y_true, y_pred)
