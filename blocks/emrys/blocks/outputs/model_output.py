"""Model outputs: the base `ModelOutput`, sample weights, and the binary and regression outputs."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from merlin.schema import ColumnSchema

from emrys.blocks.core.block import Block
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
    """One prediction of a model: a layer on what the model's body gives, a default loss, default metrics, a target.

    Called with `targets`, in training or testing, it gives a `Prediction`: what it says, its own target, and the sample
    weights that a `ColumnBasedSampleWeight` in `post` makes. Otherwise it gives the tensor alone.

    Args:
        to_call: Layer that makes the prediction.
        default_loss: Loss that is used when `compile` names none.
        default_metrics_fn: Gives the metrics that are used when `compile` names none.
        name: Task name of the output. Default: `<target>/<class in snake case>`.
        target: Name of the target column, or the column. Default: the batch's only target.
        pre: Layer before `to_call`. Default: none.
        post: Layer behind it. Default: none.
        logits_temperature: What logits are divided by, in training and testing. Default: 1.

    Input shape:
        (B, D)

    Output shape:
        What `to_call` gives, such as (B, 1).
    """

    #: Whether a target (B, 1) is the number of a class, where predictions are (B, N).
    targets_are_ids = False

    #: Whether the output belongs to the first generation of the API, the prediction tasks.
    first_generation = False

    #: What stands between the output's name and a metric's, where a model has several outputs.
    metric_separator = "/"

    def __init__(
        self,
        to_call: keras.layers.Layer,
        default_loss: Any,
        default_metrics_fn: Metrics,
        name: str | None = None,
        target: str | ColumnSchema | None = None,
        pre: keras.layers.Layer | None = None,
        post: keras.layers.Layer | None = None,
        logits_temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        target_name = target.name if isinstance(target, ColumnSchema) else target
        self._task_name = name or self.get_task_name(target_name)
        # Keras 3 refuses a slash in a layer's name; the task name, which users see, keeps it.
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
        """Name of an output of this class for `target_name`."""
        name = camelcase_to_snakecase(cls.__name__)
        return f"{target_name}/{name}" if target_name else name

    @staticmethod
    def parallel_block(outputs: Sequence[ModelOutput]) -> ParallelBlock:
        """Several outputs of this kind as one block, by task name."""
        return ParallelBlock({output.task_name: output for output in outputs})

    @property
    def task_name(self) -> str:
        """The name under which the output's predictions, losses and metrics appear: `<target>/<output>`."""
        return self._task_name

    def create_default_metrics(self) -> list[keras.metrics.Metric]:
        """Fresh default metrics."""
        return list(self.default_metrics_fn())

    def _chain(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.pre, self.to_call, self.post) if layer is not None]

    def build(self, input_shape: Shape) -> None:
        """Builds the layers."""
        build_layers(self._chain(), input_shape)
        self.built = True

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        testing: bool | None = None,
        features: Any = None,
        targets: Any = None,
    ) -> Any:
        """Gives the prediction."""
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
        """Predictions for the elements of lists, (B, L, D): where there is a target, only for those that have one."""
        if target is None:
            return inputs.with_values(self._predict(inputs.values, targets, step))
        positions = masked_positions(inputs, target, step["features"], self.target, self.name)
        outputs = self._predict(positions.vectors, positions.targets, step)
        prediction = self.with_target(outputs, targets, step["features"])
        weight = prediction.sample_weight
        if weight is not None:
            weight = tf.gather(weight, positions.rows)
        return prediction._replace(targets=positions.targets, sample_weight=weight, rows=positions.rows)

    def scale(self, predictions: Any, compared: bool) -> Any:
        """Divides the logits by the temperature where they will be `compared` with a target."""
        return predictions / self.logits_temperature if compared else predictions

    def with_target(self, outputs: Any, targets: Any, features: Any = None, sample_weight: Any = None) -> Prediction:
        """What is compared in losses and metrics.

        Args:
            outputs: What this output says, (B, 1) or (B, N).
            targets: The batch's targets by name, or the only one.
            features: The batch's features by name.
            sample_weight: The batch's weights, by target or for all. Default: 1 for every row.

        Returns:
            The prediction with the output's own target; the weights are those of the batch times those of `post`.

        Raises:
            ConfigError: if the batch has not the output's target, or not the column of weights.
        """
        weight = None
        for block in sample_weights(self.post):
            row_weight = block.row_weights(targets, features, self.target)
            weight = row_weight if weight is None else weight * row_weight
        return self.weighted(Prediction(outputs, self._own(targets, "target"), weight), sample_weight)

    def weighted(self, prediction: Prediction, sample_weight: Any) -> Prediction:
        """The prediction with the batch's sample weights, times those that it has.

        Args:
            prediction: What is compared.
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
        """The prediction as metrics take it; the same as the loss takes, unless a subclass says otherwise.

        Args:
            prediction: What is compared.
            columns: Most results that a ranking metric looks at; 0 where there is none.
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
        """Shape of the prediction."""
        return shape_behind(self._chain(), input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
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


def without_default_metrics(output: ModelOutput, config: dict[str, Any], default: Metrics) -> dict[str, Any]:
    """Leaves the function that makes the metrics out of a configuration, where it is the `usual` one."""
    if output.default_metrics_fn is default:
        config.pop("default_metrics_fn")
    return config


class SampleWeight(Block, abc.ABC):
    """Gives every row of a batch a weight in the loss and in weighted metrics; predictions stay as they are.

    It stands behind an output, as its `post`, or last in the chain that is. A subclass writes `row_weights`.
    """

    @abc.abstractmethod
    def row_weights(self, targets: Any, features: Any, target_name: str | None) -> Any:
        """The weight of each row.

        Args:
            targets: All targets of the batch by name, or the only one.
            features: The batch's features by name, or None.
            target_name: Name of the output's target, None where it has no name.

        Returns:
            (B, 1), float32.
        """

    def call(
        self,
        inputs: Any,
        targets: Any = None,
        features: Any = None,
        training: bool | None = None,
        testing: bool | None = None,
        target_name: str | None = None,
    ) -> Any:
        """Passes predictions on, in training and testing as a `Prediction` with the target and the weights."""
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


def sample_weights(layer: Any) -> list[SampleWeight]:
    """What weighs rows in `layer`: itself, or layers of the chain that it is."""
    if isinstance(layer, SequentialBlock):
        return [block for inner in layer.layers for block in sample_weights(inner)]
    return [layer] if isinstance(layer, SampleWeight) else []


@keras.saving.register_keras_serializable("emrys")
def default_binary_metrics() -> tuple[keras.metrics.Metric, ...]:
    """Precision, recall, accuracy at 0.5, and the area under the ROC curve."""
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
        post: Layer behind it. Default: none.
        logits_temperature: What the logit is divided by; above 1 the probabilities come closer to 0.5. Default: 1.
        name: Task name of the output. Default: `<target>/binary_output`.
        default_loss: Loss that is used when `compile` names none. Default: `"binary_crossentropy"`.
        default_metrics_fn: Gives the metrics used when `compile` names none. Default: precision, recall, accuracy
            and AUC.

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
        default_loss: Any = "binary_crossentropy",
        default_metrics_fn: Metrics = default_binary_metrics,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            # Probabilities near 0 and 1 do not survive float16, whatever the rest of the model computes in.
            to_call=keras.layers.Dense(1, activation="sigmoid", dtype="float32"),
            default_loss=default_loss,
            default_metrics_fn=default_metrics_fn,
            name=name,
            target=target,
            pre=pre,
            post=post,
            logits_temperature=logits_temperature,
            **kwargs,
        )

    def scale(self, predictions: Any, compared: bool) -> Any:
        """Divides the logit, so that the result stays a probability; it is the same in serving and in training."""
        if self.logits_temperature == 1.0:
            return predictions
        clipped = tf.clip_by_value(predictions, keras.config.epsilon(), 1 - keras.config.epsilon())
        return tf.sigmoid((tf.math.log(clipped) - tf.math.log1p(-clipped)) / self.logits_temperature)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = without_default_metrics(self, super().get_config(), default_binary_metrics)
        config.pop("to_call")
        return config


@keras.saving.register_keras_serializable("emrys")
def default_regression_metrics() -> tuple[keras.metrics.Metric, ...]:
    """The root of the mean squared error."""
    return (keras.metrics.RootMeanSquaredError(name="root_mean_squared_error"),)


@keras.saving.register_keras_serializable("emrys")
class RegressionOutput(ModelOutput):
    """A number: `w · x + b`.

    Args:
        target: Name of the target column, or the column. Default: the batch's only target.
        pre: Layer before the prediction. Default: none.
        post: Layer behind it. Default: none.
        name: Task name of the output. Default: `<target>/regression_output`.
        default_loss: Loss that is used when `compile` names none. Default: `"mse"`.
        default_metrics_fn: Gives the metrics used when `compile` names none. Default: the root mean squared error.

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
        default_loss: Any = "mse",
        default_metrics_fn: Metrics = default_regression_metrics,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            to_call=keras.layers.Dense(1, dtype="float32"),
            default_loss=default_loss,
            default_metrics_fn=default_metrics_fn,
            name=name,
            target=target,
            pre=pre,
            post=post,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = without_default_metrics(self, super().get_config(), default_regression_metrics)
        for inherited in ("to_call", "logits_temperature"):
            config.pop(inherited)
        return config
