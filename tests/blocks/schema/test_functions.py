from __future__ import annotations

import numpy as np
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.schema.functions import (
    categorical_cardinalities,
    categorical_domains,
    column_cardinality,
    create_categorical_column,
    create_continuous_column,
    filter_dict_by_schema,
    get_embedding_size_from_cardinality,
    get_embedding_sizes_from_schema,
    infer_embedding_dim,
    select_targets,
)
from tests import golden


@pytest.mark.parametrize("case", golden.cases("conventions", "create_categorical_column"))
def test_golden_create_categorical_column(case):
    assert golden.describe_column(create_categorical_column(**case.args)) == case.outputs["column"]


@pytest.mark.parametrize("case", golden.cases("conventions", "create_continuous_column"))
def test_golden_create_continuous_column(case):
    assert golden.describe_column(create_continuous_column(**case.args)) == case.outputs["column"]


@pytest.mark.parametrize(
    ("create", "args"), [(create_categorical_column, ("c", 10)), (create_continuous_column, ("c",))]
)
def test_arguments_of_a_column_stay_as_they_are(create, args):
    tags, properties = [Tags.USER], {"p": 1}
    column = create(*args, tags=tags, properties=properties)
    assert Tags.USER in column.tags
    assert column.properties["p"] == 1
    assert tags == [Tags.USER]
    assert properties == {"p": 1}


def test_a_column_takes_one_tag_and_the_domain_wins_over_the_properties():
    column = create_categorical_column("c", 10, tags="item_id", properties={"domain": {"min": 0, "max": 3}})
    assert set(column.tags) == {Tags.CATEGORICAL, Tags.ITEM, Tags.ID}
    assert column.properties["domain"] == {"name": "c", "min": 0, "max": 10}
    assert create_continuous_column("x", tags=Tags.ITEM).tags == create_continuous_column("x", tags=["item"]).tags


def test_columns_that_contradict_themselves():
    with pytest.raises(ConfigError) as error:
        create_categorical_column("c", -1)
    assert str(error.value) == "column 'c': num_items cannot be negative; expected the largest id, got -1"
    with pytest.raises(ConfigError) as error:
        create_categorical_column("c", 10, min_value_count=3, max_value_count=1)
    assert str(error.value) == (
        "column 'c': the value counts do not fit each other; expected 0 <= min_value_count <= max_value_count, "
        "got min_value_count=3, max_value_count=1"
    )
    with pytest.raises(ConfigError) as error:
        create_continuous_column("x", min_value=2.0, max_value=1.0)
    assert str(error.value) == (
        "column 'x': the bounds do not fit each other; expected min_value <= max_value, "
        "got min_value=2.0, max_value=1.0"
    )
    with pytest.raises(SchemaError, match=r"^column 'c': .*tags .*incompatible"):
        create_categorical_column("c", 10, tags=[Tags.CONTINUOUS])
    with pytest.raises(SchemaError, match=r"^column 'x': .*tags .*incompatible"):
        create_continuous_column("x", tags=[Tags.CATEGORICAL])


def _select(schema, **kwargs):
    return select_targets(schema, **kwargs).column_names


@pytest.mark.parametrize(
    "case", golden.cases("conventions", "select_targets", where=lambda case: case.args.get("schema") == "SMALL")
)
def test_golden_select_targets_of_small(case):
    small = golden.schema("SMALL")
    assert _select(small) == case.outputs["columns"]
    assert _select(small, extra_tags=[Tags.USER_ID]) == case.outputs["columns_with_extra_tags_USER_ID"]
    assert _select(Schema()) == case.outputs["columns_of_empty_schema"]


@pytest.mark.parametrize(
    "case", golden.cases("conventions", "select_targets", where=lambda case: "columns" in case.inputs)
)
def test_golden_select_targets_in_order(case):
    assert _select(golden.schema(case.inputs)) == case.outputs["columns"]


def test_select_targets_with_further_tags():
    schema = golden.schema(
        {
            "r": ["target", "regression"],
            "b": ["target", "binary_classification"],
            "t": ["target"],
            "u": ["user_id"],
            "i": ["id"],
        }
    )
    # Binary: b. Target: r, b, t. Regression: r, which so comes last.
    assert _select(schema) == ["b", "t", "r"]
    # USER_ID stands for USER and ID: the column i has only one of them.
    assert _select(schema, extra_tags=Tags.USER_ID) == ["b", "t", "r", "u"]
    # Of several tags, one is enough; r, b and t are among the later ones then.
    assert _select(schema, extra_tags=["id", "target"]) == ["r", "b", "t", "u", "i"]
    assert schema.column_names == ["r", "b", "t", "u", "i"]


@pytest.mark.parametrize("case", golden.cases("conventions", "categorical_cardinalities"))
def test_golden_categorical_cardinalities(case):
    assert categorical_cardinalities(golden.schema(case.args["schema"])) == case.outputs


@pytest.mark.parametrize("case", golden.cases("conventions", "categorical_domains"))
def test_golden_categorical_domains(case):
    schema = golden.schema(case.inputs)
    assert categorical_domains(schema) == case.outputs["categorical_domains"]
    assert categorical_cardinalities(schema) == case.outputs["categorical_cardinalities"]


def test_cardinality_of_a_column():
    domain = {"domain": {"min": 0, "max": 5}}
    assert column_cardinality(ColumnSchema("a", dtype="int8", properties=domain)) == 6
    assert column_cardinality(ColumnSchema("a", dtype="uint8", properties=domain)) == 6
    assert column_cardinality(ColumnSchema("a", properties=domain)) == 6
    assert column_cardinality(ColumnSchema("a", dtype="float32", properties=domain)) is None
    assert column_cardinality(ColumnSchema("a", dtype="int32", properties={"domain": {"min": 0}})) is None
    assert column_cardinality(ColumnSchema("a", dtype="int32", properties={"domain": {"min": 0, "max": 0}})) == 1


@pytest.mark.parametrize("case", golden.cases("conventions", "filter_dict_by_schema"))
def test_golden_filter_dict_by_schema(case):
    result = filter_dict_by_schema(case.inputs["input_dict"], golden.schema(case.inputs["schema"]))
    assert list(result.items()) == list(case.outputs.items())


@pytest.mark.parametrize("case", golden.cases("conventions", "get_embedding_size_from_cardinality"))
def test_golden_embedding_size(case):
    for row in case.outputs["table"]:
        arguments = {key: value for key, value in row.items() if key != "size"}
        assert get_embedding_size_from_cardinality(**arguments) == row["size"], row


@pytest.mark.parametrize("case", golden.cases("conventions", "get_embedding_sizes_from_schema"))
def test_golden_embedding_sizes(case):
    schema = golden.schema(case.args["schema"])
    options = {key: value for key, value in case.args.items() if key != "schema"}
    assert get_embedding_sizes_from_schema(schema, **options) == case.outputs


@pytest.mark.parametrize("case", golden.cases("conventions", "infer_embedding_dim"))
def test_golden_infer_embedding_dim(case):
    columns = [create_categorical_column("c", maximum) for maximum in case.inputs["domain_max"]]
    assert [infer_embedding_dim(column) for column in columns] == case.outputs["dims"]
    exact = [infer_embedding_dim(column, ensure_multiple_of_8=False) for column in columns]
    assert exact == case.outputs["dims_without_multiple_of_8"]
    assert [infer_embedding_dim(column, **case.outputs["defaults"]) for column in columns] == case.outputs["dims"]


def test_embedding_dim_of_a_column_without_a_domain():
    with pytest.raises(SchemaError) as error:
        infer_embedding_dim(ColumnSchema("c", dtype=np.int32))
    assert str(error.value) == (
        "column 'c': an embedding size cannot be inferred; expected a column of ids whose domain has a maximum, "
        "got dtype int32, domain None. Make the column with create_categorical_column, or pass its dimension."
    )


def test_expected_input_columns():
    # as released
    schema = Schema(
        [
            mm.create_categorical_column("ragged", 9, min_value_count=0),
            mm.create_categorical_column("fixed", 9, min_value_count=2, max_value_count=2),
            mm.create_continuous_column("price"),
            ColumnSchema("click", tags=[Tags.TARGET]),
        ]
    )
    expected = ["ragged__values", "ragged__offsets", "fixed", "price"]
    assert mm.expected_input_cols_from_schema(schema) == expected
    assert mm.expected_input_cols_from_schema(schema, {"ragged": [[1]]}) == ["ragged", "fixed", "price"]
