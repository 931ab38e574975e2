"""What `emrys compile` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emrys.pipelines.arguments import checked_arguments, read_arguments, with_arguments
from emrys.pipelines.catalogue import definition
from emrys.pipelines.compiling import compile_pipeline
from emrys.pipelines.config_file import read_config


def compile_to(pipeline: str, output: Path, config_file: Path | None, settings: Sequence[str] = ()) -> None:
    """Compiles a pipeline and says where it is.

    Args:
        pipeline: Name of the pipeline.
        output: The file to write.
        config_file: Configuration of the pipeline; None for the defaults.
        settings: Parameters as `name=value`, before those of the configuration; they become the defaults.
    """
    wanted = definition(pipeline)
    config = with_arguments(
        read_config(config_file, wanted.config), checked_arguments(wanted, read_arguments(settings))
    )
    compile_pipeline(wanted.build(config), output)
    print(output)
