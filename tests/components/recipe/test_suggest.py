from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.check import check_draft
from emrys.components.recipe.reading import draft_of
from emrys.components.recipe.suggest import suggest_recipe
from emrys.components.recipe.yaml_reader import read_yaml
from tests.components.recipe import logs


def suggested(head, path="log.csv"):
    """The recipe of a log as values, and its text; it holds for the log."""
    text = suggest_recipe(path, head, whole=True)
    content = read_yaml(text)
    checked = check_draft(draft_of(content), head, whole=True)
    assert [str(fault) for fault in checked.faults] == []
    assert max(map(len, text.splitlines())) <= 120
    return content, text


def test_a_click_log():
    content, text = suggested(logs.clicks())
    assert content == {
        "version": 1,
        "data": {"path": "log.csv"},
        "columns": {
            "targets": {"label": "binary"},
            "context": ["I1..I13", "C1..C26"],
            "categorical": ["C1..C26"],
            "continuous": ["I1..I13"],
        },
        "split": {"by": "random", "valid": 0.1, "test": 0.1},
        "features": {
            "I1..I13": [{"fill": "median"}, "normalize"],
            "C1..C26": [{"categorify": {"min_count": 2}}],
        },
        "model": {"name": "dlrm"},
    }
    assert "  # user_id: none is found; name it here if there is one\n" in text
    assert "  targets: {label: binary}  # by its name\n" in text
    assert "C1..C26: there is no id; categorical, by its type string\n" in text


def test_implicit_feedback():
    content, text = suggested(logs.reviews(), "gs://bucket/reviews/*.parquet")
    assert content["columns"] == {
        "user_id": "reviewerID",
        "item_id": "asin",
        "time": {"column": "unixReviewTime", "unit": "s"},
        "feedback": "implicit",
    }
    assert content["data"] == {"path": "gs://bucket/reviews/*.parquet"}
    assert content["model"] == {"name": "two-tower"}
    assert content["split"]["by"] == "per_user"
    assert content["features"]["recent"] == {"history_of": "asin", "length": 50}
    assert "feedback: implicit  # no target is found: every row is a positive" in text


def test_events_of_a_shop():
    content, text = suggested(logs.shop())
    assert content["columns"]["events"] == {"column": "event_type", "targets": {"view": "view", "buy": "buy"}}
    assert content["columns"]["session_id"] == "session"
    assert (content["columns"]["item"], content["columns"]["user"]) == (["category", "price"], ["member_since"])
    assert content["model"] == {"name": "mmoe"}
    assert content["features"]["ts"] == ["hour", "weekday"]
    assert "# A target for each type of event but 'show', which 58% of the rows have.\n" in text
    assert "# category: one value for each sku; categorical, by its type string\n" in text
    assert "tasks: {view: 1.0, buy: 1.0}" in text


def test_a_regression():
    content, _ = suggested(logs.houses())
    assert content["columns"]["targets"] == {"target": "regression"}
    assert content["features"] == {
        "district": [{"categorify": {"min_count": 2}}],
        "rooms": [{"categorify": {"min_count": 2}}],
        "area": [{"fill": "median"}, "normalize"],
    }


def test_four_columns():
    content, text = suggested(logs.four_columns())
    assert content["columns"] == {
        "user_id": "listener",
        "item_id": "song",
        "time": {"column": "heard_at", "unit": "s"},
        # 243 of 400 rows are above 2, which is nearer to half than the 152 above 3.
        "targets": {"liked": {"from": "stars", "kind": "binary", "above": 2}},
    }
    assert "# Or predict the number itself: targets: {stars: regression}\n" in text
    assert "# Or each value: targets: {stars: classes}\n" in text


def test_several_candidates_for_the_target_are_explained():
    table = logs.clicks(100).select(["label", "C1"]).append_column("opened", pa.array([0, 1] * 50))
    content, text = suggested(table)
    assert content["columns"]["targets"] == {"label": "binary"}
    assert "  # opened could be a target too; say it under targets, or it stays a feature.\n" in text


def test_sessions_without_users():
    content, _ = suggested(logs.shop().select(["session", "sku", "ts"]))
    assert (content["model"], content["split"]["by"]) == ({"name": "gpt2"}, "session")
    assert content["features"]["recent"] == {"history_of": "sku", "length": 50}


def test_what_is_left_out_has_its_reason():
    rows = 60
    table = pa.table(
        {
            "label": [0, 1] * 30,
            "key": [f"k{row}" for row in range(rows)],
            "born": [datetime.date(1990, 1, 1 + row % 28) for row in range(rows)],
            "seen": [datetime.datetime(2026, 1, 1, row % 24) for row in range(rows)],
            "kind": ["a", "b", "c"] * 20,
        }
    )
    content, text = suggested(table)
    assert set(content["features"]) == {"kind", "seen"}
    assert "# Left out:\n#   key: another value in every row\n#   born: a date that is not the time" in text


def test_names_that_yaml_would_misread_are_quoted():
    table = pa.table({"on": [0, 1] * 30, "a: b": ["x", "y", "z"] * 20, "#c": [1.5, 2.5] * 30, "user": [1, 2, 3] * 20})
    content, _ = suggested(table, "a, [b]: #1.csv")
    assert content["data"] == {"path": "a, [b]: #1.csv"}
    assert content["columns"]["targets"] == {"on": "binary"}
    assert (content["columns"]["user"], content["columns"]["context"]) == (["a: b"], ["#c"])


def test_a_column_that_says_the_split_is_used():
    rows = [*["train"] * 40, *["valid"] * 10, *["test"] * 10]
    content, _ = suggested(pa.table({"label": [0, 1] * 30, "c": ["x", "y", "z"] * 20, "part": rows}))
    assert content["split"] == {"by": "column", "column": "part"}
    assert set(content["features"]) == {"c"}


def test_a_log_with_nothing_to_learn_is_refused():
    with pytest.raises(ConfigError, match="nothing is found that a model can learn"):
        suggest_recipe("x", pa.table({"a": ["x", "y"], "b": ["u", "v"]}))
