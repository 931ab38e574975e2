"""Recommendations from logs with other columns: text ids, implicit feedback, sessions, a table of items."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import DataError, SchemaError
from emrys.blocks.io import write_json
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.evaluate_retrieval.step import EvaluateRetrievalConfig, run
from emrys.components.gate.config import GateConfig
from emrys.components.gate.step import run as gate
from emrys.components.recipe.recipe import Recipe
from emrys.components.retrieval.search import vectors
from tests.components.reporting.reading import Page

SHOPPER = DataColumn("shopper", "string", Role.USER_ID)
VISIT = DataColumn("visit", "string", Role.SESSION_ID)
SKU = DataColumn("sku", "string", Role.ITEM_ID)
PRICE = DataColumn("price", "float32", Role.ITEM, continuous=True)
BASKET = DataColumn("basket", "string", Role.HISTORY, is_list=True, history_of="sku")
BOUGHT = Target("bought", TargetKind.BINARY)
SKUS = [f"p{number:02}" for number in range(30)]
SHOPPERS = [f"s{number:02}" for number in range(70)]


def column(name: str, *tags: Tags, ids: int = 103, is_list: bool = False, domain: str = "") -> ColumnSchema:
    properties = {"domain": {"min": 0, "max": ids - 1, "name": domain or name}}
    return ColumnSchema(
        name, dtype="int64", tags=[*tags, Tags.CATEGORICAL], properties=properties, is_list=is_list, is_ragged=is_list
    )


ITEM = column("sku", Tags.ITEM_ID, Tags.ITEM, ids=33)
USER = column("shopper", Tags.USER_ID, Tags.USER, ids=73)
HISTORY = column("basket", Tags.USER, Tags.SEQUENCE, ids=33, is_list=True, domain="sku")


def ids(names: list[str], known: list[str]) -> list[int]:
    """Ids as categorify gives them, from 3; 2 for what it does not know."""
    return [known.index(name) + 3 if name in known else 2 for name in names]


def write(root: Path, schema: DataSchema, tables, model: mm.RetrievalModelV2, items: pa.Table | None = None) -> Path:
    """Writes the artifacts of a log, whose known items are those of train and of the table of items."""
    arrow = {split: pa.table(table).select(schema.arrow.names).cast(schema.arrow) for split, table in tables.items()}
    Splits.write(root / "splits", arrow, {"dataset": "shop"}, schema=schema, items=items)
    with Transformed.create(root / "data", {}) as work:
        for split, table in tables.items():
            columns = {"sku": ids(table["sku"], SKUS)}
            if "shopper" in table:
                columns["shopper"] = ids(table["shopper"], SHOPPERS)
            if "basket" in table:
                columns["basket"] = [ids(basket, SKUS) for basket in table["basket"]]
            if "bought" in table:
                columns["bought"] = table["bought"]
            pq.write_table(pa.table(columns), work / f"{split}.parquet")
        if items is not None:
            pq.write_table(pa.table({"sku": ids(items["sku"].to_pylist(), SKUS)}), work / "items.parquet")
        schema.write(work)
    there = [each for each in (USER, ITEM, HISTORY) if each.name in tables["train"]]
    FeatureSchema.write(root / "schema", Schema(there), {})
    with ModelArtifact.create(root / "model", {}) as work:
        model.save(work / "model.keras")
        (work / "summary.txt").touch()
        write_json(work / "history.json", [])
    return root


def evaluate(root: Path, **config):
    settings = EvaluateRetrievalConfig(**{"k": 5, "recall_k": 10, **config})
    parts = (root / name for name in ("splits", "data", "model", "schema"))
    return run(*parts, settings, root / "out")


@pytest.fixture(scope="module")
def factorization() -> mm.RetrievalModelV2:
    model = mm.MatrixFactorizationModelV2(Schema([USER, ITEM]), dim=8)
    model.compile("adam")
    model.build({"shopper": (None, 1), "sku": (None, 1)})
    return model


def bought(seed: int, count: int, skus: int = 20) -> dict[str, list[str]]:
    draw = np.random.default_rng(seed)
    shoppers, items = draw.integers(0, 65, count), draw.integers(0, skus, count)
    return {"shopper": [SHOPPERS[number] for number in shoppers], "sku": [SKUS[number] for number in items]}


IMPLICIT = {"train": bought(0, 400), "valid": bought(1, 40), "test": bought(2, 200)}


def expected(
    model, queries: dict[str, set[str]], seen: dict[str, set[str]], catalogue: list[str]
) -> tuple[float, float]:
    """NDCG@5 and recall@10 by a loop over the users."""
    ndcgs, recalls = [], []
    for user, right in sorted(queries.items()):
        query, items = vectors(
            model,
            pa.table({"shopper": ids([user], SHOPPERS)}),
            pa.table({"sku": ids(catalogue, SKUS)}),
            "sku",
            64,
        )
        scores = (query @ items.T)[0]
        scores[[name in seen.get(user, set()) for name in catalogue]] = -np.inf
        order = [catalogue[place] for place in np.argsort(-scores, kind="stable")]
        gains = sum(1 / math.log2(rank + 2) for rank, name in enumerate(order[:5]) if name in right)
        ndcgs.append(gains / sum(1 / math.log2(rank + 2) for rank in range(min(5, len(right)))))
        recalls.append(len(right & set(order[:10])) / len(right))
    return float(np.mean(ndcgs)), float(np.mean(recalls))


def by_user(table: dict[str, list[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for user, item in zip(table["shopper"], table["sku"], strict=True):
        found.setdefault(user, set()).add(item)
    return found


@pytest.mark.slow
def test_implicit_feedback_with_ids_of_text(factorization, tmp_path):
    root = write(tmp_path, DataSchema((SHOPPER, SKU)), IMPLICIT, factorization)
    found = evaluate(root)
    seen, catalogue = by_user(IMPLICIT["train"]), sorted(set(IMPLICIT["train"]["sku"]))
    fresh = {user: items - seen.get(user, set()) for user, items in by_user(IMPLICIT["test"]).items()}
    right = {user: items for user, items in fresh.items() if items}
    ndcg, recall = expected(factorization, right, seen, catalogue)
    assert found.metrics["queries"] == len(right)
    assert found.metrics["ndcg_at_5"] == pytest.approx(ndcg)
    assert found.metrics["recall_at_10"] == pytest.approx(recall)
    # What serving leaves out is by the ids of the log.
    values, _ = found.seen_items.lookup(["s01"])
    everything = set.union(*(by_user(table).get("s01", set()) for table in IMPLICIT.values()))
    assert sorted(values) == sorted(ids(list(everything), SKUS))
    assert found.candidates["key"].to_pylist() == catalogue
    assert (found.metadata["target"], found.metadata["targets"]) == ("", [])
    assert "Recommendations on shop" in Page(found.report.read_text(encoding="utf-8")).words
    # The gate of a recipe knows what was measured.
    recipe = Recipe.model_validate({"data": {"path": "x"}, "model": {"name": "matrix-factorization"}})
    decision = gate(tmp_path / "out", GateConfig(resamples=100), tmp_path / "gate", recipe)
    checks = [(check["metric"], check["against"]) for check in decision.decision["checks"]]
    assert checks == [("ndcg_at_5", "popularity"), ("ndcg_at_5", "last_item")]
    lift = found.metrics["ndcg_at_5"] - found.metrics["popularity_ndcg_at_5"]
    assert decision.decision["checks"][0]["estimate"] == pytest.approx(lift)


@pytest.mark.slow
def test_repeated_items_are_answers_where_the_recipe_says_so(factorization, tmp_path):
    root = write(tmp_path, DataSchema((SHOPPER, SKU)), IMPLICIT, factorization)
    found = evaluate(root, exclude_seen=False)
    right = by_user(IMPLICIT["test"])
    ndcg, recall = expected(factorization, right, {}, sorted(set(IMPLICIT["train"]["sku"])))
    assert found.metrics["queries"] == len(right)
    assert found.metrics["ndcg_at_5"] == pytest.approx(ndcg)
    assert found.metrics["recall_at_10"] == pytest.approx(recall)
    assert len(found.seen_items) == 0
    text = Page(found.report.read_text(encoding="utf-8")).words
    assert "those that the user has seen before included" in text


@pytest.mark.slow
def test_people_who_only_come_back(factorization, tmp_path):
    again = {split: IMPLICIT["train"] for split in IMPLICIT}
    root = write(tmp_path, DataSchema((SHOPPER, SKU)), again, factorization)
    with pytest.raises(DataError, match=r"not in the user's train rows\. .* or set `evaluate.exclude_seen: false` if"):
        evaluate(root)
    assert evaluate(root, exclude_seen=False).metrics["queries"] == len(by_user(IMPLICIT["train"]))


@pytest.mark.slow
def test_items_of_the_table_without_events_are_candidates(factorization, tmp_path):
    # p00 to p19 are in train; all thirty in the table, and in test.
    test = bought(5, 300, skus=30)
    items = pa.table({"sku": SKUS, "price": pa.array(np.arange(30.0), pa.float32())})
    tables = {
        split: {**table, "price": np.zeros(len(table["sku"]))} for split, table in {**IMPLICIT, "test": test}.items()
    }
    root = write(tmp_path, DataSchema((SHOPPER, SKU, PRICE)), tables, factorization, items)
    found = evaluate(root, metrics=("ndcg@5", "recall@10"))
    seen = by_user(IMPLICIT["train"])
    right = {user: items - seen.get(user, set()) for user, items in by_user(test).items()}
    right = {user: items for user, items in right.items() if items}
    ndcg, _ = expected(factorization, right, seen, SKUS)
    assert found.metrics["items"] == 30
    assert found.metrics["ndcg_at_5"] == pytest.approx(ndcg)
    assert found.metrics["right_not_in_catalogue"] == 0
    new = {name for name in SKUS if name not in IMPLICIT["train"]["sku"]}
    assert found.metrics["new_items"] == len(new) == 10
    assert found.metrics["right_new_items"] == sum(len(items & new) for items in right.values())
    of_new = {user: items & new for user, items in right.items() if items & new}
    # Recall of them alone, in the same lists.
    lists = {user: expected_list(factorization, user, seen) for user in of_new}
    recall = np.mean([len(items & set(lists[user])) / len(items) for user, items in of_new.items()])
    assert found.metrics["recall_at_10_new_items"] == pytest.approx(recall)
    # Popularity cannot recommend what nobody has, but behind all others.
    assert found.metrics["popularity_recall_at_10_new_items"] < 0.2
    names = {name for name in found.metrics if "_at_" in name and not name.startswith(("popularity", "last_item"))}
    assert names == {"ndcg_at_5", "recall_at_10", "recall_at_10_new_items"}


def expected_list(model, user: str, seen: dict[str, set[str]]) -> list[str]:
    query, items = vectors(
        model, pa.table({"shopper": ids([user], SHOPPERS)}), pa.table({"sku": ids(SKUS, SKUS)}), "sku", 64
    )
    scores = (query @ items.T)[0]
    scores[[name in seen.get(user, set()) for name in SKUS]] = -np.inf
    return [SKUS[place] for place in np.argsort(-scores, kind="stable")][:10]


def sessions(seed: int, count: int, prefix: str) -> dict[str, list]:
    """Visits of five rows, each with the items before it as its basket."""
    draw = np.random.default_rng(seed)
    visits, skus, baskets, positive = [], [], [], []
    for number in range(count):
        seen: list[str] = []
        for _ in range(5):
            sku = SKUS[draw.integers(0, 20)]
            visits.append(f"{prefix}{number:03}")
            skus.append(sku)
            baskets.append(list(seen))
            positive.append(int(draw.random() < 0.7))
            seen.append(sku)
    return {"visit": visits, "sku": skus, "basket": baskets, "bought": positive}


@pytest.mark.slow
def test_sessions_ask_for_their_next_item(tmp_path):
    tables = {"train": sessions(0, 80, "a"), "valid": sessions(1, 10, "b"), "test": sessions(2, 60, "c")}
    candidates = mm.EmbeddingTable(8, ITEM, name="candidates")
    model = mm.YoutubeDNNRetrievalModelV2(
        Schema([HISTORY]),
        inputs=mm.InputBlockV2(Schema([HISTORY]), categorical=mm.Embeddings(Schema([HISTORY]), dim=8)),
        top_block=mm.MLPBlock([8], no_activation_last_layer=True),
        outputs=mm.CategoricalOutput(candidates, target_name="sku"),
    )
    model.compile("adam")
    model.build({"basket": (None, None)})
    schema = DataSchema((VISIT, SKU, BASKET), (BOUGHT,))
    found = evaluate(write(tmp_path, schema, tables, model), exclude_seen=False)

    train, test = tables["train"], tables["test"]
    catalogue = sorted({sku for sku, positive in zip(train["sku"], train["bought"], strict=True) if positive})
    recalls = []
    for start in range(0, len(test["visit"]), 5):
        rows = [row for row in range(start, start + 5) if test["bought"][row]]
        if not rows or rows[-1] == start:
            continue  # no answer, or no item before it
        last = rows[-1]
        query, items = vectors(
            model,
            pa.table({"basket": [ids(test["basket"][last], SKUS)]}),
            pa.table({"sku": ids(catalogue, SKUS)}),
            "sku",
            64,
        )
        order = np.argsort(-(query @ items.T)[0], kind="stable")[:10]
        recalls.append(float(test["sku"][last] in [catalogue[place] for place in order]))
    assert found.metrics["queries"] == len(recalls) > 40
    assert found.metrics["recall_at_10"] == pytest.approx(np.mean(recalls))
    assert (found.metadata["user"], found.metadata["unit"]) == ("visit", "session")
    assert set(found.rows.slices) == {"history"}
    assert f"For {len(recalls)} sessions the model recommends" in Page(found.report.read_text(encoding="utf-8")).words


def test_a_log_without_items(factorization, tmp_path):
    root = write(tmp_path, DataSchema((SHOPPER, SKU)), IMPLICIT, factorization)
    schema = DataSchema((SHOPPER, DataColumn("sku", "string", Role.CONTEXT)))
    Splits.write(
        root / "splits", {split: pa.table(table) for split, table in IMPLICIT.items()}, {"dataset": "x"}, schema=schema
    )
    with pytest.raises(SchemaError, match=r"need a column of the role item_id; .*Name it in `columns.item_id`"):
        evaluate(root)


def test_a_target_that_is_not_binary(factorization, tmp_path):
    tables = {split: {**table, "stars": np.ones(len(table["sku"]))} for split, table in IMPLICIT.items()}
    schema = DataSchema((SHOPPER, SKU), (Target("stars", TargetKind.REGRESSION),))
    root = write(tmp_path, schema, tables, factorization)
    with pytest.raises(
        SchemaError, match=r"no binary target whose positive rows are relevant; .* got stars\. Set `above`"
    ):
        evaluate(root)
