"""Losses and metrics given to `compile`, and the targets that outputs are compared with."""

from __future__ import annotations

import json
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden
from tests.blocks.checks import small_batch, small_schema

# The logits of three rows over four classes, and the right ones: 2, 0, 3.
LOGITS = np.array([[0.0, 1.0, 2.0, 3.0], [4.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]], "float32")
NUMBERS = np.array([[2], [0], [3]])
ONE_HOT = np.eye(4, dtype="float32")[NUMBERS[:, 0]]


def _evaluate(target, weight=None, logits=LOGITS, output=None, **compiled):
    if output is None:
        output = mm.CategoricalOutput(mm.NoOp(), "item")
    model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), output)
    model.compile("sgd", **compiled)
    data = ({"x": logits}, {"item": target}, *([] if weight is None else [weight]))
    return model.evaluate(tf.data.Dataset.from_tensors(data), return_dict=True, verbose=0)


class TestClassNumbers:
    def test_numbers_by_hand(self):
        found = _evaluate(NUMBERS, metrics=[mm.RecallAt(1), mm.RecallAt(2), mm.MRRAt(4), mm.NDCGAt(2)])
        # log-sum-exp: 3.4401897, 4.1114427 (4 + log(1 + 2 e^-3 + e^-4)), 1 + log 4 = 2.3862944
        # losses 1.4401897, 0.1114427, 1.3862944, mean 0.9793089
        assert found["loss"] == pytest.approx(0.9793089, abs=1e-5)
        # places 1, 0 and (four equal scores) 3, counted from 0
        assert found["recall_at_1"] == pytest.approx(1 / 3)
        assert found["recall_at_2"] == pytest.approx(2 / 3)
        assert found["mrr_at_4"] == pytest.approx((1 / 2 + 1 + 1 / 4) / 3)
        assert found["ndcg_at_2"] == pytest.approx((1 / np.log2(3) + 1) / 3)

    @pytest.mark.parametrize("weight", [None, np.array([1.0, 0.0, 3.0], "float32")])
    @pytest.mark.parametrize(
        "loss", [None, "categorical_crossentropy", "bpr", "top1-max", mm.CategoricalCrossEntropy()]
    )
    @pytest.mark.slow
    def test_they_give_what_one_hot_targets_give(self, loss, weight):
        logits = np.random.default_rng(4).normal(size=(3, 30)).astype("float32").round(1)  # rounded: there are ties
        numbers = np.array([4, 29, 0])
        one_hot = np.eye(30, dtype="float32")[numbers]
        arguments = {
            "loss": loss,
            "weighted_metrics": [mm.NDCGAt(5), mm.TopKMetricsAggregator(mm.RecallAt(3), mm.MRRAt(10))],
        }
        expected = _evaluate(one_hot, weight, logits, **arguments)
        assert {"weighted_ndcg_at_5", "weighted_recall_at_3", "weighted_mrr_at_10", "map_at_10"} <= set(expected)
        for target in (numbers, numbers[:, None], numbers.astype("float32")):
            assert _evaluate(target, weight, logits, **arguments) == pytest.approx(expected, rel=1e-5, abs=1e-6)

    def test_label_smoothing_needs_all_classes(self):
        loss = mm.CategoricalCrossEntropy(label_smoothing=0.2)
        expected = float(loss(ONE_HOT, LOGITS))
        assert _evaluate(NUMBERS, metrics=[], loss=loss)["loss"] == pytest.approx(expected, rel=1e-6)
        assert expected != pytest.approx(float(mm.CategoricalCrossEntropy()(ONE_HOT, LOGITS)), rel=1e-2)

    def test_losses_and_metrics_of_keras(self):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metrics = ["sparse_categorical_accuracy", "categorical_accuracy", keras.metrics.MeanAbsoluteError(name="mae")]
        found = _evaluate(NUMBERS, loss=loss, metrics=metrics)
        assert found["loss"] == pytest.approx(0.9793089, abs=1e-5)
        # the highest scores are at 3, 0 and (the first of equal ones) 0
        assert found["sparse_categorical_accuracy"] == found["categorical_accuracy"] == pytest.approx(1 / 3)
        assert found["mae"] == pytest.approx(float(np.abs(ONE_HOT - LOGITS).mean()), rel=1e-6)

    def test_scores_that_are_no_numbers_rank_last(self):
        logits = LOGITS.copy()
        logits[1] = np.nan
        logits[2] = [np.nan, np.nan, np.nan, 0.5]
        found = _evaluate(NUMBERS, logits=logits, metrics=[mm.RecallAt(1), mm.RecallAt(3)])
        assert found["recall_at_1"] == pytest.approx(1 / 3)
        assert found["recall_at_3"] == pytest.approx(2 / 3)

    @pytest.mark.slow
    def test_fewer_classes_than_results(self):
        # the default metrics look at 10 results, and there are 4: the right class is always among them
        found = _evaluate(NUMBERS)
        assert found["recall_at_10"] == 1.0
        assert found["precision_at_10"] == pytest.approx(0.1)
        assert found["mrr_at_10"] == pytest.approx((1 / 2 + 1 + 1 / 4) / 3)

    @pytest.mark.parametrize("number", [-1, 4])
    def test_a_number_out_of_range(self, number):
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match="item/categorical_output: a target is not the number of a class; expected 0 to 3",
        ):
            _evaluate(np.array([[2], [0], [number]]))

    @pytest.mark.slow
    def test_the_temperature_counts_in_evaluation_and_not_in_predictions(self):
        output = mm.CategoricalOutput(mm.NoOp(), "item", logits_temperature=0.5)
        expected = _evaluate(NUMBERS, logits=LOGITS * 2)["loss"]
        assert _evaluate(NUMBERS, output=output)["loss"] == pytest.approx(expected, rel=1e-6)
        model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), output)
        np.testing.assert_array_equal(model.predict({"x": LOGITS}, verbose=0), LOGITS)


@pytest.mark.parametrize(
    "case",
    golden.cases("conventions", "model keys", where=lambda case: "), CategoricalOutput(" in case.args["model"]),
)
@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.slow
def test_a_categorical_model_is_that_of_the_release(case, one_hot):
    schema = golden.schema("SMALL without click and rating")
    users = schema.select_by_name(["user_id", "user_country", "user_age"])
    body = mm.ParallelBlock(
        {
            "categorical": mm.Embeddings(users.select_by_name(["user_id", "user_country"])),
            "continuous": mm.Continuous(users.select_by_name(["user_age"])),
        },
        aggregation="concat",
    )
    model = mm.Model(body, mm.MLPBlock([4]), mm.CategoricalOutput(schema["item_id"]))
    draw = np.random.default_rng(0)
    features = {
        "user_id": draw.integers(0, 10, (24, 1)),
        "user_country": draw.integers(0, 5, (24, 1)),
        "user_age": draw.random((24, 1), dtype="float32"),
    }
    item = draw.integers(0, 20, (24, 1))
    target = np.eye(20, dtype="float32")[item[:, 0]] if one_hot else item
    data = tf.data.Dataset.from_tensors((features, {"item_id": target}))
    model.compile("adam")
    assert sorted(model.fit(data, verbose=0).history) == case.outputs["fit_history_keys"]
    assert sorted(model.evaluate(data, return_dict=True, verbose=0)) == case.outputs["evaluate_keys"]
    assert model.predict(data, verbose=0).shape[1] == case.outputs["output"][1]
    assert model.count_params() == case.outputs["n_trainable_parameters"]
    shapes = sorted(list(weight.shape) for weight in model.trainable_weights)
    assert shapes == case.outputs["trainable_weight_shapes"]


class TestNames:
    def test_of_metrics(self):
        names = ["ndcg_at", "recall_at", "map", "mse"]
        found = _evaluate(ONE_HOT, metrics=[mm.MRRAt(2), "mean_absolute_error"], weighted_metrics=["mse"])
        assert {"mrr_at_2", "mean_absolute_error", "weighted_mean_squared_error"} <= set(found)
        wide = np.tile(LOGITS, 3)
        found = _evaluate(np.tile(ONE_HOT, 3), logits=wide, metrics=names)
        assert {"ndcg_at_10", "recall_at_10", "map_at_10", "mean_squared_error"} <= set(found)

    def test_of_losses(self):
        for name, loss in {"bpr": mm.BPRLoss(), "hinge": mm.HingeLoss(), "ce": mm.CategoricalCrossEntropy()}.items():
            assert _evaluate(ONE_HOT, loss=name, metrics=[])["loss"] == pytest.approx(float(loss(ONE_HOT, LOGITS)))
        absolute = float(np.abs(ONE_HOT - LOGITS).mean())
        assert _evaluate(ONE_HOT, loss="mae", metrics=[])["loss"] == pytest.approx(absolute, rel=1e-6)

    @pytest.mark.slow
    def test_a_saved_model_knows_them(self, tmp_path):
        model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), mm.CategoricalOutput(mm.CategoricalTarget(units=4), "y"))
        model.compile("sgd", loss={"y": "bpr"}, metrics=["ndcg_at", mm.RecallAt(2)])
        data = tf.data.Dataset.from_tensors(({"x": LOGITS}, {"y": NUMBERS}))
        expected = model.evaluate(data, return_dict=True, verbose=0)
        model.save(tmp_path / "model.keras")
        again = mm.Model.load(tmp_path / "model.keras").evaluate(data, return_dict=True, verbose=0)
        assert again == expected
        assert {"ndcg_at_10", "recall_at_2"} <= set(again)

    def test_an_unknown_loss(self):
        with pytest.raises(
            ConfigError, match=r"compile: unknown loss 'bprr'; expected one of bce, .* Did you mean 'bpr'"
        ):
            _evaluate(ONE_HOT, loss="bprr")

    def test_an_unknown_metric(self):
        with pytest.raises(
            ConfigError, match=r"compile: unknown metric 'ndcg@10'; expected one of .*or a metric of Ke"
        ):
            _evaluate(ONE_HOT, metrics=["ndcg@10"])

    def test_a_metric_that_needs_arguments(self):
        with pytest.raises(ConfigError, match=r"compile: the metric 'novelty_at' requires arguments\. Gi"):
            _evaluate(ONE_HOT, metrics=["novelty_at"])


class TestSeveralOutputs:
    def _model(self, **compiled):
        schema = small_schema()
        outputs = [mm.CategoricalOutput(schema["item_id"]), mm.CategoricalOutput(schema["country"])]
        body = mm.Embeddings(schema.select_by_name(["user_id"]), dim=3, aggregation="concat")
        model = mm.Model(body, mm.ParallelBlock({output.task_name: output for output in outputs}))
        model.compile("sgd", **compiled)
        features, _ = small_batch()
        targets = {name: features[name] for name in ("item_id", "country")}
        data = tf.data.Dataset.from_tensors(({"user_id": features["user_id"]}, targets))
        return model, data

    @pytest.mark.slow
    def test_ranking_metrics_are_called_by_output(self):
        model, data = self._model(metrics=[mm.NDCGAt(3), mm.TopKMetricsAggregator(mm.RecallAt(2), mm.MRRAt(2))])
        found = model.evaluate(data, return_dict=True, verbose=0)
        names = {"ndcg_at_3", "recall_at_2", "mrr_at_2"}
        outputs = ("item_id/categorical_output", "country/categorical_output")
        assert {name for name in found if "_at_" in name} == {
            f"{output}/{name}" for output in outputs for name in names
        }
        batch, targets = next(iter(data))
        for output, column in zip(outputs, ("item_id", "country"), strict=True):
            scores = model(batch)[output]
            metric = mm.RecallAt(2)
            metric.update_state(tf.one_hot(targets[column][:, 0], scores.shape[1]), scores)
            assert found[f"{output}/recall_at_2"] == pytest.approx(float(metric.result()))


class TestMetricsPerOutput:
    # x = 5 or -5, so that the predictions are 1 and 0 but for 0.0067: "click" is right in all four rows, "like" in one
    # of four. The weights are 1, 1, 1 and 5, so that three eighths of "like" are wrong by weight.
    X = np.array([[5.0], [-5.0], [5.0], [-5.0]], "float32")
    TARGETS: ClassVar = {
        "click": np.array([[1.0], [0.0], [1.0], [0.0]], "float32"),
        "like": np.array([[0.0], [1.0], [0.0], [0.0]], "float32"),
    }
    WEIGHTS = np.array([1.0, 1.0, 1.0, 5.0], "float32")

    def _found(self, outputs=None, **compiled):
        outputs = mm.ParallelBlock(mm.BinaryOutput("like"), mm.BinaryOutput("click")) if outputs is None else outputs
        model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), outputs)
        model.build({"x": (None, 1)})
        model.set_weights([np.ones((1, 1)), np.zeros(1)] * len(model.model_outputs))
        model.compile(keras.optimizers.SGD(0.0), **compiled)
        data = tf.data.Dataset.from_tensors(({"x": self.X}, self.TARGETS, self.WEIGHTS))
        found = model.evaluate(data, return_dict=True, verbose=0)
        assert set(model.fit(data, verbose=0).history) == set(found)
        return {name: value for name, value in found.items() if "loss" not in name}

    EXPECTED: ClassVar = {"click/binary_output/accuracy": 1.0, "like/binary_output/accuracy": 1 / 4}

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "make",
        [
            lambda accuracy: accuracy(),
            lambda accuracy: [accuracy()],
            lambda accuracy: (accuracy(),),
            lambda accuracy: [[accuracy()], [accuracy()]],
            lambda accuracy: ((accuracy(),), (accuracy(),)),
            lambda accuracy: [accuracy(), [accuracy()]],
            lambda accuracy: {"click/binary_output": accuracy(), "like/binary_output": [accuracy()]},
            lambda accuracy: {"click": (accuracy(),), "like": accuracy()},
        ],
    )
    def test_forms(self, make):
        metrics = make(lambda: keras.metrics.BinaryAccuracy(name="accuracy"))
        assert self._found(metrics=metrics) == pytest.approx(self.EXPECTED)

    def test_nested_lists_are_in_the_order_of_the_names(self):
        found = self._found(metrics=[["binary_accuracy"], ("mse", "binary_accuracy")])
        # 0.0066929 is sigmoid(-5): its square where "click" is right, three times the square of its complement
        assert found == pytest.approx(
            {
                "click/binary_output/binary_accuracy": 1.0,
                "like/binary_output/binary_accuracy": 1 / 4,
                "like/binary_output/mean_squared_error": (3 * 0.9933071**2 + 0.0066929**2) / 4,
            }
        )

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "metrics",
        [
            "AUC",
            keras.metrics.AUC,
            ["AUC"],
            [["AUC"], ["AUC"]],
            {"click": keras.metrics.AUC(), "like": keras.metrics.AUC()},
        ],
    )
    def test_names_carry_no_number(self, metrics):
        # "like": the only positive has the lower prediction, as one of three negatives: (0 + 0 + 0.5) / 3
        expected = {"click/binary_output/auc": 1.0, "like/binary_output/auc": 1 / 6}
        assert self._found(metrics=metrics) == pytest.approx(expected, abs=1e-3)

    @pytest.mark.slow
    def test_two_metrics_of_one_kind_in_one_output(self):
        found = self._found(mm.BinaryOutput("click"), metrics=["AUC", "AUC"])
        assert len(found) == 2
        found = self._found(metrics={"click": [keras.metrics.AUC(), keras.metrics.AUC()]})
        assert len(found) == 2
        assert "click/binary_output/auc" in found

    def test_weighted_metrics_have_names_of_their_own(self):
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
        found = self._found(metrics=[accuracy], weighted_metrics=[accuracy])
        assert found == pytest.approx(
            {
                **self.EXPECTED,
                "click/binary_output/weighted_accuracy": 1.0,
                "like/binary_output/weighted_accuracy": 5 / 8,
            }
        )

    def test_weighted_metrics_of_one_output(self):
        found = self._found(mm.BinaryOutput("like"), metrics=["binary_accuracy"], weighted_metrics="binary_accuracy")
        assert found == pytest.approx({"binary_accuracy": 1 / 4, "weighted_binary_accuracy": 5 / 8})

    @pytest.mark.slow
    def test_weighted_metrics_of_the_first_generation(self):
        # As Keras 2 does it: the prefix only where names would be the same.
        with pytest.warns(DeprecationWarning, match="BinaryOutput"):
            tasks = mm.ParallelPredictionBlock(
                mm.BinaryClassificationTask("click"), mm.BinaryClassificationTask("like")
            )
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
        found = self._found(tasks, metrics=[accuracy], weighted_metrics=[accuracy, "mse"])
        like = {name: value for name, value in found.items() if name.startswith("like")}
        assert like == pytest.approx(
            {
                "like/binary_classification_task_accuracy": 1 / 4,
                "like/binary_classification_task_weighted_accuracy": 5 / 8,
                "like/binary_classification_task_mean_squared_error": (3 * 0.9933071**2 + 5 * 0.0066929**2) / 8,
            }
        )

    @pytest.mark.parametrize("metrics", [[["mse"]], [["mse"], ["mse"], ["mse"]]])
    def test_nested_lists_of_another_number(self, metrics):
        with pytest.raises(
            ConfigError, match=r"compile: metrics has a list .*expected 2 entries, for click/binary_output, like/"
        ):
            self._found(metrics=metrics)

    def test_weighted_metrics_of_an_unknown_output(self):
        with pytest.raises(ConfigError, match="compile: weighted_metrics names 'buy'"):
            self._found(weighted_metrics={"buy": "mse"})

    def test_two_outputs_on_one_target(self):
        outputs = mm.ParallelBlock(mm.BinaryOutput("click"), mm.RegressionOutput("click"))
        found = self._found(outputs, metrics={"click": "mse"})
        # the regression predicts x itself: (4 * 4 + 5 * 5) / 2
        assert found == pytest.approx(
            {
                "click/binary_output/mean_squared_error": 0.0066929**2,
                "click/regression_output/mean_squared_error": (16 + 25) / 2,
            },
            rel=1e-4,
        )

    def test_two_outputs_of_one_name(self):
        outputs = mm.ParallelBlock({"a": mm.BinaryOutput("click"), "b": mm.BinaryOutput("click")})
        with pytest.raises(ConfigError, match=r"two outputs have one name; .*Give name= to an output"):
            self._found(outputs)


class TestTrainMetricsSteps:
    # Ten batches of one row each. Accuracy at 0.5 counts rows; the model says 1 always, and only batch 0, 4 and 8 are
    # right, so that what is seen says which batches were counted.

    def _history(self, epochs=1, **arguments):
        model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), mm.BinaryOutput("y"))
        model.build({"x": (None, 1)})
        model.set_weights([np.array([[0.0]]), np.array([5.0])])
        model.compile(keras.optimizers.SGD(0.0), metrics=["binary_accuracy"])
        target = np.zeros((10, 1), "float32")
        target[[0, 4, 8]] = 1.0
        data = tf.data.Dataset.from_tensor_slices(({"x": np.ones((10, 1), "float32")}, {"y": target})).batch(1)
        return model, model.fit(data, epochs=epochs, verbose=0, validation_data=data, **arguments).history

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("steps", "accuracy"),
        [(1, 3 / 10), (4, 3 / 3), (3, 1 / 4), (20, 1.0), (0, 0.0)],  # 3: batches 0, 3, 6, 9
    )
    def test_metrics_of_some_batches(self, steps, accuracy):
        _, history = self._history(epochs=2, train_metrics_steps=steps)
        assert history["binary_accuracy"] == pytest.approx([accuracy, accuracy])
        assert history["val_binary_accuracy"] == pytest.approx([0.3, 0.3])
        # the loss is that of all: 7 rows of -log(1 - sigmoid(5)) = 5.0067153, 3 of 0.0067153
        assert history["loss"] == pytest.approx([(7 * 5.0067153 + 3 * 0.0067153) / 10] * 2, rel=1e-5)

    @pytest.mark.slow
    def test_the_next_fit_may_ask_for_others(self):
        model, _ = self._history(train_metrics_steps=4)
        data = tf.data.Dataset.from_tensors(({"x": np.ones((1, 1), "float32")}, {"y": np.zeros((1, 1))})).repeat(2)
        assert model.fit(data, verbose=0).history["binary_accuracy"] == [0.0]
        assert model.fit(data, verbose=0, train_metrics_steps=0).history["loss"][0] == pytest.approx(5.0067153)

    def test_a_negative_number(self):
        with pytest.raises(ConfigError, match="fit: train_metrics_steps; expected a number from 0, got -1"):
            self._history(train_metrics_steps=-1)


class TestWeightTying:
    def _model(self):
        columns = small_schema().select_by_name(["user_id", "item_id"])
        tables = mm.Embeddings(Schema(list(columns)), dim=3, aggregation="concat")
        return mm.Model(tables, mm.MLPBlock([3]), mm.CategoricalOutput(tables["item_id"], "next"))

    def _data(self):
        features, _ = small_batch()
        given = {name: features[name] for name in ("user_id", "item_id")}
        return tf.data.Dataset.from_tensors((given, {"next": np.arange(6)[:, None]}))

    @pytest.mark.slow
    def test_input_and_output_are_one_table(self):
        model = self._model()
        model.compile("sgd")
        model.fit(self._data(), verbose=0)
        # 10 x 3 and 20 x 3 in the tables, 6 x 3 + 3 in the MLP, nothing more
        assert model.count_params() == 30 + 60 + 21

    @pytest.mark.slow
    def test_they_are_one_after_loading(self, tmp_path):
        model = self._model()
        model.compile("adam")
        model.fit(self._data(), verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = mm.Model.load(tmp_path / "model.keras")
        assert loaded.count_params() == model.count_params()
        first = model.fit(self._data(), epochs=2, verbose=0).history
        assert loaded.fit(self._data(), epochs=2, verbose=0).history == first

    def test_they_are_one_in_a_copy(self):
        model = self._model()
        copy = mm.Model.from_config(json.loads(json.dumps(model.get_config())))
        copy.build({"user_id": (None, 1), "item_id": (None, 1)})
        assert copy.blocks[-1].to_call.table is copy.blocks[0]["item_id"]


class TestListsOfLosses:
    """Merlin Models finds no loss in such a list ("No loss found"): outputs are called by name."""

    @pytest.mark.parametrize("loss", [["binary_crossentropy", "mse"], ("mse",), [keras.losses.MeanSquaredError()]])
    def test_are_refused_with_the_names_of_the_outputs(self, loss):
        model = mm.Model(mm.ParallelBlock(mm.BinaryOutput("click"), mm.RegressionOutput("rating")))
        with pytest.raises(ConfigError, match=r"compile: loss; .*click/binary_output, rating/regression_output"):
            model.compile("sgd", loss=loss)

    def test_so_are_those_of_weights(self):
        model = mm.Model(mm.BinaryOutput("click"))
        with pytest.raises(ConfigError, match=r"compile: loss_weights; .*click/binary_output.*loss_weights=\{"):
            model.compile("sgd", loss_weights=[1.0])
