"""`extract_topk`."""

from __future__ import annotations

import numpy as np

import emrys.blocks as mm

SCORES = np.array([[0.1, 0.4, 0.3, 0.2], [4.0, 1.0, 3.0, 2.0]], "float32")
LABELS = np.array([[1, 0, 1, 1], [0, 1, 0, 0]])


def test_by_hand():
    scores, labels, counts = mm.extract_topk(2, SCORES, LABELS)
    np.testing.assert_array_equal(scores, np.array([[0.4, 0.3], [4.0, 3.0]], "float32"))
    assert labels.numpy().tolist() == [[0, 1], [0, 0]]
    assert counts.numpy().tolist() == [3, 1]


def test_more_than_there_are():
    scores, labels, _ = mm.extract_topk(9, SCORES, LABELS)
    assert scores.shape == (2, 4)
    assert labels.numpy().tolist() == [[0, 1, 1, 1], [0, 0, 0, 1]]


def test_the_results_are_those_of_a_metric():
    scores, labels, counts = mm.extract_topk(2, SCORES, LABELS)
    metric = mm.RecallAt(2, pre_sorted=True)
    metric.label_relevant_counts = counts
    metric.update_state(labels, scores)
    expected = mm.RecallAt(2)
    expected.update_state(LABELS, SCORES)
    assert float(metric.result()) == float(expected.result()) == 0.25


def test_ties_come_in_random_order():
    scores, labels = np.zeros((400, 2), "float32"), np.tile([1, 0], (400, 1))
    _, in_order, _ = mm.extract_topk(1, scores, labels)
    assert in_order.numpy().mean() == 1.0
    values, shuffled, _ = mm.extract_topk(1, scores, labels, shuffle_ties=True, seed=3)
    assert 0.4 < shuffled.numpy().mean() < 0.6
    assert 0 <= values.numpy().min() <= values.numpy().max() < 1e-6
