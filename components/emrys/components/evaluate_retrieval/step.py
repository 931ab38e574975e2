"""Evaluates a retrieval model over the whole catalogue: metrics, baselines beside them, curves and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from merlin.schema import Tags

import emrys.blocks as mm
from emrys.blocks.errors import DataError
from emrys.components.contracts.column_roles import Roles
from emrys.components.contracts.measured_rows import MODEL, PRODUCTION, MeasuredRows
from emrys.components.contracts.retrieval_evaluation import CANDIDATES_FILE, KEY, SEEN_ITEMS_FILE, RetrievalEvaluation
from emrys.components.contracts.splits import Splits
from emrys.components.evaluate_retrieval.baselines import recommend_by_last_item, recommend_popular
from emrys.components.evaluate_retrieval.catalogue_search import CatalogueSearch, production_places
from emrys.components.evaluate_retrieval.config import STEP, EvaluateRetrievalConfig
from emrys.components.evaluate_retrieval.scorecard import Performance, measure
from emrys.components.evaluate_retrieval.slicing import slices
from emrys.components.evaluation.inputs import Judged
from emrys.components.events import emit, running
from emrys.components.model_registry.production import Production, in_production
from emrys.components.reporting.evaluation_view import RetrievalView
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import Log, Queries
from emrys.components.retrieval.search import query_columns, retrieval_model

__all__ = ["CANDIDATES_FILE", "SEEN_ITEMS_FILE", "EvaluateRetrievalConfig", "run"]


def run(
    splits: Path, data: Path, model: Path, schema: Path, config: EvaluateRetrievalConfig, output: Path
) -> RetrievalEvaluation:
    """Recommends to the users of the test split, and writes a `RetrievalEvaluation`.

    Args:
        splits: Raw splits; the baselines learn from their train rows.
        data: Transformed splits, row by row the raw ones.
        model: Trained retrieval model.
        schema: Schema of the transformed data; its tags name user, item and label.
        config: Settings.
        output: Where the evaluation shall stand.

    Returns:
        The evaluation.

    Raises:
        EmrysError: if an input cannot be used, or the approximate search finds too little; nothing is then written.
    """
    with running(STEP):
        judged = Judged.open(splits, data, model, schema, config.target)
        raw, transformed, features, roles = judged.raw, judged.data, judged.features, judged.roles
        _tell(0, "reading the splits")
        train, test = (_log(raw, split, roles) for split in ("train", "test"))
        item_columns = features.schema.select_by_tag(Tags.ITEM).column_names
        catalogue = Catalogue.of(transformed.file("train"), roles.item, roles.target, item_columns, train.items)
        queries = Queries.of(train, test, catalogue)
        if not len(queries):
            raise DataError(
                "nobody likes anything in the test split that is not in train",
                path=raw.file("test"),
                column=roles.target,
                fix="Split the data so that users have positive rows in test.",
            )
        _tell(1, f"recommending to {len(queries):,} users from {len(catalogue):,} items")
        keras_model = retrieval_model(judged.model)
        table = pq.read_table(transformed.file("test"), columns=query_columns(keras_model), partitioning=None)
        search = CatalogueSearch(
            keras_model, features.schema, table.take(pa.array(queries.rows)), catalogue, roles.item, config
        )
        found = search.found(queries)
        _tell(2, "measuring")
        with in_production(config.registry, config.model_name, STEP) as live:
            ways = _ways(found, raw, train, queries, catalogue, roles.item, config, live)
        metrics = {name: value for way in ways for name, value in way.named(config).items()}
        counts = _counts(train, test, queries, catalogue)
        levels = slices(raw.file("test"), features.schema, queries)
        _tell(3, "drawing the report")
        evaluation = judged.write(
            RetrievalEvaluation,
            output,
            step=STEP,
            view=RetrievalView,
            config=config,
            metrics={**metrics, **counts, **search.metrics()},
            curves={"recall": {way.scorer: way.recalls for way in ways}},
            rows=_measured(ways, levels),
            live=live,
            more={"user": roles.user, "item": roles.item, "search": search.metadata()},
            add=lambda work: _add_catalogue(work, [train, _log(raw, "valid", roles), test], catalogue, roles),
        )
        first = ways[0].named(config)
        text = ", ".join(
            f"{name} {first[name]:.4f}" for name in (f"ndcg_at_{config.k}", f"recall_at_{config.recall_k}")
        )
        _tell(4, text)
        return evaluation


def _add_catalogue(work: Path, logs: Sequence[Log], catalogue: Catalogue, roles: Roles) -> None:
    """What the export needs besides the model."""
    _seen_items(logs, catalogue, roles).save(work / SEEN_ITEMS_FILE)
    candidates = catalogue.features.append_column(KEY, pa.array(catalogue.keys))
    pq.write_table(candidates, work / CANDIDATES_FILE, compression="zstd")


def _ways(
    found: npt.NDArray[np.int64],
    raw: Splits,
    train: Log,
    queries: Queries,
    catalogue: Catalogue,
    item: str,
    config: EvaluateRetrievalConfig,
    live: Production | None,
) -> list[Performance]:
    """The model, and beside it the baselines and the model in production."""
    longest = config.longest
    everything = {
        MODEL: found,
        "popularity": recommend_popular(train, queries, catalogue, longest),
        "last_item": recommend_by_last_item(train, queries, catalogue, longest),
    }
    if live is not None:
        users = raw.read("test").take(pa.array(queries.rows))
        items = raw.read("train").take(pa.array(catalogue.rows))
        layer = mm.BruteForce(k=longest)
        everything[PRODUCTION] = production_places(live, queries, users, items, item, layer, config.batch_size)
    share = _share(train, catalogue)
    return [measure(scorer, places, queries, share, config) for scorer, places in everything.items()]


def _share(train: Log, catalogue: Catalogue) -> npt.NDArray[np.float64]:
    """Share of the train users who have had each item, (N,)."""
    pairs = np.unique(np.stack([train.users, catalogue.places(train.items)]), axis=1)
    counts = np.bincount(pairs[1][pairs[1] >= 0], minlength=len(catalogue))
    return counts / len(np.unique(train.users))


def _measured(ways: Sequence[Performance], levels: Mapping[str, Any]) -> MeasuredRows:
    count = len(next(iter(ways[0].values.values())))
    values = {(name, way.scorer): value for way in ways for name, value in way.values.items()}
    return MeasuredRows(units=np.arange(count), values=values, slices=dict(levels))


def _counts(train: Log, test: Log, queries: Queries, catalogue: Catalogue) -> dict[str, int]:
    return {
        "train_rows": len(train.users),
        "rows": len(test.users),
        "queries": len(queries),
        "items": len(catalogue),
        "right": int(queries.totals.sum()),
        "right_not_in_catalogue": int(queries.totals.sum() - len(queries.right.values)),
        "new_users": int((~np.isin(queries.users, train.users)).sum()),
    }


def _seen_items(logs: Sequence[Log], catalogue: Catalogue, roles: Roles) -> mm.SeenItems:
    """What users have had in any split: when the model is served, the rows that judged it are in the past too."""
    users, items = (np.concatenate([getattr(log, name) for log in logs]) for name in ("users", "items"))
    places = catalogue.places(items)
    known = places >= 0
    ids = catalogue.features[roles.item].to_numpy()[places[known]]
    return mm.SeenItems.from_interactions(pa.table({roles.user: users[known], roles.item: ids}), roles.user, roles.item)


def _log(raw: Splits, split: str, roles: Roles) -> Log:
    table = raw.read(split, [roles.user, roles.item, roles.target])
    return Log(table[roles.user].to_numpy(), table[roles.item].to_numpy(), table[roles.target].to_numpy() > 0)


def _tell(done: int, text: str) -> None:
    emit(STEP, "progress", done=done, total=4, text=text)
