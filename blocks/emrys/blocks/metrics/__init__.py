"""Metrics: ranking metrics, log loss, and metrics of the recommended items."""

from emrys.blocks.metrics.extract_topk import extract_topk
from emrys.blocks.metrics.item_coverage_at import ItemCoverageAt
from emrys.blocks.metrics.item_frequency import NoveltyAt, PopularityBiasAt
from emrys.blocks.metrics.log_loss_metric import LogLossMetric
from emrys.blocks.metrics.ranking import AvgPrecisionAt, MRRAt, NDCGAt, PrecisionAt, RankingMetric, RecallAt
from emrys.blocks.metrics.registry import metrics_registry
from emrys.blocks.metrics.top_k_metrics_aggregator import TopKMetricsAggregator

__all__ = [
    "AvgPrecisionAt",
    "ItemCoverageAt",
    "LogLossMetric",
    "MRRAt",
    "NDCGAt",
    "NoveltyAt",
    "PopularityBiasAt",
    "PrecisionAt",
    "RankingMetric",
    "RecallAt",
    "TopKMetricsAggregator",
    "extract_topk",
    "metrics_registry",
]
