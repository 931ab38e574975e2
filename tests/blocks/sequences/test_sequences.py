"""Sequence transforms: errors of the released library, and use in models."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError

LISTS = {"min_value_count": 0, "max_value_count": 5}
SCHEMA = Schema(
    [
        mm.create_categorical_column("items", 19, tags=[Tags.ITEM_ID, Tags.SEQUENCE], dtype="int64", **LISTS),
        mm.create_categorical_column("genres", 9, tags=[Tags.SEQUENCE], dtype="int64", **LISTS),
    ]
)
RAGGED = {
    "items": tf.ragged.constant([[3, 5, 7], [2, 9], [4, 6, 8, 1]], dtype="int64"),
    "genres": tf.ragged.constant([[1, 2, 3], [4, 5], [6, 7, 8, 9]], dtype="int64"),
    "user": tf.constant([[1], [2], [3]]),
}
DENSE = {name: tensor.to_tensor() if isinstance(tensor, tf.RaggedTensor) else tensor for name, tensor in RAGGED.items()}
ALL = (
    mm.SequencePredictNext,
    mm.SequencePredictLast,
    mm.SequencePredictRandom,
    mm.SequenceTargetAsInput,
    mm.SequenceMaskLast,
    mm.SequenceMaskRandom,
)
each = pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)


@each
def test_a_tag_names_the_target(make):
    assert make(SCHEMA, Tags.ITEM_ID)(RAGGED).targets.keys() == {"items"}
    with pytest.raises(SchemaError, match=r"column 'one tagged USER': .* the target is not in the schema"):
        make(SCHEMA, Tags.USER)
    with pytest.raises(ConfigError, match="several columns are tagged SEQUENCE; expected one, got items, genres"):
        make(SCHEMA, Tags.SEQUENCE)


@each
def test_targets_that_are_there_stay(make):
    click = tf.constant([[1], [0], [1]])
    result = make(SCHEMA, "items")(RAGGED, targets={"click": click})
    assert list(result.targets) == ["click", "items"]
    assert result.targets["click"] is click
    with pytest.raises(ConfigError, match="targets; expected None, or a dictionary by name"):
        make(SCHEMA, "items")(RAGGED, targets=click)


def _dense(rows):
    return [[item for (item,) in row] for row in rows.numpy().tolist()]


def test_dense_sequences_predict_next():
    layer = mm.SequencePredictNext(SCHEMA, "items")
    result = layer(DENSE)
    assert _dense(result.outputs["items"]) == [[3, 5, 0], [2, 0, 0], [4, 6, 8]]
    assert _dense(result.outputs["genres"]) == [[1, 2, 0], [4, 0, 0], [6, 7, 8]]
    assert _dense(result.targets["items"]) == [[5, 7, 0], [9, 0, 0], [6, 8, 1]]
    assert result.outputs[layer.mask_name].numpy().tolist() == [[True, True, False], [True, False, False], [True] * 3]


def test_dense_sequences_predict_last():
    layer = mm.SequencePredictLast(SCHEMA, "items")
    result = layer(DENSE)
    assert _dense(result.outputs["items"]) == [[3, 5, 0], [2, 0, 0], [4, 6, 8]]
    assert result.targets["items"].numpy().tolist() == [[7], [9], [1]]
    assert result.outputs[layer.mask_name].numpy().tolist() == [
        [False, True, False],
        [True, False, False],
        [False, False, True],
    ]


def test_dense_sequences_mask_last():
    layer = mm.SequenceMaskLast(SCHEMA, "items")
    result = layer(DENSE)
    assert _dense(result.outputs["items"]) == _dense(result.targets["items"]) == DENSE["items"].numpy().tolist()
    assert result.outputs[layer.mask_name].numpy().tolist() == [
        [False, False, True, False],
        [False, True, False, False],
        [False, False, False, True],
    ]


@pytest.mark.parametrize("make", [mm.SequencePredictRandom, mm.SequenceMaskRandom])
@pytest.mark.slow
def test_random_transforms_of_dense_sequences_leave_padding_alone(make):
    layer = make(SCHEMA, "items")
    tf.random.set_seed(5)
    for _ in range(50):
        result = layer(DENSE)
        mask = result.outputs[layer.mask_name].numpy()
        assert not mask[(result.outputs["items"].numpy() == 0)[..., 0]].any()
        assert (mask.sum(axis=1) >= 1).all()


@pytest.mark.slow
def test_predict_random_of_rows_of_different_lengths():
    layer = mm.SequencePredictRandom(SCHEMA, "items")
    seen = [set(), set(), set()]
    tf.random.set_seed(5)
    draw = tf.function(lambda: layer(RAGGED))
    for _ in range(100):
        result = draw()
        for row, (items, target) in enumerate(zip(result.outputs["items"], result.targets["items"], strict=True)):
            assert RAGGED["items"][row, len(items)] == target[0]
            seen[row].add(len(items))
    # Any item but the first is drawn.
    assert seen == [{1, 2}, {1}, {1, 2, 3}]


@pytest.mark.slow
def test_mask_random_masks_some_of_short_rows_beside_long_ones():
    layer = mm.SequenceMaskRandom(SCHEMA, "items", masking_prob=0.8)
    tf.random.set_seed(5)
    draw = tf.function(lambda: layer(RAGGED).outputs[layer.mask_name])
    for _ in range(200):
        mask = draw()
        masked = tf.reduce_sum(tf.cast(mask, "int64"), axis=1)
        assert tf.reduce_all((masked >= 1) & (masked < RAGGED["items"].row_lengths()))


def test_predict_last_of_one_item():
    layer = mm.SequencePredictLast(SCHEMA.select_by_name("items"), "items")
    for make in (layer, mm.SequencePredictRandom(SCHEMA.select_by_name("items"), "items")):
        result = make({"items": tf.ragged.constant([[7], [1, 2]], dtype="int64")})
        assert result.outputs["items"].to_list() == [[], [[1]]]
        assert result.targets["items"].numpy().tolist() == [[7], [2]]
    with pytest.raises(DataError, match="a sequence of items is too short; expected at least 1 items"):
        layer({"items": tf.ragged.constant([[], [1, 2]], dtype="int64")})


def test_short_rows_stop_a_graph():
    layer = mm.SequenceMaskLast(SCHEMA.select_by_name("items"), "items")
    data = tf.data.Dataset.from_tensors({"items": tf.ragged.constant([[7], [1, 2]], dtype="int64")})
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="a sequence of items is too short; expected at least 2 items"
    ):
        list(data.map(lambda batch: layer(batch).outputs))


def test_sequences_have_one_length():
    with pytest.raises(DataError, match="sequences of genres and items have different lengths; expected equal"):
        mm.SequencePredictNext(SCHEMA, "items")({**RAGGED, "genres": tf.ragged.constant([[1], [2], [3]])})
    with pytest.raises(SchemaError, match=r"some sequences are ragged and some are dense"):
        mm.SequencePredictNext(SCHEMA, "items")({**RAGGED, "genres": DENSE["genres"]})


def test_masking_prob_is_a_probability():
    with pytest.raises(ConfigError, match="SequenceMaskRandom: masking_prob; expected a number between 0 and 1, got 1"):
        mm.SequenceMaskRandom(SCHEMA, "items", masking_prob=1)


def test_pre_comes_first():
    layer = mm.SequencePredictNext(SCHEMA.select_by_name("items"), "items", pre=mm.Filter(["items"]))
    assert list(layer(RAGGED).outputs) == ["items", "items__predicted"]


@each
def test_configuration(make):
    layer = make(SCHEMA, Tags.ITEM_ID, pre=mm.Filter(["items", "genres"]))
    again = make.from_config(layer.get_config())
    assert again.get_config() == {**layer.get_config()}
    tf.random.set_seed(1)
    result = layer(RAGGED)
    tf.random.set_seed(1)
    for name, tensor in again(RAGGED).outputs.items():
        assert tensor.to_list() == result.outputs[name].to_list()


@each
def test_in_a_model_sequences_are_whole_when_it_serves(make):
    layer = make(SCHEMA, "items")
    served = layer(RAGGED, features=RAGGED, training=False)
    np.testing.assert_array_equal(served["items"].flat_values[:, 0], RAGGED["items"].flat_values)
    assert isinstance(layer(RAGGED, features=RAGGED, training=True), mm.Prediction)
    assert isinstance(layer(RAGGED, features=RAGGED, testing=True), mm.Prediction)


@pytest.mark.parametrize(
    ("make", "objective"),
    [
        (mm.SequencePredictNext, "next"),
        (mm.SequencePredictLast, "next"),
        (mm.SequenceMaskRandom, "masked"),
        (mm.SequenceTargetAsInput, None),
    ],
)
def test_transform_sets_the_training_objective(make, objective):
    transformer = mm.GPT2Block(8, 2, 1)
    layer = make(SCHEMA, "items", transformer=transformer)
    layer.configure_for_train()
    assert transformer.predicts == objective
    layer.configure_for_test()


def test_transformer_is_tested_as_it_is_trained():
    transformer = mm.BertBlock(8, 2, 1)
    mm.SequenceMaskRandom(SCHEMA, "items", transformer=transformer).configure_for_train()
    mm.SequenceMaskLast(SCHEMA, "items", transformer=transformer).configure_for_test()
    with pytest.raises(
        ConfigError, match=r"does not fit the training objective of .*; expected predicts='next', got predicts='masked'"
    ):
        mm.SequencePredictLast(SCHEMA, "items", transformer=transformer).configure_for_test()


def test_transformer_that_looks_ahead_cannot_predict_next():
    layer = mm.SequencePredictNext(SCHEMA, "items", transformer=mm.BertBlock(8, 2, 1))
    with pytest.raises(
        ConfigError, match=r"attends to the next element, which is the target of .*; expected causal=True"
    ):
        layer.configure_for_train()


def test_transform_does_not_take_the_transformers_weights():
    transformer = mm.GPT2Block(8, 2, 1)
    transformer.build((None, None, 8))
    layer = mm.SequencePredictNext(SCHEMA, "items", transformer=transformer)
    assert layer.transformer is transformer
    assert layer.weights == []
