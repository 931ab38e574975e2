"""Inputs."""

from __future__ import annotations

import warnings

import tensorflow as tf

import emrys.blocks as mm
from tests.blocks.checks import small_batch, small_schema

_SCHEMA = small_schema()
_BATCH = small_batch()[0]
_PADDED = {"items": tf.constant([[1, 2, 0], [3, 0, 0]]), "last": tf.constant([[4, 4, 0], [5, 0, 0]])}


def _input_block(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return mm.InputBlock(*args, **kwargs)


def _sequences(**kwargs):
    items = mm.TableConfig(10, 3, name="items")
    return mm.SequenceEmbeddingFeatures(
        {"items": mm.FeatureConfig(items), "last": mm.FeatureConfig(mm.TableConfig(6, 2))}, **kwargs
    )


CASES = {
    "SequenceEmbeddingFeatures": (_sequences, _PADDED),
    "SequenceEmbeddingFeatures concat": (lambda: _sequences(aggregation="concat", padding_idx=2), _PADDED),
    "SequenceEmbeddingFeatures ragged": (
        lambda: mm.SequenceEmbeddingFeatures.from_schema(_SCHEMA.select_by_name(["genres", "user_id"])),
        _BATCH,
    ),
    "InputBlock": (lambda: _input_block(_SCHEMA, aggregation="concat"), _BATCH),
    "InputBlock dictionary": (
        lambda: _input_block(
            _SCHEMA,
            branches={"more": mm.Filter("age").connect(mm.Dense(2))},
            continuous_projection=mm.MLPBlock([2]),
            embedding_options=mm.EmbeddingOptions(infer_embedding_sizes=True),
            name="inputs",
        ),
        _BATCH,
    ),
    "ContinuousPowers": (
        lambda: mm.Continuous(_SCHEMA.select_by_name(["age"])).connect(mm.ContinuousPowers(), mm.Dense(2)),
        _BATCH,
    ),
}
