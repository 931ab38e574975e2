"""`SumResidual`, `AddLeft`: numbers by hand, and what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError

SHORTCUT = np.array([[1.0, 1.0]], "float32")


def test_the_shortcut_is_added_to_each():
    inputs = {"a": np.array([[1.0, -3.0]]), "b": np.array([[0.0, 5.0]]), "shortcut": SHORTCUT}
    found = mm.SumResidual()(inputs)
    # relu of (2, -2) and of (1, 6)
    assert {name: value.numpy().tolist() for name, value in found.items()} == {"a": [[2.0, 0.0]], "b": [[1.0, 6.0]]}
    assert list(inputs) == ["a", "b", "shortcut"]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [(None, [[2.0, -2.0]]), (keras.layers.LeakyReLU(negative_slope=0.5), [[2.0, -1.0]]), ("linear", [[2.0, -2.0]])],
)
def test_one_sum_is_a_tensor(activation, expected):
    layer = mm.SumResidual(activation, shortcut_name="bias")
    assert layer({"a": np.array([[1.0, -3.0]]), "bias": SHORTCUT}).numpy().tolist() == expected


def test_a_residual_connection_by_name():
    block = mm.Dense(2, kernel_initializer="ones").repeat_in_parallel(1, residual=True, aggregation="sum-residual")
    # 1 + 2 = 3 from the layer, added to what came in
    assert block(np.array([[1.0, 2.0]], "float32")).numpy().tolist() == [[4.0, 5.0]]


def test_a_shortcut_that_is_missing():
    with pytest.raises(ConfigError, match="adds a shortcut to other tensors; expected 'shortcut' and at least one"):
        mm.SumResidual().build({"a": (None, 2), "b": (None, 2)})


def test_shapes_that_differ():
    with pytest.raises(ConfigError, match=r"needs tensors of one shape; got a \(None, 2\), shortcut \(None, 3\)"):
        mm.SumResidual().build({"a": (None, 2), "shortcut": (None, 3)})


def test_a_bias_is_added_to_all_values():
    layer = mm.AddLeft()
    inputs = {"b": np.array([[3.0]]), "a": np.array([[1.0, 2.0]]), "bias": np.array([[10.0]])}
    # a and b in alphabetical order, each + 10
    assert layer(inputs).numpy().tolist() == [[11.0, 12.0, 13.0]]
    assert layer.weights == []


def test_a_wide_bias_goes_through_a_layer():
    layer = mm.AddLeft("left")
    layer.build({"left": (None, 2), "a": (None, 2)})
    layer.set_weights([np.array([[1.0], [2.0]]), np.array([0.5])])
    # 0.5 + 1 * 3 + 2 * 4 = 11.5
    found = layer({"left": np.array([[3.0, 4.0]], "float32"), "a": SHORTCUT})
    assert found.numpy().tolist() == [[12.5, 12.5]]


def test_a_bias_that_is_missing():
    with pytest.raises(ConfigError, match="adds one tensor to others; expected 'bias' and at least one more, got 'a'"):
        mm.AddLeft().build({"a": (None, 2)})
