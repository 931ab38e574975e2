"""Weights, splits and names of what a model is trained with."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from tests import golden
from tests.blocks.checks import small_batch, small_schema
from tests.blocks.models.models import FEATURES, dlrm, every_input_schema, rows

X = {"x": np.array([[1.0], [2.0], [3.0], [4.0]], "float32")}
Y = np.array([[0.0], [1.0], [1.0], [0.0]], "float32")


def _identity():
    """Predicts x: the squared errors of Y are 1, 1, 4 and 16."""
    model = mm.Model(mm.ConcatFeatures(), mm.RegressionOutput("y"))
    model.build({"x": (None, 1)})
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    model.compile(keras.optimizers.SGD(0.0), metrics=[])
    return model


class TestWeights:
    def test_of_rows(self):
        # (1 * 1 + 2 * 1 + 0 * 4 + 1 * 16) / 4
        weights = np.array([1.0, 2.0, 0.0, 1.0], "float32")
        found = _identity().evaluate(X, Y, sample_weight=weights, batch_size=4, return_dict=True, verbose=0)
        assert found["loss"] == pytest.approx(19 / 4)
        assert _identity().fit(X, Y, sample_weight=weights, verbose=0).history["loss"] == [pytest.approx(19 / 4)]

    @pytest.mark.parametrize("targets", [Y, {"y": Y}])
    def test_of_classes(self, targets):
        # class 0 weighs 0.5, class 1 weighs 3: (0.5 * 1 + 3 * 1 + 3 * 4 + 0.5 * 16) / 4
        found = _identity().fit(X, targets, class_weight={0: 0.5, 1: 3.0}, verbose=0).history
        assert found["loss"] == [pytest.approx(23.5 / 4)]

    def test_of_both(self):
        weights = np.array([2.0, 1.0, 0.0, 0.0], "float32")
        found = _identity().fit(X, Y, sample_weight=weights, class_weight={0: 0.5, 1: 3.0}, verbose=0).history
        assert found["loss"] == [pytest.approx((2 * 0.5 + 3.0) / 4)]

    def test_of_rows_that_are_not_in_memory(self):
        data = tf.data.Dataset.from_tensors((X, Y))
        with pytest.raises(
            ConfigError, match=r"sample_weight goes with rows in memory; .*\. Let the batches be \(feat"
        ):
            _identity().fit(data, sample_weight=Y)

    def test_of_classes_of_several_targets(self):
        with pytest.raises(ConfigError, match="fit: class_weight; expected one target, got y, z"):
            _identity().fit(X, {"y": Y, "z": Y}, class_weight={0: 1.0})


class TestSplit:
    def test_evaluation_uses_the_last_rows(self):
        found = _identity().fit(X, Y, validation_split=0.25, verbose=0).history
        assert found["loss"] == [pytest.approx((1 + 1 + 4) / 3)]
        assert found["val_loss"] == [pytest.approx(16.0)]

    @pytest.mark.slow
    def test_lists_and_several_targets(self):
        features, targets = small_batch(10)
        model = dlrm()
        model.compile("sgd")
        found = model.fit(features, targets, batch_size=4, validation_split=0.3, verbose=0).history
        last = {name: value[7:] for name, value in features.items()}
        again = model.evaluate(last, {name: value[7:] for name, value in targets.items()}, return_dict=True, verbose=0)
        assert found["val_loss"] == [pytest.approx(again["loss"], rel=1e-5)]

    @pytest.mark.parametrize("share", [1.0, -0.5])
    def test_a_share_that_cannot_be(self, share):
        with pytest.raises(ConfigError, match="fit: validation_split; expected a share between 0 and 1"):
            _identity().fit(X, Y, validation_split=share)

    def test_data_that_is_not_in_memory(self):
        with pytest.raises(ConfigError, match=r"expected rows and targets in memory\. Give validation_data"):
            _identity().fit(tf.data.Dataset.from_tensors((X, Y)), validation_split=0.5)


class TestTheSchema:
    def test_a_missing_column(self):
        features, targets = small_batch()
        del features["country"]
        model = dlrm()
        model.compile("sgd")
        with pytest.raises(
            SchemaError, match=r"column 'country': .*: the batch lacks a column of the schema; expected"
        ):
            model.evaluate((features, targets), verbose=0)

    def test_further_features_are_ignored(self):
        columns = Schema([mm.create_continuous_column("x"), mm.create_continuous_column("z")])
        model = mm.Model(mm.ConcatFeatures(), mm.RegressionOutput("y"), schema=columns)
        batch = {"extra": np.full((1, 1), 100.0), "x": np.array([[2.0]]), "z": np.array([[5.0]])}
        model(batch)
        model.set_weights([np.array([[3.0], [1.0]]), np.zeros(1)])  # 3 x + z
        model.compile(keras.optimizers.SGD(0.0), metrics=[])
        assert float(model(batch)) == model.predict(batch, verbose=0) == 11.0
        data = tf.data.Dataset.from_tensors((batch, {"y": np.array([[9.0]]), "click": np.array([[1.0]])}))
        assert model.fit(data, verbose=0).history["loss"] == [4.0]
        assert model.evaluate(data, verbose=0, return_dict=True)["loss"] == 4.0

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["DCNModel", "DLRMModel", "DeepFMModel", "NCFModel", "WideAndDeepModel"])
    def test_further_features_of_the_constructors(self, name):
        schema = small_schema().excluding_by_name(["rating"])
        options = {
            "DCNModel": {"depth": 1, "deep_block": mm.MLPBlock([4])},
            "DLRMModel": {"embedding_dim": 4, "bottom_block": mm.MLPBlock([4]), "top_block": mm.MLPBlock([4])},
            "DeepFMModel": {"embedding_dim": 4},
            "NCFModel": {"embedding_dim": 4, "mlp_block": mm.MLPBlock([4])},
            "WideAndDeepModel": {
                "wide_schema": schema.select_by_name(["country"]),
                "deep_schema": schema.excluding_by_name(["click"]),
                "deep_block": mm.MLPBlock([4]),
                "prediction_tasks": mm.BinaryOutput("click"),
            },
        }[name]
        model = getattr(mm, name)(schema, **options)
        features, targets = small_batch()
        model.compile("adam")
        data = tf.data.Dataset.from_tensors(({"extra": features["age"], **features}, targets))
        losses = model.fit(data, epochs=3, verbose=0).history["loss"]
        assert losses[2] < losses[0]
        np.testing.assert_allclose(model.predict(data, verbose=0), model(features), rtol=1e-5)

    def test_a_target_that_is_not_there(self):
        with pytest.raises(
            SchemaError,
            match=r"column 'buy': .*the target of buy/binary_output is not in the schema; expected one of us",
        ):
            dlrm(mm.BinaryOutput("buy"))

    def test_lists_in_two_tensors(self):
        features, _ = small_batch()
        raw = {name: value for name, value in features.items() if name != "genres"}
        raw["genres__values"], raw["genres__offsets"] = features["genres"].values, features["genres"].row_splits
        model = dlrm()
        np.testing.assert_array_equal(model(raw)["click/binary_output"], model(features)["click/binary_output"])

    def test_sample_inputs_fit(self):
        schema = every_input_schema().excluding_by_name(["click", "rating"])
        model = mm.Model(mm.InputBlockV2(schema), mm.BinaryOutput("click"), schema=schema)
        features = model.get_sample_inputs(batch_size=50)
        assert sorted(features) == sorted(schema.column_names)
        assert features["user_id"].dtype == tf.int64
        assert {int(tf.reduce_min(features["country"])), int(tf.reduce_max(features["country"]))} == {0, 4}
        assert set(features["genres"].row_lengths().numpy()) == {0, 1, 2, 3, 4}
        assert features["image"].shape == (50, 3)
        assert model(features).shape == (50, 1)
        assert model.get_sample_inputs()["age"].shape == (2, 1)

    def test_a_model_without_a_schema_has_no_sample(self):
        with pytest.raises(SchemaError, match=r"knows no schema\. Give Model\(\.\.\., schema=\)"):
            mm.Model(mm.MLPBlock([2]), mm.BinaryOutput("click")).get_sample_inputs()


class TestFromBlock:
    @pytest.mark.slow
    def test_inputs_and_outputs_are_added(self):
        schema = small_schema()
        model = mm.Model.from_block(mm.MLPBlock([4]), schema)
        assert isinstance(model.first, mm.ParallelBlock)
        model.compile("sgd")
        assert np.isfinite(model.fit(rows(), verbose=0).history["loss"]).all()
        assert list(model.outputs_by_name()) == ["click/binary_output", "rating/regression_output"]
        assert list(model.outputs_by_target()) == ["click", "rating"]
        assert sorted(model.input_schema.column_names) == sorted(FEATURES.column_names)

    def test_given_ones_are_taken(self):
        inputs, output = mm.Embeddings(FEATURES, dim=2, aggregation="concat"), mm.BinaryOutput("click")
        model = mm.Model.from_block(mm.MLPBlock([4]), FEATURES, input_block=inputs, prediction_tasks=output)
        assert (model.first, model.last) == (inputs, output)

    def test_neither_targets_nor_outputs(self):
        with pytest.raises(SchemaError, match="the schema has no target"):
            mm.Model.from_block(mm.MLPBlock([4]), FEATURES)


def test_features_of_training():
    model = dlrm()
    features, targets = small_batch()
    found = model.call_train_test(features, targets, sample_weight=np.full((6, 1), 2.0, "float32"), testing=True)
    predictions = model(features)
    assert list(found.outputs) == list(predictions)
    np.testing.assert_array_equal(found.outputs["click/binary_output"], predictions["click/binary_output"])
    np.testing.assert_array_equal(found.targets["rating/regression_output"], targets["rating"])
    np.testing.assert_array_equal(found.sample_weight["click/binary_output"], np.full((6, 1), 2.0))


def _losses(values, policy, **options):
    features, targets = small_batch(24)  # lists of several lengths among them
    weights = np.linspace(0, 2, 24, dtype="float32")[:, np.newaxis]
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = dlrm()
        model.build({name: tuple(tensor.shape) for name, tensor in features.items()})
        model.set_weights(values or model.get_weights())
        start = model.get_weights()
        model.compile("adam", loss_weights={"click": 2.0}, **options)
        data = tf.data.Dataset.from_tensors((features, targets, {"click": weights, "rating": weights}))
        return start, model.fit(data, epochs=3, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy(before)


@functools.cache
def _plain_losses():
    return _losses(None, "float32")


@pytest.mark.parametrize(
    ("policy", "jit", "eager"),
    [
        ("float32", False, True),
        ("float32", True, False),
        ("mixed_bfloat16", False, False),
        ("mixed_float16", False, False),
        ("mixed_float16", True, False),
    ],
)
@pytest.mark.slow
def test_ways_to_compute(policy, jit, eager):
    """The loss of several targets, with weights of tasks and of rows, is that of the plain graph."""
    start, expected = _plain_losses()
    _, found = _losses(start, policy, jit_compile=jit, run_eagerly=eager)
    assert expected[2] < expected[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5 if policy == "float32" else 2e-2)


def _schema_of(text):
    if "'like'" not in text:
        return golden.schema(text)
    like = ColumnSchema("like", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])
    return Schema([*golden.schema("SMALL minus rating"), like])


@pytest.mark.parametrize(
    "case",
    golden.cases(
        "conventions",
        "model keys",
        where=lambda case: case.args["model"].startswith("Model(InputBlockV2(schema), MLPBlock([4]), "),
    ),
)
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_keys_are_those_of_the_release(case):
    schema = _schema_of(case.args["schema"])
    features = schema.excluding_by_name(["click", "rating", "like"])
    last = {
        "BinaryOutput('click')": lambda: mm.BinaryOutput("click"),
        "BinaryClassificationTask('click')": lambda: mm.BinaryClassificationTask("click"),
        "RegressionOutput('rating')": lambda: mm.RegressionOutput("rating"),
        "RegressionTask('rating')": lambda: mm.RegressionTask("rating"),
        "OutputBlock(schema)": lambda: mm.OutputBlock(schema),
        "PredictionTasks(schema)": lambda: mm.PredictionTasks(schema),
    }[case.args["model"].removeprefix("Model(InputBlockV2(schema), MLPBlock([4]), ").removesuffix(")")]()
    model = mm.Model(mm.InputBlockV2(features), mm.MLPBlock([4]), last, schema=schema)
    compiled = {name: value for name, value in case.args.get("compile", {}).items()}
    model.compile("sgd", run_eagerly=True, **compiled)  # names are the same, and nothing is traced for one batch
    batch = model.get_sample_inputs(24)
    draw = np.random.default_rng(0)
    targets = {
        name: draw.integers(0, 2, (24, 1)).astype("float32")
        for name in ("click", "rating", "like")
        if name in schema.column_names
    }
    data = tf.data.Dataset.from_tensors((batch, targets))
    if "fit_history_keys" in case.outputs:
        assert sorted(model.fit(data, verbose=0).history) == case.outputs["fit_history_keys"]
    if "evaluate_keys" in case.outputs:
        assert sorted(model.evaluate(data, return_dict=True, verbose=0)) == case.outputs["evaluate_keys"]
    if "n_trainable_parameters" in case.outputs:
        assert model.count_params() == case.outputs["n_trainable_parameters"]
    outputs = model(model.get_sample_inputs(4))
    shapes = (
        {name: list(tensor.shape) for name, tensor in outputs.items()}
        if isinstance(outputs, dict)
        else list(outputs.shape)
    )
    assert shapes == case.outputs["output"]


class TestBatchPredict:
    @pytest.fixture
    def dataset(self):
        import pandas as pd
        from merlin.io import Dataset

        features, targets = small_batch(10)
        columns = {name: value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy()[:, 0]
                   for name, value in features.items()}  # fmt: skip
        frame = pd.DataFrame({**columns, **{name: value[:, 0] for name, value in targets.items()}})
        import dask.dataframe as dd

        return Dataset(dd.from_pandas(frame, npartitions=3), schema=small_schema())

    @pytest.mark.slow
    def test_a_column_for_each_output(self, dataset):
        model = dlrm()
        model.compile("sgd")
        expected = model.predict(dataset, batch_size=10)
        found = model.batch_predict(dataset, batch_size=4)
        assert found.schema.column_names == [*small_schema().column_names, *expected]
        frame = found.to_ddf().compute()
        assert list(frame.columns) == found.schema.column_names
        for name, values in expected.items():
            np.testing.assert_allclose(frame[name], values[:, 0], rtol=1e-6)
            assert frame[name].dtype == "float32"
        assert frame["user_id"].tolist() == dataset.to_ddf().compute()["user_id"].tolist()

    @pytest.mark.slow
    def test_one_output_and_many_numbers(self, dataset):
        schema = FEATURES.select_by_name(["user_id", "country"])
        model = mm.Model(mm.InputBlockV2(schema), mm.CategoricalOutput(small_schema()["country"]), schema=schema)
        expected = model.predict(dataset, batch_size=10)
        found = model.batch_predict(dataset, batch_size=4)
        assert found.schema["country/categorical_output"].is_list
        np.testing.assert_allclose(
            np.stack(found.to_ddf().compute()["country/categorical_output"]), expected, rtol=1e-5
        )

    def test_something_else(self):
        with pytest.raises(ConfigError, match=r"batch_predict: dataset; expected a merlin\.io\.Dataset, got dict"):
            dlrm().batch_predict({}, batch_size=2)
