"""Rows with other items."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError

SCHEMA = Schema(
    [
        mm.create_categorical_column("user", 20, tags=[Tags.USER_ID, Tags.USER]),
        mm.create_categorical_column("item", 20, tags=[Tags.ITEM_ID, Tags.ITEM]),
        mm.create_categorical_column("genres", 5, tags=[Tags.ITEM], min_value_count=0, max_value_count=3),
    ]
)
BATCH = {
    "user": np.array([[1], [2], [3]]),
    "item": np.array([[11], [12], [13]]),
    "genres": tf.RaggedTensor.from_row_lengths([1, 2, 3, 3], [1, 2, 1]),
}
GENRES = {11: [1], 12: [2, 3], 13: [3]}


def test_negatives_are_items_of_other_rows():
    found = mm.InBatchNegatives(SCHEMA, 5, seed=3)(BATCH, targets={"click": np.ones((3, 1), "float32")}, training=True)
    features, click = found.outputs, found.targets["click"].numpy()[:, 0]
    assert (click[:3] == 1).all()
    assert (click[3:] == 0).all()
    assert 3 < len(click) <= 3 + 15
    pairs = list(zip(features["user"].numpy()[:, 0], features["item"].numpy()[:, 0], strict=True))
    assert pairs[:3] == [(1, 11), (2, 12), (3, 13)]
    assert not {(1, 11), (2, 12), (3, 13)} & set(pairs[3:])
    assert len(set(pairs[3:])) > 3
    for (_, item), genres in zip(pairs, features["genres"].to_list(), strict=True):
        assert genres == GENRES[item]


def test_when_it_adds_rows():
    add = mm.InBatchNegatives(SCHEMA, 2, run_when_testing=False)
    targets = np.ones((3, 1), "float32")
    assert add(BATCH, targets=targets, testing=True).targets.shape == (3, 1)
    features, longer = add(BATCH, targets=targets)
    assert len(features["user"]) == len(longer) > 3
    assert add(BATCH).outputs["user"].shape == (3, 1)
    assert add(BATCH).targets is None
    several = add(BATCH, targets=(targets, tf.ones((3, 2), "int64")), training=True).targets
    assert (several[1].dtype, len(several[0])) == (tf.int64, len(several[1]))


def test_a_seed_gives_the_same_rows():
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(mm.InBatchNegatives(SCHEMA, 4, seed=1))
    )
    draws = [
        layer(BATCH, targets=np.ones((3, 1)), training=True).outputs["item"].numpy().tolist()
        for layer in (mm.InBatchNegatives(SCHEMA, 4, seed=1), again)
    ]
    assert draws[0] == draws[1]


def test_scalars_and_lists_as_loaders_may_give_them():
    batch = {"user": np.array([1, 2]), "item": np.array([11, 12]), "genres__values": np.array([1, 2, 3])}
    add = mm.InBatchNegatives(SCHEMA, 1, seed=0, prep_features=True)
    found = add({**batch, "genres__offsets": np.array([0, 1, 3])}, targets=np.ones((2, 1)), training=True).outputs
    assert found["user"].shape[1] == 1
    assert found["genres"].to_list()[:2] == [[1], [2, 3]]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_nested_in_blocks_it_gives_what_it_gives_alone(depth):
    targets = {"click": np.ones((3, 1), "float32")}
    alone = mm.InBatchNegatives(SCHEMA, 3, seed=5)(BATCH, targets=targets, training=True)
    block = mm.InBatchNegatives(SCHEMA, 3, seed=5)
    for _ in range(depth):
        block = mm.SequentialBlock([block])
    nested = block(BATCH, targets=targets, training=True)
    assert len(alone.targets["click"]) > 3
    for name, values in {**alone.outputs, "genres": alone.outputs["genres"].to_tensor()}.items():
        found = nested.outputs[name]
        np.testing.assert_array_equal(found.to_tensor() if name == "genres" else found, values)
    np.testing.assert_array_equal(nested.targets["click"], alone.targets["click"])
    # ones for the three positives, zeros behind them
    assert nested.targets["click"].numpy()[:, 0].tolist() == [1.0] * 3 + [0.0] * (len(alone.targets["click"]) - 3)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["pre", "first block", "nested block", "same block", "fit(pre=)", "batches"])
def test_before_a_model(place):
    keras.utils.set_random_seed(0)
    negatives = mm.InBatchNegatives(SCHEMA, 3, seed=1)
    blocks = [mm.Embeddings(SCHEMA.select_by_name(["user", "item"]), dim=8, aggregation="concat"), mm.MLPBlock([16])]
    if place == "first block":
        blocks = [negatives, *blocks]
    if place == "nested block":
        blocks = [mm.SequentialBlock([mm.SequentialBlock([negatives])]), *blocks]
    if place == "same block":
        blocks = [mm.SequentialBlock([negatives, *blocks])]
    model = mm.Model(*blocks, mm.BinaryOutput("click"), pre=negatives if place == "pre" else None)
    model.compile(keras.optimizers.Adam(0.05))
    users = np.random.default_rng(0).integers(0, 21, (200, 1))
    data = ({"user": users, "item": (users + 1) % 21}, {"click": np.ones((200, 1), "float32")})
    data = tf.data.Dataset.from_tensor_slices(data).batch(50)
    if place == "batches":
        data = data.map(negatives)
    model.fit(data, epochs=12, verbose=0, **({"pre": negatives} if place == "fit(pre=)" else {}))
    # a model that says 1 to everything would do without negatives; this one tells pairs apart
    right, wrong = ({"user": users[:20], "item": (users[:20] + step) % 21} for step in (1, 7))
    assert model.predict(right, verbose=0).mean() > 0.6 > 0.3 > model.predict(wrong, verbose=0).mean()


def test_errors():
    with pytest.raises(SchemaError, match="expected one column tagged ITEM_ID, got none"):
        mm.InBatchNegatives(SCHEMA.select_by_name(["user"]), 2)
    with pytest.raises(ConfigError, match="n_per_positive; expected a number from 1, got 0"):
        mm.InBatchNegatives(SCHEMA, 0)
    with pytest.raises(ConfigError, match=r"column 'item': .*item ids; got user"):
        mm.InBatchNegatives(SCHEMA, 1)({"user": BATCH["user"]}, targets=np.ones((3, 1)), training=True)
