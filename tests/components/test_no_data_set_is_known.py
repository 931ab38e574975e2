"""No step knows a data set: MovieLens by a recipe of its own, under other names, gives the same figures."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emrys.blocks.datasets import load_movielens
from emrys.components.build_model.step import BuildModelConfig
from emrys.components.build_model.step import run as build_model
from emrys.components.evaluate.step import EvaluateConfig
from emrys.components.evaluate.step import run as evaluate
from emrys.components.infer_schema.step import SchemaConfig
from emrys.components.infer_schema.step import run as infer_schema
from emrys.components.ingest.step import IngestConfig
from emrys.components.ingest.step import run as ingest
from emrys.components.preprocess.step import PreprocessConfig
from emrys.components.preprocess.step import run as preprocess
from emrys.components.recipe.builtin import recipe_text
from emrys.components.recipe.reading import recipe_of
from emrys.components.recipe.recipe import Recipe
from emrys.components.recipe.yaml_reader import read_yaml
from emrys.components.train.step import TrainConfig
from emrys.components.train.step import run as train
from tests import real_data

ROOT = Path(__file__).resolve().parents[2]

#: Where a data set may be named: its recipes, and what is read if there are no data schemas yet.
KNOWING = ("components/emrys/components/recipe/builtin", "components/emrys/components/sources/movielens")

#: Other names, in the same alphabetical order: layers are made in the order of the names of their features.
NAMES = {
    "age": "cohort",
    "gender": "group",
    "genres": "kinds",
    "movieId": "module",
    "occupation": "office",
    "rating": "score",
    "rating_binary": "score_high",
    "release_year": "since",
    "timestamp": "stamp",
    "title": "text",
    "userId": "visitor",
    "zipcode": "zone",
}


def test_only_its_recipe_and_its_reader_name_movielens():
    words = re.compile(r"\b(movie|movies|movieId|rating)\b", re.IGNORECASE)
    found = {
        str(path.relative_to(ROOT))
        for package in ("components", "pipelines")
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".yaml", ".j2") and words.search(path.read_text(encoding="utf-8"))
    }
    assert {path for path in found if not path.startswith(KNOWING)} == set()


def _renamed(table: pa.Table) -> pa.Table:
    """The log with other names, ids as texts of the same order, and ratings twice as large."""
    columns = {NAMES[name]: table[name] for name in table.column_names}
    for name, letter in (("visitor", "v"), ("module", "m")):
        padded = pc.utf8_lpad(columns[name].cast(pa.string()), 6, "0")
        columns[name] = pc.binary_join_element_wise(pa.scalar(letter), padded, "")
    columns["score"] = pc.multiply(columns["score"], pa.scalar(2, columns["score"].type))
    return pa.table(columns)


def _renamed_recipe(path: Path) -> Recipe:
    text = recipe_text("ml-100k", "ranking")
    for name in sorted(NAMES, key=len, reverse=True):
        text = re.sub(rf"\b{name}\b", NAMES[name], text)
    text = text.replace("{path: ml-100k, reader: movielens}", f"{{path: {path}}}").replace("above: 3", "above: 6")
    text = text.replace("score: {min: 0.5, max: 5}", "score: {min: 1, max: 10}")
    return recipe_of(read_yaml(text))


def _figures(recipe: Recipe, folder: Path) -> dict[str, float]:
    ingest(IngestConfig(recipe=recipe), folder / "splits")
    preprocess(
        folder / "splits",
        PreprocessConfig(recipe.model_dump(mode="json", by_alias=True, exclude_unset=True)),
        data=folder / "data",
        workflow=folder / "workflow",
    )
    infer_schema(folder / "data", folder / "workflow", SchemaConfig(), folder / "schema")
    build_model(folder / "schema", BuildModelConfig(embedding_dim=8, dropout=0.3), folder / "model")
    train(folder / "data", folder / "schema", folder / "model", TrainConfig(epochs=2), folder / "trained")
    inputs = [folder / name for name in ("splits", "data", "trained", "schema")]
    return evaluate(*inputs, EvaluateConfig(), folder / "evaluation").metrics


@pytest.mark.slow
def test_other_names_give_the_same_figures(tmp_path):
    archive = real_data.path("ml-100k.zip")
    own = recipe_of(read_yaml(recipe_text("ml-100k", "ranking").replace("path: ml-100k", f"path: {archive}")))
    pq.write_table(_renamed(load_movielens(archive)), tmp_path / "log.parquet")
    expected = _figures(own, tmp_path / "own")
    assert expected["auc"] > 0.7
    assert _figures(_renamed_recipe(tmp_path / "log.parquet"), tmp_path / "renamed") == pytest.approx(
        expected, abs=1e-6
    )
