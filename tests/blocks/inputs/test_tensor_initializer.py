from __future__ import annotations

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from merlin.io import Dataset

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.inputs.tensor_initializer import TensorInitializer

WEIGHTS = np.array([[0.1, 1.0], [2.0, 3.0], [-4.0, 5.5]], dtype="float32")


@pytest.mark.parametrize(
    "weights",
    [
        WEIGHTS,
        WEIGHTS.tolist(),
        tf.constant(WEIGHTS),
        tf.Variable(WEIGHTS),
        keras.Variable(WEIGHTS),
        pd.DataFrame(WEIGHTS),
    ],
    ids=["array", "lists", "tensor", "tf-variable", "keras-variable", "frame"],
)
def test_gives_the_values(weights):
    found = TensorInitializer(weights)(shape=(3, 2), dtype="float32")
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, WEIGHTS)


def test_dtype():
    assert TensorInitializer(WEIGHTS)((3, 2)).dtype == tf.float32
    assert TensorInitializer([[1, 2]])((1, 2)).numpy().tolist() == [[1, 2]]
    assert TensorInitializer([[1, 2]])((1, 2)).dtype == tf.int64
    half = TensorInitializer(WEIGHTS)((3, 2), dtype="float16")
    np.testing.assert_array_equal(half, WEIGHTS.astype("float16"))


def test_values_are_copied():
    weights = WEIGHTS.copy()
    initializer = TensorInitializer(weights)
    weights[:] = 0
    np.testing.assert_array_equal(initializer((3, 2)), WEIGHTS)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8", "bool", ">f4"])
def test_comes_back_bit_by_bit_through_json(dtype):
    weights = np.array([[0.1, np.nan], [np.inf, -0.0], [1 / 3, 7]]).astype("float64")
    if dtype not in ("float32", "float64", "float16", ">f4"):
        weights = np.array([[0, 1], [1, 1], [0, 7]])
    weights = weights.astype(dtype)
    stored = json.loads(json.dumps(keras.initializers.serialize(TensorInitializer(weights))))
    found = keras.initializers.deserialize(stored)
    assert isinstance(found, TensorInitializer)
    assert found((3, 2)).dtype.name == weights.dtype.name
    assert found((3, 2)).numpy().tobytes() == weights.astype(weights.dtype.newbyteorder("=")).tobytes()


def test_bfloat16_comes_back_too():
    weights = tf.cast(WEIGHTS, tf.bfloat16)
    found = TensorInitializer.from_config(json.loads(json.dumps(TensorInitializer(weights).get_config())))
    assert found((3, 2)).dtype == tf.bfloat16
    np.testing.assert_array_equal(tf.cast(found((3, 2)), "float32"), tf.cast(weights, "float32"))


def test_configuration():
    # 1.0 and -2.0 as little-endian float32 are the bytes 0000803f 000000c0.
    config = {"weights": {"dtype": "float32", "shape": [1, 2], "base64": "AACAPwAAAMA="}}
    assert TensorInitializer(np.array([[1.0, -2.0]], "float32")).get_config() == config
    assert TensorInitializer.from_config(config)((1, 2)).numpy().tolist() == [[1.0, -2.0]]
    assert TensorInitializer.from_config({"weights": [[1.0, -2.0]]})((1, 2)).numpy().tolist() == [[1.0, -2.0]]


def test_starts_a_layer_that_is_saved_and_loaded(tmp_path):
    layer = keras.layers.Embedding(3, 2, embeddings_initializer=TensorInitializer(WEIGHTS))
    model = keras.Sequential([keras.Input((1,), dtype="int32"), layer])
    ids = np.array([[2], [0]])
    np.testing.assert_array_equal(model(ids)[:, 0], WEIGHTS[[2, 0]])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(ids), model(ids))
    start = loaded.layers[-1].embeddings_initializer
    np.testing.assert_array_equal(start((3, 2)), WEIGHTS)


def test_works_in_a_graph():
    initializer = TensorInitializer(WEIGHTS)
    np.testing.assert_array_equal(tf.function(lambda: initializer((3, 2)) * 2)(), WEIGHTS * 2)


@pytest.mark.parametrize("wrap", [lambda frame: frame, Dataset], ids=["frame", "dataset"])
def test_from_dataset(wrap):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}, index=[1, 0])
    assert TensorInitializer.from_dataset(wrap(frame))((2, 2)).numpy().tolist() == [[1.0, 3.0], [2.0, 4.0]]
    lists = pd.DataFrame({"a": [1.0, 2.0], "e": [[5.0, 6.0], [7.0, 8.0]]})
    assert TensorInitializer.from_dataset(wrap(lists))((2, 3)).numpy().tolist() == [[1.0, 5.0, 6.0], [2.0, 7.0, 8.0]]


def test_from_dataset_of_several_parts_keeps_the_order():
    frame = pd.DataFrame({"a": np.arange(6.0), "b": np.arange(6.0) * 10})
    found = TensorInitializer.from_dataset(Dataset(frame, npartitions=3))
    assert found((6, 2)).numpy().tolist() == [[n, 10.0 * n] for n in range(6)]


def test_from_dataset_of_what_cannot_be_weights():
    with pytest.raises(ConfigError) as error:
        TensorInitializer.from_dataset(WEIGHTS)
    assert str(error.value) == (
        "weights cannot be read from this; expected a merlin.io.Dataset or a pandas DataFrame, got ndarray. "
        "An array goes to TensorInitializer itself."
    )
    with pytest.raises(DataError) as error:
        TensorInitializer.from_dataset(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, None]}))
    assert str(error.value) == "column 'b': a weight is missing; expected a value in every row, got none in row 1"
    for values in ([[1.0], [1.0, 2.0]], ["a", "b"]):
        with pytest.raises(
            DataError, match=r"^column 'b': these are no weights; expected numbers, or lists of one length"
        ):
            TensorInitializer.from_dataset(pd.DataFrame({"b": values}))
    with pytest.raises(DataError, match=r"^the table of weights has no columns$"):
        TensorInitializer.from_dataset(pd.DataFrame())


@pytest.mark.parametrize("weights", [[["a"]], None, [1 + 2j], [[1.0], [1.0, 2.0]]])
def test_invalid_weights(weights):
    with pytest.raises(ConfigError, match=r"^these are no weights; expected numbers in rows of one length, got "):
        TensorInitializer(weights)


def test_another_shape():
    with pytest.raises(ConfigError) as error:
        TensorInitializer(WEIGHTS)(shape=(4, 2))
    assert str(error.value) == (
        "the weights do not fit; expected weights of shape (4, 2), got (3, 2). "
        "One row for each id of the domain (its maximum + 1), as many columns as the dimension."
    )
