"""Lists as ragged, dense and sparse tensors, and noise for them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError

PAIR = {
    "genres__values": tf.constant([3, 5, 7]),
    "genres__offsets": tf.constant([0, 2, 3]),
    "user": tf.constant([[1], [2]]),
}
RAGGED = tf.ragged.constant([[3, 5], [7]])


@pytest.mark.parametrize(
    "inputs", [PAIR, {"genres": RAGGED}, {"genres": RAGGED.to_sparse()}], ids=lambda each: str(len(each))
)
def test_list_to_dense(inputs):
    assert mm.ListToDense()(inputs)["genres"].numpy().tolist() == [[3, 5], [7, 0]]
    assert mm.ListToDense(max_seq_length=3)(inputs)["genres"].numpy().tolist() == [[3, 5, 0], [7, 0, 0]]
    assert mm.ListToDense(max_seq_length=1)(inputs)["genres"].numpy().tolist() == [[3], [7]]


def test_scalars_stay():
    for layer in (mm.ListToDense(max_seq_length=4), mm.ListToRagged(), mm.ListToSparse()):
        assert layer(PAIR)["user"].numpy().tolist() == [[1], [2]]


def test_list_to_ragged():
    assert mm.ListToRagged()(PAIR)["genres"].to_list() == [[3, 5], [7]]
    assert mm.ListToRagged()(RAGGED.to_sparse()).to_list() == [[3, 5], [7]]


def test_list_to_sparse():
    result = mm.ListToSparse()(PAIR)["genres"]
    assert result.indices.numpy().tolist() == [[0, 0], [0, 1], [1, 0]]
    assert result.values.numpy().tolist() == [3, 5, 7]
    assert mm.ListToSparse()(RAGGED).values.numpy().tolist() == [3, 5, 7]


def test_to_dense_of_a_sparse_column_takes_the_length_of_the_schema():
    column = ColumnSchema("genres", is_list=True, properties={"value_count": {"min": 0, "max": 3}})
    result = mm.ToDense(Schema([column]))({"genres": RAGGED.to_sparse()})["genres"]
    assert result.numpy().tolist() == [[3, 5, 0], [7, 0, 0]]
    assert result.shape == (2, 3)


def test_lists_within_a_data_set():
    data = tf.data.Dataset.from_tensors(PAIR).map(mm.ListToDense(max_seq_length=3))
    assert next(iter(data))["genres"].numpy().tolist() == [[3, 5, 0], [7, 0, 0]]


@pytest.mark.parametrize("length", [0, -1, 1.5])
def test_list_to_dense_needs_a_length(length):
    with pytest.raises(ConfigError, match="ListToDense: max_seq_length; expected a whole number above 0"):
        mm.ListToDense(max_seq_length=length)


def test_expand_dims_needs_axes():
    with pytest.raises(ConfigError, match="ExpandDims: expand_dims; expected an axis"):
        mm.ExpandDims("a")
    with pytest.raises(ConfigError, match="has axes by feature name; expected a dictionary of features"):
        mm.ExpandDims({"a": 0})(tf.ones(2))


def test_broadcast_needs_schemas():
    with pytest.raises(ConfigError, match="BroadcastToSequence: context_schema; expected a schema, got"):
        mm.BroadcastToSequence("user", Schema([]))


class TestBroadcast:
    USER = Schema([mm.create_categorical_column("user", 9)])
    LISTS = Schema([mm.create_categorical_column(name, 9, min_value_count=0) for name in ("items", "brands")])
    ROWS = tf.ragged.constant([[[1], [2]], [[3]]], ragged_rank=1)

    def _batch(self, **features):
        return {"user": tf.constant([[7], [8]]), "items": self.ROWS, "brands": self.ROWS, **features}

    @pytest.mark.parametrize("user", [[7, 8], [[7], [8]]])
    def test_scalars_beside_ragged_lists(self, user):
        layer = mm.BroadcastToSequence(self.USER, self.LISTS)
        batch = self._batch(user=tf.constant(user))
        for found in (layer(batch), tf.function(lambda features: layer(features))(batch)):
            assert found["user"].to_list() == [[[7], [7]], [[8]]]
            assert found["items"] is not None
        assert layer.compute_output_shape({name: tuple(value.shape) for name, value in batch.items()})["user"] == (
            2,
            None,
            1,
        )

    def test_scalars_beside_dense_lists(self):
        rows = tf.constant([[[1], [2]], [[3], [4]]])
        layer = mm.BroadcastToSequence(self.USER, self.LISTS)
        batch = {"user": tf.constant([7, 8]), "items": rows, "brands": rows}
        assert layer(batch)["user"].numpy().tolist() == [[[7], [7]], [[8], [8]]]
        flat = {"user": tf.constant([7, 8]), "items": rows[..., 0], "brands": rows[..., 0]}
        assert mm.BroadcastToSequence(self.USER, self.LISTS)(flat)["user"].numpy().tolist() == [[7, 7], [8, 8]]

    @pytest.mark.parametrize(("context", "lists"), [(Schema([]), LISTS), (USER, Schema([]))])
    def test_nothing(self, context, lists):
        found = mm.BroadcastToSequence(context, lists)(self._batch())
        assert found["user"].numpy().tolist() == [[7], [8]]
        assert found["items"].to_list() == [[[1], [2]], [[3]]]

    def test_unequal_lengths(self):
        layer = mm.BroadcastToSequence(self.USER, self.LISTS)
        batch = self._batch(brands=tf.ragged.constant([[[1]], [[2], [3]]], ragged_rank=1))
        with pytest.raises(DataError, match="sequences of items and brands have different lengths"):
            layer(batch)
        with pytest.raises(tf.errors.InvalidArgumentError, match="items and brands have different lengths"):
            tf.function(lambda features: layer(features))(batch)

    def test_a_list_among_the_context(self):
        with pytest.raises(SchemaError, match=r"column 'user': .* a context feature is a list"):
            mm.BroadcastToSequence(self.USER, self.LISTS)(self._batch(user=tf.ragged.constant([[7], [8, 9]])))


def test_broadcast_without_masks():
    layer = mm.BroadcastToSequence(Schema([ColumnSchema("user")]), Schema([ColumnSchema("items")]))
    assert layer.compute_mask({}, {"user": None, "items": None}) is None
    assert layer.compute_mask({}, None) is None


def test_swap_noise_of_ragged_features():
    inputs = {"items": tf.ragged.constant([[1, 2, 3], [], [4, 5]]), "prices": tf.ragged.constant([[1.5], [2.5, 3.5]])}
    result = mm.StochasticSwapNoise(replacement_prob=1.0)(inputs, training=True)
    for name, lists in inputs.items():
        assert result[name].row_lengths().numpy().tolist() == lists.row_lengths().numpy().tolist()
        assert sorted(result[name].flat_values.numpy()) == sorted(lists.flat_values.numpy())


def test_swap_noise_of_ragged_features_with_a_schema_keeps_padding():
    schema = Schema([mm.create_categorical_column("items", 9, tags=[Tags.ITEM_ID]), ColumnSchema("prices")])
    inputs = {
        "items": tf.ragged.constant([[1, 2, 0], [3]]),
        "prices": tf.ragged.constant([[1.5, 2.5, 9.5], [3.5]]),
        "user": tf.constant([[7], [8]]),
    }
    tf.random.set_seed(1)
    for _ in range(20):
        result = mm.StochasticSwapNoise(schema, replacement_prob=1.0)(inputs, training=True)
        # The third item is padding, so the third price stays too; the user is not in the schema.
        assert result["prices"][0, 2] == 9.5
        assert result["user"] is inputs["user"]


def test_swap_noise_with_neither_mask_nor_schema_goes_by_each_feature():
    values = tf.constant([[1, 2, 0], [3, 0, 0]])
    tf.random.set_seed(1)
    result = mm.StochasticSwapNoise(replacement_prob=1.0)({"x": values}, training=True)["x"].numpy()
    assert (result == 0).tolist() == [[False, False, True], [False, True, True]]


def test_swap_noise_with_both_goes_by_the_mask():
    schema = Schema([mm.create_categorical_column("x", 9, tags=[Tags.ITEM_ID])])
    values = tf.constant([[1, 2, 3, 4]])
    mask = tf.constant([[True, True, False, False]])
    result = mm.StochasticSwapNoise(schema, replacement_prob=1.0)({"x": values}, input_mask=mask, training=True)["x"]
    assert result.numpy()[0, 2:].tolist() == [3, 4]


@pytest.mark.parametrize("user", [[7, 8], [[7], [8]]])
@pytest.mark.parametrize("items", [tf.constant([[1, 2], [3, 4]]), tf.ragged.constant([[1, 2], [3]])])
def test_swap_noise_leaves_one_value_per_row_beside_lists(user, items):
    schema = Schema(
        [mm.create_categorical_column("items", 9, tags=[Tags.ITEM_ID]), mm.create_categorical_column("user", 9)]
    )
    noise = mm.StochasticSwapNoise(schema, replacement_prob=1.0)
    found = noise({"items": items, "user": tf.constant(user)}, training=True)
    assert found["user"].numpy().tolist() == user
    values = found["items"].flat_values if isinstance(items, tf.RaggedTensor) else found["items"]
    assert sorted(np.ravel(values)) == sorted(np.ravel(getattr(items, "flat_values", items)))


def test_swap_noise_mixes_no_forms():
    with pytest.raises(ConfigError, match="the mask of a ragged feature; expected ragged, got dense"):
        mm.StochasticSwapNoise().augment(RAGGED, tf.ones((2, 2), "bool"))
    with pytest.raises(ConfigError, match="replacement_prob; expected a probability, got 1"):
        mm.StochasticSwapNoise(replacement_prob=1.5)
    with pytest.raises(SchemaError, match="does not determine the padding; expected one column tagged ITEM_ID"):
        mm.StochasticSwapNoise(Schema([ColumnSchema("x")]))


def test_to_target_arguments():
    schema = Schema([mm.create_categorical_column("item", 4), ColumnSchema("price")])
    with pytest.raises(
        SchemaError, match="column 'other': ToTarget: a target is not in the schema; expected one of item"
    ):
        mm.ToTarget(schema, "other")
    with pytest.raises(SchemaError, match="has no column for a target; expected one tagged ITEM_ID"):
        mm.ToTarget(schema, Tags.ITEM_ID)
    with pytest.raises(ConfigError, match="ToTarget has no target"):
        mm.ToTarget(schema)
    with pytest.raises(SchemaError, match="column 'price': the number of classes is unknown"):
        mm.ToTarget(schema, "price", one_hot=True)
    with pytest.raises(ConfigError, match="targets; expected a dictionary by name"):
        mm.ToTarget(schema, "item")({"item": tf.constant([1])}, targets=tf.constant([2]))


def test_to_target_comes_back_from_its_configuration():
    schema = Schema([mm.create_categorical_column("item", 2), ColumnSchema("price")])
    again = mm.ToTarget.from_config(mm.ToTarget(schema, schema["item"], one_hot=True).get_config())
    result = again({"item": tf.constant([2, 0]), "price": tf.constant([1.0, 2.0])}, targets={})
    assert result.targets["item"].numpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    assert list(result.outputs) == ["price"]


def test_to_target_leaves_a_batch_without_the_column():
    layer = mm.ToTarget(Schema([ColumnSchema("click"), ColumnSchema("price")]), "click")
    result = layer({"price": tf.constant([1.0])})
    assert result.targets is None
    assert list(result.outputs) == ["price"]


def test_to_one_hot_leaves_what_is_no_prediction():
    np.testing.assert_array_equal(mm.ToOneHot()(tf.constant([[1.0]])), [[1.0]])
