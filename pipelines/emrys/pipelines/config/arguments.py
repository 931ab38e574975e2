"""Arguments of a pipeline that a user gives by name."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import pydantic
import yaml

from emrys.blocks.errors import ConfigError
from emrys.pipelines.config.config import PipelineConfig
from emrys.pipelines.spec import Definition

Config = TypeVar("Config", bound=PipelineConfig)


def read_arguments(texts: Sequence[str]) -> dict[str, Any]:
    """Reads `name=value` texts; values are YAML, so that `epochs=3` is a number and `top_layers=[64, 32]` a list.

    Raises:
        ConfigError: if a text has no `=`, or its value is no YAML.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise ConfigError("--set", expected="NAME=VALUE", got=repr(text))
        try:
            found[name.strip()] = yaml.safe_load(value) if value.strip() else ""
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {name}: not YAML ({' '.join(str(error).split())})", got=repr(value)) from None
    return found


def checked_arguments(wanted: Definition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Holds arguments against the pipeline's parameters.

    Args:
        wanted: The pipeline.
        given: Arguments by name.

    Returns:
        The arguments, with the types of the parameters.

    Raises:
        ConfigError: if the pipeline has no such parameter, or the value is of another type.
    """
    defaults = wanted.config().parameters
    known = [field.name for field in dataclasses.fields(defaults)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"Did you mean {near[0]!r}?" if near else None
            raise ConfigError(
                f"{wanted.name} has no parameter {name!r}", expected=f"one of {', '.join(known)}", fix=fix
            )
    try:
        adapter = pydantic.TypeAdapter(type(defaults))
        checked = adapter.dump_python(adapter.validate_python({**dataclasses.asdict(defaults), **given}), mode="json")
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{wanted.name}: {where}: {first['msg']}", got=repr(first["input"])) from None
    return {name: checked[name] for name in given}


def with_arguments(config: Config, arguments: Mapping[str, Any]) -> Config:
    """A configuration whose parameters have other defaults.

    Args:
        config: The configuration of a pipeline.
        arguments: What `checked_arguments` gave for it.
    """
    parameters = pydantic.TypeAdapter(type(config.parameters)).validate_python(
        {**dataclasses.asdict(config.parameters), **arguments}
    )
    return dataclasses.replace(config, parameters=parameters)  # type: ignore[type-var]
