"""Sequential, parallel, filter and shortcut: what reaches which layer."""

from __future__ import annotations

from types import MappingProxyType

import keras
import numpy as np
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError

ONE = np.array([[1.0]], "float32")
TWO = np.array([[2.0]], "float32")


def _times(factor: float, name: str | None = None) -> mm.Dense:
    return mm.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(factor), name=name)


class TestSequential:
    def test_calls_in_order(self):
        # 1 * 2 + 0, then (2) * 5
        assert mm.SequentialBlock(_times(2.0), _times(5.0))(ONE).numpy().tolist() == [[10.0]]

    def test_takes_a_list(self):
        assert len(mm.SequentialBlock([_times(2.0), _times(5.0)])) == 2

    def test_training_reaches_the_layers(self):
        block = mm.SequentialBlock(keras.layers.Dropout(0.999, seed=1))
        many = np.ones((1, 100), "float32")
        assert block(many, training=False).numpy().sum() == 100.0
        assert np.count_nonzero(block(many, training=True)) < 10

    def test_filter_and_aggregation_come_first(self):
        block = mm.SequentialBlock(_times(3.0), filter="b", pre_aggregation="concat")
        assert block({"a": ONE, "b": TWO}).numpy().tolist() == [[6.0]]

    def test_copied_layers_have_weights_of_their_own(self):
        layer = _times(2.0)
        block = mm.SequentialBlock(layer, copy_layers=True)
        block(ONE)
        assert not layer.built
        assert block.first is not layer

    def test_finds_a_layer_by_name(self):
        inner = _times(2.0, name="inner")
        block = mm.SequentialBlock(mm.SequentialBlock(inner), _times(3.0))
        assert block.select_by_name("inner") is inner
        assert block.select_by_name("nowhere") is None

    def test_refuses_what_is_no_layer(self):
        with pytest.raises(
            ConfigError, match="SequentialBlock: layers; expected a layer or the name of a block, got 3"
        ):
            mm.SequentialBlock(_times(1.0), 3)


class TestParallel:
    def test_every_branch_gets_a_tensor(self):
        outputs = mm.ParallelBlock({"x": _times(2.0), "y": _times(3.0)})(ONE)
        assert {name: float(value) for name, value in outputs.items()} == {"x": 2.0, "y": 3.0}

    def test_branches_get_their_own_entry_when_all_have_one(self):
        outputs = mm.ParallelBlock({"x": _times(10.0), "y": _times(100.0)})({"x": ONE, "y": TWO, "z": ONE})
        assert {name: float(value) for name, value in outputs.items()} == {"x": 10.0, "y": 200.0}

    def test_branches_get_everything_when_one_has_no_entry(self):
        # Dense concatenates by name: 1 * 10 + 2 * 10
        outputs = mm.ParallelBlock({"x": _times(10.0), "other": mm.Filter("y")})({"x": ONE, "y": TWO})
        assert {name: float(value) for name, value in outputs.items()} == {"x": 30.0, "y": 2.0}

    def test_dictionaries_are_merged(self):
        block = mm.ParallelBlock({"first": mm.Filter("a"), "second": mm.Filter("b")})
        assert list(block({"a": ONE, "b": TWO})) == ["a", "b"]

    def test_of_two_outputs_of_one_name_the_later_counts(self):
        later = mm.SequentialBlock(_times(5.0), mm.AsTabular("a"), filter="b")
        block = mm.ParallelBlock({"first": mm.Filter(["a", "b"]), "second": later})
        assert {name: float(value) for name, value in block({"a": ONE, "b": TWO}).items()} == {"a": 10.0, "b": 2.0}

    def test_two_branches_of_one_name(self):
        with pytest.raises(ConfigError, match="two branches called 'x'"):
            mm.ParallelBlock(_times(1.0, name="x"), _times(2.0, name="x"))

    def test_popped_features_are_hidden_from_later_branches(self):
        block = mm.ParallelBlock({"first": mm.Filter("a", pop=True), "rest": _times(10.0)})
        outputs = block({"a": ONE, "b": TWO})
        assert float(outputs["rest"]) == 20.0

    def test_branches_without_a_column_in_the_batch_are_left_out(self):
        columns = Schema([mm.create_continuous_column("absent")])
        block = mm.ParallelBlock({"none": mm.Continuous(columns), "dense": _times(2.0)})
        assert list(block({"a": ONE})) == ["dense"]

    def test_strict(self):
        with pytest.raises(ConfigError, match="towers takes a dictionary"):
            mm.ParallelBlock({"x": _times(1.0)}, strict=True, name="towers")(ONE)

    def test_schema_is_that_of_the_branches(self):
        a, b = mm.create_categorical_column("a", 3), mm.create_continuous_column("b")
        block = mm.ParallelBlock({"e": mm.EmbeddingTable(2, a), "c": mm.Continuous(Schema([b]))})
        assert block.schema.column_names == ["a", "b"]

    def test_order_of_branches_survives_json(self):
        block = mm.ParallelBlock({"z": _times(1.0), "a": _times(2.0)})
        assert list(mm.ParallelBlock.from_config(block.get_config()).parallel_dict) == ["z", "a"]


class TestFilter:
    SCHEMA = Schema(
        [
            ColumnSchema("user", tags=[Tags.USER_ID]),
            ColumnSchema("age", tags=[Tags.USER, Tags.CONTINUOUS]),
            ColumnSchema("item", tags=[Tags.ITEM_ID]),
        ]
    )
    BATCH = MappingProxyType({"user": ONE, "age": ONE, "item": ONE, "unknown": ONE})

    @pytest.mark.parametrize(
        ("chosen", "exclude", "kept"),
        [
            ("age", False, ["age"]),
            (["item", "user"], False, ["user", "item"]),
            (Tags.USER, False, ["user", "age"]),
            ([Tags.ITEM, Tags.CONTINUOUS], False, ["age", "item"]),
            (SCHEMA.select_by_name(["item"]), False, ["item"]),
            (Tags.USER, True, ["item", "unknown"]),
            ("age", True, ["user", "item", "unknown"]),
        ],
    )
    def test_keeps(self, chosen, exclude, kept):
        block = mm.Filter(chosen, exclude=exclude)
        block.set_schema(self.SCHEMA)
        assert list(block(dict(self.BATCH))) == kept
        assert list(block.compute_output_shape({name: (1, 1) for name in self.BATCH})) == kept

    def test_tags_need_a_schema(self):
        with pytest.raises(SchemaError, match=r"users selects by tag and knows no schema\. Give the model a schema="):
            mm.Filter(Tags.USER, name="users")(dict(self.BATCH))

    def test_a_feature_that_the_batch_lacks(self):
        assert mm.Filter("prize")({"price": ONE, "age": ONE}) == {}
        # a filter that finds nothing adds nothing to its siblings
        branches = mm.ParallelBlock({"none": mm.Filter("prize"), "age": mm.Filter("age")}, aggregation="concat")
        assert branches({"price": ONE, "age": TWO}).numpy().tolist() == [[2.0]]

    @pytest.mark.parametrize("chosen", [[], Schema([])])
    def test_an_empty_selection(self, chosen):
        assert mm.Filter(chosen)({"price": ONE}) == {}
        assert list(mm.Filter(chosen, exclude=True)({"price": ONE})) == ["price"]

    def test_an_empty_batch(self):
        assert mm.Filter("prize")({}) == {}
        with pytest.raises(ConfigError, match="has nothing to aggregate; got no features"):
            mm.MLPBlock([1], filter="prize")({"price": ONE})

    def test_layers_around_it(self):
        batch = {"user": ONE, "age": TWO, "item": ONE}
        block = mm.Filter(["age", "item"], pre=mm.Filter("age"), post="continuous-powers", aggregation="concat")
        # age, age², √age
        np.testing.assert_allclose(block(batch), [[2.0, 4.0, 2.0**0.5]], rtol=1e-6)

    def test_no_selection_at_all(self):
        with pytest.raises(ConfigError, match=r"Filter: inputs; expected a schema.* got 3"):
            mm.Filter(3)


class TestShortcut:
    def test_dictionary(self):
        outputs = _times(2.0).connect_with_shortcut(_times(5.0, name="tower"))(ONE)
        assert {name: float(value) for name, value in outputs.items()} == {"shortcut": 2.0, "tower": 10.0}

    def test_the_shortcut_comes_first_whatever_the_names(self):
        block = _times(2.0).connect_with_shortcut(_times(5.0, name="a"), aggregation="concat")
        assert block(ONE).numpy().tolist() == [[2.0, 10.0]]

    def test_filtered(self):
        branches = mm.ParallelBlock({"x": _times(2.0), "y": _times(3.0)})
        block = branches.connect_with_shortcut(_times(1.0, name="sum"), shortcut_filter=mm.Filter("y"))
        # the block sees both: 2 + 3
        assert {name: float(value) for name, value in block(ONE).items()} == {"y": 3.0, "sum": 5.0}


def test_copies_are_independent():
    block = mm.MLPBlock([3])
    block.build((None, 2))
    other = block.copy()
    other.build((None, 2))
    assert block.get_config() == {**other.get_config(), "name": block.name}
    other.set_weights([np.zeros((2, 3)), np.zeros(3)])
    assert np.abs(block.get_weights()[0]).sum() > 0


def test_layers_can_be_known_by_their_number():
    block = mm.ParallelBlock(_times(2.0, name="p"), _times(3.0, name="q"), use_layer_name=False)
    assert {name: float(value) for name, value in block(ONE).items()} == {"0": 2.0, "1": 3.0}


def test_add_to_context_is_refused():
    with pytest.raises(ConfigError, match="Filter has no argument add_to_context"):
        mm.Filter("a", add_to_context=True)
