"""Metrics of what is recommended, and log loss: numbers by hand, compilation, saving, bad arguments."""

from __future__ import annotations

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from emrys.blocks.errors import ConfigError
from emrys.blocks.metrics import ItemCoverageAt, LogLossMetric, NoveltyAt, PopularityBiasAt

FREQUENCIES = [1, 2, 5, 0]


def updated(metric, *args):
    metric.update_state(*args)
    return float(metric.result())


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
@pytest.mark.slow
def test_compiled(jit):
    metrics = [NoveltyAt(FREQUENCIES, k=2), PopularityBiasAt(FREQUENCIES, k=2), ItemCoverageAt(4, k=2)]

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64)], jit_compile=jit)
    def update(ids):
        for metric in metrics:
            metric.update_state(ids)
        return [metric.result() for metric in metrics]

    update(np.array([[0, 1, 2], [1, 0, 3]]))
    found = update(np.array([[2, 1, 0]]))
    # Rows of probabilities 1/8 2/8, 2/8 1/8, 5/8 2/8; items 0, 1, 2 of 4.
    novelty = -(math.log(1 / 8 * 2 / 8) * 2 + math.log(5 / 8 * 2 / 8)) / 6
    np.testing.assert_allclose(found, [novelty, (3 / 8 + 3 / 8 + 7 / 8) / 6, 0.75], rtol=1e-6)
    for metric in metrics:
        metric.reset_state()
        assert float(metric.result()) == 0.0
    # Frequencies outlive the reset.
    np.testing.assert_allclose(update(np.array([[2, 2, 2]])), [-math.log(5 / 8), 5 / 8, 0.25], rtol=1e-6)


def test_new_frequencies_reach_a_compiled_function():
    metric = PopularityBiasAt([1, 1], k=1)
    update = tf.function(metric.update_state)
    update(tf.constant([[0]]))
    metric.update_candidate_probs([1, 3])
    update(tf.constant([[1]]))
    # 1/2, then 3/4.
    assert float(metric.result()) == 0.625


def test_ids_outside_the_catalogue():
    ids = np.array([[0, -1], [4, 2]])
    # Probabilities 1/8, 0, 0, 5/8.
    assert updated(PopularityBiasAt(FREQUENCIES, k=2), ids) == pytest.approx(6 / 8 / 4)
    expected = -(math.log(1 / 8) + math.log(5 / 8) + 2 * math.log(1e-16)) / 4
    assert updated(NoveltyAt(FREQUENCIES, k=2), ids) == pytest.approx(expected)
    assert updated(ItemCoverageAt(4, k=2), ids) == 0.5


def test_weights():
    ids, weights = np.array([[0], [1], [2]]), np.array([1.0, 3.0, 0.0])
    assert updated(PopularityBiasAt(FREQUENCIES, k=1), ids, weights) == pytest.approx((1 / 8 + 3 * 2 / 8) / 4)
    # Coverage leaves the row of weight 0 out.
    assert updated(ItemCoverageAt(4, k=1), ids, weights) == 0.5


def test_a_catalogue_that_grows_and_shrinks():
    metric = ItemCoverageAt(2, k=1)
    assert updated(metric, np.array([[1], [3]])) == 0.5
    metric.update_num_unique_items(4)
    assert float(metric.result()) == 0.25
    assert updated(metric, np.array([[3], [2]])) == 0.75
    metric.update_num_unique_items(3)
    # Items 1 and 2 of 3.
    assert float(metric.result()) == pytest.approx(2 / 3)
    metric.reset_state()
    assert updated(metric, np.array([[0]])) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "metric",
    [
        NoveltyAt(FREQUENCIES, k=2, name="own"),
        NoveltyAt(np.array([0.25, 0.25, 0.5, 0.0]), k=2, is_prob_distribution=True),
        PopularityBiasAt(tf.constant(FREQUENCIES), k=2),
        ItemCoverageAt(np.int64(4), k=2, name="own"),
    ],
    ids=lambda metric: type(metric).__name__,
)
def test_config_survives_json(metric):
    text = json.dumps(keras.saving.serialize_keras_object(metric))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert again.name == metric.name
    ids = np.array([[2, 0], [1, 2]])
    assert updated(again, ids) == updated(metric, ids) > 0


def test_log_loss_config_survives_json():
    again = LogLossMetric.from_config(json.loads(json.dumps(LogLossMetric(name="own", from_logits=True).get_config())))
    # The logit 0 is the probability 1/2.
    assert (again.name, updated(again, [1.0], [0.0])) == ("own", pytest.approx(math.log(2)))


@pytest.mark.parametrize(
    ("y_true", "y_pred", "weights"),
    [((2,), (2, 1), (2,)), ((2, 1), (2,), (2,)), ((2,), (2,), (2,)), ((2, 1), (2, 1), (2, 1))],
)
def test_log_loss_of_columns_and_vectors(y_true, y_pred, weights):
    metric = LogLossMetric()
    metric.update_state(
        np.reshape([1.0, 0.0], y_true), np.reshape([0.25, 0.25], y_pred), np.reshape([1.0, 3.0], weights)
    )
    assert float(metric.result()) == pytest.approx(-(math.log(0.25) + 3 * math.log(0.75)) / 4)


def test_log_loss_in_compile():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(loss="mse", metrics=[LogLossMetric(from_logits=True)])
    found = model.evaluate(np.array([[1.0], [-2.0]]), np.array([[1.0], [1.0]]), verbose=0, return_dict=True)
    assert found["logloss"] == pytest.approx((math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2))) / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("frequencies", "probabilities", "message"),
    [
        ([0.5, 0.6], True, "is not a distribution; expected floats with sum 1, got sum 1.1"),
        ([1, 0], True, "is not a distribution; expected floats with sum 1, got sum 1"),
        ([1, -1], False, "non-finite values; expected finite numbers from 0"),
        ([1.0, math.nan], False, "non-finite values; expected finite numbers from 0"),
        ([0, 0], False, "is all 0; expected at least one item with a frequency"),
        ([], False, r"; expected numbers \(N,\), got float64 \(0,\)"),
        ([[1, 2]], False, r"; expected numbers \(N,\), got int64 \(1, 2\)"),
        (["a"], False, r"; expected numbers \(N,\), got <U1 \(1,\)"),
    ],
)
@pytest.mark.parametrize("kind", [NoveltyAt, PopularityBiasAt])
def test_bad_frequencies(kind, frequencies, probabilities, message):
    with pytest.raises(ConfigError, match=f"item_freq_probs of {kind.__name__}.*{message}"):
        kind(frequencies, is_prob_distribution=probabilities)


def test_frequencies_of_another_catalogue():
    message = r"item_freq_probs of novelty_at_10 .*number of items; expected 4, got 2"
    with pytest.raises(ConfigError, match=message):
        NoveltyAt(FREQUENCIES).update_candidate_probs([1, 2])


@pytest.mark.parametrize("k", [0, 1.5])
def test_bad_cutoff(k):
    for make, name in (
        (lambda: NoveltyAt([1], k=k), "NoveltyAt"),
        (lambda: PopularityBiasAt([1], k=k), "PopularityBiasAt"),
        (lambda: ItemCoverageAt(1, k=k), "ItemCoverageAt"),
    ):
        with pytest.raises(ConfigError, match=f"k of {name}; expected an integer from 1, got {k}"):
            make()


@pytest.mark.parametrize("number", [0, -3, 1.5])
def test_bad_catalogue_size(number):
    message = f"num_unique_items of ItemCoverageAt; expected an integer from 1, got {number}"
    with pytest.raises(ConfigError, match=message):
        ItemCoverageAt(number)


def test_fewer_results_than_wanted():
    for metric in (NoveltyAt([1], k=2), ItemCoverageAt(1, k=2)):
        message = (
            f"the cut-off of {metric.name} is larger than the number of results; expected at least 2 columns, got 1"
        )
        with pytest.raises(ConfigError, match=message):
            metric.update_state(np.zeros((3, 1), int))


def test_weights_of_another_shape():
    message = r"the shape of sample_weight of item_coverage_at_1 does not fit; expected \(2,\), got \(3,\)"
    with pytest.raises(ConfigError, match=message):
        ItemCoverageAt(4, k=1).update_state(np.zeros((2, 1), int), np.ones(3))


def test_log_loss_of_other_shapes():
    with pytest.raises(ConfigError, match=r"the shape of y_true of logloss does not fit; expected \(2,\), got \(3,\)"):
        LogLossMetric().update_state(np.ones(3), np.ones(2))
