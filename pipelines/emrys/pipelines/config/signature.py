"""Turns a dataclass of default arguments into the function that KFP reads a pipeline's inputs from."""

# No `from __future__ import annotations` here: KFP reads the annotations of the pipeline as types.
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Callable, Mapping
from typing import Any

import pydantic

from emrys.blocks.errors import ConfigError


def pipeline_function(
    defaults: Any, summary: str, outputs: Mapping[str, str], returns: type, body: Callable[[dict[str, Any]], Any]
) -> Callable[..., Any]:
    """Makes the function of a pipeline: its signature and its docstring say what its parameters are.

    KFP takes the inputs, their types and defaults from the signature and what the Kubeflow UI shows of them from the
    docstring. Both would repeat the dataclass; so they are made of it.

    Args:
        defaults: A dataclass with the default arguments; the annotation of each field has its description.
        summary: What the pipeline does.
        outputs: What each output is, by name.
        returns: Type of what `body` returns, a named tuple.
        body: Builds the pipeline; gets the channel of each parameter by name.

    Returns:
        The function, for `kfp.dsl.pipeline`.

    Raises:
        ConfigError: if a field has no description.
    """
    fields = dataclasses.fields(defaults)
    described = descriptions(type(defaults))
    hints = typing.get_type_hints(type(defaults))
    names = [field.name for field in fields]

    def function(*channels: Any) -> Any:
        return body(dict(zip(names, channels, strict=True)))

    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=_plain(getattr(defaults, name)),
            annotation=_kind(hints[name]),
        )
        for name in names
    ]
    function.__signature__ = inspect.Signature(parameters, return_annotation=returns)  # type: ignore[attr-defined]
    function.__doc__ = "\n\n".join([summary, _section("Args", described), _section("Returns", outputs)])
    return function


def descriptions(kind: type) -> dict[str, str]:
    """What each field of a dataclass of pydantic means.

    Args:
        kind: The dataclass.

    Returns:
        The descriptions by name.

    Raises:
        ConfigError: if a field has none.
    """
    properties = pydantic.TypeAdapter(kind).json_schema()["properties"]
    silent = [name for name, one in properties.items() if not one.get("description")]
    if silent:
        raise ConfigError(f"{kind.__name__}: {silent[0]} has no description", fix="Say in its annotation what it is.")
    return {name: one["description"] for name, one in properties.items()}


def _section(title: str, texts: Mapping[str, str]) -> str:
    lines = (f"{name}: {text}" for name, text in texts.items())
    return f"{title}:\n" + textwrap.indent("\n".join(lines), "    ")


def _kind(annotation: Any) -> Any:
    """A type that KFP knows: it has no tuples, and their like are lists."""
    if typing.get_origin(annotation) is tuple:
        return list[typing.get_args(annotation)[0]]  # type: ignore[misc]
    return annotation


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, dict) else value
