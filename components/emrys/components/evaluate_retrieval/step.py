"""Evaluates a retrieval model over the whole catalogue: metrics, baselines, curves and a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from merlin.schema import Tags

import emrys.blocks as mm
from emrys.blocks.errors import DataError, SchemaError
from emrys.components.contracts.data_schema import DataSchema, Role, Target
from emrys.components.contracts.evaluation import EvaluationResult
from emrys.components.contracts.measured_rows import MODEL, PRODUCTION
from emrys.components.contracts.retrieval_evaluation import KEY, RetrievalEvaluation
from emrys.components.contracts.splits import ITEMS_FILE, Splits
from emrys.components.evaluate_retrieval.baselines import recommend_by_last_item, recommend_popular
from emrys.components.evaluate_retrieval.catalogue_search import CatalogueSearch, recommend_with_production
from emrys.components.evaluate_retrieval.config import STEP, EvaluateRetrievalConfig
from emrys.components.evaluate_retrieval.scorecard import counts, measure, measured_rows, new_user_metrics, seen_share
from emrys.components.evaluation.inputs import EvaluationInputs
from emrys.components.evaluation.slices import column_slices
from emrys.components.events import emit, step_events
from emrys.components.model_registry.production import ProductionVersion, production_version
from emrys.components.recipe.evaluation import baselines_of
from emrys.components.reporting.evaluation_page import EvaluationPage
from emrys.components.reporting.evaluation_view import RetrievalView
from emrys.components.retrieval.catalogue import Catalogue
from emrys.components.retrieval.queries import InteractionLog, Queries
from emrys.components.retrieval.search import load_retrieval_model, query_columns

__all__ = ["EvaluateRetrievalConfig", "run"]

_IDS = pa.large_list(pa.int64())
#: Users with at least this many positive train items have a long history.
LONG_HISTORY = 20


def run(
    splits: Path, data: Path, model: Path, schema: Path, config: EvaluateRetrievalConfig, output: Path
) -> RetrievalEvaluation:
    """Recommends items to the users, or sessions, of the test split and writes a `RetrievalEvaluation`.

    Args:
        splits: Raw splits; the baselines are fitted on their train rows.
        data: Transformed splits, row by row as the raw ones.
        model: Trained retrieval model.
        schema: Schema of the transformed data.
        config: Settings.
        output: Folder of the evaluation.

    Returns:
        The evaluation.

    Raises:
        EmrysError: if an input cannot be used, or the recall of the approximate search is too low; nothing is written
            then.
    """
    with step_events(STEP):
        inputs = EvaluationInputs.open(splits, data, model, schema)
        raw, features, data_schema = inputs.raw, inputs.features.schema, inputs.data_schema
        roles = _Roles.of(inputs, config)
        _report_progress(0, "reading the splits")
        train, valid, test = (_read_log(raw, split, roles) for split in ("train", "valid", "test"))
        catalogue = _catalogue(inputs, roles, train)
        if roles.by_session:
            queries = Queries.of_sessions([train, valid], test, catalogue, config.exclude_seen)
        else:
            queries = Queries.of(train, test, catalogue, config.exclude_seen)
        _check_queries(queries, roles, raw.file("test"), config)
        new = ~np.isin(catalogue.keys, train.items)

        _report_progress(1, f"recommending to {len(queries):,} {roles.unit}s from {len(catalogue):,} items")
        keras_model = load_retrieval_model(inputs.model)
        users = pq.read_table(inputs.data.file("test"), columns=query_columns(keras_model), partitioning=None)
        users = users.take(pa.array(queries.rows))
        search = CatalogueSearch(keras_model, features, users, catalogue, roles.item, config)
        recommended = {MODEL: search.recommend(queries)}
        for name in baselines_of("retrieval", config.baselines, data_schema):
            recommended[name] = _BASELINES[name](train, queries, catalogue, config.longest)
        with production_version(config.registry, config.model_name, STEP) as production:
            if production is not None:
                recommended[PRODUCTION] = _recommend_with_production(
                    production, inputs, queries, catalogue, roles, config
                )

        _report_progress(2, "computing the metrics")
        share = seen_share(train, catalogue)
        performances = [measure(scorer, items, queries, share, config, new) for scorer, items in recommended.items()]
        rows = measured_rows(performances, query_slices(inputs, queries, config, by_session=roles.by_session))
        result = EvaluationResult(
            metrics={
                **{name: value for each in performances for name, value in each.metrics().items()},
                **new_user_metrics(rows, config),
                **counts(train, test, queries, catalogue, new),
                **search.metrics(),
            },
            curves={"recall": {each.scorer: each.recalls for each in performances}},
            rows=rows,
            data_schema=data_schema,
        )

        _report_progress(3, "writing the report")
        targets = [] if roles.target is None else [roles.target]
        metadata = {
            **inputs.metadata(RetrievalView.task, targets, config, None if production is None else production.version),
            "user": roles.user,
            "item": roles.item,
            "unit": roles.unit,
            "exclude_seen": config.exclude_seen,
            "search": search.metadata(),
        }
        page = EvaluationPage.of(STEP, RetrievalView(result, metadata), inputs)
        evaluation = RetrievalEvaluation.write_with_candidates(
            output,
            result,
            page.render(),
            metadata,
            candidates=catalogue.features.append_column(KEY, pa.array(catalogue.keys)),
            seen_items=_seen_items([train, valid, test] if config.exclude_seen else [], catalogue, roles, data_schema),
        )
        names = [name for name in (*config.names[:1], *config.names[1:2]) if name in result.metrics]
        _report_progress(4, ", ".join(f"{name} {result.metrics[name]:.4f}" for name in names))
        return evaluation


@dataclasses.dataclass(frozen=True)
class _Roles:
    """Columns of a query and of its answers.

    Args:
        user: Column of the user, or of the session.
        item: Column of the item.
        target: Binary target whose positive rows are relevant; None if every row is.
        by_session: Whether a session asks, and the answer is its next item.
    """

    user: str
    item: str
    target: Target | None
    by_session: bool

    @property
    def unit(self) -> str:
        """Who asks: user or session."""
        return "session" if self.by_session else "user"

    @classmethod
    def of(cls, inputs: EvaluationInputs, config: EvaluateRetrievalConfig) -> Self:
        """Roles by the data schema and the settings.

        Raises:
            SchemaError: if there is no item, or no one who asks.
        """
        schema = inputs.data_schema
        by_session = schema.session_id is not None and (config.unit == "session" or schema.user_id is None)
        user = schema.session_id if by_session else schema.user_id
        for column, role in ((schema.item_id, "item_id"), (user, "session_id" if by_session else "user_id")):
            if column is None:
                raise SchemaError(
                    f"recommendations need a column of the role {role}",
                    path=inputs.raw.path,
                    got=", ".join(schema.names),
                    fix=f"Name it in `columns.{role}` of the recipe.",
                )
        return cls(str(user), str(schema.item_id), inputs.positive_target(config.target), by_session)


_BASELINES = {"popularity": recommend_popular, "last_item": recommend_by_last_item}


def _catalogue(inputs: EvaluationInputs, roles: _Roles, train: InteractionLog) -> Catalogue:
    """The table of items if preprocess has transformed one, otherwise the items of train."""
    columns = inputs.features.schema.select_by_tag(Tags.ITEM).column_names
    items = inputs.raw.items
    if items is not None and ITEMS_FILE in inputs.data.files:
        file = inputs.data.path / ITEMS_FILE
        there = [name for name in columns if name in pq.read_schema(file).names]  # not what is crossed with others
        return Catalogue.of_table(file, roles.item, there, items[roles.item].to_numpy())
    label = None if roles.target is None else roles.target.name
    return Catalogue.of(inputs.data.file("train"), roles.item, label, columns, train.items)


def _check_queries(queries: Queries, roles: _Roles, test: Path, config: EvaluateRetrievalConfig) -> None:
    if len(queries):
        return
    if roles.by_session:
        problem = "no session of the test split has a positive item after its first row"
    elif config.exclude_seen:
        problem = "no user of the test split has a positive item that is not in the user's train rows"
    else:
        problem = "no user of the test split has a positive item"
    fix = "Change `split` in the recipe so that users have positive rows in test"
    if config.exclude_seen:
        fix += ", or set `evaluate.exclude_seen: false` if users come back to the same items"
    raise DataError(problem, path=test, column=None if roles.target is None else roles.target.name, fix=f"{fix}.")


def _read_log(raw: Splits, split: str, roles: _Roles) -> InteractionLog:
    labels = [] if roles.target is None else [roles.target.name]
    table = raw.read(split, [roles.user, roles.item, *labels])
    positive = table[labels[0]].to_numpy() > 0 if labels else np.ones(table.num_rows, bool)
    return InteractionLog(table[roles.user].to_numpy(), table[roles.item].to_numpy(), positive)


def _recommend_with_production(
    production: ProductionVersion,
    inputs: EvaluationInputs,
    queries: Queries,
    catalogue: Catalogue,
    roles: _Roles,
    config: EvaluateRetrievalConfig,
) -> npt.NDArray[np.int64]:
    raw = inputs.raw
    items = raw.items if ITEMS_FILE in inputs.data.files else None
    return recommend_with_production(
        production,
        queries,
        raw.read("test").take(pa.array(queries.rows)),
        (raw.read("train") if items is None else items).take(pa.array(catalogue.rows)),
        roles.item,
        mm.BruteForce(k=config.longest),
        config.batch_size,
    )


def _seen_items(
    logs: Sequence[InteractionLog], catalogue: Catalogue, roles: _Roles, schema: DataSchema
) -> mm.SeenItems:
    """Items of each user in any split: at serving time the valid and test rows are in the past too."""
    user_type = schema.column(roles.user).arrow_type
    if not logs:
        return mm.SeenItems(pa.table({roles.user: pa.array([], user_type), roles.item: pa.array([], _IDS)}))
    log = InteractionLog.joined(logs)
    positions = catalogue.positions(log.items)
    known = positions >= 0
    users = pa.array(log.users[known], user_type)
    ids = catalogue.features[roles.item].to_numpy()[positions[known]]
    return mm.SeenItems.from_interactions(pa.table({roles.user: users, roles.item: ids}), roles.user, roles.item)


def query_slices(
    inputs: EvaluationInputs, queries: Queries, config: EvaluateRetrievalConfig, by_session: bool = False
) -> dict[str, npt.NDArray[np.object_]]:
    """Slices of the queries: known and new users, the length of their history, and small columns of the user.

    Args:
        inputs: The inputs of the evaluation.
        queries: The queries.
        config: Settings, of which `slices` and `show_ids` are used.
        by_session: Whether a session asks, which is neither known nor new.

    Returns:
        (Q,) texts by name, None if a query is in no slice.
    """
    user = {} if by_session else {"user": np.where(queries.known, "known", "new").astype(object)}
    history = np.where(queries.positives.lengths >= LONG_HISTORY, f"{LONG_HISTORY} and more", f"below {LONG_HISTORY}")
    slices = {**user, "history": history.astype(object)}
    roles = (Role.USER, Role.CONTEXT) if by_session else (Role.USER,)
    columns = column_slices(inputs.raw.file("test"), inputs.data_schema, config.slices, roles, config.show_ids)
    return {**{name: texts[queries.rows] for name, texts in columns.items()}, **slices}


def _report_progress(done: int, text: str) -> None:
    emit(STEP, "progress", done=done, total=4, text=text)
