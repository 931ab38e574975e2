"""Blocks, aggregations and activations by name."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.core.block import parse_activation
from emrys.blocks.errors import ConfigError
from tests import golden

VECTORS = {"a": np.array([[3.0, 4.0]], "float32")}


@pytest.mark.parametrize("case", golden.cases("conventions", "registries"))
def test_golden_names(case):
    assert sorted(mm.TabularAggregation.registry.keys()) == case.outputs["aggregations"]
    own = {"continuous-powers", "l2-norm", "prepare_features", "prepare_lists"}
    assert own <= set(mm.Block.registry.keys()) & set(case.outputs["blocks"])
    assert mm.Block.registry is mm.block_registry


def test_a_name_makes_a_new_block_each_time():
    first, second = mm.Block.parse("l2-norm"), mm.Block.parse("l2-norm")
    assert isinstance(first, mm.L2Norm)
    assert first is not second


def test_a_layer_is_kept():
    layer = keras.layers.Dense(2)
    assert mm.Block.parse(layer) is layer


@pytest.mark.parametrize("given", [("continuous-powers", "l2-norm"), (["continuous-powers", "l2-norm"],)])
def test_several_become_a_chain(given):
    chain = mm.Block.parse(*given)
    # the root and the square of 4 beside it; each feature (B, 1) scaled to length 1
    assert {name: value.numpy().tolist() for name, value in chain({"x": np.array([[4.0]])}).items()} == {
        "x": [[1.0]],
        "x_sqrt": [[1.0]],
        "x_pow": [[1.0]],
    }


def test_names_before_and_after_a_block():
    block = mm.ParallelBlock({"x": mm.NoOp()}, post="l2-norm", aggregation="concat")
    np.testing.assert_allclose(block(VECTORS["a"]), [[0.6, 0.8]])
    block = mm.TabularBlock(pre=["l2-norm", mm.MapValues(mm.Dense(1, kernel_initializer="ones"))])
    np.testing.assert_allclose(block(VECTORS)["a"], [[1.4]])


def test_names_among_connected_blocks():
    np.testing.assert_allclose(mm.NoOp().connect("l2-norm")(VECTORS["a"]), [[0.6, 0.8]])
    found = mm.NoOp().connect_branch("l2-norm", aggregation="concat")(VECTORS["a"])
    np.testing.assert_allclose(found, [[0.6, 0.8]])
    found = mm.NoOp().connect_with_shortcut("l2-norm", aggregation="concat")(VECTORS["a"])
    np.testing.assert_allclose(found, [[3.0, 4.0, 0.6, 0.8]])


def test_a_keras_layer_as_a_block():
    layer = keras.layers.Dense(2, name="plain")
    block = mm.Block.parse_block(layer)
    assert (block.name, block.layers) == ("plain", [layer])
    assert type(layer) is keras.layers.Dense
    assert mm.Block.parse_block(block) is block
    chain = mm.Block.from_layer(keras.layers.Dense(3, kernel_initializer="ones")).connect(mm.NoOp())
    assert chain(VECTORS["a"]).numpy().tolist() == [[7.0, 7.0, 7.0]]


def test_an_unknown_block():
    with pytest.raises(
        ConfigError, match=r"table: pre: unknown block 'l2_norm'; expected one of .*\. Did you mean 'l2-norm'\?"
    ):
        mm.TabularBlock(pre="l2_norm", name="table")


def test_an_unknown_aggregation():
    with pytest.raises(ConfigError, match=r"unknown aggregation 'concatt'; .*\. Did you mean 'concat'\?"):
        mm.ParallelBlock({"x": mm.NoOp()}, aggregation="concatt")


def test_an_invalid_aggregation():
    with pytest.raises(ConfigError, match="aggregation; expected None, a name or a layer, got 3"):
        mm.ParallelBlock({"x": mm.NoOp()}, aggregation=3)


def test_a_name_that_needs_arguments():
    message = r"the block 'prepare_lists' cannot be made of its name alone; expected PrepareListFeatures\(schema\)"
    with pytest.raises(ConfigError, match=message):
        mm.Block.parse("prepare_lists")
    assert isinstance(mm.Block.parse(mm.PrepareListFeatures(Schema([]))), mm.PrepareListFeatures)


def test_an_invalid_layer():
    with pytest.raises(ConfigError, match=r"Block\.parse: block; expected a layer or the name of a block, got 3"):
        mm.Block.parse(3)
    with pytest.raises(ConfigError, match=r"Block\.parse: block; expected a layer or the name of a block, got none"):
        mm.Block.parse()


def test_an_unknown_activation():
    with pytest.raises(ConfigError, match=r"ResidualBlock: activation; .*, got 'rellu'\. Did you mean 'relu'\?"):
        mm.ResidualBlock(mm.Dense(2), activation="rellu")
    assert parse_activation("relu", "here") is keras.activations.relu
