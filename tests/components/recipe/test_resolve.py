from __future__ import annotations

import datetime
import decimal
import uuid

import numpy as np
import pyarrow as pa
import pytest

from emrys.components.contracts.data_schema import Role, TargetKind
from emrys.components.recipe.contradictions import target_columns
from emrys.components.recipe.faults import RecipeError
from emrys.components.recipe.operators import feature_plan
from emrys.components.recipe.reading import draft_of, recipe_of
from emrys.components.recipe.recipe import Columns
from emrys.components.recipe.resolve import resolve
from emrys.components.recipe.splits import split_of
from emrys.components.recipe.yaml_reader import read_yaml
from tests.components.recipe import logs, test_reading

TIMES = [logs.START + day * 86_400 for day in range(8)]


def resolved(head, *, whole=False, tables=None, model="dlrm", **sections):
    recipe = draft_of({"data": {"path": "x"}, "model": {"name": model}, **sections}).recipe
    return resolve(recipe, head, tables, whole=whole)


def roles(result):
    return {column.name: column.role.value for column in result.schema.columns}


def told(result):
    return {fault.key: str(fault) for fault in result.faults}


def example(text, head):
    result = resolve(recipe_of(read_yaml(text)), head)
    assert result.faults == ()
    return result.schema


# The examples of the design.


def test_a_click_log_without_users_or_time():
    schema = example(test_reading.CLICKS, logs.clicks())
    assert schema.of_role(Role.CONTEXT) == schema.names
    assert len(schema.names) == 39
    assert {column.dtype for column in schema.columns if column.continuous} == {"int64"}
    assert [column.name for column in schema.columns if column.continuous] == [f"I{i}" for i in range(1, 14)]
    assert {schema.column(f"C{i}").dtype for i in range(1, 27)} == {"string"}
    (label,) = schema.targets
    assert (label.name, label.kind, label.source) == ("label", TargetKind.BINARY, "")


def test_implicit_feedback_with_string_ids():
    schema = example(test_reading.REVIEWS, logs.reviews())
    assert schema.is_implicit
    assert (schema.user_id, schema.item_id, schema.time) == ("reviewerID", "asin", "unixReviewTime")
    recent = schema.column("recent")
    assert (recent.role, recent.dtype, recent.is_list, recent.history_of, recent.max_length) == (
        Role.HISTORY, "string", True, "asin", 50,
    )  # fmt: skip
    assert schema.inferred == {}


def test_two_targets_of_the_events():
    schema = example(test_reading.SHOP, logs.shop())
    assert schema.of_role(Role.EVENT) == ("event_type",)
    assert schema.of_role(Role.ITEM) == ("category", "price")
    assert [(t.name, t.source, t.weight, t.sample_space) for t in schema.targets] == [
        ("click", "event_type", 1.0, ""),
        ("buy", "event_type", 2.0, "click"),
    ]
    assert schema.session_id == "session"
    assert schema.inferred["session"] == "session_id, by its name"
    assert schema.column("ts").unit == "ms"
    assert schema.inferred["ts"] == "unit ms, by the size of the numbers"
    assert schema.unused == {"member_since": "the recipe names its features, and not this column"}


# Inference, where the recipe says nothing but the model.


def test_a_click_log_is_inferred():
    result = resolved(logs.clicks())
    assert result.faults == ()
    assert result.schema.targets[0].name == "label"
    assert result.schema.inferred["label"] == "binary target, by its name and 2 values"
    assert result.schema.inferred["I1"].startswith("context, there is no id; an amount, with ")
    assert result.schema.inferred["C1"] == "context, there is no id; categorical, by its type string"
    assert [result.schema.column(name).continuous for name in ("I1", "C1")] == [True, False]
    assert split_of(recipe_of({"data": {"path": "x"}, "model": {"name": "dlrm"}}), result.schema).by == "random"


def test_implicit_feedback_is_inferred_for_retrieval():
    result = resolved(logs.reviews(), model="two-tower")
    assert roles(result) == {"reviewerID": "user_id", "asin": "item_id", "unixReviewTime": "time"}
    assert result.schema.inferred["unixReviewTime"] == (
        "time, by its name and values; unit s, by the size of the numbers"
    )
    assert result.schema.is_implicit
    assert "no target is named: every row counts as a positive" in result.notes
    assert "split by per_user, as the columns allow" in result.notes


def test_features_of_a_shop_are_those_of_item_or_user_by_dependence():
    result = resolved(logs.shop(), columns={"events": {"column": "event_type", "targets": {"buy": "buy"}}})
    assert roles(result) == {
        "visitor": "user_id", "session": "session_id", "sku": "item_id", "ts": "time", "event_type": "event",
        "category": "item", "price": "item", "member_since": "user",
    }  # fmt: skip
    assert result.schema.inferred["category"] == "item, one value for each sku; categorical, by its type string"
    assert result.schema.inferred["price"] == "item, one value for each sku; an amount, by its type double"
    assert result.schema.inferred["member_since"] == "user, one value for each visitor; categorical, with 20 values"


def test_a_regression_is_inferred():
    result = resolved(logs.houses(), model="mlp")
    (target,) = result.schema.targets
    assert (target.name, target.kind) == ("target", TargetKind.REGRESSION)
    assert {column.name: column.continuous for column in result.schema.columns} == {
        "district": False, "rooms": False, "area": True,
    }  # fmt: skip


def test_four_columns_are_inferred():
    result = resolved(logs.four_columns(), columns={"targets": {"liked": {"from": "stars", "above": 3}}})
    assert roles(result) == {"listener": "user_id", "song": "item_id", "stars": "source", "heard_at": "time"}
    assert result.schema.column("heard_at").unit == "s"
    assert result.schema.column("song").dtype == "int64"
    assert result.schema.column("stars").dtype == "float32"


def test_what_is_said_comes_before_names():
    result = resolved(
        logs.reviews(),
        model="two-tower",
        columns={"user_id": "asin", "item_id": "reviewerID", "time": "unixReviewTime"},
    )
    assert roles(result) == {"reviewerID": "item_id", "asin": "user_id", "unixReviewTime": "time"}
    assert set(result.schema.inferred) == {"unixReviewTime"}


def test_unused_columns_have_their_reason():
    rows = 100
    table = pa.table(
        {
            "customer": [row % 7 for row in range(rows)],
            "click": [row % 2 for row in range(rows)],
            "row_id": [f"r{row}" for row in range(rows)],
            "comment": [f"a text that goes on and on for longer than most, number {row}" for row in range(rows - 1)]
            + [""],
            "born": [datetime.date(1990, 1, 1 + row % 28) for row in range(rows)],
            "seen": [datetime.datetime(2026, 1, 1, 0, row % 60) for row in range(rows)],
            "shape": [{"a": 1}] * rows,
            "nothing": pa.nulls(rows),
            "secret": ["x"] * rows,
        }
    )
    result = resolved(table, columns={"ignore": ["secret"]})
    assert dict(result.schema.unused) == {
        "row_id": "another value in every row",
        "comment": "free text",
        "born": "a date that is not the time of the event; name it in features with hour, weekday or month to use it",
        "shape": "its type struct<a: int64> cannot be used",
        "nothing": "the first 100 rows have no value",
        "secret": "the recipe ignores it",
    }
    assert result.schema.time == "seen"


# Types.


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pa.array([1, 2, 3, 1] * 2, pa.int8()), "int64"),
        (pa.array([1, 2, 3, 1] * 2, pa.uint32()), "int64"),
        (pa.array([1, 2, 3, 1] * 2, pa.uint64()), "int64"),
        (pa.array([1, 2**64 - 1, 3, 1] * 2, pa.uint64()), "string"),
        (pa.array(["a", "b", "a", "c"] * 2), "string"),
        (pa.array(["a", "b", "a", "c"] * 2, pa.large_string()), "string"),
        (pa.array(["a", "b", "a", "c"] * 2).dictionary_encode(), "string"),
        (pa.array([uuid.UUID(int=i % 3).bytes for i in range(8)], pa.binary(16)), "string"),
        (pa.array([1.0, 2.0, 1.0, 2.0] * 2), "int64"),
        (pa.array([decimal.Decimal(i % 3) for i in range(8)], pa.decimal128(10, 0)), "int64"),
    ],
)
def test_types_of_ids(values, dtype):
    result = resolved(pa.table({"who": values, "click": [0, 1] * 4}), columns={"user_id": "who"})
    assert result.faults == ()
    assert result.schema.column("who").dtype == dtype


@pytest.mark.parametrize(
    ("values", "dtype", "is_list", "length", "continuous"),
    [
        (pa.array([True, False] * 4), "int64", False, None, False),
        (pa.array(np.array([0.5, 1.5] * 4, np.float16)), "float32", False, None, True),
        (pa.array([decimal.Decimal("1.25")] * 8), "float32", False, None, True),
        (pa.array(range(8), pa.int16()), "int64", False, None, False),
        (pa.array([["a"], ["b", "c"]] * 4), "string", True, None, False),
        (pa.array([[1], [2, 3]] * 4), "int64", True, None, False),
        (pa.array([[1.0], [2.0, 3.0]] * 4), "float32", True, None, True),
        (pa.array([[1.0, 2.0], [3.0, 4.0]] * 4), "float32", True, 2, True),
        (pa.array([[1.0, 2.0, 3.0]] * 8, pa.list_(pa.float32(), 3)), "float32", True, 3, True),
    ],
)
def test_types_of_features(values, dtype, is_list, length, continuous):
    column = resolved(pa.table({"f": values, "click": [0, 1] * 4})).schema.column("f")
    assert (column.dtype, column.is_list, column.length, column.continuous) == (dtype, is_list, length, continuous)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (pa.array(TIMES), "s"),
        (pa.array([time * 1_000 for time in TIMES]), "ms"),
        (pa.array([time * 1_000_000 for time in TIMES]), "us"),
        (pa.array([time * 10**9 for time in TIMES]), "ns"),
        (pa.array([float(time) + 0.25 for time in TIMES]), "s"),
        (pa.array([time * 1_000.0 for time in TIMES]), "ms"),
        (pa.array(np.array(TIMES, "datetime64[s]")), "s"),
        (pa.array(np.array(TIMES, "datetime64[s]"), pa.timestamp("us", "UTC")), "us"),
        (pa.array([datetime.date(2026, 1, 1 + i) for i in range(8)]), "s"),
        (pa.array([f"2026-01-0{1 + i} 10:00:00" for i in range(8)]), "s"),
        (pa.array([f"2026-01-0{1 + i}T10:00:00.5Z" for i in range(8)]), "us"),
    ],
)
def test_units_of_times(values, unit):
    result = resolved(pa.table({"when": values, "click": [0, 1] * 4}), columns={"time": "when"})
    assert result.faults == ()
    column = result.schema.column("when")
    assert (column.role, column.dtype, column.unit) == (Role.TIME, "int64", unit)


def test_whole_numbers_are_codes_or_amounts():
    rows = 200
    table = pa.table(
        {
            "click": [0, 1] * (rows // 2),
            "grade": [row % 32 for row in range(rows)],
            "income": [row % 33 for row in range(rows)],
            "zip_code": [row % 90 for row in range(rows)],
            "said": [row % 90 for row in range(rows)],
            "scaled": [row % 5 for row in range(rows)],
            "coded": [row % 90 for row in range(rows)],
        }
    )
    schema = resolved(table, columns={"categorical": ["said"]}).schema
    assert {c.name: c.continuous for c in schema.columns} == {
        "grade": False, "income": True, "zip_code": False, "said": False, "scaled": False, "coded": True,
    }  # fmt: skip
    assert schema.inferred["grade"].endswith("categorical, with 32 values")
    assert schema.inferred["income"].endswith("an amount, with 33 values")
    schema = resolved(table, features={"scaled": ["normalize"], "coded": ["categorify"]}).schema
    assert {c.name: c.continuous for c in schema.columns} == {"scaled": True, "coded": False}
    assert schema.inferred["scaled"].endswith("an amount, as its first operator is normalize")


# Targets.


@pytest.mark.parametrize(
    ("values", "said", "words"),
    [
        (
            pa.array([1, 2, 5, 3] * 2),
            "binary",
            "expected 0 and 1, got 1, 2, 3, 5 in 't'. Write {kind: binary, above: 2}",
        ),
        (pa.array(["no", "yes"] * 4), "binary", "got the texts no, yes. Write {kind: binary, values: […]}"),
        (pa.array(["a", "b"] * 4), "regression", "a regression needs numbers; expected numbers, got string in 't'"),
        (pa.array(["a", "b"] * 4), {"above": 2}, "it needs numbers; expected numbers, got string in 't'"),
        (
            pa.array([0.5, 1.5] * 4),
            "classes",
            "expected texts or whole numbers, got double in 't'. Write kind: regression.",
        ),
        (
            pa.array(["view", "buy"] * 4),
            {"values": ["buyy"]},
            "expected 'view', 'buy', got 'buyy'. Did you mean 'buy'?",
        ),
        (pa.nulls(8, pa.int64()), "binary", "the target has no values; got 8 nulls in 't'"),
    ],
)
def test_a_target_that_does_not_fit(values, said, words):
    faults = told(resolved(pa.table({"t": values, "x": [1.5] * 8}), columns={"targets": {"t": said}}))
    assert words in next(text for key, text in faults.items() if key.startswith("columns.targets.t"))


def test_targets_that_fit():
    table = pa.table(
        {"a": [True, False] * 4, "b": [0.0, 1.0] * 4, "c": ["x", "y"] * 4, "d": [3, 1] * 4, "e": ["q", "p"] * 4}
    )
    targets = {"a": "binary", "b": "binary", "c_is_x": {"from": "c", "values": ["x"]}, "d": "classes", "e": "classes"}
    result = resolved(table, model="mlp", columns={"targets": targets})
    assert result.faults == ()
    assert {target.name: target.classes for target in result.schema.targets} == {
        "a": (), "b": (), "c_is_x": (), "d": (1, 3), "e": ("p", "q"),
    }  # fmt: skip
    assert roles(result) == {"c": "source"}


def test_one_class_is_a_note_in_the_first_rows_and_a_fault_in_all():
    table = pa.table({"y": [0] * 8, "x": [1.5] * 8})
    result = resolved(table, columns={"targets": {"y": "binary"}})
    assert result.faults == ()
    assert "y: every one of the first 8 rows is negative" in result.notes
    faults = told(resolved(table, columns={"targets": {"y": "binary"}}, whole=True))
    assert faults["columns.targets.y"].startswith("columns.targets.y: the target has one class")


def test_no_target_names_a_candidate():
    table = pa.table({"opened": [0, 1] * 4, "x": [1.5, 2.5] * 4})
    assert told(resolved(table))["columns.targets"].endswith("got none. Such as targets: {opened: binary}.")


def test_positives_alone_need_negatives_for_ranking():
    columns = {"feedback": "implicit"}
    assert (
        "Add split.negatives: {per_positive: 4}" in told(resolved(logs.reviews(), columns=columns))["columns.feedback"]
    )
    result = resolved(logs.reviews(), columns=columns, split={"negatives": {"per_positive": 3}})
    assert result.faults == ()
    assert (result.schema.targets[0].name, result.schema.negatives) == ("positive", 3)


# Faults of roles.


@pytest.mark.parametrize(
    ("columns", "key", "words"),
    [
        ({"user_id": "visitr"}, "columns.user_id", "no such column; expected one of visitor, session, sku"),
        ({"user_id": "visitr"}, "columns.user_id", "got 'visitr'. Did you mean 'visitor'?"),
        ({"item_id": "price"}, "columns.item_id", "expected whole numbers or texts, got double in 'price'"),
        ({"time": "category"}, "columns.time", "expected numbers since 1970, dates or date-times, got string"),
        ({"time": {"column": "ts", "unit": "s"}}, "columns.time.unit", "past the year 3000; expected ms, got s"),
        ({"weight": "category"}, "columns.weight", "expected numbers, got string in 'category'"),
        ({"user_id": "sku", "item_id": "sku"}, "columns.item_id", "the column has the role of columns.user_id already"),
        ({"item": ["pric"]}, "columns.item", "Did you mean 'price'?"),
        ({"item": ["event_type"]}, "columns.item", "a target is made of the column, which is no feature then"),
        ({"user": ["price"], "item": ["price"]}, "columns.item", "has the role of columns.user already"),
        ({"categorical": ["price"]}, "columns.categorical", "Name it under columns.continuous, or bucketize it."),
        ({"continuous": ["category"]}, "columns.continuous", "Name it under columns.categorical."),
        ({"categorical": ["category"], "continuous": ["category"]}, "columns.continuous", "categorical too"),
        ({"ignore": ["sku", "nope"]}, "columns.ignore", "no such column"),
        ({"item_id": "sku", "ignore": ["sku"]}, "columns.ignore", "the column has the role of columns.item_id"),
        ({"item": ["category"], "ignore": ["category"]}, "columns.item", "no feature: the recipe ignores it"),
    ],
)
def test_a_role_that_does_not_fit(columns, key, words):
    said = {"events": {"column": "event_type", "targets": {"buy": "buy"}}, **columns}
    assert words in " ".join(str(fault) for fault in resolved(logs.shop(), columns=said).faults if fault.key == key)


def test_nulls_are_refused_or_dropped_as_said():
    table = logs.reviews(20)
    asin = pa.array([None, "", *table["asin"].to_pylist()[2:]])
    table = table.set_column(1, "asin", asin)
    faults = told(resolved(table, model="two-tower"))
    assert list(faults) == ["columns.item_id"]
    assert "got 2 nulls in the first 20 rows of 'asin'. Set columns.nulls: drop" in faults["columns.item_id"]
    assert resolved(table, model="two-tower", columns={"nulls": "drop"}).faults == ()


def test_a_misspelt_column_is_told_once():
    """The nearest column stands in for it, so that nothing else is missing."""
    result = resolved(
        logs.shop(), columns={"user_id": "visitr", "targets": {"y": {"from": "event_typ", "values": ["buy"]}}}
    )
    assert set(told(result)) == {"columns.user_id", "columns.targets.y.from"}
    assert result.schema.user_id == "visitor"


def test_checked_raises_all_faults():
    with pytest.raises(RecipeError) as raised:
        resolved(logs.shop(), columns={"user_id": "a", "item_id": "b", "targets": {"c": "binary"}}).checked()
    assert [fault.key for fault in raised.value.faults] == ["columns.user_id", "columns.item_id", "columns.targets.c"]


# Side tables, histories and differences.


def test_columns_of_side_tables_have_the_role_of_the_table():
    result = resolved(
        logs.shop(), tables={"items": ["category", "price"], "users": ["member_since"]}, features={},
        columns={"events": {"column": "event_type", "targets": {"buy": "buy"}}},
    )  # fmt: skip
    assert roles(result)["category"] == "item"
    assert result.schema.inferred["member_since"].startswith("user, as a column of the table users")


def test_a_history_may_have_the_name_of_a_column_that_is_not_used():
    table = logs.reviews().append_column("recent", pa.array(["x"] * 400))
    result = resolved(table, model="two-tower", features={"recent": {"history_of": "asin", "length": 5}})
    assert result.faults == ()
    assert result.schema.column("recent").history_of == "asin"
    assert result.schema.unused["recent"] == "a feature of the recipe has its name"
    clash = resolved(
        table, model="two-tower", columns={"item": ["recent"]}, features={"recent": {"history_of": "asin"}}
    )
    assert told(clash)["features.recent"].startswith("features.recent: a column has this name")


def test_a_difference_is_a_number():
    column = resolved(
        logs.reviews(), model="two-tower", features={"gap": {"difference_of": "unixReviewTime"}}
    ).schema.column("gap")
    assert (column.dtype, column.role, column.difference_of, column.continuous) == (
        "float32", Role.CONTEXT, "unixReviewTime", True,
    )  # fmt: skip


def test_a_history_needs_somebody():
    faults = told(resolved(logs.houses(), model="mlp", features={"recent": {"history_of": "district"}}))
    assert "earlier events of whom?" in faults["features.recent"]


# Splits.


@pytest.mark.parametrize(
    ("split", "key", "words"),
    [
        ({"by": "time"}, "split.by", "time needs the role time"),
        ({"by": "per_user"}, "split.by", "per_user needs the role user_id"),
        ({"by": "session"}, "split.by", "session needs the role session_id"),
        ({"label_window": "7d"}, "split.label_window", "a label window needs a time"),
        ({"min_events": 3}, "split.min_events", "only users have a number of events"),
        ({"negatives": {}}, "split.negatives", "expected no target, got the target target"),
        ({"by": "column", "column": "distric"}, "split.column", "Did you mean 'district'?"),
        ({"by": "column", "column": "district"}, "split.column", "a row is in no split; expected train, valid, test"),
    ],
)
def test_a_split_needs_its_columns(split, key, words):
    faults = [str(fault) for fault in resolved(logs.houses(), model="mlp", split=split).faults if fault.key == key]
    assert words in " ".join(faults)


@pytest.mark.parametrize(
    ("split", "key", "words"),
    [
        (
            {"by": "random", "valid": 0.001},
            "split.valid",
            "nothing is left for valid; expected a row at least, got 400 rows",
        ),
        ({"by": "time", "test": 0.001}, "split.test", "nothing is left for test"),
        ({"by": "random_user", "test": 0.01}, "split.test", "got 30 values of reviewerID"),
        ({"by": "last_per_user", "valid": 200, "test": 200}, "split.by", "a user with more than 400 events"),
        ({"by": "time", "min_events": 300}, "split.min_events", "no user has so many events; expected 300"),
        ({"by": "time", "label_window": "20w"}, "split.label_window", "a log longer than 20w, got 49.8 days"),
    ],
)
def test_a_split_that_leaves_nothing_of_all_rows(split, key, words):
    whole = resolved(logs.reviews(), model="two-tower", split=split, whole=True)
    assert words in told(whole)[key]
    assert resolved(logs.reviews(), model="two-tower", split=split).faults == ()


def test_the_split_follows_the_columns():
    def by(head, model, **sections):
        recipe = recipe_of({"data": {"path": "x"}, "model": {"name": model}, **sections})
        return split_of(recipe, resolve(recipe, head).schema).by

    assert by(logs.reviews(), "two-tower") == "per_user"
    assert by(logs.shop(), "gpt2") == "session"
    assert by(logs.shop(), "dlrm") == "time"
    assert by(logs.houses(), "mlp") == "random"
    assert by(logs.reviews(), "two-tower", split={"by": "time"}) == "time"


def test_last_per_user_takes_one_row_by_default():
    recipe = recipe_of({"data": {"path": "x"}, "model": {"name": "two-tower"}, "split": {"by": "last_per_user"}})
    split = split_of(recipe, resolve(recipe, logs.reviews()).schema)
    assert (split.valid, split.test) == (1, 1)


def test_a_missing_user_does_not_hide_the_faults_of_the_split():
    result = resolved(
        logs.reviews(), model="two-tower", columns={"user_id": "x", "time": "y"}, whole=True,
        split={"by": "time", "min_events": 3, "label_window": "1d", "test": 0.001},
    )  # fmt: skip
    assert set(told(result)) == {"columns.user_id", "columns.time", "split.test"}


def test_another_id_is_that_of_the_items_if_it_is_alone():
    table = pa.table({"userId": [1, 2] * 4, "movieId": [1, 2, 3, 4] * 2, "click": [0, 1] * 4})
    result = resolved(table)
    assert roles(result) == {"userId": "user_id", "movieId": "item_id"}
    assert result.schema.inferred["movieId"] == "item_id, the only other id"
    several = resolved(table.append_column("shopId", table["movieId"]))
    assert roles(several) == {"userId": "user_id", "movieId": "context", "shopId": "context"}


def test_an_empty_head_gives_faults_and_no_exception():
    assert resolved(logs.reviews().slice(0, 0), model="two-tower").faults == ()
    whole = resolved(logs.reviews().slice(0, 0), model="two-tower", split={"by": "random"}, whole=True)
    assert set(told(whole)) == {"split", "split.valid", "split.test"}
    assert roles(resolved(logs.shop().slice(0, 1), model="two-tower"))["visitor"] == "user_id"


def test_ids_that_are_inferred_have_their_features():
    recipe = recipe_of(
        {"data": {"path": "x"}, "features": {"recent": {"history_of": "asin"}}, "model": {"name": "two-tower"}}
    )
    plan = feature_plan(recipe, resolve(recipe, logs.reviews()).checked())
    assert [feature.output for feature in plan] == ["reviewerID", "asin", "recent"]


def test_targets_are_in_the_order_that_is_said():
    events = {"column": "event_type", "targets": {"buy": "buy", "click": ["view", "buy"]}}
    columns = {"events": events, "targets": {"again": "binary"}, "order": ["click", "again"]}
    assert list(target_columns(Columns.model_validate(columns))) == ["click", "again", "buy"]
    assert list(target_columns(Columns.model_validate({"events": events}))) == ["buy", "click"]
