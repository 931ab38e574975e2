import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from emrys.components.evaluation.weighted_metrics import auc


def test_by_hand():
    # Positives 0.9 and 0.4, negatives 0.5 and 0.4. Pairs: 0.9 > 0.5, 0.9 > 0.4, 0.4 < 0.5, 0.4 = 0.4: 2.5 of 4.
    assert auc(np.array([0.9, 0.5, 0.4, 0.4]), np.array([True, False, True, False])) == 0.625


@pytest.mark.parametrize("seed", range(5))
def test_against_scikit_learn(seed):
    random = np.random.default_rng(seed)
    scores, labels = random.integers(0, 30, 500) / 30, random.random(500) < 0.3
    assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
