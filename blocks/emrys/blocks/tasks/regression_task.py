"""Predicting a number, as the first generation writes it."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.outputs.regression_output import default_regression_metrics
from emrys.blocks.tasks.deprecation import warn_deprecated
from emrys.blocks.tasks.prediction_task import PredictionTask
from emrys.blocks.tasks.targets import target_name


@keras.saving.register_keras_serializable("emrys")
class RegressionTask(PredictionTask):
    """A number: `w · x + b`. Deprecated: use `RegressionOutput`.

    Args:
        target: Name of the target column, the column, or a schema with one column tagged REGRESSION. Default: the
            batch's only target.
        task_name: Name of the output. Default: `<target>/regression_task`.
        task_block: Layer before the prediction. Default: none.
        **kwargs: `pre` and the other arguments of `PredictionTask`.

    Input shape:
        (B, D)

    Output shape:
        (B, 1), float32

    Raises:
        SchemaError: if a schema has another number of such columns.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.RegressionTask("rating").task_name
        'rating/regression_task'
    """

    DEFAULT_LOSS = "mse"
    DEFAULT_METRICS = default_regression_metrics
    SUCCESSOR = "RegressionOutput"

    def __init__(
        self,
        target: str | ColumnSchema | Schema | None = None,
        task_name: str | None = None,
        task_block: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        warn_deprecated("RegressionTask", self.SUCCESSOR)
        given = kwargs.pop("target_name", None) if target is None else target
        name = target_name(given, Tags.REGRESSION, "RegressionTask")
        super().__init__(target_name=name, task_name=task_name, task_block=task_block, **kwargs)

    @classmethod
    def head(cls) -> keras.layers.Layer:
        """A unit without activation."""
        return keras.layers.Dense(1, dtype="float32")
