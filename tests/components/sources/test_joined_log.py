"""Side tables by hand: joined by key, or as of the event's time."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import DataError
from emrys.components.recipe.recipe import Recipe
from emrys.components.sources.joined_log import JoinedLog

START = 1_790_812_800  # 2026-10-01
EVENTS = {"visitor": ["v1", "v2", "v1", "v3"], "sku": [1, 2, 9, 1], "at": [100, 200, 300, 400]}
ITEMS = {"sku": [1, 2, 3], "price": [1.5, 2.5, 3.5], "tags": [["a"], [], None]}


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return str(path)


def joined(folder, tables, **events):
    data = {"path": write(folder / "events.parquet", **{**EVENTS, **events})}
    return JoinedLog(Recipe.model_validate({"data": data, "tables": tables, "model": {"name": "mlp"}}))


def items(folder, **columns):
    return {"items": {"path": write(folder / "items.parquet", **{**ITEMS, **columns}), "key": "sku"}}


def test_by_key(tmp_path):
    log = joined(tmp_path, items(tmp_path))
    table = log.read()
    assert table.column_names == ["visitor", "sku", "at", "price", "tags"]
    assert table["price"].to_pylist() == [1.5, 2.5, None, 1.5]
    assert table["tags"].to_pylist() == [["a"], [], None, ["a"]]
    assert log.head(2).to_pylist() == table.slice(0, 2).to_pylist()
    assert log.table_columns == {"items": ("price", "tags")}
    # The log has the items 1, 2 and 9; 9, in one row, is not in the table, and its 3 has no events.
    assert log.counts == {
        "items": {"rows": 3, "log_keys": 3, "log_keys_missing": 1, "log_rows_missing": 1, "keys_without_events": 1}
    }
    assert log.items(["price", "color"]).to_pydict() == {"sku": [1, 2, 3], "price": [1.5, 2.5, 3.5]}
    assert log.read(["price"]).to_pydict() == {"price": [1.5, 2.5, None, 1.5]}


def test_a_key_of_another_name_and_width(tmp_path):
    path = write(tmp_path / "items.parquet", code=pa.array([2, 1], pa.int16()), price=[2, 1])
    log = joined(tmp_path, {"items": {"path": path, "key": "code", "log_key": "sku"}})
    assert log.read()["price"].to_pylist() == [1, 2, None, 1]
    assert log.items(["price"]).column_names == ["sku", "price"]


USERS = {"who": ["v1", "v2", "v1", "v1"], "since": [250, 50, 50, 300], "plan": ["b", "x", "a", "c"]}


def test_as_of_the_time_of_the_event(tmp_path):
    table = {"path": write(tmp_path / "users.parquet", **USERS), "key": "who", "log_key": "visitor", "time": "since"}
    log = joined(tmp_path, {"users": table}, visitor=["v1", "v2", "v1", "v2"])
    # v1 has a from 50 on, b from 250 and c from 300: a at 100, c at 300 itself. v2 has x from 50 on.
    assert log.read(time="at", unit="s")["plan"].to_pylist() == ["a", "x", "c", "x"]
    # Before the first row nothing is known.
    log = joined(tmp_path, {"users": table}, at=[49, 400, 299, 100])
    assert log.read(time="at", unit="s")["plan"].to_pylist() == [None, "x", "b", None]
    assert log.counts["users"] == {
        "rows": 4, "log_keys": 3, "log_keys_missing": 1, "log_rows_missing": 2, "keys_without_events": 0
    }  # fmt: skip
    # The first rows, from which types are inferred, have the latest row of each key.
    assert log.head(2)["plan"].to_pylist() == ["c", "x"]


def test_as_of_a_time_of_another_unit(tmp_path):
    since = [datetime.datetime(2026, 10, 1, hour, tzinfo=datetime.UTC) for hour in (1, 0)]
    users = write(tmp_path / "users.parquet", who=["v1", "v1"], since=since, plan=["b", "a"])
    table = {"path": users, "key": "who", "log_key": "visitor", "time": "since"}
    at = [(START + 3599) * 1000, START * 1000, (START + 3600) * 1000, START * 1000]
    log = joined(tmp_path, {"users": table}, visitor=["v1"] * 4, at=at)
    assert log.read(time="at", unit="ms")["plan"].to_pylist() == ["a", "a", "b", "a"]


@pytest.mark.parametrize(
    "texts", [["2026-10-01T01:00:00Z", "2026-10-01T00:00:00Z"], ["2026-10-01 01:00", "2026-10-01"]]
)
def test_as_of_times_as_texts(tmp_path, texts):
    users = write(tmp_path / "users.parquet", who=["v1", "v1"], since=texts, plan=["b", "a"])
    table = {"path": users, "key": "who", "log_key": "visitor", "time": "since"}
    at = [START, START + 3599, START + 3600, START - 1]
    log = joined(tmp_path, {"users": table}, visitor=["v1"] * 4, at=at)
    assert log.read(time="at", unit="s")["plan"].to_pylist() == ["a", "a", "b", None]


def test_tables_that_cannot_be_joined(tmp_path):
    def error_of(tables, **events):
        with pytest.raises(DataError) as error:
            joined(tmp_path, tables, **events).read()
        return str(error.value).replace(str(tmp_path), "")

    assert error_of(items(tmp_path, sku=[1, 2, 1])) == (
        "/items.parquet: column 'sku': the key has several rows; expected one row of each key, got 2 of 1. Remove the "
        "others, or name the column of the time in tables.items.time."
    )
    assert error_of(items(tmp_path, sku=["1", "2", "3"])) == (
        "/items.parquet: column 'sku': the key is of another type than in the log; expected int64 as 'sku' of the log, "
        "got string. Write both with one type."
    )
    assert error_of(items(tmp_path, sku=[1, None, 3])) == (
        "/items.parquet: column 'sku': keys are missing; expected a key in every row, got 1 nulls. Remove these rows."
    )
    assert error_of(items(tmp_path, visitor=["a", "b", "c"])) == (
        "/items.parquet: column 'visitor': the table items and the log both have the column. Rename it in one of them."
    )
    path = str(tmp_path / "items.parquet")
    assert error_of({"items": {"path": path, "key": "code"}}) == (
        "/items.parquet: column 'code': the column is missing; got sku, price, tags, visitor. Correct tables.items.key."
    )
    assert error_of({"items": {"path": path, "key": "price"}}) == (
        "/events.parquet: column 'price': the log has no key of the table items; got visitor, sku, at. Name its column "
        "in tables.items.log_key."
    )
    write(tmp_path / "items.parquet", **ITEMS, since=[1, 2, 3])
    assert error_of({"items": {"path": path, "key": "sku", "time": "since"}}) == (
        "/items.parquet: column 'since': the table items has a time, but the log has none. Name the log's in "
        "columns.time, or remove tables.items.time."
    )
