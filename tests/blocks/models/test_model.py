from __future__ import annotations

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError
from tests import golden
from tests.blocks.checks import small_batch, small_schema

FEATURES = small_schema().excluding_by_name(["click", "rating"])


def _two_outputs():
    return mm.Model(mm.Embeddings(FEATURES, dim=3, aggregation="concat"), mm.OutputBlock(small_schema()))


def _binary(schema=FEATURES):
    return mm.Model(mm.Embeddings(schema, dim=3, aggregation="concat"), mm.MLPBlock([4]), mm.BinaryOutput("click"))


def _dlrm(schema):
    return mm.DLRMModel(
        schema, embedding_dim=4, bottom_block=mm.MLPBlock([8, 4]), top_block=mm.MLPBlock([6]),
        prediction_tasks=mm.BinaryOutput("click"),
    )  # fmt: skip


def _rows(seed=0, rows=24):
    features, targets = small_batch(rows, seed)
    return tf.data.Dataset.from_tensors((features, targets))


@pytest.mark.parametrize(
    "case",
    golden.cases(
        "conventions", "model keys", where=lambda case: case.args["model"].startswith("DLRMModel(schema, embedding_dim")
    ),
)
@pytest.mark.slow
def test_dlrm_is_that_of_the_release(case):
    schema = golden.schema("SMALL minus rating")
    model = _dlrm(schema)
    draw = np.random.default_rng(0)
    features = {
        column.name: draw.random((24, 1), dtype="float32")
        if column.int_domain is None
        else draw.integers(0, column.int_domain.max + 1, (24, 1))
        for column in schema.excluding_by_name(["click"])
    }
    data = tf.data.Dataset.from_tensors((features, {"click": draw.integers(0, 2, (24, 1))}))
    model.compile("adam", run_eagerly=False)
    assert sorted(model.fit(data, verbose=0).history) == case.outputs["fit_history_keys"]
    assert sorted(model.evaluate(data, return_dict=True, verbose=0)) == case.outputs["evaluate_keys"]
    assert model.count_params() == case.outputs["n_trainable_parameters"]
    shapes = sorted(list(weight.shape) for weight in model.trainable_weights)
    assert shapes == case.outputs["trainable_weight_shapes"]


@pytest.mark.parametrize(("with_top", "logit"), [(True, 9.0), (False, 8.5)])
def test_dlrm_numbers(with_top, logit):
    # One user and one item vector and the projected age, D = 1, all weights 1, biases 0:
    # user 2 -> 2, item 3 -> 3, age 0.5 -> relu(0.5) = 0.5;
    # products by name (continuous_projection, item, user): 0.5 * 3 = 1.5, 0.5 * 2 = 1, 3 * 2 = 6, in all 8.5;
    # a top block gets the projection beside them: 0.5 + 8.5 = 9
    schema = Schema(
        [
            mm.create_categorical_column("user", 3),
            mm.create_categorical_column("item", 3),
            mm.create_continuous_column("age"),
        ]
    )
    model = mm.DLRMModel(
        schema,
        embedding_dim=1,
        bottom_block=mm.MLPBlock([1]),
        top_block=mm.MLPBlock([1]) if with_top else None,
        prediction_tasks=mm.BinaryOutput("click"),
    )
    model.build({"user": (None, 1), "item": (None, 1), "age": (None, 1)})
    for weight in model.weights:
        if "embeddings" in weight.path:
            weight.assign([[0.0], [1.0], [2.0], [3.0]])
        elif "kernel" in weight.path:
            weight.assign(np.ones(weight.shape))
    batch = {"user": tf.constant([[2]]), "item": tf.constant([[3]]), "age": tf.constant([[0.5]])}
    assert float(model(batch)[0, 0]) == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


class TestDLRMIsRefused:
    def test_without_categorical_columns(self):
        with pytest.raises(
            SchemaError, match="DLRM has nothing to embed; expected columns tagged CATEGORICAL, got age"
        ):
            _dlrm(FEATURES.select_by_name(["age"]))

    def test_without_a_bottom_block(self):
        with pytest.raises(
            ConfigError, match="DLRM: bottom_block; expected a block for the continuous features age, p"
        ):
            mm.DLRMModel(FEATURES, embedding_dim=4, prediction_tasks=mm.BinaryOutput("click"))

    def test_with_dimensions_that_differ(self):
        with pytest.raises(ConfigError, match="expected embedding_dim 4, got a bottom_block that ends with 8"):
            mm.DLRMModel(FEATURES, embedding_dim=4, bottom_block=mm.MLPBlock([8]), prediction_tasks=mm.BinaryOutput())


class TestTwoOutputs:
    @pytest.mark.slow
    def test_losses_add_up(self):
        model = _two_outputs()
        model.compile("sgd", loss_weights={"rating": 0.5})
        found = model.evaluate(_rows(), return_dict=True, verbose=0)
        expected = found["click/binary_output_loss"] + 0.5 * found["rating/regression_output_loss"]
        assert found["loss"] == pytest.approx(expected, rel=1e-6)
        assert found["loss_batch"] == pytest.approx(expected, rel=1e-6)

    @pytest.mark.slow
    def test_metrics_compare_each_output_with_its_target(self):
        model = _two_outputs()
        model.compile("sgd", metrics={"rating": [keras.metrics.MeanAbsoluteError(name="mae")]})
        features, targets = next(iter(_rows()))
        predictions = model(features)
        expected = np.abs(predictions["rating/regression_output"].numpy() - targets["rating"]).mean()
        found = model.evaluate(_rows(), return_dict=True, verbose=0)
        assert found["rating/regression_output/mae"] == pytest.approx(float(expected), rel=1e-5)
        assert not any(name.startswith("click/binary_output/") for name in found)

    @pytest.mark.slow
    def test_metrics_for_all(self):
        model = _two_outputs()
        model.compile("sgd", metrics=["mae"])
        found = model.evaluate(_rows(), return_dict=True, verbose=0)
        assert {name for name in found if name.endswith("/mean_absolute_error")} == {
            "click/binary_output/mean_absolute_error",
            "rating/regression_output/mean_absolute_error",
        }

    def test_an_unknown_output(self):
        with pytest.raises(
            ConfigError, match=r"compile: loss names 'clik'; expected one of click, click/binary_output"
        ):
            _two_outputs().compile("sgd", loss={"clik": "mse"})

    def test_a_target_that_is_not_in_the_batch(self):
        model = _two_outputs()
        model.compile("sgd")
        features, targets = next(iter(_rows()))
        data = tf.data.Dataset.from_tensors((features, {"click": targets["click"]}))
        with pytest.raises(
            ConfigError, match="rating/regression_output finds no target in the batch; expected 'rating'"
        ):
            model.evaluate(data, verbose=0)


@pytest.mark.slow
def test_sample_weights_weigh_the_loss():
    model = _binary()
    model.compile("sgd")
    features, targets = next(iter(_rows()))
    weights = np.zeros((24, 1), "float32")
    weights[3] = 24.0
    alone = tf.data.Dataset.from_tensors((features, targets["click"])).unbatch().skip(3).take(1)
    weighted = tf.data.Dataset.from_tensors((features, targets["click"], weights))
    one = model.evaluate(alone.ragged_batch(1), return_dict=True, verbose=0)["loss"]
    assert model.evaluate(weighted, return_dict=True, verbose=0)["loss"] == pytest.approx(one, rel=1e-5)


@pytest.mark.slow
def test_regularisation_is_part_of_the_loss():
    model = mm.Model(
        mm.Embeddings(FEATURES, dim=2, aggregation="concat"),
        mm.MLPBlock([2], kernel_regularizer=keras.regularizers.L2(0.5)),
        mm.BinaryOutput("click"),
    )
    model.compile("sgd")
    found = model.evaluate(_rows(), return_dict=True, verbose=0)
    kernel = model.blocks[1][0].kernel.numpy()
    assert found["regularization_loss"] == pytest.approx(0.5 * float((kernel**2).sum()), rel=1e-5)
    features, targets = next(iter(_rows()))
    entropy = keras.losses.binary_crossentropy(targets["click"], model(features))
    assert found["loss"] == pytest.approx(float(np.mean(entropy)) + found["regularization_loss"], rel=1e-5)


@pytest.mark.slow
def test_the_targets_may_be_flat():
    model = _binary()
    model.compile("sgd")
    features, targets = next(iter(_rows()))
    column = model.evaluate(tf.data.Dataset.from_tensors((features, targets["click"])), return_dict=True, verbose=0)
    flat = tf.data.Dataset.from_tensors((features, targets["click"][:, 0]))
    assert model.evaluate(flat, return_dict=True, verbose=0) == column


@pytest.mark.slow
def test_a_saved_model_goes_on_training(tmp_path):
    model = _two_outputs()
    model.compile(keras.optimizers.Adam(0.01), loss_weights={"click": 2.0})
    model.fit(_rows(), epochs=3, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    assert loaded.schema.column_names == model.schema.column_names
    assert int(loaded.optimizer.iterations) == 3
    first = model.fit(_rows(1), epochs=2, verbose=0).history
    assert loaded.fit(_rows(1), epochs=2, verbose=0).history == first
    for name, values in model.predict(_rows(2), verbose=0).items():
        np.testing.assert_array_equal(loaded.predict(_rows(2), verbose=0)[name], values)


def test_another_kind_of_model(tmp_path):
    keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(
        ConfigError, match=r"other\.keras: the file holds another model; expected Model, got Sequential"
    ):
        mm.Model.load(tmp_path / "other.keras")


class TestWhatFitTakes:
    @pytest.fixture
    def file(self, tmp_path):
        features, targets = small_batch(40)
        columns = {
            name: value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy()[:, 0]
            for name, value in features.items()
        }
        pq.write_table(pa.table({**columns, "click": targets["click"][:, 0]}), tmp_path / "rows.parquet")
        return tmp_path / "rows.parquet"

    @pytest.fixture
    def schema(self):
        return small_schema().excluding_by_name(["rating"])

    @pytest.mark.slow
    def test_a_loader(self, file, schema):
        model = mm.Model(*_binary().blocks, schema=schema)
        model.compile("sgd")
        loader = mm.Loader(file, 16, schema=schema, shuffle=False)
        assert np.isfinite(model.fit(loader, validation_data=loader, verbose=0).history["val_loss"]).all()
        assert model.predict(loader, verbose=0).shape == (40, 1)

    @pytest.mark.slow
    def test_paths_and_batches_give_the_same(self, file, schema):
        model = mm.Model(*_binary().blocks, schema=schema)
        model.compile("sgd")
        by_path = model.evaluate(file, batch_size=40, return_dict=True, verbose=0)
        batch = mm.sample_batch(mm.Loader(file, 40, schema=schema), shuffle=False)
        assert model.evaluate(batch, return_dict=True, verbose=0) == pytest.approx(by_path, rel=1e-5)

    def test_a_path_needs_a_batch_size(self, file):
        with pytest.raises(ConfigError, match=r"a data set needs a batch size\. Give batch_size="):
            _compiled().fit(file)

    def test_something_else(self):
        with pytest.raises(ConfigError, match=r"cannot make batches of this; .* got int"):
            _compiled().fit(3)

    @pytest.mark.slow
    def test_damaged_files_are_named(self, file, schema):
        model = mm.Model(*_binary().blocks, schema=schema)
        model.compile("sgd")
        loader = mm.Loader(file, 16, schema=schema)
        content = bytearray(file.read_bytes())
        content[4:200] = bytes(196)
        file.write_bytes(bytes(content))
        with pytest.raises(DataError, match=r"rows\.parquet"):
            model.fit(loader, verbose=0)


def _compiled():
    model = _binary()
    model.compile("sgd")
    return model


def test_not_compiled():
    with pytest.raises(ConfigError, match=r"the model is not compiled\. Call compile"):
        _binary().compute_loss(y=1, y_pred=1)


def test_no_blocks():
    with pytest.raises(ConfigError, match="Model has no blocks"):
        mm.Model()


def test_schema_is_what_the_blocks_read():
    model = _binary()
    assert model.schema.column_names == ["user_id", "country", "item_id", "genres"]
    with_target = mm.Model(*_binary().blocks, schema=small_schema())
    assert with_target.input_schema.column_names == [*FEATURES.column_names, "rating"]


class TestPreparation:
    def test_flat_scalars_and_lists_in_two_tensors(self):
        model = _binary()
        features, _ = small_batch()
        expected = model(features).numpy()
        raw = {name: value[:, 0] for name, value in features.items() if name != "genres"}
        raw["genres__values"] = features["genres"].values
        raw["genres__offsets"] = features["genres"].row_splits
        np.testing.assert_array_equal(model(raw), expected)

    def test_it_can_be_left_out(self):
        model = mm.Model(mm.Filter("x"), prep_features=False)
        assert model({"x": tf.constant([1.0, 2.0])})["x"].shape == (2,)
        assert mm.Model(mm.Filter("x"))({"x": tf.constant([1.0, 2.0])})["x"].shape == (2, 1)

    def test_the_raw_form_builds_the_model(self):
        model = _binary()
        shapes = {name: (None,) for name in ("user_id", "country", "item_id")}
        model.build({**shapes, "genres__values": (None,), "genres__offsets": (None,)})
        # four tables of D = 3: 30 + 15 + 60 + 18; the MLP 12 x 4 + 4; the output 4 + 1
        assert model.count_params() == 123 + 52 + 5


class TestServing:
    @pytest.mark.slow
    def test_signature_and_scores(self, tmp_path):
        model = mm.Model(*_binary().blocks, schema=FEATURES.select_by_name(["user_id", "country", "item_id", "genres"]))
        features = {name: tensor for name, tensor in small_batch()[0].items() if name in model.schema.column_names}
        expected = model(features).numpy()
        mm.save_serving(model, tmp_path / "saved")
        serve = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
        specs = {
            name: (spec.shape.as_list(), spec.dtype.name) for name, spec in serve.structured_input_signature[1].items()
        }
        assert specs == {
            "user_id": ([None, 1], "int64"),
            "country": ([None, 1], "int64"),
            "item_id": ([None, 1], "int64"),
            "genres__values": ([None], "int64"),
            "genres__offsets": ([None], "int32"),
        }
        flat = {name: features[name] for name in ("user_id", "country", "item_id")}
        offsets = tf.cast(features["genres"].row_splits, "int32")
        found = serve(**flat, genres__values=features["genres"].values, genres__offsets=offsets)
        np.testing.assert_allclose(found["click/binary_output"], expected, atol=1e-7)

    def test_an_unbuilt_model(self, tmp_path):
        with pytest.raises(ConfigError, match=r"has no weights yet\. Train it, or call it on a batch, first"):
            mm.save_serving(mm.Model(*_binary().blocks, schema=FEATURES), tmp_path / "saved")
