"""One vector for a sequence, by the names that blocks accept."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm

ROWS = tf.RaggedTensor.from_row_lengths(tf.constant([[1.0, 2.0], [3.0, 6.0], [5.0, 7.0]]), [2, 0, 1])
#: For rows of two, no and one element.
EXPECTED = {
    "sequence_mean": [[2.0, 4.0], [0.0, 0.0], [5.0, 7.0]],
    "sequence_first": [[1.0, 2.0], [0.0, 0.0], [5.0, 7.0]],
    "sequence_last": [[3.0, 6.0], [0.0, 0.0], [5.0, 7.0]],
}


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
class TestSummaries:
    def test_ragged(self, name, expected):
        assert mm.Block.parse(name)(ROWS).numpy().tolist() == expected

    def test_dense(self, name, expected):
        dense, mask = ROWS.to_tensor(), tf.sequence_mask(ROWS.row_lengths())
        assert mm.Block.parse(name)(dense, mask=mask).numpy().tolist() == expected
        # padding on the left
        assert mm.Block.parse(name)(tf.reverse(dense, [1]), mask=tf.reverse(mask, [1])).numpy().tolist() == (
            expected if name == "sequence_mean" else EXPECTED[_other(name)]
        )

    def test_without_padding(self, name, expected):
        found = mm.Block.parse(name)(np.array([[[1.0], [3.0], [8.0]]]))
        assert found.numpy().tolist() == {"sequence_mean": [[4.0]], "sequence_first": [[1.0]]}.get(name, [[8.0]])

    @pytest.mark.parametrize("make", [mm.GPT2Block, mm.BertBlock])
    def test_behind_a_transformer(self, name, expected, make):
        vectors = tf.RaggedTensor.from_row_lengths(tf.random.normal((3, 4)), [2, 1])
        block = make(d_model=4, n_head=2, n_layer=1, post=name)
        found = block(vectors)
        assert block.compute_output_shape((None, None, 4)) == (None, 4)
        post, block.post = block.post, None
        np.testing.assert_allclose(found, post(block(vectors)), atol=1e-6)
        assert type(block).from_config({**block.get_config(), "post": name}).post is not None


def _other(name):
    return {"sequence_first": "sequence_last", "sequence_last": "sequence_first"}[name]


def test_names_of_transforms():
    names = {
        "as-ragged": mm.ListToRagged,
        "to_dense": mm.ToDense,
        "to_sparse": mm.ToSparse,
        "ssn": mm.StochasticSwapNoise,
    }
    for name, block_class in {
        **names,
        "label_to_onehot": mm.ToOneHot,
        "category_encoding": mm.CategoryEncoding,
    }.items():
        assert isinstance(mm.Block.parse(name), block_class), name
    with pytest.raises(ValueError, match=r"cannot be made of its name alone; expected HashedCross\(schema\)"):
        mm.Block.parse("hashed_cross")
