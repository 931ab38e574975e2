"""Several tasks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.tasks.binary_classification_task import BinaryClassificationTask
from emrys.blocks.tasks.deprecation import quietly, warn_deprecated
from emrys.blocks.tasks.prediction_task import PredictionTask
from emrys.blocks.tasks.regression_task import RegressionTask

_BY_TAG: tuple[tuple[Tags, type[PredictionTask]], ...] = (
    (Tags.BINARY_CLASSIFICATION, BinaryClassificationTask),
    (Tags.REGRESSION, RegressionTask),
)


@keras.saving.register_keras_serializable("emrys")
class ParallelPredictionBlock(ParallelBlock):
    """The predictions of several tasks by task name. Deprecated: use `OutputBlock`.

    Args:
        *prediction_tasks: The tasks.
        task_blocks: Layer before each task alone: one, of which each task gets a copy, or a dictionary by target or
            task name. Default: none.
        bias_block: Layer on the same input, of which a number a row is made and added to what every task says (to
            the logit of a binary one). Default: none.
        task_weights: Weights of the tasks in the loss, in their order, or by target or task name; `compile`'s
            `loss_weights` count first. Default: 1.
        pre: What is applied to the input first.
        post: What is applied to the dictionary of predictions.
        **kwargs: The other arguments of `ParallelBlock`.

    Input shape:
        (B, D), or a dictionary by task name.

    Output shape:
        Dictionary by task name, also for one task.

    Raises:
        ConfigError: if something else than tasks is given, or `task_blocks` or `task_weights` name none of them.
    """

    def __init__(
        self,
        *prediction_tasks: PredictionTask,
        task_blocks: keras.layers.Layer | Mapping[str, keras.layers.Layer] | None = None,
        bias_block: keras.layers.Layer | None = None,
        task_weights: Sequence[float] | Mapping[str, float] | None = None,
        pre: Any = None,
        post: Any = None,
        **kwargs: Any,
    ) -> None:
        warn_deprecated("ParallelPredictionBlock", "OutputBlock")
        for task in prediction_tasks:
            if not isinstance(task, PredictionTask):
                raise ConfigError("ParallelPredictionBlock", expected="tasks", got=type(task).__name__)
        super().__init__({task.task_name: task for task in prediction_tasks}, pre=pre, post=post, **kwargs)
        self.bias_block = bias_block
        self.bias_logit = None if bias_block is None else keras.layers.Dense(1, dtype="float32")
        self._weights_of_tasks = self._weights(task_weights)
        self._put_before(task_blocks)

    @classmethod
    def get_tasks_from_schema(
        cls,
        schema: Schema,
        task_weight_dict: Mapping[str, float] | None = None,
        task_pre_dict: Mapping[str, keras.layers.Layer] | None = None,
    ) -> tuple[tuple[float, ...], tuple[PredictionTask, ...]]:
        """The tasks of the columns tagged BINARY_CLASSIFICATION and REGRESSION, sorted by target, and their weights.

        Args:
            schema: Schema with the targets.
            task_weight_dict: Weights by target. Default: 1.
            task_pre_dict: Layers before the head, by target. Default: none.

        Returns:
            The weights, and the tasks.

        Raises:
            SchemaError: if the schema has no such column.
            ConfigError: if a dictionary names another column.
        """
        found = {name: task for tag, task in _BY_TAG for name in schema.select_by_tag(tag).column_names}
        if not found:
            raise SchemaError(
                "the schema has no target",
                expected="a column tagged BINARY_CLASSIFICATION or REGRESSION",
                got=", ".join(schema.column_names),
            )
        weights, before = dict(task_weight_dict or {}), dict(task_pre_dict or {})
        for argument, given in (("task_weight_dict", weights), ("task_pre_dict", before)):
            for name in given:
                if name not in found:
                    raise _unknown(argument, name, found)
        with quietly():
            tasks = tuple(found[name](name, pre=before.get(name)) for name in sorted(found))
        return tuple(float(weights.get(name, 1.0)) for name in sorted(found)), tasks

    @classmethod
    def from_schema(  # type: ignore[override]  # of targets, where other blocks take features
        cls,
        schema: Schema,
        task_blocks: keras.layers.Layer | Mapping[str, keras.layers.Layer] | None = None,
        task_weight_dict: Mapping[str, float] | None = None,
        task_pre_dict: Mapping[str, keras.layers.Layer] | None = None,
        bias_block: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> Self:
        """A block of the tasks that `get_tasks_from_schema` gives.

        Args:
            schema: Schema with the targets.
            task_blocks: See `ParallelPredictionBlock`.
            task_weight_dict: Weights by target. Default: 1.
            task_pre_dict: Layers before the head, by target. Default: none.
            bias_block: See `ParallelPredictionBlock`.
            **kwargs: The other arguments of `ParallelPredictionBlock`.
        """
        warn_deprecated("ParallelPredictionBlock", "OutputBlock")
        weights, tasks = cls.get_tasks_from_schema(schema, task_weight_dict, task_pre_dict)
        with quietly():
            return cls(*tasks, task_blocks=task_blocks, task_weights=weights, bias_block=bias_block, **kwargs)

    @classmethod
    def task_names_from_schema(cls, schema: Schema) -> list[str]:
        """Names of the tasks that `from_schema` makes."""
        return [task.task_name for task in cls.get_tasks_from_schema(schema)[1]]

    @property
    def task_names(self) -> list[str]:
        """Names of the tasks."""
        return list(self.branches)

    @property
    def task_blocks(self) -> dict[str, keras.layers.Layer | None]:
        """The layer before each task."""
        return {name: task.task_block for name, task in self.branches.items()}

    @property
    def loss_weights(self) -> dict[str, float]:
        """The tasks' weights in the loss, by task name."""
        return dict(self._weights_of_tasks)

    def _named(self, argument: str, name: str) -> str:
        for task_name, task in self.branches.items():
            if name in (task_name, task.target):
                return task_name
        raise _unknown(argument, name, self.branches)

    def _weights(self, weights: Any) -> dict[str, float]:
        if weights is not None and not isinstance(weights, Mapping):
            if len(weights) != len(self.branches):
                raise ConfigError(
                    f"{self.name}: task_weights", expected=f"{len(self.branches)} weights", got=str(len(weights))
                )
            weights = dict(zip(self.branches, weights, strict=True))
        return {self._named("task_weights", name): float(weight) for name, weight in (weights or {}).items()}

    def _put_before(self, blocks: Any) -> None:
        if isinstance(blocks, Mapping):
            for name, block in blocks.items():
                self.branches[self._named("task_blocks", name)].task_block = block
        elif blocks is not None:
            for task in self.branches.values():
                fresh = blocks.copy() if isinstance(blocks, Block) else type(blocks).from_config(blocks.get_config())
                task.task_block = fresh

    def build(self, input_shape: Shape) -> None:
        """Builds the tasks and the bias."""
        if self.bias_block is not None:
            build_layer(self.bias_logit, build_layer(self.bias_block, as_shape(input_shape)))
        super().build(input_shape)

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        testing: bool | None = None,
        features: Any = None,
        targets: Any = None,
    ) -> Any:
        """Gives the predictions by task name."""
        told = {"training": training, "testing": testing, "features": features, "targets": targets}
        outputs = super().call(inputs, **told)
        if self.bias_block is None:
            return outputs
        bias = call_layer(self.bias_logit, call_layer(self.bias_block, inputs, **told))
        return {name: _with_bias(self.branches[name], output, bias) for name, output in outputs.items()}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "bias_block": to_config(self.bias_block),
            "task_weights": self._weights_of_tasks or None,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the block from what `get_config` gave."""
        given = dict(config)
        with quietly():
            tasks = [from_config(task) for _, task in given.pop("branches")]
            return cls(*tasks, **from_config(given))


def _with_bias(task: PredictionTask, output: Any, bias: Any) -> Any:
    if isinstance(output, Prediction):
        return output.copy_with_updates(outputs=task.with_bias(output.outputs, bias))
    return task.with_bias(output, bias)


def _unknown(argument: str, name: str, known: Any) -> ConfigError:
    return ConfigError(f"{argument} names {name!r}", expected=f"one of {', '.join(sorted(known))}")
