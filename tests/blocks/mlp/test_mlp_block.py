from __future__ import annotations

import keras
import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError


def test_numbers():
    # x = (1, -2): first layer, all ones and relu: max(1 - 2, 0) = 0 -> + bias 0.5 = max(-0.5, 0) = 0;
    # with a linear last layer of weights 1 and bias 0.5 twice: layer 1 = max(-1 + 0.5, 0) = 0, layer 2 = 0 * 1 + 0.5
    block = mm.MLPBlock(
        [1, 1], kernel_initializer="ones", bias_initializer=keras.initializers.Constant(0.5),
        no_activation_last_layer=True,
    )  # fmt: skip
    assert block(np.array([[1.0, -2.0]], "float32")).numpy().tolist() == [[0.5]]
    # x = (3, -1): layer 1 = 2.5, layer 2 = 3
    assert block(np.array([[3.0, -1.0]], "float32")).numpy().tolist() == [[3.0]]


def test_order_of_the_layers():
    block = mm.MLPBlock([4, 2], dropout=[0.5, 0.1], normalization="batch_norm", no_activation_last_layer=True)
    kinds = [type(layer).__name__ for layer in block]
    assert kinds == ["Dense", "Dropout", "BatchNormalization", "Dense", "BatchNormalization"]
    assert [layer.activation.__name__ for layer in (block[0], block[3])] == ["relu", "linear"]


def test_layers_do_not_start_out_equal():
    block = mm.MLPBlock([3, 3], kernel_initializer=keras.initializers.GlorotUniform())
    block.build((None, 3))
    assert not np.array_equal(block.get_weights()[0], block.get_weights()[2])


@pytest.mark.parametrize("dimensions", [[], [0], [3, -1], [2.5]])
def test_sizes(dimensions):
    with pytest.raises(ConfigError, match="MLPBlock: dimensions; expected a list of sizes above 0"):
        mm.MLPBlock(dimensions)


def test_an_unknown_activation():
    with pytest.raises(ConfigError, match=r"MLPBlock: activation; .*, got 'rellu'\. Did you mean 'relu'\?"):
        mm.MLPBlock([1, 1], activation=["relu", "rellu"])


def test_as_many_activations_as_layers():
    with pytest.raises(ConfigError, match="MLPBlock: activation; expected one value, or 2, one for each layer, got 3"):
        mm.MLPBlock([1, 1], activation=["relu", "relu", "relu"])


def test_normalization():
    with pytest.raises(ConfigError, match="normalization; expected 'batch_norm' or a layer, got 'batchnorm'"):
        mm.MLPBlock([1], normalization="batchnorm")


def test_dense_goes_by_the_alphabet():
    # b first in the dictionary, a first in the kernel: a * 1 + b * 10
    layer = mm.Dense(1, use_bias=False)
    batch = {"b": np.array([[2.0]], "float32"), "a": np.array([[3.0]], "float32")}
    layer.build({name: value.shape for name, value in batch.items()})
    layer.set_weights([np.array([[1.0], [10.0]])])
    assert layer(batch).numpy().tolist() == [[23.0]]


def test_the_dense_layer_of_each_layer():
    block = mm.MLPBlock([3, 1], activation=["relu", "linear"])
    block.build((None, 2))
    assert [layer.dense.units for layer in block.layers] == [3, 1]
    assert [tuple(layer.dense.kernel.shape) for layer in block.layers] == [(2, 3), (3, 1)]
    with pytest.raises(AttributeError):
        block.layers[0].dense = None
