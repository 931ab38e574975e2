"""Evaluates a retrieval model over the whole catalogue: metrics, baselines beside them, curves and a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from merlin.schema import Tags

import blocks as mm
from blocks.errors import ArtifactError, DataError
from blocks.io import write_json
from components.artifacts.evaluation import Evaluation
from components.artifacts.feature_schema import FeatureSchema
from components.artifacts.measured_rows import MODEL, PRODUCTION, MeasuredRows
from components.artifacts.model import ModelArtifact
from components.artifacts.splits import Splits
from components.artifacts.transformed import Transformed
from components.evaluate.facts import ColumnFacts, SplitFacts, plain_facts, versions
from components.evaluate.roles import Roles
from components.evaluate_retrieval.baselines import recommend_by_last_item, recommend_popular
from components.evaluate_retrieval.config import STEP, EvaluateRetrievalConfig
from components.evaluate_retrieval.production import production_places
from components.evaluate_retrieval.report import Report
from components.evaluate_retrieval.scorecard import Performance, measure
from components.evaluate_retrieval.searching import CatalogueSearch
from components.evaluate_retrieval.slicing import slices
from components.retrieval.catalogue import Catalogue
from components.retrieval.queries import Log, Queries
from components.retrieval.search import query_columns
from components.running import emit, running

__all__ = ["CANDIDATES_FILE", "SEEN_ITEMS_FILE", "EvaluateRetrievalConfig", "run"]

#: Files of the evaluation that the export takes over: what is left out of whose results, and what can be recommended.
SEEN_ITEMS_FILE, CANDIDATES_FILE = "seen_items.parquet", "candidates.parquet"
#: Column of `CANDIDATES_FILE` with what callers name the items by.
KEY = "key"
#: Slices in the plot, those with the most queries.
_SHOWN = 14


def run(
    splits: Path, data: Path, model: Path, schema: Path, config: EvaluateRetrievalConfig, output: Path
) -> Evaluation:
    """Recommends to the users of the test split, and writes an `Evaluation`.

    Beside the files of every evaluation there are `seen_items.parquet` (`SeenItems`: by raw user id, the ids in the
    transformed data of the items that the user has had in train) and `candidates.parquet` (the transformed columns of
    every item that can be recommended, in the order of the ids, and `key`, its raw id).

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
        raw, transformed, network = Splits(splits), Transformed(data), ModelArtifact(model)
        features = FeatureSchema(schema)
        roles = Roles.of(features.schema, config.target)
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
        keras_model = _retrieval_model(network)
        table = pq.read_table(transformed.file("test"), columns=query_columns(keras_model), partitioning=None)
        search = CatalogueSearch(
            keras_model, features.schema, table.take(pa.array(queries.rows)), catalogue, roles.item, config
        )
        found = search.found(queries)
        _tell(2, "measuring")
        ways = _ways(found, raw, train, queries, catalogue, roles.item, config)
        metrics = {name: value for way in ways for name, value in way.named(config).items()}
        counts = _counts(train, test, queries, catalogue)
        levels = slices(raw.file("test"), features.schema, queries)
        _tell(3, "drawing the report")
        fingerprints = {
            "splits": raw.fingerprint,
            "transformed data": transformed.fingerprint,
            "schema": features.fingerprint,
            "model": network.fingerprint,
        }
        report = Report(
            ways=ways,
            values={way.scorer: _unprefixed(way, config) for way in ways},
            k=config.k,
            recall_k=config.recall_k,
            slices=_by_slice(ways, levels, f"ndcg_at_{config.k}"),
            counts=counts,
            search=search.described(),
            dataset=Path(raw.metadata.get("dataset") or "unnamed data").name,
            splits=[SplitFacts.of(raw.file(name), roles.target) for name in ("train", "valid", "test")],
            columns=[ColumnFacts.of(column) for column in features.schema],
            data=plain_facts(raw.metadata),
            history=network.history,
            summary=network.summary,
            fingerprints=fingerprints,
            versions=versions(),
        )
        metadata = {
            "task": "retrieval",
            "target": roles.target,
            "user": roles.user,
            "item": roles.item,
            "search": search.metadata(),
            "config": dataclasses.asdict(config),
            "inputs": fingerprints,
            "versions": report.versions,
        }
        with Evaluation.create(output, metadata) as work:
            write_json(work / "metrics.json", {**metrics, **counts, **search.metrics()})
            write_json(work / "curves.json", {"recall": {way.scorer: way.recalls for way in ways}})
            _measured(ways, levels).write(work / "rows.parquet")
            (work / "report.html").write_text(report.render(), encoding="utf-8")
            _seen_items(train, catalogue, roles).save(work / SEEN_ITEMS_FILE)
            candidates = catalogue.features.append_column(KEY, pa.array(catalogue.keys))
            pq.write_table(candidates, work / CANDIDATES_FILE, compression="zstd")
        first = ways[0].named(config)
        text = ", ".join(
            f"{name} {first[name]:.4f}" for name in (f"ndcg_at_{config.k}", f"recall_at_{config.recall_k}")
        )
        _tell(4, text)
        return Evaluation(output)


def _ways(
    found: npt.NDArray[np.int64],
    raw: Splits,
    train: Log,
    queries: Queries,
    catalogue: Catalogue,
    item: str,
    config: EvaluateRetrievalConfig,
) -> list[Performance]:
    """The model, and beside it the baselines and the model in production."""
    longest = config.longest
    everything = {
        (MODEL, "Model"): found,
        ("popularity", "Popularity"): recommend_popular(train, queries, catalogue, longest),
        ("last_item", "Last item"): recommend_by_last_item(train, queries, catalogue, longest),
    }
    users = raw.read("test").take(pa.array(queries.rows))
    items = raw.read("train").take(pa.array(catalogue.rows)) if config.registry else users
    live = production_places(config, queries, users, items, item, mm.BruteForce(k=longest))
    if live is not None:
        everything[PRODUCTION, "In production"] = live
    share = _share(train, catalogue)
    return [measure(*names, places, queries, share, config) for names, places in everything.items()]


def _share(train: Log, catalogue: Catalogue) -> npt.NDArray[np.float64]:
    """Share of the train users who have had each item, (N,)."""
    pairs = np.unique(np.stack([train.users, catalogue.places(train.items)]), axis=1)
    counts = np.bincount(pairs[1][pairs[1] >= 0], minlength=len(catalogue))
    return counts / len(np.unique(train.users))


def _measured(ways: Sequence[Performance], levels: Mapping[str, Any]) -> MeasuredRows:
    count = len(next(iter(ways[0].values.values())))
    values = {(name, way.scorer): value for way in ways for name, value in way.values.items()}
    return MeasuredRows(units=np.arange(count), values=values, slices=dict(levels))


def _by_slice(
    ways: Sequence[Performance], levels: Mapping[str, Any], metric: str
) -> list[tuple[str, int, float, float]]:
    rows: list[tuple[str, int, float, float]] = []
    for name, texts in levels.items():
        for level in sorted({text for text in texts if text is not None}):
            mask = texts == level
            own, other = (float(way.values[metric][mask].mean()) for way in ways[:2])
            rows.append((f"{name} {level}", int(mask.sum()), own, other))
    return sorted(rows, key=lambda row: -row[1])[:_SHOWN]


def _unprefixed(way: Performance, config: EvaluateRetrievalConfig) -> dict[str, float]:
    return dataclasses.replace(way, scorer=MODEL).named(config)


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


def _seen_items(train: Log, catalogue: Catalogue, roles: Roles) -> mm.SeenItems:
    places = catalogue.places(train.items)
    known = places >= 0
    ids = catalogue.features[roles.item].to_numpy()[places[known]]
    log = pa.table({roles.user: train.users[known], roles.item: ids})
    return mm.SeenItems.from_interactions(log, roles.user, roles.item)


def _log(raw: Splits, split: str, roles: Roles) -> Log:
    table = raw.read(split, [roles.user, roles.item, roles.target])
    return Log(table[roles.user].to_numpy(), table[roles.item].to_numpy(), table[roles.target].to_numpy() > 0)


def _retrieval_model(network: ModelArtifact) -> mm.RetrievalModelV2:
    model = network.load()
    if not isinstance(model, mm.RetrievalModelV2):
        raise ArtifactError(
            "the model does not find items", path=network.path, expected="a retrieval model", got=type(model).__name__
        )
    return model


def _tell(done: int, text: str) -> None:
    emit(STEP, "progress", done=done, total=4, text=text)
