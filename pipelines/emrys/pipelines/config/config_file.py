"""Reads a configuration file: YAML, checked against the dataclasses, with errors of one line."""

from __future__ import annotations

import dataclasses
import difflib
import os
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.yaml_reader import read_yaml
from emrys.pipelines.config.arguments import with_present_names
from emrys.pipelines.config.config import PipelineConfig

Config = TypeVar("Config", bound=PipelineConfig)


def read_config(path: str | os.PathLike[str] | None, config: type[Config]) -> Config:
    """Reads the configuration of a pipeline.

    Args:
        path: YAML file; None gives the defaults.
        config: Class of the configuration.

    Returns:
        The checked configuration; keys that are not in the file have their defaults.

    Raises:
        ConfigError: if the file is missing or not YAML, or has an unknown key or an invalid value.
    """
    if path is None:
        return config()
    adapter = pydantic.TypeAdapter(config)
    content = _load(Path(path))
    if isinstance(content.get("parameters"), dict):
        known = [field.name for field in dataclasses.fields(config().parameters)]
        content["parameters"] = with_present_names(content["parameters"], known)
    content = _merged(adapter.dump_python(config()), content)
    try:
        return adapter.validate_python(content)
    except pydantic.ValidationError as error:
        raise _config_error(path, error, config) from None


def _load(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("the configuration file is missing", path=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file cannot be read ({error})", path=path) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not a YAML file ({error})", path=path) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError("not a configuration", path=path, expected="a mapping", got=type(content).__name__)
    return content


def _merged(defaults: Any, content: Any) -> Any:
    """Overrides defaults with the content of a file; a mapping replaces only the keys that it has."""
    if not (isinstance(defaults, dict) and isinstance(content, dict)):
        return content
    return {**defaults, **{key: _merged(defaults.get(key), value) for key, value in content.items()}}


def _config_error(path: str | os.PathLike[str], error: pydantic.ValidationError, config: type) -> ConfigError:
    """Converts the first error of pydantic into one line."""
    first = error.errors(include_url=False)[0]
    where, kind = first["loc"], first["type"]
    if kind == "unexpected_keyword_argument":
        return _unknown_key(path, where, config)
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        cause.path = os.fspath(path)
        cause.problem = f"{_dotted(where)}: {cause.problem}" if where else cause.problem
        return cause
    got = repr(first["input"])
    problem = "a mapping is needed here" if kind in ("dataclass_type", "dict_type") else first["msg"]
    return ConfigError(f"{_dotted(where)}: {problem[0].lower()}{problem[1:]}", path=path, got=got)


def _unknown_key(path: str | os.PathLike[str], where: Sequence[str | int], config: type) -> ConfigError:
    known = _fields_at(where[:-1], config)
    near = difflib.get_close_matches(str(where[-1]), known, n=1, cutoff=0.5)
    return ConfigError(
        f"unknown key {_dotted(where)!r}",
        path=path,
        expected=f"one of {', '.join(known)}",
        fix=f"Did you mean {_dotted([*where[:-1], near[0]])!r}?" if near else None,
    )


def _fields_at(where: Sequence[str | int], config: type) -> list[str]:
    """Lists the keys allowed at a path of the configuration, by walking the dataclasses."""
    kind: Any = config
    for part in where:
        kind = typing.get_args(kind)[0] if isinstance(part, int) else typing.get_type_hints(kind)[part]
    return [field.name for field in dataclasses.fields(kind)]


def _dotted(where: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in where)
