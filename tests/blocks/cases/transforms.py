"""Transforms of features, for the check that every block passes."""

from __future__ import annotations

import tensorflow as tf
from merlin.schema import ColumnSchema, Schema

import emrys.blocks as mm

LISTS = {"items": tf.ragged.constant([[1.0, 2.0], [3.0], [4.0, 5.0]]), "user": tf.constant([[1.0], [2.0], [3.0]])}
SCHEMA = Schema([ColumnSchema("items", is_list=True, properties={"value_count": {"min": 0, "max": 3}})])
STEPS = {
    "items": tf.RaggedTensor.from_row_lengths(tf.reshape(tf.range(6.0), (3, 2)), [2, 1]),
    "user": tf.constant([[1.0], [2.0]]),
}

CASES = {
    "ToDense": (lambda: mm.ToDense(SCHEMA).connect(mm.Dense(2)), LISTS),
    "ToSparse": (lambda: mm.ToSparse().connect(mm.ToDense(SCHEMA), mm.Dense(2)), LISTS),
    "ListToDense": (lambda: mm.ListToDense(max_seq_length=4).connect(mm.Dense(2)), LISTS),
    "ListToRagged": (lambda: mm.ListToRagged().connect(mm.ToDense(SCHEMA), mm.Dense(2)), LISTS),
    "ListToSparse": (lambda: mm.ListToSparse().connect(mm.ToDense(SCHEMA), mm.Dense(2)), LISTS),
    "ExpandDims": (
        lambda: mm.ExpandDims({"a": 1, "b": -1}).connect(mm.Dense(2)),
        {"a": tf.constant([[1.0], [2.0]]), "b": tf.constant([[3.0], [4.0]])},
    ),
    "BroadcastToSequence": (
        lambda: mm.BroadcastToSequence(Schema([ColumnSchema("user")]), Schema([ColumnSchema("items")])).connect(
            mm.Dense(2)
        ),
        STEPS,
    ),
    "StochasticSwapNoise": (lambda: mm.StochasticSwapNoise().connect(mm.ToDense(SCHEMA), mm.Dense(2)), LISTS),
    "ToOneHot": (lambda: mm.ToOneHot().connect(mm.Dense(2)), tf.constant([[1.0, 2.0]])),
    "Dense of lists": (lambda: mm.Dense(2), STEPS["items"]),
}
