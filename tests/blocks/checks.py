"""Checks that every block has to pass, and the batches to try it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.core.calling import as_shape, build_layer, call_layer
from emrys.blocks.core.traversal import layers_inside


def small_schema() -> Schema:
    """Two users' and two items' categorical columns, a list, two continuous columns, two targets."""
    return Schema(
        [
            mm.create_categorical_column("user_id", 9, tags=[Tags.USER_ID], dtype="int64"),
            mm.create_categorical_column("country", 4, tags=[Tags.USER], dtype="int64"),
            mm.create_categorical_column("item_id", 19, tags=[Tags.ITEM_ID], dtype="int64"),
            mm.create_categorical_column("genres", 5, dtype="int64", min_value_count=0, max_value_count=4),
            mm.create_continuous_column("age", tags=[Tags.USER]),
            mm.create_continuous_column("price", tags=[Tags.ITEM]),
            ColumnSchema("click", dtype="float32", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET]),
            ColumnSchema("rating", dtype="float32", tags=[Tags.REGRESSION, Tags.TARGET]),
        ]
    )


def small_batch(rows: int = 6, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """A batch of `small_schema`: features and targets; the first row's list is empty."""
    draw = np.random.default_rng(seed)
    lengths = [0, *draw.integers(1, 5, rows - 1)]
    features = {
        "user_id": draw.integers(0, 10, (rows, 1)),
        "country": draw.integers(0, 5, (rows, 1)),
        "item_id": draw.integers(0, 20, (rows, 1)),
        "genres": tf.RaggedTensor.from_row_lengths(draw.integers(0, 6, sum(lengths)), lengths),
        "age": draw.random((rows, 1), dtype="float32"),
        "price": draw.random((rows, 1), dtype="float32"),
    }
    targets = {
        "click": draw.integers(0, 2, (rows, 1)).astype("float32"),
        "rating": draw.random((rows, 1), dtype="float32"),
    }
    return {name: tf.convert_to_tensor(value) if not isinstance(value, tf.RaggedTensor) else value
            for name, value in features.items()}, targets  # fmt: skip


def check_block(make: Callable[[], keras.layers.Layer], inputs: Any, tmp_path: Path) -> None:
    """Checks what holds for every block.

    It comes back from its configuration, through JSON, with the same outputs for the same weights; `build` alone makes
    all weights; a compiled graph gives what eager mode gives; its declared output shape is right; its gradients reach
    all weights in a step of `fit`; it computes in mixed precision; a model of it comes back from a `.keras` file with
    equal outputs.
    """
    block = make()
    block.build(_shapes(inputs))
    names = [weight.path for weight in block.weights]
    expected = _arrays(block(inputs))
    assert [weight.path for weight in block.weights] == names, "the call made weights that build had not made"
    _check_shape(block.compute_output_shape(_shapes(inputs)), expected)

    config = json.loads(json.dumps(keras.saving.serialize_keras_object(block)))
    again = keras.saving.deserialize_keras_object(config)
    if not again.built:  # what Keras serialises of a built layer builds it again
        again.build(_shapes(inputs))
    again.set_weights(block.get_weights())
    _assert_same(_arrays(again(inputs)), expected)

    _assert_same(_arrays(tf.function(lambda batch: block(batch))(inputs)), expected)
    _check_fit(make(), inputs)
    _check_mixed_precision(make, inputs)
    _check_keras_file(block, inputs, expected, tmp_path)


def _check_fit(block: keras.layers.Layer, inputs: Any) -> None:
    if any(isinstance(layer, mm.ModelOutput) for layer in layers_inside([block])):
        block = _Untold(block)
    model = mm.Model(block, _Flatten(), keras.layers.Dense(1), mm.RegressionOutput("y"))
    model.compile(mm.LazySGD(1e-3))  # small enough for any initial weights
    rows = (next(iter(inputs.values())) if isinstance(inputs, dict) else inputs).shape[0]
    data = tf.data.Dataset.from_tensors((inputs, {"y": np.ones((rows, 1), "float32")}))
    losses = model.fit(data.repeat(2), epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[1] != losses[0], "training changes nothing"


def _check_mixed_precision(make: Callable[[], keras.layers.Layer], inputs: Any) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for array in _leaves(_arrays(make()(inputs))):
            assert np.isfinite(array.astype("float32")).all()
    finally:
        keras.config.set_dtype_policy(before)


def _check_keras_file(block: keras.layers.Layer, inputs: Any, expected: Any, tmp_path: Path) -> None:
    model = mm.Model(block)
    model.build(_shapes(inputs))
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    if "prediction" in expected:  # blocks that make targets leave a batch alone in serving
        expected = _arrays(model(inputs))
    _assert_same(_arrays(loaded(inputs)), expected, exact=True)


class _Untold(mm.Block):
    """An output in the middle of a model: it is not told what is right, and gives a tensor in training too."""

    def __init__(self, block: keras.layers.Layer) -> None:
        super().__init__()
        self.block = block
        outputs = [layer for layer in layers_inside([block]) if isinstance(layer, mm.ContrastiveOutput)]
        #: Two towers give a score in training only if they are not told that it is.
        self.tells_training = all(output.has_candidate_weights for output in outputs)

    def build(self, input_shape: Any) -> None:
        build_layer(self.block, as_shape(input_shape))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return call_layer(self.block, inputs, training=training if self.tells_training else False)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.block.compute_output_shape(input_shape)


@keras.saving.register_keras_serializable("emrys-tests")
class _Flatten(mm.Block):
    """Any output as (B, D): lists are summed, other axes laid side by side."""

    def call(self, inputs: Any) -> Any:
        flat = []
        for tensor in tf.nest.flatten(inputs, expand_composites=False):
            if isinstance(tensor, tf.RaggedTensor):
                tensor = tf.reduce_sum(tf.cast(tensor, "float32"), axis=1)
            flat.append(tf.cast(tf.reshape(tensor, (tf.shape(tensor)[0], int(np.prod(tensor.shape[1:])))), "float32"))
        return tf.concat(flat, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = as_shape(input_shape)
        each = list(shapes.values()) if isinstance(shapes, dict) else [shapes]
        return (each[0][0], sum(int(np.prod([size for size in shape[1:] if size])) for shape in each))


def _shapes(inputs: Any) -> Any:
    if isinstance(inputs, dict):
        return {name: _shapes(value) for name, value in inputs.items()}
    return tuple(inputs.shape)


def _arrays(outputs: Any) -> Any:
    if isinstance(outputs, mm.Prediction):
        given = {name: value for name, value in outputs._asdict().items() if value is not None}
        return {"prediction": _arrays(given)}
    if isinstance(outputs, dict):
        return {name: _arrays(value) for name, value in outputs.items()}
    if isinstance(outputs, tf.RaggedTensor):
        return {"values": _arrays(outputs.flat_values), "lengths": _arrays(outputs.row_lengths())}
    return np.asarray(tf.cast(outputs, "float32") if outputs.dtype == tf.bfloat16 else outputs)


def _leaves(arrays: Any) -> list[np.ndarray]:
    return [leaf for value in arrays.values() for leaf in _leaves(value)] if isinstance(arrays, dict) else [arrays]


def _check_shape(declared: Any, arrays: Any) -> None:
    if isinstance(arrays, dict) and list(arrays) == ["prediction"]:
        arrays = arrays["prediction"]["outputs"]  # a block declares the shapes of what the next one gets
    if isinstance(arrays, dict) and not isinstance(declared, dict):
        return  # ragged: the length of lists is not part of a shape
    if isinstance(arrays, dict):
        assert list(declared) == list(arrays)
        for name, array in arrays.items():
            _check_shape(declared[name], array)
    else:
        assert tuple(declared) == array_shape(declared, arrays)


def array_shape(declared: Any, array: np.ndarray) -> tuple[int | None, ...]:
    """The shape of an array, with None where the declared one leaves the size open."""
    assert len(declared) == array.ndim
    return tuple(None if told is None else size for told, size in zip(declared, array.shape, strict=True))


def _assert_same(found: Any, expected: Any, exact: bool = False) -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            _assert_same(found[name], value, exact)
    elif exact:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
