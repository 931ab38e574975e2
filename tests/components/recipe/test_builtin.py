from __future__ import annotations

import numpy as np
import pytest

from emrys.blocks.datasets import LOG_SCHEMA, movielens_like
from emrys.blocks.errors import ConfigError
from emrys.components.contracts.data_schema import Role, TargetKind
from emrys.components.recipe.builtin import NAMES, TASKS, recipe_for, recipe_text
from emrys.components.recipe.check import check_draft
from emrys.components.recipe.models import MODELS
from emrys.components.recipe.reading import draft_of, recipe_of
from emrys.components.recipe.recipe import History
from emrys.components.recipe.resolve import resolve
from emrys.components.recipe.yaml_reader import read_yaml


@pytest.fixture(scope="module")
def log():
    return movielens_like(3_000, seed=1).table


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_that_ships_has_no_fault_and_names_every_column(name, task, log):
    checked = check_draft(draft_of(read_yaml(recipe_text(name, task))), log)
    assert checked.faults == ()
    assert (checked.notes, dict(checked.schema.unused), dict(checked.schema.inferred)) == ((), {}, {})
    assert checked.recipe == recipe_for(name, task)
    assert checked.recipe.data.path == name
    assert checked.recipe.data.reader == ("synthetic" if name == "synthetic" else "movielens")
    assert MODELS[checked.recipe.model.name].task == task


@pytest.mark.parametrize("task", TASKS)
def test_columns_types_and_target_of_movielens(task, log):
    schema = resolve(recipe_for("ml-1m", task), log).checked()
    assert schema.names[: len(LOG_SCHEMA.names)] == tuple(LOG_SCHEMA.names)
    assert all(schema.column(field.name).arrow_type == field.type for field in LOG_SCHEMA)
    assert (schema.user_id, schema.item_id, schema.time) == ("userId", "movieId", "timestamp")
    assert schema.of_role(Role.USER) == ("gender", "age", "occupation", "zipcode")
    assert schema.of_role(Role.ITEM) == ("title", "genres", "release_year")
    assert [column.name for column in schema.columns if column.continuous] == ["release_year"]
    (target,) = schema.targets
    assert (target.name, target.kind, target.source) == ("rating_binary", TargetKind.BINARY, "rating")


def test_the_target_is_a_rating_above_3():
    for task in TASKS:
        target = recipe_for("ml-100k", task).columns.targets["rating_binary"]
        assert (target.source, target.above) == ("rating", 3)


def test_settings_of_the_tasks():
    ranking, retrieval = (recipe_for("ml-100k", task) for task in TASKS)
    assert ranking.model.options == {
        "bottom_layers": [64], "top_layers": [128, 64], "embedding_dim": 16, "dropout": 0.3,
    }  # fmt: skip
    assert retrieval.model.options == {
        "tower_layers": [64], "embedding_dim": 64, "dropout": 0.5, "embeddings_l2": 3e-5,
    }  # fmt: skip
    assert (ranking.split.by, ranking.split.valid, ranking.split.test) == ("per_user", 0.1, 0.1)
    assert (retrieval.split.by, retrieval.split.valid, retrieval.split.test) == ("per_user", 0.1, 0.2)
    assert (ranking.train.learning_rate, ranking.train.ema_momentum, ranking.train.epochs) == (0.001, 0.99, 20)
    assert (retrieval.train.learning_rate, retrieval.train.ema_momentum, retrieval.train.epochs) == (0.003, None, 40)
    assert retrieval.features["history"] == History(history_of="movieId", length=100)


def test_a_path_is_read_with_the_columns_of_movielens():
    recipe = recipe_for("some/ratings.parquet", "ranking")
    assert (recipe.data.path, recipe.data.reader) == ("some/ratings.parquet", "auto")
    assert recipe.columns == recipe_for("ml-100k", "ranking").columns


@pytest.mark.parametrize("task", TASKS)
def test_columns_that_a_file_lacks_are_left_out(task, log):
    small = log.select(["userId", "movieId", "timestamp", "rating", "age"])
    recipe = recipe_for("ratings.parquet", task, small.column_names)
    assert (recipe.columns.user, recipe.columns.item, recipe.columns.categorical) == (("age",), (), ("age",))
    expected = {"userId", "movieId", "age"} | ({"history"} if task == "retrieval" else set())
    assert set(recipe.features) == expected
    assert resolve(recipe, small).checked().of_role(Role.USER) == ("age",)


def test_a_column_that_must_be_there_is_a_fault(log):
    small = log.select(["userId", "timestamp", "rating"])
    faults = resolve(recipe_for("ratings.parquet", "ranking", small.column_names), small).faults
    assert [fault.key for fault in faults] == ["columns.item_id"]


def test_unknown_names():
    with pytest.raises(ConfigError, match="Did you mean 'ml-100k'"):
        recipe_text("ml-100", "ranking")
    with pytest.raises(ConfigError, match="expected ranking or retrieval, got 'rank'"):
        recipe_text("ml-1m", "rank")


def test_a_recipe_survives_the_way_through_a_pipeline():
    """Kubeflow Pipelines passes all numbers of a mapping as floats."""

    def floats(value):
        if isinstance(value, dict):
            return {key: floats(each) for key, each in value.items()}
        if isinstance(value, list):
            return [floats(each) for each in value]
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    for task in TASKS:
        recipe = recipe_for("ml-1m", task)
        content = recipe.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert recipe_of(floats(content)) == recipe


def test_age_is_a_code(log):
    assert len(np.unique(log["age"])) > 1
    assert not resolve(recipe_for("ml-1m", "ranking"), log).schema.column("age").continuous
