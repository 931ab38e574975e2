from __future__ import annotations

import pyarrow as pa
import pytest

from emrys.blocks.errors import DataError
from emrys.components.serving.columns import Column
from emrys.components.serving.parity import comparison_rows

COLUMNS = (Column("id", "int64"), Column("year", "float32"), Column("tags", "string", is_list=True))
SCHEMA = pa.schema({"id": pa.int64(), "year": pa.float32(), "tags": pa.list_(pa.string()), "label": pa.int8()})


def table(rows):
    rows_ = [{"id": i, "year": 1990.0 + i, "tags": ["a"], "label": i % 2} for i in range(rows)]
    return pa.Table.from_pylist(rows_, schema=SCHEMA)


def test_rows_are_chosen_by_seed_and_keep_their_order():
    first = comparison_rows(table(500), COLUMNS, rows=50, seed=3)["id"].to_pylist()[:50]
    assert first == sorted(first)
    assert len(set(first)) == 50
    assert first == comparison_rows(table(500), COLUMNS, rows=50, seed=3)["id"].to_pylist()[:50]
    assert first != comparison_rows(table(500), COLUMNS, rows=50, seed=4)["id"].to_pylist()[:50]


def test_edge_cases_follow_the_sample():
    rows = comparison_rows(table(1), COLUMNS, rows=1000, seed=0)
    assert rows.schema == SCHEMA
    unseen = 2**53 + 1
    real = {"id": 0, "year": 1990.0, "tags": ["a"], "label": 0}
    mixed = ["a", "~ unseen ~", "a"]
    assert rows.to_pylist() == [
        real,
        {**real, "id": None},
        {**real, "id": unseen},
        {**real, "year": None},
        {**real, "year": 0.0},
        {**real, "tags": None},
        {**real, "tags": []},
        {**real, "tags": ["~ unseen ~"]},
        {**real, "tags": mixed},
        {**real, "id": None, "year": None, "tags": []},
        {**real, "id": unseen, "year": 0.0, "tags": mixed},
    ]


def test_empty_tables_and_missing_columns_are_refused():
    with pytest.raises(DataError, match="no held-out rows"):
        comparison_rows(table(0), COLUMNS, rows=10, seed=0)
    with pytest.raises(DataError, match=r"column 'year': .*; got id, tags, label"):
        comparison_rows(table(5).drop(["year"]), COLUMNS, rows=10, seed=0)
