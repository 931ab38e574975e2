"""Factorization machines: numbers by hand, sizes as released, what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError
from tests import golden


def _schema():
    return Schema([mm.create_categorical_column("a", 1), mm.create_categorical_column("b", 1)])


def _machine():
    """Embeddings (3, 4) for a = 1 and (15, 16) for b = 1; the weights of the linear part are 0.5 and its bias 0.25."""
    schema = _schema()
    rows = {"a": [[0.0, 0.0], [3.0, 4.0]], "b": [[0.0, 0.0], [15.0, 16.0]]}
    tables = {name: mm.EmbeddingTable(2, schema[name], weights=np.array(rows[name])) for name in rows}
    wide = mm.WideLogit(schema, kernel_initializer=keras.initializers.Constant(0.5), bias_initializer=_quarter())
    return mm.FMBlock(
        schema, fm_input_block=mm.ParallelBlock(tables), wide_logit_block=mm.NoOp(), wide_input_block=wide
    )


def _quarter():
    return keras.initializers.Constant(0.25)


def test_features_are_multiplied_with_each_other():
    # 3 * 15 + 4 * 16 = 109 for the pair; 0.25 + 0.5 + 0.5 for the linear part. In the second row (3, 4) meets zeros.
    batch = {"a": np.array([[1], [1]]), "b": np.array([[1], [0]])}
    np.testing.assert_allclose(_machine()(batch), [[110.25], [1.25]])


def test_three_features_make_three_pairs():
    schema = Schema([mm.create_categorical_column(name, 1) for name in "abc"])
    block = mm.FMBlock(schema, factors_dim=2)
    batch = {name: np.array([[1]]) for name in "abc"}
    block(batch)
    values = {(2, 2): [np.array([[0.0, 0.0], row]) for row in ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])]}
    values |= {(6, 1): [np.full((6, 1), 1.0)], (1,): [np.array([0.5])]}
    block.set_weights([values[tuple(weight.shape)].pop(0) for weight in block.weights])
    # Pairs: 1*3 + 2*4 = 11, 1*5 + 2*6 = 17, 3*5 + 4*6 = 39, together 67; linear part: three weights of 1 and 0.5.
    np.testing.assert_allclose(block(batch), [[70.5]])


def test_sizes_are_those_of_the_released_library():
    (param,) = golden.cases("conventions", "model keys", where=lambda case: "DeepFM" in case.args["model"])
    (case,) = param.values
    schema = golden.schema("SMALL without targets")
    block = mm.FMBlock(schema, factors_dim=4)
    block.build({name: (None, 1) for name in schema.column_names})
    # Deep tower and output: [16, 8], [8], [8, 1], [1] and [1, 1], [1].
    rest = [[16, 8], [8], [8, 1], [1], [1, 1], [1]]
    found = [list(weight.shape) for weight in block.weights]
    assert sorted(found + rest) == sorted(case.outputs["trainable_weight_shapes"])
    assert sum(int(np.prod(shape)) for shape in found + rest) == case.outputs["n_trainable_parameters"]


def _listed():
    return Schema(
        [
            mm.create_categorical_column("genres", 3, min_value_count=0, max_value_count=4),
            mm.create_continuous_column("age"),
        ]
    )


LISTS = {
    "genres": tf.RaggedTensor.from_row_lengths([3, 1, 1, 2], [3, 0, 1]),
    "age": tf.constant([[0.5], [0.25], [2.0]]),
}


def test_wide_features_of_lists():
    # age first, then the ids 0 to 3 of genres; 1 is there twice in the first row and counts once.
    wide = tf.sparse.to_dense(mm.WideFeatures(_listed())(LISTS))
    expected = [[0.5, 0.0, 1.0, 0.0, 1.0], [0.25, 0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 1.0, 0.0]]
    np.testing.assert_array_equal(wide, expected)


def test_a_wide_logit_is_a_linear_layer_on_wide_features():
    layer = mm.WideLogit(_listed())
    layer(LISTS)
    layer.set_weights([np.array([[2.0], [10.0], [20.0], [30.0], [40.0]]), np.array([0.5])])
    # 0.5 + 2 * 0.5 + 20 + 40; 0.5 + 2 * 0.25; 0.5 + 2 * 2 + 30
    np.testing.assert_allclose(layer(LISTS), [[61.5], [1.0], [34.5]])
    dense = {**LISTS, "genres": tf.constant([[3, 1, 1], [0, 0, 0], [2, 2, 2]])}
    # The same, but that 0 is an id like any other: 0.5 + 2 * 0.25 + 10 in the second row.
    np.testing.assert_allclose(layer(dense), [[61.5], [11.0], [34.5]])


def test_a_wide_logit_runs_under_xla():
    layer = mm.WideLogit(_schema(), kernel_initializer="ones")
    batch = {"a": tf.constant([[1], [0]]), "b": tf.constant([[1], [1]])}
    layer(batch)
    np.testing.assert_allclose(tf.function(layer, jit_compile=True)(batch), [[2.0], [2.0]])


def test_a_strange_id_is_refused():
    batch = {"a": np.array([[1]]), "b": np.array([[2]])}
    with pytest.raises(DataError, match="column b: an id has no row; expected 0 to 1, got 2"):
        mm.WideLogit(_schema(), name="wide")(batch)


def test_a_missing_feature_is_named():
    with pytest.raises(SchemaError, match="column 'b': wide misses a feature; got a"):
        mm.WideLogit(_schema(), name="wide").build({"a": (None, 1)})


def test_a_column_without_a_domain_is_named():
    schema = Schema([ColumnSchema("a", dtype="int64", tags=[Tags.CATEGORICAL])])
    with pytest.raises(SchemaError, match="column 'a': wide does not know how many ids there are"):
        mm.WideLogit(schema, name="wide")


def test_nothing_to_pair():
    with pytest.raises(SchemaError, match=r"FMBlock needs categorical features; .* got age"):
        mm.FMBlock(Schema([mm.create_continuous_column("age")]))


def test_embeddings_of_different_dimensions():
    block = mm.FMBlock(_schema(), fm_input_block=mm.Embeddings(_schema(), dim={"a": 2, "b": 4}))
    with pytest.raises(ConfigError, match=r"needs tensors of one shape; got a \(None, 2\), b \(None, 4\)"):
        block.build({"a": (None, 1), "b": (None, 1)})


def test_default_factors_have_the_largest_inferred_dimension():
    schema = Schema([mm.create_categorical_column("few", 2), mm.create_categorical_column("many", 99_999)])
    block = mm.FMBlock(schema)
    block.build({"few": (None, 1), "many": (None, 1)})
    # 2 * 100000 ** 0.25 = 35.6, as a multiple of 8: 40
    assert sorted(tuple(weight.shape) for weight in block.weights)[1:] == [(3, 40), (100_000, 40), (100_003, 1)]
