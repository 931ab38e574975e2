"""Encoders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError
from emrys.blocks.loader import Loader

SCHEMA = Schema(
    [
        mm.create_categorical_column("user_id", 9, tags=[Tags.USER_ID], dtype="int64"),
        mm.create_categorical_column(
            "genres", 5, tags=[Tags.USER], dtype="int64", min_value_count=0, max_value_count=4
        ),
    ]
)
ROWS = pd.DataFrame({"user_id": [4, 2, 4], "genres": [[1, 2], [], [5]], "city": ["a", "b", "c"]})


def by_id(name=None):
    encoder = mm.EmbeddingEncoder(SCHEMA, 2, name=name)
    encoder({"user_id": np.array([[0]])})
    # Row i is (2 i, 2 i + 1).
    encoder.table.embeddings.assign(np.arange(20.0).reshape(10, 2))
    return encoder


def test_batch_predict_keeps_the_columns():
    frame = by_id().batch_predict(Dataset(ROWS[["user_id", "city"]]), batch_size=2).compute()
    assert list(frame.columns) == ["user_id", "city", "0", "1"]
    assert frame[["0", "1"]].to_numpy().tolist() == [[8, 9], [4, 5], [8, 9]]
    assert frame["city"].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["data set", "table", "file", "loader"])
@pytest.mark.slow
def test_encode_is_indexed(kind, tmp_path):
    rows = ROWS[["user_id", "city"]]
    data = {"data set": Dataset(rows), "table": pa.Table.from_pandas(rows)}.get(kind)
    if data is None:
        pq.write_table(pa.Table.from_pandas(rows), tmp_path / "rows.parquet", row_group_size=2)
        data = str(tmp_path / "rows.parquet")
    if kind == "loader":
        data = Loader(data, 2, feature_columns=["user_id"], shuffle=True)
    for index in ("user_id", Tags.USER_ID, SCHEMA["user_id"], SCHEMA.select_by_name(["user_id"])):
        frame = by_id().encode(data, index, batch_size=2).compute()
        assert (frame.index.name, frame.index.tolist()) == ("user_id", [4, 2, 4])
        assert frame.columns.tolist() == ["0", "1"]
        assert frame.to_numpy().tolist() == [[8, 9], [4, 5], [8, 9]]


@pytest.mark.slow
def test_index_and_kept_columns():
    frame = (
        by_id()
        .batch_predict(Dataset(ROWS[["user_id", "city"]]), 4, output_schema=Schema(["city"]), index="user_id")
        .compute()
    )
    assert (frame.index.name, frame.columns.tolist()) == ("user_id", ["city", "0", "1"])


@pytest.mark.slow
def test_batches_do_not_change_what_is_encoded():
    encoder = mm.Encoder(SCHEMA, mm.MLPBlock([4]))
    data = Dataset(pd.concat([ROWS] * 5), schema=SCHEMA)
    frames = [encoder.encode(data, "user_id", batch_size=size).compute() for size in (1, 4, 100)]
    for frame in frames[1:]:
        np.testing.assert_allclose(frame, frames[0], rtol=1e-6)
    features = {"user_id": ROWS[["user_id"]].to_numpy(), "genres__values": np.array([1, 2, 5]),
                "genres__offsets": np.array([0, 2, 2, 3])}  # fmt: skip
    np.testing.assert_allclose(encoder(features), frames[0][:3], rtol=1e-6)


def test_table_as_a_data_set():
    frame = by_id().to_dataset().compute()
    assert frame.to_numpy().tolist() == np.arange(20.0).reshape(10, 2).tolist()


def test_layers_in_order():
    encoder = mm.Encoder(SCHEMA, mm.MLPBlock([4], activation="tanh"), pre=mm.NoOp(), post=mm.L2Norm())
    assert [type(layer).__name__ for layer in encoder.to_call][-2:] == ["MLPBlock", "L2Norm"]
    assert list(encoder.to_call)[1:3] == [encoder.first, encoder.last]
    assert encoder.has_schema
    assert encoder.schema.column_names == ["user_id", "genres"]
    found = encoder({"user_id": np.array([[1]]), "genres": np.array([[1, 2]])})
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_comes_back_from_a_file(tmp_path):
    encoder = by_id("users")
    encoder.save(tmp_path / "users.keras")
    again = mm.EmbeddingEncoder.load(tmp_path / "users.keras")
    assert (again.name, again.table.name, again.schema.column_names) == ("users", "users", ["user_id"])
    assert again({"user_id": np.array([[3]])}).numpy().tolist() == [[6, 7]]


def test_is_not_trained_by_itself():
    message = (
        r"EmbeddingEncoder is not trained by itself\. Train a model that it is a part of, such as RetrievalModelV2"
    )
    with pytest.raises(ConfigError, match=message):
        by_id().fit(ROWS)
    with pytest.raises(ConfigError, match=message):
        by_id().train_step(None)


def test_bad_arguments():
    with pytest.raises(SchemaError, match=r"Encoder does not know which columns it reads; .*got Dense"):
        mm.Encoder(mm.Dense(3))
    with pytest.raises(SchemaError, match=r"EmbeddingEncoder has no column"):
        mm.EmbeddingEncoder(Schema([]), 4)
    with pytest.raises(DataError, match=r"column 'user_id': the data misses a column; got city"):
        by_id().batch_predict(Dataset(ROWS[["city"]]), 2)
    with pytest.raises(SchemaError, match=r"Tags.ITEM_ID.*expected exactly one column, got none"):
        by_id().encode(Dataset(ROWS[["user_id"]]), Tags.ITEM_ID, 2)
    with pytest.raises(ConfigError, match=r"id column.*got int"):
        by_id().encode(Dataset(ROWS[["user_id"]]), 3, 2)


def test_a_served_encoder_gives_vectors(tmp_path):
    encoder = mm.Encoder(SCHEMA, mm.MLPBlock([3]))
    features = {"user_id": np.array([[4], [2]]), "genres": tf.ragged.constant([[1, 2], []], dtype=tf.int64)}
    expected = encoder(features).numpy()
    mm.save_serving(encoder, tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    found = served(
        user_id=tf.constant([[4], [2]], tf.int64),
        genres__values=tf.constant([1, 2], tf.int64),
        genres__offsets=tf.constant([0, 2, 2], tf.int32),
    )
    assert list(found) == ["vectors"]
    np.testing.assert_allclose(found["vectors"], expected, rtol=1e-6)
