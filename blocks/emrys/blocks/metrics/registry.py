"""Registry of metrics, by the names that `compile(metrics=[...])` and outputs accept."""

from __future__ import annotations

import keras

from emrys.blocks.metrics.item_frequency import NoveltyAt, PopularityBiasAt
from emrys.blocks.metrics.log_loss_metric import LogLossMetric
from emrys.blocks.metrics.ranking import AvgPrecisionAt, MRRAt, NDCGAt, PrecisionAt, RecallAt
from emrys.blocks.utils.registry import Registry

#: Metrics by name: `metrics_registry.parse("recall_at")` creates a `RecallAt`; a metric is returned unchanged. "recall"
#: and "precision" are those of Keras, at a threshold; novelty and popularity bias require arguments.
metrics_registry: Registry[keras.metrics.Metric] = Registry.class_registry("metric")

for _metric, *_names in (
    (keras.metrics.AUC, "auc"),
    (keras.metrics.Accuracy, "accuracy"),
    (keras.metrics.BinaryAccuracy, "binary_accuracy"),
    (keras.metrics.CategoricalAccuracy, "categorical_accuracy"),
    (keras.metrics.MeanSquaredError, "mse", "mean_squared_error"),
    (keras.metrics.Precision, "precision"),
    (keras.metrics.Recall, "recall"),
    (keras.metrics.RootMeanSquaredError, "rmse", "root_mean_squared_error"),
    (AvgPrecisionAt, "map_at", "map"),
    (LogLossMetric, "logloss"),
    (MRRAt, "mrr_at", "mrr"),
    (NDCGAt, "ndcg_at", "ndcg"),
    (NoveltyAt, "novelty_at", "novelty"),
    (PopularityBiasAt, "popularity_bias_at", "popularity_bias"),
    (PrecisionAt, "precision_at"),
    (RecallAt, "recall_at"),
):
    metrics_registry.register_with_multiple_names(*_names)(_metric)
