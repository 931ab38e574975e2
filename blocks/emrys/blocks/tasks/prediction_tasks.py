"""The tasks that a schema's targets ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from merlin.schema import Schema

from emrys.blocks.tasks.deprecation import quietly, warn_deprecated
from emrys.blocks.tasks.parallel_prediction_block import ParallelPredictionBlock


def PredictionTasks(  # noqa: N802 - looks like the class that it is used as
    schema: Schema,
    task_blocks: keras.layers.Layer | Mapping[str, keras.layers.Layer] | None = None,
    task_weight_dict: Mapping[str, float] | None = None,
    task_pre_dict: Mapping[str, keras.layers.Layer] | None = None,
    bias_block: keras.layers.Layer | None = None,
    **kwargs: Any,
) -> ParallelPredictionBlock:
    """Makes a task for each column tagged BINARY_CLASSIFICATION or REGRESSION. Deprecated: use `OutputBlock`.

    Args:
        schema: Schema with the targets.
        task_blocks: Layer before each task alone: one, of which each task gets a copy, or a dictionary by target or
            task name. Default: none.
        task_weight_dict: Weights of the tasks in the loss, by target. Default: 1.
        task_pre_dict: Layers before the tasks' heads, behind their `task_blocks`, by target. Default: none.
        bias_block: See `ParallelPredictionBlock`. Default: none.
        **kwargs: The other arguments of `ParallelPredictionBlock`.

    Returns:
        The tasks as one block; its output is a dictionary by task name, also for one task.

    Raises:
        SchemaError: if the schema has no such column.
        ConfigError: if a dictionary names another column.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import ColumnSchema, Schema, Tags
        >>> schema = Schema([ColumnSchema("click", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])])
        >>> mm.PredictionTasks(schema).task_names
        ['click/binary_classification_task']
    """
    warn_deprecated("PredictionTasks", "OutputBlock")
    with quietly():
        return ParallelPredictionBlock.from_schema(
            schema,
            task_blocks=task_blocks,
            task_weight_dict=task_weight_dict,
            task_pre_dict=task_pre_dict,
            bias_block=bias_block,
            **kwargs,
        )
