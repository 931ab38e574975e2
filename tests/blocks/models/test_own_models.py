"""Models of other people: subclasses with a `call` of their own, and calls with targets."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from tests.blocks.checks import small_batch, small_schema

COLUMNS = small_schema().select_by_name(["user_id", "country", "age"])
X = {"x": np.array([[1.0], [2.0], [3.0], [4.0]], "float32")}
Y = {"y": np.array([[0.0], [1.0], [1.0], [0.0]], "float32")}


def _data():
    features, targets = small_batch(16)
    features = {name: features[name] for name in COLUMNS.column_names}
    return tf.data.Dataset.from_tensors((features, {"click": targets["click"]})).repeat(4)


@keras.saving.register_keras_serializable("tests")
class OwnCall(mm.BaseModel):
    """A model whose `call` ignores the mode and the targets."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inputs_block = mm.InputBlockV2(COLUMNS)
        self.body = mm.MLPBlock([4])
        self.prediction = mm.BinaryOutput("click")

    def call(self, inputs, **kwargs):
        """Predicts."""
        return self.prediction(self.body(self.inputs_block(inputs)))

    def get_config(self):
        """No arguments."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Creates the model."""
        return cls(**config)


class OwnCallWithTargets(mm.Model):
    """A model that hands its output the targets."""

    def __init__(self):
        super().__init__()
        self.inputs_block = mm.InputBlockV2(COLUMNS)
        self.body = mm.MLPBlock([4])
        self.prediction = mm.BinaryOutput("click")

    def call(self, inputs, training=False, testing=False, targets=None):
        """Predicts, with the target in training and testing."""
        outputs = self.body(self.inputs_block(inputs))
        return self.prediction(outputs, training=training, testing=testing, targets=targets)


class Wrapper(mm.BaseModel):
    """A model around another one."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs, **kwargs):
        """Predicts."""
        return self.inner(inputs, **kwargs)


def _blocks():
    return mm.Model(mm.InputBlockV2(COLUMNS), mm.MLPBlock([4]), mm.BinaryOutput("click"))


class TestOwnCall:
    @pytest.mark.slow
    @pytest.mark.parametrize("maker", [OwnCall, OwnCallWithTargets, lambda: Wrapper(_blocks())])
    def test_it_trains_as_the_same_model_of_blocks_does(self, maker):
        data, (features, _) = _data(), next(iter(_data()))
        model, blocks = maker(), _blocks()
        model(features), blocks(features)
        assert len(model.weights) == len(blocks.weights)
        model.set_weights(blocks.get_weights())
        model.compile("adam")
        blocks.compile("adam")
        expected = blocks.fit(data, epochs=2, verbose=0).history
        history = model.fit(data, epochs=2, verbose=0).history
        assert set(history) == set(expected)
        assert {"loss", "auc", "precision", "recall", "binary_accuracy"} <= set(history)
        for name, values in expected.items():
            assert history[name] == pytest.approx(values, rel=1e-4), name
        evaluated = model.evaluate(data, return_dict=True, verbose=0)
        assert evaluated == pytest.approx(blocks.evaluate(data, return_dict=True, verbose=0), rel=1e-4)
        np.testing.assert_allclose(model.predict(data), blocks.predict(data), rtol=1e-4)

    @pytest.mark.slow
    def test_it_knows_its_columns_and_outputs(self):
        model = OwnCall()
        assert [output.task_name for output in model.model_outputs] == ["click/binary_output"]
        assert model.input_schema.column_names == COLUMNS.column_names
        assert [block.name for block in model.get_blocks_by_name(model.body.name)] == [model.body.name]
        model.compile("adam")
        model.freeze_blocks(model.body)
        model.fit(_data(), verbose=0)
        before = model.body.get_weights()
        model.fit(_data(), verbose=0)
        np.testing.assert_array_equal(model.body.get_weights()[0], before[0])

    @pytest.mark.slow
    def test_it_is_saved_and_exported(self, tmp_path):
        model = OwnCall()
        model.compile("adam")
        model.fit(_data(), verbose=0)
        features, _ = next(iter(_data()))
        expected = model.predict(features, verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = OwnCall.load(tmp_path / "model.keras")
        np.testing.assert_allclose(loaded.predict(features, verbose=0), expected, rtol=1e-6)
        first = model.fit(_data(), verbose=0).history["loss"]
        assert loaded.fit(_data(), verbose=0).history["loss"] == pytest.approx(first, rel=1e-6)
        model.export(tmp_path / "served")
        served = tf.saved_model.load(tmp_path / "served").signatures["serving_default"]
        columns = {name: tf.convert_to_tensor(value) for name, value in features.items()}
        np.testing.assert_allclose(
            served(**columns)["click/binary_output"], model.predict(features, verbose=0), rtol=1e-5
        )


class Linear(mm.BaseModel):
    """A model of plain Keras layers: w x, with w = 1."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")

    def call(self, inputs, **kwargs):
        """Predicts."""
        return self.dense(inputs["x"])


class TestWithoutOutputs:
    @pytest.mark.parametrize("targets", [Y, Y["y"]])
    def test_the_loss_and_metrics_are_those_of_keras(self, targets):
        model = Linear()
        model.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"], weighted_metrics=["mae"])
        weights = np.array([1.0, 2.0, 0.0, 1.0], "float32")
        found = model.evaluate(X, targets, sample_weight=weights, batch_size=4, return_dict=True, verbose=0)
        # errors 1, 1, 2, 4: squares (1 + 2 + 16) / 4
        assert found["loss"] == pytest.approx(19 / 4)
        assert found["mae"] == pytest.approx(8 / 4)
        # the gradient of the mean of w (w x - y)^2: 2 mean(weight error x) = 2 (1 + 2 * 2 + 4 * 4) / 4
        model.fit(X, targets, sample_weight=weights, batch_size=4, verbose=0)
        assert model.dense.kernel.numpy().tolist() == [[pytest.approx(1 - 0.1 * 42 / 4, abs=1e-6)]]


class TestCallsWithTargets:
    def _model(self):
        model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), mm.RegressionOutput("y"))
        model.build({"x": (None, 1)})
        model.set_weights([np.array([[2.0]]), np.zeros(1)])
        return model

    @pytest.mark.parametrize("mode", [{"training": True}, {"testing": True}])
    @pytest.mark.parametrize("targets", [Y, Y["y"]])
    def test_the_output_is_a_tensor(self, mode, targets):
        prediction = self._model()(X, targets=targets, **mode)
        assert not isinstance(prediction, mm.Prediction)
        np.testing.assert_array_equal(prediction, 2 * X["x"])

    def test_several_outputs_are_tensors_by_name(self):
        outputs = mm.ParallelBlock(mm.RegressionOutput("y"), mm.BinaryOutput("z"))
        model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), outputs)
        predictions = model(X, targets={"y": Y["y"], "z": np.ones_like(Y["y"])}, training=True)
        assert list(predictions) == ["y/regression_output", "z/binary_output"]
        assert not any(isinstance(each, mm.Prediction) for each in predictions.values())

    def test_weights_come_with_the_output(self):
        output = mm.BinaryOutput("z", post=mm.ColumnBasedSampleWeight(binary_class_weights=(1.0, 5.0)))
        model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), output)
        prediction = model(X, targets=np.array([[1.0], [0.0], [0.0], [1.0]]), training=True)
        np.testing.assert_array_equal(np.ravel(prediction.sample_weight), [5, 1, 1, 5])

    def test_a_task_of_the_first_generation_returns_its_target(self):
        with pytest.warns(DeprecationWarning, match="RegressionOutput"):
            task = mm.RegressionTask("y")
        prediction = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), task)(X, targets=Y["y"], training=True)
        np.testing.assert_array_equal(prediction.targets, Y["y"])

    @pytest.mark.parametrize("mode", [{"training": True}, {"testing": True}, {}])
    def test_without_targets_it_comes_alone(self, mode):
        np.testing.assert_array_equal(self._model()(X, **mode), 2 * X["x"])

    def test_ids_stay_integers(self):
        schema = small_schema().select_by_name(["user_id", "item_id"])
        model = mm.Model(mm.InputBlockV2(Schema([schema["user_id"]])), mm.CategoricalOutput(schema["item_id"]))
        ids = np.array([[1], [19]])
        for targets in (ids, {"item_id": ids}):
            prediction = model.last(np.ones((2, 4), "float32"), targets=targets, training=True)
            assert prediction.targets.dtype == tf.int64
            assert prediction.targets.numpy().tolist() == [[1], [19]]


class TestOwnPredictionLayer:
    @pytest.mark.parametrize("kind", [mm.BinaryOutput, mm.RegressionOutput])
    def test_an_output_takes_it(self, kind, tmp_path):
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), kind("y", to_call=layer))
        np.testing.assert_array_equal(model(X), X["x"])
        assert model.last.to_call is layer
        assert model.last.full_name == model.last.task_name
        model.save(tmp_path / "model.keras")
        loaded = mm.Model.load(tmp_path / "model.keras")
        assert loaded.count_params() == 1
        np.testing.assert_array_equal(loaded(X), X["x"])
