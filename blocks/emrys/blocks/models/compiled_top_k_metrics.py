"""Metrics of candidates that are ranked already."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics import ItemCoverageAt, NoveltyAt, PopularityBiasAt, RankingMetric, TopKMetricsAggregator
from emrys.blocks.models.compiled_metrics import CompiledLossAndMetrics, update_metric
from emrys.blocks.retrieval.comparing import compared, hits
from emrys.blocks.retrieval.top_k_output import TopKOutput
from emrys.blocks.retrieval.top_k_prediction import TopKPrediction

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
