"""What `emrys compile` does."""

from __future__ import annotations

from pathlib import Path

from pipelines.catalogue import definition
from pipelines.compiling import compile_pipeline
from pipelines.config_file import read_config


def compile_to(pipeline: str, output: Path, config_file: Path | None) -> None:
    """Compiles a pipeline and says where it is.

    Args:
        pipeline: Name of the pipeline.
        output: The file to write.
        config_file: Configuration of the pipeline; None for the defaults.
    """
    wanted = definition(pipeline)
    compile_pipeline(wanted.build(read_config(config_file, wanted.config)), output)
    print(output)
