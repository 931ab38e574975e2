"""The JSON Schema of a configuration file, for editors and external checks."""

from __future__ import annotations

import inspect
import json
from typing import Any

import docstring_parser
import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from emrys.pipelines.config.config import PipelineConfig


def config_schema(pipeline: str, config: type[PipelineConfig]) -> dict[str, Any]:
    """Generates the JSON Schema (draft 2020-12) of the configuration of a pipeline.

    The schema comes from the dataclasses that `emrys.pipelines.config.config_file` checks a file with: allowed keys,
    their descriptions and their defaults. It refuses unknown keys.

    Args:
        pipeline: Name of the pipeline, for the title.
        config: Class of the configuration.

    Returns:
        The schema.
    """
    adapter = pydantic.TypeAdapter(config)
    schema = adapter.json_schema(schema_generator=_Generator)
    defaults = adapter.dump_python(config(), mode="json")
    for part, reference in schema["properties"].items():
        properties = schema["$defs"][reference["$ref"].rpartition("/")[2]]["properties"]
        for name, field in properties.items():
            field["default"] = defaults[part][name]
        reference.pop("default", None)  # the properties have it
    return {"$schema": _Generator.schema_dialect, "title": f"Configuration of the {pipeline} pipeline", **schema}


def schema_text(pipeline: str, config: type[PipelineConfig]) -> str:
    """Formats the schema as JSON text; equal configurations give equal bytes.

    Args:
        pipeline: Name of the pipeline, for the title.
        config: Class of the configuration.
    """
    return json.dumps(config_schema(pipeline, config), indent=2, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    """Takes descriptions from docstrings and omits titles, which would repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """A string may be written as a number, so that `cpu: 2` needs no quotes."""
        return {**super().str_schema(schema), "type": ["string", "number"]}

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """Describes the class and those of its attributes that have no description of their own, by its docstring."""
        described = super().dataclass_schema(schema)
        docstring = docstring_parser.parse(inspect.getdoc(schema["cls"]) or "")
        described.pop("title", None)
        described["description"] = docstring.short_description or ""
        for argument in docstring.params:
            text = " ".join((argument.description or "").split())
            described["properties"][argument.arg_name].setdefault("description", text)
        return described
