"""A Keras model that has outputs."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import Schema

from emrys.blocks.outputs.model_output import ModelOutput


class OutputsModel(keras.Model):
    """What the outputs of a `BaseModel` are, and which columns a batch has."""

    @property
    def model_outputs(self) -> list[ModelOutput]:
        """The outputs."""
        return []

    @property
    def schema(self) -> Schema | None:
        """The columns of a batch, targets included, as far as they are known."""
        return None

    @property
    def input_schema(self) -> Schema | None:
        """The columns that the model reads, targets left out."""
        schema = self.schema
        return None if schema is None else schema.excluding_by_name([output.target for output in self.model_outputs])

    @property
    def prediction_tasks(self) -> list[ModelOutput]:
        """The outputs that are tasks of the first generation."""
        return [output for output in self.model_outputs if output.first_generation]

    def prediction_tasks_by_name(self) -> dict[str, ModelOutput]:
        """The tasks by task name."""
        return {task.task_name: task for task in self.prediction_tasks}

    def prediction_tasks_by_target(self) -> dict[str | None, Any]:
        """The tasks by target; a list where several have one target."""
        return _by_target(self.prediction_tasks)

    def outputs_by_name(self) -> dict[str, ModelOutput]:
        """The outputs by task name, tasks of the first generation left out."""
        return {output.task_name: output for output in self._second_generation()}

    def outputs_by_target(self) -> dict[str | None, Any]:
        """The outputs by target; a list where several have one target."""
        return _by_target(self._second_generation())

    def _second_generation(self) -> list[ModelOutput]:
        return [output for output in self.model_outputs if not output.first_generation]


def _by_target(outputs: Any) -> dict[str | None, Any]:
    found: dict[str | None, list[Any]] = {}
    for output in outputs:
        found.setdefault(output.target, []).append(output)
    return {target: each[0] if len(each) == 1 else each for target, each in found.items()}
