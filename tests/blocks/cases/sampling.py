"""Blocks of contrastive training, for the shared check."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm

_ITEM = mm.create_categorical_column("item_id", 19, tags=[Tags.ITEM_ID, Tags.ITEM], dtype="int64")
_QUERY = tf.constant(np.random.default_rng(6).random((4, 3)), "float32")
_PAIR = {"query": _QUERY, "candidate": tf.constant(np.random.default_rng(7).random((4, 3)), "float32")}


CASES = {
    "DotProduct": (lambda: mm.MapValues(mm.Dense(3)).connect(mm.DotProduct()), _PAIR),
    "ItemsPredictionWeightTying": (lambda: mm.ItemsPredictionWeightTying(Schema([_ITEM])), _QUERY),
    "ContrastiveOutput post": (
        lambda: mm.ContrastiveOutput(
            mm.EmbeddingTable(3, _ITEM),
            mm.CrossBatchSampler(capacity=8),
            "y",
            post=mm.SequentialBlock(
                mm.PopularityLogitsCorrection(np.arange(20) + 1.0, schema=Schema([_ITEM])),
                mm.ContrastiveSampleWeight(2.0, 0.5),
            ),
            store_negative_ids=True,
        ),
        _QUERY,
    ),
    "ContrastiveOutput own weights": (lambda: mm.ContrastiveOutput(_ITEM, "popularity", "y"), _QUERY),
    "ContrastiveOutput table": (
        lambda: mm.ContrastiveOutput(
            mm.EmbeddingTable(3, _ITEM), mm.InBatchSamplerV2(hard_negatives=2), "y", logq_sampling_correction=True
        ),
        _QUERY,
    ),
}
