"""Small models that tests of several files train."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from tests.blocks.checks import small_batch, small_schema

FEATURES = small_schema().excluding_by_name(["click", "rating"])


def dlrm(outputs=None, schema=None):
    """A DLRM with lists and without dropout, and both targets unless `outputs` says otherwise."""
    schema = small_schema() if schema is None else schema
    return mm.DLRMModel(
        schema,
        embeddings=mm.Embeddings(schema.select_by_tag(Tags.CATEGORICAL), dim=4),
        bottom_block=mm.MLPBlock([4]),
        top_block=mm.MLPBlock([6], block_name="top"),
        prediction_tasks=outputs,
    )


def rows(seed=0, count=24):
    """One batch of `small_schema`, as a data set."""
    return tf.data.Dataset.from_tensors(small_batch(count, seed))


def every_input_schema():
    """A column of each kind that a model can read: ids, lists, weighted lists, numbers, vectors."""
    return Schema(
        [
            *small_schema(),
            mm.create_categorical_column("tags", 8, dtype="int64", min_value_count=0, max_value_count=4),
            mm.create_categorical_column("size", 3, dtype="int32"),
            ColumnSchema("tags_weight", dtype="float32", properties={"value_count": {"min": 0, "max": 4}}),
            ColumnSchema("image", dtype="float32", tags=[Tags.EMBEDDING], dims=((0, None), (3, 3))),
            ColumnSchema("images", dtype="float32", tags=[Tags.EMBEDDING], dims=((0, None), (0, 4), (2, 2))),
        ]
    )


def every_input_batch(count=12, seed=0):
    """A batch of `every_input_schema`."""
    features, targets = small_batch(count, seed)
    draw = np.random.default_rng(seed + 1)
    lengths = draw.integers(0, 4, count)
    features["tags"] = tf.RaggedTensor.from_row_lengths(draw.integers(0, 9, lengths.sum()), lengths)
    features["tags_weight"] = tf.RaggedTensor.from_row_lengths(
        tf.constant(draw.random(lengths.sum()) + 0.1, "float32"), lengths
    )
    features["images"] = tf.RaggedTensor.from_row_lengths(
        tf.constant(draw.random((lengths.sum(), 2)), "float32"), lengths
    )
    features["size"] = tf.constant(draw.integers(0, 4, (count, 1)), "int32")
    features["image"] = tf.constant(draw.random((count, 3)), "float32")
    return features, targets


def every_input_model():
    """A model that reads every kind of input, and has one output of each kind."""
    schema = every_input_schema()
    inputs = schema.excluding_by_name(["click", "rating"])
    combiners = {"genres": "mean", "tags": mm.AverageEmbeddingsByWeightFeature("tags_weight")}
    return mm.Model(
        mm.InputBlockV2(inputs, categorical=mm.Embeddings(inputs, dim=4, sequence_combiner=combiners)),
        mm.MLPBlock([8], normalization="batch_norm"),
        mm.ParallelBlock(
            {
                output.task_name: output
                for output in (mm.BinaryOutput("click"), mm.RegressionOutput("rating", pre=mm.MLPBlock([4])))
            }
        ),
        schema=schema,
    )
