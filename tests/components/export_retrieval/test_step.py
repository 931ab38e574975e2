"""The step on artifacts of the previous steps, with a real server."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from emrys.blocks.errors import ArtifactError
from emrys.blocks.workflow import FittedWorkflow
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.retrieval_evaluation import RetrievalEvaluation
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.preprocess.offline import transform
from emrys.components.retrieval.search import vectors
from emrys.components.serving.client import EnsembleClient
from tests.components.export_retrieval.conftest import ENSEMBLES, K
from tests.components.serving.conftest import need_server

pytestmark = pytest.mark.slow

#: A user that is not in the data.
NOBODY = {"userId": 10**9, "gender": "F", "age": 25, "occupation": "artist", "history": []}


@pytest.fixture(scope="module")
def expected(pipeline):
    """The items that each raw row may get, with scores, best first: dot products of the vectors of the two encoders."""
    known = {}
    splits = Splits(pipeline.root / "splits")
    log = pd.concat([splits.read(split).to_pandas() for split in ("train", "valid", "test")])

    def find(name, rows):
        inputs = pipeline.inputs(name)
        if name not in known:
            known[name] = ModelArtifact(inputs["model"]).load()
        evaluation, first = RetrievalEvaluation(inputs["evaluation"]), Splits(inputs["splits"]).read("test").slice(0, 1)
        table = pa.Table.from_pylist([{**first.to_pylist()[0], **row} for row in rows], schema=first.schema)
        transformed = transform(inputs["workflow"], table)
        queries, items = vectors(known[name], transformed, evaluation.candidates, evaluation.item, 1024)
        keys = evaluation.candidates["key"].to_numpy()
        lists = []
        for row, vector in zip(rows, queries, strict=True):
            had = set(log.movieId[log.userId == row["userId"]])
            had |= set() if name == "factors" else set(row["history"] or [])
            scores = vector @ items.T
            scores[np.isin(keys, list(had))] = -np.inf
            order = np.argsort(-scores, kind="stable")
            lists.append({keys[index]: scores[index] for index in order if np.isfinite(scores[index])})
        return lists

    return find


def queries(pipeline):
    """Users of the test split, unknown users, and users with long histories."""
    rows = Splits(pipeline.root / "splits").read("test").slice(0, 60).to_pylist()
    known = RetrievalEvaluation(pipeline.root / "evaluation-towers").candidates["key"].to_pylist()
    return [
        *rows,
        NOBODY,
        {**NOBODY, "history": known[:40]},
        {**NOBODY, "history": known[3:]},
        {**NOBODY, "history": [*known, 10**9]},
        {**rows[0], "history": known[::2]},
        {name: [] if name == "history" else None for name in NOBODY},
    ]


@pytest.mark.parametrize("name", ENSEMBLES)
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_served_items_are_those_of_the_model(pipeline, expected, server, name, protocol):
    rows = queries(pipeline)
    with EnsembleClient(server.grpc_url if protocol == "grpc" else server.http_url, protocol, name) as client:
        served = client.recommend(rows)
    shares = []
    for got, wanted in zip(served, expected(name, rows), strict=True):
        # Only unseen items of the catalogue are in `wanted`; each is served with its own score.
        np.testing.assert_allclose([one.score for one in got], [wanted[one.item] for one in got], atol=1e-5)
        assert len({one.item for one in got}) == len(got) == min(K, len(wanted))
        best = list(wanted.values())[:K]
        if name != "factors":  # whose search is approximate
            np.testing.assert_allclose([one.score for one in got], best, atol=1e-5)
        shares.append(np.mean([one.score >= best[-1] - 1e-5 for one in got]) if got else 1.0)
    assert np.mean(shares) > 0.9


@pytest.mark.parametrize("name", ["towers", "dnn"])
def test_a_history_in_the_request_is_excluded_and_shortens_the_lists(pipeline, server, name):
    known = RetrievalEvaluation(pipeline.root / "evaluation-towers").candidates["key"].to_pylist()
    with EnsembleClient(server.grpc_url, model_name=name) as client:
        nothing, three, free = client.recommend(
            [{**NOBODY, "history": known}, {**NOBODY, "history": known[3:]}, {**NOBODY, "history": []}]
        )
    assert nothing == []
    assert {one.item for one in three} == set(known[:3])
    assert len(free) == K


def test_summaries_of_the_parity_checks(pipeline, repositories):
    rows = Splits(pipeline.root / "splits").read("test").num_rows
    parity = {name: one.metadata["parity"] for name, one in repositories.items()}
    # Two edge cases for each scalar (userId alone for the factors, four columns for the others), five for the list,
    # two for all; then the user who has seen most and two long histories.
    assert parity["factors"]["rows"] == rows + 2 + 2 + 1
    assert parity["towers"]["rows"] == parity["dnn"]["rows"] == rows + 4 * 2 + 5 + 2 + 3
    for summary in parity.values():
        assert (summary["k"], summary["through"]) == (K, "in-process")
        assert summary["max_abs_difference"] < 1e-5
        assert summary["seen_left_out"] > 1000
    # The history of the whole catalogue, and of all of it but one film.
    assert (parity["towers"]["short_rows"], parity["factors"]["short_rows"]) == (2, 0)
    assert parity["towers"]["recommended"] == (parity["towers"]["rows"] - 2) * K + 1
    assert parity["towers"]["search_recall"] == 1.0
    assert 0.9 <= parity["factors"]["search_recall"] <= 1.0


def test_contents_of_the_repositories(repositories):
    facts = {name: one.metadata for name, one in repositories.items()}
    assert {name: one["search"] for name, one in facts.items()} == {
        "towers": "exact",
        "factors": "approximate",
        "dnn": "exact",
    }
    assert [column["name"] for column in facts["factors"]["inputs"]] == ["userId"]
    # The network does not read the id of the user; it serves to exclude seen items.
    assert [column["name"] for column in facts["dnn"]["inputs"]] == ["userId", "gender", "age", "occupation", "history"]
    for name, repository in repositories.items():
        index = f"models/{name}_model/1/index"
        files = {file for file in repository.files if "/saved_model/" not in file and "/workflow/" not in file}
        approximate = {f"{index}/index.faiss", f"{index}/report.npy"}
        assert files == {
            "README.md",
            f"models/{name}/1/.keep",
            f"models/{name}/config.pbtxt",
            f"models/{name}_model/1/checksums.json",
            f"models/{name}_model/1/columns.json",
            f"models/{name}_model/1/items.parquet",
            f"models/{name}_model/1/model.py",
            f"models/{name}_model/1/seen_items.parquet",
            f"models/{name}_model/config.pbtxt",
            f"models/{name}_transform/1/model.py",
            f"models/{name}_transform/config.pbtxt",
            *(f"{index}/{file}" for file in ("candidates.npy", "ids.npy", "index.json")),
            *(approximate if name == "factors" else ()),
        }
        for file in repository.files:
            assert b"tensorflow_savedmodel" not in (repository.path / file).read_bytes()
    page = (repositories["dnn"].path / "README.md").read_text()
    assert "| userId | int64 | (rows, 1) | -9223372036854775808 |" in page
    assert "| item_ids | int64 | (rows, 30) |" in page
    assert "by `userId`, are excluded, and so are those of `history` in the request." in page


def test_through_a_real_server(pipeline, tmp_path):
    need_server()
    repository = pipeline.export("towers", tmp_path / "triton", require_server=True)
    parity = repository.metadata["parity"]
    assert (parity["through"], parity["short_rows"]) == ("triton", 2)
    assert parity["max_abs_difference"] < 1e-5
    assert repository.metadata["versions"]["model"] == ModelArtifact(pipeline.inputs("towers")["model"]).fingerprint
    # The server left nothing in it.
    assert {file.relative_to(repository.path).as_posix() for file in repository.path.rglob("*") if file.is_file()} == {
        *repository.files,
        "manifest.json",
    }


def test_a_short_catalogue_shortens_the_lists(pipeline, tmp_path, no_server):
    repository = pipeline.export("towers", tmp_path / "triton", k=5000)
    size = RetrievalEvaluation(pipeline.root / "evaluation-towers").candidates.num_rows
    assert repository.metadata["k"] == repository.metadata["items"] == size


def test_the_evaluation_of_another_model_is_refused(pipeline, tmp_path, no_server):
    inputs = {"evaluation": pipeline.root / "evaluation-dnn"}
    with pytest.raises(ArtifactError) as caught:
        pipeline.export("towers", tmp_path / "triton", inputs=inputs)
    wanted, other = (ModelArtifact(pipeline.inputs(name)["model"]).fingerprint for name in ("towers", "dnn"))
    assert str(caught.value).startswith(f"export_retrieval: {inputs['evaluation']}: ")
    assert f"expected {wanted}, got {other}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_workflow_of_other_data_is_refused(pipeline, tmp_path, no_server):
    other = FittedWorkflow.load(pipeline.root / "workflow")
    ops = list(other.ops)
    place = [op.output.name for op in ops].index("movieId")
    values = ops[place].categories
    ops[place] = dataclasses.replace(ops[place], categories=values.take([1, 0, *range(2, len(values))]))
    shutil.copytree(pipeline.root / "workflow", tmp_path / "workflow")
    FittedWorkflow(ops, other.targets).save(tmp_path / "changed")
    manifest = json.loads((tmp_path / "workflow" / "manifest.json").read_text())
    for file in (tmp_path / "changed").iterdir():
        shutil.copyfile(file, tmp_path / "workflow" / file.name)
        manifest["files"][file.name]["bytes"] = file.stat().st_size
    (tmp_path / "workflow" / "manifest.json").write_text(json.dumps(manifest))
    inputs = {"workflow": tmp_path / "workflow"}
    message = "column 'movieId': .* Run evaluate_retrieval"
    with pytest.raises(ArtifactError, match=message):
        pipeline.export("towers", tmp_path / "triton", inputs=inputs)


def test_the_evaluation_of_a_ranking_model_is_refused(pipeline, tmp_path, no_server):
    shutil.copytree(pipeline.root / "evaluation-towers", tmp_path / "evaluation")
    manifest = json.loads((tmp_path / "evaluation" / "manifest.json").read_text())
    del manifest["files"]["candidates.parquet"]
    (tmp_path / "evaluation" / "manifest.json").write_text(json.dumps(manifest))
    inputs = {"evaluation": tmp_path / "evaluation"}
    with pytest.raises(ArtifactError, match=r"candidates\.parquet: a file of the artifact is"):
        pipeline.export("towers", tmp_path / "triton", inputs=inputs)


def test_a_damaged_repository_is_refused(repositories, tmp_path):
    shutil.copytree(repositories["factors"].path, tmp_path / "triton")
    file = tmp_path / "triton" / "models" / "factors_model" / "1" / "index" / "index.faiss"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"index\.faiss: a file of the artifact is damaged; expected \d+ bytes"):
        TritonRepository(tmp_path / "triton")
