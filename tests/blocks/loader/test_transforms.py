"""Transforms of batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.loader import Loader, sample_batch
from tests.blocks.loader.conftest import Write

SCHEMA = Schema(
    [ColumnSchema("id", dtype="int64"), ColumnSchema("x", dtype="float64"), ColumnSchema("y", dtype="int8")]
)


def doubled(features: dict[str, Any], targets: Any) -> dict[str, Any]:
    return {**features, "x": 2 * features["x"]}


def weighted(features: dict[str, Any], targets: Any) -> tuple[Any, Any, Any]:
    return features, targets, features["x"] + 1


def first(loader: Loader) -> tuple[Any, ...]:
    """The first batch, once it is the same by direct iteration and through tf.data."""
    one, other = next(iter(loader)), next(iter(loader.to_tf_dataset()))
    tf.nest.map_structure(np.testing.assert_array_equal, *(tf.nest.map_structure(_listed, b) for b in (one, other)))
    return one


def _listed(tensor: Any) -> Any:
    return np.array(tensor.to_tensor() if isinstance(tensor, tf.RaggedTensor) else tensor)


def column(tensor: Any) -> list[float]:
    return tensor.numpy()[:, 0].tolist()


@pytest.mark.parametrize("arguments", [{"transform": doubled}, {"transforms": [doubled]}])
def test_a_function_changes_the_features(numbered: Path, arguments: dict[str, Any]) -> None:
    loader = Loader(numbered, 4, shuffle=False, label_names=["y"], **arguments)
    features, targets = first(loader)
    assert column(features["x"]) == [0, 1, 2, 3]  # x is half of the row's number
    assert column(targets["y"]) == [0, 1, 0, 1]
    assert loader.has_transforms
    assert len(list(loader)) == len(loader) == 25
    assert not Loader(numbered, 4).has_transforms


@pytest.mark.slow
def test_map_adds_to_what_is_there_in_order(numbered: Path) -> None:
    loader = Loader(numbered, 4, shuffle=False, transform=doubled)
    before = loader.to_tf_dataset()
    assert loader.map(lambda x, y: {**x, "x": x["x"] + 1}).map(doubled) is loader
    assert column(next(iter(before))[0]["x"]) == [0, 1, 2, 3]
    assert column(first(loader)[0]["x"]) == [2, 4, 6, 8]  # 2 (i + 1)


@pytest.mark.slow
def test_weights_go_on_to_later_functions_and_to_fit(numbered: Path) -> None:
    def heavier(features: Any, targets: Any, weights: Any) -> Any:
        return features, targets, 10 * weights

    loader = Loader(numbered, 4, shuffle=False, label_names=["y"]).map(weighted).map(heavier)
    assert column(first(loader)[2]) == [10, 15, 20, 25]
    assert len(first(Loader(numbered, 4, shuffle=False).map(weighted).map(mm.Filter(SCHEMA)))) == 3

    inputs = {"x": keras.Input((1,), name="x")}
    model = keras.Model(inputs, {"y": keras.layers.Dense(1, kernel_initializer="zeros")(inputs["x"])})
    model.compile(loss={"y": "mse"})
    only = Loader(numbered, 100, feature_columns=["x"], label_names=["y"], shuffle=False).map(weighted)
    # Predictions are 0. Row i weighs i/2 + 1, and its error is 1 where i is odd, else 0: the sum over odd i is
    # 2500/2 + 50 = 1300, over 100 rows.
    assert model.evaluate(only.to_tf_dataset(), verbose=0) == pytest.approx(13.0)


def test_a_block_makes_targets_of_features(numbered: Path) -> None:
    loader = Loader(numbered, 4, shuffle=False, schema=SCHEMA, transform=mm.ToTarget(SCHEMA, "y"))
    features, targets = first(loader)
    assert list(features) == ["id", "x"]
    assert column(targets["y"]) == [0, 1, 0, 1]
    assert Tags.TARGET in loader.output_schema["y"].tags
    assert sample_batch(loader)[1].numpy()[:, 0].tolist() == [0, 1, 0, 1]


def test_a_sequence_transform_makes_targets_of_lists(write: Write) -> None:
    schema = Schema([mm.create_categorical_column("items", 9, min_value_count=0)])
    path = write({"items": pa.array([[1, 2, 3], [4, 5]])})
    loader = Loader(path, 2, shuffle=False, schema=schema, transform=mm.SequencePredictNext(schema, "items"))
    features, targets = first(loader)
    assert features["items"].to_list() == [[[1], [2]], [[4]]]
    assert targets["items"].to_list() == [[[2], [3]], [[5]]]


def test_noise_is_made_in_the_loader(write: Write) -> None:
    schema = Schema([mm.create_categorical_column("items", 100, min_value_count=0, tags=[Tags.ITEM_ID])])
    lists = np.arange(1, 61).reshape(20, 3).tolist()
    noise = mm.StochasticSwapNoise(schema, replacement_prob=1.0)
    loader = Loader(write({"items": pa.array(lists)}), 20, shuffle=False, schema=schema, transform=noise)
    swapped = np.array(next(iter(loader))[0]["items"].to_list())
    assert swapped.shape == (20, 3)
    assert set(swapped.ravel()) <= set(range(1, 61))
    assert not np.array_equal(swapped, lists)


def test_a_layer_with_weights_is_built_before_batches_come(numbered: Path) -> None:
    class Scaling(keras.layers.Layer):
        def build(self, shapes: dict[str, Any]) -> None:
            self.factor = self.add_weight(shape=(shapes["x"][-1],), initializer="ones")

        def call(self, features: dict[str, Any]) -> dict[str, Any]:
            return {"x": features["x"] * self.factor}

        def compute_output_shape(self, shapes: dict[str, Any]) -> dict[str, Any]:
            return {"x": shapes["x"]}

    scaling = Scaling()
    loader = Loader(numbered, 4, shuffle=False, transform=scaling)
    loader.to_tf_dataset()
    scaling.set_weights([np.array([3.0])])
    assert column(first(loader)[0]["x"]) == [0, 1.5, 3, 4.5]


@pytest.mark.slow
def test_lists_of_ids_with_a_weight_for_each(write: Write) -> None:
    path = write({"ids": pa.array([[1, 2], [], [3]]), "w": pa.array([[0.5, 1.0], [], [2.0]]), "y": [0, 1, 0]})

    def times(features: dict[str, Any], targets: Any) -> dict[str, Any]:
        return {"sum": tf.reduce_sum(tf.cast(features["ids"], tf.float32) * features["w"], axis=1)}

    features, _ = first(Loader(path, 3, shuffle=False, label_names=["y"]))
    assert features["w"].dtype == tf.float32
    assert features["w"].to_list() == [[0.5, 1.0], [], [2.0]]
    mixed = Loader(path, 3, label_names=["y"], transform=times)
    assert sorted(next(iter(mixed))[0]["sum"].numpy().tolist()) == [0.0, 2.5, 6.0]


def test_a_sample_goes_through_the_transforms(write: Write) -> None:
    path = write({"ids": pa.array([[1, 2], [3]]), "x": [1.0, 2.0], "y": [1, 0]})
    loader = Loader(path, 2, shuffle=False, label_names=["y"], transform=doubled)
    features, targets = sample_batch(loader)
    assert column(features["x"]) == [2, 4]
    assert features["ids"].to_list() == [[[1], [2]], [[3]]]
    assert column(targets) == [1, 0]
    assert sample_batch(loader, include_targets=False, prepare_features=False)["ids"].to_list() == [[1, 2], [3]]


def test_an_invalid_transform_is_named(numbered: Path) -> None:
    with pytest.raises(ConfigError, match="Loader: transform; expected layers or functions, got int"):
        Loader(numbered, 4, transform=3)
    with pytest.raises(ConfigError, match="Loader: map; expected layers or functions, got str"):
        Loader(numbered, 4).map("double")  # type: ignore[arg-type]

    def nothing(features: Any, targets: Any) -> None:
        return None

    with pytest.raises(
        ConfigError, match=r"the transform 'nothing' must return a batch; expected features by name.*NoneType"
    ):
        Loader(numbered, 4, transform=nothing).to_tf_dataset()
    with pytest.raises(SchemaError, match=r"after the transform 'doubled' is unknown\. Add a method compute_out"):
        Loader(numbered, 4, transform=doubled).output_schema  # noqa: B018 - raises
