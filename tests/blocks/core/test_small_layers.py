"""`NoOp`, `AsTabular`, `MapValues`, `Cond`, `ResidualBlock`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden
from tests.blocks.checks import check_block

ROW = np.array([[1.0, 2.0]], "float32")


def _ones(units):
    return mm.Dense(units, kernel_initializer="ones", use_bias=False)


@keras.saving.register_keras_serializable("emrys-tests")
class Positive(keras.layers.Layer):
    def call(self, inputs):
        return tf.reduce_sum(inputs) > 0


@keras.saving.register_keras_serializable("emrys-tests")
class Training(keras.layers.Layer):
    def call(self, inputs, training=False):
        return tf.constant([bool(training)])


def test_no_op_leaves_everything_as_it_is():
    batch = {"id": tf.constant([[3]]), "x": tf.constant([[0.1]], "float64"), "list": tf.ragged.constant([[1], []])}
    result = mm.NoOp()(batch)
    assert {name: value.dtype for name, value in result.items()} == {name: v.dtype for name, v in batch.items()}
    assert result["list"].to_list() == [[1], []]


@pytest.mark.parametrize("case", golden.cases("transforms", "AsTabular"))
def test_golden_as_tabular(case):
    golden.assert_close(mm.AsTabular(**case.args)(golden.tensors(case.inputs["inputs"])), case.outputs["output"])


def test_as_tabular_without_a_name():
    with pytest.raises(ConfigError, match="AsTabular: output_name; expected a name, got ''"):
        mm.AsTabular("")


def test_map_values():
    layer = mm.MapValues(_ones(2))
    result = layer({"a": ROW, "b": 10 * ROW})
    assert {name: value.numpy().tolist() for name, value in result.items()} == {"a": [[3, 3]], "b": [[30, 30]]}
    assert len(layer.weights) == 1
    assert layer(ROW).numpy().tolist() == [[3.0, 3.0]]


def test_map_values_of_something_else():
    with pytest.raises(ConfigError, match="MapValues: layer; expected a layer, got 'relu'"):
        mm.MapValues("relu")


def test_cond():
    layer = mm.Cond(Positive(), keras.layers.Rescaling(2.0), keras.layers.Rescaling(3.0))
    assert layer(ROW).numpy().tolist() == [[2.0, 4.0]]
    assert layer(-ROW).numpy().tolist() == [[-3.0, -6.0]]
    compiled = tf.function(lambda batch: layer(batch))
    assert compiled(tf.constant(ROW)).numpy().tolist() == [[2.0, 4.0]]
    assert compiled(tf.constant(-ROW)).numpy().tolist() == [[-3.0, -6.0]]


def test_cond_passes_the_input_on():
    layer = mm.Cond(Training(), keras.layers.Rescaling(2.0))
    assert layer(ROW, training=True).numpy().tolist() == [[2.0, 4.0]]
    assert layer(ROW, training=False).numpy().tolist() == [[1.0, 2.0]]


def test_cond_of_functions():
    functions = mm.Cond(lambda batch: tf.reduce_sum(batch) > 0, lambda batch: batch + 1, lambda batch: batch * 2)
    lambdas = mm.Cond(
        keras.layers.Lambda(lambda batch: tf.reduce_sum(batch) > 0), keras.layers.Lambda(lambda batch: batch + 1)
    )
    for layer, otherwise in ((functions, [[-2.0, -4.0]]), (lambdas, [[-1.0, -2.0]])):
        assert layer(ROW).numpy().tolist() == [[2.0, 3.0]]
        assert layer(-ROW).numpy().tolist() == otherwise
        assert layer.compute_output_shape((None, 2)) == (None, 2)


@keras.saving.register_keras_serializable("tests")
def _doubled(batch):
    return batch * 2


def test_saved_functions_are_registered_ones_as_keras_asks(tmp_path):
    model = mm.Model(mm.Cond(Positive(), _doubled))
    model(ROW)
    model.save(tmp_path / "named.keras")
    assert mm.Model.load(tmp_path / "named.keras")(ROW).numpy().tolist() == [[2.0, 4.0]]
    unnamed = mm.Model(mm.Cond(Positive(), lambda batch: batch * 2))
    unnamed(ROW)
    unnamed.save(tmp_path / "unnamed.keras")
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        mm.Model.load(tmp_path / "unnamed.keras")


@pytest.mark.slow
def test_cond_passes_the_check(tmp_path):
    inputs = tf.constant(np.random.default_rng(1).random((4, 3)), "float32")
    check_block(lambda: mm.Cond(Positive(), mm.Dense(2), mm.MLPBlock([2])), inputs, tmp_path)


def test_cond_used_wrongly():
    with pytest.raises(ConfigError, match="Cond: condition; expected a layer or a function, got True"):
        mm.Cond(True, mm.NoOp())
    with pytest.raises(ConfigError, match="Cond: true; expected a layer or a function, got None"):
        mm.Cond(Positive(), None)
    with pytest.raises(ConfigError, match="Cond: true; expected a layer or a function, got <class"):
        mm.Cond(Positive(), mm.NoOp)
    with pytest.raises(ConfigError, match=r"needs layers that give one shape; got \(1, 3\) if true, \(1, 2\) if false"):
        mm.Cond(Positive(), mm.Dense(3))(ROW)
    with pytest.raises(ConfigError, match=r"the condition; expected one boolean, got shape \(1, 2\)"):
        mm.Cond(mm.NoOp(), mm.NoOp()).call(tf.constant(ROW))


def test_residual_block():
    # [1, 2] + [3, 3], and as much below 0
    assert mm.ResidualBlock(_ones(2))(ROW).numpy().tolist() == [[4.0, 5.0]]
    assert mm.ResidualBlock(_ones(2), activation="relu")(-ROW).numpy().tolist() == [[0.0, 0.0]]
    leaky = mm.ResidualBlock(_ones(2), keras.layers.LeakyReLU(0.5), post=keras.layers.Rescaling(2.0))
    assert leaky(-ROW).numpy().tolist() == [[-4.0, -5.0]]


@pytest.mark.parametrize(
    ("make", "inputs", "text"),
    [
        (lambda: mm.ResidualBlock("dense"), ROW, "ResidualBlock: block; expected a layer, got 'dense'"),
        (
            lambda: mm.ResidualBlock(_ones(2), "rely"),
            ROW,
            "activation; expected an activation that Keras knows, got 'r",
        ),
        (lambda: mm.ResidualBlock(_ones(2), strict=True), ROW, "strict; expected False: a sum takes tensors, got True"),
        (lambda: mm.ResidualBlock(_ones(3)), ROW, r"keeps the shape; expected \(1, 2\), got \(1, 3\)"),
        (lambda: mm.ResidualBlock(_ones(2)), {"a": ROW}, "expected one tensor, got a dictionary. Aggregate it first"),
    ],
)
def test_residual_block_used_wrongly(make, inputs, text):
    with pytest.raises(ConfigError, match=text):
        make()(inputs)
