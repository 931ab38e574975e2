from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.core.serializing import from_config
from emrys.blocks.errors import ConfigError, SchemaError
from tests import golden

X = np.array([[1.0, -2.0], [0.5, 3.0]], "float32")


def _item(maximum=3):
    return mm.create_categorical_column("item_id", maximum, tags=[Tags.ITEM_ID], dtype="int64")


@pytest.mark.parametrize(
    "case",
    golden.cases("conventions", "output defaults", where=lambda case: case.args["output"].startswith("Categorical")),
)
def test_defaults_are_those_of_the_release(case):
    output = mm.CategoricalOutput(golden.schema("SMALL")["item_id"])
    expected = case.outputs
    assert (output.task_name, output.target) == (expected["task_name"], expected["target"])
    assert output.default_loss == expected["default_loss"]
    metrics = [{"class": type(metric).__name__, "name": metric.name} for metric in output.create_default_metrics()]
    assert metrics == expected["default_metrics"]
    assert type(output.to_call).__name__ == expected["to_call"]


@pytest.mark.parametrize("case", golden.cases("conventions", "BinaryOutput", where=lambda case: not case.args))
def test_kinds_of_predictions(case):
    output = mm.CategoricalOutput(golden.schema("SMALL")["item_id"])
    assert output.to_call.units == case.outputs["CategoricalOutput_units"]
    assert output.to_call.activation.__name__ == case.outputs["CategoricalOutput_activation"]
    assert mm.BinaryOutput().to_call.activation.__name__ == case.outputs["activation"]
    assert mm.RegressionOutput().to_call.activation.__name__ == case.outputs["RegressionOutput_activation"]


@pytest.mark.parametrize("case", golden.cases("conventions", "BinaryOutput", where=lambda case: case.inputs))
def test_probabilities_of_the_release(case):
    layer = mm.BinaryOutput(**case.args)
    x = golden.tensor(case.inputs["inputs"])
    layer.build(x.shape)
    layer.set_weights([golden.array(case.weights["kernel"]), golden.array(case.weights["bias"])])
    golden.assert_close(layer(x), case.outputs["output"])


@pytest.mark.parametrize("case", golden.cases("conventions", "CategoricalOutput"))
def test_golden(case):
    tied = case.args["to_call"].startswith("EmbeddingTable")
    arguments = {key: value for key, value in case.args.items() if key != "to_call"}
    layer = mm.CategoricalOutput(mm.EmbeddingTable(2, _item()) if tied else _item(), **arguments)
    x = golden.tensor(case.inputs["inputs"])
    layer.build(x.shape)
    layer.set_weights([golden.array(weight) for weight in case.weights.values()])
    golden.assert_close(layer(x), case.outputs.get("output") or case.outputs["inference"])
    if tied:
        assert type(layer.to_call).__name__ == case.outputs["to_call"]
        assert layer.task_name == case.outputs["name"]
    if "targets" in case.inputs:
        found = layer(x, training=True, targets=golden.tensor(case.inputs["targets"]))
        assert type(found).__name__ == case.outputs["training_returns"]
        golden.assert_close(found.outputs, case.outputs["training_outputs"])
        golden.assert_close(found.targets, case.inputs["targets"])


class TestNames:
    def test_a_schema_of_one_column(self):
        assert mm.CategoricalOutput(Schema([_item()])).task_name == "item_id/categorical_output"

    @pytest.mark.parametrize("name", ["target", "target_name"])
    def test_the_target_of_a_table(self, name):
        table = mm.EmbeddingTable(2, mm.create_categorical_column("kind", 2))
        output = mm.CategoricalOutput(to_call=table, **{name: "bought"})
        assert (output.target, output.task_name) == ("bought", "bought/categorical_output")

    def test_another_target(self):
        output = mm.CategoricalOutput(mm.EmbeddingTable(2, _item()), target_name="next_item")
        assert (output.task_name, output.target) == ("next_item/categorical_output", "next_item")

    def test_a_layer_has_no_target(self):
        output = mm.CategoricalOutput(mm.CategoricalTarget(_item()))
        assert (output.task_name, output.target) == ("categorical_output", None)


class TestAreRefused:
    def test_several_columns(self):
        with pytest.raises(SchemaError, match="CategoricalOutput takes one column; expected a schema of one, got a, b"):
            mm.CategoricalOutput(Schema([ColumnSchema("a"), ColumnSchema("b")]))

    def test_a_column_without_a_domain(self):
        with pytest.raises(SchemaError, match="column 'a': the number of classes is unknown; expected an integer col"):
            mm.CategoricalOutput(ColumnSchema("a"))

    def test_something_else(self):
        with pytest.raises(ConfigError, match=r"CategoricalOutput: to_call; expected a column, .* got str"):
            mm.CategoricalOutput("item_id")

    def test_a_target_without_a_size(self):
        with pytest.raises(ConfigError, match="CategoricalTarget does not know how many ids there are"):
            mm.CategoricalTarget()

    def test_a_table_that_is_none(self):
        with pytest.raises(ConfigError, match="EmbeddingTablePrediction: table; expected an EmbeddingTable, got Dense"):
            mm.EmbeddingTablePrediction(keras.layers.Dense(3))

    def test_another_dimension_than_the_table(self):
        output = mm.CategoricalOutput(mm.EmbeddingTable(4, _item()))
        with pytest.raises(ConfigError, match="with the rows of 'item_id'; expected input of size 4, got 2"):
            output(X)


def test_a_table_with_a_bias():
    layer = mm.EmbeddingTablePrediction(mm.EmbeddingTable(2, _item(1)), bias_initializer="ones", use_bias=True)
    layer.build((None, 2))
    layer.table.embeddings.assign([[1.0, 0.0], [2.0, 1.0]])
    # (1, -2): 1 * 1 + 1 = 2 and 1 * 2 - 2 * 1 + 1 = 1; (0.5, 3): 0.5 + 1 = 1.5 and 1 + 3 + 1 = 5
    np.testing.assert_allclose(layer(X), [[2.0, 1.0], [1.5, 5.0]])


def test_logits_are_float32_in_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for to_call in (_item(), mm.EmbeddingTable(2, _item())):
            output = mm.CategoricalOutput(to_call, logits_temperature=3.0)
            found = output(X, training=True, targets=np.array([[1], [2]])).outputs
            assert found.dtype == tf.float32
            # what is divided by 3 after the cast is no bfloat16 number any more
            assert np.any(found.numpy() != tf.cast(tf.cast(found, "bfloat16"), "float32").numpy())
    finally:
        keras.config.set_dtype_policy(before)


def test_metrics_of_ones_own_survive_json():
    output = mm.CategoricalOutput(_item(), "bought", default_loss="bpr", default_metrics_fn=_ndcg_at_2)
    config = json.loads(json.dumps(output.get_config()))
    assert from_config(config["default_metrics_fn"]) is _ndcg_at_2
    again = mm.CategoricalOutput.from_config(config)
    assert (again.target, again.default_loss) == ("bought", "bpr")
    assert [metric.name for metric in again.create_default_metrics()] == ["ndcg_at_2"]


@keras.saving.register_keras_serializable("emrys-tests")
def _ndcg_at_2():
    return [mm.NDCGAt(2)]


class TestToDataset:
    COLUMN = mm.create_categorical_column("kind", 2)  # ids 0 to 2

    def test_a_row_for_each_class(self):
        output = mm.CategoricalOutput(self.COLUMN)
        output.build((None, 2))
        output.to_call.kernel.assign([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        frame = output.to_dataset().to_ddf().compute()
        assert list(frame.columns) == ["0", "1"]
        assert frame.to_numpy().tolist() == [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]

    def test_the_rows_of_a_table(self):
        table = mm.EmbeddingTable(2, self.COLUMN, weights=np.arange(6.0).reshape(3, 2))
        output = mm.CategoricalOutput(table)
        output.build((None, 2))
        assert output.to_dataset().to_ddf().compute().to_numpy().tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]

    def test_before_it_is_built(self):
        with pytest.raises(ConfigError, match="holds no vectors of items"):
            mm.CategoricalOutput(self.COLUMN).to_dataset()
