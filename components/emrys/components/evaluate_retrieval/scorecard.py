"""Metrics of recommendations: per query, in total, and for several scorers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emrys.components.contracts.measured_rows import MODEL, MeasuredRows
from emrys.components.evaluate_retrieval.config import EvaluateRetrievalConfig
from emrys.components.evaluation.ranking_metrics import coverage, hits, mrr, ndcg, novelty, recall
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import InteractionLog, Queries

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Performance:
    """Metrics of one scorer.

    Attributes:
        scorer: `model`, `popularity`, `last_item` or `production`.
        values: (Q,) metric of each query, by name.
        coverage: Share of the catalogue that is recommended to at least one query.
        recalls: Mean recall at 1, 2, … up to the longest list.
    """

    scorer: str
    values: dict[str, Floats]
    coverage: float
    recalls: list[float]

    def metrics(self, config: EvaluateRetrievalConfig) -> dict[str, float]:
        """Mean of each metric by name; the names of scorers other than the model are prefixed."""
        prefix = "" if self.scorer == MODEL else f"{self.scorer}_"
        means = {name: _mean(value) for name, value in self.values.items()}
        return {prefix + name: value for name, value in {**means, f"coverage_at_{config.k}": self.coverage}.items()}


def measure(
    scorer: str, recommended: Ints, queries: Queries, share: Floats, config: EvaluateRetrievalConfig
) -> Performance:
    """Computes the metrics of a scorer.

    Args:
        scorer: Name of the scorer.
        recommended: (Q, K) positions of the recommended items, best first.
        queries: The queries with their relevant items.
        share: (N,) share of the train users who have seen each item, above 0.
        config: Lengths of the lists.
    """
    hit = hits(recommended, queries.relevant, len(share))
    relevant = queries.relevant_counts
    values = {
        f"ndcg_at_{config.k}": ndcg(hit, relevant, config.k),
        f"recall_at_{config.recall_k}": recall(hit, relevant, config.recall_k),
        f"mrr_at_{config.k}": mrr(hit, config.k),
        f"novelty_at_{config.k}": novelty(recommended, share, config.k),
    }
    recalls = (np.cumsum(hit, axis=1) / relevant[:, None]).mean(axis=0)
    return Performance(scorer, values, coverage(recommended, len(share), config.k), recalls.tolist())


def seen_share(train: InteractionLog, catalogue: Catalogue) -> Floats:
    """(N,) share of the train users who have seen each item."""
    pairs = np.unique(np.stack([train.users, catalogue.positions(train.items)]), axis=1)
    counts = np.bincount(pairs[1][pairs[1] >= 0], minlength=len(catalogue))
    return counts / len(np.unique(train.users))


def measured_rows(performances: Sequence[Performance], slices: Mapping[str, npt.NDArray[np.object_]]) -> MeasuredRows:
    """Metric values of each query, for the gate and the reports."""
    count = len(next(iter(performances[0].values.values())))
    values = {(name, each.scorer): value for each in performances for name, value in each.values.items()}
    return MeasuredRows(units=np.arange(count), values=values, slices=dict(slices))


def counts(train: InteractionLog, test: InteractionLog, queries: Queries, catalogue: Catalogue) -> dict[str, int]:
    """Numbers of rows, queries, items, relevant items (`right`) and new users."""
    relevant = int(queries.relevant_counts.sum())
    return {
        "train_rows": len(train.users),
        "rows": len(test.users),
        "queries": len(queries),
        "items": len(catalogue),
        "right": relevant,
        "right_not_in_catalogue": relevant - len(queries.relevant.values),
        "new_users": int((~np.isin(queries.users, train.users)).sum()),
    }


def _mean(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else 0.0
