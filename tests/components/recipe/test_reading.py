from __future__ import annotations

import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.faults import RecipeError
from emrys.components.recipe.reading import draft_of, read_recipe, recipe_of
from emrys.components.recipe.recipe import History, TargetColumn, TimeColumn

#: The examples of the design: a click log, implicit feedback, two tasks from one event log.
CLICKS = """
data: {path: criteo/*.csv}
columns:
  targets: {label: binary}
  categorical: [C1..C26]
  continuous: [I1..I13]
split: {by: random, valid: 0.1, test: 0.1}
features:
  C1..C26: [{categorify: {min_count: 5, max_size: 1_000_000}}]
  I1..I13: [{fill: 0}, {clip: {min: 0}}, log, normalize]
model: {name: dcn, depth: 3, deep_layers: [256, 128]}
evaluate: {metrics: [auc, log_loss], baselines: [constant], bootstrap_by: row}
gate: {auc: 0.70}
"""
REVIEWS = """
data: {path: reviews.csv}
columns:
  user_id: reviewerID
  item_id: asin
  time: {column: unixReviewTime, unit: s}
  feedback: implicit
split: {by: last_per_user, valid: 1, test: 1, min_events: 5}
features: {recent: {history_of: asin, length: 50}}
model: {name: two-tower}
evaluate: {metrics: [ndcg@10, recall@50], exclude_seen: true}
gate: {better_than: [popularity, last_item]}
"""
SHOP = """
version: 1
data: {path: "events/dt=*/"}
columns:
  user_id: visitor
  item_id: sku
  time: ts
  events: {column: event_type, targets: {click: view, buy: buy}}
  item: [category, price]
features: {price: [log, normalize], ts: [hour, weekday]}
split: {by: time}
model: {name: mmoe, tasks: {click: 1.0, buy: 2.0}, sample_space: {buy: click}}
"""


def written(folder, text):
    file = folder / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def faults(content):
    """Lines of the faults by key."""
    return {fault.key: str(fault) for fault in draft_of(content).faults}


def test_the_examples_of_the_design_are_read(tmp_path):
    clicks = read_recipe(written(tmp_path, CLICKS))
    assert clicks.features["C1..C26"] == ({"categorify": {"min_count": 5, "max_size": 1_000_000}},)
    assert clicks.model.options == {"depth": 3, "deep_layers": [256, 128]}
    assert clicks.gate == {"auc": 0.7}
    reviews = read_recipe(written(tmp_path, REVIEWS))
    assert reviews.columns.time == TimeColumn(column="unixReviewTime", unit="s")
    assert reviews.features["recent"] == History(history_of="asin", length=50)
    assert reviews.split.min_events == 5
    shop = read_recipe(written(tmp_path, SHOP))
    assert shop.columns.events.targets == {"click": "view", "buy": "buy"}
    assert shop.model.tasks == {"click": 1.0, "buy": 2.0}


def test_numbers_are_read_as_the_reader_reads_them(tmp_path):
    text = REVIEWS + "train: {epochs: 1_000, learning_rate: 1e-3}\n"
    train = read_recipe(written(tmp_path, text)).train
    assert (train.epochs, train.learning_rate) == (1_000, 0.001)


def test_all_faults_are_told_in_one_error_with_status_2(tmp_path):
    text = REVIEWS.replace("user_id", "user").replace("length: 50", "length: 0").replace("two-tower", "two-towers")
    with pytest.raises(RecipeError) as raised:
        read_recipe(written(tmp_path, text))
    lines = str(raised.value).splitlines()
    assert lines[0] == f"{tmp_path / 'recipe.yaml'}: 3 faults"
    assert (
        lines[1] == '  columns.user: the value cannot be used; expected a list, got "reviewerID". Write [reviewerID].'
    )
    assert lines[2] == "  features.recent.length: the value cannot be used; expected at least 1, got 0"
    assert lines[3].startswith("  model.name: no such model; expected one of dlrm, ")
    assert lines[3].endswith("got 'two-towers'. Did you mean 'two-tower'?")
    assert (raised.value.exit_status, len(raised.value.faults)) == (2, 3)
    assert isinstance(raised.value, ConfigError)


@pytest.mark.parametrize("version", [0, 2, "1", None, 1.5])
def test_an_unknown_version_is_refused_with_what_to_do(version):
    told = faults({"version": version, "data": {"path": "x"}, "model": {"name": "dlrm"}})
    assert list(told) == ["version"]
    assert "Install a release that reads version" in told["version"]
    assert "or rewrite the recipe for version 1." in told["version"]


def test_an_unknown_key_gets_the_nearest_one():
    told = faults({"data": {"path": "x", "readr": "csv"}, "columns": {"usr_id": "u"}, "model": {"name": "dlrm"}})
    assert told["data.readr"].endswith("Did you mean 'data.reader'?")
    assert told["columns.usr_id"].endswith("Did you mean 'columns.user_id'?")


@pytest.mark.parametrize(
    ("section", "key", "words"),
    [
        ({"targets": {"a": "binry"}}, "columns.targets.a", "binary or regression or classes or a mapping"),
        ({"targets": {"a": {"kind": "x"}}}, "columns.targets.a.kind", "binary or regression or classes, got"),
        ({"targets": {"a": {"abov": 2}}}, "columns.targets.a.abov", "Did you mean 'columns.targets.a.above'?"),
        ({"time": {"colum": "ts"}}, "columns.time.colum", "Did you mean 'columns.time.column'?"),
        ({"time": {"unit": "s"}}, "columns.time.column", "the key is missing. Add 'column' to columns.time."),
        ({"time": {"column": "t", "unit": "h"}}, "columns.time.unit", "s or ms or us or ns"),
        ({"time": 5}, "columns.time", "a mapping or text"),
        ({"user_id": False}, "columns.user_id", "YAML reads yes, no, on and off so: quote it."),
        ({"events": {"column": "e", "targets": {"c": 1.5}}}, "columns.events.targets.c", "expected text or a whole"),
        ({"nulls": "dropp"}, "columns.nulls", "Did you mean 'drop'?"),
    ],
)
def test_faults_inside_of_alternatives_are_those_of_the_alternative_that_is_meant(section, key, words):
    told = faults({"data": {"path": "x"}, "columns": section, "model": {"name": "dlrm"}})
    assert words in told[key]
    assert [name for name in told if name.split(".")[:3] != key.split(".")[:3]] == []


def test_a_model_or_data_without_a_mapping_says_how_to_write_it():
    told = faults({"data": "clicks.csv", "model": "dlrm"})
    assert told["data"].endswith("Write data: {path: clicks.csv}.")
    assert told["model"].endswith("Write model: {name: dlrm}.")


def test_what_can_be_read_is_kept_for_further_checks():
    draft = draft_of(
        {
            "data": {"path": "x"},
            "columns": {"user_id": 5, "item_id": "sku", "user": ["a", 1]},
            "model": {"name": "dlrm"},
        }
    )
    assert (draft.recipe.columns.user_id, draft.recipe.columns.item_id, draft.recipe.columns.user) == ("", "sku", ())
    assert draft.concerns("columns.user_id")
    assert draft.concerns("columns")
    assert not draft.concerns("columns.item_id")


def test_a_recipe_of_a_pipeline_has_floats_for_whole_numbers():
    recipe = recipe_of(
        {"version": 1.0, "data": {"path": "x"}, "train": {"epochs": 3.0}, "model": {"name": "dcn", "depth": 2.0}}
    )
    assert (recipe.version, recipe.train.epochs, recipe.model.options) == (1, 3, {"depth": 2})
    assert (
        "got 1.5"
        in faults({"data": {"path": "x"}, "train": {"epochs": 1.5}, "model": {"name": "dlrm"}})["train.epochs"]
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "got nothing"), ("- a", "got list"), ("a: {", "not a YAML file"), ("a: 1\na: 2", "'a' stands twice")],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        read_recipe(written(tmp_path, text))


def test_a_missing_file_names_init(tmp_path):
    with pytest.raises(ConfigError, match="`emrys init` writes one"):
        read_recipe(tmp_path / "none.yaml")


def test_targets_by_hand():
    recipe = recipe_of(
        {
            "data": {"path": "x"},
            "columns": {"targets": {"liked": {"from": "stars", "above": 3}}},
            "model": {"name": "dlrm"},
        }
    )
    assert recipe.columns.targets["liked"] == TargetColumn(source="stars", above=3)
