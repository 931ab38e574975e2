"""What `emrys compile` does."""

from __future__ import annotations

from pathlib import Path

from pipelines.compiling import compile_pipeline
from pipelines.config_file import read_config
from pipelines.ranking import ranking_pipeline


def compile_to(output: Path, config_file: Path | None) -> None:
    """Compiles the ranking pipeline and says where it is.

    Args:
        output: The file to write.
        config_file: Configuration of the pipeline; None for the defaults.
    """
    compile_pipeline(ranking_pipeline(read_config(config_file)), output)
    print(output)
