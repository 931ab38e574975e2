from __future__ import annotations

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from merlin.io import Dataset
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, DataError, SchemaError
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
    table(tf.constant([[1], [2]]))
    # 1 + 100 + 4 + 400 = 505
    assert float(table.losses[0]) == pytest.approx(50.5)


def test_l2_of_lists_is_that_of_what_they_become():
    table = mm.EmbeddingTable(2, GENRES, sequence_combiner="sum", l2_batch_regularization_factor=1.0)
    table.build((None, None))
    table.set_weights([ROWS])
    table(tf.ragged.constant([[], [1, 2]], dtype="int64"))
    # (0, 0) and (3, 30)
    assert float(table.losses[0]) == pytest.approx(909.0)


@pytest.mark.parametrize("case", golden.cases("conventions", "EmbeddingTable", where=lambda case: not case.raises))
@pytest.mark.slow
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


@pytest.mark.parametrize("case", golden.cases("conventions", "EmbeddingTable", where=lambda case: case.raises))
def test_golden_refused(case):
    columns = [mm.create_categorical_column(name, 5) for name in case.args["columns"]]
    with pytest.raises(SchemaError, match="column 'c': EmbeddingTable 'a' holds columns of one domain"):
        mm.EmbeddingTable(case.args["dim"], *columns)


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
        (
            {"dim": 2, "sequence_combiner": "max"},
            "sequence_combiner; expected None, a layer or one of 'mean', 'sum', 'sqrtn'",
        ),
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

    @pytest.mark.parametrize(
        "case", golden.cases("conventions", "Embeddings", where=lambda case: "tables" in case.outputs)
    )
    def test_golden_tables(self, case):
        tables = case.outputs["tables"]
        if case.args["schema"].startswith("SMALL"):
            schema = golden.schema(case.args["schema"])
        else:  # made data, whose columns are known by their tables
            schema = Schema(
                [mm.create_categorical_column(name, table["input_dim"] - 1) for name, table in tables.items()]
            )
        block = mm.Embeddings(schema, dim=case.args.get("dim"))
        found = {name: {"input_dim": table.input_dim, "dim": table.dim} for name, table in block.parallel_dict.items()}
        assert found == tables
        assert block.name == case.outputs.get("block_name", "embeddings")

    @pytest.mark.parametrize(
        "case", golden.cases("conventions", "Embeddings", where=lambda case: "branches" in case.outputs)
    )
    def test_golden_shared_tables(self, case):
        columns = [
            mm.create_categorical_column(name, 5, domain_name=domain) for name, domain in case.inputs["domains"].items()
        ]
        block = mm.Embeddings(Schema(columns), **case.args)
        assert list(block.parallel_dict) == case.outputs["branches"]
        features = {name: table.schema.column_names for name, table in block.parallel_dict.items()}
        assert {name: features[name] for name in case.outputs["features_of_each_table"]} == case.outputs[
            "features_of_each_table"
        ]

    def test_combiners_by_column_are_weighted_by_another(self):
        genres = mm.create_categorical_column("genres", 5, min_value_count=0, tags=[Tags.SEQUENCE])
        weight = mm.create_continuous_column("genres_weight")
        combiners = mm.AverageEmbeddingsByWeightFeature.from_schema_convention(Schema([genres, weight]))
        block = mm.Embeddings(
            Schema([genres]), dim=2, sequence_combiner=combiners, embeddings_initializer=mm.TensorInitializer(ROWS)
        )
        batch = {
            "genres": tf.ragged.constant([[1, 2]], dtype="int64"),
            "genres_weight": tf.ragged.constant([[3.0, 1.0]]),
        }
        # (3 · 1 + 1 · 2) / 4
        assert block(batch)["genres"].numpy().tolist() == [[1.25, 12.5]]


class TestRowsFromElsewhere:
    FRAME = pd.DataFrame(ROWS, columns=["x", "y"])

    @pytest.mark.parametrize("make", [mm.EmbeddingTable.from_pretrained, mm.EmbeddingTable.from_dataset])
    def test_from_a_table(self, make):
        for data in (self.FRAME, Dataset(self.FRAME)):
            table = make(data, trainable=False, name="ids")
            assert table(tf.constant([[3], [5]])).numpy().tolist() == [[3, 30], [5, 50]]
            assert (table.name, table.input_dim, table.dim, table.trainable_weights) == ("ids", 6, 2, [])
            assert table.schema["ids"].int_domain.max == 5
        column = mm.create_categorical_column("a", 5, domain_name="d")
        assert make(self.FRAME, col_schema=column)({"a": tf.constant([[2]])})["a"].numpy().tolist() == [[2, 20]]

    def test_to_a_table(self):
        table = mm.EmbeddingTable.from_pretrained(self.FRAME, name="ids")
        with pytest.raises(ConfigError, match=r"EmbeddingTable 'ids' has no rows yet. Build it, or call it on a batch"):
            table.to_df()
        table.build((None, 1))
        expected = pd.DataFrame(ROWS, columns=["0", "1"])
        pd.testing.assert_frame_equal(table.to_df(gpu=False), expected)
        pd.testing.assert_frame_equal(table.to_dataset().to_ddf().compute(), expected)
        again = mm.EmbeddingTable.from_dataset(table.to_dataset(), name="again")
        assert again(tf.constant([[4]])).numpy().tolist() == [[4, 40]]

    @pytest.mark.parametrize("given", [{"weights": [ROWS]}, {"embeddings_initializer": mm.TensorInitializer(ROWS)}])
    def test_values_are_in_the_configuration_until_they_are_weights(self, given):
        table = mm.EmbeddingTable(2, mm.create_categorical_column("id", 5), **given)
        again = mm.EmbeddingTable.from_config(json.loads(json.dumps(table.get_config())))
        assert again(tf.constant([[3]])).numpy().tolist() == [[3, 30]]
        assert "base64" in json.dumps(table.get_config())
        table.build((None, 1))
        table.set_weights([ROWS + 1])
        assert "base64" not in json.dumps(table.get_config())
        # a copy starts as the first one did
        assert table.copy()(tf.constant([[3]])).numpy().tolist() == [[3, 30]]

    def test_another_layer_holds_the_rows(self, tmp_path):
        rows = keras.layers.Embedding(6, 2)
        one = mm.EmbeddingTable(2, mm.create_categorical_column("a", 5), table=rows)
        other = mm.EmbeddingTable(2, mm.create_categorical_column("b", 5), table=one)
        model = mm.Model(mm.ParallelBlock({"one": one, "other": other}, is_input=True))
        batch = {"a": tf.constant([[1]]), "b": tf.constant([[3]])}
        model(batch)
        rows.set_weights([ROWS])
        assert len(model.weights) == 1
        model.save(tmp_path / "model.keras")
        for found in (model, mm.Model.load(tmp_path / "model.keras")):
            outputs = found(batch)
            assert {name: value.numpy().tolist() for name, value in outputs.items()} == {"a": [[1, 10]], "b": [[3, 30]]}
            assert len(found.weights) == 1

    def test_select_by_tag(self):
        columns = [
            mm.create_categorical_column("a", 5, domain_name="d", tags=[Tags.USER]),
            mm.create_categorical_column("b", 5, domain_name="d", tags=[Tags.ITEM]),
        ]
        table = mm.EmbeddingTable(2, *columns, weights=ROWS)
        chosen = table.select_by_tag(Tags.USER)
        assert list(chosen({"a": tf.constant([[1]]), "b": tf.constant([[2]])})) == ["a"]
        table.set_weights([ROWS + 1])
        assert chosen({"a": tf.constant([[1]])})["a"].numpy().tolist() == [[2, 11]]
        assert table.select_by_tag(Tags.SESSION) is None
        assert table.select_by_tag(Tags.CATEGORICAL) is table

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (
                lambda column: mm.EmbeddingTable(2, column, weights=np.ones((7, 2))),
                r"'a': weights; expected 6 ids with 2 values each, got shape \(7, 2\). One row for each id",
            ),
            (
                lambda column: mm.EmbeddingTable(3, column, table=keras.layers.Embedding(6, 2)),
                r"'a': table; expected 6 ids with 3 values each, got shape \(6, 2\)",
            ),
            (
                lambda column: mm.EmbeddingTable(2, column, table=keras.layers.Dense(2)),
                "EmbeddingTable: table; expected an EmbeddingTable or a keras.layers.Embedding, got Dense",
            ),
            (
                lambda column: mm.EmbeddingTable(2, column, dynamic=True),
                "EmbeddingTable: dynamic; expected False, got True",
            ),
            (
                lambda column: mm.EmbeddingTable.from_pretrained(TestRowsFromElsewhere.FRAME),
                "from_pretrained knows no column. Give name= or col_schema=",
            ),
        ],
    )
    def test_used_wrongly(self, make, message):
        with pytest.raises(ConfigError, match=message):
            make(mm.create_categorical_column("a", 5))


def test_mask_of_padded_lists():
    table = mm.EmbeddingTable(2, GENRES, mask_zero=True, weights=ROWS)
    ids = tf.constant([[1, 2, 0], [3, 0, 0]])
    rows = table(ids)
    # the mask reaches the next layer: the means of 1 and 2, and of 3 alone
    assert mm.SequenceAggregator("masked_mean")(rows).numpy().tolist() == [[1.5, 15], [3, 30]]
    assert table.compute_mask({"genres": ids[..., None]})["genres"].numpy().tolist() == [
        [True, True, False],
        [True, False, False],
    ]
    assert _table().compute_mask(ids) is None
    # combiners count padding, as those of the released library do: (1 + 2 + 0) / 3
    combined = mm.EmbeddingTable(2, GENRES, mask_zero=True, sequence_combiner="mean", weights=ROWS)
    assert combined(ids).numpy().tolist() == [[1, 10], [1, 10]]


class TestIdsOutOfRange:
    MESSAGE = r"EmbeddingTable genres \(of genres\): an id has no row; expected 0 to 5"

    @pytest.mark.parametrize("stranger", [6, -1])
    def test_one_by_one(self, stranger):
        with pytest.raises(
            DataError, match=f"{self.MESSAGE}, got {stranger}. Raise the maximum of the column's domain"
        ):
            _table("mean")(tf.ragged.constant([[1], [stranger]], dtype="int64"))

    @pytest.mark.parametrize("stranger", [6, -1])
    def test_in_a_graph(self, stranger):
        table = _table("mean")
        graph = tf.function(lambda ids: table(ids), input_signature=[tf.TensorSpec((None, None), "int64")])
        assert graph(tf.constant([[1, 3]], "int64")).numpy().tolist() == [[2, 20]]
        with pytest.raises(tf.errors.InvalidArgumentError, match=self.MESSAGE):
            graph(tf.constant([[1, stranger]], "int64"))

    def test_compiled_by_xla_it_is_no_other_row(self):
        table = _table(column=mm.create_categorical_column("id", 5))
        compiled = tf.function(lambda ids: table(ids), jit_compile=True)
        # XLA drops checks, and reads the nearest row
        assert np.isnan(compiled(tf.constant([[1], [6], [-1]]))).tolist() == [[False] * 2, [True] * 2, [True] * 2]

    @pytest.mark.parametrize("combiner", ["mean", "sum", "sqrtn"])
    @pytest.mark.slow
    def test_ragged_lists_compiled_by_xla(self, combiner):
        table = _table(combiner)
        compiled = tf.function(lambda ids: table(ids), jit_compile=True)
        for lists in ([[], [1, 2], [3]], [[4, 4, 1]]):
            ids = tf.ragged.constant(lists, dtype="int64")
            np.testing.assert_allclose(compiled(ids), table(ids), rtol=1e-6)

    def test_an_empty_batch_has_no_strangers(self):
        graph = tf.function(_table("mean"))
        assert graph(tf.ragged.constant([[], []], dtype="int64", ragged_rank=1)).numpy().tolist() == [[0, 0], [0, 0]]


def test_the_table_is_called_by_the_domain_of_its_columns():
    domain = {"domain": {"min": 0, "max": 5, "name": "user"}}
    column = ColumnSchema("user_id", dtype="int64", tags=[Tags.CATEGORICAL], properties=domain)
    assert mm.EmbeddingTable(4, column).table_name == "user"
    assert mm.EmbeddingTable(4, column, name="people").table_name == "people"
