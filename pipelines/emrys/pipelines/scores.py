"""What the table at the end of a run says of a model's metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Rows = Iterator[tuple[str, str]]

_TITLES = {"ndcg": "NDCG", "recall": "Recall", "mrr": "MRR", "coverage": "coverage"}


def score_rows(pipeline: str, metrics: Mapping[str, float]) -> Rows:
    """The lines about the metrics of a pipeline's model: what, and its value with what it is held against.

    Args:
        pipeline: Name of the pipeline.
        metrics: Metrics of the evaluation, by name.
    """
    yield "rows", f"{metrics.get('train_rows', 0):,.0f} train, {metrics.get('rows', 0):,.0f} test"
    yield from _retrieval(metrics) if pipeline == "retrieval" else _ranking(metrics)


def _ranking(metrics: Mapping[str, float]) -> Rows:
    get = metrics.get
    share = get("share_of_best_auc")
    yield (
        "AUC",
        _joined(
            _number(get("auc")),
            _number(get("mean_baseline_auc"), "user mean + item mean"),
            _number(get("best_auc"), "best reachable"),
            None if share is None else f"{share:.0%} of the way from 0.5",
            _number(get("production_auc"), "in production"),
        ),
    )
    yield "log loss", _joined(_number(get("log_loss")), _number(get("mean_baseline_log_loss"), "means"))
    yield from _lists(metrics, ("ndcg",), {"popularity": "popularity", "production": "in production"})


def _retrieval(metrics: Mapping[str, float]) -> Rows:
    yield "queries", f"{metrics.get('queries', 0):,.0f}, over {metrics.get('items', 0):,.0f} items"
    others = {"popularity": "popularity", "last_item": "last item", "production": "in production"}
    yield from _lists(metrics, ("ndcg", "recall", "coverage"), others)


def _lists(metrics: Mapping[str, float], wanted: tuple[str, ...], others: Mapping[str, str]) -> Rows:
    """Metrics of lists: their names end in the length of the list, and begin with whom they were measured of."""
    for kind in wanted:
        for name in sorted(name for name in metrics if re.fullmatch(rf"{kind}_at_\d+", name)):
            beside = [_number(metrics.get(f"{scorer}_{name}"), title) for scorer, title in others.items()]
            yield f"{_TITLES[kind]}@{name.rpartition('_')[2]}", _joined(_number(metrics[name]), *beside)


def _number(value: float | None, name: str | None = None) -> str | None:
    if value is None:
        return None
    return f"{value:.4f}" if name is None else f"{name} {value:.4f}"


def _joined(*parts: str | None) -> str:
    first, *rest = [part for part in parts if part] or ["-"]
    return f"{first} ({', '.join(rest)})" if rest else first
