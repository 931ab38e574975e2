"""Encoders of sequences, for the check that every block passes."""

from __future__ import annotations

import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.transformer.transformer_layer import TransformerLayer

VECTORS = tf.sin(tf.reshape(tf.range(24.0), (6, 4)))
RAGGED = tf.RaggedTensor.from_row_lengths(VECTORS, [3, 1, 2])
DENSE = tf.reshape(VECTORS, (2, 3, 4))
SMALL = {"d_model": 4, "n_head": 2, "n_layer": 1, "max_position_embeddings": 6}

CASES = {
    "TransformerBlock": (lambda: mm.TransformerBlock(**{**SMALL, "n_layer": 2}), RAGGED),
    "TransformerBlock dense": (lambda: mm.TransformerBlock(**SMALL, causal=True), DENSE),
    "TransformerBlock pre and post": (
        lambda: mm.TransformerBlock(**SMALL, pre=mm.MLPBlock([4]), post=mm.SequenceAggregator("mean")),
        RAGGED,
    ),
    "TransformerBlock summary": (lambda: mm.TransformerBlock(**SMALL, post="sequence_last"), RAGGED),
    "TransformerBlock long rows": (lambda: mm.BertBlock(**{**SMALL, "max_position_embeddings": 2}), RAGGED),
    "ExtractMaskFromTargets": (lambda: mm.ExtractMaskFromTargets().connect(mm.TransformerBlock(**SMALL)), DENSE),
    "TransformerLayer": (lambda: TransformerLayer(4, 2), DENSE),
    "GPT2Block": (lambda: mm.GPT2Block(**SMALL, predicts="next"), RAGGED),
    "GPT2Block masked": (lambda: mm.GPT2Block(**SMALL, predicts="masked"), RAGGED),
    "BertBlock": (lambda: mm.BertBlock(**SMALL), RAGGED),
    "RobertaBlock": (lambda: mm.RobertaBlock(**SMALL), DENSE),
    "AlbertBlock": (lambda: mm.AlbertBlock(**{**SMALL, "n_layer": 2}), RAGGED),
}
