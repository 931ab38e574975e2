"""Implementation of `emrys compile`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emrys.pipelines.cli.pipeline_arguments import pipeline_and_arguments
from emrys.pipelines.compiling import compile_pipeline
from emrys.pipelines.config.arguments import with_arguments
from emrys.pipelines.config.config_file import read_config


def compile_to(pipeline: str, output: Path | None, config_file: Path | None, settings: Sequence[str] = ()) -> None:
    """Compiles a pipeline and prints the path of the file.

    Args:
        pipeline: Name of the pipeline, or path of a recipe.
        output: The file to write; None for one in the working directory, named after the pipeline.
        config_file: Configuration of the pipeline; None for the defaults.
        settings: Parameters as `name=value`; they override the configuration and become the defaults.
    """
    spec, arguments = pipeline_and_arguments(pipeline, settings)
    output = output or Path(f"{spec.name}.yaml")
    compile_pipeline(spec.builder(with_arguments(read_config(config_file, spec.config), arguments)), output)
    print(output)
