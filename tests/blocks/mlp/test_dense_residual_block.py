from __future__ import annotations

import keras
import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError

ROW = np.array([[1.0, 2.0]], "float32")


def test_a_sum():
    # [1, 2] + 3 = [4, 5]; below 0 the activation cuts off
    block = mm.DenseResidualBlock(normalization=None, kernel_initializer="ones")
    assert block(ROW).numpy().tolist() == [[4.0, 5.0]]
    assert block(-ROW).numpy().tolist() == [[0.0, 0.0]]


def test_low_rank():
    # U x = 3 for the one row of ones, V 3 = [3, 3]
    block = mm.DenseResidualBlock(low_rank_dim=1, normalization=None, kernel_initializer="ones")
    assert block(ROW).numpy().tolist() == [[4.0, 5.0]]
    assert block.count_params() == 2 + 2 + 2


def test_the_normalization_is_before_the_sum():
    # 3 / sqrt(1 + 0.001) = 2.9985013, and 1 or 2 more
    block = mm.DenseResidualBlock(kernel_initializer="ones")
    np.testing.assert_allclose(block(ROW), [[3.9985013, 4.9985013]], rtol=1e-6)
    # a matrix of 2 x 2 and a bias; scale, shift, mean and variance
    assert block.count_params() == 4 + 2 + 4 * 2


def test_every_layer_gets_the_arguments():
    # [1, 2] -> [4, 5] -> [4, 5] + 9
    block = mm.DenseResidualBlock(normalization=None, kernel_initializer="ones", use_bias=False, depth=2)
    assert block(ROW).numpy().tolist() == [[13.0, 14.0]]
    assert block.count_params() == 2 * 4


def test_layers_do_not_share_what_is_given_as_a_layer():
    block = mm.DenseResidualBlock(
        activation=keras.layers.PReLU(), normalization=keras.layers.LayerNormalization(), depth=2
    )
    block(ROW)
    # each: matrix 4, bias 2, scale and shift 4, slope 2
    assert block.count_params() == 2 * (4 + 2 + 4 + 2)


def test_dropout_is_of_what_is_added():
    block = mm.DenseResidualBlock(normalization=None, kernel_initializer="ones", dropout=0.5)
    rows = block(np.repeat(ROW, 64, axis=0), training=True).numpy()
    # each value is dropped or doubled: 1 or 1 + 6, 2 or 2 + 6
    assert {tuple(sorted(set(column))) for column in rows.T.tolist()} == {(1.0, 7.0), (2.0, 8.0)}


def test_features_go_side_by_side():
    block = mm.DenseResidualBlock(normalization=None, kernel_initializer="ones")
    assert block({"b": ROW[:, 1:], "a": ROW[:, :1]}).numpy().tolist() == [[4.0, 5.0]]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"depth": 0}, "DenseResidualBlock: depth; expected a number of layers above 0, got 0"),
        ({"dropout": 1.0}, "DenseResidualBlock: dropout; expected a share from 0 to below 1, got 1.0"),
        (
            {"normalization": "layer"},
            "DenseResidualBlock: normalization; expected 'batch_norm' or a layer, got 'layer'",
        ),
        ({"low_rank_dim": 0}, "low_rank_dim; expected None or a size above 0, got 0"),
        ({"activation": "rely"}, "activation; expected an activation that Keras knows, got 'rely'"),
    ],
)
def test_used_wrongly(arguments, text):
    with pytest.raises(ConfigError, match=text):
        mm.DenseResidualBlock(**arguments)
