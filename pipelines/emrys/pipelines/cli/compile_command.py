"""Implementation of `emrys compile`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emrys.components.recipe.reading import read_recipe
from emrys.pipelines.compiling import compile_pipeline
from emrys.pipelines.config.arguments import checked_arguments, read_arguments, with_arguments
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.config.recipe_arguments import arguments_of, pipeline_of, with_absolute_paths
from emrys.pipelines.spec import SPECS, pipeline_spec


def compile_to(pipeline: str, output: Path | None, config_file: Path | None, settings: Sequence[str] = ()) -> None:
    """Compiles a pipeline and prints the path of the file.

    Args:
        pipeline: Name of the pipeline, or path of a recipe.
        output: The file to write; None for one in the working directory, named after the pipeline.
        config_file: Configuration of the pipeline; None for the defaults.
        settings: Parameters as `name=value`; they override the configuration and become the defaults.
    """
    of_recipe: dict[str, Any] = {}
    if pipeline not in SPECS:
        path = Path(pipeline)
        recipe = with_absolute_paths(read_recipe(path), path.parent)
        pipeline, of_recipe = pipeline_of(recipe), arguments_of(recipe)
    spec = pipeline_spec(pipeline)
    arguments = checked_arguments(pipeline, spec.config, {**of_recipe, **read_arguments(settings)})
    output = output or Path(f"{pipeline}.yaml")
    compile_pipeline(spec.builder(with_arguments(read_config(config_file, spec.config), arguments)), output)
    print(output)
