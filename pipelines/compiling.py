"""Compiles a pipeline to the YAML that Kubeflow Pipelines takes."""

from __future__ import annotations

import os
from pathlib import Path

from kfp import compiler, components
from kfp.dsl import graph_component

from blocks.errors import ConfigError
from blocks.io import atomic_file


def compile_pipeline(pipeline: graph_component.GraphComponent, path: str | os.PathLike[str]) -> None:
    """Writes a pipeline as YAML; the same pipeline gives the same bytes every time.

    The file is read back by KFP's own loader before it takes its place.

    Args:
        pipeline: What `ranking_pipeline` and its like return.
        path: The file to write; its name ends in `.yaml`.

    Raises:
        ConfigError: if the name has another ending.
    """
    target = Path(path)
    if target.suffix not in (".yaml", ".yml"):
        raise ConfigError("the name of a compiled pipeline cannot be used", path=target, expected="a name in .yaml")
    with atomic_file(target) as work:
        compiler.Compiler().compile(pipeline, str(work))
        components.load_component_from_text(work.read_text(encoding="utf-8"))
