"""Arguments of a pipeline: `name=value` texts, checked against the parameters; names of an earlier version."""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import pydantic
import yaml

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.yaml_reader import read_yaml
from emrys.pipelines.config.config import PipelineConfig

Config = TypeVar("Config", bound=PipelineConfig)

#: Names that parameters had before version 0.2, with their present names.
RENAMED_PARAMETERS = {"answers": "top_k", "rows": "synthetic_rows", "slice_units": "min_slice_size"}


def read_arguments(texts: Sequence[str]) -> dict[str, Any]:
    """Reads `name=value` texts; values are YAML, so that `epochs=3` is a number and `top_layers=[64, 32]` a list.

    Raises:
        ConfigError: if a text has no `=`, or its value is not YAML.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise ConfigError("--set", expected="NAME=VALUE", got=repr(text))
        try:
            arguments[name.strip()] = read_yaml(value) if value.strip() else ""
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {name}: not YAML ({' '.join(str(error).split())})", got=repr(value)) from None
    return arguments


def with_present_names(arguments: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Replaces the old names of renamed parameters, with a deprecation note on standard error for each.

    Args:
        arguments: Arguments by name.
        known: Names of the pipeline's parameters.

    Returns:
        The arguments by their present names.

    Raises:
        ConfigError: if an argument is there under both names.
    """
    known = set(known)
    present: dict[str, Any] = {}
    for name, value in arguments.items():
        new = RENAMED_PARAMETERS.get(name, name)
        if name in known or new not in known:
            new = name
        elif new in arguments:
            raise ConfigError(f"the parameter {new!r} is set twice, once as {name!r}", fix=f"Remove {name!r}.")
        else:
            print(f"emrys: the parameter {name!r} is deprecated; its new name is {new!r}", file=sys.stderr)
        present[new] = value
    return present


def checked_arguments(pipeline: str, config: type[PipelineConfig], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checks arguments against the parameters of a pipeline.

    Args:
        pipeline: Name of the pipeline, for messages.
        config: Class of its configuration.
        arguments: Arguments by name.

    Returns:
        The arguments, converted to the types of the parameters.

    Raises:
        ConfigError: if the pipeline has no such parameter, or a value has the wrong type.
    """
    defaults = config().parameters
    known = [field.name for field in dataclasses.fields(defaults)]
    arguments = with_present_names(arguments, known)
    for name in arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"Did you mean {near[0]!r}?" if near else None
            raise ConfigError(f"{pipeline} has no parameter {name!r}", expected=f"one of {', '.join(known)}", fix=fix)
    try:
        adapter = pydantic.TypeAdapter(type(defaults))
        values = {**dataclasses.asdict(defaults), **arguments}
        checked = adapter.dump_python(adapter.validate_python(values), mode="json")
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{pipeline}: {where}: {first['msg']}", got=repr(first["input"])) from None
    return {name: checked[name] for name in arguments}


def with_arguments(config: Config, arguments: Mapping[str, Any]) -> Config:
    """Replaces default values of parameters in a configuration.

    Args:
        config: The configuration of a pipeline.
        arguments: Arguments that `checked_arguments` has returned.
    """
    parameters = pydantic.TypeAdapter(type(config.parameters)).validate_python(
        {**dataclasses.asdict(config.parameters), **arguments}
    )
    return dataclasses.replace(config, parameters=parameters)  # type: ignore[type-var]
