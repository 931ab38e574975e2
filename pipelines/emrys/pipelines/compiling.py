"""Compiles a pipeline to the YAML of Kubeflow Pipelines."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

from kfp import compiler, components
from kfp.dsl import graph_component

from emrys.blocks.errors import ConfigError
from emrys.blocks.io import atomic_file

#: In the comment at the head of a compiled pipeline: an input whose default is a mapping.
_DEFAULT = re.compile(r"^(# +\w+: dict \[Default: )(\{.*\})\]$", re.MULTILINE)


def compile_pipeline(pipeline: graph_component.GraphComponent, path: str | os.PathLike[str]) -> None:
    """Writes a pipeline as YAML; the same pipeline gives the same bytes every time.

    KFP's own loader reads the file before it replaces an earlier one.

    Args:
        pipeline: The pipeline that the builder of a `PipelineSpec` returns.
        path: The file to write; its name ends in `.yaml`.

    Raises:
        ConfigError: if the name has another extension.
    """
    target = Path(path)
    if target.suffix not in (".yaml", ".yml"):
        raise ConfigError(
            "the file name of a compiled pipeline is invalid", path=target, expected="a name that ends in .yaml"
        )
    with atomic_file(target) as work:
        compiler.Compiler().compile(pipeline, str(work))
        text = _DEFAULT.sub(_with_sorted_keys, work.read_text(encoding="utf-8"))
        components.load_component_from_text(text)
        work.write_text(text, encoding="utf-8")


def _with_sorted_keys(match: re.Match[str]) -> str:
    """Sorts the keys in a line of KFP's comment on the inputs, where their order varies."""
    return f"{match[1]}{_sorted(ast.literal_eval(match[2]))}]"


def _sorted(value: Any) -> Any:
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value
