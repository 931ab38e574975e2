"""Prediction tasks, and the block of several tasks (first generation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, Unpack

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import Block, BlockArguments, UnnamedBlockArguments
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
    """Base class of prediction tasks, `head(pre(task_block(x)))`. Deprecated: use `ModelOutput` or its subclasses.

    A subclass sets the class attributes for loss and metrics, and implements `head`.

    Args:
        target_name: Name of the target column. Default: the only target of the batch.
        task_name: Name of the output, its losses and metrics. Default: `<target>/<class in snake case>`.
        pre: Layer after `task_block`. Default: none.
        pre_eval_topk: Must be None: top-k evaluation is done by a `TopKEncoder`.
        task_block: First layer. Default: none.
        name: Alias of `task_name`, which takes precedence.

    Input shape:
        (B, D)

    Output shape:
        Output of the head; without a head, of the layers before it.
    """

    #: Loss if `compile` gets none.
    DEFAULT_LOSS: Any = "mse"
    #: Function that creates the metrics if `compile` gets none.
    DEFAULT_METRICS: Metrics = no_metrics
    #: Replacement, for the deprecation warning.
    SUCCESSOR = "ModelOutput"

    first_generation = True
    metric_separator = "_"

    @staticmethod
    def parallel_block(outputs: Sequence[ModelOutput]) -> ParallelBlock:
        """Combines several tasks into one block."""
        with quietly():
            return ParallelPredictionBlock(*outputs)

    returns_prediction = True

    def __init__(
        self,
        target_name: str | None = None,
        task_name: str | None = None,
        pre: keras.layers.Layer | None = None,
        pre_eval_topk: Any = None,
        task_block: keras.layers.Layer | None = None,
        name: str | None = None,
        **kwargs: Unpack[UnnamedBlockArguments],
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
        """Creates the last layer."""
        return NoOp()

    @property
    def target_name(self) -> str | None:
        """Name of the target column."""
        return self.target

    @property
    def task_block(self) -> keras.layers.Layer | None:
        """The first layer."""
        return self.pre

    @task_block.setter
    def task_block(self, block: keras.layers.Layer | None) -> None:
        self.pre = block

    def with_bias(self, outputs: tf.Tensor | Mapping[str, tf.Tensor] | Prediction, bias: tf.Tensor) -> Any:
        """Adds a bias for each row, (B, 1), to the prediction."""
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
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the task from `get_config`."""
        with quietly():
            return super().from_config(config)


def _with_bias(task: PredictionTask, output: Any, bias: Any) -> Any:
    if isinstance(output, Prediction):
        return output.copy_with_updates(outputs=task.with_bias(output.outputs, bias))
    return task.with_bias(output, bias)


def _unknown(argument: str, name: str, known: Any) -> ConfigError:
    return ConfigError(f"{argument}: unknown name {name!r}", expected=f"one of {', '.join(sorted(known))}")


@keras.saving.register_keras_serializable("emrys")
class BinaryClassificationTask(PredictionTask):
    """Probability that a binary target is 1: `sigmoid(w · x + b)`. Deprecated: use `BinaryOutput`.

    Args:
        target: Name of the target column, the column, or a schema with one column tagged BINARY_CLASSIFICATION.
            Default: the only target of the batch.
        task_name: Name of the output. Default: `<target>/binary_classification_task`.
        task_block: Layer before the prediction. Default: none.
        **kwargs: `pre` and the other arguments of `PredictionTask`.

    Input shape:
        (B, D)

    Output shape:
        (B, 1), float32, in [0, 1]

    Raises:
        SchemaError: if a schema does not have exactly one such column.

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
        target = kwargs.pop("target_name", None) if target is None else target
        name = target_name(target, Tags.BINARY_CLASSIFICATION, "BinaryClassificationTask")
        super().__init__(target_name=name, task_name=task_name, task_block=task_block, **kwargs)

    @classmethod
    def head(cls) -> keras.layers.Layer:
        """Creates a dense unit with a sigmoid."""
        return keras.layers.Dense(1, activation="sigmoid", dtype="float32")

    def with_bias(self, outputs: tf.Tensor | Mapping[str, tf.Tensor] | Prediction, bias: tf.Tensor) -> Any:
        """Adds a bias for each row, (B, 1), to the logit of the probability."""
        clipped = tf.clip_by_value(outputs, keras.config.epsilon(), 1 - keras.config.epsilon())
        return tf.sigmoid(tf.math.log(clipped) - tf.math.log1p(-clipped) + bias)


@keras.saving.register_keras_serializable("emrys")
class RegressionTask(PredictionTask):
    """Regression: `w · x + b`. Deprecated: use `RegressionOutput`.

    Args:
        target: Name of the target column, the column, or a schema with one column tagged REGRESSION. Default: the
            only target of the batch.
        task_name: Name of the output. Default: `<target>/regression_task`.
        task_block: Layer before the prediction. Default: none.
        **kwargs: `pre` and the other arguments of `PredictionTask`.

    Input shape:
        (B, D)

    Output shape:
        (B, 1), float32

    Raises:
        SchemaError: if a schema does not have exactly one such column.

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
        target = kwargs.pop("target_name", None) if target is None else target
        name = target_name(target, Tags.REGRESSION, "RegressionTask")
        super().__init__(target_name=name, task_name=task_name, task_block=task_block, **kwargs)

    @classmethod
    def head(cls) -> keras.layers.Layer:
        """Creates a dense unit without activation."""
        return keras.layers.Dense(1, dtype="float32")


@keras.saving.register_keras_serializable("emrys")
def default_multi_class_metrics() -> tuple[keras.metrics.Metric, ...]:
    """Share of rows whose highest logit is that of the target class."""
    return (keras.metrics.Accuracy(name="accuracy"),)


@keras.saving.register_keras_serializable("emrys")
class MultiClassClassificationTask(PredictionTask):
    """Logits over classes, from `pre`. Deprecated: use `CategoricalOutput`.

    `from_schema` creates the layer of the logits. Targets are class ids, or one value for each class.

    Args:
        target_name: Name of the target column. Default: the only target of the batch.
        task_name: Name of the output. Default: `<target>/multi_class_classification_task`.
        task_block: Layer before `pre`. Default: none.
        pre: Layer of the logits. Default: none, the inputs are logits.
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
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        warn_deprecated("MultiClassClassificationTask", self.SUCCESSOR)
        super().__init__(target_name=target_name, task_name=task_name, task_block=task_block, pre=pre, **kwargs)

    @classmethod
    def from_schema(
        cls,
        schema: Schema,
        feature_name: str | Tags = Tags.ITEM_ID,
        bias_initializer: str | keras.initializers.Initializer = "zeros",
        kernel_initializer: str | keras.initializers.Initializer = "random_normal",
        extra_pre: keras.layers.Layer | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> Self:
        """Creates a task with one logit for each id of a column.

        Args:
            schema: Schema with the column.
            feature_name: Its name, or a tag that only one column has. Default: `Tags.ITEM_ID`.
            bias_initializer: Initializer of the biases. Default: `"zeros"`.
            kernel_initializer: Initializer of the weights. Default: `"random_normal"`.
            extra_pre: Layer after the logits. Default: none.
            **kwargs: The arguments of the task.

        Raises:
            SchemaError: if the column is missing, or has no domain.
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
                got=f"{feature_name}, with {len(selected)} matches in {', '.join(schema.column_names)}",
            )
        logits: keras.layers.Layer = CategoricalTarget(
            selected, bias_initializer=bias_initializer, kernel_initializer=kernel_initializer
        )
        with quietly():
            return cls(pre=logits if extra_pre is None else SequentialBlock(logits, extra_pre), **kwargs)


def target_name(target: str | ColumnSchema | Schema | None, tag: Tags, task: str) -> str | None:
    """Resolves a name, a column, or a schema with one column tagged `tag` to the name of the target.

    Raises:
        SchemaError: if a schema does not have exactly one such column.
    """
    if isinstance(target, ColumnSchema):
        return str(target.name)
    if not isinstance(target, Schema):
        return target
    names = target.select_by_tag(tag).column_names
    if len(names) != 1:
        raise SchemaError(
            f"{task} needs a target in the schema",
            expected=f"one column tagged {tag.name}",
            got=", ".join(names) or f"none among {', '.join(target.column_names)}",
            fix="Pass the name of the target.",
        )
    return str(names[0])


_BY_TAG: tuple[tuple[Tags, type[PredictionTask]], ...] = (
    (Tags.BINARY_CLASSIFICATION, BinaryClassificationTask),
    (Tags.REGRESSION, RegressionTask),
)


@keras.saving.register_keras_serializable("emrys")
class ParallelPredictionBlock(ParallelBlock):
    """Predictions of several tasks, by task name. Deprecated: use `OutputBlock`.

    Args:
        *prediction_tasks: The tasks.
        task_blocks: Layer before each task: one, which is copied for each task, or a dictionary by target or task name.
            Default: none.
        bias_block: Layer on the same input, whose output is projected to one value per row and added to each
            prediction (to the logit of a binary task). Default: none.
        task_weights: Weights of the tasks in the loss, in their order, or by target or task name; the `loss_weights`
            of `compile` take precedence. Default: 1.
        pre: Layer on the input.
        post: Layer on the dictionary of predictions.
        **kwargs: The other arguments of `ParallelBlock`.

    Input shape:
        (B, D), or a dictionary by task name.

    Output shape:
        Dictionary by task name, also for one task.

    Raises:
        ConfigError: if an argument is not a task, or `task_blocks` or `task_weights` have an unknown name.
    """

    def __init__(
        self,
        *prediction_tasks: PredictionTask,
        task_blocks: keras.layers.Layer | Mapping[str, keras.layers.Layer] | None = None,
        bias_block: keras.layers.Layer | None = None,
        task_weights: Sequence[float] | Mapping[str, float] | None = None,
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> None:
        warn_deprecated("ParallelPredictionBlock", "OutputBlock")
        for task in prediction_tasks:
            if not isinstance(task, PredictionTask):
                raise ConfigError("ParallelPredictionBlock", expected="tasks", got=type(task).__name__)
        super().__init__({task.task_name: task for task in prediction_tasks}, pre=pre, post=post, **kwargs)
        self.bias_block = bias_block
        self.bias_logit = None if bias_block is None else keras.layers.Dense(1, dtype="float32")
        self._weights_of_tasks = self._weights(task_weights)
        self._set_task_blocks(task_blocks)

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
            ConfigError: if a dictionary has an unknown target.
        """
        tasks_by_target = {name: task for tag, task in _BY_TAG for name in schema.select_by_tag(tag).column_names}
        if not tasks_by_target:
            raise SchemaError(
                "the schema has no target",
                expected="a column tagged BINARY_CLASSIFICATION or REGRESSION",
                got=", ".join(schema.column_names),
            )
        weights, pre = dict(task_weight_dict or {}), dict(task_pre_dict or {})
        for argument, by_target in (("task_weight_dict", weights), ("task_pre_dict", pre)):
            for name in by_target:
                if name not in tasks_by_target:
                    raise _unknown(argument, name, tasks_by_target)
        names = sorted(tasks_by_target)
        with quietly():
            tasks = tuple(tasks_by_target[name](name, pre=pre.get(name)) for name in names)
        return tuple(float(weights.get(name, 1.0)) for name in names), tasks

    @classmethod
    def from_schema(  # type: ignore[override]  # a schema of targets, not of features
        cls,
        schema: Schema,
        task_blocks: keras.layers.Layer | Mapping[str, keras.layers.Layer] | None = None,
        task_weight_dict: Mapping[str, float] | None = None,
        task_pre_dict: Mapping[str, keras.layers.Layer] | None = None,
        bias_block: keras.layers.Layer | None = None,
        **kwargs: Unpack[BlockArguments],
    ) -> Self:
        """Creates a block of the tasks of `get_tasks_from_schema`.

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
        """Names of the tasks of `from_schema`."""
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

    def _task_name(self, argument: str, name: str) -> str:
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
        return {self._task_name("task_weights", name): float(weight) for name, weight in (weights or {}).items()}

    def _set_task_blocks(self, blocks: Any) -> None:
        if isinstance(blocks, Mapping):
            for name, block in blocks.items():
                self.branches[self._task_name("task_blocks", name)].task_block = block
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
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Computes the predictions by task name."""
        step_context: dict[str, Any] = {
            "training": training,
            "testing": testing,
            "features": features,
            "targets": targets,
        }
        outputs = super().call(inputs, **step_context)
        if self.bias_block is None:
            return outputs
        bias = call_layer(self.bias_logit, call_layer(self.bias_block, inputs, **step_context))
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
        """Creates the block from `get_config`."""
        arguments = dict(config)
        with quietly():
            tasks = [from_config(task) for _, task in arguments.pop("branches")]
            return cls(*tasks, **from_config(arguments))


def PredictionTasks(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    task_blocks: keras.layers.Layer | Mapping[str, keras.layers.Layer] | None = None,
    task_weight_dict: Mapping[str, float] | None = None,
    task_pre_dict: Mapping[str, keras.layers.Layer] | None = None,
    bias_block: keras.layers.Layer | None = None,
    **kwargs: Unpack[BlockArguments],
) -> ParallelPredictionBlock:
    """Creates a task for each column tagged BINARY_CLASSIFICATION or REGRESSION. Deprecated: use `OutputBlock`.

    Args:
        schema: Schema with the targets.
        task_blocks: Layer before each task: one, which is copied for each task, or a dictionary by target or task name.
            Default: none.
        task_weight_dict: Weights of the tasks in the loss, by target. Default: 1.
        task_pre_dict: Layers between the `task_blocks` and the heads, by target. Default: none.
        bias_block: See `ParallelPredictionBlock`. Default: none.
        **kwargs: The other arguments of `ParallelPredictionBlock`.

    Returns:
        A block of the tasks; its output is a dictionary by task name, also for one task.

    Raises:
        SchemaError: if the schema has no such column.
        ConfigError: if a dictionary has an unknown target.

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
