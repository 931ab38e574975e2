"""Several ranking metrics that share one ranking."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics.ranking import AvgPrecisionAt, MRRAt, NDCGAt, PrecisionAt, RankedRows, RankingMetric, RecallAt


@keras.saving.register_keras_serializable("emrys")
class TopKMetricsAggregator(keras.metrics.Metric):
    """Computes several ranking metrics from one ranking of the scores.

    Args:
        *topk_metrics: The metrics, at least one. Their own `pre_sorted` is ignored: the aggregator ranks.
        pre_sorted: Whether columns are sorted, best first, and possibly truncated; `label_relevant_counts` must then be
            set before each `update_state`. Default False.
        name: Name of the aggregator; the results have the names of the metrics. Default None: from the class.
        dtype: Type of the computation. Default None: the default float type of Keras.

    Input shape:
        `y_true` and `y_pred`: (B, N), (B, L, N) or (N,), with N at least the largest k. `sample_weight`, optional: one
        weight for each row.

    Output shape:
        A dictionary with a scalar for each metric, by its name.

    Example:
        >>> import emrys.blocks as mm
        >>> metric = mm.TopKMetricsAggregator(mm.RecallAt(1), mm.RecallAt(2), mm.MRRAt(2))
        >>> metric.update_state([[0, 1, 0]], [[0.9, 0.8, 0.7]])
        >>> {name: float(value) for name, value in metric.result().items()}
        {'recall_at_1': 0.0, 'recall_at_2': 1.0, 'mrr_at_2': 0.5}
    """

    def __init__(
        self,
        *topk_metrics: RankingMetric,
        pre_sorted: bool = False,
        name: str | None = None,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if not topk_metrics:
            raise ConfigError("TopKMetricsAggregator has no metrics", expected="at least one, such as RecallAt(10)")
        for metric in topk_metrics:
            if not isinstance(metric, RankingMetric):
                raise ConfigError(
                    "TopKMetricsAggregator accepts ranking metrics only", expected="RecallAt(10)", got=repr(metric)
                )
        self.topk_metrics = list(topk_metrics)
        self.k = max(metric.k for metric in topk_metrics)
        #: Whether labels may be grades: only if all metrics take them.
        self.graded = all(metric.graded for metric in topk_metrics)
        self.pre_sorted = pre_sorted
        self.label_relevant_counts: Any = None

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:
        """Adds rows to each of the metrics.

        `label_relevant_counts`, if set, is the number of relevant items of each row, for truncated labels. It applies
        to one call.

        Args:
            y_true: (B, N), 1 for relevant items and 0 for others; grades from 0 if all metrics are graded.
            y_pred: (B, N), scores.
            sample_weight: (B,), or (B, L) for (B, L, N). Default None: each row weighs 1.

        Raises:
            ConfigError: if shapes do not match, there are fewer than k columns, `pre_sorted` is set without counts, or
                a label is neither 0 nor 1, or a grade is negative.
        """
        counts, self.label_relevant_counts = self.label_relevant_counts, None
        rows = RankedRows(self, y_true, y_pred, sample_weight, counts)
        for metric in self.topk_metrics:
            metric.update_ranked(rows.relevance, rows.relevant_counts, rows.weights, rows.ideal)

    def result(self) -> dict[str, Any]:
        """The result of each metric, by its name."""
        return {metric.name: metric.result() for metric in self.topk_metrics}

    @classmethod
    def default_metrics(cls, top_ks: Iterable[int] | int, **kwargs: Any) -> list[TopKMetricsAggregator]:
        """Recall, MRR, NDCG, MAP and precision at each cut-off.

        Args:
            top_ks: The cut-offs, or one.
            **kwargs: Arguments of the aggregator: `pre_sorted`, `name`, `dtype`.

        Returns:
            A list of one aggregator.
        """
        cutoffs = [top_ks] if isinstance(top_ks, int) else list(top_ks)
        kinds = (RecallAt, MRRAt, NDCGAt, AvgPrecisionAt, PrecisionAt)
        return [cls(*[kind(k) for k in cutoffs for kind in kinds], **kwargs)]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, with the metrics as `topk_metrics`."""
        metrics = [keras.saving.serialize_keras_object(metric) for metric in self.topk_metrics]
        return {**super().get_config(), "topk_metrics": metrics, "pre_sorted": self.pre_sorted}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TopKMetricsAggregator:
        """Creates the aggregator from `get_config`."""
        arguments = dict(config)
        metrics = [keras.saving.deserialize_keras_object(metric) for metric in arguments.pop("topk_metrics")]
        return cls(*metrics, **arguments)
