"""Logs with names of their own, implicit feedback and string ids, from raw splits to the answers of a real server."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emrys.components.build_model.step import BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.retrieval_evaluation import RetrievalEvaluation
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.evaluate_retrieval.config import EvaluateRetrievalConfig
from emrys.components.evaluate_retrieval.step import run as evaluate
from emrys.components.export_retrieval.config import ExportRetrievalConfig
from emrys.components.export_retrieval.step import run as export
from emrys.components.infer_schema.step import SchemaConfig
from emrys.components.infer_schema.step import run as infer_schema
from emrys.components.preprocess.offline import transform
from emrys.components.preprocess.step import PreprocessConfig
from emrys.components.preprocess.step import run as preprocess
from emrys.components.retrieval.search import vectors
from emrys.components.serving.client import EnsembleClient
from emrys.components.serving.server import TritonServer
from emrys.components.train.step import TrainConfig
from emrys.components.train.step import run as train
from tests.components.export_retrieval.conftest import without_server
from tests.components.serving.conftest import need_server

pytestmark = pytest.mark.slow

SKUS = [f"sku-{letter}" for letter in "abcdefghijklmnop"]
#: Goods that nobody has looked at.
NEW = ["sku-new", "sku-newer"]
K = 6

SESSIONS = DataSchema(
    (
        DataColumn("visit", "string", Role.SESSION_ID),
        DataColumn("sku", "string", Role.ITEM_ID),
        DataColumn("ts", "int64", Role.TIME, unit="s"),
        DataColumn("earlier", "string", Role.HISTORY, is_list=True, history_of="sku", max_length=8),
    )
)
REVIEWERS = DataSchema(
    (
        DataColumn("reviewer", "string", Role.USER_ID),
        DataColumn("sku", "string", Role.ITEM_ID),
        DataColumn("ts", "int64", Role.TIME, unit="s"),
        DataColumn("shelf", "string", Role.ITEM),
        DataColumn("earlier", "string", Role.HISTORY, is_list=True, history_of="sku", max_length=8),
    )
)
RECIPE = {"data": {"path": "made"}, "model": {"name": "two-tower"}}


def shelf(sku: str) -> str:
    return "new" if sku in NEW else "low" if SKUS.index(sku) < 8 else "high"


def visits(count: int, first: int, schema: DataSchema, seed: int = 5) -> pa.Table:
    """Visits in which each thing leads to the next in the alphabet, mostly."""
    random = np.random.default_rng(seed + first)
    columns: dict[str, list[object]] = {name: [] for name in schema.names}
    for number in range(first, first + count):
        place, earlier = int(random.integers(len(SKUS))), []
        for step in range(random.integers(3, 7)):
            sku = SKUS[place % len(SKUS)]
            row = {"visit": f"v{number}", "reviewer": f"R{number % 40}", "sku": sku, "ts": 100 * number + step}
            row |= {"shelf": shelf(sku), "earlier": list(earlier)}
            for name in columns:
                columns[name].append(row[name])
            earlier.append(sku)
            place += 1 if random.random() < 0.8 else int(random.integers(len(SKUS)))
    return pa.table(columns).cast(schema.arrow)


def prepare(root: Path, schema: DataSchema, features: dict[str, object], items: pa.Table | None = None) -> Path:
    tables = {
        "train": visits(250, 0, schema),
        "valid": visits(30, 1000, schema),
        "test": visits(30, 2000, schema),
    }
    Splits.write(root / "splits", tables, {"dataset": "made"}, schema=schema, items=items)
    config = PreprocessConfig(recipe={**RECIPE, "features": features})
    preprocess(root / "splits", config, data=root / "data", workflow=root / "workflow")
    infer_schema(root / "data", root / "workflow", SchemaConfig(), root / "schema")
    return root


@dataclasses.dataclass
class Run:
    """A trained, evaluated and exported model."""

    root: Path
    model: Path
    evaluation: RetrievalEvaluation
    repository: TritonRepository


def fit(root: Path, name: str, options: dict[str, object], **evaluation: object) -> Run:
    folder = root / name
    config = BuildModelConfig(architecture=name, options=options, learning_rate=0.01)
    build_model(root / "schema", config, folder / "built")
    train(root / "data", root / "schema", folder / "built", TrainConfig(epochs=3, batch_size=64), folder / "trained")
    settings = EvaluateRetrievalConfig(k=3, recall_k=5, **evaluation)
    parts = (root / "splits", root / "data", folder / "trained", root / "schema")
    evaluated = evaluate(*parts, settings, folder / "evaluation")
    with without_server():
        repository = export(
            model=folder / "trained",
            workflow=root / "workflow",
            schema=root / "schema",
            splits=root / "splits",
            evaluation=folder / "evaluation",
            config=ExportRetrievalConfig(name=name, k=K, start_timeout=90.0),
            output=folder / "triton",
        )
    return Run(root, folder / "trained", evaluated, repository)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """Three models of sessions; those of the last may repeat items."""
    features = {"sku": ["categorify"], "earlier": {"history_of": "sku", "length": 8}}
    root = prepare(tmp_path_factory.mktemp("sessions"), SESSIONS, features)
    small = {"embedding_dim": 8}
    return {
        "gpt2": fit(root, "gpt2", {**small, "num_layers": 1, "max_length": 8}, unit="session"),
        "bert4rec": fit(root, "bert4rec", {**small, "num_layers": 1, "max_length": 8}, unit="session"),
        "last-item": fit(root, "last-item", small, unit="session", exclude_seen=False),
    }


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    """A model of users and a table of items, two of which have no events."""
    items = pa.table({"sku": [*SKUS, *NEW], "shelf": [shelf(sku) for sku in (*SKUS, *NEW)]})
    features = {
        "reviewer": ["categorify"],
        "sku": ["categorify"],
        "shelf": ["categorify"],
        "earlier": {"history_of": "sku", "length": 8},
    }
    root = prepare(tmp_path_factory.mktemp("towers"), REVIEWERS, features, items)
    return fit(root, "two-tower", {"embedding_dim": 8, "tower_layers": (8,)}, exclude_seen=False)


def expected(run: Run, queries: list[dict[str, object]], excluded: list[list[str]]) -> list[list[tuple[str, float]]]:
    """The K best items of each query by the inner products of the model's vectors."""
    model, evaluation = ModelArtifact(run.model).load(), run.evaluation
    first = Splits(run.root / "splits").read("test").slice(0, 1)
    table = pa.Table.from_pylist([{**first.to_pylist()[0], **query} for query in queries], schema=first.schema)
    transformed = transform(run.root / "workflow", table)
    ours, theirs = vectors(model, transformed, evaluation.candidates, evaluation.item, 64)
    keys = evaluation.candidates["key"].to_pylist()
    lists = []
    for scores, without in zip(ours @ theirs.T, excluded, strict=True):
        pairs = [(key, float(score)) for key, score in zip(keys, scores, strict=True) if key not in without]
        lists.append(sorted(pairs, key=lambda pair: -pair[1])[:K])
    return lists


def check(served, wanted):
    for got, best in zip(served, wanted, strict=True):
        np.testing.assert_allclose([one.score for one in got], [score for _, score in best], atol=1e-4)
        assert {one.item for one in got} == {item for item, _ in best}


EARLIER = [["sku-c", "sku-d"], ["sku-p"], [], ["never seen", "sku-a"], SKUS[:13]]


def test_a_query_is_the_list_of_earlier_items(sessions):
    for name, run in sessions.items():
        assert [column["name"] for column in run.repository.metadata["inputs"]] == ["earlier"]
        assert not (run.repository.models / f"{name}_model" / "1" / "seen_items.parquet").exists()
        assert run.repository.metadata["parity"]["short_rows"] == (0 if name == "last-item" else 2)
    assert [run.repository.metadata["exclude_seen"] for run in sessions.values()] == [True, True, False]
    pages = {name: (run.repository.path / "README.md").read_text() for name, run in sessions.items()}
    assert "Items of `earlier` in the request are excluded." in pages["gpt2"]
    assert "Items that were seen are not excluded." in pages["last-item"]


def test_items_without_events_are_in_the_catalogue(towers):
    assert towers.repository.metadata["items"] == len(SKUS) + len(NEW)
    assert [column["name"] for column in towers.repository.metadata["inputs"]] == ["reviewer", "earlier"]
    assert towers.repository.metadata["exclude_seen"] is False


def test_the_real_server_answers_as_the_models_do(sessions, towers, tmp_path):
    need_server()
    for run in (*sessions.values(), towers):
        for model in run.repository.models.iterdir():
            (tmp_path / model.name).symlink_to(model)
    with TritonServer(tmp_path) as server:
        for name, run in sessions.items():
            queries = [{"earlier": earlier} for earlier in EARLIER]
            excluded = EARLIER if run.repository.metadata["exclude_seen"] else [[]] * len(EARLIER)
            for url, protocol in ((server.grpc_url, "grpc"), (server.http_url, "http")):
                with EnsembleClient(url, protocol, name) as client:
                    check(client.recommend(queries), expected(run, queries, excluded))
        with EnsembleClient(server.grpc_url, model_name="two-tower") as client:
            queries = [{"reviewer": who, "earlier": EARLIER[0]} for who in ("R1", "R2", "nobody", None)]
            check(client.recommend(queries), expected(towers, queries, [[]] * len(queries)))
