from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from tests import golden

A = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
SCHEMA = Schema([ColumnSchema("item", tags=[Tags.ITEM_ID]), ColumnSchema("brand", tags=[Tags.ITEM])])


def _make(case):
    columns = case.args.get("schema_columns")
    arguments = {} if columns is None else {"schema": golden.schema(columns)}
    return getattr(mm, case.name)(**arguments)


@pytest.mark.parametrize("case", golden.cases("interactions", "ElementwiseSum", "ElementwiseSumItemMulti"))
def test_golden_sums(case):
    layer, inputs = _make(case), golden.tensors(case.inputs)
    if case.raises:
        with pytest.raises(ValueError, match=r"one shape|knows no schema"):
            layer(inputs)
    else:
        golden.assert_close(layer(inputs), case.outputs["output"])


@pytest.mark.parametrize("case", golden.cases("interactions", "CosineSimilarity", where=lambda case: not case.raises))
def test_golden_cosine(case):
    inputs = golden.tensors(case.inputs)
    golden.assert_close(mm.CosineSimilarity()(inputs), case.outputs["from_dict"])
    golden.assert_close(mm.CosineSimilarity()(inputs["query"], inputs["item"]), case.outputs["from_two_tensors"])


@pytest.mark.parametrize("case", golden.cases("interactions", "CosineSimilarity", where=lambda case: case.raises))
def test_golden_cosine_of_another_number(case):
    with pytest.raises(ValueError, match=f"takes two tensors; got {case.inputs['n_inputs']}"):
        mm.CosineSimilarity()({str(index): A for index in range(case.inputs["n_inputs"])})


@pytest.mark.parametrize("case", golden.cases("interactions", "ElementWiseMultiply"))
def test_golden_product(case):
    inputs = golden.tensors(case.inputs)
    golden.assert_close(mm.ElementWiseMultiply()(inputs["left"], inputs["right"]), case.outputs["output"])
    golden.assert_close(mm.ElementWiseMultiply()(inputs), case.outputs["output"])


@pytest.mark.parametrize(
    "case", golden.cases("interactions", "ConcatFeatures", where=lambda case: "sparse" in case.call)
)
def test_golden_sparse(case):
    result = mm.ConcatFeatures()(golden.tensors(case.inputs))
    golden.assert_close(result, case.outputs["output"], dtype=True)
    golden.assert_close(tf.sparse.to_dense(result), case.outputs["output_dense"])


def test_sparse_beside_dense_is_dense():
    sparse = tf.sparse.from_dense(tf.constant([[0.0, 5.0]]))
    assert mm.ConcatFeatures()({"b": sparse, "a": tf.constant([[1.0]])}).numpy().tolist() == [[1.0, 0.0, 5.0]]


NAMES = ("concat", "cosine", "cosine-similarity", "element-wise-sum", "element-wise-sum-item-multi")


@pytest.mark.parametrize("name", [*NAMES, "elementwise-multiply", "stack", "sum"])
@pytest.mark.parametrize("case", golden.cases("conventions", "registries"))
def test_names(case, name):
    assert name in case.outputs["aggregations"]
    block = mm.ParallelBlock(mm.NoOp(), aggregation=name)
    assert isinstance(block.aggregation, mm.TabularAggregation)


def test_aggregations_by_name():
    def of(name):
        towers = {"a": mm.Dense(2, kernel_initializer="ones"), "b": mm.Dense(2, kernel_initializer="identity")}
        return mm.ParallelBlock(towers, aggregation=name)(A).numpy()

    # a: the sum of the row, twice; b: the row itself
    assert of("sum").tolist() == [[4.0, 5.0], [10.0, 11.0]]
    assert of("elementwise-multiply").tolist() == [[3.0, 6.0], [21.0, 28.0]]
    # [3, 3] · [1, 2] / (√18 √5) = 9 / 9.4868; [7, 7] · [3, 4] / (√98 √25) = 49 / 49.4975
    np.testing.assert_allclose(of("cosine"), [[0.9486833], [0.9899495]], rtol=1e-6)


def test_ragged_lists_are_added():
    lists = tf.ragged.constant([[1.0], [2.0, 3.0]])
    assert mm.ElementwiseSum()({"a": lists, "b": lists}).to_list() == [[2.0], [4.0, 6.0]]


def test_a_cosine_in_half_precision_is_no_nan():
    vectors = tf.constant([[0.0, 0.0], [1e-3, 0.0]], "float16")
    layer = mm.CosineSimilarity(dtype="float16")
    assert layer({"a": vectors, "b": vectors}).numpy().tolist() == [[0.0], [1.0]]


def test_the_schema_can_come_later():
    layer = mm.ElementwiseSumItemMulti()
    layer.set_schema(SCHEMA)
    assert layer({"item": 2 * A, "brand": A}).numpy().tolist() == [[2.0, 8.0], [18.0, 32.0]]


def test_shapes_differ():
    with pytest.raises(ConfigError, match=r"needs tensors of one shape; got a \(1, 2\), b \(1, 1\)\. Give all"):
        mm.ElementwiseSum().build({"b": (1, 1), "a": (1, 2)})
    with pytest.raises(ConfigError, match=r"needs tensors of one rank; got a \(1, 2\), b \(1, 3, 2\)"):
        mm.ElementWiseMultiply().build({"a": (1, 2), "b": (1, 3, 2)})


def test_an_unknown_size_fits_any():
    assert mm.ElementwiseSum().compute_output_shape({"a": (None, None, 2), "b": (None, 3, 2)}) == (None, 3, 2)


def test_a_pair_needs_two():
    with pytest.raises(ConfigError, match="takes two tensors; got 1"):
        mm.CosineSimilarity().call(A)


@pytest.mark.parametrize(
    ("schema", "batch", "text"),
    [
        (None, {"item": A, "brand": A}, r"knows no schema\. Give it one: ElementwiseSumItemMulti\(schema\)"),
        (
            Schema(["item"]),
            {"item": A, "brand": A},
            "needs the item's id; expected one column tagged ITEM_ID, got none",
        ),
        (SCHEMA, {"brand": A, "user": A}, "column 'item': .* misses the item's id; got brand, user"),
        (SCHEMA, {"item": A}, "multiplies the item's id with other features; got no other feature"),
        (SCHEMA, A, "takes features by name; expected a dictionary, got one tensor"),
    ],
)
def test_item_multi_used_wrongly(schema, batch, text):
    with pytest.raises((ConfigError, SchemaError), match=text):
        mm.ElementwiseSumItemMulti(schema)(batch)
