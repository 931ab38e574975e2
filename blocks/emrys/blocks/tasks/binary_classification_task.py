"""Predicting whether something happens, as the first generation writes it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.outputs.binary_output import default_binary_metrics
from emrys.blocks.tasks.deprecation import warn_deprecated
from emrys.blocks.tasks.prediction_task import PredictionTask
from emrys.blocks.tasks.targets import target_name


@keras.saving.register_keras_serializable("emrys")
class BinaryClassificationTask(PredictionTask):
    """Probability that a binary target is 1: `sigmoid(w · x + b)`. Deprecated: use `BinaryOutput`.

    Args:
        target: Name of the target column, the column, or a schema with one column tagged BINARY_CLASSIFICATION.
            Default: the batch's only target.
        task_name: Name of the output. Default: `<target>/binary_classification_task`.
        task_block: Layer before the prediction. Default: none.
        **kwargs: `pre` and the other arguments of `PredictionTask`.

    Input shape:
        (B, D)

    Output shape:
        (B, 1), float32, in [0, 1]

    Raises:
        SchemaError: if a schema has another number of such columns.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.BinaryClassificationTask("click").task_name
        'click/binary_classification_task'
    """

    DEFAULT_LOSS = "binary_crossentropy"
    DEFAULT_METRICS = default_binary_metrics
    SUCCESSOR = "BinaryOutput"

    def __init__(
        self,
        target: str | ColumnSchema | Schema | None = None,
        task_name: str | None = None,
        task_block: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        warn_deprecated("BinaryClassificationTask", self.SUCCESSOR)
        given = kwargs.pop("target_name", None) if target is None else target
        name = target_name(given, Tags.BINARY_CLASSIFICATION, "BinaryClassificationTask")
        super().__init__(target_name=name, task_name=task_name, task_block=task_block, **kwargs)

    @classmethod
    def head(cls) -> keras.layers.Layer:
        """A unit with a sigmoid."""
        return keras.layers.Dense(1, activation="sigmoid", dtype="float32")

    def with_bias(self, outputs: Any, bias: Any) -> Any:
        """The probability with a number a row, (B, 1), added to its logit."""
        clipped = tf.clip_by_value(outputs, keras.config.epsilon(), 1 - keras.config.epsilon())
        return tf.sigmoid(tf.math.log(clipped) - tf.math.log1p(-clipped) + bias)
