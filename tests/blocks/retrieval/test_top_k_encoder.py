"""Top-k of raw queries: golden numbers, a NumPy brute force over the whole catalogue, seen items, saving."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden

USERS = Schema([mm.create_categorical_column("user_id", 9, tags=[Tags.USER_ID], dtype="int64")])
ITEMS = Schema([mm.create_categorical_column("item_id", 59, tags=[Tags.ITEM_ID], dtype="int64")])
TARGETS = USERS + Schema([ColumnSchema("item_id", dtype="int64", tags=[Tags.ITEM_ID, Tags.TARGET])])
CANDIDATES = np.array([[0.5, 1.0], [1.0, 1.0], [-1.0, 0.25], [0.0, 2.0], [2.0, -0.5]], "float32")
IDS = np.array([10, 20, 30, 40, 50])
TABLE = np.arange(-10, 10).reshape(10, 2) / 10


def encoder_of(schema, rows):
    encoder = mm.EmbeddingEncoder(schema, rows.shape[1])
    encoder({schema.column_names[0]: np.array([[0]])})
    encoder.table.embeddings.assign(rows)
    return encoder


def golden_encoder(k, **options):
    return mm.TopKEncoder(encoder_of(USERS, TABLE), k=k, **options)


def users(*ids):
    return {"user_id": np.array(ids)[:, None]}


@pytest.mark.parametrize("case", golden.cases("conventions", "TopKEncoder", "TopKEncoder.index_candidates"))
def test_golden(case):
    np.testing.assert_allclose(golden.array(case.weights["user_table"]), TABLE, rtol=1e-6)
    if case.name == "TopKEncoder.index_candidates":
        encoder = golden_encoder(case.args["k"]).index_candidates(CANDIDATES, IDS)
    elif isinstance(case.args["candidates"], str):
        frame = pd.DataFrame(CANDIDATES, index=pd.Index(IDS, name="item_id"))
        encoder = golden_encoder(case.args["k"], candidates=Dataset(frame))
    else:
        encoder = golden_encoder(case.args["k"], candidates=CANDIDATES)
    found = encoder(golden.tensors(case.inputs["user_id"] and {"user_id": case.inputs["user_id"]}))
    assert isinstance(found, mm.TopKPrediction)
    golden.assert_close(found.scores, case.outputs["scores"], dtype=True)
    golden.assert_close(found.identifiers, case.outputs["identifiers"], dtype=True)


@pytest.mark.parametrize("case", golden.cases("conventions", "TopKEncoder.batch_predict"))
def test_golden_batch_predict(case):
    encoder = golden_encoder(case.args["k"]).index_candidates(CANDIDATES, IDS)
    data = Dataset(pd.DataFrame({"user_id": case.inputs["user_id"]}), schema=USERS)
    frame = encoder.batch_predict(data, batch_size=2).compute()
    assert list(frame.columns) == case.outputs["columns"]
    np.testing.assert_allclose(frame.iloc[:, 1:].to_numpy(), case.outputs["rows"], rtol=1e-5)
    assert frame["id_0"].dtype == case.outputs["id_dtype"]


@pytest.mark.slow
@pytest.mark.parametrize("case", golden.cases("conventions", "TopKEncoder.evaluate"))
def test_golden_evaluate(case):
    encoder = golden_encoder(10).index_candidates(CANDIDATES, IDS)
    metrics = [mm.RecallAt(1), mm.RecallAt(3), mm.MRRAt(3), mm.NDCGAt(3)]
    encoder.compile(k=case.args["k"], metrics=metrics)
    rows = pd.DataFrame({"user_id": case.inputs["user_id"], "item_id": case.inputs["item_id target"]})
    found = encoder.evaluate(Dataset(rows, schema=TARGETS), batch_size=4, return_dict=True, verbose=0)
    assert {"loss", "loss_batch"} == found.keys() - case.outputs.keys()
    for name, value in case.outputs.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name


def catalogue(users=100, items=60, dim=8, seed=0):
    """Embeddings of small integers: scores are exact, and many are tied."""
    draw = np.random.default_rng(seed)
    return (draw.integers(-2, 3, (users, dim)).astype("float32"), draw.integers(-2, 3, (items, dim)).astype("float32"))


def by_definition(ranking, right, k):
    """Metrics of one query from the ids of its ranking, in plain Python."""
    found = [rank for rank, item in enumerate(ranking[:k], start=1) if item in right]
    reachable = min(k, len(right))
    if not found:
        return {f"{name}_at_{k}": 0.0 for name in ("recall", "mrr", "ndcg", "map", "precision")}
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, reachable + 1))
    return {
        f"recall_at_{k}": len(found) / reachable,
        f"mrr_at_{k}": 1 / found[0],
        f"ndcg_at_{k}": sum(1 / math.log2(rank + 1) for rank in found) / ideal,
        f"map_at_{k}": sum(place / rank for place, rank in enumerate(found, 1)) / reachable,
        f"precision_at_{k}": len(found) / k,
    }


def by_numpy(queries, candidates, ids, left_out):
    """Ids of all candidates of each query, best first; among equals, that of the smaller row."""
    rankings = []
    for query, seen in zip(queries, left_out, strict=True):
        order = np.argsort(-(candidates @ query), kind="stable")
        rankings.append([item for item in ids[order].tolist() if item not in seen])
    return rankings


@pytest.mark.parametrize("with_seen", [False, True], ids=["all", "unseen"])
@pytest.mark.slow
def test_evaluate_is_a_brute_force_over_the_catalogue(with_seen, tmp_path):
    draw = np.random.default_rng(1)
    queries, candidates = catalogue()
    ids = draw.permutation(1000)[:60]
    right = [draw.permutation(ids)[: draw.integers(0, 6)].tolist() for _ in range(100)]
    seen = [set(draw.permutation(ids)[: draw.integers(0, 59)].tolist()) - set(right[user]) for user in range(100)]
    seen[7] = set()
    rankings = by_numpy(queries, candidates, ids, seen if with_seen else [set()] * 100)
    rows = [by_definition(ranking, each, 10) for ranking, each in zip(rankings, right, strict=True)]
    expected = {name: np.mean([row[name] for row in rows]) for name in rows[0]}

    schema = Schema([mm.create_categorical_column("user_id", 99, tags=[Tags.USER_ID], dtype="int64")])
    encoder = mm.TopKEncoder(encoder_of(schema, queries), k=12).index_candidates(candidates, ids)
    encoder.compile()
    options = {}
    if with_seen:
        lists = pa.array([sorted(each) for each in seen], pa.list_(pa.int64()))
        mm.SeenItems(pa.table({"user_id": pa.array(range(100)), "item_id": lists})).save(tmp_path / "seen.parquet")
        options["seen_items"] = tmp_path / "seen.parquet"
    features, targets = users(*range(100)), {"item_id": tf.ragged.constant(right, dtype=tf.int64)}
    for size in (1, 7, 100):
        data = tf.data.Dataset.from_tensor_slices((features, targets)).batch(size)
        found = encoder.evaluate(data, return_dict=True, verbose=0, **options)
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    predicted = encoder.predict(features, batch_size=33, **options)
    padded = [(ranking + [-1] * 12)[:12] for ranking in rankings]
    assert predicted.identifiers.tolist() == padded
    frame = encoder.batch_predict(pa.table({"user_id": range(100)}), batch_size=13, **options).compute()
    assert frame[[f"id_{place}" for place in range(12)]].to_numpy().tolist() == padded


def test_ties_are_broken_by_the_order_of_the_index():
    encoder = mm.TopKEncoder(encoder_of(USERS, TABLE * 0), k=3).index_candidates(CANDIDATES, IDS)
    encoder.compile(metrics=[mm.MRRAt(3)])
    # All scores are 0: the ranking is that of the index, 10, 20, 30, for metrics as well.
    for item, expected in ((10, 1.0), (20, 1 / 2), (30, 1 / 3), (40, 0.0)):
        found = encoder.evaluate(users(1), {"item_id": np.array([[item]])}, return_dict=True, verbose=0)
        assert found["mrr_at_3"] == pytest.approx(expected)


def test_metrics_of_recommended_items_and_weights():
    encoder = golden_encoder(2).index_candidates(CANDIDATES, IDS)
    encoder.compile(
        metrics=[mm.ItemCoverageAt(50, k=2), mm.RecallAt(2)], weighted_metrics=[mm.RecallAt(1, name="first")]
    )
    targets, weights = {"item_id": np.array([30, 50, 10])[:, None]}, np.array([3.0, 1.0, 1.0])
    found = encoder.evaluate(users(1, 2, 3), targets, sample_weight=weights, return_dict=True, verbose=0)
    # All three get 30 and 10: 2 of 50 items; 2 of 3 are found, the first one at once.
    assert found["item_coverage_at_2"] == pytest.approx(2 / 50)
    assert found["recall_at_2"] == pytest.approx(2 / 3)
    assert found["weighted_first_1"] == pytest.approx(3 / 5)


@pytest.mark.slow
def test_a_right_item_that_is_left_out_is_not_found():
    encoder = golden_encoder(2).index_candidates(CANDIDATES, IDS)
    encoder.compile(metrics=[mm.RecallAt(2)])
    seen = mm.SeenItems(pa.table({"user_id": [1], "item_id": [[30]]}))
    target = {"item_id": np.array([[30]])}
    assert encoder.evaluate(users(1), target, return_dict=True, verbose=0)["recall_at_2"] == 1
    assert encoder.evaluate(users(1), target, seen_items=seen, return_dict=True, verbose=0)["recall_at_2"] == 0


@pytest.mark.slow
def test_seen_items_of_a_column_that_the_encoder_does_not_read():
    schema = Schema([mm.create_categorical_column("country", 9, tags=[Tags.USER], dtype="int64")])
    encoder = mm.TopKEncoder(encoder_of(schema, TABLE), k=1).index_candidates(CANDIDATES, IDS)
    encoder.compile(metrics=[mm.RecallAt(1)])
    columns = [ColumnSchema("session", dtype="int64"), *schema, TARGETS["item_id"]]
    rows = Dataset(
        pd.DataFrame({"session": [100, 200], "country": [1, 1], "item_id": [10, 30]}), schema=Schema(columns)
    )
    # 30 is the best for country 1, 10 the next.
    seen = mm.SeenItems(pa.table({"session": [100], "item_id": [[30]]}))
    assert encoder.evaluate(rows, batch_size=2, return_dict=True, verbose=0)["recall_at_1"] == 0.5
    found = encoder.evaluate(rows, batch_size=2, seen_items=seen, return_dict=True, verbose=0)
    assert found["recall_at_1"] == 1.0
    frame = encoder.batch_predict(rows, 2, output_schema=schema, seen_items=seen).compute()
    assert frame["id_0"].tolist() == [10, 30]
    assert list(frame.columns) == ["country", "score_0", "id_0"]


def item_rows(*ids):
    return Dataset(pd.DataFrame({"item_id": ids}), schema=ITEMS)


def items_encoder():
    table = np.zeros((60, 2))
    table[IDS] = CANDIDATES
    return encoder_of(ITEMS, table)


def test_from_a_data_set_of_candidates():
    made = mm.TopKEncoder.from_candidate_dataset(
        encoder_of(USERS, TABLE), items_encoder(), item_rows(*IDS), top_k=3, index_column=Tags.ITEM_ID, batch_size=2
    )
    assert made.k == 3
    assert made(users(1, 3)).identifiers.numpy().tolist() == [[30, 10, 50], [30, 10, 40]]
    # Without a column, the row numbers are the ids.
    rows = mm.TopKEncoder.from_candidate_dataset(encoder_of(USERS, TABLE), items_encoder(), item_rows(*IDS), top_k=3)
    assert rows(users(1, 3)).identifiers.numpy().tolist() == [[2, 0, 4], [2, 0, 3]]


@pytest.mark.slow
def test_encode_candidates():
    encoder = golden_encoder(3, candidate_encoder=items_encoder())
    for given in ({}, {"candidate_encoder": items_encoder()}):
        frame = encoder.encode_candidates(item_rows(40, 10), index_column="item_id", **given).compute()
        assert (frame.index.name, frame.index.tolist()) == ("item_id", [40, 10])
        assert frame.to_numpy().tolist() == [[0, 2], [0.5, 1]]
    encoder.index_candidates(encoder.encode_candidates(item_rows(*IDS), "item_id"))
    assert encoder(users(1)).identifiers.numpy().tolist() == [[30, 10, 50]]
    with pytest.raises(ConfigError, match=r"has no candidate encoder\. Give candidate_encoder="):
        golden_encoder(3).encode_candidates(item_rows(1))
    message = r"candidate ids.*such as 10.*unique_by_tag"
    with pytest.raises(ConfigError, match=message):
        encoder.index_candidates(encoder.encode_candidates(item_rows(10, 20, 10), "item_id"))


@pytest.mark.slow
def test_indexed_again_after_it_was_used():
    encoder = golden_encoder(1).index_candidates(CANDIDATES, IDS)
    assert encoder.predict(users(1)).identifiers.tolist() == [[30]]
    encoder.index_candidates(CANDIDATES[:2], np.array([2**40, 7]))
    assert encoder.predict(users(1)).identifiers.tolist() == [[2**40]]


PROGRAM = """
import json, sys
import numpy as np
import emrys.blocks as mm
encoder = mm.Model.load(sys.argv[1])
found = encoder({"user_id": np.array([[1], [2], [3]])})
encoder.topk_layer.index(np.ones((1, 2)))
print(json.dumps([found.scores.numpy().tolist(), found.identifiers.numpy().tolist(), encoder.k]))
"""


@pytest.mark.slow
def test_comes_back_in_a_fresh_process(tmp_path):
    encoder = golden_encoder(3, candidate_encoder=items_encoder()).index_candidates(CANDIDATES, IDS)
    encoder.compile(metrics=[mm.RecallAt(3)])
    expected = encoder(users(1, 2, 3))
    encoder.save(tmp_path / "top_k.keras")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "top_k.keras")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    scores, identifiers, k = json.loads(done.stdout.splitlines()[-1])
    assert identifiers == expected.identifiers.numpy().tolist()
    np.testing.assert_array_equal(np.array(scores, "float32"), expected.scores)
    assert k == 3
    # Without what compile said, and with the metrics: the candidates are there.
    encoder.save(tmp_path / "plain.keras", include_optimizer=False)
    plain = mm.TopKEncoder.load(tmp_path / "plain.keras")
    np.testing.assert_array_equal(plain(users(1, 2, 3)).identifiers, expected.identifiers)
    again = mm.TopKEncoder.load(tmp_path / "top_k.keras")
    target = {"item_id": np.array([[30]])}
    assert again.evaluate(users(1), target, return_dict=True, verbose=0)["recall_at_3"] == 1
    vectors = again.encode_candidates(item_rows(40), "item_id").compute()
    assert vectors.to_numpy().tolist() == [[0, 2]]


def test_encoders_that_share_a_table_share_it_when_they_come_back(tmp_path):
    shared = mm.EmbeddingTable(2, mm.create_categorical_column("item_id", 59, tags=[Tags.ITEM_ID], dtype="int64"))
    query, candidate = (mm.Encoder(shared, mm.ConcatFeatures()) for _ in range(2))
    encoder = mm.TopKEncoder(query, candidate_encoder=candidate, k=1)
    for each in (query, candidate):
        each({"item_id": np.array([[1]])})
    encoder.index_candidates(CANDIDATES)
    encoder({"item_id": np.array([[1]])})
    encoder.save(tmp_path / "shared.keras")
    again = mm.TopKEncoder.load(tmp_path / "shared.keras")
    assert again.first.first is again.candidate_encoder.first


@pytest.mark.slow
def test_served(tmp_path):
    encoder = golden_encoder(2, takes_seen_items=True).index_candidates(CANDIDATES, IDS)
    encoder(users(1))
    mm.save_serving(encoder, tmp_path / "served")
    serve = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    seen = mm.SeenItems(pa.table({"user_id": [1], "item_id": [[30, 99]]}))
    values, offsets = seen.lookup([1, 3])
    found = serve(
        user_id=tf.constant([[1], [3]], tf.int64),
        seen_items__values=tf.constant(values),
        seen_items__offsets=tf.constant(offsets, tf.int32),
    )
    assert found["identifiers"].numpy().tolist() == [[10, 50], [30, 10]]
    assert found["scores"].numpy()[1].tolist() == pytest.approx([0.325, -0.5])


@pytest.mark.slow
def test_an_approximate_index_behind_the_same_interface():
    queries, candidates = catalogue()
    schema = Schema([mm.create_categorical_column("user_id", 99, dtype="int64")])
    found = mm.TopKEncoder(encoder_of(schema, queries), "approximate-topk", candidates, k=4)
    exact = mm.TopKEncoder(encoder_of(schema, queries), mm.BruteForce(4), candidates)
    features = users(*range(100))
    np.testing.assert_array_equal(found.predict(features).identifiers, exact.predict(features).identifiers)


def test_post_takes_what_was_found():
    class Ids(keras.layers.Layer):
        def call(self, found):
            return found.identifiers

        def compute_output_shape(self, input_shape):
            return input_shape[1]

    encoder = golden_encoder(2, post=Ids()).index_candidates(CANDIDATES, IDS)
    assert encoder(users(1)).numpy().tolist() == [[30, 10]]


@pytest.mark.slow
def test_metrics_that_nobody_asked_for_look_at_what_there_is():
    encoder = golden_encoder(3).index_candidates(CANDIDATES, IDS)
    encoder.compile()
    found = encoder.evaluate(users(1), np.array([[IDS[0]]]), return_dict=True, verbose=0)
    assert {name for name in found if "_at_" in name} == {
        f"{name}_at_3" for name in ("recall", "mrr", "ndcg", "map", "precision")
    }


def test_bad_calls():
    with pytest.raises(ConfigError, match=r"unknown top-k layer.*'brute-force-topk'.*got 'fast'"):
        golden_encoder(3, topk_layer="fast")
    with pytest.raises(ConfigError, match=r"has no candidates\. Call index"):
        golden_encoder(3)(users(1))
    encoder = golden_encoder(3).index_candidates(CANDIDATES, IDS)
    with pytest.raises(
        ConfigError, match=r"recall_at_10 looks at more candidates .*a cut-off up to 3, got 10\. Give co"
    ):
        encoder.compile(metrics=[mm.RecallAt(10)])
    encoder.compile(k=9, metrics=[mm.RecallAt(1)])
    with pytest.raises(ConfigError, match=r"candidates; expected at most 5, got 9"):
        encoder.predict(users(1))
    encoder.compile(k=1, metrics=[mm.RecallAt(1)])
    with pytest.raises(ConfigError, match=r"has nothing to compare with; .*Tag the column as a target in the schema"):
        encoder.evaluate(users(1), verbose=0)
    seen = mm.SeenItems(pa.table({"session": [1], "item_id": [[30]]}))
    for call in (
        encoder.predict,
        lambda x, seen_items: encoder.batch_predict(pa.table({"user_id": [1]}), 1, None, seen),
    ):
        with pytest.raises(ConfigError, match=r"'session'"):
            call(users(1), seen_items=seen)
    with pytest.raises(ConfigError, match=r"TopKEncoder is not trained by itself"):
        encoder.fit(users(1))
    with pytest.raises(ConfigError, match=r"a data set needs a batch size"):
        encoder.predict(Dataset(pd.DataFrame({"user_id": [1]})))


@pytest.mark.filterwarnings("ignore:unique_rows_by_features")
def test_unique_rows():
    schema = TARGETS.excluding_by_name(["item_id"]) + Schema(
        [*ITEMS, ColumnSchema("price", dtype="float32", tags=[Tags.ITEM])]
    )
    log = pd.DataFrame({"user_id": [1, 2, 3], "item_id": [7, 5, 7], "price": [0.5, 1.0, 2.0]})
    for function in (mm.unique_by_tag, mm.unique_rows_by_features):
        found = function(Dataset(log, schema=schema), Tags.ITEM, Tags.ITEM_ID)
        frame = found.compute()
        assert frame.to_dict("list") == {"item_id": [7, 5], "price": [0.5, 1.0]}
        assert found.schema.column_names == ["item_id", "price"]
    with pytest.warns(DeprecationWarning, match=r"unique_by_tag"):
        mm.unique_rows_by_features(Dataset(log, schema=schema), Tags.ITEM, Tags.ITEM_ID)


def test_arguments_of_the_loader(tmp_path):
    encoder = golden_encoder(2).index_candidates(CANDIDATES, IDS)
    pq.write_table(pa.table({"user_id": [1, 2, 3]}), tmp_path / "queries.parquet")
    found = encoder.predict(str(tmp_path / "queries.parquet"), batch_size=2, drop_last=True)
    np.testing.assert_array_equal(found.identifiers, encoder.predict(users(1, 2)).identifiers)
