from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
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


def _schema_of(description):
    if description.startswith("SMALL"):
        return golden.schema(description)
    name = {"1": "flag", "6": "item_category"}[description[-1]]
    return golden.schema({name: {"tags": ["categorical", "target"], "domain_max": int(description[-1])}})


@pytest.mark.parametrize("case", golden.cases("conventions", "OutputBlock"))
def test_output_block_of_the_release(case):
    if case.raises:
        with pytest.raises(ValueError, match="the schema has no target; expected a column tagged BINARY_CLASSIFICATIO"):
            mm.OutputBlock(_schema_of(case.args["schema"]))
        return
    block = mm.OutputBlock(_schema_of(case.args["schema"]))
    assert type(block).__name__ == case.outputs["class"]
    if "branches" in case.outputs:
        found = {name: type(output).__name__ for name, output in block.parallel_dict.items()}
        assert found == case.outputs["branches"]
    else:
        assert block.task_name == case.outputs["name"]


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

    def test_binary_outputs_for_small_domains_and_logits_for_large_ones(self):
        def kind(*tags, maximum=6):
            domain = {"domain": {"name": "y", "min": 0, "max": maximum}}
            column = ColumnSchema("y", dtype="int64", tags=[*tags, Tags.TARGET], properties=domain)
            return mm.OutputBlock(Schema([column])).task_name

        assert kind(Tags.CATEGORICAL) == "y/categorical_output"
        assert kind(Tags.CATEGORICAL, maximum=1) == "y/binary_output"
        assert kind(Tags.MULTI_CLASS_CLASSIFICATION) == "y/categorical_output"
        assert kind(Tags.CONTINUOUS) == "y/regression_output"
        assert kind(Tags.CATEGORICAL, Tags.REGRESSION) == "y/regression_output"
        assert kind(Tags.CATEGORICAL, Tags.BINARY_CLASSIFICATION) == "y/binary_output"

    def test_a_categorical_target_without_a_domain(self):
        with pytest.raises(SchemaError, match="column 'y': the number of classes is unknown"):
            mm.OutputBlock(Schema([ColumnSchema("y", tags=[Tags.TARGET, Tags.CATEGORICAL])]))

    def test_outputs_that_are_there(self):
        mine = mm.BinaryOutput("click", name="mine")
        for given in (mine, [mine], {"mine": mine}, mm.ParallelBlock({"mine": mine})):
            block = mm.OutputBlock(small_schema(), given)
            assert list(block.parallel_dict) == ["mine", "rating/regression_output"]
            assert block["mine"] is mine

    def test_something_else_as_an_output(self):
        with pytest.raises(ConfigError, match="OutputBlock: model_outputs; expected outputs, got Dense"):
            mm.OutputBlock(small_schema(), [mm.Dense(3)])


class TestTaskBlocks:
    # the input is (B, 2): an output alone has 2 + 1 weights, behind an MLP of 4 it has (8 + 4) + (4 + 1) = 17

    def _weights(self, block):
        block.build((None, 2))
        return {output.task_name: output.count_params() for output in block.parallel_values}

    def test_each_output_has_its_own(self):
        block = mm.OutputBlock(small_schema(), task_blocks=mm.MLPBlock([4]))
        assert self._weights(block) == {"click/binary_output": 17, "rating/regression_output": 17}
        assert len(block.trainable_weights) == 8
        kernels = [output.pre.trainable_weights[0] for output in block.parallel_values]
        assert not np.array_equal(kernels[0].numpy(), kernels[1].numpy())

    @pytest.mark.parametrize("name", ["rating", "rating/regression_output"])
    def test_of_one_output(self, name):
        block = mm.OutputBlock(small_schema(), task_blocks={name: mm.MLPBlock([4])})
        assert self._weights(block) == {"click/binary_output": 3, "rating/regression_output": 17}

    def test_of_the_only_output(self):
        output = mm.OutputBlock(small_schema().excluding_by_name(["rating"]), task_blocks=mm.MLPBlock([4]))
        output.build((None, 2))
        assert output.count_params() == 17

    def test_before_what_an_output_has(self):
        mine = mm.BinaryOutput("click", pre=mm.Dense(3))
        block = mm.OutputBlock(small_schema(), mine, task_blocks={"click": mm.Dense(5)})
        # 2 x 5 + 5, 5 x 3 + 3, 3 x 1 + 1
        assert self._weights(block)["click/binary_output"] == 15 + 18 + 4

    def test_before_and_behind_all(self):
        schema = small_schema()
        several = mm.OutputBlock(schema, pre=mm.Dense(4), post=mm.MapValues(mm.NoOp()))
        # 2 x 4 + 4 shared, and 4 + 1 for each output
        several.build((None, 2))
        assert several.count_params() == 12 + 2 * 5
        one = mm.OutputBlock(schema.excluding_by_name(["rating"]), pre=mm.Dense(4), post=mm.Dense(1))
        one.build((None, 2))
        # 2 x 4 + 4, 4 + 1, 1 + 1
        assert one.count_params() == 12 + 5 + 2

    def test_an_unknown_name(self):
        with pytest.raises(
            ConfigError,
            match="OutputBlock: task_blocks names 'clik'; expected one of click, click/binary_output, rating, rating/r",
        ):
            mm.OutputBlock(small_schema(), task_blocks={"clik": mm.MLPBlock([4])})
