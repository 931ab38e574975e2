"""Ensembles of any targets and any raw columns: regression, classes, several targets, a Keras model of one's own."""

from __future__ import annotations

import dataclasses
import json

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError, ParityError, SchemaError
from emrys.blocks.models.export import save_serving
from emrys.blocks.workflow import Categorify, Fill, FittedWorkflow, NumberChain, Vectors
from emrys.components.contracts.data_schema import Target, TargetKind
from emrys.components.export_ensemble.config import ExportConfig
from emrys.components.export_ensemble.step import export
from emrys.components.serving.canary import compare
from emrys.components.serving.client import EnsembleClient
from emrys.components.serving.in_process import InProcessEnsemble
from emrys.components.serving.packing import pack
from emrys.components.serving.score_outputs import ScoreOutput, score_outputs
from emrys.components.serving.server import TritonServer
from tests.components.export_ensemble.test_exporting import no_server  # noqa: F401
from tests.components.serving.conftest import need_server

CONFIG = ExportConfig(name="shop", max_batch_size=32, preferred_batch_sizes=(16,), parity_rows=60, start_timeout=90.0)

RAW = pa.schema(
    {
        "visitor": pa.string(),
        "hour": pa.int64(),
        "price": pa.float32(),
        "skus": pa.list_(pa.int64()),
        "words": pa.list_(pa.string()),
        "dwell": pa.list_(pa.float32()),
        "image": pa.list_(pa.float32()),
    }
)

TARGETS = (
    Target("buy", TargetKind.BINARY),
    Target("amount", TargetKind.REGRESSION),
    Target("stars", TargetKind.CLASSES, classes=(1, 3, 5)),
)

ROW = {
    "visitor": "ann",
    "hour": 0,
    "price": 2.0,
    "skus": [0, 7],
    "words": ["new"],
    "dwell": [1.0, 3.0],
    "image": [1.0, 0.0, 2.0],
}


def table_of(values):
    return pa.table({"value": values, "count": list(range(len(values), 0, -1))})


def make_workflow():
    vectors = pa.table({"value": ["ann", "bob"], "vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32()))})
    return FittedWorkflow(
        [
            Categorify("visitor", "string", table_of(["ann", "bob"])),
            Categorify("hour", "int64", table_of([0, 5])),
            NumberChain("price", "float32", (Fill(4.0),)),
            Categorify("skus", "int64", table_of([0, 7, 9]), is_list=True),
            Categorify("words", "string", table_of(["new", "old"]), is_list=True),
            NumberChain("dwell", "float32", (), is_list=True),
            NumberChain("image", "float32", (Fill(0.5),), is_list=True, length=3),
            Vectors("visitor", "string", vectors, 2, "visitor_vector"),
        ]
    )


class Shop(tf.Module):
    """Sums of ids and numbers; three predictions of it."""

    def __init__(self):
        super().__init__()
        ids = [tf.TensorSpec((None, 1), tf.int64, name=name) for name in ("visitor", "hour")]
        numbers = [tf.TensorSpec((None, 1), tf.float32, name="price")]
        vectors = [
            tf.TensorSpec((None, 3), tf.float32, name="image"),
            tf.TensorSpec((None, 2), tf.float32, name="visitor_vector"),
        ]
        lists = []
        for name, dtype in (("skus", tf.int64), ("words", tf.int64), ("dwell", tf.float32)):
            lists.append(tf.TensorSpec((None,), dtype, name=f"{name}__values"))
            lists.append(tf.TensorSpec((None,), tf.int32, name=f"{name}__offsets"))
        self.serve = tf.function(self._serve, input_signature=[*ids, *numbers, *vectors, *lists])

    def _serve(
        self,
        visitor,
        hour,
        price,
        image,
        visitor_vector,
        skus__values,
        skus__offsets,
        words__values,
        words__offsets,
        dwell__values,
        dwell__offsets,
    ):
        total = tf.cast(visitor + 10 * hour, tf.float32) + price
        total += tf.reduce_sum(image * [1.0, 10.0, 100.0], axis=1, keepdims=True)
        total += 1000 * tf.reduce_sum(visitor_vector * [1.0, 10.0], axis=1, keepdims=True)
        for values, offsets in ((skus__values, skus__offsets), (words__values, words__offsets)):
            total += _sum(tf.cast(values, tf.float32), offsets)
        total += 0.25 * _sum(dwell__values, dwell__offsets)
        return predictions(total)


def _sum(values, offsets):
    return tf.reduce_sum(tf.RaggedTensor.from_row_splits(values, offsets), axis=1)[:, None]


def predictions(total):
    return {
        "buy/binary_output": tf.sigmoid(total / 10000),
        "amount/regression_output": total,
        "stars/categorical_output": tf.nn.softmax(total / 10000 * [[1.0, 2.0, -1.0]], axis=1),
    }


def totals(rows):
    """The sum of each transformed row, by a loop."""
    result = []
    for row in rows:
        image, vector = row["image"], row["visitor_vector"]
        total = row["visitor"] + 10 * row["hour"] + row["price"] + image[0] + 10 * image[1] + 100 * image[2]
        total += 1000 * (vector[0] + 10 * vector[1]) + sum(row["skus"]) + sum(row["words"]) + 0.25 * sum(row["dwell"])
        result.append([total])
    return np.array(result)


def offline_score(transformed):
    return {name: np.asarray(values) for name, values in predictions(totals(transformed.to_pylist())).items()}


def draw_rows(count, seed=2):
    random = np.random.default_rng(seed)

    def one(values):
        return values[random.integers(len(values))]

    def several(values):
        return [one(values) for _ in range(random.integers(0, 4))]

    return [
        {
            "visitor": one(["ann", "bob", "eve", None]),
            "hour": one([0, 5, 23, None]),
            "price": one([0.0, 2.5, None]),
            "skus": several([0, 7, 9, 11]),
            "words": several(["new", "old", "odd"]),
            "dwell": several([0.0, 1.5, -2.0]),
            "image": one([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], None]),
        }
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    make_workflow().save(folder / "workflow")
    shop = Shop()
    tf.saved_model.save(shop, str(folder / "saved_model"), signatures={"serving_default": shop.serve})
    return folder


def run(inputs, output, **changes):
    arguments = {
        "saved_model": inputs / "saved_model",
        "held_out": pa.Table.from_pylist(draw_rows(100), schema=RAW),
        "config": CONFIG,
        "offline_score": offline_score,
        "targets": TARGETS,
        **changes,
    }
    return export(
        workflow=inputs / "workflow",
        output=output,
        offline_transform=make_workflow().transform_table,
        versions={"emrys": "1.0"},
        **arguments,
    )


#: Of `ROW`: ids 3, 3; 2; image 1 + 200; vector 1000 · 21; ids 3 + 4 and 3; 0.25 · 4.
TOTAL = 3 + 10 * 3 + 2 + 201 + 21000 + 7 + 3 + 1


@pytest.mark.slow
def test_every_target_is_an_output(inputs, tmp_path, no_server):  # noqa: F811
    repository = run(inputs, tmp_path / "triton")
    # Two edge cases for a text and an integer, three for a number, five for each list, four for the vector, and two.
    assert repository.metadata["parity"]["rows"] == 60 + 2 + 2 + 3 + 3 * 5 + 4 + 2
    assert [(one["name"], one["classes"]) for one in repository.metadata["outputs"]] == [
        ("buy", []),
        ("amount", []),
        ("stars", [1, 3, 5]),
    ]
    ensemble = InProcessEnsemble(repository.models, name="shop")
    answer = ensemble.infer(pack([ROW], ensemble.inputs))
    assert answer["amount"].tolist() == [[TOTAL]]
    assert answer["buy"][0, 0] == pytest.approx(1 / (1 + np.exp(-TOTAL / 10000)))
    weights = np.exp(np.array([1, 2, -1]) * TOTAL / 10000)
    np.testing.assert_allclose(answer["stars"], [weights / weights.sum()], rtol=1e-5)
    page = (repository.path / "README.md").read_text()
    assert "| stars | float32 | (rows, 3) | probability of each value of `stars`: 1, 3, 5 |" in page
    assert "| image | float32 | (rows, 3) | NaN |" in page
    assert "returns `buy`, `amount`, `stars`, through" in page


@pytest.mark.slow
def test_one_target_has_the_name_of_its_values(inputs, tmp_path, no_server):  # noqa: F811
    for target, name in zip(TARGETS, ("score", "score", "probabilities"), strict=True):
        repository = run(inputs, tmp_path / target.name, targets=(target,))
        ensemble = InProcessEnsemble(repository.models, name="shop")
        assert list(ensemble.infer(pack([ROW], ensemble.inputs))) == [name]


@pytest.mark.slow
def test_drawn_negatives_are_calibrated_back(inputs, tmp_path, no_server):  # noqa: F811
    repository = run(inputs, tmp_path / "triton", targets=TARGETS[:1], negatives=4)
    ensemble = InProcessEnsemble(repository.models, name="shop")
    raw = 1 / (1 + np.exp(-TOTAL / 10000))
    expected = 4 * raw / (4 * raw + 1 - raw)
    assert ensemble.infer(pack([ROW], ensemble.inputs))["score"][0, 0] == pytest.approx(expected)


def test_a_class_that_differs_is_reported(inputs, tmp_path, no_server):  # noqa: F811
    def swapped(transformed):
        scores = offline_score(transformed)
        return {**scores, "stars/categorical_output": scores["stars/categorical_output"][:, [0, 2, 1]]}

    with pytest.raises(ParityError, match=r"column 'stars': .* row 0, value 1 .*\(offline\)"):
        run(inputs, tmp_path / "triton", offline_score=swapped)


@pytest.mark.slow
def test_through_a_real_server(inputs, tmp_path):
    need_server()
    config, units = dataclasses.replace(CONFIG, require_server=True), {"hour": "s", "not served": "ms"}
    repository = run(inputs, tmp_path / "triton", config=config, time_units=units)
    assert repository.metadata["parity"]["through"] == "triton"
    rows = draw_rows(70, seed=9)
    expected = offline_score(make_workflow().transform_table(pa.Table.from_pylist(rows, schema=RAW)))
    with TritonServer(repository.models) as server:
        for url, protocol in ((server.grpc_url, "grpc"), (server.http_url, "http")):
            with EnsembleClient(url, protocol) as client:
                scores = client.predict_all(rows)
                assert client.classes == {"stars": [1, 3, 5]}
                assert client.time_units == {"hour": "s"}
                np.testing.assert_allclose(scores["buy"], expected["buy/binary_output"][:, 0], atol=1e-5)
                np.testing.assert_allclose(scores["amount"], expected["amount/regression_output"][:, 0], rtol=1e-5)
                np.testing.assert_allclose(scores["stars"], expected["stars/categorical_output"], atol=1e-5)
                with pytest.raises(ConfigError, match=r"several outputs; got buy, amount, stars.*predict_all\(\)"):
                    client.predict(rows)
        comparison = compare(server.grpc_url, server.grpc_url, rows, "shop")
        assert (comparison.rows, comparison.max_difference) == (70, 0.0)


def outputs_of(tensors, targets=(), inputs=("x",)):
    return score_outputs(targets, tensors, inputs)


def test_outputs_are_found_by_target():
    assert outputs_of({"rating_binary/binary_output": 1}) == (
        ScoreOutput("score", "rating_binary/binary_output", "rating_binary"),
    )
    assert [one.tensor for one in outputs_of({"buy": 1, "amount/regression_output": 1}, TARGETS[:2])] == [
        "buy",
        "amount/regression_output",
    ]
    assert outputs_of({"prediction": 3}, TARGETS[2:])[0].tensor == "prediction"
    number = dataclasses.replace(TARGETS[2], classes=())
    assert outputs_of({"prediction": 3}, [number])[0].classes == (0, 1, 2)


@pytest.mark.parametrize(
    ("tensors", "targets", "inputs", "message"),
    [
        ({"a": 1, "b": 1}, (), (), "exactly one output; expected one score, got a, b"),
        ({"a": 1, "b": 1}, TARGETS[:1], (), "column 'buy': .* expected buy or buy/…, got a, b"),
        ({"stars": 4}, TARGETS[2:], (), "column 'stars': .* expected 3, got 4"),
        ({"buy": 1}, TARGETS[:1], ("score",), "column 'score': .* Rename the column"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(tensors, targets, inputs, message):
    with pytest.raises(SchemaError, match=message):
        outputs_of(tensors, targets, inputs)


SCHEMA = Schema(
    [
        ColumnSchema("visitor", tags=[Tags.CATEGORICAL], dtype="int64", properties={"domain": {"min": 0, "max": 4}}),
        ColumnSchema("price", tags=[Tags.CONTINUOUS], dtype="float32"),
        ColumnSchema("skus", tags=[Tags.CATEGORICAL], dtype="int64", is_list=True, is_ragged=True),
    ]
)


@keras.saving.register_keras_serializable("test_any_targets")
class OwnModel(keras.Model):
    """A model that knows nothing of the library."""

    def __init__(self):
        super().__init__()
        self.embedding = keras.layers.Embedding(5, 1, embeddings_initializer=keras.initializers.Constant(0.5))

    def call(self, features):
        counts = tf.cast(features["skus"].row_lengths(), tf.float32)[:, None]
        total = self.embedding(features["visitor"])[:, 0] + features["price"] + counts
        return {"amount": total, "stars": tf.nn.softmax(total * [[0.1, 0.2, 0.3]])}


@pytest.mark.slow
def test_a_keras_model_of_ones_own_is_served_without_its_module(tmp_path):
    """The real server has no such module."""
    need_server()
    model = OwnModel()
    batch = {"visitor": tf.constant([[3]]), "price": tf.constant([[2.0]]), "skus": tf.ragged.constant([[3, 4]])}
    model(batch)
    save_serving(model, tmp_path / "saved_model", SCHEMA)
    workflow = make_workflow().select(["visitor", "price", "skus"])
    workflow.save(tmp_path / "workflow")
    held_out = pa.Table.from_pylist(draw_rows(40), schema=RAW).select(["visitor", "price", "skus"])

    def score(transformed):
        features = {name: transformed[name].to_numpy()[:, None] for name in ("visitor", "price")}
        skus = tf.ragged.constant(transformed["skus"].to_pylist(), dtype=tf.int64, ragged_rank=1)
        return {name: values.numpy() for name, values in model({**features, "skus": skus}).items()}

    repository = export(
        saved_model=tmp_path / "saved_model",
        workflow=tmp_path / "workflow",
        held_out=held_out,
        config=dataclasses.replace(CONFIG, require_server=True),
        output=tmp_path / "triton",
        offline_transform=workflow.transform_table,
        offline_score=score,
        versions={},
        targets=TARGETS[1:],
    )
    with TritonServer(repository.models) as server, EnsembleClient(server.grpc_url) as client:
        scores = client.predict_all([{"visitor": "ann", "price": 2.0, "skus": [0, 7]}])
    # 0.5 of the embedding, 2 of the price, 2 for the two skus.
    assert scores["amount"].tolist() == [4.5]
    weights = np.exp([0.45, 0.9, 1.35])
    np.testing.assert_allclose(scores["stars"], [weights / weights.sum()], rtol=1e-5)
    assert json.loads((repository.path / "manifest.json").read_text())["metadata"]["outputs"][1]["target"] == "stars"
