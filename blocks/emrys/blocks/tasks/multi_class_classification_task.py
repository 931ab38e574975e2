"""Predicting which of many classes is right, as the first generation writes it."""

from __future__ import annotations

from typing import Any, Self

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import SchemaError
from emrys.blocks.outputs.categorical_target import CategoricalTarget
from emrys.blocks.tasks.deprecation import quietly, warn_deprecated
from emrys.blocks.tasks.prediction_task import PredictionTask


@keras.saving.register_keras_serializable("emrys")
def default_multi_class_metrics() -> tuple[keras.metrics.Metric, ...]:
    """The share of rows whose highest logit is that of the right class."""
    return (keras.metrics.Accuracy(name="accuracy"),)


@keras.saving.register_keras_serializable("emrys")
class MultiClassClassificationTask(PredictionTask):
    """Logits of classes, as `pre` gives them. Deprecated: use `CategoricalOutput`.

    `from_schema` makes the layer that gives the logits. Targets are the number of the right class, or numbers a class.

    Args:
        target_name: Name of the target column. Default: the batch's only target.
        task_name: Name of the output. Default: `<target>/multi_class_classification_task`.
        task_block: Layer before `pre`. Default: none.
        pre: Layer that gives the logits. Default: none, the input is the logits.
        **kwargs: The other arguments of `PredictionTask`.

    Input shape:
        (B, D)

    Output shape:
        (B, N), logits

    Example:
        >>> import emrys.blocks as mm
        >>> mm.MultiClassClassificationTask("genre", pre=mm.Dense(5)).task_name
        'genre/multi_class_classification_task'
    """

    DEFAULT_LOSS = "categorical_crossentropy"
    DEFAULT_METRICS = default_multi_class_metrics
    SUCCESSOR = "CategoricalOutput"

    targets_are_ids = True

    def __init__(
        self,
        target_name: str | None = None,
        task_name: str | None = None,
        task_block: keras.layers.Layer | None = None,
        pre: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        warn_deprecated("MultiClassClassificationTask", self.SUCCESSOR)
        super().__init__(target_name=target_name, task_name=task_name, task_block=task_block, pre=pre, **kwargs)

    @classmethod
    def from_schema(
        cls,
        schema: Schema,
        feature_name: str | Tags = Tags.ITEM_ID,
        bias_initializer: Any = "zeros",
        kernel_initializer: Any = "random_normal",
        extra_pre: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> Self:
        """A task with one logit for each id of a column.

        Args:
            schema: Schema with the column.
            feature_name: Its name, or a tag that only one column has. Default: `Tags.ITEM_ID`.
            bias_initializer: Initializer of the biases. Default: `"zeros"`.
            kernel_initializer: Initializer of the weights. Default: `"random_normal"`.
            extra_pre: Layer behind the logits. Default: none.
            **kwargs: The arguments of the task.

        Raises:
            SchemaError: if the column is not there, or has no domain.
        """
        warn_deprecated(cls.__name__, cls.SUCCESSOR)
        selected = (
            schema.select_by_tag(feature_name)
            if isinstance(feature_name, Tags)
            else schema.select_by_name([feature_name])
        )
        if len(selected) != 1:
            raise SchemaError(
                f"{cls.__name__}.from_schema: feature_name",
                expected="a column, or the tag of one",
                got=f"{feature_name}, which {len(selected)} of {', '.join(schema.column_names)} have",
            )
        logits: keras.layers.Layer = CategoricalTarget(
            selected, bias_initializer=bias_initializer, kernel_initializer=kernel_initializer
        )
        with quietly():
            return cls(pre=logits if extra_pre is None else SequentialBlock(logits, extra_pre), **kwargs)
