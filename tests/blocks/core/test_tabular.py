"""Properties and methods of blocks on dictionaries."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError

SCHEMA = Schema(
    [
        mm.create_categorical_column("user", 3, tags=[Tags.USER]),
        mm.create_categorical_column("item", 3, tags=[Tags.ITEM]),
        mm.create_continuous_column("age", tags=[Tags.USER]),
        mm.create_continuous_column("price", tags=[Tags.ITEM]),
    ]
)
BATCH = {
    "user": np.array([[1]]),
    "item": np.array([[2]]),
    "age": np.array([[0.25]], "float32"),
    "price": np.array([[4.0]], "float32"),
}


def _doubled():
    return mm.Dense(1, kernel_initializer=keras.initializers.Constant(2.0))


class TestTabularBlock:
    def test_only_some_features(self):
        block = mm.TabularBlock.from_features(["age", "price"], pre="continuous-powers", aggregation="concat")
        # age, age², √age, price, price², √price
        np.testing.assert_allclose(block(BATCH), [[0.25, 0.0625, 0.5, 4.0, 16.0, 2.0]])

    def test_columns_of_a_schema(self):
        block = mm.TabularBlock.from_schema(SCHEMA, tags=Tags.USER)
        assert list(block(BATCH)) == ["user", "age"]
        assert block.schema.column_names == ["user", "age"]
        assert mm.TabularBlock.from_schema(SCHEMA, tags=Tags.SEQUENCE) is None

    def test_columns_that_a_schema_has_not(self):
        with pytest.raises(SchemaError, match=r"TabularBlock finds no column tagged .*SEQUENCE.*; got user, item, age"):
            mm.TabularBlock.from_schema(SCHEMA, tags=Tags.SEQUENCE, allow_none=False)

    def test_pre_and_post_can_be_set(self):
        block = mm.TabularBlock()
        assert block.is_tabular
        block.set_pre(mm.Filter("price"))
        block.set_post(mm.MapValues(_doubled()))
        block.set_aggregation("concat")
        assert not block.is_tabular
        assert block(BATCH).numpy().tolist() == [[8.0]]

    def test_each_feature_alone(self):
        found = _tabular_double().apply_to_all(BATCH, ["age", "price"])
        assert {name: value.numpy().tolist() for name, value in found.items()} == {"age": [[0.5]], "price": [[8.0]]}

    def test_other_steps_for_one_call(self):
        block = mm.TabularBlock(pre=mm.Filter("age"), aggregation="concat")
        assert list(block.pre_call(BATCH, mm.Filter("price"))) == ["price"]
        found = block.post_call(
            {"age": BATCH["age"]},
            transformations=mm.MapValues(_doubled()),
            merge_with=mm.SequentialBlock(mm.Filter("age"), _doubled(), mm.AsTabular("twice")),
            aggregation="stack",
        )
        assert found.numpy().tolist() == [[[0.5, 0.5]]]


def _tabular_double():
    return mm.TabularBlock(post=_doubled())


class TestParallelBlock:
    def _block(self):
        tables = mm.Embeddings(SCHEMA, dim=2)
        return mm.ParallelBlock({"ids": tables, "numbers": mm.Continuous(SCHEMA.select_by_name(["age", "price"]))})

    def test_branches(self):
        block = mm.ParallelBlock({"a": mm.NoOp(), "b": _doubled()}, aggregation="concat")
        assert block.first is block["a"]
        assert block.layers == [block["a"], block["b"], block.aggregation]
        assert block.select_by_names(["b"]) == [block["b"]]
        assert not block.is_tabular

    def test_one_more_branch(self):
        block = mm.ParallelBlock({"a": mm.NoOp()}).add_branch("b", _doubled())
        block.apply_to_branch("a", _doubled(), _doubled())
        found = block(np.array([[3.0]], "float32"))
        assert {name: value.numpy().tolist() for name, value in found.items()} == {"a": [[12.0]], "b": [[6.0]]}

    def test_branches_that_cannot_be(self):
        block = mm.ParallelBlock({"a": mm.NoOp()}, name="both")
        with pytest.raises(ConfigError, match="both has a branch called 'a'"):
            block.add_branch("a", mm.NoOp())
        with pytest.raises(ConfigError, match="both has no such branch; expected a, got 'b'"):
            block.apply_to_branch("b", mm.NoOp())
        with pytest.raises(ConfigError, match="both has no such branch; expected a, got 'b'"):
            block.select_by_names(["a", "b"])
        block(np.ones((1, 1)))
        with pytest.raises(ConfigError, match="both is built: its branches cannot change; got 'b'"):
            block.add_branch("b", mm.NoOp())

    def test_the_part_of_a_tag_has_the_same_weights(self):
        block = self._block()
        whole = block(BATCH)
        part = block.select_by_tag(Tags.ITEM)
        found = part(BATCH)
        assert sorted(found) == ["item", "price"]
        assert part.schema.column_names == ["item", "price"]
        np.testing.assert_array_equal(found["item"], whole["item"])
        assert block.select_by_tag(Tags.SEQUENCE) is None
        assert block.select_by_tag([Tags.ITEM, Tags.USER]).schema.column_names == block.schema.column_names

    def test_the_part_of_a_tag_of_continuous_features(self):
        block = mm.ContinuousFeatures.from_schema(SCHEMA, tags=Tags.CONTINUOUS, aggregation="concat")
        assert block.select_by_tag(Tags.ITEM)(BATCH).numpy().tolist() == [[4.0]]
        assert block.select_by_tag(Tags.SEQUENCE) is None


class TestSequentialBlock:
    def test_initial_state(self):
        inputs = mm.InputBlockV2(SCHEMA)
        chain = inputs.connect(mm.Dense(2))
        assert chain.connect(mm.Dense(1)).inputs is inputs
        assert mm.Dense(2).connect(mm.Dense(1)).inputs is None

    def test_features_that_its_filter_lets_through(self):
        block = mm.SequentialBlock(mm.SequentialBlock(mm.Dense(1), filter=["b", "a"]), mm.Dense(1))
        assert block.filter_features == ["a", "b"]
        assert mm.SequentialBlock(mm.Dense(1)).filter_features == []
        rest = mm.SequentialBlock(mm.Dense(1), filter=mm.Filter(["age"], exclude=True))
        rest.set_schema(SCHEMA)
        assert rest.filter_features == ["user", "item", "price"]

    def test_regularizers(self):
        shared = keras.regularizers.L2(0.1)
        block = mm.SequentialBlock(
            mm.Dense(1, kernel_regularizer=shared), mm.MLPBlock([1], kernel_regularizer=shared, bias_regularizer="l1")
        )
        assert [type(found).__name__ for found in block.regularizers] == ["L2", "L1"]

    def test_whether_it_gives_a_dictionary(self):
        assert mm.Dense(1).as_tabular("out").is_tabular
        assert not mm.Filter("a").connect(mm.Dense(1)).is_tabular

    def test_every_block_may_change_the_prediction(self):
        block = mm.SequentialBlock(mm.NoOp(), _Halved(), keras.layers.Dense(1), _Halved())
        prediction = block.call_outputs(mm.Prediction(np.array([[8.0]])), training=True)
        assert prediction.outputs.tolist() == [[2.0]]
        assert block.call_outputs(mm.Prediction(np.array([[8.0]]))).outputs.tolist() == [[8.0]]
        assert mm.NoOp().register_features({"a": (None, 1)}) == []


class _Halved(mm.Block):
    def call(self, inputs):
        return inputs

    def call_outputs(self, outputs, training=False, **kwargs):
        return outputs._replace(outputs=outputs.outputs / 2) if training else outputs


class TestFilter:
    def test_the_part_of_a_tag(self):
        found = mm.Filter(SCHEMA.select_by_name(["user", "item", "age"])).select_by_tag(Tags.USER)
        assert found.feature_names == ["age", "user"]
        assert mm.Filter(SCHEMA).select_by_tag(Tags.SEQUENCE) is None
        assert type(mm.Continuous(SCHEMA).select_by_tag(Tags.USER)) is mm.Continuous

    def test_names_of_the_rest_need_a_schema(self):
        with pytest.raises(SchemaError, match="rest excludes features and knows no schema"):
            _ = mm.Filter("age", exclude=True, name="rest").feature_names


class TestRename:
    def test_names_and_tags(self):
        schema = Schema([mm.create_categorical_column("uid", 3, tags=[Tags.USER_ID])])
        block = mm.Rename({Tags.USER_ID: "user_id", "p": "price"}, schema=schema)
        assert list(block({"uid": np.ones((1, 1)), "p": np.ones((1, 1)), "x": np.ones((1, 1))})) == [
            "user_id",
            "price",
            "x",
        ]
        assert block.renames == {"uid": "user_id", "p": "price"}

    def test_a_tag_of_two_columns(self):
        with pytest.raises(SchemaError, match=r"Rename: Tags\.USER; .* one column that has it, got user, age"):
            mm.Rename({Tags.USER: "u"}, schema=SCHEMA)
        with pytest.raises(SchemaError, match=r"Rename: Tags\.USER; .*, got no schema"):
            mm.Rename({Tags.USER: "u"})

    def test_two_features_of_one_name(self):
        with pytest.raises(ConfigError, match="column 'b': rename would call two features 'b'"):
            mm.Rename({"a": "b"}, name="rename").build({"a": (None, 1), "b": (None, 1)})

    def test_nothing_to_rename(self):
        with pytest.raises(ConfigError, match="Rename: renames; expected a dictionary of new names by old ones"):
            mm.Rename({})


class TestDebug:
    def test_it_prints_what_passes(self, capsys):
        block = mm.NoOp().connect_debug_block()
        block.layers[-1].name = "seen"
        found = block({"age": np.array([[1.0]], "float32")})
        assert found["age"].numpy().tolist() == [[1.0]]
        assert capsys.readouterr().err == "seen: age (1, 1) float32\n"

    def test_before_the_block(self, capsys):
        block = mm.Dense(2).connect_debug_block(append=False)
        block(np.ones((3, 1), "float32"))
        assert capsys.readouterr().err == f"{block.first.name}: tensor (3, 1) float32\n"
