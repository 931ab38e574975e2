"""Ingest of logs with names of their own, by recipe; everything is small enough to check by hand."""

from __future__ import annotations

import datetime
import decimal
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emrys.blocks.datasets import movielens_like
from emrys.blocks.errors import DataError, EmrysError
from emrys.components.contracts.data_schema import Role, TargetKind
from emrys.components.ingest.step import IngestConfig, run
from emrys.components.recipe.faults import RecipeError
from emrys.components.recipe.recipe import Recipe

START = 1_790_812_800  # 2026-10-01
SPLITS = ("train", "valid", "test")


def log(rows=20, **replaced):
    """Events of two visitors, one a minute; every other one is a purchase."""
    columns = {
        "visitor": [f"v{i % 2}" for i in range(rows)],
        "sku": [i % 7 for i in range(rows)],
        "ts": [START + 60 * i for i in range(rows)],
        "bought": [i // 2 % 2 for i in range(rows)],
        "price": [1.0 + i for i in range(rows)],
    }
    return {name: values for name, values in {**columns, **replaced}.items() if values is not None}


COLUMNS = {"user_id": "visitor", "item_id": "sku", "time": "ts", "targets": {"bought": "binary"}}


def recipe(folder, events=None, columns=None, model="mlp", **sections):
    """A recipe of a log in `folder`, of `log()` unless `events` are given."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(log() if events is None else events), folder / "events.parquet")
    said = {**COLUMNS, **(columns or {})}
    return Recipe.model_validate(
        {
            "version": 1,
            "data": {"path": str(folder / "events.parquet")},
            "columns": {name: value for name, value in said.items() if value is not None},
            "model": {"name": model},
            **sections,
        }
    )


def ingest(folder, *arguments, **sections):
    return run(IngestConfig(recipe=recipe(folder / "data", *arguments, **sections), seed=1), folder / "splits")


def error_of(folder, *arguments, **sections):
    with pytest.raises(EmrysError) as error:
        ingest(folder, *arguments, **sections)
    assert error.value.exit_status == 2
    text = str(error.value).removeprefix(f"ingest: {folder}/data/events.parquet: ")
    return text.removeprefix("1 fault in the recipe\n  ")


def column(splits, name):
    return [splits.read(split)[name].to_pylist() for split in SPLITS]


HALF = {"by": "time", "valid": 0.2, "test": 0.2}


def test_columns_and_metadata(tmp_path):
    splits = ingest(tmp_path, split=HALF)
    schema = splits.data_schema
    assert schema.names == ("visitor", "sku", "ts", "price")
    assert (schema.user_id, schema.item_id, schema.time) == ("visitor", "sku", "ts")
    assert schema.column("ts").unit == "s"
    assert splits.columns == ("visitor", "sku", "ts", "price", "bought")
    assert splits.metadata["rows"] == {"train": 12, "valid": 4, "test": 4}
    assert splits.metadata["positives"] == {"bought": {"train": 6, "valid": 2, "test": 2}}
    times = splits.metadata["time_range"]
    assert times["valid"] == [START + 60 * 12, START + 60 * 15]
    assert (splits.metadata["best_auc"], splits.metadata["dropped"], splits.metadata["joined"]) == (None, {}, {})
    assert splits.metadata["config"]["recipe"]["columns"]["user_id"] == "visitor"
    assert splits.items is None


def test_types_become_those_of_the_splits(tmp_path):
    ids = [uuid.UUID(int=i % 2) for i in range(20)]
    day = datetime.date(2026, 10, 1)
    events = log(
        visitor=pa.array([each.bytes for each in ids], pa.binary(16)),
        sku=pa.array([2**63 + i % 7 for i in range(20)], pa.uint64()),
        ts=pa.array([datetime.datetime(2026, 10, 1, 12, i) for i in range(20)], pa.timestamp("ms")),
        bought=pa.array([i // 2 % 2 == 1 for i in range(20)]),
        price=pa.array([decimal.Decimal(i) / 4 for i in range(20)], pa.decimal128(6, 2)),
        kind=pa.array(["a", "b"] * 10).dictionary_encode(),
        weekend=[True, None] * 10,
        opened=[day + datetime.timedelta(days=i) for i in range(20)],
        codes=pa.array([[1, None, 2], []] * 10, pa.large_list(pa.int16())),
        vector=pa.array([[i, 0.5, 1] for i in range(20)], pa.list_(pa.float64(), 3)),
    )
    features = {name: [] for name in ("kind", "weekend", "opened", "codes", "vector", "price")}
    splits = ingest(tmp_path, events, split=HALF, features=features)
    row = splits.read("train").to_pylist()[1]
    noon = int(datetime.datetime(2026, 10, 1, 12, 1, tzinfo=datetime.UTC).timestamp())
    assert row == {
        "visitor": str(ids[1]),
        "sku": str(2**63 + 1),
        "ts": noon * 1000,
        "price": 0.25,
        "kind": "b",
        "weekend": None,
        "opened": START + 86_400,
        "codes": [],
        "vector": [1.0, 0.5, 1.0],
        "bought": 0,
    }
    first = splits.read("train").to_pylist()[0]
    assert (first["weekend"], first["codes"]) == (1, [1, 2])
    types = {each.name: each.dtype for each in splits.data_schema.columns}
    assert (types["price"], types["weekend"], types["codes"]) == ("float32", "int64", "int64")
    assert splits.data_schema.column("vector").length == 3


def test_times_as_texts_and_floats(tmp_path):
    texts = [f"2026-10-01T00:{i:02}:00Z" for i in range(20)]
    first = ingest(tmp_path / "a", log(ts=texts), split=HALF).read("train")["ts"].to_pylist()[:2]
    second = ingest(tmp_path / "b", log(ts=[START + 60.9 * i for i in range(20)]), split=HALF)
    assert first == [START, START + 60]
    assert second.read("train")["ts"].to_pylist()[:3] == [START, START + 60, START + 121]


# Targets.


def test_targets_of_events_and_of_thresholds(tmp_path):
    kinds = ["view", "buy", "cart", "view", "buy"] * 4
    columns = {
        "targets": {"dear": {"from": "price", "above": 10}},
        "events": {"column": "action", "targets": {"click": ["cart", "buy"], "buy": "buy"}},
    }
    splits = ingest(
        tmp_path, log(action=kinds, bought=None), columns, split={"by": "random", "valid": 0.3, "test": 0.3}
    )
    assert [target.name for target in splits.data_schema.targets] == ["click", "buy", "dear"]
    for split in SPLITS:
        for row in splits.read(split).to_pylist():
            action = row["action"]
            assert (row["click"], row["buy"]) == (int(action in ("cart", "buy")), int(action == "buy"))
            assert row["dear"] == int(row["price"] > 10)
    assert splits.data_schema.column("price").role is Role.SOURCE
    assert splits.data_schema.column("action").role is Role.EVENT


def test_regression_and_classes(tmp_path):
    kinds = ["low", "mid", "high", "mid"] * 5
    columns = {"targets": {"price": "regression", "level": "classes"}}
    splits = ingest(tmp_path, log(bought=None, level=kinds), columns, split=HALF)
    price, level = splits.data_schema.targets
    assert (price.kind, level.kind) == (TargetKind.REGRESSION, TargetKind.CLASSES)
    assert level.classes == ("high", "low", "mid")  # sorted
    assert column(splits, "level")[2] == [1, 2, 0, 2]
    assert column(splits, "price")[2] == [17.0, 18.0, 19.0, 20.0]
    assert splits.read("test").schema.field("price").type == pa.float32()
    assert "level" not in splits.data_schema.names


def test_classes_that_the_first_rows_lack(tmp_path):
    stars = [i % 3 for i in range(20_000)] + [9]
    columns = {"targets": {"stars": "classes"}}
    splits = ingest(tmp_path, log(20_001, bought=None, stars=stars), columns, split=HALF)
    assert splits.data_schema.target("stars").classes == (0, 1, 2, 9)
    assert column(splits, "stars")[2][-1] == 3


def test_implicit_feedback_has_no_target_and_several_rows_of_a_pair(tmp_path):
    columns = {"targets": None, "feedback": "implicit"}
    splits = ingest(tmp_path, log(bought=None, sku=[5] * 20), columns, "two-tower", split={"by": "per_user"})
    assert splits.data_schema.is_implicit
    assert sum(splits.metadata["rows"].values()) == 20
    assert splits.metadata["positives"] == {}


# Rows that are left out.


def test_nulls_are_dropped_and_counted(tmp_path):
    events = log(visitor=[None, "v1"] + ["v0", "v1"] * 9, bought=[0, 1, None] + [0, 1] * 8 + [0])
    splits = ingest(tmp_path, events, {"nulls": "drop"}, split=HALF)
    assert splits.metadata["dropped"] == {"null": 2}
    assert sum(splits.metadata["rows"].values()) == 18
    assert column(splits, "price")[0][:3] == [2.0, 4.0, 5.0]


def test_nulls_after_the_first_rows_are_refused(tmp_path):
    visitors = [f"v{i % 9}" for i in range(12_000)]
    visitors[11_000] = ""
    assert error_of(tmp_path, log(12_000, visitor=visitors)) == (
        "column 'visitor': values are missing; expected a value in every row, got 1 nulls in 12000 rows. Set "
        "columns.nulls to drop, or correct the rows."
    )


def test_events_that_are_too_young_are_left_out(tmp_path):
    # The last of 20 events is at minute 19: of those later than minute 14 the label may still arrive.
    splits = ingest(tmp_path, split={**HALF, "label_window": "5m"})
    assert splits.metadata["dropped"] == {"label_window": 5}
    # 15 are left: three are test, three valid.
    assert column(splits, "price") == [
        [float(i) for i in span] for span in (range(1, 10), range(10, 13), range(13, 16))
    ]


def test_the_window_counts_in_the_unit_of_the_time(tmp_path):
    splits = ingest(
        tmp_path, log(ts=[(START + 60 * i) * 1000 for i in range(20)]), split={**HALF, "label_window": "5m"}
    )
    assert splits.metadata["dropped"] == {"label_window": 5}


def test_users_with_few_events_are_left_out(tmp_path):
    visitors = ["a"] * 10 + ["b"] * 4 + ["c"] * 6
    splits = ingest(tmp_path, log(visitor=visitors), split={**HALF, "min_events": 5})
    assert splits.metadata["dropped"] == {"min_events": 4}
    assert {row for split in column(splits, "visitor") for row in split} == {"a", "c"}


# Splits.


def test_last_per_user(tmp_path):
    splits = ingest(tmp_path, split={"by": "last_per_user", "valid": 2, "test": 2})
    assert column(splits, "price")[1:] == [[13.0, 14.0, 15.0, 16.0], [17.0, 18.0, 19.0, 20.0]]
    # Without numbers it is one each.
    splits = ingest(tmp_path, log(bought=[0, 1, 1, 0] * 5), split={"by": "last_per_user"})
    assert column(splits, "price")[1:] == [[17.0, 18.0], [19.0, 20.0]]


def test_by_session(tmp_path):
    # Five sessions that begin one after the other, each before the last one has ended.
    visits = [0, 0, 1, 0, 1, 0, 2, 1, 2, 1, 2, 3, 2, 3, 3, 4, 3, 4, 4, 4]
    splits = ingest(tmp_path, log(visit=visits), {"session_id": "visit"}, split={**HALF, "by": "session"})
    assert [set(each) for each in column(splits, "visit")] == [{0, 1, 2}, {3}, {4}]
    assert splits.metadata["rows"] == {"train": 12, "valid": 4, "test": 4}


def test_by_a_column(tmp_path):
    parts = ["train"] * 12 + ["test"] * 4 + ["valid"] * 4
    splits = ingest(tmp_path, log(fold=parts), split={"by": "column", "column": "fold"})
    assert column(splits, "price")[1] == [17.0, 18.0, 19.0, 20.0]
    assert "fold" not in splits.columns


def test_by_the_names_of_the_files(tmp_path):
    events = pa.table(log())
    for name, start in (("train", 0), ("valid", 12), ("test", 16)):
        pq.write_table(events.slice(start, 12 if name == "train" else 4), tmp_path / f"{name}.parquet")
    made = recipe(tmp_path / "data").model_copy()
    files = made.model_copy(update={"data": made.data.model_copy(update={"path": f"{tmp_path}/*.parquet"})})
    for by in (None, "given"):
        split = made.split.model_copy(update={"by": by})
        splits = run(IngestConfig(recipe=files.model_copy(update={"split": split})), tmp_path / "out")
        assert splits.metadata["split"] == "given"
        assert column(splits, "price")[2] == [17.0, 18.0, 19.0, 20.0]
    # Another method that the recipe says is followed.
    split = made.split.model_copy(update={"by": "random"})
    splits = run(IngestConfig(recipe=files.model_copy(update={"split": split})), tmp_path / "out")
    assert splits.metadata["rows"] == {"train": 16, "valid": 2, "test": 2}


def test_users_at_random_share_no_user(tmp_path):
    visitors = [f"v{i % 10}" for i in range(40)]
    bought = [i // 10 % 2 for i in range(40)]
    splits = ingest(tmp_path, log(40, visitor=visitors, bought=bought), split={**HALF, "by": "random_user"})
    train, valid, test = (set(each) for each in column(splits, "visitor"))
    assert (len(train), len(valid), len(test), len(train | valid | test)) == (6, 2, 2, 10)


# Histories and differences.


def test_histories_see_earlier_events_of_every_split(tmp_path):
    features = {"recent": {"history_of": "sku", "length": 3}, "all": {"history_of": "sku", "positive": False}}
    events = log(visitor=["v"] * 20, sku=list(range(20)))
    splits = ingest(tmp_path, events, split=HALF, features=features)
    recent, every = column(splits, "recent"), column(splits, "all")
    # Purchases are 2 3, 6 7, 10 11, 14 15, 18 19.
    assert recent[0][:8] == [[], [], [], [2], [2, 3], [2, 3], [2, 3], [2, 3, 6]]
    assert recent[1] == [[7, 10, 11], [7, 10, 11], [7, 10, 11], [10, 11, 14]]
    assert recent[2] == [[11, 14, 15], [11, 14, 15], [11, 14, 15], [14, 15, 18]]
    assert every[2][0] == list(range(16))
    schema = splits.data_schema.column("recent")
    assert (schema.role, schema.history_of, schema.max_length, schema.dtype) == (Role.HISTORY, "sku", 3, "int64")


def test_no_history_holds_an_item_of_the_own_time_or_later(tmp_path):
    random = np.random.default_rng(0)
    events = log(
        300,
        visitor=[f"v{i}" for i in random.integers(0, 4, 300)],
        ts=(START + random.integers(0, 40, 300)).tolist(),
        sku=list(range(300)),
        bought=random.integers(0, 2, 300).tolist(),
    )
    split = {"by": "random", "valid": 0.3, "test": 0.3}
    features = {"recent": {"history_of": "sku", "length": 300}}
    splits = ingest(tmp_path, events, split=split, features=features)
    rows = [row for name in SPLITS for row in splits.read(name).to_pylist()]
    for row in rows:
        earlier = {
            other["sku"] for other in rows
            if other["visitor"] == row["visitor"] and other["ts"] < row["ts"] and other["bought"]
        }  # fmt: skip
        assert set(row["recent"]) == earlier
        assert len(row["recent"]) == len(earlier)


def test_histories_of_sessions_without_users(tmp_path):
    # All events of a session are at one time: the order of the rows decides.
    events = log(
        visitor=None, bought=None, visit=[i // 4 for i in range(20)], ts=[START + 60 * (i // 4) for i in range(20)]
    )
    columns = {"user_id": None, "targets": None, "session_id": "visit", "feedback": "implicit"}
    features = {"before": {"history_of": "sku"}}
    splits = ingest(
        tmp_path, events, columns, "gpt2", split={"by": "session", "valid": 0.2, "test": 0.2}, features=features
    )
    assert column(splits, "before")[2] == [[], [2], [2, 3], [2, 3, 4]]
    assert column(splits, "sku")[2] == [2, 3, 4, 5]


def test_differences(tmp_path):
    features = {"gap": {"difference_of": "ts"}, "dearer": {"difference_of": "price"}}
    splits = ingest(tmp_path, split=HALF, features=features)
    # Each of the two visitors comes every second minute.
    assert column(splits, "gap")[0][:4] == [None, None, 120.0, 120.0]
    assert column(splits, "gap")[1] == [120.0] * 4
    assert column(splits, "dearer")[2] == [2.0] * 4


# Negatives.


def test_negatives(tmp_path):
    items = pa.table({"sku": list(range(10)), "color": [f"c{i}" for i in range(10)]})
    pq.write_table(items, tmp_path / "items.parquet")
    events = log(40, visitor=[f"v{i % 4}" for i in range(40)], bought=None, sku=[i % 6 for i in range(40)])
    columns = {"targets": None, "feedback": "implicit"}
    features = {"recent": {"history_of": "sku", "length": 4}, "price": [], "color": []}
    arguments = {
        "split": {**HALF, "negatives": {"per_positive": 3}},
        "tables": {"items": {"path": str(tmp_path / "items.parquet"), "key": "sku"}},
        "features": features,
    }
    splits = ingest(tmp_path, events, columns, **arguments)
    assert splits.data_schema.negatives == 3
    assert splits.metadata["rows"] == {"train": 96, "valid": 32, "test": 32}
    assert splits.metadata["positives"] == {"positive": {"train": 24, "valid": 8, "test": 8}}
    owned = {(visitor, sku) for visitor, sku in zip(events["visitor"], events["sku"], strict=True)}
    drawn = set()
    for split in SPLITS:
        rows = splits.read(split).to_pylist()
        for i, row in enumerate(rows):
            positive = rows[i - i % 4]  # each positive row is followed by its negatives
            assert row["positive"] == int(i % 4 == 0)
            assert row["color"] == f"c{row['sku']}"
            assert {name: row[name] for name in ("visitor", "ts", "price", "recent")} == {
                name: positive[name] for name in ("visitor", "ts", "price", "recent")
            }
            if not row["positive"]:
                assert (row["visitor"], row["sku"]) not in owned
                drawn.add(row["sku"])
    assert drawn == set(range(10)), "items without events are drawn, too"
    again = ingest(tmp_path, events, columns, **arguments)
    assert again.metadata["content"] == splits.metadata["content"]


# Side tables.


def test_the_table_of_items_is_the_catalogue(tmp_path):
    items = {
        "code": [0, 1, 2, 3, 4, 5, 99],
        "brand": ["a", "b", "a", "", "c", "c", "new"],
        "size": [1, 2, 3, 4, 5, 6, 7],
    }
    pq.write_table(pa.table(items), tmp_path / "items.parquet")
    table = {"path": str(tmp_path / "items.parquet"), "key": "code", "log_key": "sku"}
    splits = ingest(tmp_path, split=HALF, tables={"items": table})
    assert splits.items.to_pydict() == {
        "sku": [0, 1, 2, 3, 4, 5, 99],
        "brand": ["a", "b", "a", None, "c", "c", "new"],
        "size": [1, 2, 3, 4, 5, 6, 7],
    }
    assert column(splits, "brand")[2] == ["a", None, "c", "c"]
    # Item 6 is in the log alone, in two of 20 rows, and 99 in the table alone.
    assert splits.metadata["joined"]["items"] == {
        "rows": 7, "log_keys": 7, "log_keys_missing": 1, "log_rows_missing": 2, "keys_without_events": 1
    }  # fmt: skip


def test_a_partitioned_folder_with_an_empty_part_and_a_late_column(tmp_path):
    events = pa.table(log(bought=[i // 2 % 2 for i in range(20)]))
    for day, start, rows in ((1, 0, 8), (2, 8, 0), (3, 8, 12)):
        folder = tmp_path / "events" / f"day=2026-11-0{day}"
        folder.mkdir(parents=True)
        part = events.slice(start, rows)
        if day == 3:
            part = part.append_column("device", pa.array(["phone", "tablet"] * 6))
        pq.write_table(part, folder / "part-0.parquet")
    made = recipe(tmp_path / "data", split=HALF)
    made = made.model_copy(update={"data": made.data.model_copy(update={"path": f"{tmp_path}/events"})})
    splits = run(IngestConfig(recipe=made), tmp_path / "splits")
    assert column(splits, "device")[0] == [None] * 8 + ["phone", "tablet"] * 2
    assert splits.metadata["skipped"] == [f"{tmp_path}/events/day=2026-11-02/part-0.parquet"]
    assert "day" in splits.metadata["unused"]


# Messages.

MORE = "Increase split.valid and split.test, use more rows, or choose another method in split.by."


@pytest.mark.parametrize(
    ("events", "columns", "model", "sections", "message"),
    [
        (
            log(bought=[0] * 20), {}, "mlp", {"split": HALF},
            "column 'bought': the target has only one class in the train split; expected rows with 1 and rows with 0, "
            "got 12 rows, all 0. Change what is positive for the target bought in columns.targets or columns.events. "
            + MORE,
        ),
        (
            log(bought=[1] * 20), {}, "mlp", {"split": HALF},
            "column 'bought': the target has only one class in the train split; expected rows with 1 and rows with 0, "
            "got 12 rows, all 1. For a log of positives alone set split.negatives, or columns.feedback to implicit.",
        ),
        (
            log(bought=[0, 1] * 8 + [0] * 4), {}, "two-tower", {"split": HALF},
            "column 'bought': the test split has no positive row; expected some rows with 1, got 4 rows, all 0. Change "
            "what is positive for the target bought in columns.targets or columns.events. " + MORE,
        ),
        (
            log(2), {}, "mlp", {"split": HALF},
            "the valid split has no rows; expected at least one, got 2 in train, 0 in valid, 0 in test. " + MORE,
        ),
        (
            log(), {}, "mlp", {"split": {"by": "last_per_user", "valid": 5, "test": 5}},
            "the valid split has no rows; expected at least one, got 20 in train, 0 in valid, 0 in test. Users with "
            "too few events stay in train: lower split.valid and split.test, or use more rows.",
        ),
        (
            log(), {}, "mlp", {"split": {**HALF, "min_events": 11}},
            "no user has 11 events; expected at least one row, got none of 20. Lower split.min_events.",
        ),
        (
            log(visitor=[f"v{i % 10}" for i in range(20)]), {}, "two-tower", {"split": {**HALF, "by": "random_user"}},
            "column 'visitor': no user of the test split has rows in train; expected users with rows in both, got 6 "
            "users in train, 2 others in test. Set split.by to last_per_user or per_user.",
        ),
        (
            log(fold=["train", "dev"] * 10), {}, "mlp", {"split": {"by": "column", "column": "fold"}},
            "split.column: a row is in no split; expected train, valid, test, got dev in 'fold'",
        ),
        (
            log(price=[1.0] * 20), {"targets": {"price": "regression"}}, "mlp", {"split": HALF},
            "column 'price': the target has only one value in the train split; expected several, got 1.0. Choose "
            "another column in columns.targets.price, or use more rows.",
        ),
        (
            log(trust=[1.0] * 19 + [float("inf")]), {"weight": "trust"}, "mlp", {"split": HALF},
            "column 'trust': a weight cannot be used; expected finite numbers of at least 0, got 1.0. Correct the "
            "weights, or remove columns.weight.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_used_ends_in_one_line(tmp_path, events, columns, model, sections, message):
    assert error_of(tmp_path, events, columns, model, **sections) == message


def test_values_after_the_first_rows_that_do_not_fit(tmp_path):
    prices = [float(i) for i in range(12_000)]
    prices[11_000] = 0.5
    assert error_of(tmp_path, log(12_000, sku=prices)).startswith(
        "column 'sku': the values do not fit (Float value 0.500000 was truncated converting to int64); expected whole "
        "numbers, got double. Correct the values, or change the role"
    )
    bought = [i % 2 for i in range(12_000)]
    bought[11_000] = 7
    assert error_of(tmp_path, log(12_000, bought=bought)) == (
        "column 'bought': the target bought cannot be made; expected 0 and 1, got 7. Say columns.targets.bought.above: "
        "the number above which a row is positive, or `kind: regression`."
    )
    folds = ["train", "valid", "test", "test"] * 3000
    folds[11_000] = "dev"
    assert error_of(tmp_path, log(12_000, fold=folds), split={"by": "column", "column": "fold"}) == (
        "column 'fold': a row is in no split; expected train, valid, test, got 'dev'. Write one of these into the "
        "column, or choose another method in split.by."
    )


def test_vectors_of_several_lengths(tmp_path):
    vectors = [[1.0, 2.0]] * 11_999 + [[1.0]]
    with pytest.raises(DataError, match="column 'vector': the vectors are not of one length; expected 2 numbers in"):
        ingest(tmp_path, log(12_000, vector=vectors), split=HALF, features={"vector": []})


def test_faults_of_the_recipe_are_told_together(tmp_path):
    with pytest.raises(RecipeError) as error:
        ingest(tmp_path, log(), {"user_id": "visiter", "item_id": "skuu"})
    assert [fault.key for fault in error.value.faults] == ["columns.user_id", "columns.item_id"]


def test_large_unsigned_ids_after_the_first_rows_are_texts(tmp_path):
    skus = [i % 50 for i in range(12_000)]
    skus[11_999] = 2**63
    events = log(12_000, sku=pa.array(skus, pa.uint64()))
    splits = ingest(tmp_path, events, split=HALF, features={"recent": {"history_of": "sku", "length": 1}})
    assert splits.data_schema.column("sku").dtype == splits.data_schema.column("recent").dtype == "string"
    assert column(splits, "sku")[2][-1] == str(2**63)
    assert column(splits, "recent")[2][-1] == [str(skus[11_995])]


def test_negatives_of_a_user_that_has_all_items_are_counted(tmp_path):
    # Both visitors have all of the two items, so that nothing can be drawn for 20 rows.
    events = log(bought=None, sku=[i // 2 % 2 for i in range(20)])
    columns = {"targets": None, "feedback": "implicit"}
    arguments = {"split": {**HALF, "negatives": {"per_positive": 3}}}
    assert "the target has only one class in the train split" in error_of(tmp_path, events, columns, **arguments)
    events["visitor"][19], events["visitor"][9], events["visitor"][13] = "new", "newer", "newest"
    splits = ingest(tmp_path, events, columns, **arguments)
    # The three new ones have one item each, and get the other one three times.
    assert splits.metadata["dropped"] == {"negatives": 17 * 3}
    assert splits.metadata["rows"] == {"train": 12 + 3, "valid": 4 + 3, "test": 4 + 3}


def test_nothing_depends_on_the_names_and_types_of_a_data_set(tmp_path):
    drawn = movielens_like(3000, seed=5).table
    renamed = pa.table(
        {
            "critic": pc.binary_join_element_wise("c", drawn["userId"].cast(pa.string()), ""),
            "book": pc.binary_join_element_wise("b", drawn["movieId"].cast(pa.string()), ""),
            "when": pc.multiply(drawn["timestamp"], 1000),
            "grade": pc.multiply(drawn["rating"], 20),
        }
    )
    columns = {
        "user_id": "critic",
        "item_id": "book",
        "time": "when",
        "targets": {"liked": {"from": "grade", "above": 60}},
    }
    split = {"by": "per_user", "valid": 0.1, "test": 0.1}
    features = {"past": {"history_of": "book", "length": 5}}
    other = ingest(tmp_path / "other", renamed.to_pydict(), columns, split=split, features=features)
    own = run(IngestConfig(synthetic_rows=3000, seed=5, split="per_user", history=5), tmp_path / "own")
    for name in SPLITS:
        for mine, theirs in zip(own.read(name).to_pylist(), other.read(name).to_pylist(), strict=True):
            assert theirs == {
                "critic": f"c{mine['userId']}",
                "book": f"b{mine['movieId']}",
                "when": mine["timestamp"] * 1000,
                "grade": mine["rating"] * 20,
                "past": [f"b{item}" for item in mine["history"]],
                "liked": mine["rating_binary"],
            }
