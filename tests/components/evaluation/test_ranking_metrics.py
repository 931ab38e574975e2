import math

import numpy as np
import pytest

from emrys.components.evaluation.ranking_metrics import coverage, hits, mrr, ndcg, novelty, recall
from emrys.components.retrieval.ragged_array import RaggedArray
from emrys.components.retrieval.search import top_rows

# Of five items; the first query likes 1, 3 and one that the catalogue lacks, the second 0.
RIGHT = RaggedArray.of(np.array([0, 0, 1]), np.array([1, 3, 0]), 2)
TOTALS = np.array([3, 1])
FOUND = np.array([[2, 3, 1], [4, 2, -1]])


def test_hits_are_the_right_items_of_the_same_query():
    assert hits(FOUND, RIGHT, 5).tolist() == [[False, True, True], [False, False, False]]


def test_metrics_by_hand():
    hit = hits(FOUND, RIGHT, 5)
    # Right at ranks 2 and 3, of the best three: (1 / log2 3 + 1 / log2 4) / (1 + 1 / log2 3 + 1 / log2 4).
    gain = 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(hit, TOTALS, 3).tolist() == pytest.approx([gain / (1 + gain), 0])
    # Cut at two: 1 / log2 3 of the best two, 1 + 1 / log2 3.
    assert ndcg(hit, TOTALS, 2)[0] == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert recall(hit, TOTALS, 2).tolist() == pytest.approx([1 / 3, 0])
    assert recall(hit, TOTALS, 50).tolist() == pytest.approx([2 / 3, 0])  # a list may be shorter than K
    assert mrr(hit, 3).tolist() == [0.5, 0]
    assert mrr(hit, 1).tolist() == [0, 0]


def test_coverage_counts_each_item_once():
    assert coverage(FOUND, 5, 3) == 4 / 5  # 1, 2, 3 and 4
    assert coverage(FOUND, 5, 1) == 2 / 5


def test_novelty_is_the_mean_information_of_what_is_there():
    share = np.array([1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16])
    # 2, 3 and 1: (2 + 3 + 1) / 3; 4 and 2: (4 + 2) / 2; nothing at all says nothing.
    found = np.array([*FOUND, [-1, -1, -1]])
    np.testing.assert_allclose(novelty(found, share, 3), [2, 3, math.nan])


def test_lists_keep_the_order_of_their_values():
    lists = RaggedArray.of(np.array([2, 0, 2, 0]), np.array([7, 5, 6, 4]), 3)
    assert (lists.values.tolist(), lists.offsets.tolist()) == ([5, 4, 7, 6], [0, 2, 2, 4])
    assert lists.rows.tolist() == [0, 0, 2, 2]
    part = lists.slice(1, 3)
    assert (part.values.tolist(), part.offsets.tolist()) == ([7, 6], [0, 0, 2])


def test_top_rows_leave_out_what_was_seen_and_take_the_lower_place_first():
    scores = np.array([[1.0, 3, 3, 2], [0, 0, 0, 9]])
    seen = RaggedArray.of(np.array([0, 1, 1]), np.array([3, 0, 3]), 2)
    assert top_rows(lambda start, stop: scores[start:stop], seen, 4, 3).tolist() == [[1, 2, 0], [1, 2, -1]]
    assert top_rows(lambda start, stop: scores[start:stop], seen, 4, 9).shape == (2, 4)
