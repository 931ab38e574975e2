"""Recurrent layers of Keras between blocks: ragged lists are padded for them, and the padding is masked."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm

ROWS = [np.float32([[1, 2]]), np.float32([[0, 1], [1, 0], [2, 2]]), np.float32([[3, 1], [0, 2]])]
LISTS = tf.RaggedTensor.from_row_lengths(np.concatenate(ROWS), [1, 3, 2])


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layer", [keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN])
def test_a_list_gives_what_it_gives_alone(layer, both):
    keras.utils.set_random_seed(1)
    recurrent = keras.layers.Bidirectional(layer(3)) if both else layer(3)
    found = mm.SequentialBlock([recurrent])(LISTS)
    for row, alone in zip(found, ROWS, strict=True):
        np.testing.assert_allclose(row, recurrent(alone[np.newaxis])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("both", [False, True])
def test_sequences_stay_ragged(both):
    keras.utils.set_random_seed(1)
    recurrent = keras.layers.GRU(3, return_sequences=True)
    recurrent = keras.layers.Bidirectional(recurrent) if both else recurrent
    found = mm.SequentialBlock([recurrent])(LISTS)
    assert found.row_lengths().numpy().tolist() == [1, 3, 2]
    for row, alone in zip(found, ROWS, strict=True):
        np.testing.assert_allclose(row, recurrent(alone[np.newaxis])[0], rtol=1e-5, atol=1e-6)
