"""The JSON Schema of a configuration file, for editors and for checks before a run."""

from __future__ import annotations

import inspect
import json
from typing import Any

import docstring_parser
import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from emrys.pipelines.spec import definition


def config_schema(pipeline: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the configuration of a pipeline.

    It is made from the dataclasses that `emrys.pipelines.config.config_file` checks a file with: what may be set, what it
    means and what it is by default. Keys that it does not name are refused.

    Args:
        pipeline: Name of the pipeline.

    Returns:
        The schema.

    Raises:
        ConfigError: if there is no such pipeline.
    """
    kind = definition(pipeline).config
    adapter = pydantic.TypeAdapter(kind)
    schema = adapter.json_schema(schema_generator=_Generator)
    defaults = adapter.dump_python(kind(), mode="json")
    for part, reference in schema["properties"].items():
        properties = schema["$defs"][reference["$ref"].rpartition("/")[2]]["properties"]
        for name, one in properties.items():
            one["default"] = defaults[part][name]
        reference.pop("default", None)  # it is said at the properties
    return {"$schema": _Generator.schema_dialect, "title": f"Configuration of the {pipeline} pipeline", **schema}


def schema_text(pipeline: str) -> str:
    """The same as text; equal configurations give equal bytes.

    Args:
        pipeline: Name of the pipeline.
    """
    return json.dumps(config_schema(pipeline), indent=2, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    """Says what the docstrings say, and no titles, which repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Where a text is wanted a number is read as one, so that `cpu: 2` needs no quotes."""
        return {**super().str_schema(schema), "type": ["string", "number"]}

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """Descriptions of the class and its attributes from its docstring, where a field does not bring its own."""
        found = super().dataclass_schema(schema)
        said = docstring_parser.parse(inspect.getdoc(schema["cls"]) or "")
        found.pop("title", None)
        found["description"] = said.short_description or ""
        for one in said.params:
            found["properties"][one.arg_name].setdefault("description", " ".join((one.description or "").split()))
        return found
