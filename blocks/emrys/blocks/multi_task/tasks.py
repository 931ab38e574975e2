"""Names of tasks and of their layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.outputs.model_output import ModelOutput

#: Further outputs of a multi-task block.
SHARED, SHORTCUT = "shared", "shortcut"


def task_names(outputs: tf.Tensor | Mapping[str, tf.Tensor] | Prediction, block: str) -> list[str]:
    """The names of the tasks of a multi-task block.

    Args:
        outputs: The outputs, `OutputBlock` or another `ParallelBlock` of them, a single one, or names.
        block: The block, for errors.

    Raises:
        ConfigError: if `outputs` has another type, there are none, or names are duplicate or reserved.
    """
    if isinstance(outputs, ParallelBlock):
        names = list(outputs.parallel_dict)
    elif isinstance(outputs, ModelOutput):
        names = [outputs.task_name]
    elif isinstance(outputs, Sequence) and not isinstance(outputs, str):
        names = [each.task_name if isinstance(each, ModelOutput) else each for each in outputs]
    else:
        raise ConfigError(f"{block}: outputs", expected="outputs, or their names", got=type(outputs).__name__)
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{block}: outputs", expected="outputs, or their names", got=repr(names))
    reserved = {SHARED, SHORTCUT}.intersection(names)
    if reserved or len(set(names)) < len(names):
        raise ConfigError(
            f"{block}: outputs", expected=f"different names, none of them {SHARED!r} or {SHORTCUT!r}", got=repr(names)
        )
    return names


def get_task_names_from_outputs(
    outputs: ParallelBlock | ModelOutput | Sequence[ModelOutput],
) -> list[str]:
    """Returns the task names of outputs.

    Args:
        outputs: One output or task, several, or a block of them.

    Raises:
        ConfigError: if one is not an output.
    """
    if isinstance(outputs, ParallelBlock):
        outputs = list(outputs.parallel_values)
    found = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    names = [output.task_name for output in found if isinstance(output, ModelOutput)]
    if len(names) < len(found):
        got = next(output for output in found if not isinstance(output, ModelOutput))
        raise ConfigError("get_task_names_from_outputs", expected="outputs or tasks", got=type(got).__name__)
    return names


def layer_name(name: str) -> str:
    """A task's name as part of a layer's name, which must not contain a slash in Keras 3."""
    return name.replace("/", "_")
