"""Vectors by id."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError

VECTORS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "float32")
IDS = np.array([7, 3, 9])
ITEMS = Schema([mm.create_categorical_column("item_id", 9, tags=[Tags.ITEM_ID], dtype="int64")])


def encoder():
    made = mm.EmbeddingEncoder(ITEMS["item_id"], 2)
    made({"item_id": np.array([[0]])})
    made.table.embeddings.assign(np.arange(20.0).reshape(10, 2))
    return made


def test_looks_ids_up():
    block = mm.IndexBlock(VECTORS, IDS)
    for ids in (np.array([[3], [7], [3]]), tf.constant([3, 7, 3], tf.int32)):
        assert block(ids).numpy().tolist() == [[3, 4], [1, 2], [3, 4]]
    assert mm.IndexBlock(VECTORS)(np.array([[2]])).numpy().tolist() == [[5, 6]]


def test_to_a_data_set_and_back():
    frame = mm.IndexBlock(VECTORS, IDS).to_dataset().compute()
    assert list(frame.columns) == ["0", "1"]
    assert frame.index.tolist() == IDS.tolist()
    again = mm.IndexBlock.from_dataset(Dataset(frame))
    assert again.ids.numpy().tolist() == IDS.tolist()
    np.testing.assert_array_equal(again.values.numpy(), VECTORS)


def test_duplicate_ids():
    frame = pd.DataFrame(VECTORS, index=[4, 5, 4])
    with pytest.raises(ConfigError, match=r"candidate ids.*such as 4"):
        mm.IndexBlock.from_dataset(frame)
    block = mm.IndexBlock.from_dataset(frame, check_unique_ids=False)
    assert block.ids.numpy().tolist() == [4, 5]
    assert block(np.array([[4]])).numpy().tolist() == [[1, 2]]


def test_from_a_block_and_updated_from_it():
    made = encoder()
    data = Dataset(pd.DataFrame({"item_id": [4, 2]}), schema=ITEMS)
    block = mm.IndexBlock.from_block(made, data)
    # Row i of the table is (2 i, 2 i + 1).
    assert block(np.array([[2], [4]])).numpy().tolist() == [[4, 5], [8, 9]]
    made.table.embeddings.assign(-np.arange(20.0).reshape(10, 2))
    more = Dataset(pd.DataFrame({"item_id": [1, 2, 3]}), schema=ITEMS)
    block.update_from_block(made, more, id_column="item_id")
    assert block(np.array([[3], [2]])).numpy().tolist() == [[-6, -7], [-4, -5]]


def test_updated():
    block = mm.IndexBlock(VECTORS, IDS)
    look_up = tf.function(block)
    assert look_up(tf.constant([[3]])).numpy().tolist() == [[3, 4]]
    block.update(VECTORS[:2] * 10)
    # The graph sees the new vectors, of another number.
    assert look_up(tf.constant([[1]])).numpy().tolist() == [[30, 40]]


def test_ids_that_are_missing():
    block = mm.IndexBlock(VECTORS, IDS)
    with pytest.raises(DataError, match=r"index_block\w*: an id is not in the index; got 8\. Add it with update\(\)"):
        block(np.array([[7], [8]]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"an id is not in the index"):
        tf.function(block)(tf.constant([[8]]))


def test_bad_arguments():
    with pytest.raises(ConfigError, match=r"candidate vectors.*the first is row 2"):
        mm.IndexBlock(np.array([[1.0], [2.0], [np.nan]]))
    layer = mm.Dense(2)
    with pytest.raises(ConfigError, match=r"id column.*Pass id_column="):
        mm.IndexBlock.get_candidates_dataset(layer, Dataset(pd.DataFrame({"a": [1]})))


def test_best_items():
    block = mm.TopKIndexBlock(2, VECTORS, IDS)
    scores, ids = block(np.array([[1, 0], [-1, 0]], "float32"))
    assert scores.numpy().tolist() == [[5, 3], [-1, -3]]
    assert ids.numpy().tolist() == [[9, 3], [7, 3]]
    assert block(np.ones((1, 2), "float32"), k=1).identifiers.numpy().tolist() == [[9]]
    with pytest.raises(ConfigError, match=r"items; expected at most 3, got 4"):
        block(np.ones((1, 2)), k=4)


def test_best_items_beside_the_right_ones():
    block = mm.TopKIndexBlock(2, VECTORS, IDS)
    queries, right = np.array([[1, 0], [-1, 0]], "float32"), np.array([[3], [9]])
    found = block.call_outputs(mm.Prediction(queries, right))
    assert found.outputs.numpy().tolist() == [[5, 3], [-1, -3]]
    assert found.targets.numpy().tolist() == [[0, 1], [0, 0]]
    first = block.call_outputs(mm.PredictionOutput(queries, positive_item_ids=right))
    assert first.targets.numpy().tolist() == [[0, 1], [0, 0]]


def test_best_items_from_a_block():
    data = Dataset(pd.DataFrame({"item_id": [4, 2, 6]}), schema=ITEMS)
    block = mm.TopKIndexBlock.from_block(encoder(), data, k=2)
    assert block(np.ones((1, 2), "float32")).identifiers.numpy().tolist() == [[6, 4]]


def test_comes_back_with_its_vectors(tmp_path):
    model = mm.Model(mm.TopKIndexBlock(2, VECTORS, IDS))
    queries = np.array([[1, 0], [-1, 0]], "float32")
    expected = model(queries)
    for options in ({}, {"include_optimizer": False}):
        model.save(tmp_path / "model.keras", **options)
        found = mm.Model.load(tmp_path / "model.keras")(queries)
        np.testing.assert_array_equal(found.scores, expected.scores)
        np.testing.assert_array_equal(found.identifiers, expected.identifiers)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_ids_keep_their_type(dtype):
    block = mm.TopKIndexBlock(2, VECTORS, IDS.astype(dtype))
    assert block.ids.dtype.name == dtype
    found = block(np.array([[1.0, 1.0]], "float32")).identifiers
    assert (found.dtype.name, found.numpy().tolist()) == (dtype, [[9, 3]])
    store = {}
    block.save_own_variables(store)
    other = mm.TopKIndexBlock.from_config(block.get_config())
    other.load_own_variables(store)
    assert other(np.array([[1.0, 1.0]], "float32")).identifiers.dtype.name == dtype
    assert (other.ids.dtype.name, other.ids.numpy().tolist()) == (dtype, IDS.tolist())
