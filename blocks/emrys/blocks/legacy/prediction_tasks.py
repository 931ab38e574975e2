"""The prediction tasks of the first generation, and the block of several of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape, build_layer, call_layer
from emrys.blocks.core.no_op import NoOp
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.outputs.categorical_target import CategoricalTarget
from emrys.blocks.outputs.model_output import Metrics, ModelOutput, default_binary_metrics, default_regression_metrics


@keras.saving.register_keras_serializable("emrys")
def no_metrics() -> tuple[keras.metrics.Metric, ...]:
    """No metrics."""
    return ()


@keras.saving.register_keras_serializable("emrys")
class PredictionTask(ModelOutput):
    """An output of the first generation: `head(pre(task_block(x)))`. Deprecated: use `ModelOutput` or its subclasses.

    A subclass says what is learned by its class attributes, and writes `head`.

    Args:
        target_name: Name of the target column. Default: the batch's only target.
        task_name: Name of the output, of its losses and metrics. Default: `<target>/<class in snake case>`.
        pre: Layer behind `task_block`. Default: none.
        pre_eval_topk: Accepted as None only: a top-k evaluation is a model of its own, a `TopKEncoder`.
        task_block: Layer that the input goes through first. Default: none.
        name: The same as `task_name`, which counts first.

    Input shape:
        (B, D)

    Output shape:
        What the head gives; without one, what the blocks before it give.
    """

    #: Loss that is used when `compile` names none.
    DEFAULT_LOSS: Any = "mse"
    #: Gives the metrics that are used when `compile` names none.
    DEFAULT_METRICS: Metrics = no_metrics
    #: What users are told to use instead.
    SUCCESSOR = "ModelOutput"

    first_generation = True
    metric_separator = "_"

    @staticmethod
    def parallel_block(outputs: Sequence[ModelOutput]) -> ParallelBlock:
        """Several tasks as one block."""
        with quietly():
            return ParallelPredictionBlock(*outputs)

    def __init__(
        self,
        target_name: str | None = None,
        task_name: str | None = None,
        pre: keras.layers.Layer | None = None,
        pre_eval_topk: Any = None,
        task_block: keras.layers.Layer | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        own = type(self)
        if own is PredictionTask:
            warn_deprecated("PredictionTask", self.SUCCESSOR)
        if pre_eval_topk is not None:
            raise ConfigError(
                f"{own.__name__}: pre_eval_topk",
                expected="None",
                got=type(pre_eval_topk).__name__,
                fix="Evaluate top-k lists with the model's to_top_k_encoder().",
            )
        head = own.head()
        super().__init__(
            to_call=head if pre is None else SequentialBlock(pre, head),
            default_loss=own.DEFAULT_LOSS,
            default_metrics_fn=own.DEFAULT_METRICS,
            name=task_name or name,
            target=target_name,
            pre=task_block,
            **kwargs,
        )
        self._has_pre = pre is not None

    @classmethod
    def head(cls) -> keras.layers.Layer:
        """A new last layer."""
        return NoOp()

    @property
    def target_name(self) -> str | None:
        """Name of the target column."""
        return self.target

    @property
    def task_block(self) -> keras.layers.Layer | None:
        """The layer that the input goes through first."""
        return self.pre

    @task_block.setter
    def task_block(self, block: keras.layers.Layer | None) -> None:
        self.pre = block

    def with_bias(self, outputs: Any, bias: Any) -> Any:
        """The prediction with a number a row, (B, 1), added to it."""
        return outputs + bias

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        for fixed in ("to_call", "default_loss", "default_metrics_fn", "post", "logits_temperature"):
            config.pop(fixed)
        task_block, target, task_name = config.pop("pre"), config.pop("target"), config.pop("name")
        return {
            **config,
            "target_name": target,
            "task_name": task_name,
            "pre": to_config(self.to_call.layers[0]) if self._has_pre else None,
            "task_block": task_block,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the task from what `get_config` gave."""
        with quietly():
            return super().from_config(config)


def _with_bias(task: PredictionTask, output: Any, bias: Any) -> Any:
    if isinstance(output, Prediction):
        return output.copy_with_updates(outputs=task.with_bias(output.outputs, bias))
    return task.with_bias(output, bias)


def _unknown(argument: str, name: str, known: Any) -> ConfigError:
    return ConfigError(f"{argument} names {name!r}", expected=f"one of {', '.join(sorted(known))}")


@keras.saving.register_keras_serializable("emrys")
class BinaryClassificationTask(PredictionTask):
    """Probability that a binary target is 1: `sigmoid(w · x + b)`. Deprecated: use `BinaryOutput`.

    Args:
        target: Name of the target column, the column, or a schema with one column tagged BINARY_CLASSIFICATION.
            Default: the batch's only target.
        task_name: Name of the output. Default: `<target>/binary_classification_task`.
        task_block: Layer before the prediction. Default: none.
        **kwargs: `pre` and the other arguments of `PredictionTask`.

    Input shape:
        (B, D)

    Output shape:
        (B, 1), float32, in [0, 1]

    Raises:
        SchemaError: if a schema has another number of such columns.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.BinaryClassificationTask("click").task_name
        'click/binary_classification_task'
    """

    DEFAULT_LOSS = "binary_crossentropy"
    DEFAULT_METRICS = default_binary_metrics
    SUCCESSOR = "BinaryOutput"

    def __init__(
        self,
        target: str | ColumnSchema | Schema | None = None,
        task_name: str | None = None,
        task_block: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        warn_deprecated("BinaryClassificationTask", self.SUCCESSOR)
        given = kwargs.pop("target_name", None) if target is None else target
        name = target_name(given, Tags.BINARY_CLASSIFICATION, "BinaryClassificationTask")
        super().__init__(target_name=name, task_name=task_name, task_block=task_block, **kwargs)

    @classmethod
    def head(cls) -> keras.layers.Layer:
        """A unit with a sigmoid."""
        return keras.layers.Dense(1, activation="sigmoid", dtype="float32")

    def with_bias(self, outputs: Any, bias: Any) -> Any:
        """The probability with a number a row, (B, 1), added to its logit."""
        clipped = tf.clip_by_value(outputs, keras.config.epsilon(), 1 - keras.config.epsilon())
        return tf.sigmoid(tf.math.log(clipped) - tf.math.log1p(-clipped) + bias)


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


def target_name(target: str | ColumnSchema | Schema | None, tag: Tags, task: str) -> str | None:
    """Name of a target that is given by name, as a column, or as a schema that has one column with `tag`.

    Raises:
        SchemaError: if a schema has another number of such columns.
    """
    if isinstance(target, ColumnSchema):
        return str(target.name)
    if not isinstance(target, Schema):
        return target
    names = target.select_by_tag(tag).column_names
    if len(names) != 1:
        raise SchemaError(
            f"{task} takes its target from the schema",
            expected=f"one column tagged {tag.name}",
            got=", ".join(names) or f"none among {', '.join(target.column_names)}",
            fix="Name the target.",
        )
    return str(names[0])


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
