"""Rows of large variables."""

import numpy as np
import pytest
import tensorflow as tf

from emrys.blocks.core.gather import read_rows

WEIGHTS = np.arange(12.0, dtype="float32").reshape(4, 3)


@pytest.mark.parametrize("by_xla", [False, True])
@pytest.mark.parametrize("rows", [[2, 0, 2], [[2, 0], [3, 2]], [[[1]]]])
def test_rows_and_the_gradient_that_names_them(rows, by_xla):
    variable = tf.Variable(WEIGHTS)
    named = []

    @tf.function(jit_compile=by_xla)
    def read(rows):
        with tf.GradientTape() as tape:
            found = read_rows(variable, rows)
            loss = tf.reduce_sum(found * found)
        gradient = tape.gradient(loss, variable)
        named.append(isinstance(gradient, tf.IndexedSlices))
        return found, tf.reshape(gradient.indices, [-1]), tf.reshape(gradient.values, [-1, 3])

    found, indices, values = read(tf.constant(rows, "int64"))
    np.testing.assert_array_equal(found, WEIGHTS[rows])
    assert named == [True]
    np.testing.assert_array_equal(indices, np.ravel(rows))
    np.testing.assert_array_equal(values, 2 * WEIGHTS[np.ravel(rows)])
