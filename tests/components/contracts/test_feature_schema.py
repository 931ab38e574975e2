from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ArtifactError
from emrys.components.contracts.feature_schema import FeatureSchema


def test_a_schema_survives(tmp_path: Path) -> None:
    domain = {"min": 0, "max": 9, "name": "user"}
    schema = Schema(
        [
            ColumnSchema("user", [Tags.USER_ID, Tags.CATEGORICAL], {"domain": domain}, "int64"),
            ColumnSchema(
                "genres",
                [Tags.ITEM, Tags.CATEGORICAL, "mine"],
                {"domain": {**domain, "name": "genres"}, "value_count": {"min": 0, "max": 6}},
                "int32",
                is_list=True,
                is_ragged=True,
            ),
            ColumnSchema("year", [Tags.CONTINUOUS], {"domain": {"min": -1.5, "max": 2.5, "name": "year"}}, "float32"),
            ColumnSchema("plain", [Tags.CONTINUOUS], dtype="float64"),
            ColumnSchema("click", [Tags.BINARY_CLASSIFICATION, Tags.TARGET], dtype="int8"),
        ]
    )
    FeatureSchema.write(tmp_path / "schema", schema, {"roles": {"user": "user_id"}})
    artifact = FeatureSchema(tmp_path / "schema")
    assert artifact.schema == schema
    assert artifact.schema.column_names == ["user", "genres", "year", "plain", "click"]
    assert artifact.schema["genres"].properties["value_count"] == {"min": 0, "max": 6}
    assert artifact.schema["genres"].is_ragged
    assert [column.dtype.name for column in artifact.schema] == ["int64", "int32", "float32", "float64", "int8"]
    assert artifact.schema["click"].tags == schema["click"].tags
    assert artifact.roles == {"user": "user_id"}


def test_tags_stand_in_alphabetical_order(tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("a", ["zeta", Tags.USER, "alpha", Tags.CATEGORICAL, Tags.ID], dtype="int64")])
    text = (FeatureSchema.write(tmp_path / "schema", schema, {}).path / "schema.pbtxt").read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("tag:")]
    assert lines == [f'tag: "{tag}"' for tag in ("alpha", "categorical", "id", "user", "zeta")]


def test_an_invalid_schema(tmp_path: Path) -> None:
    with FeatureSchema.create(tmp_path / "schema", {}) as folder:
        (folder / "schema.pbtxt").write_text("feature { nam: 3 }")
    with pytest.raises(ArtifactError, match=r"schema\.pbtxt: not a schema"):
        _ = FeatureSchema(tmp_path / "schema").schema


@pytest.mark.slow
def test_opening_it_imports_no_tensorflow() -> None:
    code = "import sys, emrys.components.contracts.feature_schema; print({'tensorflow', 'merlin'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
