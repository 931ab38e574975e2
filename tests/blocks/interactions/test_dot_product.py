from __future__ import annotations

import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden


@pytest.mark.parametrize(
    "case", golden.cases("interactions", "DotProductInteraction", where=lambda case: not case.raises and case.inputs)
)
def test_golden(case):
    if case.args.get("self_interaction") and case.inputs["inputs"]["shape"][1] > 1:
        pytest.fail("the released library has no such case")
    layer = mm.DotProductInteraction(**case.args)
    inputs = golden.tensor(case.inputs["inputs"])
    layer.build(tuple(inputs.shape))
    if case.weights:
        layer.set_weights([golden.array(value) for value in case.weights.values()])
    golden.assert_close(layer(inputs), case.outputs["output"])
    if "compute_output_shape" in case.outputs:
        assert list(layer.compute_output_shape(tuple(inputs.shape))) == case.outputs["compute_output_shape"]


def test_self_interaction_has_the_pairs_with_themselves():
    # v0 = (1, 2), v1 = (3, -1): v0.v0 = 5, v0.v1 = 1, v1.v1 = 10
    vectors = np.array([[[1.0, 2.0], [3.0, -1.0]]], "float32")
    assert mm.DotProductInteraction(self_interaction=True)(vectors).numpy().tolist() == [[5.0, 1.0, 10.0]]


def test_self_interaction_with_a_kernel():
    # W = [[0, 1], [1, 0]] swaps the entries: (v0 W).v0 = 2*1 + 1*2 = 4, (v0 W).v1 = 2*3 + 1*(-1) = 5,
    # (v1 W).v1 = -1*3 + 3*(-1) = -6
    layer = mm.DotProductInteraction("field_all", self_interaction=True)
    vectors = np.array([[[1.0, 2.0], [3.0, -1.0]]], "float32")
    layer.build(vectors.shape)
    layer.set_weights([np.array([[0.0, 1.0], [1.0, 0.0]])])
    assert layer(vectors).numpy().tolist() == [[4.0, 5.0, -6.0]]


@pytest.mark.parametrize(
    "case",
    golden.cases("interactions", "DotProductInteraction", where=lambda case: "other" in case.args.values()),
)
def test_unknown_type_is_named(case):
    with pytest.raises(ConfigError, match=r"interaction_type; expected None or one of 'field_all', .* got 'other'"):
        mm.DotProductInteraction(**case.args)


def test_features_must_be_stacked():
    with pytest.raises(ConfigError, match=r"input shape; expected shape \(B, F, D\), got \(4, 3\)"):
        mm.DotProductInteraction().build((4, 3))


def test_block_stacks_by_name():
    # alphabetical: a = (1, 0), b = (2, 3), c = (0, 1): a.b = 2, a.c = 0, b.c = 3
    embeddings = {
        "c": np.array([[0.0, 1.0]], "float32"),
        "a": np.array([[1.0, 0.0]], "float32"),
        "b": np.array([[2.0, 3.0]], "float32"),
    }
    assert mm.DotProductInteractionBlock()(embeddings).numpy().tolist() == [[2.0, 0.0, 3.0]]
