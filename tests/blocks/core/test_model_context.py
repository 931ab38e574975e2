"""Context that blocks share, also after saving."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError

ITEM = mm.create_categorical_column("item", 3, tags=[Tags.ITEM_ID])
ROWS = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])


def _chain(context):
    table = mm.EmbeddingTable(2, ITEM, weights=ROWS)
    block = mm.ParallelBlock({"item": table}, is_input=True).connect(mm.MLPBlock([2]), context=context)
    block.build({"item": (None, 1)})
    return block


@pytest.mark.parametrize("item", ["item", Tags.ITEM_ID])
def test_a_table_is_found_by_its_name_and_by_a_tag(item):
    context = mm.ModelContext()
    _chain(context)
    np.testing.assert_array_equal(context.get_embedding(item), ROWS)


def test_variables_have_names():
    context = mm.ModelContext()
    _chain(context)
    context.add_weight(shape=(1,), initializer="ones", name="popularity")
    assert sorted(context.named_variables) == ["item/embeddings", "popularity"]
    assert context["popularity"].numpy().tolist() == [1.0]
    np.testing.assert_array_equal(context["item/embeddings"], ROWS)


def test_a_schema_or_a_tag_names_a_variable():
    context = mm.ModelContext()
    context.add_weight(shape=(1,), initializer="ones", name="item")
    context.add_weight(shape=(1,), initializer="zeros", name="item_id")
    assert context[Schema([ITEM])].numpy().tolist() == [1.0]
    assert context[Tags.ITEM_ID].numpy().tolist() == [0.0]


def test_all_blocks_of_a_chain_have_its_context():
    context = mm.ModelContext()
    block = _chain(context)
    inner = [block, block.layers[0], block.layers[0]["item"], block.layers[1], block.layers[1].layers[0]]
    assert all(layer.context is context for layer in inner)
    assert mm.Dense(2).context is None


def test_a_block_keeps_a_context_of_its_own():
    own, around = mm.ModelContext(), mm.ModelContext()
    inner = mm.MLPBlock([2], context=own)
    mm.Dense(2).connect(inner, context=around)
    assert inner.context is own
    assert inner.layers[0].context is own


def test_further_blocks_are_connected_in_the_same_context():
    context = mm.ModelContext()
    last = mm.Dense(3)
    _chain(context).connect(last)
    assert last.context is context


def test_a_context_adds_no_weights():
    context = mm.ModelContext()
    # the table, a kernel, a bias
    assert len(_chain(context).weights) == 3
    assert context.weights == []


def test_a_context_comes_back_from_a_configuration():
    block = _chain(mm.ModelContext(name="shared"))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(block)))
    again = keras.saving.deserialize_keras_object(config)
    assert again.context.name == "shared"
    assert again.context is not block.context
    again.set_weights(block.get_weights())
    np.testing.assert_array_equal(again.context.get_embedding("item"), ROWS)


def test_a_context_comes_back_from_a_file(tmp_path):
    model = mm.Model(_chain(mm.ModelContext()))
    model.build({"item": (None, 1)})
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.blocks[0].context.get_embedding("item"), ROWS)


def test_dtypes_of_features():
    context = mm.ModelContext()
    lists = (np.array([1, 2], "int32"), np.array([0, 2], "int64"))
    context.set_dtypes({"age": np.ones((1, 1), "float32"), "genres": lists})
    assert context.feature_dtypes == {"age": "float32", "genres": "int32"}


def test_an_unknown_table():
    context = mm.ModelContext(name="shared")
    _chain(context)
    with pytest.raises(ConfigError, match="shared knows no such table; expected one of 'item', got 'itme'"):
        context.get_embedding("itme")


def test_a_table_without_rows():
    context = mm.ModelContext(name="shared")
    mm.EmbeddingTable(2, ITEM).connect(mm.Dense(1), context=context)
    with pytest.raises(ConfigError, match="shared: table 'item' has no rows yet"):
        context.get_embedding("item")


def test_an_unknown_variable():
    with pytest.raises(ConfigError, match="shared knows no such variable; expected one of none, got 'x'"):
        mm.ModelContext(name="shared")["x"]


def test_an_invalid_context():
    with pytest.raises(ConfigError, match="MLPBlock: context; expected a ModelContext, got 'shared'"):
        mm.MLPBlock([2], context="shared")


def test_dynamic_is_refused():
    with pytest.raises(ConfigError, match="ModelContext: dynamic; expected False, got True"):
        mm.ModelContext(dynamic=True)
