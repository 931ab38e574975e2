"""Predicting a number."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import ColumnSchema

from emrys.blocks.outputs.model_output import Metrics, ModelOutput, with_judges


@keras.saving.register_keras_serializable("emrys")
def default_regression_metrics() -> tuple[keras.metrics.Metric, ...]:
    """The root of the mean squared error."""
    return (keras.metrics.RootMeanSquaredError(name="root_mean_squared_error"),)


@keras.saving.register_keras_serializable("emrys")
class RegressionOutput(ModelOutput):
    """A number: `w · x + b`.

    Args:
        target: Name of the target column, or the column. Default: the batch's only target.
        pre: Layer before the prediction. Default: none.
        post: Layer behind it. Default: none.
        name: Task name of the output. Default: `<target>/regression_output`.
        default_loss: Loss that is used when `compile` names none. Default: `"mse"`.
        default_metrics_fn: Gives the metrics used when `compile` names none. Default: the root mean squared error.

    Input shape:
        (B, D)

    Output shape:
        (B, 1), float32

    Example:
        >>> import emrys.blocks as mm
        >>> mm.RegressionOutput("rating").task_name
        'rating/regression_output'
    """

    def __init__(
        self,
        target: str | ColumnSchema | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        name: str | None = None,
        default_loss: Any = "mse",
        default_metrics_fn: Metrics = default_regression_metrics,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            to_call=keras.layers.Dense(1, dtype="float32"),
            default_loss=default_loss,
            default_metrics_fn=default_metrics_fn,
            name=name,
            target=target,
            pre=pre,
            post=post,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = with_judges(self, super().get_config(), default_regression_metrics)
        for inherited in ("to_call", "logits_temperature"):
            config.pop(inherited)
        return config
