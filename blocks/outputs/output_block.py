"""The outputs that a schema's targets ask for."""

from __future__ import annotations

from typing import Any

from merlin.schema import ColumnSchema, Schema, Tags

from blocks.core.parallel import ParallelBlock
from blocks.errors import SchemaError
from blocks.outputs.binary_output import BinaryOutput
from blocks.outputs.model_output import ModelOutput
from blocks.outputs.regression_output import RegressionOutput
from blocks.schema.functions import select_targets


def OutputBlock(  # noqa: N802 - looks like the class that it is used as
    schema: Schema, pre: Any = None, post: Any = None
) -> ModelOutput | ParallelBlock:
    """Makes an output for every target of a schema: binary where it is tagged so, else regression.

    Args:
        schema: Schema with the targets, tagged BINARY_CLASSIFICATION or REGRESSION.
        pre: Layer before the outputs, when there are several. Default: none.
        post: Layer behind them, when there are several. Default: none.

    Returns:
        The output itself for one target, a `ParallelBlock` of them for several.

    Raises:
        SchemaError: if no column is a target.
    """
    outputs = [_output(column) for column in select_targets(schema)]
    if not outputs:
        raise SchemaError(
            "the schema has no target",
            expected="a column tagged BINARY_CLASSIFICATION or REGRESSION",
            got=", ".join(schema.column_names),
            fix="Tag the target column, or give the outputs yourself.",
        )
    if len(outputs) == 1:
        return outputs[0]
    return ParallelBlock({output.task_name: output for output in outputs}, pre=pre, post=post)


def _output(column: ColumnSchema) -> ModelOutput:
    if Tags.BINARY_CLASSIFICATION in column.tags:
        return BinaryOutput(column)
    if Tags.REGRESSION in column.tags:
        return RegressionOutput(column)
    raise SchemaError(
        "the target does not say what it is",
        column=column.name,
        expected="the tag BINARY_CLASSIFICATION or REGRESSION",
        got=", ".join(sorted(tag.value for tag in column.tags)),
    )
