"""The verbs of `Block`, on blocks whose weights are all 1, so that a layer gives the sum of its row."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError

ROW = np.array([[1.0, 2.0]], "float32")
SCHEMA = Schema([ColumnSchema("a", tags=[Tags.USER]), ColumnSchema("b", tags=[Tags.ITEM]), ColumnSchema("c")])
BATCH = {"a": ROW, "b": 10 * ROW, "c": 100 * ROW}


def _ones(units, name=None):
    return mm.Dense(units, kernel_initializer="ones", use_bias=False, name=name)


def _lists(outputs):
    return {name: value.numpy().tolist() for name, value in outputs.items()}


def test_connect_with_residual():
    # [1, 2] -> [3, 3] -> [6, 6] + [3, 3]
    assert _ones(2).connect_with_residual(_ones(2))(ROW).numpy().tolist() == [[9.0, 9.0]]
    assert _ones(2).connect_with_residual(_ones(2), activation="relu")(-ROW).numpy().tolist() == [[0.0, 0.0]]


def test_connect_branch():
    block = _ones(2).connect_branch(_ones(1, "one"), _ones(2, "two"))
    assert _lists(block(ROW)) == {"one": [[6.0]], "two": [[6.0, 6.0]]}
    block = _ones(2).connect_branch(_ones(1, "one"), _ones(2, "two"), post=mm.Filter("two"), aggregation="concat")
    assert block(ROW).numpy().tolist() == [[6.0, 6.0]]


def test_connect_branch_passes_the_rest_on():
    reads_a = mm.SequentialBlock(_ones(1), filter=SCHEMA.select_by_name("a"), block_name="sum_of_a")
    block = mm.NoOp().connect_branch(reads_a, add_rest=True)
    assert _lists(block(BATCH)) == {"sum_of_a": [[3.0]], "b": [[10.0, 20.0]], "c": [[100.0, 200.0]]}


def test_connect_branch_looks_tags_up():
    inputs = mm.TabularBlock(schema=SCHEMA)
    block = inputs.connect_branch(mm.Filter(Tags.USER), mm.Filter("c"), add_rest=True, aggregation="concat")
    assert block(BATCH).numpy().tolist() == [[1.0, 2.0, 10.0, 20.0, 100.0, 200.0]]


def test_connect_branch_cannot_tell_the_rest():
    with pytest.raises(
        SchemaError, match=r"cannot find the rest: one does not declare the columns that it reads\. Give"
    ):
        mm.NoOp().connect_branch(_ones(1, "one"), add_rest=True)


def test_repeat():
    # twice the sum of the row, each time: 3 -> 6 -> 12; the block itself and two copies
    block = _ones(2).repeat(2)
    assert block(ROW).numpy().tolist() == [[12.0, 12.0]]
    assert len(block) == 3
    assert len(block.weights) == 3
    assert len(_ones(2).repeat(0)) == 1


def test_repeated_blocks_start_out_different():
    block = mm.Dense(2).repeat()
    block.build((None, 2))
    assert not np.array_equal(block[0].get_weights()[0], block[1].get_weights()[0])


@pytest.mark.parametrize("num", [-1, "2", 1.5])
def test_repeat_how_often(num):
    with pytest.raises(ConfigError, match="repeat: num; expected a number of copies from 0, got "):
        _ones(2).repeat(num)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [({}, ["0", "1"]), ({"prefix": "expert_"}, ["expert_0", "expert_1"]), ({"names": ["p", "q"]}, ["p", "q"])],
)
@pytest.mark.parametrize("copies", [True, False])
def test_repeat_in_parallel(arguments, names, copies):
    block = _ones(1).repeat_in_parallel(2, copies=copies, **arguments)
    assert _lists(block(ROW)) == {name: [[3.0]] for name in names}
    assert len(block.weights) == (2 if copies else 1)


@pytest.mark.parametrize("copies", [True, False])
def test_repeat_in_parallel_with_the_input(copies):
    block = _ones(2).repeat_in_parallel(2, prefix="e", residual=True, copies=copies, aggregation=mm.StackFeatures(1))
    assert block(ROW).numpy().tolist() == [[[3.0, 3.0], [3.0, 3.0], [1.0, 2.0]]]


def test_one_set_of_weights_survives_the_configuration():
    block = _ones(1).repeat_in_parallel(2, copies=False)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(block))
    again(ROW)
    assert len(again.weights) == 1
    assert again["0"] is again["1"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"num": 0}, "repeat_in_parallel: num; expected a number of branches from 1, got 0"),
        ({"num": 2, "names": ["p"]}, r"repeat_in_parallel: names; expected 2 different names, got \['p'\]"),
        ({"num": 2, "names": ["p", "p"]}, "expected 2 different names"),
    ],
)
def test_repeat_in_parallel_used_wrongly(arguments, text):
    with pytest.raises(ConfigError, match=text):
        _ones(1).repeat_in_parallel(**arguments)


def test_prepare():
    # the block before gives [3, 3] for a and [30, 30] for b: 66 side by side
    block = _ones(1).prepare(mm.MapValues(_ones(2)), post=mm.Filter(["a", "b"]), aggregation="concat")
    assert block(BATCH).numpy().tolist() == [[66.0]]
    assert _ones(1).prepare(aggregation="sum")(BATCH).numpy().tolist() == [[333.0]]


def test_as_tabular():
    assert _lists(_ones(1).as_tabular("out")(ROW)) == {"out": [[3.0]]}
    assert _lists(_ones(1, "mine").as_tabular()(ROW)) == {"mine": [[3.0]]}


def test_a_block_says_whether_it_has_a_schema():
    block = mm.MLPBlock([2])
    assert not block.has_schema
    with pytest.raises(SchemaError, match=f"{block.name} has no schema"):
        block.check_schema()
    inputs = mm.InputBlockV2(Schema([mm.create_continuous_column("age")]))
    assert inputs.has_schema
    inputs.check_schema()
