"""`ColumnBasedSampleWeight`: sample weights from a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import keras
import tensorflow as tf

from emrys.blocks.core.block import BlockArguments
from emrys.blocks.errors import ConfigError
from emrys.blocks.outputs.model_output import SampleWeight


@keras.saving.register_keras_serializable("emrys")
class ColumnBasedSampleWeight(SampleWeight):
    """Sample weights from a column, or class weights of a binary column.

    With `binary_class_weights=(w0, w1)`, the weight of a row is `w1` if the column is above 0, else `w0`. The weights
    are multiplied by the sample weights of the batch.

    Args:
        weight_column_name: Target or feature that holds the weights. Default: the output's target, for which
            `binary_class_weights` is needed.
        binary_class_weights: Weights of the negative and of the positive class. Default: none.

    Input shape:
        Predictions of one output, (B, 1) or (B, N).

    Output shape:
        The predictions; in training and testing a `Prediction` with `sample_weight` (B, 1).

    Raises:
        ConfigError: if both arguments are missing, or the class weights are not two numbers from 0; when called, if
            the batch lacks the column.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> weigh = mm.ColumnBasedSampleWeight(binary_class_weights=(1.0, 5.0))
        >>> prediction = weigh(np.array([[0.2], [0.7]]), targets=np.array([[0.0], [1.0]]), training=True)
        >>> prediction.sample_weight.numpy().tolist()
        [[1.0], [5.0]]
    """

    def __init__(
        self,
        weight_column_name: str | None = None,
        binary_class_weights: Sequence[float] | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        super().__init__(**kwargs)
        if weight_column_name is None and binary_class_weights is None:
            raise ConfigError(
                "ColumnBasedSampleWeight knows no weights",
                expected="weight_column_name, binary_class_weights or both",
                got="neither",
            )
        self.weight_column_name = weight_column_name
        self.binary_class_weights = None if binary_class_weights is None else _class_weights(binary_class_weights)

    def row_weights(
        self,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None,
        features: Mapping[str, tf.Tensor] | None,
        target_name: str | None,
    ) -> Any:
        """Returns the weight of each row, (B, 1)."""
        column = tf.convert_to_tensor(self._column(targets, features, target_name))
        column = column[:, tf.newaxis] if len(column.shape) == 1 else column
        if self.binary_class_weights is None:
            return tf.cast(column, "float32")
        negative, positive = self.binary_class_weights
        return tf.where(column > tf.zeros((), column.dtype), positive, negative)

    def _column(self, targets: Any, features: Any, target_name: str | None) -> Any:
        if self.weight_column_name is None and not isinstance(targets, dict):
            return targets
        by_name = targets if isinstance(targets, dict) else {}
        name = self.weight_column_name or target_name or (next(iter(by_name)) if len(by_name) == 1 else None)
        for values in (by_name, features or {}):
            if name in values:
                return values[name]
        raise ConfigError(
            f"{self.name} finds no weights in the batch",
            column=name,
            expected="a target or a feature of this name" if name else "the name of the target",
            got=", ".join(sorted({*by_name, *(features or {})})) or "none",
            fix=None if name else "Name the target of the output, or the weight column.",
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "weight_column_name": self.weight_column_name,
            "binary_class_weights": self.binary_class_weights,
        }


def _class_weights(weights: Sequence[float]) -> list[float]:
    numbers = [float(weight) for weight in weights]
    if len(numbers) != 2 or not all(0 <= weight < float("inf") for weight in numbers):
        raise ConfigError(
            "ColumnBasedSampleWeight: binary_class_weights", expected="two numbers from 0", got=repr(weights)
        )
    return numbers
