import keras
import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, EmrysError, SchemaError
from tests import golden


def _schema():
    return Schema([mm.create_categorical_column("a", 4), mm.create_continuous_column("x")])


def _encoding(case):
    return mm.CategoryEncoding(**{**case.args, "schema": golden.schema(case.args["schema"])})


@pytest.mark.parametrize(
    "case", golden.cases("transforms", "CategoryEncoding", where=lambda case: "output" in case.outputs)
)
def test_golden(case):
    result = _encoding(case)(golden.tensors(case.inputs))
    golden.assert_close(result, case.outputs["output"], dtype=True)
    if "output_dense" in case.outputs:
        dense = {name: tf.sparse.to_dense(value) for name, value in result.items()}
        golden.assert_close(dense, case.outputs["output_dense"])


@pytest.mark.parametrize("case", golden.cases("transforms", "CategoryEncoding", where=lambda case: case.raises))
def test_golden_refused(case):
    ragged = case.inputs.get("a") == "ragged"
    inputs = {"a": tf.ragged.constant([[1, 2], [3]])} if ragged else golden.tensors(case.inputs)
    with pytest.raises(EmrysError):
        _encoding(case)(inputs)


def test_ragged_lists_count_what_they_hold():
    lists = {"a": tf.ragged.constant([[], [3, 1, 3], [0]])}
    # Row 0 is empty; row 1 has one 1 and two 3s; row 2 one 0. Nothing is padded, so that no other 0 is counted.
    expected = [[0, 0, 0, 0, 0], [0, 1, 0, 2, 0], [1, 0, 0, 0, 0]]
    for sparse in (False, True):
        counted = mm.CategoryEncoding(_schema(), output_mode="count", sparse=sparse)(lists)["a"]
        dense = tf.sparse.to_dense(counted) if sparse else counted
        np.testing.assert_array_equal(dense, expected)
        there = mm.CategoryEncoding(_schema(), output_mode="multi_hot", sparse=sparse)(lists)["a"]
        dense = tf.sparse.to_dense(there) if sparse else there
        np.testing.assert_array_equal(dense, np.minimum(expected, 1))


def test_weights_follow_the_place_in_ragged_lists():
    encoding = mm.CategoryEncoding(_schema(), output_mode="count", count_weights=[[1, 10], [2, 20]])
    result = encoding({"a": tf.ragged.constant([[4], [1, 1]])})["a"]
    np.testing.assert_array_equal(result, [[0, 0, 0, 0, 1], [0, 22, 0, 0, 0]])


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_xla_gives_what_eager_mode_gives(mode):
    encoding = mm.CategoryEncoding(_schema(), output_mode=mode)
    batch = {"a": tf.constant([[1], [4]] if mode == "one_hot" else [[1, 1], [4, 0]])}
    compiled = tf.function(encoding.__call__, jit_compile=True)
    np.testing.assert_array_equal(compiled(batch)["a"], encoding(batch)["a"])


def test_columns_come_from_the_model_where_none_are_given():
    encoding = mm.CategoryEncoding()
    model = mm.Model(encoding, mm.MLPBlock([1]), schema=_schema())
    model({"a": np.array([[2]]), "x": np.array([[0.5]], "float32")})
    assert encoding.schema.column_names == ["a"]


@pytest.mark.slow
def test_a_linear_layer_trains_on_sparse_vectors(tmp_path):
    model = mm.Model(
        mm.CategoryEncoding(_schema(), sparse=True), mm.MLPBlock([1], activation="linear"), mm.RegressionOutput("y")
    )
    model.compile("sgd")
    before_and_after = []
    for _ in range(2):
        model.fit({"a": np.array([[1], [4]])}, {"y": np.array([[1.0], [2.0]], "float32")}, batch_size=2, verbose=0)
        before_and_after.append(model.layers[1].get_weights()[0][:, 0])
    changed = before_and_after[0] != before_and_after[1]
    assert changed.tolist() == [False, True, False, False, True]
    model.save(tmp_path / "model.keras")
    batch = {"a": np.array([[1], [4]])}
    np.testing.assert_array_equal(mm.Model.load(tmp_path / "model.keras")(batch), model(batch))


def test_ids_outside_the_domain():
    encoding = mm.CategoryEncoding(_schema(), name="wide")
    with pytest.raises(
        DataError, match=r"wide: column a: an id has no row; expected 0 to 4, got 5\. Raise the maximum"
    ):
        encoding({"a": np.array([[5]])})
    with pytest.raises(tf.errors.InvalidArgumentError, match="wide: column a: an id has no row; expected 0 to 4"):
        tf.function(lambda batch: encoding(batch))({"a": tf.constant([[5]])})


SINGLE = Schema([mm.create_categorical_column("g", 3)])


class TestSparse:
    IDS = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1, 1, 2], [2, 2])

    @pytest.mark.parametrize("sparse", [False, True])
    def test_one_hot(self, sparse):
        found = mm.CategoryEncoding(SINGLE, sparse=sparse)({"g": tf.SparseTensor([[0, 0], [2, 0]], [3, 1], [3, 1])})
        dense = tf.sparse.to_dense(found["g"]) if sparse else found["g"]
        assert dense.numpy().tolist() == [[0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]  # row 1 has no id

    def test_one_hot_of_lists(self):
        with pytest.raises(ConfigError, match=r"a list cannot be one-hot; expected shape \(B, 1\), got shape \(2, 2\)"):
            mm.CategoryEncoding(SINGLE)({"g": self.IDS})

    @pytest.mark.parametrize("weights", [[[0.5, 0.25], [2.0, 9.0]], tf.sparse.from_dense([[0.5, 0.25], [2.0, 0.0]])])
    @pytest.mark.parametrize("sparse", [False, True])
    def test_weighted_counts(self, weights, sparse):
        layer = mm.CategoryEncoding(SINGLE, output_mode="count", count_weights=weights, sparse=sparse)
        found = layer({"g": self.IDS})["g"]
        assert (tf.sparse.to_dense(found) if sparse else found).numpy().tolist() == [[0, 0.75, 0, 0], [0, 0, 2.0, 0]]


def test_arguments_of_a_tabular_block():
    both = Schema([mm.create_categorical_column("a", 1), mm.create_categorical_column("b", 1)])
    layer = mm.CategoryEncoding(both, is_input=True, aggregation="concat")
    assert layer({"a": np.array([[1]]), "b": np.array([[0]])}).numpy().tolist() == [[0, 1, 1, 0]]
    again = mm.CategoryEncoding.from_config(layer.get_config())
    assert again({"a": np.array([[1]]), "b": np.array([[0]])}).numpy().tolist() == [[0, 1, 1, 0]]
    cross = mm.HashedCross(both, num_bins=2, output_mode="multi_hot", is_input=False, aggregation="concat")
    assert not cross.is_input
    assert cross({"a": np.array([[1]]), "b": np.array([[0]])}).numpy().sum() == 1.0


def test_errors():
    with pytest.raises(ConfigError, match="CategoryEncoding: output_mode; expected one of 'one_hot', 'multi_hot', "):
        mm.CategoryEncoding(_schema(), output_mode="two_hot")
    with pytest.raises(ConfigError, match="count_weights; expected output_mode 'count', got 'one_hot'"):
        mm.CategoryEncoding(_schema(), count_weights=[[1.0]])
    with pytest.raises(SchemaError, match="has no columns to encode; expected columns tagged CATEGORICAL, got x"):
        mm.CategoryEncoding(_schema().select_by_name(["x"]))
    with pytest.raises(SchemaError, match=r"column 'a': .* the number of ids is unknown; expected a domain"):
        mm.CategoryEncoding(Schema([mm.create_categorical_column("a", None)]))
    with pytest.raises(ConfigError, match=r"a list cannot be one-hot; expected shape \(B, 1\), got shape \(1, 2\)"):
        mm.CategoryEncoding(_schema())({"a": np.array([[1, 2]])})
    with pytest.raises(SchemaError, match="the batch has none of its features; expected a, got b"):
        mm.CategoryEncoding(_schema())({"b": np.array([[1]])})


def test_mixed_precision_gives_the_compute_type():
    encoding = mm.CategoryEncoding(_schema(), dtype=keras.DTypePolicy("mixed_bfloat16"))
    assert encoding({"a": np.array([[1]])})["a"].dtype == tf.bfloat16
