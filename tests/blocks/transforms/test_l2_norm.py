from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden


@pytest.mark.parametrize("case", golden.cases("interactions", "L2Norm"))
def test_golden(case):
    inputs = golden.tensors(case.inputs)
    axis = {"axis": 0} if "axis=0" in case.call else {}
    golden.assert_close(mm.L2Norm()(inputs.get("inputs", inputs), **axis), case.outputs["output"])


def test_a_list_is_one_vector():
    # 5 is the length of [3, 4]; an empty list and one of zeros stay
    result = mm.L2Norm()(tf.ragged.constant([[3.0, 4.0], [], [0.0]]))
    assert result.row_lengths().numpy().tolist() == [2, 0, 1]
    np.testing.assert_allclose(result.flat_values, [0.6, 0.8, 0.0], rtol=1e-6)


def test_along_the_list_of_vectors():
    lists = tf.RaggedTensor.from_row_lengths(tf.constant([[3.0, 1.0], [4.0, 0.0], [2.0, 2.0]]), [2, 1])
    result = mm.L2Norm()(lists, axis=1)
    np.testing.assert_allclose(result.flat_values, [[0.6, 1.0], [0.8, 0.0], [1.0, 1.0]], rtol=1e-6)


def test_half_precision():
    assert mm.L2Norm(dtype="float16")(tf.constant([[0.0, 0.0], [2e-4, 0.0]], "float16")).numpy().tolist() == [
        [0.0, 0.0],
        [1.0, 0.0],
    ]


def test_rows_of_a_ragged_tensor():
    with pytest.raises(ConfigError, match="scales ragged tensors along lists or vectors; got axis 0"):
        mm.L2Norm().call(tf.ragged.constant([[1.0], [2.0, 3.0]]), axis=0)
