"""The step on the artifacts of the real steps before it: NVTabular's workflow and a Keras model against the server."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from emrys.components.build_model.step import BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import Splits
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.export_ensemble.step import run
from emrys.components.infer_schema.config import SchemaConfig
from emrys.components.infer_schema.step import run as infer_schema
from emrys.components.ingest.config import IngestConfig
from emrys.components.ingest.step import run as ingest
from emrys.components.preprocess.offline import transform
from emrys.components.preprocess.step import PreprocessConfig
from emrys.components.preprocess.step import run as preprocess
from emrys.components.serving.client import predict
from emrys.components.serving.server import TritonServer
from tests.components.serving.conftest import need_server


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    need_server()
    folder = tmp_path_factory.mktemp("artifacts")
    ingest(IngestConfig(synthetic_rows=3000, seed=1), folder / "splits")
    preprocess(folder / "splits", PreprocessConfig(), data=folder / "data", workflow=folder / "workflow")
    infer_schema(folder / "data", folder / "workflow", SchemaConfig(), folder / "schema")
    build_model(folder / "schema", BuildModelConfig(embedding_dim=4, seed=3), folder / "model")
    return folder


@pytest.mark.slow
def test_a_keras_model_and_an_nvtabular_workflow_are_served_as_they_are(artifacts, tmp_path):
    config = ExportConfig(name="films", require_server=True)
    inputs = (artifacts / name for name in ("model", "workflow", "schema", "splits"))
    repository = run(*inputs, config, tmp_path / "triton")
    parity = repository.metadata["parity"]
    # All 300 rows of the test split; edge cases: two for each of eight scalars and NaN for the only float, five for the
    # list, two for all.
    assert (parity["rows"], parity["through"]) == (300 + 8 * 2 + 1 + 5 + 2, "triton")
    assert parity["max_abs_difference"] < 1e-5
    assert repository.metadata["versions"]["model"] == ModelArtifact(artifacts / "model").fingerprint

    # Once more, apart from the gate: rows as a caller has them, features handed to Keras one by one.
    rows = Splits(artifacts / "splits").read("test").slice(0, 40)
    model = ModelArtifact(artifacts / "model").load()
    expected = []
    for row in transform(artifacts / "workflow", rows).to_pylist():
        features = {name: np.array([[value]]) for name, value in row.items() if name != "genres"}
        features = {
            name: values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
            for name, values in features.items()
        }
        features["genres"] = tf.ragged.constant([row["genres"]], dtype=tf.int64)
        expected.append(float(np.asarray(model(features, training=False)).item()))
    with TritonServer(repository.models) as server:
        np.testing.assert_allclose(predict(server.grpc_url, rows.to_pylist(), model_name="films"), expected, atol=1e-5)
        by_column = {name: rows[name].to_pylist() for name in rows.column_names}
        np.testing.assert_allclose(predict(server.http_url, by_column, "http", "films"), expected, atol=1e-5)
