from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from tests import golden
from tests.blocks.checks import small_batch, small_schema

OUTPUTS = {
    "BinaryOutput('click')": lambda schema: mm.BinaryOutput("click"),
    "RegressionOutput('rating')": lambda schema: mm.RegressionOutput("rating"),
    "OutputBlock(schema)": mm.OutputBlock,
}
MODEL = "Model(InputBlockV2(schema), MLPBlock([4]), {})"


def _like():
    small = golden.schema("SMALL").excluding_by_name(["rating"])
    return Schema([*small, ColumnSchema("like", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])])


@pytest.mark.parametrize(
    "case",
    golden.cases(
        "conventions", "model keys", where=lambda case: case.args["model"] in map(MODEL.format, list(OUTPUTS))
    ),
)
def test_golden_models(case):
    described = case.args["schema"]
    schema = _like() if "'like'" in described else golden.schema(described)
    output = next(make for text, make in OUTPUTS.items() if MODEL.format(text) == case.args["model"])
    model = mm.Model(mm.InputBlockV2(schema), mm.MLPBlock([4]), output(schema))
    draw = np.random.default_rng(0)
    batch = {
        column.name: tf.constant(draw.random((4, 1), dtype="float32"))
        if column.int_domain is None
        else tf.constant(draw.integers(0, column.int_domain.max + 1, (4, 1)))
        for column in schema.excluding_by_name(mm.select_targets(schema).column_names)
    }
    found = model(batch)
    shapes = {name: list(value.shape) for name, value in found.items()} if isinstance(found, dict) else [*found.shape]
    assert shapes == case.outputs["output"]
    trained = sorted(list(weight.shape) for weight in model.trainable_weights)
    assert trained == sorted(case.outputs["trainable_weight_shapes"])
    assert sum(int(np.prod(shape)) for shape in trained) == case.outputs["n_trainable_parameters"]


SCHEMA = Schema(
    [
        mm.create_categorical_column("item", 3),
        mm.create_continuous_column("price"),
        ColumnSchema("image", dtype="float32", tags=[Tags.EMBEDDING]),
        ColumnSchema("click", tags=[Tags.TARGET, Tags.CATEGORICAL], properties={"domain": {"min": 0, "max": 1}}),
    ]
)
BATCH = {
    "item": np.array([[2]]),
    "price": np.array([[0.5]], "float32"),
    "image": np.array([[7.0, 8.0]], "float32"),
    "click": np.array([[1]]),
}


def _embedded():
    table = mm.EmbeddingTable(2, SCHEMA["item"], weights=np.array([[0, 0], [1, 10], [2, 20], [3, 30.0]]))
    return mm.ParallelBlock({"item": table}, is_input=True)


def test_features_lie_side_by_side():
    inputs = mm.InputBlockV2(SCHEMA, categorical=_embedded())
    # in alphabetical order: image, item, price; the target is not among them
    assert inputs(BATCH).numpy().tolist() == [[7, 8, 2, 20, 0.5]]
    assert list(inputs.parallel_dict) == ["categorical", "continuous", "pretrained_embeddings"]


def test_dictionary_of_features():
    inputs = mm.InputBlockV2(
        SCHEMA, categorical=_embedded(), aggregation=None, twice=mm.Filter("price").as_tabular("t")
    )
    outputs = inputs(BATCH)
    assert list(outputs) == ["item", "price", "image", "t"]
    assert float(outputs["t"]["price"][0, 0]) == 0.5


def test_branches_that_are_left_out():
    inputs = mm.InputBlockV2(SCHEMA, categorical=None, pretrained_embeddings=None)
    assert inputs(BATCH).numpy().tolist() == [[0.5]]
    assert list(mm.InputBlockV2(SCHEMA.select_by_name(["price"])).parallel_dict) == ["continuous"]
    assert mm.InputBlockV2(categorical=_embedded())(BATCH).numpy().tolist() == [[2, 20]]


def test_tag_to_block():
    def embeddings(schema):
        return mm.Embeddings(schema, dim=3)

    inputs = mm.InputBlockV2(SCHEMA, aggregation=None, tag_to_block={Tags.CATEGORICAL: embeddings})
    assert {name: value.shape[-1] for name, value in inputs(BATCH).items()} == {"item": 3, "price": 1, "image": 2}
    item = Schema([mm.create_categorical_column("item", 3, tags=[Tags.ITEM])])
    inputs = mm.InputBlockV2(item, categorical=Tags.ITEM, tag_to_block={Tags.ITEM: embeddings})
    assert tuple(inputs(BATCH).shape) == (1, 3)


def test_lists_are_averaged():
    schema, (features, _) = small_schema(), small_batch()
    inputs = mm.InputBlockV2(schema.select_by_name(["genres"]))
    table = inputs["categorical"]["genres"]
    output = inputs(features).numpy()
    rows = table.get_weights()[0]
    for row, genres in zip(output, features["genres"].to_list(), strict=True):
        np.testing.assert_allclose(row, rows[genres].mean(axis=0) if genres else np.zeros(8), atol=1e-6)


def test_used_wrongly():
    with pytest.raises(
        SchemaError, match=r"has nothing to read; expected columns tagged CATEGORICAL, .* got no schema"
    ):
        mm.InputBlockV2()
    with pytest.raises(SchemaError, match=r"has nothing to read; .* got no columns but targets"):
        mm.InputBlockV2(SCHEMA.select_by_name(["click"]))
    with pytest.raises(
        ConfigError, match=r"InputBlockV2: categorical; expected a layer or one of Tags.CONT.*Tags.USER"
    ):
        mm.InputBlockV2(SCHEMA, categorical=Tags.USER)
    with pytest.raises(
        ConfigError, match=r"InputBlockV2: dim; expected a layer or one of .*, got 3. Give the tag a mak"
    ):
        mm.InputBlockV2(SCHEMA, dim=3)
