from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden

LAYERS = {"ConcatFeatures": mm.ConcatFeatures, "StackFeatures": mm.StackFeatures}


def _tensors_only(case):
    return not case.raises and "sparse" not in case.call and golden.is_tensor(case.outputs.get("output"))


@pytest.mark.parametrize("case", golden.cases("interactions", *LAYERS, where=_tensors_only))
def test_golden(case):
    inputs = golden.tensors(case.inputs)
    inputs = inputs.get("inputs", inputs)
    golden.assert_close(LAYERS[case.name](**case.args)(inputs), case.outputs["output"], dtype=True)


def test_shape_of_concatenated_lists_of_unknown_length():
    shapes = {"a": (None, None, 3), "b": (None, None, 4)}
    assert mm.ConcatFeatures().compute_output_shape(shapes) == (None, None, 7)
    assert mm.ConcatFeatures(axis=1).compute_output_shape({"a": (2, None), "b": (2, 3)}) == (2, None)


def test_a_single_tensor_passes():
    tensor = tf.constant([[1.0]])
    assert mm.StackFeatures()(tensor).numpy().tolist() == [[1.0]]


def test_ranks_must_agree():
    with pytest.raises(ConfigError, match=r"needs tensors of one rank; got a \(2, 3\), b \(2, 3, 4\)"):
        mm.ConcatFeatures().compute_output_shape({"b": (2, 3, 4), "a": (2, 3)})


def test_stacked_shapes_must_agree():
    with pytest.raises(ConfigError, match=r"needs tensors of one shape; got a \(2, 3\), b \(2, 4\)\. Give all embed"):
        mm.StackFeatures().compute_output_shape({"a": (2, 3), "b": (2, 4)})


def test_unknown_name():
    with pytest.raises(ConfigError, match="unknown aggregation 'concatenate'; expected one of 'add-left', 'concat'"):
        mm.ParallelBlock(mm.Dense(2), aggregation="concatenate")


def test_names_make_aggregations():
    block = mm.ParallelBlock({"b": mm.Dense(1, kernel_initializer="ones")}, aggregation="stack")
    assert block(np.array([[2.0]], "float32")).numpy().tolist() == [[[2.0]]]
