from __future__ import annotations

import numpy as np

from emrys.components.serving.recommendation import NO_SCORE, Recommendation, unpack_recommendations


def test_a_list_ends_at_the_first_null():
    ids = np.array([[7, 9], [8, -(2**63)], [-(2**63), -(2**63)]])
    scores = np.array([[0.5, -2.0], [0.25, NO_SCORE], [NO_SCORE, NO_SCORE]], np.float32)
    assert unpack_recommendations({"item_ids": ids, "scores": scores}) == [
        [Recommendation(7, 0.5), Recommendation(9, -2.0)],
        [Recommendation(8, 0.25)],
        [],
    ]


def test_strings_are_text():
    ids = np.array([["Amélie".encode(), b""]], object)
    items = unpack_recommendations({"item_ids": ids, "scores": np.array([[1.0, NO_SCORE]], np.float32)})
    assert items == [[("Amélie", 1.0)]]
