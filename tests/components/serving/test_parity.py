from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from emrys.blocks.errors import DataError, ParityError
from emrys.blocks.workflow import Fill, FittedWorkflow, HashBucket, NumberChain
from emrys.components.serving.columns import Column
from emrys.components.serving.parity import amounts_of, check_close, comparison_rows

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
    mixed = ["a", None, "~ unseen ~", "a"]
    assert rows.to_pylist() == [
        real,
        {**real, "id": None},
        {**real, "id": unseen},
        {**real, "year": None},
        {**real, "year": pytest.approx(math.nan, nan_ok=True)},
        {**real, "year": 0.0},
        {**real, "tags": None},
        {**real, "tags": []},
        {**real, "tags": [None]},
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


def test_vectors_have_edge_cases_of_their_length():
    columns = (Column("vector", "float32", True, length=2),)
    table_ = pa.table({"vector": pa.array([[1.0, 2.0]], pa.list_(pa.float32()))})
    rows = comparison_rows(table_, columns, rows=1, seed=0)["vector"].to_pylist()
    assert rows == [[1.0, 2.0], None, [None, None], [None, 0.0], [0.0, 0.0], None, [0.0, 0.0]]


def test_a_tolerance_is_relative_above_one():
    offline = np.array([[0.5, 1000.0]])
    assert check_close("x", offline, offline + np.array([5e-5, 0.05]), 1e-4) == pytest.approx(0.05)
    with pytest.raises(ParityError, match=r"column 'x': .* row 0, value 1 .*expected 1000\.0 .*, got 1000\.2"):
        check_close("x", offline, offline + np.array([0, 0.2]), 1e-4)
    with pytest.raises(ParityError, match="row 0, value 0"):
        check_close("x", offline, offline + np.array([0.0002, 0]), 1e-4)
    with pytest.raises(ParityError, match=r"expected \(1, 2\), got \(2, 1\)"):
        check_close("x", offline, offline.T, 1e-4)


def test_the_odd_value_of_an_amount_is_small():
    """A cross network takes the power of a number, which is no longer finite for 2**53."""
    workflow = FittedWorkflow([NumberChain("id", "int64", (Fill(0.0),)), HashBucket("tags", "string", 5, is_list=True)])
    assert amounts_of(workflow) == {"id"}
    ids = comparison_rows(table(1), COLUMNS, rows=1, seed=0, amounts=amounts_of(workflow))["id"].to_pylist()
    assert ids == [0, None, *[0] * 9, None, 0]
