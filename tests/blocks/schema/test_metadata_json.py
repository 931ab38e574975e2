from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import merlin.dtypes as md
import numpy as np
import pytest
from merlin.schema import ColumnSchema, Schema, Tags
from merlin.schema.io.tensorflow_metadata import TensorflowMetadata

from emrys.blocks.errors import SchemaError
from emrys.blocks.schema.metadata_json import schema_to_tensorflow_metadata_json, tensorflow_metadata_json_to_schema
from tests import golden

COLUMNS = [
    ColumnSchema("no_dtype"),
    ColumnSchema("no_dtype_list", is_list=True, is_ragged=True),
    ColumnSchema("no_dtype_domain", tags=["categorical"], properties={"domain": {"min": 0, "max": 4, "name": "z"}}),
    ColumnSchema("text", dtype=md.string),
    ColumnSchema("bool", dtype=md.boolean),
    ColumnSchema("int8", dtype=md.int8),
    ColumnSchema("uint16", dtype=md.uint16, properties={"domain": {"min": 0, "max": 9}}),
    ColumnSchema("float16", dtype=md.float16),
    ColumnSchema("float64", dtype=md.float64, properties={"domain": {"min": -1.5, "max": 2.25, "name": "d"}}),
    ColumnSchema("time", dtype=md.datetime64ns),
    ColumnSchema("above", dtype=md.float32, properties={"domain": {"min": 0.0}}),
    ColumnSchema("below", dtype=md.float32, properties={"domain": {"max": 5.0}}),
    ColumnSchema("above_int", dtype=md.int32, properties={"domain": {"min": 3}}),
    ColumnSchema("named_domain", dtype=md.int32, properties={"domain": {"name": "only"}}),
    ColumnSchema("large", dtype=md.int64, properties={"domain": {"min": 0, "max": 2**62 + 1}}),
    ColumnSchema("int_bounds", dtype=md.float32, properties={"domain": {"min": 0, "max": 3}}),
    ColumnSchema("fixed", dtype=md.int64, dims=(None, 3)),
    ColumnSchema("ragged", dtype=md.int64, dims=(None, None)),
    ColumnSchema("ragged_bounds", dtype=md.int64, dims=(None, (2, 5))),
    ColumnSchema("text_list", dtype=md.string, dims=(None, 2)),
    ColumnSchema("vectors", dtype=md.float32, dims=(None, None, 4)),
    ColumnSchema("scalar_shape", dtype=md.int64, dims=(None,)),
    ColumnSchema("at_least", dtype=md.int64, properties={"value_count": {"min": 1, "max": None}}),
    ColumnSchema("tags", dtype=md.int64, tags=["b_own", "a_own", Tags.ITEM_ID, Tags.CATEGORICAL, Tags.SEQUENCE]),
    ColumnSchema("properties", dtype=md.int64, properties={"p": 1, "q": {"a": [1, 2.0, "x", None]}, "r": True}),
]


def _state(column):
    """Everything that is kept of a column; as text, 1 is not 1.0."""
    return golden.describe_column(column), json.dumps(column.properties, sort_keys=True), column.value_count


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_column_comes_back_as_it_was(column):
    text = schema_to_tensorflow_metadata_json(Schema([column]))
    (result,) = tensorflow_metadata_json_to_schema(text)
    assert result == column
    assert _state(result) == _state(column)


def test_a_schema_comes_back_in_its_order():
    schema = Schema(COLUMNS)
    result = tensorflow_metadata_json_to_schema(schema_to_tensorflow_metadata_json(schema))
    assert result == schema
    assert result.column_names == [column.name for column in COLUMNS]
    assert tensorflow_metadata_json_to_schema(schema_to_tensorflow_metadata_json(Schema())) == Schema()


def test_other_readers_of_the_layout_read_it_too():
    schema = Schema([column for column in COLUMNS if column.name in ("fixed", "ragged", "large", "tags", "float64")])
    text = schema_to_tensorflow_metadata_json(schema)
    assert TensorflowMetadata.from_json(text).to_merlin_schema() == schema
    # What the layout has no field for does not stop them: they read an unsigned type as a signed one of its size.
    text = schema_to_tensorflow_metadata_json(Schema(COLUMNS))
    assert TensorflowMetadata.from_json(text).to_merlin_schema()["uint16"].dtype.name == "int16"


def test_files_of_other_writers_are_read():
    schema = Schema([column for column in COLUMNS if column.name in ("fixed", "ragged", "large", "tags", "float64")])
    assert tensorflow_metadata_json_to_schema(TensorflowMetadata.from_merlin_schema(schema).to_json()) == schema
    bare = '{"feature": [{"name": "a", "type": "INT"}, {"name": "b", "type": "FLOAT", "valueCount": {"max": "4"}}]}'
    result = tensorflow_metadata_json_to_schema(bare)
    assert [(column.name, column.dtype.name, column.is_list) for column in result] == [
        ("a", "int64", False),
        ("b", "float64", True),
    ]


@pytest.mark.parametrize("case", golden.cases("conventions", "schema_to_tensorflow_metadata_json"))
def test_golden_text(case):
    result = json.loads(schema_to_tensorflow_metadata_json(golden.schema(case.inputs)))
    assert result == case.outputs["json_parsed_with_tags_sorted"]


@pytest.mark.parametrize("case", golden.cases("conventions", "tensorflow_metadata_json_to_schema"))
def test_golden_schema(case):
    (written,) = [each for each in golden.read("conventions") if each.name == "schema_to_tensorflow_metadata_json"]
    for text in (
        schema_to_tensorflow_metadata_json(golden.schema(written.inputs)),
        json.dumps(written.outputs["json_parsed_with_tags_sorted"]),
    ):
        result = tensorflow_metadata_json_to_schema(text)
        assert [golden.describe_column(column) for column in result] == case.outputs["columns"]


@pytest.mark.slow
def test_text_is_the_same_in_every_process():
    program = (
        "from emrys.blocks.schema.metadata_json import schema_to_tensorflow_metadata_json as write;"
        "from tests.blocks.schema.test_metadata_json import COLUMNS;"
        "from merlin.schema import Schema; print(write(Schema(COLUMNS)))"
    )
    root = Path(__file__).resolve().parents[3]
    # The hash seed is what gives sets of tags another order from one process to the next.
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=root,
        env={**os.environ, "PYTHONHASHSEED": "4", "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip().splitlines()[-1] == schema_to_tensorflow_metadata_json(Schema(COLUMNS))


def test_text_does_not_depend_on_the_order_of_properties():
    forth = ColumnSchema("c", dtype=md.int64, properties={"p": 1, "domain": {"min": 0, "max": 3}})
    back = ColumnSchema("c", dtype=md.int64, properties={"domain": {"max": 3, "min": 0}, "p": 1})
    assert schema_to_tensorflow_metadata_json(Schema([forth])) == schema_to_tensorflow_metadata_json(Schema([back]))


def test_file(tmp_path):
    schema = Schema(COLUMNS)
    path = tmp_path / "new" / "schema.json"
    text = schema_to_tensorflow_metadata_json(schema, path)
    assert path.read_text(encoding="utf-8") == text
    assert tensorflow_metadata_json_to_schema(path) == schema
    assert tensorflow_metadata_json_to_schema(str(path)) == schema


def test_numpy_numbers_become_plain_ones():
    column = ColumnSchema("c", dtype=md.int64, properties={"domain": {"min": np.int64(0), "max": np.int64(7)}})
    (result,) = tensorflow_metadata_json_to_schema(schema_to_tensorflow_metadata_json(Schema([column])))
    assert result.properties == {"domain": {"min": 0, "max": 7}}
    assert type(result.properties["domain"]["max"]) is int


@pytest.mark.parametrize(
    ("value", "reason"),
    [(Path("somewhere"), "PosixPath is not a JSON type"), (float("nan"), "Out of range float values")],
)
def test_properties_that_json_cannot_hold(value, reason):
    with pytest.raises(
        SchemaError, match=rf"^column 'c': the properties cannot be written as JSON \({reason}.*expected"
    ):
        schema_to_tensorflow_metadata_json(Schema([ColumnSchema("c", properties={"p": value})]))


def test_an_invalid_schema(tmp_path):
    missing = tmp_path / "none.json"
    with pytest.raises(SchemaError) as error:
        tensorflow_metadata_json_to_schema(missing)
    assert str(error.value) == (f"{missing}: the schema cannot be read; expected JSON or the path of a JSON file")
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(SchemaError, match=r"list\.json: not a schema as TensorFlow Metadata writes it .*a list"):
        tensorflow_metadata_json_to_schema(tmp_path / "list.json")
    with pytest.raises(SchemaError, match=r"^not a schema as TensorFlow Metadata writes it"):
        tensorflow_metadata_json_to_schema('{"feature": ')
    with pytest.raises(SchemaError, match=r"^not a schema as TensorFlow Metadata writes it"):
        tensorflow_metadata_json_to_schema('{"feature": 3}')
