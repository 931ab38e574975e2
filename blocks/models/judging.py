"""Losses and metrics of a model's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from blocks.errors import ConfigError
from blocks.outputs.model_output import ModelOutput


class Judge:
    """Compares what a model's outputs say with the targets.

    With one output, metrics keep their names; with several, they are called `<output>/<metric>`, and each output's
    loss is reported as `<output>_loss`.

    Args:
        outputs: The model's outputs.
        loss: One loss for all, or a dictionary by output or target. Default: each output's own.
        metrics: A list for all, or a dictionary by output or target. Default: each output's own.
        weighted_metrics: The same, for metrics that take sample weights. Default: none.
        loss_weights: Weight of each output's loss, by output or target. Default: 1.
    """

    def __init__(
        self,
        outputs: list[ModelOutput],
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        loss_weights: Mapping[str, float] | None = None,
    ) -> None:
        self._outputs = {output.task_name: output for output in outputs}
        several = len(outputs) > 1
        for argument, value in (("loss", loss), ("metrics", metrics), ("loss_weights", loss_weights)):
            self._check_names(argument, value)
        self._losses = {
            name: _as_loss(_chosen(loss, output, output.default_loss)) for name, output in self._outputs.items()
        }
        self._weights = {name: float(_chosen(loss_weights, output, 1.0)) for name, output in self._outputs.items()}
        self._metrics: dict[str, list[keras.metrics.Metric]] = {}
        self._weighted: dict[str, list[keras.metrics.Metric]] = {}
        for name, output in self._outputs.items():
            prefix = f"{name}/" if several else ""
            usual = output.create_default_metrics() if metrics is None else []
            self._metrics[name] = _fresh(_chosen(metrics, output, usual), prefix, several)
            self._weighted[name] = _fresh(_chosen(weighted_metrics, output, []), prefix, several)
        self._output_losses = {name: keras.metrics.Mean(name=f"{name}_loss") for name in self._outputs if several}
        self._regularization = keras.metrics.Mean(name="regularization_loss")
        self._batch = _Last(name="loss_batch")

    def _check_names(self, argument: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            return
        known = {name for output in self._outputs.values() for name in (output.task_name, output.target) if name}
        for name in value:
            if name not in known:
                raise ConfigError(f"compile: {argument} names {name!r}", expected=f"one of {', '.join(sorted(known))}")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics, to be reported and reset by Keras."""
        own = [*self._output_losses.values()]
        for name in self._outputs:
            own += [*self._metrics[name], *self._weighted[name]]
        return [*own, self._regularization, self._batch]

    def loss(self, y: Any, y_pred: Any, sample_weight: Any, regularization: list[Any]) -> Any:
        """The weighted sum of the outputs' losses, and of the `regularization` terms; a scalar."""
        total = tf.constant(0.0)
        for name, output in self._outputs.items():
            target, prediction, weight = self._sides(output, y, y_pred, sample_weight)
            value = tf.cast(self._losses[name](target, prediction, sample_weight=weight), "float32")
            if name in self._output_losses:
                self._output_losses[name].update_state(value, sample_weight=tf.shape(prediction)[0])
            total += self._weights[name] * value
        extra = tf.add_n([tf.cast(term, "float32") for term in regularization]) if regularization else tf.constant(0.0)
        self._regularization.update_state(extra)
        self._batch.update_state(total + extra)
        return total + extra

    def update(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Updates the metrics."""
        for name, output in self._outputs.items():
            target, prediction, weight = self._sides(output, y, y_pred, sample_weight)
            for metric in self._metrics[name]:
                metric.update_state(target, prediction)
            for metric in self._weighted[name]:
                metric.update_state(target, prediction, sample_weight=weight)

    def _sides(self, output: ModelOutput, y: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        prediction = y_pred[output.task_name] if isinstance(y_pred, Mapping) else y_pred
        target = _of_output(y, output, "target")
        weight = _of_output(sample_weight, output, "sample weight") if sample_weight is not None else None
        if len(prediction.shape) == 2 and prediction.shape[1] == 1:
            # Targets may come as (B,): compared as they are, they would be broadcast to (B, B).
            target = tf.reshape(target, tf.shape(prediction))
        return target, prediction, weight


class _FunctionLoss(keras.losses.Loss):
    """A function of targets and predictions, averaged over the batch with the sample weights."""

    def __init__(self, function: Any) -> None:
        super().__init__(name=getattr(function, "__name__", "loss"))
        self._function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self._function(tf.cast(y_true, y_pred.dtype), y_pred)


class _Last(keras.metrics.Metric):
    """The last value."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.value = self.add_variable(shape=(), initializer="zeros", name="value")

    def update_state(self, value: Any, sample_weight: Any = None) -> None:
        self.value.assign(value)

    def result(self) -> Any:
        return tf.convert_to_tensor(self.value)


def _as_loss(loss: Any) -> keras.losses.Loss:
    found = keras.losses.get(loss)
    return found if isinstance(found, keras.losses.Loss) else _FunctionLoss(found)


def _chosen(value: Any, output: ModelOutput, default: Any) -> Any:
    """What an argument of `compile` says for an output."""
    if value is None:
        return default
    if isinstance(value, Mapping):
        return value.get(output.task_name, value.get(output.target, default))
    return value


def _of_output(values: Any, output: ModelOutput, what: str) -> Any:
    if not isinstance(values, Mapping):
        return values
    for name in (output.target, output.task_name):
        if name in values:
            return values[name]
    if output.target is None and len(values) == 1:
        return next(iter(values.values()))
    raise ConfigError(
        f"{output.task_name} finds no {what} in the batch",
        expected=repr(output.target) if output.target else "one target",
        got=", ".join(map(repr, values)) or "none",
    )


def _fresh(metrics: Any, prefix: str, copy: bool) -> list[keras.metrics.Metric]:
    """Metrics of one output; with several outputs each gets its own, called by the output's name."""
    made = [keras.metrics.get(metric) for metric in (metrics if isinstance(metrics, (list, tuple)) else [metrics])]
    made = [metric if isinstance(metric, keras.metrics.Metric) else _wrapped(metric) for metric in made]
    if not copy:
        return made
    return [type(metric).from_config({**metric.get_config(), "name": prefix + metric.name}) for metric in made]


def _wrapped(function: Any) -> keras.metrics.Metric:
    return keras.metrics.MeanMetricWrapper(fn=function, name=getattr(function, "__name__", "metric"))
