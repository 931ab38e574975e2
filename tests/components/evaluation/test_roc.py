import numpy as np
import pytest

from emrys.components.evaluation.classification_metrics import RocCurve


def test_a_curve_by_hand():
    # By falling score: 1, 0, 1, 0 of two positive and two negative rows.
    curve = RocCurve.of(np.array([0.1, 0.9, 0.7, 0.8]), np.array([0.0, 1.0, 1.0, 0.0]))
    assert curve.false_positive_rate == (0.0, 0.0, 0.5, 0.5, 1.0)
    assert curve.true_positive_rate == (0.0, 0.5, 0.5, 1.0, 1.0)
    assert curve.thresholds[1:] == (0.9, 0.8, 0.7, 0.1)
    assert 0.9 < curve.thresholds[0] < 0.9 + 1e-9  # finite, and above every score


def test_thinning_keeps_the_ends_and_the_area():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 20_000).astype(float)
    scores = 1 / (1 + np.exp(-random.normal(labels, 1.0)))
    whole = RocCurve.of(scores, labels, points=100_000)
    thin = RocCurve.of(scores, labels, points=50)
    assert len(whole.thresholds) > 1000
    assert 40 <= len(thin.thresholds) <= 50
    for curve in (whole, thin):
        assert (curve.false_positive_rate[0], curve.true_positive_rate[0]) == (0.0, 0.0)
        assert (curve.false_positive_rate[-1], curve.true_positive_rate[-1]) == (1.0, 1.0)
        assert np.all(np.diff(curve.thresholds) < 0)
        assert np.isfinite(curve.thresholds).all()
    areas = [np.trapezoid(curve.true_positive_rate, curve.false_positive_rate) for curve in (whole, thin)]
    assert areas[1] == pytest.approx(areas[0], abs=2e-3)


def test_a_constant_score_gives_the_diagonal():
    curve = RocCurve.of(np.full(4, 0.5), np.array([0.0, 1.0, 1.0, 0.0]))
    assert curve.false_positive_rate == (0.0, 1.0)
    assert curve.true_positive_rate == (0.0, 1.0)
