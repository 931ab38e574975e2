"""Optimizers by name, and the default optimizer of `compile`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import emrys.blocks as mm
from tests.blocks.checks import small_batch, small_schema


def _model():
    schema = small_schema()
    inputs = schema.excluding_by_name(["click", "rating"])
    return mm.Model(mm.InputBlockV2(inputs), mm.MLPBlock([4]), mm.OutputBlock(schema))


def _dense():
    return mm.Model(mm.ContinuousFeatures(["age", "price"]), mm.MLPBlock([4]), mm.BinaryOutput("click"))


@pytest.mark.parametrize(
    ("make", "optimizer", "found"),
    [
        (_model, None, mm.LazyAdam),
        (_model, "adam", keras.optimizers.Adam),
        (_model, "rmsprop", keras.optimizers.RMSprop),
        (_model, "sgd", mm.LazySGD),
        (_model, "Adagrad", mm.LazyAdagrad),
        (_model, "lazy_adam", mm.LazyAdam),
        (_dense, None, keras.optimizers.RMSprop),
    ],
)
def test_names(make, optimizer, found):
    model = make()
    model.compile(optimizer)
    assert type(model.optimizer) is found


def test_an_optimizer_stays_what_it_is():
    model, optimizer = _model(), keras.optimizers.SGD(0.5)
    model.compile(optimizer)
    assert model.optimizer is optimizer


@pytest.mark.slow
def test_float16_scales_the_loss_by_rows():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = _model()
        model.compile()
        assert type(model.optimizer) is mm.LazyLossScaleOptimizer
        assert type(model.optimizer.inner_optimizer) is mm.LazyAdam
        losses = model.fit(*small_batch(), batch_size=6, epochs=2, verbose=0).history["loss"]
        assert np.isfinite(losses).all()
        assert losses[1] != losses[0]
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("optimizer", [None, "sgd", "adagrad"])
@pytest.mark.slow
def test_a_step_moves_the_rows_of_the_batch_alone(optimizer):
    schema = small_schema()
    inputs = schema.excluding_by_name(["click", "rating"])
    # Without ReLU, which could cut a row off from its gradient: every row of the batch has to move.
    model = mm.Model(mm.InputBlockV2(inputs), mm.MLPBlock([4], activation="tanh"), mm.OutputBlock(schema))
    model.compile(optimizer)
    features, targets = small_batch()
    model(features)
    before = {weight.path: weight.numpy() for weight in model.trainable_weights}
    model.fit(features, targets, batch_size=6, epochs=1, verbose=0)
    (table,) = [weight for weight in model.trainable_weights if weight.path.endswith("item_id/embeddings")]
    moved = np.any(table.numpy() != before[table.path], axis=1)
    assert np.flatnonzero(moved).tolist() == sorted(set(features["item_id"].numpy().ravel().tolist()))


@pytest.mark.slow
def test_a_saved_model_goes_on_as_if_it_had_not_been_saved(tmp_path):
    model = _model()
    model.compile(mm.LazyAdam(0.05, weight_decay=0.01))
    data = tf.data.Dataset.from_tensors(small_batch()).repeat(3)
    model.fit(data, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = mm.Model.load(tmp_path / "model.keras")
    assert type(loaded.optimizer) is mm.LazyAdam
    assert int(loaded.optimizer.iterations) == 3
    kept = {variable.path: variable.numpy() for variable in model.optimizer.variables}
    assert sum(path.endswith("_slots") for path in kept) == len(model.trainable_variables)
    for old, new in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    model.fit(data, verbose=0)
    loaded.fit(data, verbose=0)
    for old, new in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-7)
