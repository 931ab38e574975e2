"""Schemas and ids that inputs cannot work with: the error names block, column and fix."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError

ITEM = mm.create_categorical_column("item", 3)
BARE = ColumnSchema("genre", dtype="int64", tags=[Tags.CATEGORICAL])
AGE = ColumnSchema("age", dtype="int64", tags=[Tags.CONTINUOUS], properties={"domain": {"min": 0, "max": 120}})
PRICE = mm.create_continuous_column("price")

LOST = r"column 'genre': {} does not know how many ids there are; expected a domain with a maximum\."


@pytest.mark.parametrize(
    ("make", "owner"),
    [
        (mm.Embeddings, "embeddings"),
        (mm.InputBlockV2, "embeddings"),
        (mm.EmbeddingFeatures.from_schema, "EmbeddingFeatures"),
        (mm.SequenceEmbeddingFeatures.from_schema, "SequenceEmbeddingFeatures"),
        (lambda schema: mm.WideFeatures(schema, name="wide"), "wide"),
        (lambda schema: mm.EmbeddingTable(2, schema["genre"], name="genre"), "EmbeddingTable 'genre'"),
    ],
)
def test_a_categorical_column_without_a_domain(make, owner):
    with pytest.raises(SchemaError, match=LOST.format(owner)):
        make(Schema([ITEM, BARE]))


def test_continuous_columns_are_passed_over():
    block = mm.Embeddings(Schema([PRICE, ITEM, AGE]), dim=2)
    assert list(block.parallel_dict) == ["item"]
    assert list(block({"item": np.array([[1]]), "age": np.array([[30]]), "price": np.array([[0.5]])})) == ["item"]


def test_only_continuous_columns():
    with pytest.raises(SchemaError, match=r"Embeddings finds no categorical column with a domain; .* got price, age"):
        mm.Embeddings(Schema([PRICE, AGE]))


def test_an_id_out_of_range():
    block = mm.InputBlockV2(Schema([ITEM]))
    message = r"EmbeddingTable item \(of item\): an id has no row; expected 0 to 3, got 4\. Raise the maximum"
    with pytest.raises(DataError, match=message):
        block({"item": np.array([[1], [4]])})
    with pytest.raises(DataError, match="got -1"):
        block({"item": np.array([[-1]])})
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"EmbeddingTable item \(of item\): an id has no row"):
        tf.function(lambda batch: block(batch))({"item": tf.constant([[4]])})


def test_dimensions_that_differ():
    schema = Schema([ITEM, mm.create_categorical_column("user", 3)])
    block = mm.InputBlockV2(schema, categorical=mm.Embeddings(schema, dim={"item": 2, "user": 4}), aggregation="stack")
    with pytest.raises(ConfigError, match=r"needs tensors of one shape; got item \(None, 2\), user \(None, 4\)"):
        block.build({"item": (None, 1), "user": (None, 1)})


def test_a_feature_that_is_not_in_the_batch():
    block = mm.ContinuousFeatures(["age", "price"], name="numbers")
    with pytest.raises(SchemaError, match="finds none of its features in the batch; expected age, price, got item"):
        block.build({"item": (None, 1)})
