"""Compiles a pipeline to the YAML that Kubeflow Pipelines takes."""

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
        text = _DEFAULT.sub(_in_order, work.read_text(encoding="utf-8"))
        components.load_component_from_text(text)
        work.write_text(text, encoding="utf-8")


def _in_order(found: re.Match[str]) -> str:
    """A line of KFP's comment on the inputs, in which the keys of a mapping stand in any order."""
    return f"{found[1]}{_sorted(ast.literal_eval(found[2]))}]"


def _sorted(value: Any) -> Any:
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value
