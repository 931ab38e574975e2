"""Recipes that ship with the package: MovieLens, and synthetic data of the same columns."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import resources

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.faults import nearest
from emrys.components.recipe.reading import recipe_of
from emrys.components.recipe.recipe import Difference, History, Recipe
from emrys.components.recipe.yaml_reader import read_yaml

#: Section `data` by name of a data set.
_DATA = {
    "ml-100k": "{path: ml-100k, reader: movielens}",
    "ml-1m": "{path: ml-1m, reader: movielens}",
    "synthetic": "{path: synthetic, reader: synthetic, rows: 60_000}",
}
#: Names of the data sets with a recipe.
NAMES = tuple(_DATA)
#: Tasks of their recipes.
TASKS = ("ranking", "retrieval")


def recipe_text(name: str, task: str) -> str:
    """The recipe of a data set as YAML.

    Args:
        name: One of `NAMES`.
        task: `ranking` or `retrieval`.

    Raises:
        ConfigError: if there is no such data set or task.
    """
    if name not in _DATA:
        near = nearest(name, NAMES)
        fix = f"Did you mean {near!r}?" if near else "`emrys init` writes a recipe for files of your own."
        raise ConfigError(f"no recipe has the name {name!r}", expected=f"one of {', '.join(NAMES)}", fix=fix)
    if task not in TASKS:
        raise ConfigError("no such task", expected=" or ".join(TASKS), got=repr(task))
    text = resources.files(__package__).joinpath("builtin_recipes", f"movielens-{task}.yaml").read_text("utf-8")
    return text.replace(f"data: {_DATA['ml-100k']}\n", f"data: {_DATA[name]}\n")


def recipe_for(dataset: str, task: str, columns: Sequence[str] | None = None) -> Recipe:
    """The recipe of a data set that is given by its name or its path alone.

    A path is that of a release of MovieLens, or of files with the columns of MovieLens, of which the first four must be
    there: userId, movieId, timestamp and rating.

    Args:
        dataset: One of `NAMES`, or a path.
        task: `ranking` or `retrieval`.
        columns: Columns that the data have; features of others are left out. Default: all.

    Raises:
        ConfigError: if there is no such task.
    """
    recipe = _recipe(dataset if dataset in _DATA else "ml-100k", task)
    if dataset not in _DATA:
        data = recipe.data.model_copy(update={"path": dataset, "reader": "auto"})
        recipe = recipe.model_copy(update={"data": data})
    return recipe if columns is None else _with_columns(recipe, columns)


@functools.cache
def _recipe(name: str, task: str) -> Recipe:
    return recipe_of(read_yaml(recipe_text(name, task)))


def _with_columns(recipe: Recipe, columns: Sequence[str]) -> Recipe:
    """The recipe without features of columns that are not there."""
    roles = ("user", "item", "context", "categorical", "continuous")
    said = recipe.columns
    update = {role: tuple(name for name in getattr(said, role) if name in columns) for role in roles}
    features = {
        name: steps
        for name, steps in (recipe.features or {}).items()
        if isinstance(steps, History | Difference) or name in columns or name in (said.user_id, said.item_id)
    }
    return recipe.model_copy(update={"columns": said.model_copy(update=update), "features": features})
