"""What tells a good model from a bad one: ranking metrics, and metrics of what is recommended."""

from emrys.blocks.metrics.avg_precision_at import AvgPrecisionAt
from emrys.blocks.metrics.base import RankingMetric
from emrys.blocks.metrics.item_coverage_at import ItemCoverageAt
from emrys.blocks.metrics.log_loss_metric import LogLossMetric
from emrys.blocks.metrics.mrr_at import MRRAt
from emrys.blocks.metrics.ndcg_at import NDCGAt
from emrys.blocks.metrics.novelty_at import NoveltyAt
from emrys.blocks.metrics.popularity_bias_at import PopularityBiasAt
from emrys.blocks.metrics.precision_at import PrecisionAt
from emrys.blocks.metrics.recall_at import RecallAt
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
    "metrics_registry",
]
