"""Losses that compare a positive with its negatives: numbers by hand, compilation, saving, bad arguments."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from emrys.blocks import losses
from emrys.blocks.errors import ConfigError

PAIRWISE = [
    losses.BPRLoss,
    losses.BPRmaxLoss,
    losses.HingeLoss,
    losses.LogisticLoss,
    losses.TOP1Loss,
    losses.TOP1maxLoss,
    losses.TOP1v2Loss,
]
TRUE = np.array([[0, 1, 0, 0], [1, 0, 0, 0]], "float32")
PRED = np.array([[0.5, 2.0, -1.0, 1.5], [-0.5, 0.25, 1.0, -2.0]], "float32")


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


class Difference(losses.PairwiseLoss):
    """A negative's score less the positive's: easy to follow by hand."""

    def compute(self, positives_scores, negatives_scores):
        return negatives_scores - positives_scores


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        # Row 0: 0.5 - 2, -1 - 2, 1.5 - 2. Row 1: 0.25 + 0.5, 1 + 0.5, -2 + 0.5.
        ("none", [[-1.5, -3.0, -0.5], [0.75, 1.5, -1.5]]),
        (None, [[-1.5, -3.0, -0.5], [0.75, 1.5, -1.5]]),
        ("sum", -4.25),
        ("auto", -4.25 / 6),
        ("sum_over_batch_size", -4.25 / 6),
        ("mean", -4.25 / 6),
    ],
)
def test_negatives_are_the_columns_without_the_positive(reduction, expected):
    np.testing.assert_allclose(Difference(reduction=reduction)(TRUE, PRED), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        # Rows sum to -5 and 0.75.
        (np.array([2.0, 4.0]), (2 * -5 + 4 * 0.75) / 6),
        (np.array([[2.0], [4.0]]), (2 * -5 + 4 * 0.75) / 6),
        (2.0, 2 * -4.25 / 6),
    ],
)
def test_weights_of_rows(weights, expected):
    np.testing.assert_allclose(Difference()(TRUE, PRED, weights), expected, rtol=1e-6)


def test_mean_with_sample_weight_divides_by_the_weights():
    loss = Difference(reduction="mean_with_sample_weight")
    np.testing.assert_allclose(loss(TRUE, PRED, np.array([2.0, 4.0])), (2 * -5 + 4 * 0.75) / 6.0, rtol=1e-6)


def test_mask_and_weights_together():
    mask = np.array([[True, False, True], [False, False, True]])
    # Row 0 keeps -1.5 and -0.5, row 1 keeps -1.5.
    found = Difference(reduction="none")(TRUE, PRED, np.array([1.0, 2.0]), valid_negatives_mask=mask)
    np.testing.assert_allclose(found, [[-1.5, 0, -0.5], [0, 0, -3.0]])


def test_steps_of_a_sequence():
    found = Difference(reduction="none")(TRUE[None], PRED[None], np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(found, [[[-1.5, -3.0, -0.5], [1.5, 3.0, -3.0]]])


def test_formulas():
    positive, negatives = 2.0, np.array([0.5, -1.0, 1.5])
    weight = np.exp(negatives) / np.exp(negatives).sum()
    top1 = sigmoid(negatives - positive) + sigmoid(negatives**2)
    expected = {
        losses.BPRLoss(): -np.log(sigmoid(positive - negatives)),
        losses.BPRmaxLoss(): -np.log(weight * sigmoid(positive - negatives)) + weight * negatives**2,
        losses.BPRmaxLoss(reg_lambda=0.1): -np.log(weight * sigmoid(positive - negatives))
        + 0.1 * weight * negatives**2,
        losses.HingeLoss(): [0.0, 0.0, 0.5],
        losses.LogisticLoss(): np.log(1 + np.exp(negatives - positive)),
        losses.TOP1Loss(): top1,
        losses.TOP1maxLoss(): weight * top1,
        losses.TOP1v2Loss(): [top1.mean() - sigmoid(positive**2) / 3],
    }
    for loss, values in expected.items():
        found = loss.compute(tf.constant([[positive]]), tf.constant(negatives[None], tf.float32))
        np.testing.assert_allclose(found, np.array(values)[None], rtol=1e-5, err_msg=loss.name)


def test_top1_v2_with_mask_is_the_loss_without_those_negatives():
    mask = np.array([[True, False, True], [False, False, False]])
    found = losses.TOP1v2Loss(reduction="none")(TRUE, PRED, valid_negatives_mask=mask)
    # Row 0 without its negative -1; row 1 has none left.
    alone = losses.TOP1v2Loss(reduction="none")(TRUE[:1, [0, 1, 3]], PRED[:1, [0, 1, 3]])
    np.testing.assert_allclose(found, [[float(alone[0, 0])], [0.0]], rtol=1e-6)


def test_top1_v2_with_all_negatives_valid_is_the_loss_without_mask():
    mask = np.ones((2, 3), bool)
    loss = losses.TOP1v2Loss(reduction="none")
    np.testing.assert_allclose(loss(TRUE, PRED, valid_negatives_mask=mask), loss(TRUE, PRED), rtol=1e-6)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("kind", PAIRWISE)
@pytest.mark.slow
def test_compiled_with_unknown_shapes(kind, jit):
    loss = kind()
    shape = tf.TensorSpec([None, None], tf.float32)
    compiled = tf.function(lambda y_true, y_pred: loss(y_true, y_pred), input_signature=[shape, shape], jit_compile=jit)
    np.testing.assert_allclose(compiled(TRUE, PRED), loss(TRUE, PRED), rtol=1e-5)
    several = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], "float32")
    assert np.isnan(compiled(several, PRED))


@pytest.mark.parametrize("kind", PAIRWISE)
def test_gradients_are_finite_at_extreme_scores(kind):
    scores = tf.constant([[-60.0, 0.0, 30.0, -655.04], [-300.0, 300.0, 0.0, 88.0], [0.0, 1.0, 2.0, 3.0]])
    targets = tf.constant([[1.0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = kind()(targets, scores)
    gradient = tape.gradient(value, scores)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    # The last row has no positive: nothing pulls at it.
    np.testing.assert_array_equal(gradient[2], np.zeros(4))


def test_bpr_still_learns_from_a_wide_gap():
    scores = tf.constant([[0.0, 60.0]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = losses.BPRLoss()(tf.constant([[1.0, 0.0]]), scores)
    # -log(sigmoid(-60)) = 60, and its derivatives are -1 and 1.
    assert float(value) == pytest.approx(60.0)
    np.testing.assert_allclose(tape.gradient(value, scores), [[-1.0, 1.0]], rtol=1e-6)


@pytest.mark.parametrize("kind", PAIRWISE)
def test_half_precision_scores(kind):
    # Everything here is exact in float16; the loss is computed in float32.
    found = kind()(TRUE.astype("float16"), PRED.astype("float16"))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, kind()(TRUE, PRED), rtol=1e-6)


@pytest.mark.parametrize("kind", [*PAIRWISE, losses.CategoricalCrossEntropy, losses.SparseCategoricalCrossEntropy])
def test_config_survives_json(kind):
    loss = kind(reduction="sum", name="own")
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(loss))))
    assert type(again) is kind
    assert again.get_config() == loss.get_config()
    assert again.get_config()["reduction"] == "sum"
    assert again.name == "own"


def test_own_arguments_survive_json():
    for loss, key, value in (
        (losses.BPRmaxLoss(reg_lambda=0.25), "reg_lambda", 0.25),
        (losses.CategoricalCrossEntropy(from_logits=False, label_smoothing=0.1), "label_smoothing", 0.1),
        (losses.SparseCategoricalCrossEntropy(ignore_class=0), "ignore_class", 0),
    ):
        config = json.loads(json.dumps(loss.get_config()))
        assert type(loss).from_config(config).get_config()[key] == value


def test_ignored_class_adds_nothing():
    loss = losses.SparseCategoricalCrossEntropy(ignore_class=0, reduction="none")
    # Two equal logits: log(2) for the second row, 0 for the ignored first one.
    np.testing.assert_allclose(loss(np.array([0, 1]), np.zeros((2, 2))), [0.0, np.log(2)], rtol=1e-6)


@pytest.mark.parametrize("name", ["bpr", "top1_v2"])
@pytest.mark.slow
def test_training_ranks_the_positive_first(name):
    keras.utils.set_random_seed(1)
    features = np.eye(4, dtype="float32")
    targets = np.eye(4, dtype="float32")[[2, 0, 3, 1]]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    model.compile(optimizer=keras.optimizers.Adam(0.5), loss=losses.loss_registry.parse(name))
    model.fit(features, targets, batch_size=3, epochs=8, verbose=0)
    assert model.predict(features, verbose=0).argmax(-1).tolist() == [2, 0, 3, 1]


@pytest.mark.parametrize("kind", [*PAIRWISE, losses.CategoricalCrossEntropy, losses.SparseCategoricalCrossEntropy])
def test_unknown_reduction(kind):
    with pytest.raises(ConfigError, match=f"unknown reduction of {kind.__name__}; expected one of 'auto'.*got 'total'"):
        kind(reduction="total")


def test_regularisation_cannot_be_negative():
    with pytest.raises(ConfigError, match=r"invalid reg_lambda of BPRmaxLoss; expected a number from 0, got -0.5"):
        losses.BPRmaxLoss(reg_lambda=-0.5)


@pytest.mark.parametrize("kind", [losses.BPRLoss, losses.CategoricalCrossEntropy])
def test_targets_of_another_shape(kind):
    message = rf"the shape of y_true of {kind.__name__} does not fit; expected \(2, 4\), got \(2, 3\)"
    with pytest.raises(ConfigError, match=message):
        kind()(TRUE[:, :3], PRED)


def test_classes_of_another_shape():
    message = r"y_true of SparseCategoricalCrossEntropy does not fit; expected \(2,\), got \(2, 3\)"
    with pytest.raises(ConfigError, match=message):
        losses.SparseCategoricalCrossEntropy()(np.zeros((2, 3)), PRED)


def test_weights_of_another_shape():
    with pytest.raises(ConfigError, match=r"sample_weight of BPRLoss does not fit; expected \(2, 1\), got \(3, 1\)"):
        losses.BPRLoss()(TRUE, PRED, np.ones(3))


def test_mask_of_another_shape():
    message = r"valid_negatives_mask of BPRLoss does not fit; expected \(2, 3\), got \(2, 4\)"
    with pytest.raises(ConfigError, match=message):
        losses.BPRLoss()(TRUE, PRED, valid_negatives_mask=np.ones((2, 4), bool))


@pytest.mark.parametrize("shape", [(2, 1), (2,)])
def test_no_negatives(shape):
    with pytest.raises(ConfigError, match=r"BPRLoss needs a positive.*expected y_pred \(B, N\)"):
        losses.BPRLoss()(np.ones(shape), np.ones(shape))


def test_unknown_name():
    with pytest.raises(ConfigError, match="unknown loss 'bprr'"):
        losses.loss_registry.parse("bprr")


def test_the_hook_is_abstract():
    with pytest.raises(TypeError, match="compute"):
        losses.PairwiseLoss()
