"""Evaluates a retrieval model over the whole catalogue: metrics, baselines, curves and a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import DataError
from emrys.components.contracts.column_roles import ColumnRoles
from emrys.components.contracts.evaluation import EvaluationResult
from emrys.components.contracts.measured_rows import MODEL, PRODUCTION
from emrys.components.contracts.retrieval_evaluation import KEY, RetrievalEvaluation
from emrys.components.contracts.splits import Splits
from emrys.components.evaluate_retrieval.baselines import recommend_by_last_item, recommend_popular
from emrys.components.evaluate_retrieval.catalogue_search import CatalogueSearch, recommend_with_production
from emrys.components.evaluate_retrieval.config import STEP, EvaluateRetrievalConfig
from emrys.components.evaluate_retrieval.scorecard import Performance, counts, measure, measured_rows, seen_share
from emrys.components.evaluation.inputs import EvaluationInputs
from emrys.components.evaluation.slices import column_slices
from emrys.components.events import emit, step_events
from emrys.components.model_registry.production import ProductionVersion, production_version
from emrys.components.reporting.evaluation_page import EvaluationPage
from emrys.components.reporting.evaluation_view import RetrievalView
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import InteractionLog, Queries
from emrys.components.retrieval.search import load_retrieval_model, query_columns

__all__ = ["EvaluateRetrievalConfig", "run"]

#: Users with at least this many positive train items have a long history.
LONG_HISTORY = 20


def run(
    splits: Path, data: Path, model: Path, schema: Path, config: EvaluateRetrievalConfig, output: Path
) -> RetrievalEvaluation:
    """Recommends items to the users of the test split and writes a `RetrievalEvaluation`.

    Args:
        splits: Raw splits; the baselines are fitted on their train rows.
        data: Transformed splits, row by row as the raw ones.
        model: Trained retrieval model.
        schema: Schema of the transformed data; its tags determine user, item and label.
        config: Settings.
        output: Folder of the evaluation.

    Returns:
        The evaluation.

    Raises:
        EmrysError: if an input cannot be used, or the recall of the approximate search is too low; nothing is written
            then.
    """
    with step_events(STEP):
        inputs = EvaluationInputs.open(splits, data, model, schema, config.target)
        raw, features, roles = inputs.raw, inputs.features.schema, inputs.roles
        _report_progress(0, "reading the splits")
        train, valid, test = (_read_log(raw, split, roles) for split in ("train", "valid", "test"))
        item_columns = features.select_by_tag(Tags.ITEM).column_names
        catalogue = Catalogue.of(inputs.data.file("train"), roles.item, roles.target, item_columns, train.items)
        queries = Queries.of(train, test, catalogue)
        if not len(queries):
            raise DataError(
                "no user of the test split has a positive item that is not in the user's train rows",
                path=raw.file("test"),
                column=roles.target,
                fix="Split the data so that users have positive rows in test.",
            )

        _report_progress(1, f"recommending to {len(queries):,} users from {len(catalogue):,} items")
        keras_model = load_retrieval_model(inputs.model)
        users = pq.read_table(inputs.data.file("test"), columns=query_columns(keras_model), partitioning=None)
        users = users.take(pa.array(queries.rows))
        search = CatalogueSearch(keras_model, features, users, catalogue, roles.item, config)
        recommended = {
            MODEL: search.recommend(queries),
            "popularity": recommend_popular(train, queries, catalogue, config.longest),
            "last_item": recommend_by_last_item(train, queries, catalogue, config.longest),
        }
        with production_version(config.registry, config.model_name, STEP) as production:
            if production is not None:
                recommended[PRODUCTION] = _recommend_with_production(
                    production, raw, queries, catalogue, roles.item, config
                )

        _report_progress(2, "computing the metrics")
        share = seen_share(train, catalogue)
        performances = [measure(scorer, items, queries, share, config) for scorer, items in recommended.items()]
        result = EvaluationResult(
            metrics={
                **_metrics(performances, config),
                **counts(train, test, queries, catalogue),
                **search.metrics(),
            },
            curves={"recall": {each.scorer: each.recalls for each in performances}},
            rows=measured_rows(performances, query_slices(raw.file("test"), features, queries)),
        )

        _report_progress(3, "writing the report")
        metadata = {
            **inputs.metadata(RetrievalView.task, config, None if production is None else production.version),
            "user": roles.user,
            "item": roles.item,
            "search": search.metadata(),
        }
        page = EvaluationPage.of(STEP, RetrievalView(result, metadata), inputs)
        evaluation = RetrievalEvaluation.write_with_candidates(
            output,
            result,
            page.render(),
            metadata,
            candidates=catalogue.features.append_column(KEY, pa.array(catalogue.keys)),
            seen_items=_seen_items([train, valid, test], catalogue, roles),
        )
        names = (f"ndcg_at_{config.k}", f"recall_at_{config.recall_k}")
        _report_progress(4, ", ".join(f"{name} {result.metrics[name]:.4f}" for name in names))
        return evaluation


def query_slices(raw: Path, schema: Schema, queries: Queries) -> dict[str, npt.NDArray[np.object_]]:
    """Slices of the queries: known and new users, the length of their history, and small columns of the user.

    Args:
        raw: Raw test split.
        schema: Schema of the transformed rows.
        queries: The queries.

    Returns:
        (Q,) texts by name, None if a query is in no slice.
    """
    slices = {
        "user": np.where(queries.seen.lengths > 0, "known", "new").astype(object),
        "history": np.where(
            queries.positives.lengths >= LONG_HISTORY, f"{LONG_HISTORY} and more", f"below {LONG_HISTORY}"
        ).astype(object),
    }
    columns = column_slices(raw, schema.select_by_tag(Tags.USER))
    return {**slices, **{name: texts[queries.rows] for name, texts in columns.items() if name not in slices}}


def _recommend_with_production(
    production: ProductionVersion,
    raw: Splits,
    queries: Queries,
    catalogue: Catalogue,
    item: str,
    config: EvaluateRetrievalConfig,
) -> npt.NDArray[np.int64]:
    users = raw.read("test").take(pa.array(queries.rows))
    items = raw.read("train").take(pa.array(catalogue.rows))
    layer = mm.BruteForce(k=config.longest)
    return recommend_with_production(production, queries, users, items, item, layer, config.batch_size)


def _metrics(performances: Sequence[Performance], config: EvaluateRetrievalConfig) -> dict[str, float]:
    return {name: value for each in performances for name, value in each.metrics(config).items()}


def _seen_items(logs: Sequence[InteractionLog], catalogue: Catalogue, roles: ColumnRoles) -> mm.SeenItems:
    """Items of each user in any split: at serving time the valid and test rows are in the past too."""
    users, items = (np.concatenate([getattr(log, name) for log in logs]) for name in ("users", "items"))
    positions = catalogue.positions(items)
    known = positions >= 0
    ids = catalogue.features[roles.item].to_numpy()[positions[known]]
    return mm.SeenItems.from_interactions(pa.table({roles.user: users[known], roles.item: ids}), roles.user, roles.item)


def _read_log(raw: Splits, split: str, roles: ColumnRoles) -> InteractionLog:
    table = raw.read(split, [roles.user, roles.item, roles.target])
    return InteractionLog(
        table[roles.user].to_numpy(), table[roles.item].to_numpy(), table[roles.target].to_numpy() > 0
    )


def _report_progress(done: int, text: str) -> None:
    emit(STEP, "progress", done=done, total=4, text=text)
