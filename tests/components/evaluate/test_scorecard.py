import math

import numpy as np
import pytest

from emrys.blocks.errors import ArtifactError, DataError
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import Interactions
from emrys.components.evaluate.scorecard import evaluate_scores
from tests.components.evaluate.plans import plan


def rows(users, items, labels):
    return Interactions(np.array(users, np.int64), np.array(items, np.int64), np.array(labels, np.float64))


TRAIN = rows([0, 0, 1, 1], [0, 1, 0, 2], [1, 0, 1, 1])
TEST = rows([0, 0, 5, 5], [0, 1, 0, 9], [1, 0, 0, 1])
SCORES = [0.9, 0.2, 0.6, 0.4]


def evaluate(scores=SCORES, test=TEST, train=TRAIN, best=None, **config):
    settings = EvaluateConfig(**config)
    return evaluate_scores(scores, test, train, settings, plan(settings), best_auc=best)


def test_the_model_by_hand():
    metrics = evaluate().metrics
    # Pairs (positive, negative): .9>.2, .9>.6, .4>.2, but .4<.6: 3 of 4.
    assert metrics["auc"] == 0.75
    # -(ln 0.9 + ln 0.8 + ln 0.4 + ln 0.4) / 4
    assert metrics["log_loss"] == pytest.approx(-math.log(0.9 * 0.8 * 0.4 * 0.4) / 4)
    # (0.1² + 0.2² + 0.6² + 0.6²) / 4 = 0.77 / 4
    assert metrics["brier"] == pytest.approx(0.1925)
    # User 0 is in the right order (1), user 5 has its relevant row on place 2 (0.630930).
    assert metrics["ndcg_at_10"] == pytest.approx((1 + 0.630930) / 2, abs=1e-6)
    assert metrics["mrr_at_10"] == 0.75
    assert metrics["recall_at_10"] == 1.0


def test_the_baselines_by_hand():
    metrics = evaluate().metrics
    # Items 0, 1, 0, 9 have 2, 0, 2, 0 positive train rows: of the four pairs, one is right, one wrong, two are ties.
    assert metrics["popularity_auc"] == 0.5
    # User 0 is in order; user 5's relevant item is unknown and stands behind: as the model.
    assert metrics["popularity_mrr_at_10"] == 0.75
    assert "popularity_log_loss" not in metrics
    # The train mean is 3/4: log loss -(ln 0.75 + ln 0.25) / 2, and two tied rows: MRR (1 + 1/2) / 2 for each user.
    assert metrics["constant_auc"] == 0.5
    assert metrics["constant_log_loss"] == pytest.approx(-math.log(0.75 * 0.25) / 2)
    assert metrics["constant_mrr_at_10"] == pytest.approx(0.75)
    assert metrics["constant_calibration_error"] == pytest.approx(0.25)


def test_counts():
    metrics = evaluate(test=rows([0, 0, 5, 5, 7, -1], [0, 1, 0, 9, 0, 0], [1, 0, 0, 1, 0, 1]), scores=[0.5] * 6).metrics
    assert {name: metrics[name] for name in ("rows", "positive_rows", "train_rows")} == {
        "rows": 6,
        "positive_rows": 3,
        "train_rows": 4,
    }
    assert (metrics["users"], metrics["users_without_relevant"], metrics["users_all_relevant"]) == (2, 1, 0)
    assert (metrics["rows_of_new_users"], metrics["rows_of_new_items"]) == (4, 1)


def test_every_number_is_finite_and_named_after_k():
    metrics = evaluate(k=3, best=0.8).metrics
    assert all(math.isfinite(value) for value in metrics.values())
    assert {"ndcg_at_3", "mean_baseline_recall_at_3", "popularity_mrr_at_3", "constant_ndcg_at_3"} <= set(metrics)


def test_how_close_to_the_best():
    card = evaluate(best=0.8)
    # (0.75 - 0.5) / (0.8 - 0.5)
    assert card.metrics["share_of_best_auc"] == pytest.approx(0.25 / 0.3)
    assert card.metrics["best_auc"] == 0.8
    assert not {"best_auc", "share_of_best_auc"} & set(evaluate().metrics)


def test_certain_and_wrong_stays_finite():
    # Clipped at 1e-7, as Keras does: -ln(1e-7) for each row.
    assert evaluate(scores=[0.0, 1.0, 1.0, 0.0]).metrics["log_loss"] == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_a_column_of_scores_is_as_good_as_a_row():
    assert evaluate(scores=np.array(SCORES)[:, None]).metrics == evaluate().metrics


def test_histogram_by_label():
    histogram = evaluate(scores=[0.99, 0.0, 0.04, 1.0]).curves["histogram"]
    negative, positive = histogram["negative"], histogram["positive"]
    assert (negative[0], sum(negative)) == (2, 2)
    assert (positive[-1], sum(positive)) == (2, 2)


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ([0.1, 0.2], "the model must return one score per row; expected (4, 1), got (2,)"),
        (np.zeros((4, 2)), "the model must return one score per row; expected (4, 1), got (4, 2)"),
        (
            [0.1, float("nan"), 0.3, float("inf")],
            "the model returned scores that are not finite; expected probabilities, got 2 of "
            "NaN or infinity, the first in"
            " row 1. Check whether the training diverged; a lower learning rate may help.",
        ),
        (
            [0.1, -2.0, 0.3, 3.5],
            "the scores are not probabilities; expected values from 0 to 1, got -2 to 3.5."
            " End the model in a BinaryOutput.",
        ),
    ],
)
def test_scores_that_cannot_be_used(scores, text):
    with pytest.raises(ArtifactError) as caught:
        evaluate(scores=scores)
    assert str(caught.value) == text


def test_no_user_to_rank_for():
    with pytest.raises(DataError, match="no user has a positive row in the test split"):
        evaluate(test=rows([-1, -1, -1, -1], [0, 1, 0, 9], [1, 0, 0, 1]))
