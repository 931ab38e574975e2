from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, SchemaError
from tests import golden

LISTS = Schema([mm.create_categorical_column("genres", 9, min_value_count=0)])
HALVES = {"genres__values": np.array([3, 5, 7]), "genres__offsets": np.array([0, 2, 2, 3])}
GENRES = [[[3], [5]], [], [[7]]]


def _is_plain(case):
    return golden.is_tensor(next(iter(case.inputs.values()))) and "output" in case.outputs


@pytest.mark.parametrize("case", golden.cases("transforms", "PrepareListFeatures", "PrepareFeatures", where=_is_plain))
def test_golden(case):
    layer = getattr(mm, case.name)(
        golden.schema(case.args["schema"]), list_as_dense=bool(case.args.get("list_as_dense"))
    )
    inputs = golden.tensors(case.inputs)
    output = layer(inputs)
    golden.assert_close(output, case.outputs["output"], dtype=True)
    assert list(output) == case.outputs.get("output_keys", list(output))
    golden.assert_close(layer(output), case.outputs["output"], dtype=True)
    declared = layer.compute_output_shape({name: tuple(value.shape) for name, value in inputs.items()})
    for name, value in output.items():
        assert tuple(value.shape[1:]) == declared[name][1:]


@pytest.mark.parametrize(
    "case", golden.cases("transforms", "PrepareFeatures", where=lambda case: "targets" in case.outputs)
)
def test_golden_targets(case):
    layer = mm.PrepareFeatures(golden.schema(case.args["schema"]))
    given = golden.tensors(case.inputs)
    features, targets = layer(given.get("inputs", {"user": np.array([1, 2, 3])}), targets=given["targets"])
    golden.assert_close(targets, case.outputs["targets"])
    assert list(features) == case.outputs.get("input_keys", ["user"])


@pytest.mark.parametrize(
    "case", golden.cases("transforms", "PrepareFeatures", where=lambda case: "applied" in case.inputs)
)
def test_golden_applied_twice(case):
    layer = mm.PrepareFeatures(golden.schema(case.args["schema"]))
    given = {"user": np.array([1, 2, 3]), "age": np.array([0.5, 1.5, 2.5]), "extra": np.array([7, 8, 9])}
    for name in ("item_seq", "cat_seq"):
        given |= {f"{name}__values": np.array([3, 5, 7]), f"{name}__offsets": np.array([0, 2, 2, 3])}
    given["fix"] = np.array([[1, 2], [3, 4], [5, 6]])
    once = layer(given)
    twice = layer(once)
    assert {name: list(value.shape) for name, value in twice.items()} == case.outputs["shapes"]
    for name, value in once.items():
        assert tf.reduce_all(tf.equal(twice[name], value)).numpy(), name


@pytest.mark.parametrize("case", golden.cases("transforms", "PrepareFeatures", where=lambda case: case.raises))
def test_golden_half_a_list(case):
    layer = mm.PrepareFeatures(golden.schema(case.args["schema"]))
    with pytest.raises(
        SchemaError, match=r"column 'item_seq': .* needs both tensors of a list; expected item_seq__off"
    ):
        layer.call({"item_seq__values": np.array([1])})


def test_lists_of_any_length_are_padded_to_the_longest():
    dense = mm.PrepareListFeatures(LISTS, list_as_dense=True)(HALVES)["genres"]
    assert dense.numpy().tolist() == [[[3], [5]], [[0], [0]], [[7], [0]]]


@pytest.mark.parametrize("layer", [mm.PrepareListFeatures, mm.PrepareFeatures])
def test_all_forms_of_a_list_become_one(layer):
    two_axes = {"genres__values": HALVES["genres__values"][:, None], "genres__offsets": HALVES["genres__offsets"]}
    ragged = {"genres": tf.ragged.constant([[3, 5], [], [7]], dtype="int64")}
    for features in (HALVES, two_axes, ragged):
        assert layer(LISTS)(features)["genres"].to_list() == GENRES


def test_a_graph_gives_the_same():
    layer = mm.PrepareFeatures(LISTS)
    compiled = tf.function(lambda features: layer(features))
    assert compiled({name: tf.constant(value) for name, value in HALVES.items()})["genres"].to_list() == GENRES


def test_lists_of_vectors_keep_their_vectors():
    schema = golden.schema({"vectors": {"tags": ["embedding"], "list": True}})
    halves = {"vectors__values": np.array([[1.0, 2.0], [3.0, 4.0]]), "vectors__offsets": np.array([0, 2])}
    assert mm.PrepareFeatures(schema)(halves)["vectors"].to_list() == [[[1, 2], [3, 4]]]


def test_the_schema_is_one():
    with pytest.raises(ConfigError, match="PrepareFeatures: schema; expected a Schema, got None"):
        mm.PrepareFeatures(None)
