"""The ranking models: parameters as the released library counts them, their parts, and what they are trained on."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError
from tests import golden
from tests.blocks.checks import small_batch, small_schema

pytestmark = pytest.mark.filterwarnings("ignore:WideAndDeepModel without wide_schema:UserWarning")


def _golden(*starts):
    return golden.cases("conventions", "model keys", where=lambda case: case.args["model"].startswith(starts))


def _weights(model, schema):
    model.build({column.name: (None, 1) for column in schema.excluding_by_name(["click", "rating"])})
    return sorted(list(weight.shape) for weight in model.trainable_weights)


def _make(case):
    """The model that a case describes, with its schema."""
    schema = golden.schema(case.args["schema"])
    output = {"prediction_tasks": mm.BinaryOutput("click")}
    deep = mm.MLPBlock([8])
    text = case.args["model"]
    if text.startswith("DLRM"):
        bottom, top = mm.MLPBlock([8, 4]), mm.MLPBlock([6])
        return mm.DLRMModel(schema, embedding_dim=4, bottom_block=bottom, top_block=top, **output), schema
    if text.startswith("DCN"):
        return mm.DCNModel(schema, depth=2, deep_block=deep, stacked="stacked=False" not in text, **output), schema
    if "wide_schema" not in text:
        return mm.WideAndDeepModel(schema, deep_block=deep, **output), schema
    wide = schema.select_by_name(["user_country", "item_category"])
    encoding = mm.CategoryEncoding(wide, output_mode="one_hot", sparse=True)
    parts = {"wide_schema": wide, "deep_schema": schema, "wide_preprocess": encoding}
    return mm.WideAndDeepModel(schema, deep_block=deep, **parts, **output), schema


@pytest.mark.parametrize("case", _golden("DLRM", "DCN", "WideAndDeep"))
def test_golden_weights(case):
    model, schema = _make(case)
    assert _weights(model, schema) == sorted(case.outputs["trainable_weight_shapes"])
    assert model.count_params() == case.outputs["n_trainable_parameters"]


@pytest.mark.parametrize("case", _golden("DeepFM"))
def test_golden_weights_of_deepfm(case):
    # The released deep tower lost the two continuous features: its first matrix is (16, 8) there and (18, 8) here.
    schema = golden.schema(case.args["schema"])
    options = {"deep_block": mm.MLPBlock([8]), "prediction_tasks": mm.BinaryOutput("click")}
    model = mm.DeepFMModel(schema, embedding_dim=4, **options)
    expected = [[18, 8] if shape == [16, 8] else shape for shape in case.outputs["trainable_weight_shapes"]]
    assert _weights(model, schema) == sorted(expected)
    assert model.count_params() == case.outputs["n_trainable_parameters"] + 2 * 8
    # Without them it is the released model, parameter for parameter.
    embeddings = mm.Embeddings(schema.select_by_tag(Tags.CATEGORICAL), dim=4)
    inputs = mm.InputBlockV2(schema, categorical=embeddings, continuous=None, aggregation=None)
    options = {"deep_block": mm.MLPBlock([8]), "prediction_tasks": mm.BinaryOutput("click")}
    released = mm.DeepFMModel(schema, input_block=inputs, **options)
    assert _weights(released, schema) == sorted(case.outputs["trainable_weight_shapes"])


def _schema():
    return small_schema().excluding_by_name(["rating"])


def _weighted_schema():
    """A list of ids with a weight for each, besides the usual columns."""
    genres = mm.create_categorical_column(
        "genres", 5, tags=[Tags.SEQUENCE], dtype="int64", min_value_count=1, max_value_count=4
    )
    weights = ColumnSchema("genres_weight", dtype="float32", is_list=True, is_ragged=True)
    return Schema([genres if column.name == "genres" else column for column in _schema()] + [weights])


MODELS = {
    "DCNModel": lambda schema: mm.DCNModel(schema, depth=2, deep_block=mm.MLPBlock([8])),
    "DCNModel parallel": lambda schema: mm.DCNModel(schema, depth=1, deep_block=mm.MLPBlock([8]), stacked=False),
    "DeepFMModel": lambda schema: mm.DeepFMModel(schema, embedding_dim=4, deep_block=mm.MLPBlock([8])),
    "DLRMModel": lambda schema: mm.DLRMModel(
        schema, embedding_dim=4, bottom_block=mm.MLPBlock([8, 4]), top_block=mm.MLPBlock([6])
    ),
    "WideAndDeepModel": lambda schema: mm.WideAndDeepModel(schema, mm.MLPBlock([8]), wide_schema=schema),
    "WideAndDeepModel crossed": lambda schema: mm.WideAndDeepModel(
        schema,
        mm.MLPBlock([8]),
        wide_schema=schema.select_by_name(["user_id", "country"]),
        wide_preprocess=mm.ParallelBlock(
            mm.CategoryEncoding(schema.select_by_name(["user_id", "country"]), sparse=True),
            mm.HashedCrossAll(schema.select_by_name(["user_id", "country"]), num_bins=20, sparse=True),
            aggregation="concat",
        ),
        wide_dropout=0.1,
        deep_dropout=0.1,
        wide_regularizer="l2",
        deep_regularizer="l2",
    ),
    "NCFModel": lambda schema: mm.NCFModel(schema, 4, mm.MLPBlock([8, 4]), embeddings_l2_reg=0.001),
}


def _dense(batch):
    return {
        name: value.to_tensor(shape=(None, 4)) if isinstance(value, tf.RaggedTensor) else value
        for name, value in batch.items()
    }


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.slow
def test_lists_ragged_and_dense_compiled_and_saved(name, tmp_path):
    keras.utils.set_random_seed(0)
    model = MODELS[name](_schema())
    features, targets = small_batch()
    targets = {"click": targets["click"]}
    model.compile("adam")
    start = model(features).numpy()
    model.fit(features, targets, batch_size=6, epochs=2, verbose=0)
    predicted = model(features)
    assert (np.abs(predicted - start) > 1e-6).all()
    np.testing.assert_allclose(tf.function(lambda batch: model(batch))(features), predicted, rtol=1e-5)
    # XLA knows no ragged tensors, and no sparse ones: what is dense compiles.
    if "crossed" not in name:
        dense = _dense(features)
        compiled = tf.function(lambda batch: model(batch), jit_compile=True)
        np.testing.assert_allclose(compiled(dense), model(dense), rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(features), predicted)
    assert loaded.schema == model.schema
    # Both have the same state to go on from, slots of the optimizer included.
    for saved, found in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found, saved)
    loaded.fit(features, targets, batch_size=6, verbose=0)
    assert (np.abs(loaded(features) - predicted) > 1e-6).any()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.slow
def test_mixed_precision(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = MODELS[name](_schema())
        model.compile("adam")
        features, targets = small_batch()
        losses = model.fit(features, {"click": targets["click"]}, batch_size=6, epochs=2, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(losses).all()
    assert losses[1] != losses[0]
    assert all(weight.dtype == "float32" for weight in model.trainable_weights)


@pytest.mark.parametrize("name", ["DCNModel", "DLRMModel", "DeepFMModel", "WideAndDeepModel"])
def test_weighted_lists(name):
    # Weights 1 and 0 over the ids 2 and 3 are the list with 2 alone.
    schema = _weighted_schema()
    combiners = mm.AverageEmbeddingsByWeightFeature.from_schema_convention(schema)
    categorical = schema.select_by_tag(Tags.CATEGORICAL)
    embeddings = mm.Embeddings(categorical, dim=4, sequence_combiner={"genres": combiners["genres"]})
    output = {"prediction_tasks": mm.BinaryOutput("click")}
    if name == "DLRMModel":
        model = mm.DLRMModel(schema, embeddings=embeddings, bottom_block=mm.MLPBlock([4]), **output)
    else:
        inputs = mm.InputBlockV2(
            schema, categorical=embeddings, aggregation=None if name == "DeepFMModel" else "concat"
        )
        wide = schema.select_by_name(["user_id"])
        model = {
            "DCNModel": lambda: mm.DCNModel(schema, 1, input_block=inputs, **output),
            "DeepFMModel": lambda: mm.DeepFMModel(
                schema, input_block=inputs, wide_input_block=mm.WideFeatures(wide), **output
            ),
            "WideAndDeepModel": lambda: mm.WideAndDeepModel(
                schema, mm.MLPBlock([4]), deep_input_block=inputs, wide_schema=wide, **output
            ),
        }[name]()
    features, _ = small_batch(rows=2)
    rows = {**features, "genres": tf.ragged.constant([[2, 3], [4]], dtype=tf.int64)}
    weighted = model({**rows, "genres_weight": tf.ragged.constant([[1.0, 0.0], [1.0]])})
    alone = {**features, "genres": tf.ragged.constant([[2], [4]], dtype=tf.int64)}
    np.testing.assert_allclose(weighted, model({**alone, "genres_weight": tf.ragged.constant([[1.0], [5.0]])}), 1e-5)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.slow
def test_several_targets(name):
    schema = small_schema()
    model = MODELS[name](schema)
    model.compile("sgd", loss_weights={"click": 2.0, "rating": 0.5})
    features, targets = small_batch()
    found = model.evaluate(features, targets, batch_size=6, verbose=0, return_dict=True)
    assert sorted(model(features)) == ["click/binary_output", "rating/regression_output"]
    total = 2.0 * found["click/binary_output_loss"] + 0.5 * found["rating/regression_output_loss"]
    regularised = float(sum(model.losses)) if model.losses else 0.0
    np.testing.assert_allclose(found["loss"], total + regularised, rtol=1e-4)


def test_the_deep_part_of_deepfm_reads_continuous_features():
    # With the linear part's weights at 0, a continuous feature can only come through the deep part.
    model = mm.DeepFMModel(_schema(), embedding_dim=4, deep_block=mm.MLPBlock([8], activation="tanh"))
    features, _ = small_batch()
    first = model(features).numpy()
    wide = model.blocks[0].parallel_dict["wide"]
    wide.set_weights([np.zeros_like(weight) for weight in wide.get_weights()])
    changed = {**features, "age": features["age"] + 1.0}
    assert (np.abs(model(changed).numpy() - model(features).numpy()) > 1e-6).all()
    assert (first != model(features).numpy()).any()


def test_deepfm_adds_up_its_parts_by_hand():
    # Three fields with embeddings (3), (4) and (0): one pair counts, 3 * 4 = 12. Linear: 1 a known id, three of them.
    # Deep: one linear unit of ones, 3 + 4 + 0 = 7, and the logit layer of 1. In all 12 + 3 + 7 = 22, times 1 at the
    # output: sigmoid(22 * 0.1) with its weight set to 0.1.
    schema = Schema([mm.create_categorical_column(name, 1) for name in ("a", "b", "c")])
    rows = {"a": 3.0, "b": 4.0, "c": 0.0}
    start = {name: keras.initializers.Constant(value) for name, value in rows.items()}
    inputs = mm.InputBlockV2(
        schema, categorical=mm.Embeddings(schema, dim=1, embeddings_initializer=start), aggregation=None
    )
    linear = {"activation": "linear", "kernel_initializer": "ones"}
    model = mm.DeepFMModel(
        schema,
        input_block=inputs,
        deep_block=mm.MLPBlock([1], **linear),
        deep_logit_block=mm.MLPBlock([1], **linear),
        wide_logit_block=mm.MLPBlock([1], **linear),
        prediction_tasks=mm.BinaryOutput("click"),
    )
    batch = {name: np.array([[1]]) for name in rows}
    model(batch)
    model.last.set_weights([np.array([[0.1]]), np.array([0.0])])
    np.testing.assert_allclose(model(batch), [[1 / (1 + np.exp(-2.2))]], rtol=1e-6)


def test_ncf_by_hand():
    # Product of (2) and (3) beside a linear layer of ones on both: 6 and 5. The output adds them up: sigmoid(1.1).
    schema = Schema(
        [
            mm.create_categorical_column("user", 1, tags=[Tags.USER_ID]),
            mm.create_categorical_column("item", 1, tags=[Tags.ITEM_ID]),
        ]
    )
    deep = mm.MLPBlock([1], activation="linear", kernel_initializer="ones")
    model = mm.NCFModel(schema, 1, deep, prediction_tasks=mm.BinaryOutput("click"))
    batch = {"user": np.array([[1]]), "item": np.array([[0]])}
    model(batch)
    for block in model.blocks[0].parallel_values:
        for table, value in zip(block.layers[0].parallel_values, (2.0, 3.0), strict=True):
            table.embeddings.assign(np.full((2, 1), value))
    model.last.set_weights([np.full((2, 1), 0.1), np.array([0.0])])
    np.testing.assert_allclose(model(batch), [[1 / (1 + np.exp(-1.1))]], rtol=1e-6)


def test_models_share_nothing():
    # The released default of `deep_block` was one object: two models trained each other.
    schema = _schema()
    first, second = mm.DCNModel(schema, depth=1), mm.DCNModel(schema, depth=1)
    features, _ = small_batch()
    first(features), second(features)
    assert not {id(weight) for weight in first.weights} & {id(weight) for weight in second.weights}
    deep = [shape for shape in (tuple(weight.shape) for weight in first.weights) if 512 in shape and len(shape) == 2]
    assert (512, 256) in deep
    for model in (mm.DCNModel, mm.DeepFMModel, mm.WideAndDeepModel, mm.NCFModel):
        defaults = (parameter.default for parameter in inspect.signature(model).parameters.values())
        assert not any(isinstance(default, keras.layers.Layer) for default in defaults)


def test_wide_logits_can_be_trained_apart():
    model = MODELS["WideAndDeepModel crossed"](_schema())
    assert list(model.blocks[0].parallel_dict) == ["deep", "wide"]
    # user_id has 10 ids, country 5, and the cross 20 bins; the released library's bins were those of set order.
    features, _ = small_batch()
    model(features)
    wide = model.blocks[0].parallel_dict["wide"]
    assert [tuple(weight.shape) for weight in wide.trainable_weights] == [(35, 1), (1,)]


def test_ids_outside_the_domain_are_named():
    for name in MODELS:
        features, _ = small_batch()
        with pytest.raises(DataError, match=r"user_id.*an id has no row; expected 0 to 9, got 99"):
            MODELS[name](_schema())({**features, "user_id": np.full((6, 1), 99)})


@pytest.mark.parametrize("name", [name for name in MODELS if name != "NCFModel" and "crossed" not in name])
def test_a_schema_without_categories_or_targets(name):
    with pytest.raises(SchemaError, match="nothing to embed; expected columns tagged CATEGORICAL, got age, price"):
        MODELS[name](_schema().select_by_name(["age", "price", "click"]))
    with pytest.raises(SchemaError, match="the schema has no target; expected a column tagged BINARY_CLASSIFICATION"):
        MODELS[name](_schema().excluding_by_name(["click"]))


def test_errors():
    schema, output = _schema(), {"prediction_tasks": mm.BinaryOutput("click")}
    inputs = mm.InputBlockV2(schema)
    with pytest.raises(
        SchemaError, match="NCFModel needs one column tagged USER_ID; expected one, got none among item"
    ):
        mm.NCFModel(schema.select_by_name(["item_id"]), 4, mm.MLPBlock([4]), **output)
    with pytest.raises(ConfigError, match="CrossBlock: depth; expected a number of layers above 0, got 0"):
        mm.DCNModel(schema, depth=0, **output)
    with pytest.raises(ConfigError, match="DCNModel: post; expected no arguments of an input block beside input_block"):
        mm.DCNModel(schema, depth=1, input_block=inputs, post=mm.NoOp(), **output)
    with pytest.raises(ConfigError, match=r"DeepFMModel: input_block; expected a block that gives a dictionary .*"):
        mm.DeepFMModel(schema, input_block=inputs, **output)
    with pytest.raises(ConfigError, match="DeepFMModel: embedding_dim; expected no description of an input block"):
        mm.DeepFMModel(schema, embedding_dim=4, input_block=inputs, **output)
    with pytest.raises(
        ConfigError, match="WideAndDeepModel: wide_preprocess; expected wide_schema beside it, got None"
    ):
        mm.WideAndDeepModel(schema, mm.MLPBlock([4]), wide_preprocess=mm.CategoryEncoding(schema), **output)
    wide = mm.WideFeatures(schema)
    with pytest.raises(ConfigError, match="WideAndDeepModel: wide_schema; expected None beside wide_input_block"):
        mm.WideAndDeepModel(schema, mm.MLPBlock([4]), wide_schema=schema, wide_input_block=wide, **output)
    with pytest.raises(
        SchemaError, match="the wide part has no features; expected columns tagged CATEGORICAL in wide_"
    ):
        mm.WideAndDeepModel(schema, mm.MLPBlock([4]), wide_schema=schema.select_by_name(["age"]), **output)
    with pytest.raises(ConfigError, match="prediction_tasks; expected an output or a list of outputs, got 'click'"):
        mm.DCNModel(schema, depth=1, prediction_tasks="click")


def test_a_deep_model_alone_is_said():
    with pytest.warns(UserWarning, match="WideAndDeepModel without wide_schema= has no wide part"):
        mm.WideAndDeepModel(_schema(), mm.MLPBlock([4]))
