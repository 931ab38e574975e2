"""The JSON Schema of a configuration and the reader accept and refuse the same content."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import jsonschema
import pydantic
import pytest
import typer.testing
import yaml

from emrys.blocks.errors import ConfigError
from emrys.pipelines.cli.app import app
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.config.config_schema import config_schema
from emrys.pipelines.spec import SPECS, pipeline_spec

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).parents[1] / "golden"


def places(schema, kind=None, path=()):
    """Lists every mapping with known keys in a configuration, as its path and its keys."""
    kind = schema if kind is None else kind
    if "$ref" in kind:
        return places(schema, schema["$defs"][kind["$ref"].rpartition("/")[2]], path)
    if kind.get("type") == "array":
        return places(schema, kind["items"], (*path, 0))
    mappings = [(path, tuple(kind["properties"]))] if kind.get("additionalProperties") is False else []
    for name, one in kind.get("properties", {}).items():
        mappings += places(schema, one, (*path, name))
    return mappings


def nested(path, value):
    """A configuration with a single value."""
    for part in reversed(path):
        value = [value] if part == 0 else {part: value}
    return value


def read(content, tmp_path, pipeline):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return read_config(file, pipeline_spec(pipeline).config)


@pytest.fixture(params=SPECS)
def pipeline(request):
    return request.param


@pytest.fixture
def schema(pipeline):
    return config_schema(pipeline, SPECS[pipeline].config)


def test_it_is_a_schema_and_its_file_is_up_to_date(pipeline, schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    spec = importlib.util.spec_from_file_location("generate_schemas", ROOT / "docs" / "generate_schemas.py")
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    written = {file.name: file.read_text(encoding="utf-8") for file in (ROOT / "docs" / "schemas").iterdir()}
    assert generator.files() == written, "run `make docs`"
    assert json.loads(written[f"{pipeline}.schema.json"]) == schema


def test_golden_configurations_and_the_defaults_are_valid(pipeline, schema):
    content = yaml.safe_load((GOLDEN / f"{pipeline}_config.yaml").read_text(encoding="utf-8"))
    assert {"images", "parameters", "steps"} <= set(content)
    jsonschema.validate(content, schema)
    kind = pipeline_spec(pipeline).config
    jsonschema.validate(pydantic.TypeAdapter(kind).dump_python(kind(), mode="json"), schema)
    jsonschema.validate({}, schema)


def test_every_parameter_says_what_it_means_and_what_it_is_by_default(pipeline, schema):
    kind = pipeline_spec(pipeline).config
    names = {type(getattr(kind(), part)).__name__: getattr(kind(), part) for part in ("images", "parameters", "steps")}
    assert len(names) == 3
    for name, values in names.items():
        properties = schema["$defs"][name]["properties"]
        assert list(properties) == [field.name for field in dataclasses.fields(values)]
        defaults = pydantic.TypeAdapter(type(values)).dump_python(values, mode="json")
        assert {name: one["default"] for name, one in properties.items()} == defaults
        if "Steps" not in name:
            assert [name for name, one in properties.items() if len(one.get("description", "")) < 10] == []
    described = schema["$defs"]["Resources"]["properties"]
    assert described["gpus"]["description"] == "Number of accelerators; 0 for none."


def test_an_unknown_key_is_refused_everywhere_with_the_nearest_one(pipeline, schema, tmp_path):
    mappings = places(schema)
    assert {(), ("parameters",), ("steps", "train"), ("steps", "report", "tolerations", 0)} <= {
        path for path, _ in mappings
    }
    validator = jsonschema.Draft202012Validator(schema)
    for path, keys in mappings:
        # The longest one: of short ones another may be nearer.
        near = max(keys, key=len)
        wrong = nested(path, {f"{near}z": 1})
        messages = [error.message for error in validator.iter_errors(wrong)]
        assert any("Additional properties are not allowed" in text and f"'{near}z'" in text for text in messages), path
        # Reading each of them takes a while; the steps are all of one kind.
        if path[:1] != ("steps",) or path[1:2] in ((), ("train",)):
            with pytest.raises(ConfigError) as caught:
                read(wrong, tmp_path, pipeline)
            dotted = ".".join(map(str, (*path, near)))
            assert f"unknown key {dotted + 'z'!r}" in str(caught.value)
            assert str(caught.value).endswith(f"Did you mean {dotted!r}?")


@pytest.mark.parametrize(
    "content",
    [
        {"parameters": {"epochs": "many"}},
        {"parameters": {"thresholds": {"auc": "high"}}},
        {"parameters": {"require_server": [1]}},
        {"steps": {"train": {"tolerations": [{"key": "a", "operator": "exists"}]}}},
        {"steps": 3},
        {"images": {"train": ["a"]}},
    ],
)
def test_values_of_another_type_are_refused_by_both(content, pipeline, schema, tmp_path):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)
    with pytest.raises(ConfigError):
        read(content, tmp_path, pipeline)


def test_a_number_is_a_text_where_one_is_wanted(pipeline, schema, tmp_path):
    content = {"steps": {"train": {"cpu": 4}}, "parameters": {"thresholds": {"auc": 1}}}
    jsonschema.validate(content, schema)
    assert read(content, tmp_path, pipeline).steps.train.cpu == "4"


def test_the_command_prints_it(pipeline, schema):
    result = typer.testing.CliRunner().invoke(app, ["schema", pipeline])
    assert result.exit_code == 0
    assert json.loads(result.output) == schema


def test_the_command_refuses_another_name(capsys):
    from emrys.pipelines.cli.main import call

    assert call(["schema", "rankin"]) == 2
    assert "no such pipeline: 'rankin'; expected one of ranking, retrieval. Did you mean 'ranking'?" in (
        capsys.readouterr().err
    )
