from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden

LISTS = tf.RaggedTensor.from_row_lengths(tf.constant([[1.0, -2.0], [3.0, -4.0]]), [2, 0])


def _ragged(combiner):
    return mm.SequenceAggregator(combiner)(LISTS).numpy().tolist()


@pytest.mark.parametrize("case", golden.cases("interactions", "SequenceAggregator"))
def test_golden(case):
    layer = mm.SequenceAggregator(**case.args)
    golden.assert_close(layer(golden.tensors(case.inputs)), case.outputs["output"])
    lists = tf.RaggedTensor.from_row_lengths(tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), [2, 1])
    golden.assert_close(layer(lists), case.outputs["output_ragged"])


def test_an_empty_list_gives_zeros():
    assert _ragged("mean") == [[2.0, -3.0], [0.0, 0.0]]
    assert _ragged("sum") == [[4.0, -6.0], [0.0, 0.0]]
    assert _ragged("max") == [[3.0, -2.0], [0.0, 0.0]]
    assert _ragged("min") == [[1.0, -4.0], [0.0, 0.0]]


def test_lists_of_numbers():
    assert mm.SequenceAggregator()(tf.ragged.constant([[1.0, 2.0], []])).numpy().tolist() == [1.5, 0.0]


def test_masked_mean():
    lists = tf.constant([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[7.0, 8.0], [9.0, 10.0], [11.0, 12.0]]])
    mask = tf.constant([[True, False, True], [False, False, False]])
    # the first and the last of the first list; none of the second
    assert mm.SequenceAggregator("masked_mean")(lists, mask=mask).numpy().tolist() == [[3.0, 4.0], [0.0, 0.0]]
    lists._keras_mask = mask
    assert mm.SequenceAggregator("masked_mean")(lists).numpy().tolist() == [[3.0, 4.0], [0.0, 0.0]]


def test_a_function_and_another_axis():
    values = np.arange(1.0, 9.0).reshape((2, 2, 2))
    layer = mm.SequenceAggregator(keras.ops.prod, axis=2)
    assert layer(values).numpy().tolist() == [[2.0, 12.0], [30.0, 56.0]]
    assert layer.compute_output_shape((2, 5, 2)) == (2, 5)


def test_used_wrongly():
    with pytest.raises(ConfigError, match=r"expected a function or one of 'mean', .*'masked_mean', got 'median'"):
        mm.SequenceAggregator("median")
    with pytest.raises(ConfigError, match=r"'masked_mean' needs a mask\. Mask the input, or use 'mean'"):
        mm.SequenceAggregator("masked_mean").call(np.ones((1, 2, 3)))
