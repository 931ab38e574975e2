from __future__ import annotations

import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden

ROW = np.array([[1.0, 2.0]], "float32")


@pytest.mark.parametrize("case", golden.cases("interactions", "CrossBlock", where=lambda case: not case.raises))
def test_golden(case):
    block = mm.CrossBlock(**case.args)
    inputs = golden.tensors(case.inputs["inputs"])
    block.build(tuple(inputs.shape))
    for layer, weights in zip(block.layers, case.weights["layers"], strict=True):
        for name, value in golden.tensors(weights).items():
            part, kind = name.rsplit("_", 1)
            getattr(getattr(layer, part), kind).assign(value)
    golden.assert_close(block(inputs), case.outputs["output"])
    assert len(block.layers) == case.outputs["n_layers"]
    assert block.count_params() == case.outputs["n_parameters"]


@pytest.mark.parametrize("case", golden.cases("interactions", "CrossBlock", where=lambda case: case.raises))
def test_golden_refused(case):
    with pytest.raises(ValueError, match="CrossBlock: depth; expected a number of layers above 0, got 0"):
        mm.CrossBlock(**case.args)


def test_features_go_side_by_side():
    # x = [1, 2]; [1, 2] * 3 + [1, 2] = [4, 8]; with all weights 1 and no filter
    block = mm.CrossBlock(kernel_initializer="ones")
    assert block({"b": ROW[:, 1:], "a": ROW[:, :1]}).numpy().tolist() == [[4.0, 8.0]]


def test_filter_and_inputs():
    # a: [1, 2] -> [3]; 3 * 3 + 3
    ahead = mm.Dense(1, kernel_initializer="ones")
    block = mm.CrossBlock(filter="a", inputs=ahead, kernel_initializer="ones")
    assert block({"a": ROW, "b": 7 * ROW}).numpy().tolist() == [[12.0]]


def test_every_layer_crosses_with_the_input():
    # x1 = 1 * 1 + 1 = 2; x2 = x0 * x1 + x1 = 4 (with x1 in place of x0 it were 6)
    assert mm.CrossBlock(2, kernel_initializer="ones")(np.array([[1.0]])).numpy().tolist() == [[4.0]]


def test_used_wrongly():
    with pytest.raises(ConfigError, match="CrossBlock: low_rank_dim; expected None or a size above 0, got 0"):
        mm.CrossBlock(low_rank_dim=0)


def test_a_pair_of_inputs():
    # x_0 (1, 2), x (3, 4): W x is (7, 7), so that x_0 * W x + x = (10, 18); as released.
    block = mm.CrossBlock(kernel_initializer="ones")
    pair = (np.array([[1.0, 2.0]], "float32"), np.array([[3.0, 4.0]], "float32"))
    assert block(pair).numpy().tolist() == [[10.0, 18.0]]
    assert block.compute_output_shape(((None, 2), (None, 2))) == (None, 2)
    assert block(list(pair)).numpy().tolist() == [[10.0, 18.0]]
