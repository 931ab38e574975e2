"""Reading rows of variables."""

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.core.gather import read_rows, use_gather_nd

WEIGHTS = np.arange(12.0, dtype="float32").reshape(4, 3)


@pytest.mark.parametrize(("gather_nd", "by_xla"), [(True, False), (False, False), (False, True)])
@pytest.mark.parametrize("rows", [[2, 0, 2], [[2, 0], [3, 2]], [[[1]]]])
def test_rows_and_their_sparse_gradient(rows, gather_nd, by_xla):
    variable = tf.Variable(WEIGHTS)
    sparse = []

    @tf.function(jit_compile=by_xla)
    def read(rows):
        with use_gather_nd(gather_nd), tf.GradientTape() as tape:
            found = read_rows(variable, rows)
            loss = tf.reduce_sum(found * found)
        gradient = tape.gradient(loss, variable)
        sparse.append(isinstance(gradient, tf.IndexedSlices))
        return found, tf.reshape(gradient.indices, [-1]), tf.reshape(gradient.values, [-1, 3])

    found, indices, values = read(tf.constant(rows, "int64"))
    np.testing.assert_array_equal(found, WEIGHTS[rows])
    assert sparse == [True]
    np.testing.assert_array_equal(indices, np.ravel(rows))
    np.testing.assert_array_equal(values, 2 * WEIGHTS[np.ravel(rows)])


@pytest.mark.slow
@pytest.mark.parametrize("by_xla", [False, True])
def test_a_training_step_uses_gather_nd_unless_xla_compiles_it(by_xla):
    schema = Schema([mm.create_categorical_column("item", 9)])
    model = mm.Model(mm.Embeddings(schema, dim=2, aggregation="concat"), mm.BinaryOutput("click"))
    model.compile("lazy_adam", jit_compile=by_xla)
    batch = ({"item": tf.constant([[1], [2]])}, tf.constant([[1.0], [0.0]]))
    model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    step = tf.function(model.train_step).get_concrete_function(batch)
    kinds = {operation.type for operation in step.graph.get_operations()}
    # Keras turns XLA off where deterministic operations were asked for, as an earlier test of a process may have done.
    assert ("ResourceGatherNd" in kinds) is not model.jit_compile
    evaluation = tf.function(model.test_step).get_concrete_function(batch)
    assert "ResourceGatherNd" not in {operation.type for operation in evaluation.graph.get_operations()}
