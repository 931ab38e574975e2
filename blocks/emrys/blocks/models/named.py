"""Losses and metrics by name, and metrics for one of several outputs."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import keras

from emrys.blocks.errors import ConfigError
from emrys.blocks.losses import loss_registry
from emrys.blocks.metrics import TopKMetricsAggregator, metrics_registry
from emrys.blocks.utils.registry import Registry


class FunctionLoss(keras.losses.Loss):
    """A function of targets and predictions, averaged over the batch with the sample weights.

    Args:
        function: Gives a value for each row, from targets and predictions.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(name=getattr(function, "__name__", "loss"))
        self._function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The function's values."""
        return self._function(keras.ops.cast(y_true, y_pred.dtype), y_pred)


def as_loss(loss: Any) -> keras.losses.Loss:
    """The loss of a name (in `loss_registry`, else that of Keras), of a function, or the loss itself.

    Raises:
        ConfigError: if there is none of that name.
    """
    found = _look_up(loss, loss_registry, keras.losses.get, "loss")
    return found if isinstance(found, keras.losses.Loss) else FunctionLoss(found)


def as_metric(metric: Any) -> keras.metrics.Metric:
    """The metric of a name (in `metrics_registry`, else that of Keras), of a function, or the metric itself.

    Raises:
        ConfigError: if there is none of that name, or it cannot be made without arguments.
    """
    found = _look_up(metric, metrics_registry, keras.metrics.get, "metric")
    if isinstance(found, keras.metrics.Metric):
        return found
    return keras.metrics.MeanMetricWrapper(fn=found, name=getattr(found, "__name__", "metric"))


def metrics_of(metrics: Any, prefix: str) -> list[keras.metrics.Metric]:
    """The metrics of one output.

    Args:
        metrics: One, or a list: names, functions, metrics.
        prefix: What their names begin with, where several outputs each need metrics of their own; "" takes those
            given as they are.
    """
    made = [as_metric(metric) for metric in (metrics if isinstance(metrics, (list, tuple)) else [metrics])]
    return [_prefixed(metric, prefix) for metric in made] if prefix else made


def _prefixed(metric: keras.metrics.Metric, prefix: str) -> keras.metrics.Metric:
    if isinstance(metric, TopKMetricsAggregator):
        # Its results go by the names of the metrics inside.
        inner = [_prefixed(each, prefix) for each in metric.topk_metrics]
        return TopKMetricsAggregator(*inner, pre_sorted=metric.pre_sorted, name=prefix + metric.name)
    config = metric.get_config()
    # Not `metric.name`: ranking metrics add their cut-off to the name that they are given.
    return type(metric).from_config({**config, "name": prefix + config["name"]})


def _look_up(value: Any, registry: Registry[Any], of_keras: Callable[[Any], Any], what: str) -> Any:
    if not isinstance(value, str):
        return of_keras(value)
    if value in registry:
        try:
            return registry.parse(value)
        except TypeError:
            raise ConfigError(
                f"compile: the {what} {value!r} cannot be made without arguments",
                fix=f"Give the {what} itself instead of its name.",
            ) from None
    try:
        return of_keras(value)
    except ValueError:
        near = difflib.get_close_matches(value, registry.keys(), n=1)
        raise ConfigError(
            f"compile: unknown {what} {value!r}",
            expected=f"one of {', '.join(sorted(registry.keys()))}, or a {what} of Keras",
            fix=f"Did you mean {near[0]!r}?" if near else None,
        ) from None
