from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import blocks as mm
from blocks.errors import ConfigError, SchemaError
from tests import golden
from tests.blocks.checks import small_schema

OUTPUTS = {
    "BinaryOutput('click')": lambda: mm.BinaryOutput("click"),
    "BinaryOutput()": lambda: mm.BinaryOutput(),
    "RegressionOutput('rating')": lambda: mm.RegressionOutput("rating"),
    "RegressionOutput()": lambda: mm.RegressionOutput(),
    "BinaryOutput(s['click'])": lambda: mm.BinaryOutput(small_schema()["click"]),
}


@pytest.mark.parametrize(
    "case", golden.cases("conventions", "output defaults", where=lambda case: case.args["output"] in OUTPUTS)
)
def test_defaults_are_those_of_the_release(case):
    output = OUTPUTS[case.args["output"]]()
    expected = case.outputs
    assert output.target == expected["target"]
    assert output.task_name == expected.get("task_name", expected["name"])
    if "default_loss" in expected:
        assert output.default_loss == expected["default_loss"]
        metrics = [{"class": type(metric).__name__, "name": metric.name} for metric in output.create_default_metrics()]
        assert metrics == expected["default_metrics"]


def test_probability():
    # w = (1, -1), b = 0.5: x = (2, 1) gives the logit 1.5, sigmoid 0.8175745
    output = mm.BinaryOutput("click")
    output.build((None, 2))
    output.set_weights([np.array([[1.0], [-1.0]]), np.array([0.5])])
    x = np.array([[2.0, 1.0]], "float32")
    assert float(output(x)) == pytest.approx(0.8175745, abs=1e-6)
    # the temperature divides the logit: sigmoid(1.5 / 3) = 0.6224593
    cooler = mm.BinaryOutput("click", logits_temperature=3.0)
    cooler.build((None, 2))
    cooler.set_weights(output.get_weights())
    assert float(cooler(x)) == pytest.approx(0.6224593, abs=1e-6)


def test_temperature_keeps_probabilities():
    hot = mm.BinaryOutput("click", logits_temperature=0.1)
    hot.build((None, 1))
    hot.set_weights([np.array([[100.0]]), np.array([0.0])])
    values = hot(np.array([[1.0], [-1.0]], "float32")).numpy()
    assert ((values >= 0) & (values <= 1)).all()


def test_temperature_must_be_positive():
    with pytest.raises(ConfigError, match=r"click_binary_output: logits_temperature; expected a number above 0, got 0"):
        mm.BinaryOutput("click", logits_temperature=0)


def test_own_metrics_survive_json():
    output = mm.BinaryOutput("click", default_loss=keras.losses.BinaryFocalCrossentropy(gamma=3.0), name="mine")
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(output))))
    assert again.task_name == "mine"
    assert again.target == "click"
    assert again.default_loss.gamma == 3.0


class TestOutputBlock:
    def test_one_target(self):
        block = mm.OutputBlock(small_schema().excluding_by_name(["rating"]))
        assert isinstance(block, mm.BinaryOutput)
        assert block.task_name == "click/binary_output"

    def test_several_targets(self):
        block = mm.OutputBlock(small_schema())
        assert {name: type(output).__name__ for name, output in block.parallel_dict.items()} == {
            "click/binary_output": "BinaryOutput",
            "rating/regression_output": "RegressionOutput",
        }

    def test_no_target(self):
        with pytest.raises(SchemaError, match=r"the schema has no target; .* got x"):
            mm.OutputBlock(Schema([mm.create_continuous_column("x")]))

    def test_a_target_of_unknown_kind(self):
        with pytest.raises(SchemaError, match="column 'y': the target does not say what it is"):
            mm.OutputBlock(Schema([ColumnSchema("y", tags=[Tags.TARGET])]))
