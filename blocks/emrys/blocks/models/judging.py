"""Losses and metrics of a model's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics import RankingMetric
from emrys.blocks.models.class_numbers import ClassNumbers, update_metric
from emrys.blocks.models.named import as_loss, metrics_of
from emrys.blocks.outputs.model_output import ModelOutput


class Judge:
    """Compares what a model's outputs say with the targets.

    With one output, metrics keep their names; with several, they are called `<output>/<metric>` (`<task>_<metric>` for
    a task of the first generation), and each output's loss is reported as `<output>_loss`.

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
        #: What `compile` was told. Kept here: Keras takes metrics in an attribute of a model for the model's own.
        self.arguments = {
            "loss": loss,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "loss_weights": loss_weights,
        }
        self._outputs = {output.task_name: output for output in outputs}
        several = len(outputs) > 1
        for argument, value in (("loss", loss), ("metrics", metrics), ("loss_weights", loss_weights)):
            self._check_names(argument, value)
        self._losses = {
            name: as_loss(_chosen(loss, output, output.default_loss)) for name, output in self._outputs.items()
        }
        self._weights = {name: float(_chosen(loss_weights, output, 1.0)) for name, output in self._outputs.items()}
        self._metrics: dict[str, list[keras.metrics.Metric]] = {}
        self._weighted: dict[str, list[keras.metrics.Metric]] = {}
        for name, output in self._outputs.items():
            prefix = f"{name}{output.metric_separator}" if several else ""
            usual = output.create_default_metrics() if metrics is None else []
            self._metrics[name] = metrics_of(_chosen(metrics, output, usual), prefix)
            self._weighted[name] = metrics_of(_chosen(weighted_metrics, output, []), prefix)
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

    def loss(self, y: Any, y_pred: Any, sample_weight: Any, features: Any, regularization: list[Any]) -> Any:
        """The weighted sum of the outputs' losses, and of the `regularization` terms; a scalar."""
        total = tf.constant(0.0)
        for name, output in self._outputs.items():
            found = _judged(output, y, y_pred, sample_weight, features)
            numbers = _class_numbers(output, found)
            if numbers is not None:
                value = numbers.loss(self._losses[name], found.sample_weight)
            else:
                value = self._losses[name](found.targets, found.outputs, sample_weight=found.sample_weight)
            value = tf.cast(value, "float32")
            if name in self._output_losses:
                self._output_losses[name].update_state(value, sample_weight=tf.shape(found.outputs)[0])
            total += self._weights[name] * value
        extra = tf.add_n([tf.cast(term, "float32") for term in regularization]) if regularization else tf.constant(0.0)
        self._regularization.update_state(extra)
        self._batch.update_state(total + extra)
        return total + extra

    def update(self, y: Any, y_pred: Any, sample_weight: Any, features: Any) -> None:
        """Updates the metrics."""
        for name, output in self._outputs.items():
            found = _judged(output, y, y_pred, sample_weight, features)
            numbers = _class_numbers(output, found)
            if numbers is None:
                found = output.for_metrics(found, _columns([*self._metrics[name], *self._weighted[name]]))
            weighted = [(metric, found.sample_weight) for metric in self._weighted[name]]
            for metric, weight in [*((metric, None) for metric in self._metrics[name]), *weighted]:
                if numbers is not None:
                    numbers.update(metric, weight)
                else:
                    update_metric(metric, found.targets, found.outputs, weight)

    def update_every(self, steps: int, *batch: Any) -> None:
        """Updates the metrics with the first batch of an epoch and every `steps`-th after it; with none for 0."""
        if steps == 1:
            self.update(*batch)
        elif steps > 1:
            due = tf.equal((self._batch.updates - 1) % steps, 0)
            tf.cond(due, lambda: self.update(*batch), lambda: None)


def _judged(output: ModelOutput, y: Any, y_pred: Any, sample_weight: Any, features: Any) -> Prediction:
    outputs = y_pred[output.task_name] if isinstance(y_pred, Mapping) else y_pred
    if isinstance(outputs, Prediction):
        found = output.weighted(outputs, sample_weight)
    else:
        found = output.judged(outputs, y, features, sample_weight)
    shape = found.outputs.shape
    if len(shape) == 2 and shape[1] == 1:
        # Targets may come as (B,): compared as they are, they would be broadcast to (B, B).
        return found.copy_with_updates(targets=tf.reshape(found.targets, tf.shape(found.outputs)))
    return found


def _class_numbers(output: ModelOutput, found: Prediction) -> ClassNumbers | None:
    shape, target = found.outputs.shape, found.targets.shape
    if not output.targets_are_ids or len(shape) != 2 or shape[1] == 1:
        return None
    if len(target) == 1 or target[-1] == 1:
        return ClassNumbers(found.targets, found.outputs, output.task_name)
    return None


def _columns(metrics: list[keras.metrics.Metric]) -> int:
    """Most results that ranking metrics among `metrics` look at, 0 without any."""
    inner = [each for metric in metrics for each in getattr(metric, "topk_metrics", [metric])]
    return max((metric.k for metric in inner if isinstance(metric, RankingMetric)), default=0)


class _Last(keras.metrics.Metric):
    """The last value, and how many there were."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.value = self.add_variable(shape=(), initializer="zeros", name="value")
        self.updates = self.add_variable(shape=(), initializer="zeros", dtype="int32", name="updates")

    def update_state(self, value: Any, sample_weight: Any = None) -> None:
        self.value.assign(value)
        self.updates.assign_add(1)

    def result(self) -> Any:
        return tf.convert_to_tensor(self.value)


def _chosen(value: Any, output: ModelOutput, default: Any) -> Any:
    """What an argument of `compile` says for an output."""
    if value is None:
        return default
    if isinstance(value, Mapping):
        return value.get(output.task_name, value.get(output.target, default))
    return value
