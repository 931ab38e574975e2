from __future__ import annotations

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.outputs.resolve import resolve_outputs
from tests import golden
from tests.blocks.checks import small_schema

TWO = small_schema().select_by_name(["click", "rating"])

#: The tests of what the tasks do would all warn; `TestTheWarning` looks at the warnings.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")


def _task(text):
    if text == "BinaryClassificationTask(schema with click)":
        return mm.BinaryClassificationTask(golden.schema("SMALL"))
    name, target = re.fullmatch(r"(\w+)\('?(\w*)'?\)", text).groups()
    return getattr(mm, name)(*([target] if target else []))


@pytest.mark.parametrize(
    "case",
    golden.cases("conventions", "task defaults", where=lambda case: "ItemRetrieval" not in case.args["task"]),
)
def test_defaults_are_those_of_the_release(case):
    task = _task(case.args["task"])
    found = {
        "class": type(task).__name__,
        "name": task.task_name,
        "task_name": task.task_name,
        "target_name": task.target_name,
        "default_loss": task.default_loss,
        "default_metrics": [
            {"class": type(metric).__name__, "name": metric.name} for metric in task.create_default_metrics()
        ],
    }
    assert {name: found[name] for name in case.outputs} == case.outputs


@pytest.mark.parametrize("case", golden.cases("conventions", "PredictionTasks"))
def test_tasks_of_a_schema_are_those_of_the_release(case):
    block = mm.PredictionTasks(golden.schema(case.args["schema"]))
    assert type(block).__name__ == case.outputs["class"]
    assert block.task_names == case.outputs["task_names"]


def _with_ones(task, size):
    task.build((None, size))
    for weight in task.weights:
        weight.assign(np.zeros(weight.shape) if "bias" in weight.path else np.ones(weight.shape))
    return task


class TestNumbers:
    # x = (1, -3): a unit of ones gives -2
    INPUT = tf.constant([[1.0, -3.0]])

    def test_binary(self):
        # sigmoid(-2) = 0.1192029
        assert float(_with_ones(mm.BinaryClassificationTask("click"), 2)(self.INPUT)[0, 0]) == pytest.approx(
            0.1192029, abs=1e-6
        )

    def test_regression(self):
        assert float(_with_ones(mm.RegressionTask("rating"), 2)(self.INPUT)[0, 0]) == pytest.approx(-2.0)

    def test_the_task_block_comes_before_pre(self):
        # task_block: max(1 - 3, 0) = 0 in each of 3 units; pre: 0; head: 0. The other way round pre would see (1, -3).
        task = _with_ones(mm.RegressionTask("rating", task_block=mm.MLPBlock([3]), pre=keras.layers.Dense(1)), 2)
        assert float(task(self.INPUT)[0, 0]) == 0.0
        assert task.task_block.layers[0].units == 3

    def test_classes(self):
        schema = Schema([mm.create_categorical_column("item_id", 3, tags=[Tags.ITEM_ID])])
        task = _with_ones(mm.MultiClassClassificationTask.from_schema(schema, "item_id", target_name="item_id"), 2)
        np.testing.assert_allclose(task(self.INPUT), [[-2.0] * 4])
        assert task.task_name == "item_id/multi_class_classification_task"

    def test_the_bias_is_added_to_logits(self):
        # bias block and logit of ones: relu(1 + 2) = 3. Regression 1 + 2 + 3 = 6; binary sigmoid(3 + 3) = 0.9975274
        block = mm.ParallelPredictionBlock(
            mm.BinaryClassificationTask("click"), mm.RegressionTask("rating"), bias_block=mm.MLPBlock([1])
        )
        found = _with_ones(block, 2)(tf.constant([[1.0, 2.0]]))
        assert float(found["rating/regression_task"][0, 0]) == pytest.approx(6.0)
        assert float(found["click/binary_classification_task"][0, 0]) == pytest.approx(0.9975274, abs=1e-5)


def _model(**options):
    return mm.Model(mm.MLPBlock([4]), mm.PredictionTasks(TWO, **options))


def _data():
    draw = np.random.default_rng(0)
    targets = {"click": draw.integers(0, 2, (8, 1)).astype("float32"), "rating": draw.random((8, 1), dtype="float32")}
    return tf.data.Dataset.from_tensors((tf.constant(draw.random((8, 3)), "float32"), targets))


class TestInAModel:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["click", "click/binary_classification_task"])
    def test_compile_weighs_the_losses(self, name):
        model = _model()
        model.compile("sgd", loss_weights={name: 5.0})
        found = model.evaluate(_data(), return_dict=True, verbose=0)
        expected = 5 * found["click/binary_classification_task_loss"] + found["rating/regression_task_loss"]
        assert found["loss"] == pytest.approx(expected, rel=1e-6)

    @pytest.mark.slow
    def test_the_block_weighs_the_losses(self):
        # The released library takes these weights and does nothing with them.
        model = _model(task_weight_dict={"click": 5.0})
        model.compile("sgd")
        found = model.evaluate(_data(), return_dict=True, verbose=0)
        expected = 5 * found["click/binary_classification_task_loss"] + found["rating/regression_task_loss"]
        assert found["loss"] == pytest.approx(expected, rel=1e-6)

    def test_accuracy_is_the_share_of_right_classes(self):
        # In the released library it compares scores with targets, so that it is always 0.
        model = mm.Model(mm.MultiClassClassificationTask("kind"))
        model.compile("sgd")
        scores = tf.constant([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [0.9, 0.0, 0.1]])
        found = model.evaluate((scores, {"kind": np.array([[1], [0], [2], [2]])}), return_dict=True, verbose=0)
        assert found["accuracy"] == 0.75  # the last row says 0 instead of 2

    def test_by_name_and_by_target(self):
        model = mm.Model(
            mm.ParallelPredictionBlock(
                mm.BinaryClassificationTask("click"),
                mm.BinaryClassificationTask("click", task_name="again"),
                mm.RegressionTask("rating"),
            )
        )
        again, first, rating = (model.prediction_tasks_by_name()[name] for name in (
            "again", "click/binary_classification_task", "rating/regression_task"
        ))  # fmt: skip
        assert model.prediction_tasks == [first, again, rating]
        assert model.prediction_tasks_by_target() == {"click": [first, again], "rating": rating}
        assert model.outputs_by_name() == {}
        assert mm.Model(mm.BinaryOutput("click")).prediction_tasks == []


class TestAsOutputs:
    def test_a_schema(self):
        assert list(resolve_outputs(None, TWO).parallel_dict) == ["click/binary_output", "rating/regression_output"]

    def test_one_task(self):
        task = mm.RegressionTask("rating")
        assert resolve_outputs(task) is task
        assert resolve_outputs([task]) is task

    def test_several(self):
        tasks = [mm.RegressionTask("rating"), mm.BinaryClassificationTask("click")]
        found = resolve_outputs(tasks)
        assert type(found) is mm.ParallelPredictionBlock
        assert found.parallel_values == tasks

    def test_mixed(self):
        found = resolve_outputs([mm.RegressionTask("rating"), mm.BinaryOutput("click")])
        assert type(found) is mm.ParallelBlock
        assert list(found.parallel_dict) == ["rating/regression_task", "click/binary_output"]

    def test_two_of_one_name(self):
        with pytest.raises(ConfigError, match=r"two outputs are called 'click/binary_output'\. Give them names"):
            resolve_outputs([mm.BinaryOutput("click"), mm.BinaryOutput("click")])

    @pytest.mark.parametrize("given", [[], [mm.Dense(1)], "click"])
    def test_something_else(self, given):
        with pytest.raises(ConfigError, match="prediction_tasks; expected an output or a list of outputs"):
            resolve_outputs(given)


class TestErrors:
    def test_a_schema_without_targets(self):
        with pytest.raises(
            SchemaError, match="no target; expected a column tagged BINARY_CLASSIFICATION or REGRESSION, got age"
        ):
            mm.PredictionTasks(small_schema().select_by_name(["age"]))

    def test_two_targets_for_one_task(self):
        schema = Schema([ColumnSchema(name, tags=[Tags.REGRESSION]) for name in "ab"])
        with pytest.raises(SchemaError, match=r"RegressionTask .*; expected one column tagged REGRESSION, got a, b"):
            mm.RegressionTask(schema)

    @pytest.mark.parametrize("argument", ["task_weight_dict", "task_pre_dict"])
    def test_an_unknown_target(self, argument):
        with pytest.raises(ConfigError, match=f"{argument}: unknown name 'clik'; expected one of click, rating"):
            mm.PredictionTasks(TWO, **{argument: {"clik": 1.0}})

    def test_an_unknown_task_block(self):
        with pytest.raises(ConfigError, match=r"task_blocks.*'clik'; expected one of click/binary_class"):
            mm.PredictionTasks(TWO, task_blocks={"clik": mm.MLPBlock([2])})

    def test_a_top_k_evaluation(self):
        with pytest.raises(ConfigError, match="RegressionTask: pre_eval_topk; expected None, got NoOp"):
            mm.RegressionTask("rating", pre_eval_topk=mm.NoOp())

    def test_a_column_that_is_not_there(self):
        with pytest.raises(SchemaError, match="from_schema: feature_name; expected a column, or the tag of one, got x"):
            mm.MultiClassClassificationTask.from_schema(TWO, "x")


class TestTheWarning:
    @pytest.mark.parametrize(
        ("name", "make", "instead"),
        [
            ("BinaryClassificationTask", lambda: mm.BinaryClassificationTask("click"), "BinaryOutput"),
            ("RegressionTask", lambda: mm.RegressionTask("rating"), "RegressionOutput"),
            ("MultiClassClassificationTask", lambda: mm.MultiClassClassificationTask("kind"), "CategoricalOutput"),
            ("PredictionTask", lambda: mm.PredictionTask("rating"), "ModelOutput"),
            ("PredictionTasks", lambda: mm.PredictionTasks(TWO), "OutputBlock"),
            ("ParallelPredictionBlock", lambda: mm.ParallelPredictionBlock.from_schema(TWO), "OutputBlock"),
        ],
    )
    def test_one_is_given_where_the_name_is_used(self, name, make, instead):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DeprecationWarning)
            make()
        (warning,) = [each for each in caught if each.category is DeprecationWarning]
        assert str(warning.message) == f"{name} is deprecated: use {instead} instead."
        assert warning.filename == __file__

    def test_none_is_given_by_a_saved_model(self, tmp_path):
        model = _model()
        model.build((None, 3))
        model.save(tmp_path / "model.keras")
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            assert len(mm.Model.load(tmp_path / "model.keras").prediction_tasks) == 2
