"""Features of a recipe: columns and names of outputs, and all faults of a section `features`."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.recipe.faults import RecipeError
from emrys.components.recipe.operators import (
    OPERATORS,
    Feature,
    Fill,
    check_features,
    feature_plan,
    suggested_steps,
    unused_columns,
)
from emrys.components.recipe.recipe import Recipe

SCHEMA = DataSchema(
    (
        DataColumn("visitor", "string", Role.USER_ID),
        DataColumn("sku", "int64", Role.ITEM_ID),
        DataColumn("visit", "int64", Role.SESSION_ID),
        DataColumn("ts", "int64", Role.TIME, unit="s"),
        DataColumn("event", "string", Role.EVENT),
        DataColumn("trust", "float32", Role.WEIGHT),
        DataColumn("stay", "float32", Role.SOURCE),
        *(DataColumn(f"C{number}", "string", Role.CONTEXT) for number in range(1, 12)),
        DataColumn("price", "float32", Role.ITEM, continuous=True),
        DataColumn("stock", "int64", Role.ITEM, continuous=True),
        DataColumn("tags", "string", Role.ITEM, is_list=True),
        DataColumn("image", "float32", Role.ITEM, is_list=True, length=8, continuous=True),
    ),
    (
        Target("buy", TargetKind.BINARY, source="event"),
        Target("stayed", TargetKind.BINARY, source="stay"),
        Target("stars", TargetKind.CLASSES, classes=(1, 2)),
    ),
)


def recipe(features: dict[str, Any] | None, **sections: Any) -> Recipe:
    content = {"data": {"path": "x"}, "model": {"name": "dlrm"}, "features": features, **sections}
    return Recipe.model_validate(content)


def plan(features: dict[str, Any] | None, **sections: Any) -> dict[str, Feature]:
    return {feature.output: feature for feature in feature_plan(recipe(features, **sections), SCHEMA)}


def faults(features: dict[str, Any], schema: DataSchema = SCHEMA) -> list[str]:
    return [str(fault) for fault in check_features(recipe(features), schema)]


def test_ranges_globs_and_exact_names() -> None:
    made = plan({"C*": [{"hash": 9}], "C2": ["count_by"], "C10": []})
    assert list(made) == ["C1", "C2_count", *(f"C{n}" for n in (3, 4, 5, 6, 7, 8, 9, 11))]
    assert list(plan({"C2..C4": ["categorify"]})) == ["C2", "C3", "C4"]


def test_features_are_in_the_order_of_the_data() -> None:
    """A pipeline passes the mappings of a recipe in any order."""
    features = {"price": ["log"], "sku": ["categorify"], "C2": [{"hash": 9}], "visitor": ["categorify"]}
    expected = ["visitor", "sku", "C2", "price"]
    assert list(plan(features)) == list(plan(dict(reversed(features.items())))) == expected


def test_the_column_that_gives_a_domain_its_ids_does_not_depend_on_the_order_of_the_recipe() -> None:
    features = {name: [{"categorify": {"domain": "codes"}}] for name in ("C3", "C1", "C2")}
    assert {name: made.ids_of for name, made in plan(features).items()} == {"C1": "", "C2": "C1", "C3": "C1"}


def test_names_of_the_outputs() -> None:
    made = plan(
        {
            "sku": [
                *("categorify", {"hash": 5}, {"target_encoding": "stay"}, "target_encoding", "count_by"),
                *({"mean_by": "price"}, {"cross": {"with": ["C1", "visitor"], "buckets": 9}}),
                {"vectors": {"path": "v.parquet", "column": "text"}},
            ],
            "price": [{"bucketize": [1, 2]}, {"fill": 0}, "log", "normalize"],
            "ts": ["hour", "weekday", "day", "month", "year"],
            "tags": [{"slice": {"first": 3}}, "categorify", "length"],
        }
    )
    assert list(made) == [
        *("sku", "sku_hash", "TE_sku_stay", "TE_sku_buy", "sku_count", "sku_mean_price", "sku_x_C1_x_visitor"),
        *("sku_text", "ts_hour", "ts_weekday", "ts_day", "ts_month", "ts_year", "price", "price_number"),
        *("tags", "tags_length"),
    ]
    assert [step.name for step in made["price_number"].steps] == ["fill", "log", "normalize"]
    assert made["sku_x_C1_x_visitor"].others == (SCHEMA.column("C1"), SCHEMA.column("visitor"))
    assert (made["tags"].keep, made["tags_length"].keep) == (3, 0)
    assert plan({"tags": ["categorify", {"slice": {"last": 2}}]})["tags"].keep == -2


def test_columns_without_operators_of_their_own() -> None:
    everything = plan(None)
    assert list(everything) == [column.name for column in SCHEMA.features]
    assert everything["price"].steps == (Fill(by="median"), OPERATORS["normalize"]())
    # Columns that the recipe names are used; those that are inferred are not, if some are named.
    said = {"user_id": "visitor", "item_id": "sku", "context": ["C1..C3"]}
    assert list(plan({"C2": [], "price": ["log"]}, columns=said)) == ["visitor", "sku", "C1", "C3", "price"]
    assert list(plan({"C1": ["categorify"]}, columns=said, module="shop.features")) == ["C1"]
    assert plan(None, module="shop.features") == {}
    left = unused_columns(recipe({"sku": [{"cross": {"with": ["C1"], "buckets": 5}}], "price": ["log"]}), SCHEMA)
    assert left == ("visitor", *(f"C{n}" for n in range(2, 12)), "stock", "tags", "image")


def test_histories_have_the_operators_of_their_column() -> None:
    features = {"sku": [{"categorify": {"min_count": 3}}], "before": {"history_of": "sku"},
                "prices": {"history_of": "price"}, "price": [{"fill": 0}, "log", "normalize"]}  # fmt: skip
    made = plan(features)
    assert (made["before"].ids_of, made["before"].steps) == ("sku", made["sku"].steps)
    assert [step.name for step in made["prices"].steps] == ["log", "normalize"]
    assert plan({"before": {"history_of": "sku"}})["before"].ids_of == ""
    assert plan({"gap": {"difference_of": "ts"}})["gap"].is_number


def test_columns_that_share_ids() -> None:
    schema = dataclasses.replace(SCHEMA, columns=(*SCHEMA.columns, DataColumn("other", "int64", Role.CONTEXT)))
    shared = [{"categorify": {"domain": "skus"}}]
    features = {"other": shared, "sku": shared, "before": {"history_of": "other"}}
    made = {feature.output: feature.ids_of for feature in feature_plan(recipe(features), schema)}
    assert made == {"other": "sku", "sku": "", "before": "sku"}
    features["C1"] = shared
    features["other"] = [{"categorify": {"domain": "skus", "min_count": 2}}]
    assert faults(features, schema) == [
        "features.other.0: the columns of domain 'skus' differ in min_count or max_size; expected the options of "
        "features.sku.0",
        "features.C1.0: the columns of domain 'skus' differ in type; expected int64, as sku, got C1 string",
    ]


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"C1": ["categorise"]}, "features.C1.0: no such operator; expected one of categorify, hash,"),
        ({"C1": ["categorise"]}, "Did you mean 'categorify'?"),
        ({"Price": ["log"]}, "features.Price: no such column;"),
        ({"C9..C13": ["categorify"]}, "features.C9..C13: columns of the range are missing; got no C12, C13."),
        ({"buy": ["log"]}, "features.buy: a target is no feature; got buy. Remove it from `features`."),
        ({"trust": ["log"]}, "features.trust: the weight of the rows is no feature; got trust."),
        ({"event": ["categorify"]}, "features.event: the type of the event is no feature; got event."),
        ({"stay": ["log"]}, "features.stay: a source of a target is no feature; got stay."),
        ({"C1": [{"categorify": {"min_cont": 2}}]}, "features.C1.0.categorify.min_cont: no such option; expected one"),
        ({"C1": [{"categorify": {"min_count": -1}}]}, "min_count: the value cannot be used; expected at least"),
        ({"C1": [{"categorify": 5}]}, "features.C1.0.categorify: the options cannot be used; expected min_count, max"),
        ({"C1": [{"hash": 0}]}, "features.C1.0.hash.buckets: the value cannot be used; expected at least"),
        ({"C1": ["hash"]}, "features.C1.0.hash.buckets: the option is missing. Write {hash: {buckets: …}}."),
        ({"C1": [{"count_by": {"of": 1}}]}, "features.C1.0.count_by.of: the operator has no options. Write count_by"),
        ({"C1": [{"hash": 5, "log": 1}]}, "features.C1.0: a step is one operator; expected {operator: options}, got"),
        ({"C1": ["normalize"]}, "features.C1.0.normalize: the operator does not fit the column; expected numbers, got"),
        ({"C1": ["hour"]}, "features.C1.0.hour: the operator does not fit the column; expected a time, got C1, string"),
        ({"price": ["categorify"]}, "expected int64 or string, got price, float32. Use bucketize, or normalize."),
        ({"price": ["length"]}, "expected lists of any length, got price, float32."),
        ({"tags": ["count_by"]}, "expected a single int64 or string, got tags, lists of string."),
        ({"image": [{"slice": 3}]}, "expected lists of any length, got image, vectors of 8 float32."),
        ({"tags": [{"slice": 3}]}, "features.tags: a slice alone is no feature. Add an operator, such as categorify."),
        ({"tags": [{"slice": {}}, "categorify"]}, "slice: the value cannot be used; expected first or last, got {}"),
        ({"price": [{"fill": "mode"}]}, "features.price.0.fill.by: the value cannot be used; expected"),
        ({"price": [{"clip": {"min": 3, "max": 2}}]}, "expected min to be at most max, got {'min': 3, 'max': 2}"),
        ({"price": [{"bucketize": [3, 2]}]}, "boundaries: the value cannot be used; expected ascending finite numbers"),
        ({"C1": [{"target_encoding": "bought"}]}, "target_encoding.target: no such target;"),
        ({"C1": [{"target_encoding": "stars"}]}, "no such target; expected one of buy, stayed, stay, got 'stars'."),
        ({"C1": [{"mean_by": "C2"}]}, "features.C1.0.mean_by.column: the column holds no numbers; expected single num"),
        ({"C1": [{"mean_by": "stay"}]}, "the column is no feature; got stay, source. Use target_encoding for targets."),
        ({"C1": [{"cross": {"with": ["C1"], "buckets": 5}}]}, "the column is that of the feature itself; expected ano"),
        ({"C1": [{"cross": {"with": ["C22"], "buckets": 5}}]}, "cross.with: no such column;"),
        ({"C1": [{"cross": {"with": ["tags"], "buckets": 5}}]}, "the column cannot be crossed; expected a single int6"),
        ({"C1": ["categorify"], "C[1]*": []}, ""),
        ({"C1*": ["categorify"], "C1..C2": []}, "features.C1..C2: the column has operators already; got C1. Name the"),
        ({"C1": ["count_by", "count_by"]}, "features.C1.1: two outputs have the same name; got C1_count. Remove one"),
        ({"before": {"history_of": "skus"}}, "features.before.history_of: no such column;"),
        ({"C1": []}, "features: the recipe has no feature. Name columns with operators."),
    ],
)  # fmt: skip
def test_faults(features: dict[str, Any], expected: str) -> None:
    assert expected in "\n".join(faults(features))
    if expected:
        assert len(faults(features)) == 1


def test_all_faults_are_told_at_once() -> None:
    features = {"Price": ["log"], "C1": ["normalise", {"hash": 0}, "length"], "ts": ["log", {"cross": {}}]}
    assert [fault.key for fault in check_features(recipe(features), SCHEMA)] == [
        "features.Price",
        "features.C1.0",
        "features.C1.1.hash.buckets",
        "features.C1.2.length",
        "features.ts.1.cross.with",
        "features.ts.1.cross.buckets",
    ]
    with pytest.raises(RecipeError, match="6 faults in the recipe"):
        feature_plan(recipe(features), SCHEMA)


def test_a_target_that_has_no_mean() -> None:
    classes = DataSchema(SCHEMA.columns[:2], SCHEMA.targets[2:])
    assert faults({"sku": ["target_encoding"]}, classes) == [
        "features.sku.0: there is no target to take the mean of; expected binary or regression, got classes alone. "
        "Remove the operator."
    ]


def test_suggestions_are_operators() -> None:
    for column in SCHEMA.features:
        assert faults({column.name: list(suggested_steps(column))}) == []


def test_names_that_nvtabular_takes_itself() -> None:
    schema = DataSchema((DataColumn("order", "int64", Role.CONTEXT), DataColumn("sku", "int64", Role.ITEM_ID)))
    (fault,) = faults({"order": ["categorify"], "sku": ["categorify"]}, schema)
    assert fault.startswith("features.order.0: NVTabular has a column of this name itself; got order")
    assert fault.endswith("Rename the column in the data, or hash it.")
    assert faults({"order": [{"hash": 10}], "sku": ["categorify"]}, schema) == []
