"""Losses and metrics of a model's outputs, as `compile` configures them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError
from emrys.blocks.losses import CategoricalCrossEntropy, loss_registry
from emrys.blocks.metrics import (
    ItemCoverageAt,
    NoveltyAt,
    PopularityBiasAt,
    RankingMetric,
    TopKMetricsAggregator,
    metrics_registry,
)
from emrys.blocks.outputs.model_output import ModelOutput
from emrys.blocks.retrieval.top_k_layer import hits, with_relevance
from emrys.blocks.retrieval.top_k_output import TopKOutput
from emrys.blocks.utils.registry import Registry

#: A metric, its name or class, or a function of targets and predictions.
MetricArgument: TypeAlias = "str | keras.metrics.Metric | type[keras.metrics.Metric] | Callable[..., object]"
#: The metrics of `compile`: for all outputs, a list for each output, or by output or target.
MetricsArgument: TypeAlias = (
    "MetricArgument | Sequence[MetricArgument | Sequence[MetricArgument]]"
    " | Mapping[str, MetricArgument | Sequence[MetricArgument]] | None"
)


class CompiledLossAndMetrics:
    """The losses and metrics of all outputs of a compiled model.

    With one output, metrics keep their names; with several, they are called `<output>/<metric>` (`<task>_<metric>` for
    a task of the first generation), and each output's loss is reported as `<output>_loss`. Weighted metrics are called
    `weighted_<metric>`; those of the first generation only if they would be called like another one otherwise.

    Args:
        outputs: The model's outputs.
        loss: One loss for all, or a dictionary by output or target. Default: each output's own.
        metrics: A metric or a list, of which each output gets a copy; a list with a list for each output, in the order
            of their names; or a dictionary by output or target. Default: each output's own.
        weighted_metrics: The same, for metrics that take sample weights. Default: none.
        loss_weights: Weight of each output's loss, by output or target. Default: 1.

    Raises:
        ConfigError: if two outputs have one name, or an argument does not fit the outputs.
    """

    def __init__(
        self,
        outputs: list[ModelOutput],
        loss: str | keras.losses.Loss | Mapping[str, str | keras.losses.Loss] | None = None,
        metrics: MetricsArgument = None,
        weighted_metrics: MetricsArgument = None,
        loss_weights: Mapping[str, float] | None = None,
    ) -> None:
        #: The arguments of `compile`. As an attribute of the model, Keras would track the metrics among them twice.
        self.arguments = {
            "loss": loss,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "loss_weights": loss_weights,
        }
        self._outputs = {output.task_name: output for output in outputs}
        #: Whether Keras computes loss and metrics: those of a model without outputs.
        self.by_keras = not outputs and loss is not None
        several = len(outputs) > 1
        if len(self._outputs) < len(outputs):
            raise ConfigError(
                "compile: two outputs have one name",
                expected="different names",
                got=", ".join(output.task_name for output in outputs),
                fix="Give name= to an output.",
            )
        metrics, weighted_metrics = (
            self._by_output(argument, value)
            for argument, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics))
        )
        for argument, value in self.arguments.items() if outputs else ():
            self._check_names(argument, value)
        for argument in ("loss", "loss_weights"):
            self._check_no_list(argument, self.arguments[argument])
        self._losses = {
            name: get_loss(_value_for_output(loss, output, output.default_loss))
            for name, output in self._outputs.items()
        }
        self._weights = {
            name: float(_value_for_output(loss_weights, output, 1.0)) for name, output in self._outputs.items()
        }
        self._metrics: dict[str, list[keras.metrics.Metric]] = {}
        self._weighted: dict[str, list[keras.metrics.Metric]] = {}
        for name, output in self._outputs.items():
            prefix = f"{name}{output.metric_separator}" if several else ""
            default = output.create_default_metrics() if metrics is None else []
            unweighted = get_metrics(_value_for_output(metrics, output, default), unnumbered=several)
            self._metrics[name] = [_renamed(metric, prefix) for metric in unweighted]
            weighted = get_metrics(_value_for_output(weighted_metrics, output, []), unnumbered=several)
            self._weighted[name] = [_weighted(metric, prefix, self._metrics[name], output) for metric in weighted]
        self._output_losses = {name: keras.metrics.Mean(name=f"{name}_loss") for name in self._outputs if several}
        self._regularization = keras.metrics.Mean(name="regularization_loss")
        self._last_loss = _LastValue(name="loss_batch")

    def _by_output(self, argument: str, value: Any) -> Any:
        """Metrics by output if they are a list with a list for each output; otherwise unchanged."""
        if (
            not self._outputs
            or not isinstance(value, (list, tuple))
            or not any(isinstance(each, (list, tuple)) for each in value)
        ):
            return value
        if len(value) != len(self._outputs):
            raise ConfigError(
                f"compile: {argument} has a list for each output",
                expected=f"{len(self._outputs)} entries, for {', '.join(sorted(self._outputs))}",
                got=str(len(value)),
            )
        return dict(zip(sorted(self._outputs), value, strict=True))

    def _check_names(self, argument: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            return
        known = {name for output in self._outputs.values() for name in (output.task_name, output.target) if name}
        for name in value:
            if name not in known:
                raise ConfigError(f"compile: {argument} names {name!r}", expected=f"one of {', '.join(sorted(known))}")

    def _check_no_list(self, argument: str, value: Any) -> None:
        # Outputs are called by name; their order is not one that a program sees.
        if self._outputs and isinstance(value, (list, tuple)):
            raise ConfigError(
                f"compile: {argument}",
                expected=f"a dictionary by output or target ({', '.join(sorted(self._outputs))})",
                got=repr(value),
                fix=f"Give {argument}={{{min(self._outputs)!r}: ...}}.",
            )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics that Keras reports and resets."""
        metrics = [*self._output_losses.values()]
        for name in self._outputs:
            metrics += [*self._metrics[name], *self._weighted[name]]
        return [] if self.by_keras else [*metrics, self._regularization, self._last_loss]

    def loss(
        self,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None,
        y_pred: tf.Tensor | Mapping[str, tf.Tensor] | Prediction,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None,
        features: Mapping[str, tf.Tensor] | None,
        regularization: Sequence[tf.Tensor],
    ) -> Any:
        """Returns the weighted sum of the outputs' losses plus the `regularization` terms, a scalar."""
        total = tf.constant(0.0)
        for name, output in self._outputs.items():
            prediction = _prediction(output, y, y_pred, sample_weight, features)
            sparse = _sparse_targets(output, prediction)
            if sparse is not None:
                value = sparse.loss(self._losses[name], prediction.sample_weight)
            else:
                value = self._losses[name](
                    prediction.targets, prediction.outputs, sample_weight=prediction.sample_weight
                )
            value = tf.cast(value, "float32")
            if name in self._output_losses:
                self._output_losses[name].update_state(value, sample_weight=tf.shape(prediction.outputs)[0])
            total += self._weights[name] * value
        extra = tf.add_n([tf.cast(term, "float32") for term in regularization]) if regularization else tf.constant(0.0)
        self._regularization.update_state(extra)
        self._last_loss.update_state(total + extra)
        return total + extra

    def update(
        self,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None,
        y_pred: tf.Tensor | Mapping[str, tf.Tensor] | Prediction,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None,
        features: Mapping[str, tf.Tensor] | None,
    ) -> None:
        """Updates the metrics with a batch."""
        for name, output in self._outputs.items():
            prediction = _prediction(output, y, y_pred, sample_weight, features)
            sparse = _sparse_targets(output, prediction)
            if sparse is None:
                metrics = [*self._metrics[name], *self._weighted[name]]
                prediction = output.for_metrics(prediction, _largest_k(metrics))
            weighted = [(metric, prediction.sample_weight) for metric in self._weighted[name]]
            for metric, weight in [*((metric, None) for metric in self._metrics[name]), *weighted]:
                if sparse is not None:
                    sparse.update(metric, weight)
                else:
                    update_metric(metric, prediction.targets, prediction.outputs, weight)

    def update_every(self, steps: int, *batch: Any) -> None:
        """Updates the metrics with the first batch of an epoch and every `steps`-th one after it; never if 0."""
        if steps == 1:
            self.update(*batch)
        elif steps > 1:
            due = tf.equal((self._last_loss.updates - 1) % steps, 0)
            tf.cond(due, lambda: self.update(*batch), lambda: None)


def _prediction(output: ModelOutput, y: Any, y_pred: Any, sample_weight: Any, features: Any) -> Prediction:
    """The prediction of `output` with its target and sample weights."""
    if isinstance(y_pred, Mapping) and output.task_name not in y_pred:
        raise ConfigError(
            f"the model returns no prediction of {output.task_name}",
            expected=f"a dictionary with {output.task_name!r}",
            got=", ".join(map(repr, y_pred)),
            fix="Call the branches of the outputs by their task names.",
        )
    outputs = y_pred[output.task_name] if isinstance(y_pred, Mapping) else y_pred
    if isinstance(outputs, Prediction):
        prediction = output.weighted(outputs, sample_weight)
    else:
        prediction = output.with_target(outputs, y, features, sample_weight)
    shape = prediction.outputs.shape
    if len(shape) == 2 and shape[1] == 1:
        # Targets of shape (B,) would be broadcast against (B, 1) to (B, B).
        return prediction._replace(targets=tf.reshape(prediction.targets, tf.shape(prediction.outputs)))
    return prediction


def _sparse_targets(output: ModelOutput, prediction: Prediction) -> SparseTargets | None:
    """The targets as class ids where the output takes them so; None for targets per class."""
    shape, target = prediction.outputs.shape, prediction.targets.shape
    if not output.targets_are_ids or len(shape) != 2 or shape[1] == 1:
        return None
    if len(target) == 1 or target[-1] == 1:
        return SparseTargets(prediction.targets, prediction.outputs, output.task_name)
    return None


def _largest_k(metrics: list[keras.metrics.Metric]) -> int:
    """The largest cut-off of the ranking metrics among `metrics`; 0 if there are none."""
    inner = [each for metric in metrics for each in getattr(metric, "topk_metrics", [metric])]
    return max((metric.k for metric in inner if isinstance(metric, RankingMetric)), default=0)


class _LastValue(keras.metrics.Metric):
    """The last value, and the number of updates."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.value = self.add_variable(shape=(), initializer="zeros", name="value")
        self.updates = self.add_variable(shape=(), initializer="zeros", dtype="int32", name="updates")

    def update_state(self, value: Any, sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None) -> None:
        self.value.assign(value)
        self.updates.assign_add(1)

    def result(self) -> Any:
        return tf.convert_to_tensor(self.value)


def _value_for_output(value: Any, output: ModelOutput, default: Any) -> Any:
    """The entry of an argument of `compile` for one output."""
    if value is None:
        return default
    if isinstance(value, Mapping):
        return value.get(output.task_name, value.get(output.target, default))
    return value


#: Losses that accept class ids besides one-hot targets; a subclass may have a `call` that does not.
_ID_LOSSES = (CategoricalCrossEntropy,)

#: Metrics of class ids.
_SPARSE_METRICS = (
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseCategoricalCrossentropy,
    keras.metrics.SparseTopKCategoricalAccuracy,
)


class SparseTargets:
    """Targets as class ids, with the logits of all classes.

    Args:
        class_ids: (B,) or (B, 1), from 0 to N - 1.
        logits: (B, N)
        owner: Name of the output, for error messages.
    """

    def __init__(self, class_ids: tf.Tensor, logits: tf.Tensor, owner: str) -> None:
        count = int(logits.shape[-1])
        class_ids = tf.reshape(tf.cast(class_ids, "int64"), (-1,))
        text = f"{owner}: a target is not the number of a class; expected 0 to {count - 1}"
        checks = [
            tf.debugging.assert_greater_equal(class_ids, tf.zeros((), class_ids.dtype), text),
            tf.debugging.assert_less(class_ids, tf.constant(count, class_ids.dtype), text),
        ]
        with tf.control_dependencies([check for check in checks if check is not None]):
            self.class_ids = tf.identity(class_ids)
        self.logits = logits
        self._one_hot: Any = None
        self._ranks: Any = None

    @property
    def one_hot(self) -> tf.Tensor:
        """One-hot targets, (B, N), for losses and metrics that need them."""
        if self._one_hot is None:
            self._one_hot = tf.one_hot(self.class_ids, self.logits.shape[-1], dtype=self.logits.dtype)
        return self._one_hot

    @property
    def ranks(self) -> tf.Tensor:
        """Rank of the target class, (B,), from 0. Among equal logits the target ranks last; NaN ranks last of all."""
        if self._ranks is None:
            logits = tf.where(tf.math.is_nan(self.logits), float("-inf"), self.logits)
            target_logit = tf.gather(logits, self.class_ids, batch_dims=1)[:, tf.newaxis]
            self._ranks = tf.math.count_nonzero(logits >= target_logit, axis=1) - 1
        return self._ranks

    def loss(self, loss: keras.losses.Loss, sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None) -> tf.Tensor:
        """Returns the value of `loss`, from class ids where it accepts them and from one-hot targets elsewhere."""
        accepts_ids = isinstance(loss, keras.losses.SparseCategoricalCrossentropy) or type(loss) in _ID_LOSSES
        return loss(self.class_ids if accepts_ids else self.one_hot, self.logits, sample_weight=sample_weight)

    def update(
        self, metric: keras.metrics.Metric, sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None
    ) -> None:
        """Updates `metric` with the batch."""
        ranking = metric.topk_metrics if isinstance(metric, TopKMetricsAggregator) else [metric]
        if all(isinstance(each, RankingMetric) for each in ranking) and not metric.pre_sorted:
            weights = None if sample_weight is None else tf.reshape(sample_weight, (-1,))
            for each in ranking:
                matches = tf.one_hot(self.ranks, each.k, dtype=each.dtype)
                each.update_ranked(matches, tf.ones_like(matches[:, 0]), weights)
            return
        if type(metric) is keras.metrics.Accuracy:
            # It compares ids with ids: no logit equals a target.
            update_metric(metric, self.class_ids, tf.argmax(self.logits, axis=1), sample_weight)
            return
        target = self.class_ids if isinstance(metric, _SPARSE_METRICS) else self.one_hot
        update_metric(metric, target, self.logits, sample_weight)


def update_metric(
    metric: keras.metrics.Metric,
    target: tf.Tensor,
    outputs: tf.Tensor | Mapping[str, tf.Tensor] | Prediction,
    sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
) -> None:
    """Updates a metric; `sample_weight` is passed only if there is one, since not every metric accepts it."""
    if sample_weight is None:
        metric.update_state(target, outputs)
    else:
        metric.update_state(target, outputs, sample_weight=sample_weight)


class FunctionLoss(keras.losses.Loss):
    """A function of targets and predictions, averaged over the batch with the sample weights.

    Args:
        function: Called with targets and predictions; returns a value for each row.
    """

    def __init__(self, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> None:
        super().__init__(name=getattr(function, "__name__", "loss"))
        self._function = function

    def call(self, y_true: tf.Tensor, y_pred: Any) -> Any:
        """Returns the function's values, one for each row."""
        return self._function(keras.ops.cast(y_true, y_pred.dtype), y_pred)


def get_loss(loss: str | keras.losses.Loss | Mapping[str, str | keras.losses.Loss] | None) -> keras.losses.Loss:
    """Returns a loss, given the loss itself, a function, or a name in `loss_registry` or in Keras.

    Raises:
        ConfigError: if the name is unknown.
    """
    resolved = _resolve(loss, loss_registry, keras.losses.get, "loss")
    return resolved if isinstance(resolved, keras.losses.Loss) else FunctionLoss(resolved)


def get_metric(metric: MetricArgument) -> keras.metrics.Metric:
    """Returns a metric, given the metric itself, a function, or a name in `metrics_registry` or in Keras.

    Raises:
        ConfigError: if the name is unknown, or the metric requires arguments.
    """
    resolved = _resolve(metric, metrics_registry, keras.metrics.get, "metric")
    if isinstance(resolved, keras.metrics.Metric):
        return resolved
    return keras.metrics.MeanMetricWrapper(fn=resolved, name=getattr(resolved, "__name__", "metric"))


def get_metrics(metrics: MetricsArgument, unnumbered: bool = False) -> list[keras.metrics.Metric]:
    """Returns the metrics of one output.

    Args:
        metrics: One metric or a list: names, functions, metrics.
        unnumbered: Whether metrics lose the number by which Keras distinguishes those that were created without a name
            ("auc_1"). Default: only those of which `metrics` holds the names or classes.
    """
    resolved: list[keras.metrics.Metric] = []
    for metric in metrics if isinstance(metrics, (list, tuple)) else [metrics]:
        created = get_metric(metric)
        name = re.sub(r"_\d+$", "", created.name)
        numbered = name != created.name and name.replace("_", "") == type(created).__name__.lower()
        if numbered and (unnumbered or created is not metric) and name not in {each.name for each in resolved}:
            created = type(created).from_config({**created.get_config(), "name": name})
        resolved.append(created)
    return resolved


def _weighted(
    metric: keras.metrics.Metric, prefix: str, metrics: list[keras.metrics.Metric], output: ModelOutput
) -> keras.metrics.Metric:
    """A weighted metric under its name in the results."""
    taken = {name for each in metrics for name in _result_names(each)}
    collides = any(prefix + name in taken for name in _result_names(metric))
    return _renamed(metric, prefix + ("" if output.first_generation and not collides else "weighted_"))


def _result_names(metric: keras.metrics.Metric) -> list[str]:
    return [each.name for each in getattr(metric, "topk_metrics", [metric])]


def _renamed(metric: keras.metrics.Metric, prefix: str) -> keras.metrics.Metric:
    """A copy of a metric whose name begins with `prefix`; the metric itself for an empty one."""
    if not prefix:
        return metric
    if isinstance(metric, TopKMetricsAggregator):
        # Its results have the names of its inner metrics.
        inner = [_renamed(each, prefix) for each in metric.topk_metrics]
        return TopKMetricsAggregator(*inner, pre_sorted=metric.pre_sorted, name=prefix + metric.name)
    config = metric.get_config()
    # Not `metric.name`: ranking metrics append their cut-off to the `name` argument.
    return type(metric).from_config({**config, "name": prefix + config["name"]})


def _resolve(value: Any, registry: Registry[Any], keras_get: Callable[[Any], Any], kind: str) -> Any:
    if not isinstance(value, str):
        return keras_get(value)
    if value in registry:
        try:
            return registry.parse(value)
        except TypeError:
            raise ConfigError(
                f"compile: the {kind} {value!r} requires arguments",
                fix=f"Give the {kind} itself instead of its name.",
            ) from None
    try:
        return keras_get(value)
    except ValueError:
        near = difflib.get_close_matches(value, registry.keys(), n=1)
        raise ConfigError(
            f"compile: unknown {kind} {value!r}",
            expected=f"one of {', '.join(sorted(registry.keys()))}, or a {kind} of Keras",
            fix=f"Did you mean {near[0]!r}?" if near else None,
        ) from None


#: Metrics of the recommended items, whatever the targets.
_ITEM_METRICS = (ItemCoverageAt, NoveltyAt, PopularityBiasAt)


class CompiledTopKMetrics(CompiledLossAndMetrics):
    """The loss and metrics of a top-k output, which compare the top K candidates with the relevant items.

    Ranking metrics take the candidates in order, ties included, and count all relevant items, retrieved or not.
    `ItemCoverageAt`, `NoveltyAt` and `PopularityBiasAt` take the identifiers; other metrics take the scores and, as
    targets, the relevance of each candidate. A default metric with a cut-off above K gets the cut-off K.

    Args:
        output: The model's output.
        metrics: A list, or a dictionary by output or target. Default: the output's own.
        **kwargs: Further arguments of `CompiledLossAndMetrics`.

    Raises:
        ConfigError: if the cut-off of a metric is larger than K.
    """

    def __init__(self, output: TopKOutput, metrics: MetricsArgument = None, **kwargs: Any) -> None:
        super().__init__([output], metrics=_defaults(output) if metrics is None else metrics, **kwargs)
        self.arguments["metrics"] = metrics
        self._output = output
        for metric in [*self._metrics[output.task_name], *self._weighted[output.task_name]]:
            if (
                isinstance(metric, (RankingMetric, TopKMetricsAggregator, *_ITEM_METRICS))
                and metric.k > output.to_call.k
            ):
                raise ConfigError(
                    f"{metric.name} looks at more candidates than there are",
                    expected=f"a cut-off up to {output.to_call.k}",
                    got=str(metric.k),
                    fix=f"Give compile(k={metric.k}), or metrics with a smaller cut-off.",
                )

    def loss(
        self,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None,
        y_pred: Any,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None,
        features: Mapping[str, tf.Tensor] | None,
        regularization: Sequence[tf.Tensor],
    ) -> Any:
        """Returns the loss of the scores of the top K candidates, a scalar."""
        prediction = with_relevance(y_pred, self._targets(y))
        prediction = prediction._replace(outputs=self._output.scale(prediction.outputs, True))
        return super().loss(y, prediction, sample_weight, features, regularization)

    def update(
        self,
        y: tf.Tensor | Mapping[str, tf.Tensor] | None,
        y_pred: Any,
        sample_weight: tf.Tensor | Mapping[str, tf.Tensor] | None,
        features: Mapping[str, tf.Tensor] | None,
    ) -> None:
        """Updates the metrics with a batch."""
        matches, counts = hits(y_pred.identifiers, self._targets(y))
        weighted = self._output.weighted(with_relevance(y_pred, self._targets(y)), sample_weight)
        name = self._output.task_name
        weights = None if weighted.sample_weight is None else tf.reshape(weighted.sample_weight, (-1,))
        pairs = [
            *((metric, None) for metric in self._metrics[name]),
            *((each, weights) for each in self._weighted[name]),
        ]
        for metric, weight in pairs:
            if isinstance(metric, (RankingMetric, TopKMetricsAggregator)):
                for each in _parts(metric):
                    each.update_ranked(tf.cast(matches, each.dtype), tf.cast(counts, each.dtype), weight)
            elif isinstance(metric, _ITEM_METRICS):
                metric.update_state(y_pred.identifiers, sample_weight=weight)
            else:
                update_metric(metric, weighted.targets, weighted.outputs, weight)

    def _targets(self, y: Any) -> Any:
        if y is None:
            raise ConfigError(
                f"{self._output.task_name} has nothing to compare with",
                expected="targets, ids of the relevant items",
                fix="Tag the column as a target in the schema, or name it in TopKEncoder(target=).",
            )
        return self._output.targets_of(y)


def _defaults(output: TopKOutput) -> list[keras.metrics.Metric]:
    k = output.to_call.k
    return [
        type(metric)(k) if isinstance(metric, RankingMetric) and metric.k > k else metric
        for metric in output.create_default_metrics()
    ]


def _parts(metric: RankingMetric | TopKMetricsAggregator) -> list[keras.metrics.Metric]:
    return list(metric.topk_metrics) if isinstance(metric, TopKMetricsAggregator) else [metric]
