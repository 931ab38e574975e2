"""Scores by the table that the input has."""

from __future__ import annotations

import numpy as np
import pytest
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import SchemaError

ITEM = mm.create_categorical_column("item_id", num_items=9, tags=[Tags.ITEM_ID], dtype="int64")
USER = mm.create_categorical_column("user_id", num_items=4, dtype="int64")


def test_the_table_of_the_input_is_found(tmp_path):
    tying = mm.ItemsPredictionWeightTying(Schema([USER, ITEM]), bias_initializer="ones")
    inputs = mm.Embeddings(Schema([USER, ITEM]), dim=3, aggregation="concat")
    model = mm.Model(inputs, mm.Dense(3), mm.CategoricalOutput(tying, "next"))
    batch = {"item_id": np.array([[1], [5]]), "user_id": np.array([[1], [2]])}
    scores = model.predict(batch, verbose=0)
    assert sorted(tuple(weight.shape) for weight in model.weights) == [(3,), (5, 3), (6, 3), (10,), (10, 3)]
    (rows,) = [weight for weight in model.weights if tuple(weight.shape) == (10, 3)]
    hidden = model.blocks[1](model.blocks[0](batch))
    np.testing.assert_allclose(scores, np.asarray(hidden) @ np.asarray(rows).T + 1.0, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    assert len(loaded.weights) == len(model.weights)
    np.testing.assert_array_equal(loaded.predict(batch, verbose=0), scores)


def test_the_schema_names_the_items():
    with pytest.raises(SchemaError, match="expected one column tagged ITEM_ID, got none among user_id"):
        mm.ItemsPredictionWeightTying(Schema([USER]))
