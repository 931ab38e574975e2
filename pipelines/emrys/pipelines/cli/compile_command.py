"""Implementation of `emrys compile`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emrys.pipelines.compiling import compile_pipeline
from emrys.pipelines.config.arguments import checked_arguments, read_arguments, with_arguments
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.spec import pipeline_spec


def compile_to(pipeline: str, output: Path, config_file: Path | None, settings: Sequence[str] = ()) -> None:
    """Compiles a pipeline and prints the path of the file.

    Args:
        pipeline: Name of the pipeline.
        output: The file to write.
        config_file: Configuration of the pipeline; None for the defaults.
        settings: Parameters as `name=value`; they override the configuration and become the defaults.
    """
    spec = pipeline_spec(pipeline)
    arguments = checked_arguments(pipeline, spec.config, read_arguments(settings))
    compile_pipeline(spec.builder(with_arguments(read_config(config_file, spec.config), arguments)), output)
    print(output)
