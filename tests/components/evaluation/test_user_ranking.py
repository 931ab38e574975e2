import itertools
import math

import numpy as np
import pytest

from emrys.components.evaluation.ranking_metrics import rank_per_user


def rank(rows, k=10):
    """`rows`: (user, score, label) in any order."""
    users, scores, labels = (np.array(values) for values in zip(*rows, strict=True))
    return rank_per_user(users, scores.astype(float), labels.astype(float), k)


def one_user(pairs, k=10):
    return rank([(0, score, label) for score, label in pairs], k)


def test_several_relevant_rows_by_hand():
    # Relevant on places 2 and 4: DCG = 1/log2(3) + 1/log2(5) = 0.630930 + 0.430677 = 1.061606;
    # the ideal order gives 1 + 1/log2(3) = 1.630930; 1.061606 / 1.630930 = 0.650921. First relevant: place 2.
    result = one_user([(0.9, 0), (0.8, 1), (0.7, 0), (0.6, 1)])
    assert result.ndcg == pytest.approx(0.650921, abs=1e-6)
    assert result.mrr == 0.5
    assert result.recall == 1.0
    # With k = 3 only place 2 counts: 0.630930 / 1.630930 = 0.386853; one of two found.
    short = one_user([(0.9, 0), (0.8, 1), (0.7, 0), (0.6, 1)], k=3)
    assert short.ndcg == pytest.approx(0.386853, abs=1e-6)
    assert short.recall == 0.5


def test_ranks_above_k_do_not_count():
    # Twelve rows, relevant on places 1, 11 and 12: DCG@10 = 1; ideal = 1 + 0.630930 + 0.5 = 2.130930.
    result = one_user([(12.0 - place, int(place in (0, 10, 11))) for place in range(12)])
    assert result.ndcg == pytest.approx(1 / 2.130930, abs=1e-6)
    assert result.mrr == 1.0
    assert result.recall == pytest.approx(1 / 3)
    # Only place 11 is relevant: nothing is found.
    behind = one_user([(12.0 - place, int(place == 10)) for place in range(12)])
    assert (behind.ndcg, behind.mrr, behind.recall) == (0.0, 0.0, 0.0)


def test_ties_count_with_their_expectation():
    # Three tied rows, one relevant: each place with probability 1/3.
    # MRR = (1 + 1/2 + 1/3) / 3 = 11/18; NDCG = (1 + 0.630930 + 0.5) / 3 = 0.710310.
    result = one_user([(0.5, 0), (0.5, 1), (0.5, 0)])
    assert result.mrr == pytest.approx(11 / 18)
    assert result.ndcg == pytest.approx(0.710310, abs=1e-6)
    # Two of three relevant: the first is on place 1 with 2/3, on place 2 with 1/3: 2/3 + 1/6 = 5/6.
    # NDCG = 2/3 · 2.130930 / 1.630930 = 0.871049.
    result = one_user([(0.5, 0), (0.5, 1), (0.5, 1)])
    assert result.mrr == pytest.approx(5 / 6)
    assert result.ndcg == pytest.approx(0.871049, abs=1e-6)


def test_a_tie_across_place_k():
    # Place 1 is irrelevant, then three tied rows, one relevant, of which k = 2 shows one:
    # Recall = 1/3, MRR = 1/3 · 1/2, NDCG = 1/3 · 0.630930 / 1.
    result = one_user([(0.9, 0), (0.5, 0), (0.5, 0), (0.5, 1)], k=2)
    assert result.recall == pytest.approx(1 / 3)
    assert result.mrr == pytest.approx(1 / 6)
    assert result.ndcg == pytest.approx(0.210310, abs=1e-6)


def test_users_without_relevant_rows_are_left_out_and_counted():
    rows = [
        (4, 0.9, 1), (4, 0.1, 0),  # perfect: NDCG 1, MRR 1
        (7, 0.9, 0), (7, 0.1, 1),  # place 2: NDCG 0.630930, MRR 0.5
        (2, 0.9, 0), (2, 0.1, 0),  # nothing to find
        (9, 0.3, 1), (9, 0.2, 1),  # nothing but relevant rows: NDCG 1, MRR 1
        (-1, 0.5, 1),              # nobody's row
    ]  # fmt: skip
    result = rank(rows)
    assert (result.users, result.users_without_relevant, result.users_all_relevant) == (3, 1, 1)
    assert result.ndcg == pytest.approx((1 + 0.630930 + 1) / 3, abs=1e-6)
    assert result.mrr == pytest.approx(2.5 / 3)


def test_the_order_of_rows_does_not_matter():
    random = np.random.default_rng(3)
    users = random.integers(0, 20, 300)
    scores = random.integers(0, 4, 300).astype(float)  # many ties
    labels = random.integers(0, 2, 300).astype(float)
    order = random.permutation(300)
    one = rank_per_user(users, scores, labels, 5)
    other = rank_per_user(users[order], scores[order], labels[order], 5)
    assert (one.ndcg, one.mrr, one.recall) == pytest.approx((other.ndcg, other.mrr, other.recall), abs=1e-12)


def test_it_equals_the_mean_over_all_orders_of_tied_rows():
    scores = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0]
    labels = [0, 1, 0, 0, 1, 1, 0]
    for k in (1, 2, 3, 6):
        seen = []
        for middle in itertools.permutations(labels[1:5]):
            for end in itertools.permutations(labels[5:]):
                seen.append(_plain([labels[0], *middle, *end], k))
        result = one_user(list(zip(scores, labels, strict=True)), k)
        assert (result.ndcg, result.mrr, result.recall) == pytest.approx(np.mean(seen, axis=0), abs=1e-12)


def test_nobody_to_average():
    result = one_user([(0.5, 0)])
    assert result.users == 0
    assert math.isnan(result.ndcg)
    assert rank([(-1, 0.5, 1)]).users == 0


def _plain(labels, k):
    gain = sum(label / math.log2(place + 2) for place, label in enumerate(labels[:k]))
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, sum(labels))))
    first = next((1 / (place + 1) for place, label in enumerate(labels[:k]) if label), 0.0)
    return gain / ideal, first, sum(labels[:k]) / sum(labels)
