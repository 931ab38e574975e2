"""Models whose target is also an input: the columns they read, and their export."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from tests.blocks.checks import small_schema

SESSION = Schema(
    [
        mm.create_categorical_column("item_id", 19, tags=[Tags.ITEM_ID], dtype="int64", min_value_count=0),
        mm.create_categorical_column("category", 7, dtype="int64", min_value_count=0),
    ]
)


def _sessions(rows=12):
    draw = np.random.default_rng(0)
    lengths = draw.integers(2, 6, rows)
    return pd.DataFrame(
        {
            "item_id": [draw.integers(1, 20, length) for length in lengths],
            "category": [draw.integers(1, 8, length) for length in lengths],
        }
    )


def _served(folder, sessions):
    """The predictions of an exported model for sessions."""
    features = {}
    for name in sessions:
        features[f"{name}__values"] = tf.constant(np.concatenate(sessions[name].to_list()))
        features[f"{name}__offsets"] = tf.constant(np.r_[0, np.cumsum(sessions[name].map(len))], "int32")
    return tf.saved_model.load(folder).signatures["serving_default"](**features)


def _transformer(output=None, **options):
    block = mm.GPT2Block(d_model=8, n_head=2, n_layer=1)
    tables = mm.Embeddings(SESSION, dim=4, sequence_combiner=None)
    output = mm.CategoricalOutput(SESSION["item_id"]) if output is None else output(tables)
    model = mm.Model(mm.InputBlockV2(SESSION, categorical=tables), mm.MLPBlock([8]), block, output, **options)
    return model, mm.SequencePredictNext(SESSION, "item_id", transformer=block)


def _mlp(**options):
    model = mm.Model(mm.InputBlockV2(SESSION), mm.MLPBlock([8]), mm.CategoricalOutput(SESSION["item_id"]), **options)
    return model, mm.SequencePredictLast(SESSION, "item_id")


def _tied():
    def output(tables):
        return mm.ContrastiveOutput(tables["item_id"], "in-batch", pre=mm.MLPBlock([4]))

    return _transformer(output)


@pytest.mark.slow
@pytest.mark.parametrize(
    "maker", [_transformer, _mlp, _tied, lambda: _transformer(schema=SESSION), lambda: _mlp(schema=SESSION)]
)
def test_a_session_model_predicts_from_files_what_it_serves(maker, tmp_path):
    model, transform = maker()
    sessions = _sessions()
    (tmp_path / "data").mkdir()
    sessions.to_parquet(tmp_path / "data" / "rows.parquet")
    model.compile("adam")
    model.fit(mm.Loader(tmp_path / "data", 4, schema=SESSION, transform=transform), verbose=0)

    assert model.input_schema.column_names == ["item_id", "category"]
    sample = model.get_sample_inputs(3)
    assert set(sample) == {"item_id", "category"}
    assert 0 <= int(tf.reduce_min(sample["item_id"])) <= int(tf.reduce_max(sample["item_id"])) <= 19
    predictions = model.predict(str(tmp_path / "data"), batch_size=5)
    model.export(tmp_path / "exported")
    (served,) = _served(tmp_path / "exported", sessions).values()
    assert predictions.shape == (12, 20)
    np.testing.assert_allclose(served, predictions, rtol=1e-5, atol=1e-6)


def test_a_target_that_no_block_reads_is_no_input():
    features = small_schema().select_by_name(["user_id", "item_id"])
    users = features.select_by_name(["user_id"])
    for schema in (None, features):
        model = mm.Model(mm.InputBlockV2(users), mm.CategoricalOutput(features["item_id"]), schema=schema)
        assert model.input_schema.column_names == ["user_id"]


def test_a_tagged_target_is_no_input():
    click = ColumnSchema("click", dtype="float32", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])
    schema = Schema([small_schema()["age"], click])
    model = mm.Model(mm.ParallelBlock({"all": mm.Filter(schema)}, aggregation="concat"), mm.BinaryOutput("click"))
    assert model.schema.column_names == ["age", "click"]
    assert model.input_schema.column_names == ["age"]


def test_a_model_made_from_a_block_reads_the_sequence_that_it_predicts():
    model = mm.Model.from_block(mm.MLPBlock([4]), SESSION, prediction_tasks=mm.CategoricalOutput(SESSION["item_id"]))
    assert model.input_schema.column_names == ["item_id", "category"]


CONTINUOUS = ColumnSchema(
    "price", dtype="float32", tags=[Tags.CONTINUOUS, Tags.SEQUENCE], properties={"value_count": {"min": 0, "max": 6}}
)


@pytest.mark.slow
@pytest.mark.parametrize("masked", [True, False])
def test_a_session_with_continuous_sequences(masked, tmp_path):
    keras.utils.set_random_seed(2)
    schema = Schema([*SESSION, CONTINUOUS])
    sessions = _sessions()
    sessions["price"] = [np.linspace(0, 1, len(row), dtype="float32") for row in sessions["item_id"]]
    kind = mm.BertBlock if masked else mm.GPT2Block
    block = kind(d_model=8, n_head=2, n_layer=1, dropout=0.0)
    tables = mm.Embeddings(SESSION, dim=4, sequence_combiner=None)
    inputs = mm.InputBlockV2(schema, categorical=tables, continuous=mm.Continuous())
    model = mm.Model(inputs, mm.MLPBlock([8]), block, mm.CategoricalOutput(SESSION["item_id"]))
    if masked:
        train = mm.SequenceMaskRandom(schema, "item_id", masking_prob=0.4, transformer=block)
        test = mm.SequenceMaskLast(schema, "item_id", transformer=block)
    else:
        train = mm.SequencePredictNext(schema, "item_id", transformer=block)
        test = mm.SequencePredictLast(schema, "item_id", transformer=block)
    (tmp_path / "data").mkdir()
    sessions.to_parquet(tmp_path / "data" / "rows.parquet")
    data = {"batch_size": 6, "verbose": 0}
    model.compile(mm.LazyAdam(0.02), metrics=[mm.RecallAt(3)])
    loaders = [mm.Loader(tmp_path / "data", 6, schema=schema, transform=each, shuffle=False) for each in (train, test)]
    losses = model.fit(loaders[0], epochs=40, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
    found = model.evaluate(loaders[1], return_dict=True, verbose=0)
    assert found["recall_at_3"] >= 0.5  # the items that it was trained on; 3 of 19 by chance are 0.16
    predictions = model.predict(str(tmp_path / "data"), **data)
    # the price counts in the predictions
    sessions["price"] = [1 - row for row in sessions["price"]]
    sessions.to_parquet(tmp_path / "data" / "rows.parquet")
    assert np.abs(model.predict(str(tmp_path / "data"), **data) - predictions).max() > 1e-3
