"""Turns a dataclass of default arguments into the function that KFP reads a pipeline's inputs from."""

# No `from __future__ import annotations` here: KFP reads the annotations of the pipeline as types.
import dataclasses
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import pydantic

from emrys.blocks.errors import ConfigError


def pipeline_function(
    defaults: Any, summary: str, outputs: Mapping[str, str], returns: type, body: Callable[[Any], Any]
) -> Callable[..., Any]:
    """Creates the function of a pipeline, with a signature and a docstring generated from its parameters.

    KFP reads the inputs, their types and their defaults from the signature, and the descriptions that the Kubeflow UI
    shows from the docstring. Both are generated, so that they do not repeat the dataclass.

    Args:
        defaults: A dataclass with the default arguments; the annotation of each field has its description.
        summary: Description of the pipeline.
        outputs: Descriptions of the outputs, by name.
        returns: Type that `body` returns, a named tuple.
        body: Wires the pipeline; receives the parameters as attributes of one object.

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
        return body(types.SimpleNamespace(**dict(zip(names, channels, strict=True))))

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
    """Collects the descriptions of the fields of a pydantic dataclass.

    Args:
        kind: The dataclass.

    Returns:
        Descriptions by name.

    Raises:
        ConfigError: if a field has none.
    """
    properties = pydantic.TypeAdapter(kind).json_schema()["properties"]
    missing = [name for name, field in properties.items() if not field.get("description")]
    if missing:
        fix = "Add one in its annotation: Annotated[..., Field(description=...)]."
        raise ConfigError(f"{kind.__name__}: {missing[0]} has no description", fix=fix)
    return {name: field["description"] for name, field in properties.items()}


def _section(title: str, texts: Mapping[str, str]) -> str:
    lines = (f"{name}: {text}" for name, text in texts.items())
    return f"{title}:\n" + textwrap.indent("\n".join(lines), "    ")


def _kind(annotation: Any) -> Any:
    """Maps a type to one that KFP supports: it has no tuples, so they become lists."""
    if typing.get_origin(annotation) is tuple:
        return list[typing.get_args(annotation)[0]]  # type: ignore[misc]
    return annotation


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, dict) else value
