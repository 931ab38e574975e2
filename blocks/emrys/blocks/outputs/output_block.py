"""`OutputBlock`: the outputs for the targets of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.outputs.categorical_output import CategoricalOutput
from emrys.blocks.outputs.model_output import BinaryOutput, ModelOutput, OutputsArgument, RegressionOutput
from emrys.blocks.schema.functions import number_of_ids, select_targets

_CLASSES = (Tags.CATEGORICAL, Tags.MULTI_CLASS_CLASSIFICATION)
_NUMBERS = (Tags.REGRESSION, Tags.CONTINUOUS)


def OutputBlock(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    model_outputs: OutputsArgument = None,
    pre: keras.layers.Layer | None = None,
    post: keras.layers.Layer | None = None,
    task_blocks: keras.layers.Layer | Mapping[str, keras.layers.Layer] | None = None,
) -> ModelOutput | ParallelBlock:
    """Creates an output for every target of a schema, by its tags.

    BINARY_CLASSIFICATION gives a `BinaryOutput`; REGRESSION or CONTINUOUS a `RegressionOutput`; CATEGORICAL or
    MULTI_CLASS_CLASSIFICATION a `CategoricalOutput`, a `BinaryOutput` where the column's domain ends at 1. The first of
    these that fits counts.

    Args:
        schema: Schema with the targets, tagged TARGET or as above.
        model_outputs: Existing outputs: one, a list, or a dictionary by name. Outputs are created for the remaining
            targets. Default: none.
        pre: Layer before all outputs. Default: none.
        post: Layer after them: on the dictionary of predictions, if there are several. Default: none.
        task_blocks: Layer before each output alone: one, of which each output gets a copy, or a dictionary by target
            or task name. Default: none.

    Returns:
        The output itself for one target, a `ParallelBlock` of them by task name for several.

    Raises:
        SchemaError: if no column is a target, or the tags of one do not determine its output.
        ConfigError: if `model_outputs` holds anything but outputs, or `task_blocks` has an unknown name.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import ColumnSchema, Schema, Tags
        >>> click = ColumnSchema("click", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])
        >>> mm.OutputBlock(Schema([click]), task_blocks=mm.MLPBlock([8])).task_name
        'click/binary_output'
    """
    outputs = _existing_outputs(model_outputs)
    known = {output.target for output in outputs.values()}
    for column in select_targets(schema):
        if column.name not in known:
            output = _output(column)
            outputs[output.task_name] = output
    if not outputs:
        raise SchemaError(
            "the schema has no target",
            expected="a column tagged BINARY_CLASSIFICATION, REGRESSION or TARGET",
            got=", ".join(schema.column_names),
            fix="Tag the target column, or give the outputs yourself.",
        )
    _add_task_blocks(outputs, task_blocks)
    if len(outputs) > 1:
        return ParallelBlock(outputs, pre=pre, post=post)
    (output,) = outputs.values()
    output.pre = _chain(pre, output.pre)
    output.post = _chain(output.post, post)
    return output


def _existing_outputs(model_outputs: Any) -> dict[str, ModelOutput]:
    if isinstance(model_outputs, ParallelBlock):
        model_outputs = model_outputs.parallel_dict
    if model_outputs is None or isinstance(model_outputs, ModelOutput):
        model_outputs = [] if model_outputs is None else [model_outputs]
    items = model_outputs.items() if isinstance(model_outputs, Mapping) else ((None, each) for each in model_outputs)
    outputs: dict[str, ModelOutput] = {}
    for name, output in items:
        if not isinstance(output, ModelOutput):
            raise ConfigError("OutputBlock: model_outputs", expected="outputs", got=type(output).__name__)
        outputs[name or output.task_name] = output
    return outputs


def _output(column: ColumnSchema) -> ModelOutput:
    tags = set(column.tags)
    if Tags.BINARY_CLASSIFICATION in tags:
        return BinaryOutput(column)
    if tags.intersection(_NUMBERS):
        return RegressionOutput(column)
    if tags.intersection(_CLASSES):
        return BinaryOutput(column) if number_of_ids(column) == 2 else CategoricalOutput(column)
    raise SchemaError(
        "the target does not say what it is",
        column=column.name,
        expected="the tag BINARY_CLASSIFICATION, REGRESSION, CONTINUOUS, CATEGORICAL or MULTI_CLASS_CLASSIFICATION",
        got=", ".join(sorted(getattr(tag, "value", str(tag)) for tag in column.tags)),
    )


def _add_task_blocks(outputs: dict[str, ModelOutput], task_blocks: Any) -> None:
    if not isinstance(task_blocks, Mapping):
        for output in outputs.values():
            output.pre = _chain(None if task_blocks is None else _copy(task_blocks), output.pre)
        return
    remaining = dict(task_blocks)
    for output in outputs.values():
        for name in (output.target, output.task_name):
            output.pre = _chain(remaining.pop(name, None), output.pre)
    if remaining:
        known = sorted({name for output in outputs.values() for name in (output.target, output.task_name) if name})
        raise ConfigError(
            f"OutputBlock: task_blocks names {next(iter(remaining))!r}", expected=f"one of {', '.join(known)}"
        )


def _chain(first: Any, second: Any) -> Any:
    layers = [layer for layer in (first, second) if layer is not None]
    return SequentialBlock(layers) if len(layers) == 2 else next(iter(layers), None)


def _copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    return layer.copy() if isinstance(layer, Block) else type(layer).from_config(layer.get_config())
