"""Core blocks, interactions."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

import emrys.blocks as mm
from tests.blocks.checks import small_batch, small_schema

_SCHEMA = small_schema()
_BATCH = small_batch()[0]
_VECTORS = {
    "a": tf.constant(np.random.default_rng(1).random((4, 3)), "float32"),
    "b": tf.constant(np.random.default_rng(2).random((4, 3)), "float32"),
}


@keras.saving.register_keras_serializable("emrys-tests")
class Positive(keras.layers.Layer):
    """Whether a batch is positive on the whole."""

    def call(self, inputs):
        return tf.reduce_sum(inputs) > 0.0


CASES = {
    "Cond": (lambda: mm.Cond(Positive(), mm.Dense(3), keras.layers.Dense(3)).connect(mm.Dense(1)), _VECTORS["a"]),
    "FMBlock": (lambda: mm.FMBlock(_SCHEMA, factors_dim=4), _BATCH),
    "FMBlock parts": (
        lambda: mm.FMBlock(
            _SCHEMA,
            fm_input_block=mm.InputBlockV2(_SCHEMA, categorical=mm.Embeddings(_categorical(), dim=2), aggregation=None),
            wide_input_block=mm.Continuous(_SCHEMA.select_by_name(["age", "price"])),
            wide_logit_block=mm.MLPBlock([1], activation="linear", kernel_regularizer="l2"),
            name="machine",
        ),
        _BATCH,
    ),
    "WideLogit": (lambda: mm.WideLogit(_SCHEMA, kernel_regularizer="l2"), _BATCH),
    "WideFeatures": (lambda: mm.WideFeatures(_SCHEMA).connect(mm.Dense(2)), _BATCH),
    "AddLeft": (lambda: mm.AddLeft("a").connect(mm.Dense(2)), _VECTORS),
    "SumResidual": (lambda: mm.SumResidual("tanh", shortcut_name="a").connect(mm.Dense(2)), _VECTORS),
    "SumResidual layer": (
        lambda: mm.SumResidual(keras.layers.LeakyReLU(), shortcut_name="a").connect(mm.Dense(2)),
        {**_VECTORS, "c": _VECTORS["a"]},
    ),
    "Rename": (lambda: mm.Rename({"a": "c"}, post=mm.MapValues(mm.Dense(2))), _VECTORS),
    "Debug": (lambda: mm.Dense(2).connect_debug_block(), _VECTORS),
    "context": (
        lambda: mm.Embeddings(_categorical(), dim=2).connect(mm.MLPBlock([2]), context=mm.ModelContext()),
        _BATCH,
    ),
    "names of blocks": (
        lambda: mm.TabularBlock(pre=["l2-norm", "continuous-powers"], post=mm.Dense(2)).connect("l2-norm"),
        _VECTORS,
    ),
    "FactorSum": (lambda: mm.Dense(2).connect(mm.FactorSum()), _BATCH["age"]),
}


def _categorical():
    return _SCHEMA.select_by_name(["user_id", "country", "item_id", "genres"])
