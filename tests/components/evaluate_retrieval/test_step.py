import dataclasses
import math
import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError, ConfigError, EmrysError
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.measured_rows import MODEL, PRODUCTION
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.retrieval_evaluation import CANDIDATES_FILE, SEEN_ITEMS_FILE
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.evaluate_retrieval.step import EvaluateRetrievalConfig, run
from emrys.components.model_registry.registry import Registry

SMALL = EvaluateRetrievalConfig(k=5, recall_k=20, batch_size=64)


def evaluate(made, output, config=SMALL, model="two-tower"):
    return run(made / "splits", made / "data", made / f"trained-{model}", made / "schema", config, output)


@pytest.fixture(scope="module")
def evaluation(made, tmp_path_factory):
    return evaluate(made, tmp_path_factory.mktemp("evaluated") / "out")


@pytest.mark.slow
def test_metrics_are_those_of_the_products_of_the_vectors(made, evaluation):
    # Everything by another way: a loop over the users, with the scores of the two encoders.
    model, data = ModelArtifact(made / "trained-two-tower").load(), Transformed(made / "data")
    schema = FeatureSchema(made / "schema").schema
    raw = {split: Splits(made / "splits").read(split).to_pandas() for split in ("train", "test")}
    train, test = data.read("train").to_pandas(), data.read("test")
    ids = np.unique(train.movieId[train.rating_binary > 0])
    first = [int(np.flatnonzero(train.movieId == one)[0]) for one in ids]
    keys = raw["train"].movieId.to_numpy()[first]

    def encode(encoder, rows):
        read = schema.select_by_name(encoder.input_schema.column_names)
        loader = mm.Loader(rows, 64, label_names=[], schema=read, shuffle=False)
        return np.concatenate([encoder(features).numpy() for features, _ in loader])

    items = encode(model.candidate_encoder, data.read("train").take(first))
    queries = encode(model.query_encoder, test)
    ndcgs, recalls, users = [], [], []
    for user, rows in raw["test"].groupby("userId"):
        had = set(raw["train"].movieId[raw["train"].userId == user])
        right = set(rows.movieId[rows.rating_binary > 0]) - had
        if not right:
            continue
        scores = queries[int(rows.index[0])] @ items.T
        scores[[key in had for key in keys]] = -np.inf
        order = list(keys[np.argsort(-scores, kind="stable")])[:20]
        gains = [1 / math.log2(rank + 2) for rank, key in enumerate(order[:5]) if key in right]
        ndcgs.append(sum(gains) / sum(1 / math.log2(rank + 2) for rank in range(min(5, len(right)))))
        recalls.append(len(right & set(order)) / len(right))
        users.append(user)
    assert evaluation.metrics["queries"] == len(users) > 50
    assert evaluation.metrics["ndcg_at_5"] == pytest.approx(np.mean(ndcgs))
    assert evaluation.metrics["recall_at_20"] == pytest.approx(np.mean(recalls))
    np.testing.assert_allclose(evaluation.rows.values["ndcg_at_5", MODEL], ndcgs, rtol=1e-5)


@pytest.mark.slow
def test_rows_and_metrics_and_curves_agree(evaluation):
    rows, metrics = evaluation.rows, evaluation.metrics
    assert rows.scorers == ["last_item", "model", "popularity"]
    assert rows.metrics == ["mrr_at_5", "ndcg_at_5", "novelty_at_5", "recall_at_20"]
    assert rows.units.tolist() == list(range(int(metrics["queries"])))
    for (name, scorer), values in rows.values.items():
        start = "" if scorer == MODEL else f"{scorer}_"
        assert metrics[start + name] == pytest.approx(np.nanmean(values))
    curve = evaluation.curves["recall"]
    assert curve["popularity"][-1] == pytest.approx(metrics["popularity_recall_at_20"])
    assert len(curve["model"]) == 20
    assert set(rows.slices) == {"user", "history", "gender", "age", "occupation"}
    assert set(rows.slices["user"]) <= {"known", "new"}


@pytest.mark.slow
def test_files_of_the_export_are_beside_it(made, evaluation):
    candidates = pq.read_table(evaluation.path / CANDIDATES_FILE).to_pandas()
    workflow = FittedWorkflow.load(made / "workflow")
    known = next(op for op in workflow.ops if op.output.name == "movieId").categories["value"].to_pylist()
    train = Splits(made / "splits").read("train").to_pandas()
    assert set(candidates.key) == set(train.movieId[train.rating_binary > 0])
    assert [known[one - 3] for one in candidates.movieId] == candidates.key.tolist()
    assert candidates.movieId.is_monotonic_increasing
    assert {"genres", "release_year"} < set(candidates.columns)
    seen = mm.SeenItems.load(evaluation.path / SEEN_ITEMS_FILE)
    # Of all splits: when the model is served, the rows that it was evaluated on are in the past.
    rows = pd.concat([Splits(made / "splits").read(split).to_pandas() for split in ("train", "valid", "test")])
    user = int(rows.userId.mode()[0])  # who has rated most
    values, offsets = seen.lookup([user, 10**9])
    had = set(rows.movieId[rows.userId == user]) & set(candidates.key)
    assert {known[value - 3] for value in values} == had
    assert had > set(train.movieId[train.userId == user]) & set(candidates.key)
    assert offsets.tolist() == [0, len(values), len(values)]
    assert (evaluation.metadata["user"], evaluation.metadata["item"]) == ("userId", "movieId")
    assert evaluation.metadata["search"] == {"strategy": "exact", "recall": 1.0, "index": None}


@pytest.mark.parametrize("model", ["matrix-factorization", "youtube-dnn"])
@pytest.mark.slow
def test_every_architecture_is_evaluated(made, evaluation, tmp_path, model):
    found = evaluate(made, tmp_path / "out", model=model).metrics
    assert 0 < found["recall_at_20"] < 1
    # Baselines do not depend on the model.
    assert found["popularity_recall_at_20"] == evaluation.metrics["popularity_recall_at_20"]


@pytest.mark.slow
def test_the_report_says_what_the_metrics_say(evaluation):
    page = evaluation.report.read_text()
    best = max(evaluation.metrics[f"{scorer}ndcg_at_5"] for scorer in ("", "popularity_", "last_item_"))
    assert f'<td class="n"><b>{best:.4f}</b>' in page
    assert f"{evaluation.metrics['queries']:,} users" in page
    for text in ("Last item", "Popularity", "exact, as for every catalogue of up to 10,000 items", "--model: #1f5fd0"):
        assert text in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)


@pytest.mark.slow
def test_a_large_catalogue_is_searched_approximately(made, tmp_path):
    config = dataclasses.replace(SMALL, exact_up_to=10, recall_target=1.0)
    found = evaluate(made, tmp_path / "out", config)
    assert found.metadata["search"]["strategy"] == "approximate"
    assert found.metrics["search_recall"] == found.metadata["search"]["recall"] > 0.9
    assert "approximate, as for every catalogue of more than 10 items" in found.report.read_text()


@pytest.mark.slow
def test_a_search_that_finds_too_little_fails(made, tmp_path):
    config = dataclasses.replace(SMALL, exact_up_to=10, recall_target=0.01, recall_floor=1.0)
    with pytest.raises(EmrysError) as caught:
        evaluate(made, tmp_path / "out", config)
    assert str(caught.value).startswith(
        "evaluate_retrieval: the recall of the approximate search is too low; expected at least 1 of the exact results"
    )
    assert "of the exact results, got 0." in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_model_in_production_is_evaluated_beside(made, tmp_path):
    registry = Registry(str(tmp_path / "registry"), "retrieval")
    parts = {"workflow": made / "workflow", "schema": made / "schema", "model": made / "trained-two-tower"}
    registry.promote(registry.add(parts, {}).name)
    config = dataclasses.replace(SMALL, registry=str(tmp_path / "registry"))
    evaluation = evaluate(made, tmp_path / "out", config)
    assert evaluation.metadata["production"] == registry.current().name
    found = evaluation.rows
    # It is the evaluated model itself, through its own workflow and raw rows.
    np.testing.assert_allclose(found.values["ndcg_at_5", PRODUCTION], found.values["ndcg_at_5", MODEL])


@pytest.mark.slow
def test_nothing_in_production(made, tmp_path, capfd):
    found = evaluate(made, tmp_path / "out", dataclasses.replace(SMALL, registry=str(tmp_path / "registry")))
    assert PRODUCTION not in found.rows.scorers
    assert "nothing is in production" in capfd.readouterr().err


@pytest.mark.slow
def test_a_model_that_ranks_is_refused(made, tmp_path):
    users = FeatureSchema(made / "schema").schema.select_by_name("userId")
    model = mm.Model(mm.Embeddings(users, dim=2), mm.ConcatFeatures(), mm.BinaryOutput("rating_binary"))
    model.compile()
    model.build({"userId": (None, 1)})
    with ModelArtifact.create(tmp_path / "model", {}) as work:
        model.save(work / "model.keras")
        (work / "summary.txt").write_text("")
    with pytest.raises(ArtifactError, match="the model is not a retrieval model; expected RetrievalModelV2, got Model"):
        run(made / "splits", made / "data", tmp_path / "model", made / "schema", SMALL, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"k": 0}, "k cannot be used; expected a whole number of at least 1, got 0"),
        ({"recall_floor": 1.5}, "recall_floor cannot be used; expected above 0 and up to 1, got 1.5"),
        ({"target": ""}, "target cannot be used; expected the name of a column, got ''"),
    ],
)
def test_values_that_cannot_be(change, text):
    with pytest.raises(ConfigError) as caught:
        EvaluateRetrievalConfig(**change)
    assert str(caught.value) == f"evaluate_retrieval: {text}"


@pytest.mark.slow
def test_opened_again(evaluation):
    assert Evaluation(evaluation.path).metrics == evaluation.metrics
