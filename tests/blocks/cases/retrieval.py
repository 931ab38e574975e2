"""Encoders and indexes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import emrys.blocks as mm
from tests.blocks.checks import small_batch, small_schema

SCHEMA = small_schema().excluding_by_name(["click", "rating"])
BATCH = small_batch()[0]
QUERIES = tf.constant(np.random.default_rng(1).normal(size=(4, 3)), "float32")
CANDIDATES = np.random.default_rng(2).normal(size=(9, 3)).astype("float32")


@keras.saving.register_keras_serializable("emrys-tests")
class Best(mm.Block):
    """The scores and ids of the best candidates as one tensor, (B, 2 K), behind a layer with fixed candidates."""

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.dense = mm.Dense(3)
        ids = np.arange(9) + 5
        self.layer = {
            "BruteForce": lambda: mm.BruteForce(2).index(CANDIDATES, ids),
            "ApproximateTopK": lambda: mm.ApproximateTopK(2).index(CANDIDATES, ids),
            "TopKIndexBlock": lambda: mm.TopKIndexBlock(2, CANDIDATES, ids),
            "TopKOutput": lambda: mm.TopKOutput("brute-force-topk", CANDIDATES, k=2, target="item_id"),
        }[kind]()

    def build(self, input_shape: Any) -> None:
        self.dense.build(input_shape)
        self.layer.build(self.dense.compute_output_shape(input_shape))
        self.built = True

    def call(self, inputs: Any) -> Any:
        found = self.layer(self.dense(inputs))
        return tf.concat([found.scores, tf.cast(found.identifiers, tf.float32) / 20], 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        scores, identifiers = self.layer.compute_output_shape(self.dense.compute_output_shape(input_shape))
        return (scores[0], scores[1] + identifiers[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}


@keras.saving.register_keras_serializable("emrys-tests")
class Vectors(mm.Block):
    """An `IndexBlock` of fixed vectors, and a trained layer behind it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.index = mm.IndexBlock(CANDIDATES, np.arange(9) + 5)
        self.dense = mm.Dense(2)

    def build(self, input_shape: Any) -> None:
        self.dense.build(self.index.compute_output_shape(input_shape))
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.dense(self.index(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.dense.compute_output_shape(self.index.compute_output_shape(input_shape))


CASES = {
    "Encoder": (lambda: mm.Encoder(SCHEMA, mm.MLPBlock([4]), post=mm.L2Norm()), BATCH),
    "Encoder of a block": (lambda: mm.Encoder(mm.InputBlockV2(SCHEMA), mm.MLPBlock([4]), prep_features=False), BATCH),
    "EmbeddingEncoder": (
        lambda: mm.EmbeddingEncoder(SCHEMA["item_id"], 4, embeddings_l2_batch_regularization=0.1, post=mm.L2Norm()),
        {"item_id": BATCH["item_id"]},
    ),
    "EmbeddingEncoder list": (
        lambda: mm.EmbeddingEncoder(SCHEMA["genres"], 4, sequence_combiner="mean", name="genres_encoder"),
        {"genres": BATCH["genres"]},
    ),
    **{kind: (lambda kind=kind: Best(kind), QUERIES) for kind in
       ("BruteForce", "ApproximateTopK", "TopKIndexBlock", "TopKOutput")},
    "IndexBlock": (Vectors, tf.constant([[5], [13], [7], [5]])),
}  # fmt: skip
