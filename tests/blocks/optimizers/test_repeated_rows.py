"""An id that a batch holds more than once is one row for every optimizer, as it was in Keras 2."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

SCHEMA = Schema(
    [
        ColumnSchema(
            "item", dtype="int64", tags=[Tags.CATEGORICAL], properties={"domain": {"min": 0, "max": 3, "name": "item"}}
        ),
        ColumnSchema("click", dtype="float32", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
    ]
)
#: Item 1 occurs twice, item 2 once, items 0 and 3 not at all.
BATCH = ({"item": tf.constant([[1], [1], [2]], tf.int64)}, tf.constant([[1.0], [1.0], [0.0]]))
#: In their first step these move a weight by as much, whatever the size of its gradient: Adam by its rate. A row whose
#: two slices were squared one by one would move by sqrt(2) times as much as the row that occurs once.
KERAS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": lambda rate: keras.optimizers.Adagrad(rate, initial_accumulator_value=1e-12),
}


def _moves(optimizer, inside=False):
    """Change of the weights of each row in one step: (4, 2)."""
    keras.utils.set_random_seed(3)  # no gradient is so small that the epsilon of an optimizer counts
    table = mm.EmbeddingTable(2, SCHEMA["item"])
    model = mm.Model(mm.ParallelBlock({"item": table}, aggregation="concat"), mm.BinaryOutput("click"))
    if inside:
        optimizer = mm.MultiOptimizer([mm.OptimizerBlocks(optimizer, table)])
    model.compile(optimizer=optimizer, run_eagerly=True)
    model(BATCH[0])
    before = keras.ops.convert_to_numpy(table.embeddings)
    model.train_on_batch(*BATCH)
    return np.abs(keras.ops.convert_to_numpy(table.embeddings) - before)


@pytest.mark.parametrize("name", KERAS)
@pytest.mark.parametrize("inside", [False, True])
def test_a_repeated_row_moves_as_far_as_another(name, inside):
    optimizer = KERAS[name](0.01)
    moves = _moves(optimizer, inside)
    if name == "adam":
        np.testing.assert_allclose(moves[1:3], 0.01, rtol=0.05)  # the first step of Adam is its rate
    np.testing.assert_allclose(moves[1], moves[2], rtol=0.1)
    np.testing.assert_array_equal(moves[[0, 3]] > 1e-4, False)


def test_adam_and_its_lazy_form_agree_on_the_first_step():
    dense, lazy = _moves(keras.optimizers.Adam(0.01)), _moves(mm.LazyAdam(0.01))
    np.testing.assert_allclose(dense, lazy, rtol=1e-3, atol=1e-7)
