"""Writes what `values.schema.json` of emrys-pipelines says of each pipeline anew, from the pipelines' configurations.

python -m tests.charts.regenerate
"""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any

from emrys.pipelines.spec import SPECS, pipeline_spec
from tests.charts.rendering import PIPELINES as CHART

SCHEMA = CHART / "values.schema.json"

_KINDS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def pipeline_schema(name: str) -> dict[str, Any]:
    """Schema of the values of a pipeline: its arguments, and resources for each of its steps."""
    hints = typing.get_type_hints(pipeline_spec(name).config)
    arguments = typing.get_type_hints(hints["parameters"])
    parameters = {field.name: _kind(arguments[field.name]) for field in dataclasses.fields(hints["parameters"])}
    steps = {step: {"$ref": "#/$defs/step"} for step in pipeline_spec(name).steps}
    told = {"description": "The names of the pipeline's arguments."}
    return _object({"parameters": {**told, **_object(parameters, [])}, "steps": _object(steps)})


def whole_schema() -> dict[str, Any]:
    """The schema of the chart, with every pipeline as it is now."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    schema["properties"]["pipelines"] = _object({name: pipeline_schema(name) for name in SPECS})
    return schema


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    needed = sorted(properties) if required is None else required
    made: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**made, "required": needed} if needed else made


def _kind(annotation: Any) -> dict[str, Any]:
    if annotation in _KINDS:
        return _KINDS[annotation]
    if typing.get_origin(annotation) is tuple:
        return {"type": "array", "items": _kind(typing.get_args(annotation)[0])}
    if typing.get_origin(annotation) is dict:
        return {"type": "object"}
    raise TypeError(f"no schema for {annotation}")


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(whole_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
