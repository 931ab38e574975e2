"""Every fitted step of a workflow by hand, and what a damaged definition says."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from emrys.blocks.errors import ArtifactError, ConfigError, DataError
from emrys.blocks.workflow import (
    NULL_INT,
    Bucketize,
    Categorify,
    Clip,
    Cross,
    DatePart,
    Fill,
    FittedOp,
    FittedWorkflow,
    GroupCount,
    GroupMean,
    HashBucket,
    ListLength,
    Log,
    MinMax,
    NumberChain,
    OutputColumn,
    RawColumn,
    Standardize,
    Vectors,
)
from emrys.blocks.workflow.hash_bucket import hash_values


def apply(op: FittedOp, **columns: Any) -> list[Any]:
    out = FittedWorkflow([op]).transform({name: np.asarray(values) for name, values in columns.items()})
    values = out[op.output.name]
    return values.tolist() if op.output.is_list else values[:, 0].tolist()


def objects(*values: object) -> np.ndarray:
    return np.array([*values, None], dtype=object)[:-1]


def test_a_chain_of_numbers() -> None:
    # Filled with 0, clipped to 0..7, log(1 + x), then (x - log 2) / 0.5.
    steps = (Fill(0.0), Clip(0.0, 7.0), Log(), Standardize(math.log(2), 0.5))
    values = np.array([1, 7, 100, -5, np.nan, np.inf, -np.inf], np.float32)
    zero = -math.log(2) / 0.5
    expected = [0, math.log(4) / 0.5, math.log(4) / 0.5, zero, zero, zero, zero]
    np.testing.assert_allclose(apply(NumberChain("x", "float32", steps), x=values), expected, rtol=1e-6, atol=1e-7)
    integers = NumberChain("x", "int64", steps)
    np.testing.assert_allclose(apply(integers, x=[1, 7, 100, -5, NULL_INT]), expected[:5], rtol=1e-6, atol=1e-7)


def test_a_number_that_is_still_missing_gets_the_value_for_it() -> None:
    op = NumberChain("x", "float32", (Log(), MinMax(0.0, math.log(5))), missing=0.25)
    # log 1, log 5 and log 25 over log 5; there is no logarithm of 1 + x for x of -1 and less.
    values = np.array([0, 4, 24, -1, -2, np.nan], np.float32)
    np.testing.assert_allclose(apply(op, x=values), [0, 1, 2, 0.25, 0.25, 0.25], rtol=1e-6)
    assert apply(NumberChain("x", "float32", (MinMax(3.0, 3.0),)), x=np.float32([3, 4])) == [0, 1]
    assert apply(NumberChain("x", "float32", (Standardize(0.0, 1e-30),)), x=np.float32([3e38])) == [
        float(np.finfo(np.float32).max)
    ]


def test_chains_of_lists_and_of_vectors() -> None:
    rows = np.array([[1, np.nan, 3], [np.nan, np.nan, 5], [np.nan] * 3], np.float32)
    half = (Standardize(0.0, 2.0),)
    lists = NumberChain("x", "float32", half, is_list=True)
    np.testing.assert_array_equal(
        apply(lists, x=rows), [[0.5, 1.5, np.nan], [2.5, np.nan, np.nan], [np.nan, np.nan, np.nan]]
    )
    last = NumberChain("x", "float32", half, is_list=True, keep=-1)
    np.testing.assert_array_equal(apply(last, x=rows), [[1.5], [2.5], [np.nan]])
    vectors = NumberChain("x", "float32", half, missing=9.0, is_list=True, length=3)
    assert apply(vectors, x=rows) == [[0.5, 9.0, 1.5], [9.0, 9.0, 2.5], [9.0, 9.0, 9.0]]
    assert vectors.output == OutputColumn("x", "float32", True, None, "x", "number_chain", length=3)
    with pytest.raises(DataError, match=r"column 'x': the column has the wrong shape; expected \(B, 3\), got \(3, 2\)"):
        apply(vectors, x=rows[:, :2])


def test_tables_of_lists_of_numbers() -> None:
    lists = NumberChain("x", "float32", (), is_list=True)
    vectors = NumberChain("v", "float32", (), missing=7.0, is_list=True, length=2)
    table = pa.table(
        {
            "x": pa.array([[0.0, None, 2.0], None, []], pa.list_(pa.float64())),
            "v": pa.array([[1.0, None], None, [0.0, 3.0]], pa.list_(pa.float32(), 2)),
        }
    )
    out = FittedWorkflow([lists, vectors]).transform_table(table)
    assert out["x"].to_pylist() == [[0.0, 2.0], [], []]
    assert out["v"].to_pylist() == [[1.0, 7.0], [7.0, 7.0], [0.0, 3.0]]


def test_categories_of_the_first_and_of_the_last_elements() -> None:
    known = pa.table({"value": ["a", "b", "c"], "count": [3, 2, 1]})
    rows = np.array([["a", "", "b", "c"], ["c", "?", "", ""], ["", "", "", ""]], dtype=object)
    op = Categorify("tags", "string", known, is_list=True, keep=2)
    assert apply(op, tags=rows) == [[3, 4], [5, 2], [0, 0]]
    op = Categorify("tags", "string", known, is_list=True, keep=-2, name="recent")
    assert apply(op, tags=rows) == [[4, 5], [5, 2], [0, 0]]
    assert op.output.name == "recent"
    assert apply(Categorify("tags", "string", known, is_list=True, keep=-9), tags=rows[:1]) == [[3, 4, 5, 0]]


def test_hashes_are_the_same_everywhere() -> None:
    # BLAKE2b with a digest of eight bytes, as `printf a | b2sum -l 64` prints it, little-endian.
    column = RawColumn("x", "string")
    found = hash_values(column, objects("a", b"a", "", None, math.nan))
    assert found.tolist() == [int.from_bytes(bytes.fromhex("40f89e395b66422f"), "little")] * 2 + [0, 0, 0]
    # The first two outputs of SplitMix64 that was seeded with 0 are those of 0 and of its increment.
    numbers = np.array([0, 0x9E3779B97F4A7C15 - 2**64, NULL_INT])
    assert hash_values(RawColumn("x", "int64"), numbers).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0]


def test_hash_buckets() -> None:
    op = HashBucket("x", "int64", 10)
    # 0xE220A8397B1DCDAF is 16294208416658607535 and 0x6E789E6AA1B965F4 7960286522194355700.
    assert apply(op, x=[0, 0x9E3779B97F4A7C15 - 2**64, NULL_INT]) == [8, 3, 1]
    assert op.output.cardinality == 13
    lists = HashBucket("x", "int64", 10, is_list=True, keep=1)
    rows = [[NULL_INT, 0x9E3779B97F4A7C15 - 2**64, 0], [NULL_INT] * 3]
    assert apply(lists, x=rows) == [[3], [0]]
    many = apply(HashBucket("x", "int64", 7), x=np.arange(7000))
    assert {3, 9} == {min(many), max(many)}
    assert max(abs(many.count(bucket) - 1000) for bucket in range(3, 10)) < 100
    with pytest.raises(DataError, match="column 'x': the values are not strings; expected str or bytes, got int"):
        apply(HashBucket("x", "string", 10), x=objects("a", 3))


def test_crosses() -> None:
    columns = (RawColumn("a", "int64"), RawColumn("b", "string"))
    op = Cross(columns, 1000, "a_x_b")
    rows = {"a": [1, 1, 2, 1, NULL_INT, NULL_INT], "b": objects("u", "v", "u", b"u", "u", "")}
    first, second, third, again, half, null = apply(op, **rows)
    assert len({first, second, third, half}) == 4
    assert (again, null) == (first, 1)
    other_way = Cross(columns[::-1], 1000, "b_x_a")
    assert apply(other_way, **rows)[0] != first
    assert op.output == OutputColumn("a_x_b", "int64", False, 1003, "a", "cross", other_sources=("b",))
    assert [column.name for column in FittedWorkflow([op]).raw_columns] == ["a", "b"]


def test_buckets_of_numbers() -> None:
    op = Bucketize("x", "float32", (0.0, 10.0))
    values = np.array([-1, 0, 9.5, 10, 99, np.nan, np.inf, -np.inf], np.float32)
    assert apply(op, x=values) == [3, 4, 4, 5, 5, 1, 1, 1]
    assert op.output.cardinality == 6
    assert apply(Bucketize("x", "int64", (0.0, 10.0)), x=[-1, 10, NULL_INT]) == [3, 5, 1]


def test_counts_and_means_by_group() -> None:
    counts = pa.table({"value": ["a", "b", None], "count": [3, 1, 7]})
    op = GroupCount("shop", "string", counts, mean=math.log(2), std=math.log(2))
    # log 4, log 2, log 8 and, without rows, log 1: minus log 2, over log 2
    np.testing.assert_allclose(apply(op, shop=objects("a", "b", "", "?")), [1, 0, 2, -1], atol=1e-6)
    means = pa.table({"value": [5, 6], "mean": [10.0, 20.0]})
    op = GroupMean("shop", "int64", "price", means, overall=15.0, mean=10.0, std=5.0)
    assert apply(op, shop=[5, 6, 7, NULL_INT]) == [0, 2, 1, 1]
    assert op.output.name == "shop_mean_price"


TIMES = [
    datetime.datetime(1969, 12, 31, 23, 59, 59),
    datetime.datetime(1970, 1, 1),
    datetime.datetime(2000, 2, 29, 12, 30),
    datetime.datetime(2024, 12, 31, 23, 0, 1),
    datetime.datetime(2026, 11, 28, 9, 5),
]


@pytest.mark.parametrize(("unit", "ticks"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_parts_of_dates(unit: str, ticks: int) -> None:
    seconds = [round(time.replace(tzinfo=datetime.UTC).timestamp()) for time in TIMES]
    times = np.array([*(second * ticks for second in seconds), NULL_INT])

    def found(part: Any, low: int, high: int) -> list[int]:
        return apply(DatePart("ts", part, unit, low, high), ts=times)

    assert found("hour", 0, 23) == [*(3 + time.hour for time in TIMES), 1]
    assert found("weekday", 0, 6) == [*(3 + time.weekday() for time in TIMES), 1]
    assert found("day", 1, 31) == [*(2 + time.day for time in TIMES), 1]
    assert found("month", 1, 12) == [*(2 + time.month for time in TIMES), 1]
    assert found("year", 1970, 2024) == [2, 3, 33, 57, 2, 1]  # years outside of the train split are unseen
    assert DatePart("ts", "year", unit, 1970, 2024).output.cardinality == 58
    assert found("hour", 0, 23)[0] == 26


def test_times_at_the_ends_of_the_range() -> None:
    ends = np.array([2**63 - 1, -(2**63) + 1])
    for part, low, high in (("hour", 0, 23), ("weekday", 0, 6), ("day", 1, 31), ("month", 1, 12)):
        for unit in ("s", "ns"):
            ids = apply(DatePart("ts", part, unit, low, high), ts=ends)  # type: ignore[arg-type]
            assert all(3 <= number <= 3 + high - low for number in ids)


def test_lengths_of_lists() -> None:
    rows = np.array([["a", "", "b"], ["", None, ""], ["a", "b", "c"]], dtype=object)
    assert apply(ListLength("tags", "string", mean=1.0, std=2.0), tags=rows) == [0.5, -0.5, 1.0]
    assert apply(ListLength("tags", "float32", 0.0, 1.0), tags=np.float32([[1, np.nan], [0, 0]])) == [1, 2]


def test_vectors_by_key() -> None:
    table = pa.table({"value": [7, 8], "vector": pa.array([[1, 2], [3, 4]], pa.list_(pa.float32()))})
    op = Vectors("sku", "int64", table, 2, "sku_image")
    ids = Categorify("sku", "int64", pa.table({"value": [9, 8], "count": [2, 1]}))
    workflow = FittedWorkflow([ids, op])
    out = workflow.transform({"sku": np.array([8, 7, 9, NULL_INT])})
    assert out["sku_image"].tolist() == [[3, 4], [1, 2], [0, 0], [0, 0]]
    assert out["sku"].ravel().tolist() == [4, 2, 3, 1]
    table = workflow.transform_table(pa.table({"sku": [7, None]}))
    assert table["sku_image"].to_pylist() == [[1, 2], [0, 0]]
    assert op.output == OutputColumn("sku_image", "float32", True, None, "sku", "vectors", length=2)


EVERY: tuple[FittedOp, ...] = (
    NumberChain("x", "float32", (Fill(1.0), Clip(None, 3.0), Log(), Standardize(1.0, 2.0), MinMax(0.0, 2.0)), 0.5),
    NumberChain("v", "float32", (), is_list=True, length=2, name="w"),
    Bucketize("x", "float32", (0.5, 1.5), "x_bucket"),
    HashBucket("shop", "string", 50, name="shop_hash"),
    Cross((RawColumn("shop", "string"), RawColumn("ts", "int64")), 20, "cross"),
    GroupCount("shop", "string", pa.table({"value": ["a", None], "count": [3, 7]}), 0.5, 0.25),
    GroupMean("shop", "string", "x", pa.table({"value": ["a"], "mean": [1.0]}), 2.0, 0.5, 0.25),
    DatePart("ts", "weekday", "ms", 0, 6),
    DatePart("ts", "year", "ms", 1999, 2001),
    ListLength("tags", "int64", 0.5, 0.25),
    HashBucket("tags", "int64", 9, is_list=True, keep=-2),
    Categorify("shop", "string", pa.table({"value": ["a"], "count": [3]}), name="shop", keep=0),
    Vectors(
        "shop", "string", pa.table({"value": ["a"], "vector": pa.array([[1, 2, 3]], pa.list_(pa.float32()))}), 3, "im"
    ),
)  # fmt: skip


def test_every_step_survives_its_files(tmp_path: Path) -> None:
    workflow = FittedWorkflow(EVERY)
    workflow.save(tmp_path / "w")
    again = FittedWorkflow.load(tmp_path / "w")
    assert again.ops == EVERY
    rows = {
        "x": np.float32([1, np.nan, 9]),
        "v": np.float32([[1, 2], [np.nan, 3], [4, 5]]),
        "shop": objects("a", "", "b"),
        "ts": np.array([0, 10**12, NULL_INT]),
        "tags": np.array([[1, NULL_INT, 3], [4, 5, 6], [NULL_INT] * 3]),
    }
    once, twice = workflow.transform(rows), again.transform(rows)
    assert {name: values.shape for name, values in once.items()} == {
        **dict.fromkeys((op.output.name for op in EVERY), (3, 1)),
        "w": (3, 2),
        "tags": (3, 2),
        "im": (3, 3),
    }
    for name, values in once.items():
        np.testing.assert_array_equal(twice[name], values)


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (
            0,
            {"steps": [{"step": "exec"}]},
            "a chain of numbers has no step 'exec'; expected fill, clip, log, normalize",
        ),
        (0, {"steps": [{"step": "fill", "value": "1"}]}, "column 'x'"),
        (0, {"dtype": "string"}, "the column holds strings; expected numbers"),
        (2, {"boundaries": [2, 1]}, r"the boundaries are \(2.0, 1.0\); expected ascending finite numbers"),
        (3, {"buckets": 0}, "buckets is 0; expected a whole number of at least 1"),
        (4, {"columns": [{"name": "ts", "dtype": "int64"}]}, "cannot be crossed; expected two or more columns"),
        (7, {"high": 9}, "weekday from 0 to 9; expected"),
        (7, {"unit": "h"}, "the unit is 'h'; expected s, ms, us, ns"),
        (8, {"low": 2002}, "low is 2002 and high 2001"),
        (9, {"std": -1}, "std 0 or more"),
        (12, {"length": 2}, r"the vectors have the lengths \[3\]; expected 2 alone"),
    ],
)
def test_damaged_definitions(tmp_path: Path, number: int, changes: dict[str, Any], message: str) -> None:
    FittedWorkflow(EVERY).save(tmp_path / "w")
    file = tmp_path / "w" / "workflow.json"
    stored = json.loads(file.read_text())
    stored["ops"][number].update(changes)
    file.write_text(json.dumps(stored))
    with pytest.raises(ArtifactError, match=message) as caught:
        FittedWorkflow.load(tmp_path / "w")
    assert f"step {number} does not fit" in str(caught.value)


def test_columns_that_are_read_in_two_ways() -> None:
    with pytest.raises(ConfigError, match="column 'ts': two steps read the column differently"):
        FittedWorkflow([DatePart("ts", "hour", "s", 0, 23), NumberChain("ts", "float32", ())])
