from __future__ import annotations

import dataclasses

import pytest

from emrys.components.recipe.builtin import NAMES, recipe_for
from emrys.components.recipe.reading import recipe_of
from emrys.components.recipe.resolve import resolve
from emrys.pipelines.config.arguments import checked_arguments
from emrys.pipelines.config.ranking_config import RankingConfig, RankingParameters
from emrys.pipelines.config.recipe_arguments import arguments_of, local_paths, pipeline_of, with_absolute_paths
from emrys.pipelines.config.retrieval_config import RetrievalConfig, RetrievalParameters
from tests.components.recipe import logs

BARE = {"data": {"path": "log.csv"}, "model": {"name": "dcn"}}


def of(content, head=None):
    recipe = recipe_of(content)
    return arguments_of(recipe, None if head is None else resolve(recipe, head).schema)


def test_a_recipe_that_says_nothing_has_neutral_defaults():
    arguments = of(BARE, logs.clicks())
    assert arguments.items() >= {
        "dataset": "log.csv", "split": "random", "valid_fraction": 0.1, "test_fraction": 0.1,
        "embedding_dim": 16, "dropout": 0.0, "embeddings_l2": 0.0, "bottom_layers": [], "top_layers": [],
        "epochs": 20, "batch_size": 0, "learning_rate": 0.001, "ema_momentum": 0.0, "patience": 4,
        "monitor": "val_loss", "thresholds": {}, "model_name": "ranking",
        "folds": 0, "smoothing": -1.0, "freq_threshold": -1,
    }.items()  # fmt: skip
    assert arguments["recipe"] == BARE


def test_a_recipe_that_says_all():
    content = {
        "data": {"path": ["a.csv", "b.csv"], "cache_dir": "/c"},
        "columns": {"targets": {"label": "binary"}},
        "split": {"by": "random", "valid": 0.2, "test": 0.3},
        "model": {"name": "dlrm", "embedding_dim": 8, "dropout": 0.25, "top_layers": [32]},
        "validate": {"columns": {"I1": {"min": 0}}, "severity": {"drift": "off"}},
        "train": {
            "epochs": 3, "batch_size": 64, "learning_rate": 0.02, "ema_momentum": 0.9, "patience": 5,
            "monitor": "val_auc",
        },
        "gate": {"auc": 0.7, "slice_margin": -0.1},
        "serve": {"name": "clicks"},
    }  # fmt: skip
    arguments = of(content, logs.clicks())
    assert arguments.items() >= {
        "dataset": "a.csv; b.csv", "cache_dir": "/c", "split": "random", "valid_fraction": 0.2, "test_fraction": 0.3,
        "embedding_dim": 8, "dropout": 0.25, "top_layers": [32], "bottom_layers": [64],
        "column_limits": {"I1": {"min": 0.0}}, "check_severity": {"drift": "off"},
        "epochs": 3, "batch_size": 64, "learning_rate": 0.02, "ema_momentum": 0.9, "patience": 5, "monitor": "val_auc",
        "thresholds": {}, "model_name": "clicks",
    }.items()  # fmt: skip
    assert recipe_of(arguments["recipe"]) == recipe_of(content)


def test_retrieval():
    content = {
        "data": {"path": "log.csv"},
        "columns": {"feedback": "implicit"},
        "features": {"recent": {"history_of": "asin", "length": 20}},
        "model": {"name": "two-tower", "tower_layers": [32, 16]},
        "evaluate": {"metrics": ["ndcg@5", "recall@20"]},
        "serve": {"top_k": 30},
    }
    arguments = of(content, logs.reviews())
    assert arguments.items() >= {
        "split": "per_user", "architecture": "two-tower", "tower_layers": [32, 16], "embedding_dim": 64, "history": 20,
        "epochs": 40, "learning_rate": 0.003, "monitor": "val_ndcg_at_10", "patience": 4,
        "k": 5, "recall_k": 20, "top_k": 30, "model_name": "retrieval",
    }.items()  # fmt: skip


def test_without_the_log_what_depends_on_it_is_left_to_the_steps():
    arguments = of({**BARE, "gate": {"auc": 0.6}})
    assert (arguments["split"], arguments["valid_fraction"], arguments["test_fraction"]) == ("", 0.0, 0.0)
    assert arguments["thresholds"] == {}


@pytest.mark.parametrize(
    ("model", "pipeline"),
    [({"name": "mmoe"}, "ranking"), ({"name": "gpt2"}, "retrieval"), ({"module": "own.model:build"}, "ranking")],
)
def test_the_model_decides_about_the_pipeline(model, pipeline):
    assert pipeline_of(recipe_of({"data": {"path": "x"}, "model": model})) == pipeline


@pytest.mark.parametrize(("pipeline", "config"), [("ranking", RankingConfig), ("retrieval", RetrievalConfig)])
def test_arguments_are_parameters_of_the_pipeline(pipeline, config):
    for name in NAMES:
        arguments = arguments_of(recipe_for(name, pipeline))
        assert checked_arguments(pipeline, config, arguments) == arguments


@pytest.mark.parametrize(
    ("pipeline", "parameters"), [("ranking", RankingParameters), ("retrieval", RetrievalParameters)]
)
def test_the_recipe_of_movielens_has_the_values_of_the_parameters_of_before(pipeline, parameters):
    """A run by the name of the data set, and one by its recipe, train the same model."""
    arguments, before = arguments_of(recipe_for("ml-100k", pipeline)), dataclasses.asdict(parameters())
    for name in (
        *("embedding_dim", "dropout", "embeddings_l2", "learning_rate", "ema_momentum", "epochs", "batch_size"),
        *("monitor", "patience", "split", "valid_fraction", "test_fraction"),
        *(("bottom_layers", "top_layers") if pipeline == "ranking" else ("tower_layers", "top_k")),
    ):
        value = before[name]
        if value in ("", 0, 0.0, -1, -1.0, ()):
            continue  # the parameter leaves it to the recipe
        assert arguments[name] == (list(value) if isinstance(value, tuple) else value), name


def test_paths_are_relative_to_the_folder_of_the_recipe(tmp_path):
    recipe = recipe_of(
        {
            "data": {"path": ["a/*.csv", "gs://b/c", "/abs/d", "../e/"], "cache_dir": "cache"},
            "tables": {"items": {"path": "items.parquet", "key": "sku"}},
            "features": {"sku": ["categorify", {"vectors": {"path": "v.parquet", "column": "x"}}]},
            "model": {"name": "dlrm"},
        }
    )
    folder = tmp_path / "recipes"
    absolute = with_absolute_paths(recipe, folder)
    assert absolute.data.path == (f"{folder}/a/*.csv", "gs://b/c", "/abs/d", f"{tmp_path}/e/")
    assert absolute.data.cache_dir == f"{folder}/cache"
    assert absolute.tables["items"].path == f"{folder}/items.parquet"
    assert absolute.features["sku"][1] == {"vectors": {"path": f"{folder}/v.parquet", "column": "x"}}
    for file in ("a/1.csv", "items.parquet"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    assert local_paths(absolute) == [folder / "a", folder / "items.parquet"]


def test_names_of_data_sets_are_no_paths(tmp_path):
    for name in NAMES:
        assert with_absolute_paths(recipe_for(name, "ranking"), tmp_path).data.path == name
