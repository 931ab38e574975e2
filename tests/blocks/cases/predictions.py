"""Blocks that give a `Prediction`: features with targets."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

_LISTS = Schema([ColumnSchema(name, is_list=True, is_ragged=True, dtype="float32") for name in ("items", "prices")])
_ROWS = {
    "items": tf.RaggedTensor.from_row_lengths(tf.range(1.0, 11.0) / 20, [4, 3, 3]),
    "prices": tf.RaggedTensor.from_row_lengths(tf.range(2.0, 12.0) / 20, [4, 3, 3]),
}
_PADDED = {name: rows.to_tensor()[..., tf.newaxis] for name, rows in _ROWS.items()}
_ITEM = Schema([mm.create_categorical_column("item_id", 19, tags=[Tags.ITEM_ID, Tags.ITEM])])
_VECTORS = {name: tf.constant(np.random.default_rng(8).random((4, 2)), "float32") for name in ("age", "price")}

CASES = {
    "ToTarget": (lambda: mm.ToTarget(Schema([mm.create_continuous_column("price")]), "price"), _VECTORS),
    "SequencePredictNext": (lambda: mm.SequencePredictNext(_LISTS, "items"), _ROWS),
    "SequencePredictNext dense": (lambda: mm.SequencePredictNext(_LISTS, "items"), _PADDED),
    "SequencePredictLast": (lambda: mm.SequencePredictLast(_LISTS, "items"), _ROWS),
    "SequenceTargetAsInput": (lambda: mm.SequenceTargetAsInput(_LISTS, "items"), _ROWS),
    "SequenceMaskLast": (lambda: mm.SequenceMaskLast(_LISTS, "items"), _ROWS),
    "InBatchNegatives": (
        lambda: mm.InBatchNegatives(_ITEM, 2, seed=1),
        {"item_id": tf.constant([[3], [5], [3], [7]], tf.int64), **_VECTORS},
    ),
    "ContrastiveOutput two towers": (
        lambda: mm.ContrastiveOutput(
            mm.DotProduct(), "in-batch", schema=_ITEM, pre=mm.MapValues(mm.Dense(3)), logits_temperature=0.5
        ),
        {"query": _VECTORS["age"], "candidate": _VECTORS["price"]},
    ),
}
