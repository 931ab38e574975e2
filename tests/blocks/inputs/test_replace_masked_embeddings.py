from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError
from tests import golden

LISTS = np.ones((2, 3, 2), "float32")


@pytest.mark.parametrize(
    "case", golden.cases("transforms", "ReplaceMaskedEmbeddings", where=lambda case: not case.raises)
)
def test_golden(case):
    given = golden.tensors(case.inputs)
    layer, inputs, mask = mm.ReplaceMaskedEmbeddings(), given["inputs"], given.get("mask")
    layer.build(tuple(inputs.shape))
    layer.masked_embedding.assign(golden.tensor(case.weights["masked_embedding"]))
    golden.assert_close(layer(inputs, mask=mask), case.outputs["output"])
    if mask is not None:
        inputs._keras_mask = mask
        golden.assert_close(layer(inputs), case.outputs["output"])


def test_the_mask_is_passed_on():
    mask = tf.constant([[True, False, False], [False, False, False]])
    lists = tf.constant(LISTS)
    lists._keras_mask = mask
    assert mm.ReplaceMaskedEmbeddings()(lists)._keras_mask.numpy().tolist() == mask.numpy().tolist()


def test_the_vector_is_trained():
    layer = mm.ReplaceMaskedEmbeddings()
    mask = np.array([[True, False, False], [True, True, False]])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(LISTS, mask=mask))
    # three positions are masked, each counts the vector once
    (gradient,) = tape.gradient(total, layer.trainable_variables)
    assert gradient.numpy().tolist() == [3.0, 3.0]


@pytest.mark.parametrize("case", golden.cases("transforms", "ReplaceMaskedEmbeddings", where=lambda case: case.raises))
def test_golden_refused(case):
    with pytest.raises(ConfigError, match=r"the mask; expected dense \(B, L\), got dense \(2,\)"):
        mm.ReplaceMaskedEmbeddings().call(LISTS, mask=np.array([True, False]))


def test_used_wrongly():
    with pytest.raises(ConfigError, match=r"takes lists of embeddings; expected shape \(B, L, D\), got \(2, 3\)"):
        mm.ReplaceMaskedEmbeddings()(LISTS[:, :, 0])
    ragged = tf.RaggedTensor.from_tensor(LISTS)
    with pytest.raises(ConfigError, match=r"the mask; expected ragged \(B, L\), got dense \(2, 3\)"):
        mm.ReplaceMaskedEmbeddings().call(ragged, mask=np.zeros((2, 3), "bool"))
