"""Metrics of recommendations: per query, in total, and for several scorers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emrys.components.contracts.measured_rows import MeasuredRows, metric_key
from emrys.components.evaluate_retrieval.config import EvaluateRetrievalConfig
from emrys.components.evaluation.ranking_metrics import coverage, hits, mrr, ndcg, novelty, recall
from emrys.components.evaluation.weighted_metrics import metric_of
from emrys.components.recipe.evaluation import metric_parts
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import InteractionLog, Queries

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


#: Fewest queries of new users, or with answers among new items, on which metrics are reported.
MIN_NEW = 50


@dataclass(frozen=True)
class Performance:
    """Metrics of one scorer.

    Attributes:
        scorer: `model`, `popularity`, `last_item` or `production`.
        values: (Q,) metric of each query, by name.
        totals: Metrics of all queries together, by name: coverage.
        recalls: Mean recall at 1, 2, … up to the longest list.
    """

    scorer: str
    values: dict[str, Floats]
    totals: dict[str, float]
    recalls: list[float]

    def metrics(self) -> dict[str, float]:
        """Mean of each metric by name; the names of scorers other than the model are prefixed."""
        means = {name: _mean(value) for name, value in self.values.items()}
        return {metric_key(name, self.scorer): value for name, value in {**means, **self.totals}.items()}


def measure(
    scorer: str,
    recommended: Ints,
    queries: Queries,
    share: Floats,
    config: EvaluateRetrievalConfig,
    new: npt.NDArray[np.bool_] | None = None,
) -> Performance:
    """Computes the metrics of a scorer.

    Args:
        scorer: Name of the scorer.
        recommended: (Q, K) positions of the recommended items, best first.
        queries: The queries with their relevant items.
        share: (N,) share of the train users who have seen each item.
        config: Metrics and lengths of the lists.
        new: (N,) whether an item has no event in train; their recall is measured by itself if there is enough of it.
    """
    hit = hits(recommended, queries.relevant, len(share))
    relevant = queries.relevant_counts
    values: dict[str, Floats] = {}
    totals: dict[str, float] = {}
    for name in config.names:
        plain, length = metric_parts(name)
        k = config.k if length is None else length
        if plain == "coverage":
            totals[name] = coverage(recommended, len(share), k)
        elif plain == "novelty":
            values[name] = novelty(recommended, share, k)
        else:
            values[name] = mrr(hit, k) if plain == "mrr" else {"ndcg": ndcg, "recall": recall}[plain](hit, relevant, k)
        if plain == "recall" and new is not None:
            values |= _recall_of_new_items(name, recommended, hit, queries, new, k)
    recalls = (np.cumsum(hit, axis=1) / relevant[:, None]).mean(axis=0)
    return Performance(scorer, values, totals, recalls.tolist())


def _recall_of_new_items(
    name: str, recommended: Ints, hit: npt.NDArray[np.bool_], queries: Queries, new: npt.NDArray[np.bool_], k: int
) -> dict[str, Floats]:
    """Recall of the answers among the items without events in train; NaN for queries without any."""
    count = np.bincount(queries.relevant.rows, weights=new[queries.relevant.values], minlength=len(queries))
    if (count > 0).sum() < MIN_NEW:
        return {}
    hits_of_new = (hit & new[np.maximum(recommended, 0)])[:, :k].sum(axis=1)
    return {f"{name}_new_items": np.divide(hits_of_new, count, out=np.full(len(count), np.nan), where=count > 0)}


def new_user_metrics(rows: MeasuredRows, config: EvaluateRetrievalConfig) -> dict[str, float]:
    """The main metric of queries of users that are not in train, if there are enough of them."""
    if "user" not in rows.slices or (rows.slices["user"] == "new").sum() < MIN_NEW:
        return {}
    name = f"{config.names[0]}_new_users"
    everything = np.ones(len(rows.units), bool)
    found = {scorer: metric_of(rows, name, scorer, everything) for scorer in rows.scorers}
    return {metric_key(name, scorer): metric.value(rows.unit_count) for scorer, metric in found.items() if metric}


def seen_share(train: InteractionLog, catalogue: Catalogue) -> Floats:
    """(N,) share of the train users who have seen each item; of an unseen one, as if half a user had."""
    users, number = np.unique(train.users, return_inverse=True)
    pairs = np.unique(np.stack([number, catalogue.positions(train.items)]), axis=1)
    counts = np.bincount(pairs[1][pairs[1] >= 0], minlength=len(catalogue))
    return np.asarray(np.maximum(counts, 0.5) / len(users), np.float64)


def measured_rows(performances: Sequence[Performance], slices: Mapping[str, npt.NDArray[np.object_]]) -> MeasuredRows:
    """Metric values of each query, for the gate and the reports."""
    count = len(next(iter(performances[0].values.values())))
    values = {(name, each.scorer): value for each in performances for name, value in each.values.items()}
    return MeasuredRows(units=np.arange(count), values=values, slices=dict(slices))


def counts(
    train: InteractionLog, test: InteractionLog, queries: Queries, catalogue: Catalogue, new: npt.NDArray[np.bool_]
) -> dict[str, int]:
    """Numbers of rows, queries, items, relevant items (`right`), new users, and items of the catalogue without events.

    Args:
        train: The train split.
        test: The test split.
        queries: The queries.
        catalogue: The candidate items.
        new: (N,) whether an item has no event in train.
    """
    relevant = int(queries.relevant_counts.sum())
    return {
        "train_rows": len(train.users),
        "rows": len(test.users),
        "queries": len(queries),
        "items": len(catalogue),
        "new_items": int(new.sum()),
        "right": relevant,
        "right_not_in_catalogue": relevant - len(queries.relevant.values),
        "right_new_items": int(new[queries.relevant.values].sum()),
        "new_users": int((~queries.known).sum()),
    }


def _mean(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else 0.0
