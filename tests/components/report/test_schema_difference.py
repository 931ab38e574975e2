from merlin.schema import Schema

from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.report.schema_difference import SchemaChange, schema_changes
from tests.components.report.run_artifacts import column

DASH = "\N{EN DASH}"


def written(path, *columns, **roles):
    FeatureSchema.write(path, Schema(list(columns)), {"roles": roles})
    return FeatureSchema(path)


def test_compared_statistics_of_a_column(tmp_path):
    before = written(
        tmp_path / "before",
        column("a", "user", ids=5),
        column("b", "item", dtype="int32", ids=0),
        column("c", ids=3),
        column("same", "item", ids=7),
        column("gone"),
        a="user",
        c="context",
    )
    now = written(
        tmp_path / "now",
        column("same", "item", ids=7),
        column("new", dtype="float32", ids=0),
        column("a", "user", "categorical", ids=1200),
        column("b", "item", dtype="float32", ids=0),
        column("c", ids=3),
        a="user",
        c="user",
    )
    assert schema_changes(before, now) == [
        SchemaChange("new", "column", DASH, "new, float32"),
        SchemaChange("a", "ids", "5", "1,200"),
        SchemaChange("a", "tags", "user", "categorical, user"),
        SchemaChange("b", "type", "int32", "float32"),
        SchemaChange("c", "role", "context", "user"),
        SchemaChange("gone", "column", "present", "removed"),
    ]


def test_a_schema_and_itself(tmp_path):
    schema = written(tmp_path / "schema", column("a", "user"), a="user")
    assert schema_changes(schema, schema) == []
