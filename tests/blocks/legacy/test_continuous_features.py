from __future__ import annotations

import numpy as np
import pytest
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError

SCHEMA = Schema(
    [
        mm.create_categorical_column("id", 9),
        mm.create_continuous_column("age", tags=[Tags.USER]),
        mm.create_continuous_column("price", tags=[Tags.ITEM]),
    ]
)
BATCH = {
    "price": np.array([[7.0], [8.0]], "float32"),
    "id": np.array([[1], [2]]),
    "age": np.array([[3.0], [4.0]], "float32"),
}


def _values(output):
    return {name: value.numpy().tolist() for name, value in output.items()}


def test_from_schema():
    block = mm.ContinuousFeatures.from_schema(SCHEMA, tags=Tags.CONTINUOUS)
    assert _values(block(BATCH)) == {"price": [[7], [8]], "age": [[3], [4]]}
    assert block.schema.column_names == ["age", "price"]
    # in alphabetical order: age, price
    together = mm.ContinuousFeatures.from_schema(SCHEMA, tags=[Tags.CONTINUOUS], aggregation="concat")
    assert together(BATCH).numpy().tolist() == [[3, 7], [4, 8]]


def test_from_features():
    assert _values(mm.ContinuousFeatures.from_features(["age"])(BATCH)) == {"age": [[3], [4]]}
    assert mm.ContinuousFeatures.from_features(["age"]).schema.select_by_tag(Tags.CONTINUOUS).column_names == ["age"]


def test_pre_and_post():
    block = mm.ContinuousFeatures(["age", "price"], pre=mm.Filter("age"), post=mm.AsTabular("kept"))
    assert _values(block(BATCH)["kept"]) == {"age": [[3], [4]]}


def test_no_such_columns():
    assert mm.ContinuousFeatures.from_schema(SCHEMA, tags=Tags.ITEM_ID) is None
    with pytest.raises(SchemaError, match=r"finds no column tagged Tags.ITEM_ID; got id, age, price"):
        mm.ContinuousFeatures.from_schema(SCHEMA, tags=Tags.ITEM_ID, allow_none=False)
    with pytest.raises(SchemaError, match="finds none of its features in the batch; expected hight, got price, id, ag"):
        mm.ContinuousFeatures(["hight"])(BATCH)


@pytest.mark.parametrize("features", [[], "age"])
def test_names_are_a_list(features):
    with pytest.raises(ConfigError, match="ContinuousFeatures: features; expected a list of names, got"):
        mm.ContinuousFeatures(features)
