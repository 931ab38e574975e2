"""`next`, `peek` and `with` of a loader; functions that change a batch; plain Keras models on a loader."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError

SCHEMA = Schema(
    [
        ColumnSchema("id", dtype="int64", tags=[Tags.CATEGORICAL]),
        ColumnSchema("x", dtype="float32", tags=[Tags.CONTINUOUS]),
        ColumnSchema("y", dtype="float32", tags=[Tags.TARGET, Tags.REGRESSION]),
    ]
)


def _dataset(rows=10):
    numbers = np.arange(rows)
    return Dataset(pd.DataFrame({"id": numbers, "x": numbers * 0.1, "y": numbers * 0.2}), schema=SCHEMA)


def _loader(shuffle=False, **options):
    return mm.Loader(_dataset(), 4, shuffle=shuffle, **options)


def _ids(batch):
    return batch[0]["id"].numpy()[:, 0].tolist()


class TestNext:
    def test_goes_through_the_epochs(self):
        loader = _loader()
        assert [_ids(next(loader)) for _ in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        with pytest.raises(StopIteration):
            next(loader)
        assert _ids(next(loader)) == [0, 1, 2, 3]

    def test_is_that_of_an_iteration_in_random_order(self):
        assert [_ids(batch) for batch in _loader(shuffle=True)] == [_ids(next(_loader(shuffle=True)))] + [
            _ids(batch) for batch in list(_loader(shuffle=True))[1:]
        ]

    def test_a_with_begins_anew(self):
        loader = _loader()
        with loader as entered:
            assert entered is loader
            next(loader)
        assert _ids(next(loader)) == [0, 1, 2, 3]


class TestPeek:
    @pytest.mark.parametrize("shuffle", [False, True])
    def test_leaves_the_batch_there(self, shuffle):
        loader = _loader(shuffle=shuffle)
        first = _ids(loader.peek())
        assert _ids(loader.peek()) == first
        assert loader.epoch == 0
        assert _ids(next(iter(loader))) == first

    def test_after_next(self):
        loader = _loader()
        next(loader)
        assert _ids(loader.peek()) == _ids(loader.peek()) == [4, 5, 6, 7]
        assert [_ids(next(loader)) for _ in range(2)] == [[4, 5, 6, 7], [8, 9]]

    def test_sees_the_transforms(self):
        features, targets = _loader().map(lambda x, y: ({"twice": 2 * x["x"]}, y)).peek()
        np.testing.assert_allclose(features["twice"][:, 0], [0.0, 0.2, 0.4, 0.6], rtol=1e-6)
        assert set(targets) == {"y"}


class TestFunctionsThatChangeABatch:
    def test_a_column_can_be_popped(self):
        def id_as_target(features, targets):
            targets["id"] = features.pop("id")
            return features, targets

        loader = _loader().map(id_as_target).map(lambda x, y: ({**x, "copy": x["x"]}, y))
        for features, targets in (next(iter(loader)), loader.peek(), mm.sample_batch(loader, batch_size=4)):
            assert set(features) == {"x", "copy"}
            assert targets["id"].numpy()[:, 0].tolist() == [0, 1, 2, 3]

    def test_weights_can_be_popped(self):
        loader = _loader().map(lambda x, y: (x, y, x.pop("x")))
        features, _, weights = next(iter(loader))
        assert set(features) == {"id"}
        np.testing.assert_allclose(weights[:, 0], [0.0, 0.1, 0.2, 0.3], rtol=1e-6)


class Linear(keras.Model):
    """w x, with w = 1, on a dictionary."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")

    def call(self, inputs):
        """Predicts."""
        return self.dense(inputs["x"])


class TestPlainKerasModels:
    def _functional(self, outputs):
        inputs = {"x": keras.Input((1,), name="x")}
        dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="y")(inputs["x"])
        return keras.Model(inputs, outputs(dense))

    @pytest.mark.parametrize("kind", ["subclass", "functional", "dictionary"])
    @pytest.mark.slow
    def test_they_see_each_row_once_an_epoch(self, kind):
        outputs = {"functional": lambda dense: dense, "dictionary": lambda dense: {"y": dense}}
        model = Linear() if kind == "subclass" else self._functional(outputs[kind])
        model.compile(keras.optimizers.SGD(0.0), loss="mse")
        schema = SCHEMA.select_by_name(["x", "y"])
        loader = mm.Loader(_dataset(), 4, shuffle=False, schema=schema)
        # the errors are 0.1 i for the rows i = 0 to 9: the mean of the squares is 0.01 * 285 / 10
        history = model.fit(loader, validation_data=loader, epochs=3, verbose=0).history
        assert history["loss"] == pytest.approx([0.285] * 3, rel=1e-5)
        assert history["val_loss"] == pytest.approx([0.285] * 3, rel=1e-5)
        assert model.evaluate(loader, verbose=0) == pytest.approx(0.285, rel=1e-5)
        predictions = model.predict(loader, verbose=0)
        predictions = predictions["y"] if kind == "dictionary" else predictions
        np.testing.assert_allclose(predictions[:, 0], np.arange(10) * 0.1, rtol=1e-5)

    @pytest.mark.slow
    def test_a_function_chooses_the_target(self):
        model = Linear()
        model.compile(keras.optimizers.SGD(0.0), loss="mae")
        loader = _loader().map(lambda x, y: (x, x["x"] + 1.0))
        assert model.fit(loader, verbose=0).history["loss"] == [pytest.approx(1.0)]


class TestLoaderArguments:
    def _model(self):
        model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), mm.RegressionOutput("y"))
        model.build({"x": (None, 1)})
        model.set_weights([np.ones((1, 1)), np.zeros(1)])
        model.compile(keras.optimizers.SGD(0.0), metrics=[])
        return model

    @pytest.mark.slow
    def test_drop_last(self):
        model = self._model()
        # of rows 0 to 7 alone: 0.01 * 140 / 8
        options = {"batch_size": 4, "drop_last": True, "verbose": 0}
        history = model.fit(_dataset(), shuffle=False, validation_data=_dataset(), **options).history
        assert history["loss"] == history["val_loss"] == [pytest.approx(0.175, rel=1e-5)]
        assert model.evaluate(_dataset(), return_dict=True, **options)["loss"] == pytest.approx(0.175, rel=1e-5)
        assert model.predict(_dataset(), **options).shape == (8, 1)

    @pytest.mark.slow
    def test_transform(self):
        model = self._model()
        options = {"batch_size": 10, "transform": lambda x, y: ({"x": x["x"] + 1.0}, y), "verbose": 0}
        expected = np.mean((1.0 + np.arange(10) * 0.1 - np.arange(10) * 0.2) ** 2)
        assert model.fit(_dataset(), **options).history["loss"] == [pytest.approx(expected, rel=1e-5)]
        found = model.evaluate(_dataset(), shuffle=False, return_dict=True, **options)
        assert found["loss"] == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(model.predict(_dataset(), **options)[:, 0], 1 + np.arange(10) * 0.1, rtol=1e-5)

    def test_shuffle_in_predict(self):
        found = self._model().predict(_dataset(), batch_size=10, shuffle=True)[:, 0]
        assert not np.allclose(found, np.arange(10) * 0.1)
        np.testing.assert_allclose(sorted(found), np.arange(10) * 0.1, rtol=1e-5)

    @pytest.mark.slow
    def test_for_data_that_no_loader_reads(self):
        with pytest.raises(ConfigError, match=r"drop_last: an argument of a Loader; .*got dict"):
            self._model().fit({"x": np.ones((2, 1))}, np.ones((2, 1)), drop_last=True)
        with pytest.raises(ConfigError, match=r"drop_last: .*got Loader\. Give it to the Loader itself"):
            self._model().evaluate(_loader(), drop_last=True)
        with_own = self._model().evaluate(_loader(), drop_last=False, return_dict=True, verbose=0)
        assert with_own == self._model().evaluate(_loader(), return_dict=True, verbose=0)

    def test_an_unknown_one(self):
        with pytest.raises(ConfigError, match="Loader has no argument 'drop_first'"):
            self._model().fit(_dataset(), batch_size=4, drop_first=True)

    @pytest.mark.slow
    def test_a_generator_of_batches(self):
        def generate():
            for batch in _loader():
                yield {"x": batch[0]["x"]}, batch[1]

        model = self._model()
        assert model.fit(generate(), verbose=0).history["loss"] == [pytest.approx(0.285, rel=1e-5)]
        assert model.evaluate(generate(), return_dict=True, verbose=0)["loss"] == pytest.approx(0.285, rel=1e-5)
        assert model.predict(generate()).shape == (10, 1)
        history = model.fit(iter(_loader()), steps_per_epoch=2, validation_data=_loader(), verbose=0).history
        assert history["loss"] == [pytest.approx(0.175, rel=1e-5)]
        assert history["val_loss"] == [pytest.approx(0.285, rel=1e-5)]
