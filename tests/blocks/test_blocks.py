"""The shared check, on every block of the public API."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import blocks as mm
from tests.blocks.checks import check_block, small_batch, small_schema

VECTORS = {
    "a": tf.constant(np.random.default_rng(1).random((4, 3)), "float32"),
    "b": tf.constant(np.random.default_rng(2).random((4, 3)), "float32"),
}
STACKED = tf.constant(np.random.default_rng(3).random((4, 3, 2)), "float32")
BATCH = small_batch()[0]


def _schema():
    return small_schema().excluding_by_name(["click", "rating"])


BLOCKS = {
    "SequentialBlock": (lambda: mm.SequentialBlock(mm.Dense(4), mm.Dense(2)), VECTORS),
    "SequentialBlock filter": (lambda: mm.SequentialBlock(mm.Dense(4), filter="a"), VECTORS),
    "SequentialBlock pre_aggregation": (lambda: mm.SequentialBlock([mm.Dense(2)], pre_aggregation="concat"), VECTORS),
    "ParallelBlock": (lambda: mm.ParallelBlock({"x": mm.Dense(4), "y": mm.Dense(2)}), VECTORS["a"]),
    "ParallelBlock concat": (lambda: mm.ParallelBlock(mm.Dense(4), mm.MLPBlock([2]), aggregation="concat"), VECTORS),
    "TabularBlock": (lambda: mm.TabularBlock(pre=mm.Filter("a"), post=mm.Dense(2)), VECTORS),
    "Filter then dense": (lambda: mm.Filter("b").connect(mm.Dense(2)), VECTORS),
    "shortcut": (lambda: mm.Dense(3).connect_with_shortcut(mm.Dense(2), aggregation="concat"), VECTORS),
    "shortcut dictionary": (lambda: mm.Dense(3).connect_with_shortcut(mm.Dense(2)), VECTORS),
    "ConcatFeatures": (lambda: mm.ConcatFeatures().connect(mm.Dense(2)), VECTORS),
    "StackFeatures": (lambda: mm.StackFeatures(axis=1).connect(mm.DotProductInteraction("field_all")), VECTORS),
    "Dense": (lambda: mm.Dense(3, activation="tanh"), VECTORS),
    "MLPBlock": (lambda: mm.MLPBlock([4, 2], activation=["relu", "tanh"]), VECTORS),
    "MLPBlock options": (
        lambda: mm.MLPBlock([4, 2], normalization="batch_norm", kernel_regularizer="l2", no_activation_last_layer=True),
        VECTORS,
    ),
    "field_all": (lambda: mm.DotProductInteraction("field_all"), STACKED),
    "field_each": (lambda: mm.DotProductInteraction("field_each"), STACKED),
    "field_interaction": (lambda: mm.DotProductInteraction("field_interaction", self_interaction=True), STACKED),
    "DotProductInteractionBlock": (lambda: mm.DotProductInteractionBlock().connect(mm.Dense(2)), VECTORS),
    "Embeddings": (lambda: mm.Embeddings(_schema(), dim=4), BATCH),
    "Embeddings concat": (lambda: mm.Embeddings(_schema(), aggregation="concat", sequence_combiner="sum"), BATCH),
    "EmbeddingTable": (lambda: mm.EmbeddingTable(3, _schema()["user_id"]), BATCH["user_id"]),
    "EmbeddingTable list": (lambda: mm.EmbeddingTable(3, _schema()["genres"]), BATCH["genres"]),
    "EmbeddingTable mean": (
        lambda: mm.EmbeddingTable(3, _schema()["genres"], sequence_combiner="mean"),
        BATCH["genres"],
    ),
    "Continuous": (lambda: mm.Continuous(_schema().select_by_name(["age"])).connect(mm.Dense(2)), BATCH),
    "BinaryOutput": (lambda: mm.BinaryOutput("click"), VECTORS["a"]),
    "BinaryOutput temperature": (lambda: mm.BinaryOutput("click", logits_temperature=2.0), VECTORS["a"]),
    "RegressionOutput": (lambda: mm.RegressionOutput("rating", pre=mm.Dense(2)), VECTORS["a"]),
    "OutputBlock": (lambda: mm.OutputBlock(small_schema()), VECTORS["a"]),
    "DLRMBlock": (
        lambda: mm.DLRMBlock(_schema(), embedding_dim=4, bottom_block=mm.MLPBlock([4]), top_block=mm.MLPBlock([3])),
        BATCH,
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_block(name, tmp_path):
    make, inputs = BLOCKS[name]
    check_block(make, inputs, tmp_path)
