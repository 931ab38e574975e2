"""Recommendations, measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emrys.components.contracts.measured_rows import MODEL
from emrys.components.evaluate_retrieval.config import EvaluateRetrievalConfig
from emrys.components.evaluation.ranking_metrics import coverage, hits, mrr, ndcg, novelty, recall
from emrys.components.retrieval.queries import Queries

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Performance:
    """One way to recommend.

    Attributes:
        scorer: `model`, `popularity`, `last_item` or `production`.
        values: Metrics query by query, (Q,) by name.
        coverage: Share of the catalogue that is recommended to somebody.
        recalls: Mean recall at 1, 2, … up to the longest list.
    """

    scorer: str
    values: dict[str, Floats]
    coverage: float
    recalls: list[float]

    def named(self, config: EvaluateRetrievalConfig) -> dict[str, float]:
        """The means of all metrics by name; other scorers than the model have their name in front."""
        start = "" if self.scorer == MODEL else f"{self.scorer}_"
        means = {name: _mean(value) for name, value in self.values.items()}
        found = {**means, f"coverage_at_{config.k}": self.coverage}
        return {start + name: value for name, value in found.items()}


def measure(scorer: str, found: Ints, queries: Queries, share: Floats, config: EvaluateRetrievalConfig) -> Performance:
    """Measures what was recommended.

    Args:
        scorer: Who recommended.
        found: Places of the recommended items, best first, (Q, K).
        queries: What is right.
        share: Share of the train users who have had each item, above 0, (N,).
        config: Lengths of the lists.
    """
    hit = hits(found, queries.right, len(share))
    values = {
        f"ndcg_at_{config.k}": ndcg(hit, queries.totals, config.k),
        f"recall_at_{config.recall_k}": recall(hit, queries.totals, config.recall_k),
        f"mrr_at_{config.k}": mrr(hit, config.k),
        f"novelty_at_{config.k}": novelty(found, share, config.k),
    }
    recalls = (np.cumsum(hit, axis=1) / queries.totals[:, None]).mean(axis=0)
    return Performance(scorer, values, coverage(found, len(share), config.k), recalls.tolist())


def _mean(values: Floats) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else 0.0
