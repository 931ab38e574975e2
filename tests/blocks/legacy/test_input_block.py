"""The first spelling of the inputs, translated."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import SchemaError

SCHEMA = Schema(
    [
        mm.create_categorical_column("item", 3),
        mm.create_categorical_column("seen", 3, tags=[Tags.SEQUENCE], min_value_count=3, max_value_count=3),
        mm.create_continuous_column("price"),
        ColumnSchema("click", tags=[Tags.TARGET, Tags.BINARY_CLASSIFICATION]),
    ]
)
BATCH = {
    "item": tf.constant([[1], [2]]),
    "seen": tf.constant([[1, 2, 3], [3, 0, 0]]),
    "price": tf.constant([[0.5], [2.0]]),
    "click": tf.constant([[1.0], [0.0]]),
}
WARNS = pytest.warns(DeprecationWarning, match="^InputBlock is deprecated: use InputBlockV2$")


def _made(*args, **kwargs):
    with pytest.warns(DeprecationWarning, match="InputBlock is deprecated"):
        return mm.InputBlock(*args, **kwargs)


def test_it_warns_where_it_is_called():
    with pytest.warns(DeprecationWarning, match="^InputBlock is deprecated: use InputBlockV2$") as caught:
        mm.InputBlock(SCHEMA)
    assert [warning.filename for warning in caught] == [__file__]


def test_features_by_name():
    found = _made(SCHEMA)(BATCH)
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "price": (2, 1),
        "item": (2, 64),
        "seen": (2, 64),
    }


def test_options_reach_the_tables():
    options = mm.EmbeddingOptions(
        embedding_dims={"item": 2}, embedding_dim_default=3, embeddings_initializers="ones", combiner="sum"
    )
    found = _made(SCHEMA, embedding_options=options, aggregation="concat")(BATCH)
    # item: two ones; price; seen: the sum of three rows of three ones
    np.testing.assert_array_equal(found, [[1, 1, 0.5, 3, 3, 3], [1, 1, 2, 3, 3, 3]])


def test_lists_stay_lists():
    assert tuple(_made(SCHEMA, seq=True)(BATCH)["seen"].shape) == (2, 3, 64)


def test_numbers_are_projected():
    found = _made(SCHEMA, continuous_projection=mm.Dense(4, kernel_initializer="ones"))(BATCH)
    assert found["continuous_projection"].numpy().tolist() == [[0.5] * 4, [2.0] * 4]
    assert "price" not in found


def test_lists_apart():
    options = mm.EmbeddingOptions(embedding_dim_default=2, embeddings_initializers="ones")
    block = _made(SCHEMA, split_sparse=True, embedding_options=options)
    # item: two ones; price; the mean of the lists' ones
    np.testing.assert_array_equal(block(BATCH), [[1, 1, 0.5, 1, 1], [1, 1, 2, 1, 1]])
    alone = _made(SCHEMA.select_by_name(["seen"]), split_sparse=True, seq=True, embedding_options=options)
    assert tuple(alone(BATCH).shape) == (2, 3, 2)
    longest = _made(SCHEMA, split_sparse=True, embedding_options=options, seq_aggregator=mm.SequenceAggregator("sum"))
    np.testing.assert_array_equal(longest(BATCH), [[1, 1, 0.5, 3, 3], [1, 1, 2, 3, 3]])


def test_branches_left_out_and_added():
    block = _made(SCHEMA, branches={"more": mm.Filter("price")}, add_continuous_branch=False, name="inputs")
    assert sorted(block.parallel_dict) == ["categorical", "more"]
    assert block.name == "inputs"
    assert sorted(_made(SCHEMA, add_embedding_branch=False)(BATCH)) == ["price"]


def test_nothing_to_read():
    with WARNS, pytest.raises(SchemaError, match=r"InputBlock has nothing to read; .* got no columns but targets"):
        mm.InputBlock(SCHEMA.select_by_name(["click"]))


def test_no_lists_to_split():
    with WARNS, pytest.raises(SchemaError, match="split_sparse finds no lists; expected columns tagged SEQUENCE, got"):
        mm.InputBlock(SCHEMA.select_by_name(["item", "price"]), split_sparse=True)
