import numpy as np
import pytest

from emrys.components.evaluation.classification_metrics import Calibration


def test_two_bins_by_hand():
    # The median of the scores is 0.45. Lower bin: mean score 0.2, one of two positive; upper bin: 0.7, two of two.
    # Error = 2/4 · |0.5 - 0.2| + 2/4 · |1 - 0.7| = 0.3.
    result = Calibration.of(np.array([0.8, 0.1, 0.6, 0.3]), np.array([1.0, 0.0, 1.0, 1.0]), bins=2)
    assert result.predicted == pytest.approx((0.2, 0.7))
    assert result.observed == (0.5, 1.0)
    assert result.rows == (2, 2)
    assert result.error == pytest.approx(0.3)


def test_bins_weigh_by_their_rows():
    # Three rows score 0.1 (one positive: gap 1/3 - 0.1), one scores 0.9 (positive: gap 0.1).
    # Error = 3/4 · 0.233333 + 1/4 · 0.1 = 0.2.
    result = Calibration.of(np.array([0.1, 0.1, 0.1, 0.9]), np.array([0.0, 1.0, 0.0, 1.0]), bins=4)
    assert result.rows == (3, 1)
    assert result.error == pytest.approx(0.2)


def test_equal_scores_share_one_bin():
    result = Calibration.of(np.full(10, 0.25), np.r_[np.ones(5), np.zeros(5)], bins=5)
    assert result.rows == (10,)
    assert result.error == pytest.approx(0.25)


def test_bins_hold_about_equally_many_rows():
    scores = np.random.default_rng(0).beta(2, 8, 1000)
    result = Calibration.of(scores, (scores > 0.2).astype(float), bins=10)
    assert len(result.rows) == 10
    assert max(result.rows) - min(result.rows) <= 1
    assert list(result.predicted) == sorted(result.predicted)
