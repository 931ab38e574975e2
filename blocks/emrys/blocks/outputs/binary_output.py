"""Predicting whether something happens."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema

from emrys.blocks.outputs.model_output import Metrics, ModelOutput, with_judges


@keras.saving.register_keras_serializable("emrys")
def default_binary_metrics() -> tuple[keras.metrics.Metric, ...]:
    """Precision, recall, accuracy at 0.5, and the area under the ROC curve."""
    return (
        keras.metrics.Precision(name="precision"),
        keras.metrics.Recall(name="recall"),
        keras.metrics.BinaryAccuracy(name="binary_accuracy"),
        keras.metrics.AUC(name="auc"),
    )


@keras.saving.register_keras_serializable("emrys")
class BinaryOutput(ModelOutput):
    """Probability that a binary target is 1: `sigmoid((w · x + b) / temperature)`.

    Args:
        target: Name of the target column, or the column. Default: the batch's only target.
        pre: Layer before the prediction. Default: none.
        post: Layer behind it. Default: none.
        logits_temperature: What the logit is divided by; above 1 the probabilities come closer to 0.5. Default: 1.
        name: Task name of the output. Default: `<target>/binary_output`.
        default_loss: Loss that is used when `compile` names none. Default: `"binary_crossentropy"`.
        default_metrics_fn: Gives the metrics used when `compile` names none. Default: precision, recall, accuracy
            and AUC.

    Input shape:
        (B, D)

    Output shape:
        (B, 1), float32, in [0, 1]

    Example:
        >>> import emrys.blocks as mm
        >>> mm.BinaryOutput("click").task_name
        'click/binary_output'
    """

    def __init__(
        self,
        target: str | ColumnSchema | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        name: str | None = None,
        default_loss: Any = "binary_crossentropy",
        default_metrics_fn: Metrics = default_binary_metrics,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            # Probabilities near 0 and 1 do not survive float16, whatever the rest of the model computes in.
            to_call=keras.layers.Dense(1, activation="sigmoid", dtype="float32"),
            default_loss=default_loss,
            default_metrics_fn=default_metrics_fn,
            name=name,
            target=target,
            pre=pre,
            post=post,
            logits_temperature=logits_temperature,
            **kwargs,
        )

    def scale(self, predictions: Any, compared: bool) -> Any:
        """Divides the logit, so that the result stays a probability; it is the same in serving and in training."""
        if self.logits_temperature == 1.0:
            return predictions
        clipped = tf.clip_by_value(predictions, keras.config.epsilon(), 1 - keras.config.epsilon())
        return tf.sigmoid((tf.math.log(clipped) - tf.math.log1p(-clipped)) / self.logits_temperature)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = with_judges(self, super().get_config(), default_binary_metrics)
        config.pop("to_call")
        return config
