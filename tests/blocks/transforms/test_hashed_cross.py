import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, EmrysError, SchemaError
from tests import golden


def _schema(names):
    return Schema([mm.create_categorical_column(name, 20) for name in names])


def _cross(case):
    args = dict(case.args)
    return mm.HashedCross(_schema(args.pop("schema_column_order")), **args)


@pytest.mark.parametrize("case", golden.cases("transforms", "HashedCross", where=lambda case: "output" in case.outputs))
def test_golden(case):
    golden.assert_close(_cross(case)(golden.tensors(case.inputs)), case.outputs["output"])


@pytest.mark.parametrize("case", golden.cases("transforms", "HashedCross", where=lambda case: case.raises))
def test_golden_refused(case):
    with pytest.raises(EmrysError):
        _cross(case)


@pytest.mark.parametrize("case", golden.cases("transforms", "HashedCross", where=lambda case: "num_bins" in case.call))
def test_golden_number_of_bins(case):
    for arguments, expected in case.outputs.items():
        options = dict(part.split("=") for part in arguments.split(", "))
        options = {
            name: value == "True" if value in ("True", "False") else int(value) for name, value in options.items()
        }
        assert mm.HashedCross(_schema(case.args["schema_column_order"]), **options).num_bins == expected


@pytest.mark.parametrize(
    "case", golden.cases("transforms", "HashedCross", where=lambda case: "output_keys" in case.outputs)
)
def test_golden_name_of_the_result(case):
    batch = {name: np.array([[1]]) for name in case.args["schema_column_order"]}
    assert list(_cross(case)(batch)) == case.outputs["output_keys"]


def test_the_name_of_the_result():
    cross = mm.HashedCross(_schema(["b", "a"]), num_bins=10, output_mode="int")
    batch = {"a": np.array([[1]]), "b": np.array([[2]])}
    assert list(cross(batch)) == ["cross_a_b"]
    cross = mm.HashedCross(_schema(["b", "a"]), num_bins=10, output_mode="int", output_name="my_cross")
    assert list(cross(batch)) == ["my_cross"]


def test_bins_are_those_of_tensorflow_on_any_device():
    draw = np.random.default_rng(0)
    columns = [tf.constant(draw.integers(-(2**62), 2**62, (500, 1))) for _ in range(3)]
    expected = tf.sparse.to_dense(tf.sparse.cross_hashed(columns, num_buckets=100_003))
    cross = mm.HashedCross(_schema(["a", "b", "c"]), num_bins=100_003, output_mode="int")
    batch = dict(zip("abc", columns, strict=True))
    np.testing.assert_array_equal(cross(batch)["cross_a_b_c"], expected)
    compiled = tf.function(cross.__call__, jit_compile=True)
    np.testing.assert_array_equal(compiled(batch)["cross_a_b_c"], expected)


def test_one_hot_lists_keep_the_batch():
    # The released library lost the rows here. Bins of the pairs by themselves, from the mode "int".
    batch = {"a": np.array([[1, 2], [3, 4]]), "b": np.array([[5], [6]])}
    bins = mm.HashedCross(_schema("ab"), num_bins=10, output_mode="int")(batch)["cross_a_b"].numpy()
    assert bins.shape == (2, 2)
    for sparse in (False, True):
        vectors = mm.HashedCross(_schema("ab"), num_bins=10, sparse=sparse)(batch)["cross_a_b"]
        dense = tf.sparse.to_dense(vectors) if sparse else vectors
        np.testing.assert_array_equal(dense, np.eye(10)[bins])


def test_ragged_lists_have_the_bins_of_dense_ones():
    batch = {"a": np.array([[1, 2]]), "b": np.array([[5, 6]])}
    bins = mm.HashedCross(_schema("ab"), num_bins=1000, output_mode="int")(batch)["cross_a_b"].numpy().tolist()
    ragged = {"a": tf.ragged.constant([[], [1, 2]]), "b": tf.ragged.constant([[7], [5, 6]])}
    result = mm.HashedCross(_schema("ab"), num_bins=1000, output_mode="int")(ragged)["cross_a_b"]
    assert result.to_list() == [[], *bins]
    vectors = mm.HashedCross(_schema("ab"), num_bins=1000, output_mode="multi_hot")(ragged)["cross_a_b"].numpy()
    assert vectors.sum(axis=1).tolist() == [0, 4]
    assert sorted(np.flatnonzero(vectors[1])) == sorted(bins[0])
    with pytest.raises(ConfigError, match=r"ragged lists cannot be one-hot; got a ragged tensor\. Use output_mode="):
        mm.HashedCross(_schema("ab"), num_bins=1000)(ragged)


def test_a_list_crosses_a_scalar_column():
    batch = {"a": tf.ragged.constant([[1], [1, 2]]), "b": np.array([[5], [5]])}
    result = mm.HashedCross(_schema("ab"), num_bins=1000, output_mode="int")(batch)["cross_a_b"].to_list()
    assert [len(row) for row in result] == [1, 2]
    assert result[0][0] == result[1][0]


def test_errors():
    with pytest.raises(ConfigError, match=r"HashedCross: num_bins; .* got None\. Set num_bins= or infer_num_bins=Tr"):
        mm.HashedCross(_schema("ab"))
    with pytest.raises(SchemaError, match="HashedCross has too few columns; expected two or more, got a"):
        mm.HashedCross(_schema("a"), num_bins=10)
    with pytest.raises(ConfigError, match="output_mode; expected one of 'one_hot', 'multi_hot', 'int', got 'count'"):
        mm.HashedCross(_schema("ab"), num_bins=10, output_mode="count")
    with pytest.raises(SchemaError, match="column 'b': HashedCross cannot infer the number of bins; expected a domain"):
        mm.HashedCross(_schema("a") + Schema([mm.create_categorical_column("b", None)]), infer_num_bins=True)
    with pytest.raises(SchemaError, match=r"column 'b': .* a feature is missing; expected it in the batch, got a"):
        mm.HashedCross(_schema("ab"), num_bins=10)({"a": np.array([[1]])})
