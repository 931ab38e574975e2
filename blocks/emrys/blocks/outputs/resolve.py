"""Resolution of `prediction_tasks=` to the outputs of a model."""

from __future__ import annotations

import keras
from merlin.schema import Schema

from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.errors import ConfigError
from emrys.blocks.outputs.model_output import ModelOutput, OutputsArgument
from emrys.blocks.outputs.output_block import OutputBlock


def resolve_outputs(prediction_tasks: OutputsArgument, schema: Schema | None = None) -> keras.layers.Layer:
    """Returns the last block of a `Model`: the outputs of `prediction_tasks`, or one for each target of `schema`.

    Args:
        prediction_tasks: None, an output or a task, a list of either, or a block of outputs (`OutputBlock`,
            `ParallelPredictionBlock`).
        schema: Schema with the targets, required if `prediction_tasks` is None.

    Returns:
        A single output itself; several in the block of their class, or in a `ParallelBlock` by task name.

    Raises:
        ConfigError: if `prediction_tasks` is none of the above, or two outputs have the same name.
        SchemaError: if there is neither an output nor a target in the schema.
    """
    if prediction_tasks is None:
        return OutputBlock(schema if schema is not None else Schema([]))
    if isinstance(prediction_tasks, (ModelOutput, ParallelBlock)):
        return prediction_tasks
    outputs = list(prediction_tasks) if isinstance(prediction_tasks, (list, tuple)) else []
    if not outputs or not all(isinstance(output, ModelOutput) for output in outputs):
        raise ConfigError("prediction_tasks", expected="an output or a list of outputs", got=repr(prediction_tasks))
    if len(outputs) == 1:
        return outputs[0]
    names = [output.task_name for output in outputs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"prediction_tasks: two outputs are called {name!r}", fix="Give them names or targets.")
    block_types = {output.parallel_block for output in outputs}
    return outputs[0].parallel_block(outputs) if len(block_types) == 1 else ModelOutput.parallel_block(outputs)
