from __future__ import annotations

import numpy as np
import pytest
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError

SCHEMA = Schema(
    [mm.create_categorical_column("id", 9), mm.create_continuous_column("price"), mm.create_continuous_column("age")]
)
BATCH = {
    "id": np.array([[1]]),
    "price": np.array([[7.0]], "float32"),
    "age": np.array([[3.0]], "float32"),
}


def _dense(rows=2):
    layer = mm.Dense(1)
    layer.build((None, rows))
    layer.set_weights([np.array([[1.0], [10.0]]), np.array([0.5])])
    return layer


def test_embedding():
    # age 3, then price 7 times 10, and 0.5
    block = mm.ContinuousEmbedding(mm.Continuous(SCHEMA.select_by_name(["age", "price"])), _dense())
    assert {name: value.numpy().tolist() for name, value in block(BATCH).items()} == {"continuous": [[73.5]]}
    block = mm.ContinuousEmbedding(mm.ContinuousFeatures(["age", "price"]), _dense(), aggregation="concat", name="c")
    assert block(BATCH).numpy().tolist() == [[73.5]]


def test_projection():
    assert mm.ContinuousProjection(SCHEMA, _dense())(BATCH).numpy().tolist() == [[73.5]]
    inputs = mm.InputBlockV2(SCHEMA, categorical=None, continuous=mm.ContinuousProjection(SCHEMA, _dense()))
    assert inputs(BATCH).numpy().tolist() == [[73.5]]


def test_used_wrongly():
    with pytest.raises(ConfigError, match="ContinuousEmbedding: inputs; expected a layer, got 'age'"):
        mm.ContinuousEmbedding("age", mm.Dense(1))
    with pytest.raises(ConfigError, match="ContinuousEmbedding: embedding_block; expected a layer, got 3"):
        mm.ContinuousEmbedding(mm.ContinuousFeatures(["age"]), 3)
    with pytest.raises(ConfigError, match="ContinuousProjection: projection; expected a layer, got 3"):
        mm.ContinuousProjection(SCHEMA, 3)
    with pytest.raises(SchemaError, match="nothing to project; expected columns tagged CONTINUOUS"):
        mm.ContinuousProjection(Schema([]), mm.Dense(1))
