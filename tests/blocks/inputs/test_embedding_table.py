from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import blocks as mm
from blocks.errors import ConfigError, SchemaError
from tests import golden

# rows: id -> (id, 10 id)
ROWS = np.array([[i, 10.0 * i] for i in range(6)], "float32")
GENRES = mm.create_categorical_column("genres", 5, min_value_count=0, max_value_count=4)


def _table(combiner=None, column=GENRES):
    table = mm.EmbeddingTable(2, column, sequence_combiner=combiner)
    table.build((None, 1))
    table.set_weights([ROWS])
    return table


@pytest.mark.parametrize(
    ("combiner", "expected"),
    [
        ("mean", [[0, 0], [4, 40], [1.5, 15]]),
        ("sum", [[0, 0], [4, 40], [3, 30]]),
        ("sqrtn", [[0, 0], [4, 40], [3 / 2**0.5, 30 / 2**0.5]]),
    ],
)
def test_lists(combiner, expected):
    # [], [4], [1, 2]
    ragged = tf.ragged.constant([[], [4], [1, 2]], dtype="int64")
    np.testing.assert_allclose(_table(combiner)(ragged), expected, rtol=1e-6)
    with_axis = tf.RaggedTensor.from_row_splits(ragged.values[:, None], ragged.row_splits)
    np.testing.assert_allclose(_table(combiner)(with_axis), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("combiner", "expected"),
    [("mean", [[1.5, 15]]), ("sum", [[3, 30]]), ("sqrtn", [[3 / 2**0.5, 30 / 2**0.5]])],
)
def test_dense_lists(combiner, expected):
    np.testing.assert_allclose(_table(combiner)(tf.constant([[1, 2]])), expected, rtol=1e-6)


def test_without_a_combiner_lists_stay_lists():
    output = _table()(tf.ragged.constant([[], [4, 1]], dtype="int64"))
    assert output.row_lengths().numpy().tolist() == [0, 2]
    assert output.values.numpy().tolist() == [[4, 40], [1, 10]]
    assert _table()(tf.constant([[1, 2]])).numpy().tolist() == [[[1, 10], [2, 20]]]


def test_a_list_of_one_is_still_a_list():
    assert _table()(tf.constant([[3], [1]])).numpy().tolist() == [[[3, 30]], [[1, 10]]]
    scalar = mm.create_categorical_column("id", 5)
    assert _table(column=scalar)(tf.constant([[3], [1]])).numpy().tolist() == [[3, 30], [1, 10]]


def test_dictionaries_are_looked_up_by_name():
    table = _table(column=mm.create_categorical_column("a", 5, domain_name="shared"))
    table.add_feature(mm.create_categorical_column("b", 5, domain_name="shared"))
    outputs = table({"b": tf.constant([[1]]), "a": tf.constant([[2]]), "other": tf.constant([[9]])})
    assert {name: value.numpy().tolist() for name, value in outputs.items()} == {"a": [[2, 20]], "b": [[1, 10]]}


def test_gradient_names_the_rows_of_the_batch():
    table = _table("mean")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(table(tf.ragged.constant([[1, 2], [4]], dtype="int64")))
    gradient = tape.gradient(loss, table.embeddings.value)
    assert isinstance(gradient, tf.IndexedSlices)
    assert sorted(gradient.indices.numpy().tolist()) == [1, 2, 4]
    # mean of two: 0.5 each; alone: 1
    assert tf.convert_to_tensor(gradient).numpy()[:, 0].tolist() == [0, 0.5, 0.5, 0, 1, 0]


def test_l2_of_the_rows_looked_up():
    table = mm.EmbeddingTable(2, mm.create_categorical_column("id", 5), l2_batch_regularization_factor=0.1)
    table.build((None, 1))
    table.set_weights([ROWS])
    table(tf.constant([[1], [2]]), training=False)
    assert table.losses == []
    table(tf.constant([[1], [2]]), training=True)
    # mean of 1 + 100 and 4 + 400 is 252.5
    assert float(table.losses[0]) == pytest.approx(25.25)


@pytest.mark.parametrize("case", golden.cases("conventions", "EmbeddingTable", where=lambda case: not case.raises))
def test_golden(case):
    if case.args.get("columns") == ["a", "b"]:
        columns = [mm.create_categorical_column(name, 5, domain_name="d") for name in ("a", "b")]
    else:
        columns = [mm.create_categorical_column("a", 5)]
    table = mm.EmbeddingTable(
        case.args["dim"], *columns, sequence_combiner=case.args.get("sequence_combiner"), name="embedding_table"
    )
    table.build((None, 1))
    weights = golden.tensors(case.weights) or golden.tensors(case.inputs)
    table.set_weights([next(value.numpy() for value in tf.nest.flatten(weights) if value.shape == (6, 2))])
    for name, expected in _named(case.outputs["output"]).items():
        found = table(golden.tensors(case.inputs)) if "columns" in case.args else table(_input(case, name))
        golden.assert_close(found[name] if isinstance(found, dict) else found, expected)


def _named(output):
    return {"": output} if golden.is_tensor(output) else output


def _input(case, name):
    inputs = golden.tensors(case.inputs)
    return inputs[name] if name in inputs else inputs["inputs"]


def test_columns_must_share_a_domain():
    table = mm.EmbeddingTable(2, mm.create_categorical_column("a", 5))
    with pytest.raises(
        SchemaError, match="column 'c': EmbeddingTable 'a' holds columns of one domain; expected a with"
    ):
        table.add_feature(mm.create_categorical_column("c", 7))


def test_a_column_without_a_domain():
    with pytest.raises(SchemaError, match="column 'x': EmbeddingTable 'x' does not know how many ids there are"):
        mm.EmbeddingTable(2, mm.create_continuous_column("x"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 0}, "EmbeddingTable: dim; expected a whole number above 0, got 0"),
        ({"dim": 2, "sequence_combiner": "max"}, "sequence_combiner; expected None or one of 'mean', 'sum', 'sqrtn'"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ConfigError, match=message):
        mm.EmbeddingTable(arguments.pop("dim"), GENRES, **arguments)


class TestEmbeddings:
    def test_dimensions(self):
        schema = Schema([mm.create_categorical_column(name, 99) for name in ("a", "b", "c")])
        block = mm.Embeddings(schema, dim={"a": 4, "b": 6})
        # twice the fourth root of 100 is 6.3, rounded up to a multiple of 8
        assert {name: table.dim for name, table in block.parallel_dict.items()} == {"a": 4, "b": 6, "c": 8}

    def test_shared_domains_share_a_table(self):
        columns = [mm.create_categorical_column(name, 5, domain_name="shared") for name in ("a", "b")]
        schema = Schema([*columns, mm.create_categorical_column("c", 7)])
        block = mm.Embeddings(schema, dim=3)
        assert {name: table.schema.column_names for name, table in block.parallel_dict.items()} == {
            "shared": ["a", "b"],
            "c": ["c"],
        }

    def test_columns_without_a_domain_are_passed_over(self):
        schema = Schema([mm.create_categorical_column("a", 5), mm.create_continuous_column("x")])
        assert list(mm.Embeddings(schema).parallel_dict) == ["a"]

    def test_nothing_to_embed(self):
        with pytest.raises(SchemaError, match=r"no categorical column with a domain; .* got x"):
            mm.Embeddings(Schema([mm.create_continuous_column("x")]))

    def test_tables_always_see_the_whole_batch(self):
        # The table is called like one of its columns; the other column must not be lost.
        item = mm.create_categorical_column("item", 5, domain_name="item")
        history = mm.create_categorical_column("history", 5, domain_name="item", min_value_count=0, max_value_count=9)
        outputs = mm.Embeddings(Schema([item, history]), dim=2)(
            {"item": tf.constant([[1]]), "history": tf.ragged.constant([[2, 3]], dtype="int64")}
        )
        assert list(outputs) == ["item", "history"]
