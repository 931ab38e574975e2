"""Several optimizers in one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden
from tests.blocks.checks import small_batch, small_schema

NAMES = {"SGD": keras.optimizers.SGD, "Adagrad": keras.optimizers.Adagrad, "Adam": keras.optimizers.Adam}


def _blocks():
    blocks = {name: mm.MLPBlock([units], activation="linear") for name, units in (("a", 2), ("b", 2), ("d", 1))}
    for block in blocks.values():
        block.build((None, 2))
        block.set_weights([np.ones_like(weight) for weight in block.get_weights()])
    return blocks


def _optimizer(text):
    """An optimizer as the cases write one: SGD(1.0), or a name in quotes."""
    return keras.optimizers.SGD(float(text[4:-1])) if text.startswith("SGD(") else text.strip("'")


def _pair(text, blocks):
    """A pair as the cases write one: OptimizerBlocks(SGD(1.0), [a, b])."""
    optimizer, _, names = text.removeprefix("OptimizerBlocks(").removesuffix(")").partition(", ")
    chosen = [blocks[name] for name in names.strip("[]").split(", ")]
    return mm.OptimizerBlocks(_optimizer(optimizer), chosen if names.startswith("[") else chosen[0])


def _multi(case, blocks):
    pairs = [_pair(text, blocks) for text in case.args["optimizers_and_blocks"]]
    default = {"default_optimizer": _optimizer(case.args["default_optimizer"])} if len(case.args) > 1 else {}
    return mm.MultiOptimizer(pairs, **default)


def _step(optimizer, blocks):
    variables = [variable for block in blocks.values() for variable in block.trainable_variables]
    optimizer.apply_gradients([(tf.ones_like(variable), variable) for variable in variables])


def _weights(blocks):
    return {name: dict(zip(("kernel", "bias"), block.weights, strict=True)) for name, block in blocks.items()}


def _check_optimizers(optimizer, outputs):
    if "classes_in_order" in outputs:
        kinds = [NAMES[name] for name in outputs["classes_in_order"]]
        for each, kind in zip(optimizer.optimizers, kinds, strict=True):
            assert isinstance(each, kind)  # LazySGD is an SGD
    if "learning_rates_in_order" in outputs:
        golden.assert_close([each.learning_rate for each in optimizer.optimizers], outputs["learning_rates_in_order"])
    if "default_optimizer_class" in outputs:
        assert type(optimizer.optimizers[-1]).__name__ == outputs["default_optimizer_class"]


@pytest.mark.parametrize(
    "case", golden.cases("optimizer", "MultiOptimizer", "MultiOptimizer.add", "MultiOptimizer.update")
)
def test_golden(case):
    blocks = _blocks()
    if case.raises:
        with pytest.raises(ValueError, match=r"at least one pair|belongs to two pairs"):
            _step(_multi(case, blocks), blocks)
        return
    optimizer = _multi(case, blocks)
    if "added" in case.inputs:
        optimizer.add(_pair(case.inputs["added"], blocks))
    if "updated" in case.inputs:
        optimizer.update(_pair(case.inputs["updated"], blocks))
    _check_optimizers(optimizer, case.outputs)
    outputs = case.outputs
    assert optimizer.name == outputs.get("name", "MultiOptimizer")
    for steps, key in ((1, "variables_after_one_step"), (2, "variables_after_two_steps")):
        if key in outputs:
            for _ in range(steps):
                _step(optimizer, blocks)
            golden.assert_close(_weights(blocks), outputs[key])
            assert int(optimizer.iterations) == steps


def test_add_and_update_between_steps():
    blocks = _blocks()
    optimizer = mm.MultiOptimizer(
        [mm.OptimizerBlocks(keras.optimizers.SGD(1.0), blocks["a"])], keras.optimizers.SGD(0.5)
    )
    _step(optimizer, blocks)
    optimizer.update(mm.OptimizerBlocks(keras.optimizers.SGD(0.25), blocks["a"]))
    optimizer.add(mm.OptimizerBlocks("adam", blocks["d"]))
    _step(optimizer, blocks)
    # a: 1 - 1 - 0.25; b: 1 - 0.5 - 0.5; d: 1 - 0.5, and the first step of Adam, 0.001.
    found = {name: float(block.weights[1][0]) for name, block in blocks.items()}
    assert found == pytest.approx({"a": -0.25, "b": 0.0, "d": 0.499})


def _model(build=True):
    schema = small_schema()
    inputs = schema.excluding_by_name(["click", "rating"])
    tables = mm.Embeddings(inputs, dim=4)
    deep = mm.MLPBlock([4])
    body = mm.ParallelBlock(tables, mm.ContinuousFeatures(["age", "price"]), aggregation="concat")
    model = mm.Model(body, deep, mm.OutputBlock(schema))
    large, small = mm.split_embeddings_on_size(tables, threshold=10)
    model.compile(
        mm.MultiOptimizer(
            [mm.OptimizerBlocks(mm.LazyAdam(0.01), large), mm.OptimizerBlocks("adagrad", [*small, deep])],
            default_optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
        )
    )
    if build:
        model(small_batch()[0])
    return model


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.slow
def test_a_saved_model_keeps_whose_weights_are_whose(steps, tmp_path):
    model = _model()
    data = tf.data.Dataset.from_tensors(small_batch()).repeat(2)
    if steps:
        model.fit(data, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    model.fit(data, verbose=0)
    loaded.fit(data, verbose=0)
    assert [type(each).__name__ for each in loaded.optimizer.optimizers] == ["LazyAdam", "LazyAdagrad", "SGD"]
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)
    for old, new in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-7)
    for old, new in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-7)


def test_the_learning_rate_is_that_of_the_default():
    optimizer = mm.MultiOptimizer([mm.OptimizerBlocks("sgd", mm.MLPBlock([2]))], keras.optimizers.SGD(0.5))
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    assert float(optimizer.optimizers[-1].learning_rate) == 0.25


def test_moving_averages_of_one_optimizer():
    blocks = _blocks()
    averaged = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer = mm.MultiOptimizer([mm.OptimizerBlocks(averaged, blocks["a"])], keras.optimizers.SGD(1.0))
    _step(optimizer, blocks)
    _step(optimizer, blocks)
    optimizer.finalize_variable_values([variable for block in blocks.values() for variable in block.weights])
    # a is 0, then -1: the average is 0, then 0.5 * 0 + 0.5 * -1. b is -1.
    assert float(blocks["a"].weights[1][0]) == -0.5
    assert float(blocks["b"].weights[1][0]) == -1.0


def test_bad_arguments():
    block = mm.MLPBlock([2])
    with pytest.raises(ConfigError, match="expected OptimizerBlocks, got tuple"):
        mm.MultiOptimizer([("sgd", block)])
    with pytest.raises(ConfigError, match=r"OptimizerBlocks: blocks.*got str"):
        mm.MultiOptimizer([mm.OptimizerBlocks("sgd", ["a"])])
    with pytest.raises(ConfigError, match=r"MultiOptimizer: clipnorm"):
        mm.MultiOptimizer([mm.OptimizerBlocks("sgd", block)], clipnorm=1.0)
    with pytest.raises(ConfigError, match=r"scale the loss.*LazyLossScaleOptimizer"):
        mm.MultiOptimizer([mm.OptimizerBlocks(mm.LazySGD(loss_scale_factor=2.0), block)])


@pytest.mark.parametrize("grouped", [False, True])
def test_blocks_that_are_built_after_the_optimizer(grouped):
    columns = [mm.create_categorical_column(name, size, dtype="int64") for name, size in (("user", 9), ("city", 3))]
    tables = mm.Embeddings(Schema(columns), dim=2, embeddings_initializer="ones")
    large, small = mm.split_embeddings_on_size(tables, threshold=8)
    assert not any(table.built for table in (*large, *small))
    blocks = mm.ParallelBlock({table.name: table for table in large}) if grouped else large
    optimizer = mm.MultiOptimizer(
        [mm.OptimizerBlocks(keras.optimizers.SGD(0.5), blocks), mm.OptimizerBlocks(keras.optimizers.SGD(0.1), small)],
        default_optimizer=keras.optimizers.SGD(0.01),
    )
    assert [pair.blocks for pair in optimizer.optimizers_and_blocks] == [[blocks] if grouped else large, small]
    model = mm.Model(mm.InputBlockV2(Schema(columns), categorical=tables), mm.RegressionOutput("y"))
    model.compile(optimizer, loss=lambda y, prediction: tf.reduce_mean(prediction, axis=-1), run_eagerly=True)
    batch = {"user": np.array([[1]]), "city": np.array([[2]])}
    model(batch)
    model.model_outputs[0].to_call.set_weights([np.ones((4, 1)), np.zeros(1)])
    model.train_on_batch(batch, np.zeros((1, 1)))
    # the prediction is the sum of all four weights looked up: every gradient is 1
    np.testing.assert_allclose(tables["user"].embeddings[1], [0.5, 0.5])
    np.testing.assert_allclose(tables["city"].embeddings[2], [0.9, 0.9])
    np.testing.assert_allclose(model.model_outputs[0].to_call.weights[0], 0.99 * np.ones((4, 1)))


def test_pairs_without_weights():
    bias = keras.Variable([1.0])
    optimizer = mm.MultiOptimizer(
        [mm.OptimizerBlocks("sgd", []), mm.OptimizerBlocks("adam", mm.MLPBlock([2], block_name="late"))],
        default_optimizer=keras.optimizers.SGD(0.5),
    )
    with pytest.warns(UserWarning, match=r"'late' has no weights yet.*Is it a block of the model"):
        optimizer.apply_gradients([(tf.ones(1), bias)])
    assert float(bias[0]) == 0.5


@pytest.mark.parametrize("case", golden.cases("optimizer", "split_embeddings_on_size"))
def test_golden_split(case):
    sizes = case.inputs["tables"]
    columns = [mm.create_categorical_column(name, size - 1) for name, size in sizes.items()]
    tables = mm.Embeddings(Schema(columns), dim=2)
    outputs = case.outputs
    if outputs["large"]:
        large, small = mm.split_embeddings_on_size(tables, **case.args)
    else:
        with pytest.warns(UserWarning, match="no table has 1000 rows or more"):
            large, small = mm.split_embeddings_on_size(tables, **case.args)
    assert [table.name for table in large] == outputs["large"]
    assert [table.name for table in small] == outputs["small"]
    if "input_dims" in outputs:
        assert {table.name: table.input_dim for table in [*large, *small]} == outputs["input_dims"]


def test_split_takes_tables():
    with pytest.raises(ConfigError, match=r"split_embeddings_on_size.*got MLPBlock"):
        mm.split_embeddings_on_size(mm.ParallelBlock(mm.MLPBlock([2])), 10)
