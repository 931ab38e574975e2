import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.inputs.embedding_table import embedding_tables
from emrys.components.contracts.transformed import Transformed
from emrys.components.train.averaging import averaged_weights, count_ids


def _ids(name, top, domain=None, **counts):
    return mm.create_categorical_column(name, top, domain_name=domain or name, dtype="int64", **counts)


SCHEMA = Schema(
    [_ids("item", 4, "item"), _ids("last", 4, "item"), _ids("genres", 3, min_value_count=0, max_value_count=2)]
)


@pytest.fixture
def data(tmp_path):
    tables = {
        "train": {"item": [1, 2, 2], "last": [2, 3, 3], "genres": [[1, 2], [], [1]]},
        "valid": {"item": [4], "last": [4], "genres": [[3]]},
    }
    tables["test"] = tables["valid"]
    with Transformed.create(tmp_path / "data", {}) as work:
        for split, columns in tables.items():
            pq.write_table(pa.table(columns), work / f"{split}.parquet")
    return Transformed(tmp_path / "data")


def _model(schema=SCHEMA, optimizer="sgd"):
    model = mm.Model(mm.Embeddings(schema, dim=1, aggregation="concat"), mm.RegressionOutput("y"))
    model.compile(optimizer)
    model.build({column.name: (None, None if column.is_list else 1) for column in schema})
    model.optimizer.build(model.trainable_variables)
    return model


def _set(table, values):
    table.embeddings.assign(np.array(values, "float32")[:, None])


def _rows(table):
    return table.embeddings.numpy()[:, 0].tolist()


def test_ids_are_counted_on_the_train_split_alone(data):
    counts = count_ids(data.file("train"), embedding_tables([_model()]))
    assert {name: count.tolist() for name, count in counts.items()} == {
        "item": [0, 1, 2, 0, 0],
        "last": [0, 0, 1, 2, 0],
        "genres": [0, 2, 1, 0],
    }


def test_rows_of_unseen_ids_are_the_mean_of_the_others_for_a_while(data):
    model = _model()
    items, genres = embedding_tables([model])
    _set(items, [10, 1, 2, 3, 50])
    _set(genres, [9, 3, 6, 90])
    before = model.get_weights()
    with averaged_weights(model, [items, genres], count_ids(data.file("train"), [items, genres])):
        # item and last together: 1 once, 2 three times, 3 twice -> (1 * 1 + 3 * 2 + 2 * 3) / 6 = 13 / 6
        assert _rows(items) == pytest.approx([13 / 6, 1, 2, 3, 13 / 6])
        # 1 twice, 2 once -> (2 * 3 + 6) / 3 = 4
        assert _rows(genres) == pytest.approx([4, 3, 6, 4])
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_own_weights_are_back_after_an_error(data):
    model = _model()
    tables = embedding_tables([model])
    _set(tables[0], [10, 1, 2, 3, 50])
    with pytest.raises(KeyboardInterrupt), averaged_weights(model, tables, count_ids(data.file("train"), tables)):
        raise KeyboardInterrupt
    assert _rows(tables[0]) == [10, 1, 2, 3, 50]


def test_a_table_without_any_id_stays_as_it_is(data):
    model = _model()
    tables = embedding_tables([model])
    _set(tables[1], [9, 3, 6, 90])
    counts = {**count_ids(data.file("train"), tables), "genres": np.zeros(4, np.int64)}
    with averaged_weights(model, tables, counts):
        assert _rows(tables[1]) == [9, 3, 6, 90]


def test_a_table_that_is_not_trained_stays_as_it_is(data):
    embeddings = mm.Embeddings(SCHEMA, dim=1, aggregation="concat", trainable={"genres": False})
    model = mm.Model(embeddings, mm.RegressionOutput("y"))
    model.compile("sgd")
    model.build({"item": (None, 1), "last": (None, 1), "genres": (None, None)})
    model.optimizer.build(model.trainable_variables)
    items, genres = embedding_tables([model])
    _set(items, [10, 1, 2, 3, 50])
    _set(genres, [9, 3, 6, 90])
    with averaged_weights(model, [items, genres], count_ids(data.file("train"), [items, genres])):
        assert _rows(items)[0] == pytest.approx(13 / 6)
        assert _rows(genres) == [9, 3, 6, 90]
    assert _rows(genres) == [9, 3, 6, 90]


def test_the_moving_averages_are_what_is_used():
    # p = w e + b for one row of id 1, y = 0, squared error, rate 0.25; e = w = 1, b = 0 at first.
    # Step 1: p = 1, its slope 2; slopes of e and w 2, of b 2 -> e = w = 0.5, b = -0.5.
    # Step 2: p = 0.25 - 0.5 = -0.25, its slope -0.5; of e and w -0.25 -> e = w = 0.5625, b = -0.375.
    # The averages begin with step 1: e = w = (0.5 + 0.5625) / 2 = 0.53125, b = (-0.5 - 0.375) / 2 = -0.4375.
    schema = Schema([_ids("item", 2)])
    model = _model(schema, keras.optimizers.SGD(0.25, use_ema=True, ema_momentum=0.5))
    (table,) = embedding_tables([model])
    kernel, bias = model.last.to_call.kernel, model.last.to_call.bias
    _set(table, [7, 1, 8])
    kernel.assign([[1.0]])
    bias.assign([0.0])
    for _ in range(2):
        model.train_on_batch({"item": np.array([[1]])}, {"y": np.array([[0.0]], "float32")})
    assert [_rows(table), kernel.numpy().item(), bias.numpy().item()] == [[7, 0.5625, 8], 0.5625, -0.375]
    with averaged_weights(model, [table], {"item": np.array([0, 2, 0])}):
        assert _rows(table) == [0.53125, 0.53125, 0.53125]  # 0 and 2 never occur: the mean of the others' averages
        assert [kernel.numpy().item(), bias.numpy().item()] == [0.53125, -0.4375]
        assert model({"item": np.array([[2]])}).numpy().item() == 0.53125**2 - 0.4375
    assert [_rows(table), kernel.numpy().item(), bias.numpy().item()] == [[7, 0.5625, 8], 0.5625, -0.375]


def test_tables_are_found_inside_all_kinds_of_blocks():
    model = mm.DLRMModel(
        SCHEMA + Schema([mm.create_continuous_column("age")]),
        embedding_dim=2,
        bottom_block=mm.MLPBlock([4, 2]),
        top_block=mm.MLPBlock([3]),
        prediction_tasks=mm.BinaryOutput("y"),
    )
    assert [table.name for table in embedding_tables([model])] == ["item", "genres"]
