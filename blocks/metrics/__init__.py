"""What tells a good model from a bad one: ranking metrics, and metrics of what is recommended."""

from blocks.metrics.avg_precision_at import AvgPrecisionAt
from blocks.metrics.base import RankingMetric
from blocks.metrics.item_coverage_at import ItemCoverageAt
from blocks.metrics.log_loss_metric import LogLossMetric
from blocks.metrics.mrr_at import MRRAt
from blocks.metrics.ndcg_at import NDCGAt
from blocks.metrics.novelty_at import NoveltyAt
from blocks.metrics.popularity_bias_at import PopularityBiasAt
from blocks.metrics.precision_at import PrecisionAt
from blocks.metrics.recall_at import RecallAt
from blocks.metrics.registry import metrics_registry
from blocks.metrics.top_k_metrics_aggregator import TopKMetricsAggregator

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
    "metrics_registry",
]
