"""Losses and metrics of a model's outputs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.losses import CategoricalCrossEntropy, SparseCategoricalCrossEntropy, loss_registry
from emrys.blocks.metrics import (
    ItemCoverageAt,
    NoveltyAt,
    PopularityBiasAt,
    RankingMetric,
    TopKMetricsAggregator,
    metrics_registry,
)
from emrys.blocks.outputs.model_output import ModelOutput
from emrys.blocks.retrieval.top_k_layer import TopKPrediction, compared, hits
from emrys.blocks.retrieval.top_k_output import TopKOutput
from emrys.blocks.utils.registry import Registry


class CompiledLossAndMetrics:
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
            name: get_loss(_chosen(loss, output, output.default_loss)) for name, output in self._outputs.items()
        }
        self._weights = {name: float(_chosen(loss_weights, output, 1.0)) for name, output in self._outputs.items()}
        self._metrics: dict[str, list[keras.metrics.Metric]] = {}
        self._weighted: dict[str, list[keras.metrics.Metric]] = {}
        for name, output in self._outputs.items():
            prefix = f"{name}{output.metric_separator}" if several else ""
            usual = output.create_default_metrics() if metrics is None else []
            self._metrics[name] = get_metrics(_chosen(metrics, output, usual), prefix)
            self._weighted[name] = get_metrics(_chosen(weighted_metrics, output, []), prefix)
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
        found = output.with_target(outputs, y, features, sample_weight)
    shape = found.outputs.shape
    if len(shape) == 2 and shape[1] == 1:
        # Targets may come as (B,): compared as they are, they would be broadcast to (B, B).
        return found._replace(targets=tf.reshape(found.targets, tf.shape(found.outputs)))
    return found


def _class_numbers(output: ModelOutput, found: Prediction) -> SparseTargets | None:
    shape, target = found.outputs.shape, found.targets.shape
    if not output.targets_are_ids or len(shape) != 2 or shape[1] == 1:
        return None
    if len(target) == 1 or target[-1] == 1:
        return SparseTargets(found.targets, found.outputs, output.task_name)
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


_SPARSE_METRICS = (
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseCategoricalCrossentropy,
    keras.metrics.SparseTopKCategoricalAccuracy,
)


class SparseTargets:
    """The numbers of the right classes beside the scores of all.

    Args:
        numbers: (B,) or (B, 1), from 0 to N - 1.
        scores: (B, N)
        owner: Name of the output, for the error that a number out of range is.
    """

    def __init__(self, numbers: Any, scores: Any, owner: str) -> None:
        count = int(scores.shape[-1])
        numbers = tf.reshape(tf.cast(numbers, "int64"), (-1,))
        text = f"{owner}: a target is not the number of a class; expected 0 to {count - 1}"
        known = [
            tf.debugging.assert_greater_equal(numbers, tf.zeros((), numbers.dtype), text),
            tf.debugging.assert_less(numbers, tf.constant(count, numbers.dtype), text),
        ]
        with tf.control_dependencies([check for check in known if check is not None]):
            self.numbers = tf.identity(numbers)
        self.scores = scores
        self._one_hot: Any = None
        self._places: Any = None

    @property
    def one_hot(self) -> Any:
        """The targets as numbers per class, (B, N), for what cannot do without."""
        if self._one_hot is None:
            self._one_hot = tf.one_hot(self.numbers, self.scores.shape[-1], dtype=self.scores.dtype)
        return self._one_hot

    @property
    def places(self) -> Any:
        """How many classes come before the right one, (B,); among equal scores the right one comes last, NaN too."""
        if self._places is None:
            scores = tf.where(tf.math.is_nan(self.scores), float("-inf"), self.scores)
            right = tf.gather(scores, self.numbers, batch_dims=1)[:, tf.newaxis]
            self._places = tf.math.count_nonzero(scores >= right, axis=1) - 1
        return self._places

    def loss(self, loss: keras.losses.Loss, sample_weight: Any) -> Any:
        """The value of `loss`."""
        if type(loss) is CategoricalCrossEntropy and not loss.label_smoothing:
            loss = SparseCategoricalCrossEntropy(loss.from_logits, reduction=loss.reduction, dtype=loss.dtype)
        sparse = isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
        return loss(self.numbers if sparse else self.one_hot, self.scores, sample_weight=sample_weight)

    def update(self, metric: keras.metrics.Metric, sample_weight: Any = None) -> None:
        """Updates `metric`."""
        ranking = metric.topk_metrics if isinstance(metric, TopKMetricsAggregator) else [metric]
        if all(isinstance(each, RankingMetric) for each in ranking) and not metric.pre_sorted:
            weights = None if sample_weight is None else tf.reshape(sample_weight, (-1,))
            for each in ranking:
                found = tf.one_hot(self.places, each.k, dtype=each.dtype)
                each.update_ranked(found, tf.ones_like(found[:, 0]), weights)
            return
        if type(metric) is keras.metrics.Accuracy:
            # It compares numbers with numbers, and never finds a score equal to a target.
            update_metric(metric, self.numbers, tf.argmax(self.scores, axis=1), sample_weight)
            return
        target = self.numbers if isinstance(metric, _SPARSE_METRICS) else self.one_hot
        update_metric(metric, target, self.scores, sample_weight)


def update_metric(metric: keras.metrics.Metric, target: Any, outputs: Any, sample_weight: Any = None) -> None:
    """Updates a metric, which has to know of weights only where there are some."""
    if sample_weight is None:
        metric.update_state(target, outputs)
    else:
        metric.update_state(target, outputs, sample_weight=sample_weight)


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


def get_loss(loss: Any) -> keras.losses.Loss:
    """The loss of a name (in `loss_registry`, else that of Keras), of a function, or the loss itself.

    Raises:
        ConfigError: if there is none of that name.
    """
    found = _look_up(loss, loss_registry, keras.losses.get, "loss")
    return found if isinstance(found, keras.losses.Loss) else FunctionLoss(found)


def get_metric(metric: Any) -> keras.metrics.Metric:
    """The metric of a name (in `metrics_registry`, else that of Keras), of a function, or the metric itself.

    Raises:
        ConfigError: if there is none of that name, or it cannot be made without arguments.
    """
    found = _look_up(metric, metrics_registry, keras.metrics.get, "metric")
    if isinstance(found, keras.metrics.Metric):
        return found
    return keras.metrics.MeanMetricWrapper(fn=found, name=getattr(found, "__name__", "metric"))


def get_metrics(metrics: Any, prefix: str) -> list[keras.metrics.Metric]:
    """The metrics of one output.

    Args:
        metrics: One, or a list: names, functions, metrics.
        prefix: What their names begin with, where several outputs each need metrics of their own; "" takes those
            given as they are.
    """
    made = [get_metric(metric) for metric in (metrics if isinstance(metrics, (list, tuple)) else [metrics])]
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


_OF_ITEMS = (ItemCoverageAt, NoveltyAt, PopularityBiasAt)


class CompiledTopKMetrics(CompiledLossAndMetrics):
    """Compares the best candidates with the right items.

    Ranking metrics take the candidates in the order in which they are given, ties included, and count all right items,
    found or not. `ItemCoverageAt`, `NoveltyAt` and `PopularityBiasAt` take the identifiers; other metrics take the
    scores and, as targets, whether each candidate is right. The output's default metrics look at K candidates where
    they would look at more.

    Args:
        output: The model's output.
        metrics: A list, or a dictionary by output or target. Default: the output's own.
        **kwargs: Further arguments of `CompiledLossAndMetrics`.

    Raises:
        ConfigError: if a metric that was asked for looks at more candidates than there are.
    """

    def __init__(self, output: TopKOutput, metrics: Any = None, **kwargs: Any) -> None:
        super().__init__([output], metrics=_defaults(output) if metrics is None else metrics, **kwargs)
        self.arguments["metrics"] = metrics
        self._output = output
        for metric in [*self._metrics[output.task_name], *self._weighted[output.task_name]]:
            if isinstance(metric, (RankingMetric, TopKMetricsAggregator, *_OF_ITEMS)) and metric.k > output.to_call.k:
                raise ConfigError(
                    f"{metric.name} looks at more candidates than there are",
                    expected=f"a cut-off up to {output.to_call.k}",
                    got=str(metric.k),
                    fix=f"Give compile(k={metric.k}), or metrics with a smaller cut-off.",
                )

    def loss(self, y: Any, y_pred: Any, sample_weight: Any, features: Any, regularization: list[Any]) -> Any:
        """The loss of the scores of the best candidates; a scalar."""
        prediction = compared(y_pred, self._targets(y))
        prediction = prediction._replace(outputs=self._output.scale(prediction.outputs, True))
        return super().loss(y, prediction, sample_weight, features, regularization)

    def update(self, y: Any, y_pred: TopKPrediction, sample_weight: Any, features: Any) -> None:
        """Updates the metrics."""
        found, counts = hits(y_pred.identifiers, self._targets(y))
        weighted = self._output.weighted(compared(y_pred, self._targets(y)), sample_weight)
        name = self._output.task_name
        weights = None if weighted.sample_weight is None else tf.reshape(weighted.sample_weight, (-1,))
        pairs = [
            *((metric, None) for metric in self._metrics[name]),
            *((each, weights) for each in self._weighted[name]),
        ]
        for metric, weight in pairs:
            if isinstance(metric, (RankingMetric, TopKMetricsAggregator)):
                for each in _parts(metric):
                    each.update_ranked(tf.cast(found, each.dtype), tf.cast(counts, each.dtype), weight)
            elif isinstance(metric, _OF_ITEMS):
                metric.update_state(y_pred.identifiers, sample_weight=weight)
            else:
                update_metric(metric, weighted.targets, weighted.outputs, weight)

    def _targets(self, y: Any) -> Any:
        if y is None:
            raise ConfigError(
                f"{self._output.task_name} has nothing to compare with",
                expected="targets, ids of the right items",
                fix="Tag the column as a target in the schema, or name it in TopKEncoder(target=).",
            )
        return self._output.targets_of(y)


def _defaults(output: TopKOutput) -> list[keras.metrics.Metric]:
    most, usual = output.to_call.k, output.create_default_metrics()
    return [type(one)(most) if isinstance(one, RankingMetric) and one.k > most else one for one in usual]


def _parts(metric: RankingMetric | TopKMetricsAggregator) -> list[keras.metrics.Metric]:
    return list(metric.topk_metrics) if isinstance(metric, TopKMetricsAggregator) else [metric]
