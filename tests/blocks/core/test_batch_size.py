"""The number of rows of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm

LIST = {"a__values": np.arange(5), "a__offsets": np.array([0, 2, 5])}


@pytest.mark.parametrize(
    ("batch", "rows"),
    [
        ({"a": np.ones((3, 1))}, 3),
        ({"a": tf.ragged.constant([[1], [2, 3]])}, 2),
        (LIST, 2),
        ({**LIST, "b": np.ones((2, 1))}, 2),
        ({}, None),
    ],
)
def test_rows(batch, rows):
    assert mm.calculate_batch_size_from_inputs(batch) == rows


def test_unknown_in_a_graph():
    found = []
    spec = {"a": tf.TensorSpec((None, 1))}
    tf.function(lambda batch: found.append(mm.calculate_batch_size_from_inputs(batch))).get_concrete_function(spec)
    assert found == [None]
