from __future__ import annotations

import json
import random

import pytest
import yaml

from emrys.components.recipe.yaml_reader import read_yaml
from emrys.pipelines.config.arguments import checked_arguments, read_arguments
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.config.ranking_config import RankingConfig
from emrys.pipelines.config.retrieval_config import RetrievalConfig


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("1.5e3", 1500.0),
        ("-2.5E+2", -250.0),
        ("0e0", 0.0),
        (".5e1", 5.0),
        ("1_000_000", 1_000_000),
        ("1_000.5", 1000.5),
        ("1_0e2", 1000.0),
        ("0.7", 0.7),
        ("-3", -3),
        ("{auc: 1e-1, n: [1E2, 2]}", {"auc": 0.1, "n": [100.0, 2]}),
        # No number in JSON either.
        ("1e", "1e"),
        ("e3", "e3"),
        ("1e3x", "1e3x"),
        ("1e3.5", "1e3.5"),
        ("'1e3'", "1e3"),
        ("-", [None]),
    ],
)
def test_numbers(text, value):
    read = read_yaml(text)
    assert (type(read), read) == (type(value), value)


def test_what_json_reads_as_a_number_is_that_number():
    draw = random.Random(3)
    for _ in range(500):
        digits = str(draw.randrange(10**6))
        fraction = draw.choice(["", f".{draw.randrange(10**4):04d}"])
        exponent = draw.choice(["", f"{draw.choice('eE')}{draw.choice(['', '-', '+'])}{draw.randrange(20)}"])
        text = draw.choice(["", "-"]) + digits + fraction + exponent
        number = json.loads(text)
        assert (type(read_yaml(text)), read_yaml(text)) == (type(number), number), text


def test_no_tag_creates_an_object():
    with pytest.raises(yaml.YAMLError):
        read_yaml("!!python/object/apply:os.getcwd []")


def test_set_and_a_file_read_the_same_numbers(tmp_path):
    arguments = read_arguments(["thresholds={auc: 7e-1}", "min_rows=1e3", "learning_rate=1E-3", "synthetic_rows=1_000"])
    checked = checked_arguments("ranking", RankingConfig, arguments)
    assert checked == {"thresholds": {"auc": 0.7}, "min_rows": 1000, "learning_rate": 0.001, "synthetic_rows": 1000}
    file = tmp_path / "config.yaml"
    file.write_text("parameters: {thresholds: {recall_at_50: 1e-1}, min_rows: 1e3, learning_rate: 1E-3}\n")
    parameters = read_config(file, RetrievalConfig).parameters
    assert parameters.thresholds == {"ndcg_at_10": 0.02, "recall_at_50": 0.1}  # the other is the default
    assert (parameters.min_rows, parameters.learning_rate) == (1000, 0.001)
    assert type(parameters.min_rows) is int


def test_numbers_in_mappings_of_any_kind():
    arguments = read_arguments(["column_limits={year: {max_nulls: 1e-2}}", "schema_overrides={year: {maximum: 2E3}}"])
    checked = checked_arguments("ranking", RankingConfig, arguments)
    assert checked["column_limits"] == {"year": {"max_nulls": 0.01}}
    assert checked["schema_overrides"] == {"year": {"maximum": 2000.0}}


def test_a_key_twice_is_refused():
    with pytest.raises(yaml.YAMLError, match="'b' stands twice"):
        read_yaml("a: {b: 1, b: 2}")
    assert read_yaml("base: &base {b: 1}\nown: {<<: *base, b: 2}")["own"] == {"b": 2}
