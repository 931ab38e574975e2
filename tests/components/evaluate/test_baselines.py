import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from emrys.components.evaluate.baselines import mean_scores, popularity_scores, smoothed_means
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.interactions import Interactions


def rows(users, items, labels):
    return Interactions(np.array(users, np.int64), np.array(items, np.int64), np.array(labels, np.float64))


def test_popularity_counts_positive_train_rows():
    train = rows([0, 0, 0, 0, 0], [0, 0, 1, 2, -1], [1, 1, 0, 1, 1])
    # Item 3 and the null item are unknown to train.
    assert popularity_scores(train, np.array([2, 0, 1, 3, -1])).tolist() == [1, 2, 0, 0, 0]


def test_smoothed_means_by_hand():
    keys, labels = np.array([0, 0, 1, -1]), np.array([1.0, 0.0, 1.0, 1.0])
    # Key 0: (1 + 2 · 0.7) / (2 + 2) = 0.6; key 1: (1 + 2 · 0.7) / (1 + 2) = 0.8; others: the prior.
    result = smoothed_means(keys, labels, np.array([0, 1, 2, -1]), 2.0, 0.7)
    assert result == pytest.approx([0.6, 0.8, 0.7, 0.7])
    assert smoothed_means(keys, labels, np.array([0, 1, 2]), 0.0, 0.7).tolist() == [0.5, 1.0, 0.7]


def test_means_rank_users_and_items_and_fall_back():
    # User 0 likes item 0 with 95 % and item 1 with 75 %, user 1 with 25 % and 5 %.
    random = np.random.default_rng(0)
    users, items = np.repeat([0, 1], 200), np.tile([0, 1], 200)
    labels = random.random(400) < np.where(users == 0, 0.85, 0.15) + np.where(items == 0, 0.1, -0.1)
    test = rows([0, 0, 5, 1, 1], [0, 1, 7, 0, 1], [0, 0, 0, 0, 0])
    scores = mean_scores(rows(users, items, labels), test, EvaluateConfig())
    assert np.all(np.diff(scores) < 0)  # the unknown pair stands in the middle
    assert scores[2] == pytest.approx(labels.mean(), abs=0.05)


def test_no_train_row_sees_its_own_label():
    # Every train row has a user and an item of its own and a label by chance, so there is nothing to learn. Means that
    # held the row's own label would seem perfect, and the regression would score these users near 0 and 1.
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 500)
    train = rows(np.arange(500), np.arange(500), labels)
    scores = mean_scores(train, train, EvaluateConfig(smoothing=0.0))
    assert scores == pytest.approx(labels.mean(), abs=1e-3)


def test_means_are_worth_more_than_chance_where_tastes_differ():
    random = np.random.default_rng(2)
    user_taste, item_taste = random.normal(size=100), random.normal(size=200)

    def draw(count):
        users, items = random.integers(0, 100, count), random.integers(0, 200, count)
        chance = 1 / (1 + np.exp(-user_taste[users] - item_taste[items]))
        return rows(users, items, random.random(count) < chance), chance

    (train, _), (test, chance) = draw(20_000), draw(5_000)
    reached = roc_auc_score(test.labels, mean_scores(train, test, EvaluateConfig()))
    best = roc_auc_score(test.labels, chance)
    assert best - 0.02 < reached < best + 0.01


def test_a_seed_fixes_the_folds():
    random = np.random.default_rng(4)
    train = rows(random.integers(0, 9, 200), random.integers(0, 9, 200), random.integers(0, 2, 200))
    first, again, other = (mean_scores(train, train, EvaluateConfig(seed=seed)) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
