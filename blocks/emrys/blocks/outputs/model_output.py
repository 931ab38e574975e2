"""Model outputs: the base `ModelOutput`, sample weights, and the binary and regression outputs."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias, Unpack

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema

from emrys.blocks.core.block import Block, UnnamedBlockArguments
from emrys.blocks.core.calling import Shape, build_layers, call_layer, shape_behind
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.serializing import to_config
from emrys.blocks.errors import ConfigError
from emrys.blocks.sequences.masked_positions import is_sequence, masked_positions
from emrys.blocks.utils.registry import camelcase_to_snakecase

Metrics = Callable[[], Sequence[keras.metrics.Metric]]


@keras.saving.register_keras_serializable("emrys")
class ModelOutput(Block):
    """One output of a model: a prediction layer, a default loss, default metrics and a target.

    Called with `targets` in training or testing, it returns a `Prediction`: its output, its target, and the sample
    weights of a `ColumnBasedSampleWeight` in `post`. Otherwise it returns the output alone.

    Args:
        to_call: The prediction layer.
        default_loss: Loss used if `compile` has none.
        default_metrics_fn: Function that returns the metrics used if `compile` has none.
        name: Task name of the output. Default: `<target>/<class in snake case>`.
        target: Name of the target column, or the column. Default: the batch's only target.
        pre: Layer before `to_call`. Default: none.
        post: Layer after it. Default: none.
        logits_temperature: Divisor of the logits, in training and testing. Default: 1.

    Input shape:
        (B, D)

    Output shape:
        The output of `to_call`, such as (B, 1).
    """

    #: Whether targets (B, 1) of predictions (B, N) are class ids.
    targets_are_ids = False

    #: Whether the output belongs to the first generation of the API, the prediction tasks.
    first_generation = False

    #: Separator of the output's and the metric's name, in models with several outputs.
    metric_separator = "/"

    #: Whether a call with targets returns them too, as a `Prediction`, also when a model passes them on unchanged.
    returns_prediction: ClassVar[bool] = False

    def __init__(
        self,
        to_call: keras.layers.Layer,
        default_loss: str | keras.losses.Loss,
        default_metrics_fn: Metrics,
        name: str | None = None,
        target: str | ColumnSchema | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        target_name = target.name if isinstance(target, ColumnSchema) else target
        self._task_name = name or self.get_task_name(target_name)
        # Keras 3 refuses a slash in a layer's name; the task name, which users see, keeps it.
        # Keras 3 refuses slashes: docs/coming-from-merlin-models.md.
        super().__init__(name=self._task_name.replace("/", "_"), **kwargs)
        if logits_temperature <= 0:
            raise ConfigError(
                f"{self.name}: logits_temperature", expected="a number above 0", got=str(logits_temperature)
            )
        self.to_call = to_call
        self.default_loss = default_loss
        self.default_metrics_fn = default_metrics_fn
        self.target: str | None = target_name
        self.pre = pre
        self.post = post
        self.logits_temperature = logits_temperature

    @classmethod
    def get_task_name(cls, target_name: str | None) -> str:
        """Returns the name of an output of this class for `target_name`."""
        name = camelcase_to_snakecase(cls.__name__)
        return f"{target_name}/{name}" if target_name else name

    @staticmethod
    def parallel_block(outputs: Sequence[ModelOutput]) -> ParallelBlock:
        """Returns a block of several outputs of this class, by task name."""
        return ParallelBlock({output.task_name: output for output in outputs})

    @property
    def task_name(self) -> str:
        """The name of the output's predictions, losses and metrics: `<target>/<output>`."""
        return self._task_name

    @property
    def full_name(self) -> str:
        """The task name, as Merlin Models calls it."""
        return self._task_name

    def create_default_metrics(self) -> list[keras.metrics.Metric]:
        """Returns new default metrics."""
        return list(self.default_metrics_fn())

    def _chain(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.pre, self.to_call, self.post) if layer is not None]

    def build(self, input_shape: Shape) -> None:
        """Builds the layers."""
        build_layers(self._chain(), input_shape)
        self.built = True

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the prediction."""
        step = {"training": training, "testing": testing, "features": features}
        compared = bool(training or testing)
        if self.pre is not None:
            inputs = call_layer(self.pre, inputs, targets=targets, **step)
        target = self._own(targets, "target") if compared and targets is not None else None
        if len(getattr(inputs, "shape", ())) == 3 and is_sequence(inputs, target, features):
            return self._predict_elements(inputs, target, targets, step)
        outputs = self._predict(inputs, targets, step)
        return self.with_target(outputs, targets, features) if compared and targets is not None else outputs

    def _predict(self, inputs: Any, targets: Any, step: dict[str, Any]) -> Any:
        outputs = call_layer(self.to_call, inputs, targets=targets, **step)
        if self.logits_temperature != 1.0:
            outputs = self.scale(outputs, bool(step["training"] or step["testing"]))
        return outputs if self.post is None else call_layer(self.post, outputs, **step)

    def _predict_elements(self, inputs: Any, target: Any, targets: Any, step: dict[str, Any]) -> Any:
        """Returns predictions for the elements of lists; in training and testing, for those with a target."""
        if target is None:
            return inputs.with_values(self._predict(inputs.values, targets, step))
        positions = masked_positions(inputs, target, step["features"], self.target, self.name)
        outputs = self._predict(positions.vectors, positions.targets, step)
        prediction = self.with_target(outputs, targets, step["features"])
        weight = prediction.sample_weight
        if weight is not None:
            weight = tf.gather(weight, positions.rows)
        return prediction._replace(targets=positions.targets, sample_weight=weight, rows=positions.rows)

    def scale(self, predictions: tf.Tensor, compared: bool) -> Any:
        """Divides the logits by the temperature if they are `compared` with a target."""
        return predictions / self.logits_temperature if compared else predictions

    def with_target(
        self,
        outputs: tf.Tensor | Mapping[str, tf.Tensor] | Prediction,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None,
        features: Mapping[str, tf.Tensor] | None = None,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Prediction:
        """Returns the output with its target and sample weights, for losses and metrics.

        Args:
            outputs: Predictions or logits, (B, 1) or (B, N).
            targets: The batch's targets by name, or the only one.
            features: The batch's features by name.
            sample_weight: The batch's weights, by target or for all. Default: 1 for every row.

        Returns:
            The prediction with the output's own target; its weights are the product of those of the batch and of
            `post`.

        Raises:
            ConfigError: if the batch lacks the output's target, or the column of weights.
        """
        weight = None
        for block in sample_weights(self.post):
            row_weight = block.row_weights(targets, features, self.target)
            weight = row_weight if weight is None else weight * row_weight
        return self.weighted(Prediction(outputs, self._own(targets, "target"), weight), sample_weight)

    def weighted(self, prediction: Prediction, sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None) -> Prediction:
        """Returns the prediction with its sample weights multiplied by those of the batch.

        Args:
            prediction: The output with its target.
            sample_weight: The batch's weights, by target or for all. Default: 1 for every row.
        """
        if sample_weight is None:
            return prediction
        weight, own_weight = self._own(sample_weight, "sample weight"), prediction.sample_weight
        if prediction.rows is not None:
            weight = tf.gather(tf.reshape(weight, (-1, 1)), prediction.rows)
        if own_weight is not None:
            weight = own_weight * tf.reshape(tf.cast(weight, own_weight.dtype), tf.shape(own_weight))
        return prediction._replace(sample_weight=weight)

    def for_metrics(self, prediction: Prediction, columns: int) -> Prediction:
        """Returns the prediction in the form for metrics; in the base class, the same as for the loss.

        Args:
            prediction: The output with its target.
            columns: The largest cut-off of the ranking metrics; 0 if there are none.
        """
        return prediction

    def _own(self, values: Any, what: str) -> Any:
        if not isinstance(values, Mapping):
            return values
        for name in (self.target, self.task_name):
            if name in values:
                return values[name]
        if self.target is None and len(values) == 1:
            return next(iter(values.values()))
        raise ConfigError(
            f"{self.task_name} finds no {what} in the batch",
            expected=repr(self.target) if self.target else f"one {what}",
            got=", ".join(map(repr, values)) or "none",
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the prediction."""
        return shape_behind(self._chain(), input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "to_call": to_config(self.to_call),
            "default_loss": to_config(self.default_loss),
            "default_metrics_fn": to_config(self.default_metrics_fn),
            "name": self.task_name,
            "target": self.target,
            "pre": to_config(self.pre),
            "post": to_config(self.post),
            "logits_temperature": self.logits_temperature,
        }


#: What a model takes as its outputs: none, one or several outputs or tasks, or a block of them.
OutputsArgument: TypeAlias = "ModelOutput | ParallelBlock | Sequence[ModelOutput] | Mapping[str, ModelOutput] | None"


def without_default_metrics(output: ModelOutput, config: dict[str, object], default: Metrics) -> dict[str, Any]:
    """Removes the metrics function from a configuration if it is the `default` one."""
    if output.default_metrics_fn is default:
        config.pop("default_metrics_fn")
    return config


class SampleWeight(Block, abc.ABC):
    """Base class of layers that weight the rows of a batch in the loss and in weighted metrics.

    It is the `post` of an output, or the last layer of that chain. A subclass implements `row_weights`.
    """

    @abc.abstractmethod
    def row_weights(
        self,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None,
        features: Mapping[str, tf.Tensor] | None,
        target_name: str | None,
    ) -> Any:
        """Returns the weight of each row.

        Args:
            targets: All targets of the batch by name, or the only one.
            features: The batch's features by name, or None.
            target_name: Name of the output's target; None if it has no name.

        Returns:
            (B, 1), float32.
        """

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        training: bool | None = None,
        testing: bool | None = None,
        target_name: str | None = None,
    ) -> Any:
        """Returns the predictions; in training and testing, a `Prediction` with the target and the weights."""
        if isinstance(inputs, dict):
            raise ConfigError(
                f"{self.name} weighs the rows of one output",
                got=f"predictions of {', '.join(sorted(inputs))}",
                fix="Give it as post= of an output, not of the block around several.",
            )
        if targets is None or not (training or testing):
            return inputs
        weights = self.row_weights(targets, features, target_name)
        target = targets.get(target_name) if isinstance(targets, dict) and target_name is not None else targets
        return Prediction(inputs, target, weights)


def sample_weights(layer: keras.layers.Layer | None) -> list[SampleWeight]:
    """Returns the `SampleWeight` layers of `layer`: itself, or those in its chain."""
    if isinstance(layer, SequentialBlock):
        return [block for inner in layer.layers for block in sample_weights(inner)]
    return [layer] if isinstance(layer, SampleWeight) else []


@keras.saving.register_keras_serializable("emrys")
def default_binary_metrics() -> tuple[keras.metrics.Metric, ...]:
    """Returns precision, recall, accuracy at 0.5, and the area under the ROC curve."""
    return (
        keras.metrics.Precision(name="precision"),
        keras.metrics.Recall(name="recall"),
        keras.metrics.BinaryAccuracy(name="binary_accuracy"),
        keras.metrics.AUC(name="auc"),
    )


@keras.saving.register_keras_serializable("emrys")
class BinaryOutput(ModelOutput):
    """Probability that a binary target is 1: `sigmoid((w · x + b) / temperature)`.

    Args:
        target: Name of the target column, or the column. Default: the batch's only target.
        pre: Layer before the prediction. Default: none.
        post: Layer after it. Default: none.
        logits_temperature: Divisor of the logit; above 1 the probabilities come closer to 0.5. Default: 1.
        name: Task name of the output. Default: `<target>/binary_output`.
        default_loss: Loss used if `compile` has none. Default: `"binary_crossentropy"`.
        default_metrics_fn: Function that returns the metrics used if `compile` has none. Default: precision, recall,
            accuracy and AUC.
        to_call: The prediction layer. Default: a dense layer with a sigmoid.

    Input shape:
        (B, D)

    Output shape:
        (B, 1), float32, in [0, 1]

    Example:
        >>> import emrys.blocks as mm
        >>> mm.BinaryOutput("click").task_name
        'click/binary_output'
    """

    def __init__(
        self,
        target: str | ColumnSchema | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        name: str | None = None,
        default_loss: str | keras.losses.Loss = "binary_crossentropy",
        default_metrics_fn: Metrics = default_binary_metrics,
        to_call: keras.layers.Layer | None = None,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        super().__init__(
            # Float16 cannot represent probabilities near 1, so this layer is float32 in every precision policy.
            to_call=keras.layers.Dense(1, activation="sigmoid", dtype="float32") if to_call is None else to_call,
            default_loss=default_loss,
            default_metrics_fn=default_metrics_fn,
            name=name,
            target=target,
            pre=pre,
            post=post,
            logits_temperature=logits_temperature,
            **kwargs,
        )

    def scale(self, predictions: tf.Tensor, compared: bool) -> Any:
        """Divides the logit of the probability by the temperature, in serving as in training."""
        if self.logits_temperature == 1.0:
            return predictions
        clipped = tf.clip_by_value(predictions, keras.config.epsilon(), 1 - keras.config.epsilon())
        return tf.sigmoid((tf.math.log(clipped) - tf.math.log1p(-clipped)) / self.logits_temperature)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return without_default_metrics(self, super().get_config(), default_binary_metrics)


@keras.saving.register_keras_serializable("emrys")
def default_regression_metrics() -> tuple[keras.metrics.Metric, ...]:
    """Returns the root mean squared error."""
    return (keras.metrics.RootMeanSquaredError(name="root_mean_squared_error"),)


@keras.saving.register_keras_serializable("emrys")
class RegressionOutput(ModelOutput):
    """A regression output: `w · x + b`.

    Args:
        target: Name of the target column, or the column. Default: the batch's only target.
        pre: Layer before the prediction. Default: none.
        post: Layer after it. Default: none.
        name: Task name of the output. Default: `<target>/regression_output`.
        default_loss: Loss used if `compile` has none. Default: `"mse"`.
        default_metrics_fn: Function that returns the metrics used if `compile` has none. Default: the root mean squared
            error.
        to_call: The prediction layer. Default: a dense layer.

    Input shape:
        (B, D)

    Output shape:
        (B, 1), float32

    Example:
        >>> import emrys.blocks as mm
        >>> mm.RegressionOutput("rating").task_name
        'rating/regression_output'
    """

    def __init__(
        self,
        target: str | ColumnSchema | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        name: str | None = None,
        default_loss: str | keras.losses.Loss = "mse",
        default_metrics_fn: Metrics = default_regression_metrics,
        to_call: keras.layers.Layer | None = None,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        super().__init__(
            to_call=keras.layers.Dense(1, dtype="float32") if to_call is None else to_call,
            default_loss=default_loss,
            default_metrics_fn=default_metrics_fn,
            name=name,
            target=target,
            pre=pre,
            post=post,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = without_default_metrics(self, super().get_config(), default_regression_metrics)
        config.pop("logits_temperature")
        return config
