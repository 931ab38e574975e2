"""The catalogue of a log: items without events have ids, and all items have their features."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role
from emrys.components.contracts.splits import ITEMS_FILE, Splits
from emrys.components.preprocess.step import PreprocessConfig, run

SCHEMA = DataSchema(
    (
        DataColumn("who", "string", Role.USER_ID),
        DataColumn("sku", "string", Role.ITEM_ID),
        DataColumn("shelf", "string", Role.ITEM),
        DataColumn("recent", "string", Role.HISTORY, is_list=True, history_of="sku", max_length=3),
    )
)


def test_every_item_of_the_catalogue_has_an_id(tmp_path):
    rows = pa.table(
        {
            "who": ["a", "b", "a", "c"],
            "sku": ["x", "x", "y", "x"],
            "shelf": ["low", "low", "high", "low"],
            "recent": [[], ["y"], ["x"], ["new", "gone"]],
        }
    ).cast(SCHEMA.arrow)
    items = pa.table({"sku": ["new", "y", "x"], "shelf": ["top", "high", None]})
    tables = dict.fromkeys(("train", "valid", "test"), rows)
    Splits.write(tmp_path / "splits", tables, {"dataset": "made"}, schema=SCHEMA, items=items)
    features = {
        "sku": [{"categorify": {"min_count": 2}}],
        "shelf": ["categorify"],
        "recent": {"history_of": "sku", "length": 3},
        "who": ["categorify"],
    }
    recipe = {"data": {"path": "made"}, "model": {"name": "two-tower"}, "features": features}
    data, workflow = run(
        tmp_path / "splits", PreprocessConfig(recipe=recipe), data=tmp_path / "data", workflow=tmp_path / "workflow"
    )
    # x has three rows and y one, which is less than two; new has none. Ids begin with 3.
    ops = {op.output.name: op for op in workflow.workflow.ops}
    assert ops["sku"].table.to_pydict() == {"value": ["x", "y", "new"], "count": [3, 1, 0]}
    transformed = pq.read_table(data.path / ITEMS_FILE)
    assert transformed.select(["sku", "shelf"]).to_pydict() == {"sku": [5, 4, 3], "shelf": [2, 4, 1]}
    assert set(transformed.column_names) == {"sku", "shelf"}
    assert data.read("train", ["recent"])["recent"].to_pylist() == [[], [4], [3], [5, 2]]
