"""Layers that batches go through before they reach the model, and those that stand first in it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.core.prediction import Prediction
from emrys.blocks.errors import ConfigError


class Doubled(mm.Block):
    """Features alone, as a dictionary."""

    def call(self, inputs):
        return {"x": 2 * inputs["x"]}


class Beside(mm.Block):
    """Another feature."""

    def call(self, inputs):
        return {**inputs, "z": inputs["x"]}


@keras.saving.register_keras_serializable("emrys-tests")
class FromTheFeature(mm.Block):
    """Targets and weights made of a feature; in testing one more is added to the target."""

    def call(self, inputs, targets=None, training=None, testing=None):
        if not (training or testing):
            return inputs
        return Prediction(
            {"x": inputs["x"]}, {"y": 3 * inputs["x"] + (1.0 if testing else 0.0)}, tf.cast(inputs["x"] > 1, "float32")
        )


def _model(**options):
    """Predicts x itself: the squared error of a target t is (t - x)²."""
    model = mm.Model(mm.ConcatFeatures(), mm.RegressionOutput("y"), **options)
    model.build({"x": (None, 1)})
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    model.compile("sgd", metrics=[])
    return model


FEATURES = {"x": np.array([[1.0], [2.0]], "float32")}
NO_TARGETS = tf.data.Dataset.from_tensors((FEATURES,))
TARGETS = {"y": np.array([[1.0], [0.0]], "float32")}


class TestAhead:
    def test_features(self):
        # predictions 2 and 4, targets 1 and 0: (1 + 16) / 2
        found = _model().evaluate((FEATURES, TARGETS), pre=Doubled(), return_dict=True, verbose=0)
        assert found["loss"] == pytest.approx(8.5)

    def test_targets_and_weights_in_testing(self):
        # predictions 1 and 2, targets 4 and 7; the first row weighs 0: 25 / 2
        found = _model().evaluate(NO_TARGETS, pre=FromTheFeature(), return_dict=True, verbose=0)
        assert found["loss"] == pytest.approx(12.5)

    @pytest.mark.parametrize("eager", [False, True])
    def test_training_and_validation(self, eager):
        # In training the targets are 3 and 6: 16 / 2; validation comes after the step, so that it is not 12.5.
        model = _model()
        model.compile(keras.optimizers.SGD(0.0), metrics=[], run_eagerly=eager)
        found = model.fit(NO_TARGETS, validation_data=NO_TARGETS, pre=FromTheFeature(), verbose=0).history
        assert found["loss"] == [pytest.approx(8.0)]
        assert found["val_loss"] == [pytest.approx(12.5)]

    def test_predicting(self):
        np.testing.assert_allclose(_model().predict(FEATURES, pre=Doubled()), [[2.0], [4.0]])

    def test_it_is_gone_afterwards(self):
        model = _model()
        before = model.evaluate((FEATURES, TARGETS), return_dict=True, verbose=0)
        model.evaluate((FEATURES, TARGETS), pre=Doubled(), verbose=0)
        assert model.evaluate((FEATURES, TARGETS), return_dict=True, verbose=0) == before
        assert not any(isinstance(layer, Doubled) for layer in model.layers)

    @pytest.mark.slow
    def test_an_unbuilt_model_is_built_for_what_comes_out(self):
        model = mm.Model(mm.ConcatFeatures(), mm.MLPBlock([2]), mm.RegressionOutput("y"))
        model.compile("sgd")
        model.fit((FEATURES, TARGETS), pre=Beside(), verbose=0)
        # two features: 2 x 2 + 2, and the output 2 + 1
        assert model.count_params() == 6 + 3

    def test_something_else(self):
        with pytest.raises(ConfigError, match="pre; expected a layer, got function"):
            _model().fit(NO_TARGETS, pre=lambda batch: batch)


class TestInTheModel:
    def test_its_targets_and_weights_are_those_that_count(self):
        model = _model(pre=FromTheFeature())
        found = model.evaluate((FEATURES, TARGETS), return_dict=True, verbose=0)
        assert found["loss"] == pytest.approx(12.5)
        model.compile(keras.optimizers.SGD(0.0), metrics=[])
        assert model.fit((FEATURES, TARGETS), verbose=0).history["loss"] == [pytest.approx(8.0)]

    def test_serving_does_not_know_of_targets(self):
        np.testing.assert_allclose(_model(pre=FromTheFeature())(FEATURES), [[1.0], [2.0]])

    def test_it_is_saved_with_the_model(self, tmp_path):
        _model(pre=FromTheFeature()).save(tmp_path / "model.keras")
        loaded = mm.Model.load(tmp_path / "model.keras")
        assert loaded.evaluate((FEATURES, TARGETS), return_dict=True, verbose=0)["loss"] == pytest.approx(12.5)
