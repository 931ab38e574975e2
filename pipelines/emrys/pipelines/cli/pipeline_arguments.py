"""Pipeline and arguments of a command that takes the name of a pipeline or the path of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emrys.components.recipe.reading import read_recipe
from emrys.pipelines.cli.pipeline_app import is_recipe
from emrys.pipelines.config.arguments import checked_arguments, read_arguments
from emrys.pipelines.config.recipe_arguments import arguments_of, pipeline_of, with_absolute_paths
from emrys.pipelines.spec import PipelineSpec, pipeline_spec


def pipeline_and_arguments(name: str, settings: Sequence[str]) -> tuple[PipelineSpec, dict[str, Any]]:
    """The pipeline of a name or of a recipe, and its arguments; the log of a recipe is not read.

    Args:
        name: Name of a pipeline, or path of a recipe.
        settings: Arguments as `name=value`, which override the recipe.

    Raises:
        RecipeError: if the recipe has faults; it lists all of them.
        ConfigError: if there is no such pipeline or file, or an argument cannot be used.
    """
    of_recipe: dict[str, Any] = {}
    if is_recipe(name):
        path = Path(name)
        recipe = with_absolute_paths(read_recipe(path), path.parent)
        name, of_recipe = pipeline_of(recipe), arguments_of(recipe)
    spec = pipeline_spec(name)
    return spec, checked_arguments(spec.name, spec.config, {**of_recipe, **read_arguments(settings)})
