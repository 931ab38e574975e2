"""The loader under `keras.Model.fit`, `evaluate` and `predict`."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest

from emrys.blocks.loader import Loader
from tests.blocks.loader.conftest import Write


def model() -> keras.Model:
    """y = w x + b, one gradient step a batch: its weights depend on the order of the rows."""
    output = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros")])
    inputs = {"x": keras.Input((1,), name="x")}
    output = keras.Model(inputs, {"y": output(inputs["x"])})
    output.compile(optimizer=keras.optimizers.SGD(1e-4), loss={"y": "mse"})
    return output


def loader(path: Path, **arguments: object) -> Loader:
    return Loader(path, 10, feature_columns=["x"], label_names=["y"], **arguments)  # type: ignore[arg-type]


@pytest.mark.slow
def test_fit_evaluate_and_predict(numbered: Path) -> None:
    data = loader(numbered)
    network = model()
    history = network.fit(data.to_tf_dataset(), epochs=2, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]
    network.set_weights([np.array([[2.0]]), np.array([1.0])])
    in_order = loader(numbered, shuffle=False)
    # x = i/2 for i = 0..99, so y = 2x + 1 = i + 1.
    predicted = network.predict(in_order.to_tf_dataset(), verbose=0)["y"]
    assert predicted[:, 0].tolist() == [i + 1 for i in range(100)]
    # Mean of (i + 1 - i mod 2)^2: odd and even i give the squares of 1, 1, 3, 3, .. 99, 99, the mean of the squares
    # of the first 50 odd numbers: (4 * 50^2 - 1) / 3 = 3333.
    assert network.evaluate(in_order.to_tf_dataset(), verbose=0) == pytest.approx(3333.0)


@pytest.mark.slow
def test_resumed_training_sees_the_rows_in_the_same_order(numbered: Path) -> None:
    data = loader(numbered, buffer_size=50)
    whole = model()
    whole.fit(data.to_tf_dataset(), epochs=3, callbacks=[data.epoch_callback()], verbose=0)

    data = loader(numbered, buffer_size=50)
    first = model()
    first.fit(data.to_tf_dataset(), epochs=1, callbacks=[data.epoch_callback()], verbose=0)
    data = loader(numbered, buffer_size=50)
    resumed = model()
    resumed.set_weights(first.get_weights())
    resumed.fit(
        data.to_tf_dataset(), initial_epoch=1, epochs=3, callbacks=[data.epoch_callback()], verbose=0
    )  # fmt: skip
    for expected, got in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, got)

    data = loader(numbered, buffer_size=50, seed_fn=lambda: 9)
    other = model()
    other.fit(data.to_tf_dataset(), epochs=3, callbacks=[data.epoch_callback()], verbose=0)
    assert not np.array_equal(other.get_weights()[0], whole.get_weights()[0])


@pytest.mark.slow
def test_ragged_features_train_an_embedding(write: Write) -> None:
    # Only rows with id 1 in their list are positive; a sum over the list's embeddings can tell.
    lists = [[1, 2], [2], [3, 1, 2], []] * 10
    path = write({"ids": pa.array(lists), "y": [float(1 in ids) for ids in lists]})

    class Summing(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.table = keras.layers.Embedding(4, 1, embeddings_initializer="zeros")

        def call(self, features: dict) -> dict:
            dense = features["ids"].to_tensor(default_value=0)
            return {"y": keras.ops.sum(self.table(dense), axis=1)}

    network = Summing()
    network.compile(optimizer=keras.optimizers.SGD(0.1), loss={"y": "mse"})
    network.fit(Loader(path, 4, label_names=["y"]).to_tf_dataset(), epochs=60, verbose=0)
    in_order = Loader(path, 4, label_names=["y"], shuffle=False).to_tf_dataset()
    predicted = network.predict(in_order, verbose=0)["y"][:4, 0]
    np.testing.assert_allclose(predicted, [1, 0, 1, 0], atol=0.1)
