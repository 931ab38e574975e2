from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden

CLICK = np.array([[0.0], [1.0], [1.0]], "float32")
VIEW = np.array([[1.0], [0.0], [3.0]], "float32")
X = np.array([[0.2], [0.7], [0.9]], "float32")


@pytest.mark.parametrize(
    "case", golden.cases("conventions", "ColumnBasedSampleWeight", where=lambda case: not case.raises)
)
def test_golden(case):
    layer = mm.ColumnBasedSampleWeight(**case.args)
    inputs = golden.tensor(case.inputs["inputs"])
    if "targets" not in case.inputs:
        golden.assert_close(layer(inputs, targets={"click": CLICK, "view": VIEW}), case.outputs["output"])
        return
    targets = golden.tensors(case.inputs["targets"])
    found = layer(inputs, targets=targets, features={}, training=True, target_name=case.inputs["target_name"])
    for name, expected in case.outputs.items():
        golden.assert_close(getattr(found, name), expected)


@pytest.mark.parametrize("case", golden.cases("conventions", "ColumnBasedSampleWeight", where=lambda case: case.raises))
def test_golden_errors(case):
    with pytest.raises(ValueError, match="knows no weights; expected weight_column_name, binary_class_weights or both"):
        mm.ColumnBasedSampleWeight(**case.args)


class TestBehindAnOutput:
    def test_in_testing_with_a_feature(self):
        output = mm.BinaryOutput("click", post=mm.ColumnBasedSampleWeight("price"))
        found = output(X, testing=True, targets={"click": CLICK, "view": VIEW}, features={"price": [2, 0, 5]})
        np.testing.assert_array_equal(found.sample_weight, [[2.0], [0.0], [5.0]])
        np.testing.assert_array_equal(found.targets, CLICK)
        np.testing.assert_array_equal(found.outputs, output(X))

    def test_several_are_multiplied(self):
        chain = mm.SequentialBlock(
            mm.ColumnBasedSampleWeight("view"), mm.ColumnBasedSampleWeight(binary_class_weights=[2.0, 5.0])
        )
        output = mm.BinaryOutput("click", post=chain)
        found = output(X, training=True, targets={"click": CLICK, "view": VIEW})
        # view 1, 0, 3 times click's 2, 5, 5
        np.testing.assert_array_equal(found.sample_weight, [[2.0], [0.0], [15.0]])

    def test_no_weights_in_serving(self):
        output = mm.BinaryOutput("click", post=mm.ColumnBasedSampleWeight("view"))
        np.testing.assert_array_equal(
            output(X, targets={"click": CLICK}, features={}), output(X, training=True, features={})
        )

    def test_the_only_target(self):
        output = mm.BinaryOutput(post=mm.ColumnBasedSampleWeight(binary_class_weights=[1.0, 4.0]))
        found = output(X, training=True, targets={"click": CLICK})
        np.testing.assert_array_equal(found.sample_weight, [[1.0], [4.0], [4.0]])


class TestIsRefused:
    def test_a_column_that_is_not_there(self):
        output = mm.BinaryOutput("click", post=mm.ColumnBasedSampleWeight("seen", name="weigh"))
        with pytest.raises(
            ConfigError,
            match=r"column 'seen': weigh finds no weights in the batch; expected a target or .*, got age, click",
        ):
            output(X, training=True, targets={"click": CLICK}, features={"age": VIEW})

    def test_one_of_several_targets_without_a_name(self):
        weigh = mm.ColumnBasedSampleWeight(binary_class_weights=[1.0, 4.0])
        with pytest.raises(ConfigError, match=r"expected the name of the target, got click, view\. Name the target"):
            weigh(X, targets={"click": CLICK, "view": VIEW}, training=True)

    def test_three_class_weights(self):
        with pytest.raises(ConfigError, match=r"binary_class_weights; expected two numbers from 0, got \[1, 2, 3\]"):
            mm.ColumnBasedSampleWeight(binary_class_weights=[1, 2, 3])

    def test_behind_several_outputs(self):
        outputs = mm.ParallelBlock(
            {"a": mm.BinaryOutput("click"), "b": mm.BinaryOutput("view")},
            post=mm.ColumnBasedSampleWeight("view", name="weigh"),
        )
        with pytest.raises(ConfigError, match=r"weigh weighs the rows of one output; got predictions of a, b\. Give"):
            outputs(X)


class TestInAModel:
    def _found(self, *data, post=None, **compiled):
        output = mm.BinaryOutput("click", post=post)
        model = mm.Model(mm.Filter("x"), mm.MapValues(mm.NoOp()), mm.ConcatFeatures(), output)
        model.build({"x": (None, 1), "view": (None, 1)})
        model.set_weights([np.array([[2.0]]), np.array([-1.0])])
        model.compile("sgd", **compiled)
        return model.evaluate(tf.data.Dataset.from_tensors(data), return_dict=True, verbose=0)

    def test_it_weighs_the_loss(self):
        data = ({"x": X}, {"click": CLICK, "view": VIEW})
        found = self._found(*data, post=mm.ColumnBasedSampleWeight("view"))
        # p = sigmoid(2 x - 1) = 0.3543437, 0.5986877, 0.6899745; the losses of rows 1 and 3 are 0.4374876, 0.3711007;
        # (1 * 0.4374876 + 0 + 3 * 0.3711007) / 3 rows = 0.5169299
        assert found["loss"] == pytest.approx(0.5169299, abs=1e-6)

    def test_the_column_may_be_a_feature_and_flat(self):
        data = ({"x": X, "view": VIEW[:, 0]}, {"click": CLICK})
        found = self._found(*data, post=mm.ColumnBasedSampleWeight("view"))
        assert found["loss"] == pytest.approx(0.5169299, abs=1e-6)

    @pytest.mark.slow
    def test_it_is_that_of_the_batch_s_weights(self):
        targets = {"click": CLICK}
        post = mm.ColumnBasedSampleWeight(binary_class_weights=[1.0, 5.0])
        by_column = self._found({"x": X}, targets, post=post)["loss"]
        assert by_column == pytest.approx(self._found({"x": X}, targets, np.array([1.0, 5.0, 5.0]))["loss"], rel=1e-6)
        both = self._found({"x": X}, targets, np.array([2.0, 1.0, 0.0]), post=post)["loss"]
        assert both == pytest.approx(self._found({"x": X}, targets, np.array([2.0, 5.0, 0.0]))["loss"], rel=1e-6)

    def test_weighted_metrics_alone_take_them(self):
        data = ({"x": X}, {"click": CLICK, "view": VIEW})
        post = mm.ColumnBasedSampleWeight("view")
        found = self._found(*data, post=post, metrics=["binary_accuracy"], weighted_metrics=["mse"])
        assert found["binary_accuracy"] == 1.0
        # squared errors 0.1255594, -, 0.0961158: (0.1255594 + 3 * 0.0961158) / 4 = 0.1034767
        assert found["weighted_mean_squared_error"] == pytest.approx(0.1034767, abs=1e-6)
