"""Roots and squares."""

from __future__ import annotations

import pytest
import tensorflow as tf

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError


def test_scalars_have_powers_and_lists_have_none():
    block = mm.ContinuousPowers()
    batch = {
        "age": tf.constant([[4.0], [0.25]]),
        "views": tf.constant([[1, 2], [3, 4]]),
        "old": tf.constant([[9], [1]]),
    }
    found = block(batch)
    assert list(found) == ["age", "age_sqrt", "age_pow", "views", "old", "old_sqrt", "old_pow"]
    assert found["age_sqrt"].numpy().tolist() == [[2.0], [0.5]]
    assert found["age_pow"].numpy().tolist() == [[16.0], [0.0625]]
    assert found["old_sqrt"].numpy().tolist() == [[3.0], [1.0]]
    assert found["views"].numpy().tolist() == [[1, 2], [3, 4]]


def test_declared_names_are_those_of_the_outputs():
    shapes = mm.ContinuousPowers().compute_output_shape({"age": (None, 1), "views": (None, 2)})
    assert shapes == {"age": (None, 1), "age_sqrt": (None, 1), "age_pow": (None, 1), "views": (None, 2)}


def test_one_tensor_is_refused():
    with pytest.raises(ConfigError, match=r"reads features by name; expected a dictionary, got shape \(None, 1\)"):
        mm.ContinuousPowers(name="powers").build((None, 1))
