import math

import numpy as np
import pyarrow as pa
import pytest

from emrys.components.validate.column_limits import ColumnLimits
from emrys.components.validate.counting import count_column
from emrys.components.validate.drift import column_drift
from tests.components.validate.logs import kind_of

LIMITS = ColumnLimits(js_distance=0.1, l_infinity=0.05, null_drift=0.05)


def drift(name, before, now, dtype, top=1000, limits=LIMITS):
    sides = [pa.chunked_array([values], dtype) for values in (before, now)]
    counted = [count_column(name, side, kind_of(name), bins=30, top=top) for side in sides]
    return {one.part: one for one in column_drift(*counted, sides[1], limits)}


def test_jensen_shannon_by_hand():
    # P = (1/2, 1/2), Q = (1/4, 3/4), M = (3/8, 5/8).
    # KL(P|M) = 1/2 log2(4/3) + 1/2 log2(4/5) = 0.046555; KL(Q|M) = 1/4 log2(2/3) + 3/4 log2(6/5) = 0.051035.
    # The divergence is their mean, 0.048795; the distance its root, 0.220896.
    found = drift("rating", [1.0] * 500 + [2.0] * 500, [1.0] * 250 + [2.0] * 750, pa.float32())["values"]
    assert found.distance == pytest.approx(0.220896, abs=1e-6)
    assert (found.measure, found.limit, found.exceeded) == ("js_distance", 0.1, True)


def test_values_outside_the_earlier_bins_are_other_values():
    # P = (1/2, 1/2, 0), Q = (1/2, 0, 1/2), M = (1/2, 1/4, 1/4): both divergences are 1/2, so the distance is its root.
    found = drift("rating", [1.0, 2.0] * 500, [1.0, 3.0] * 500, pa.float32())["values"]
    assert found.distance == pytest.approx(math.sqrt(0.5))
    # Nothing in common: 1, and a limit of 1 lets anything pass.
    anything = ColumnLimits(js_distance=1.0, l_infinity=1.0, null_drift=1.0)
    found = drift("rating", [1.0] * 500, [9.0] * 500, pa.float32(), limits=anything)["values"]
    assert found.distance == pytest.approx(1.0)
    assert not found.exceeded


def test_l_infinity_by_hand():
    # Shares (0.5, 0.3, 0.2, 0) and (0.4, 0.3, 0.15, 0.15): the greatest difference is that of d, 0.15.
    before = ["a"] * 500 + ["b"] * 300 + ["c"] * 200
    now = ["a"] * 400 + ["b"] * 300 + ["c"] * 150 + ["d"] * 150
    found = drift("occupation", before, now, pa.string())["values"]
    assert found.distance == pytest.approx(0.15)
    assert (found.value, found.before, found.now) == ("d", 0.0, 0.15)
    assert found.exceeded


def test_l_infinity_is_symmetric():
    before, now = ["a"] * 600 + ["b"] * 400, ["a"] * 900 + ["b"] * 100
    one, other = (drift("title", *sides, pa.string())["values"].distance for sides in ((before, now), (now, before)))
    assert one == other == pytest.approx(0.3)


def test_a_value_that_is_not_kept_counts_with_the_least_difference():
    # Before, ten values with 91 rows each and x with 90, of 1,000; ten are kept. x may have had 0 to 91 rows. Now x has
    # 200 of 1,000: it has grown by 0.2 - 0.091 at least. The others have 80 each: less by 0.011.
    others = [letter for letter in "abcdefghij" for _ in range(91)]
    before = [*others, *["x"] * 90]
    now = [*[letter for letter in "abcdefghij" for _ in range(80)], *["x"] * 200]
    assert drift("title", before, now, pa.string(), top=10)["values"].distance == pytest.approx(0.109)
    assert drift("title", before, now, pa.string())["values"].distance == pytest.approx(0.11)


def test_elements_and_lengths_of_lists():
    before = [["a"]] * 1000
    now = [["a"]] * 500 + [["a", "new"]] * 500
    found = drift("genres", before, now, pa.list_(pa.string()))
    # 500 of 1,500 elements are new.
    assert (found["values"].value, found["values"].distance) == ("new", pytest.approx(1 / 3))
    # Lengths (1, 0) and (1/2, 1/2), M = (3/4, 1/4): (log2(4/3) + 1/2 log2(2/3) + 1/2 log2(2)) / 2 = 0.311278.
    assert found["lengths"].distance == pytest.approx(math.sqrt(0.311278), abs=1e-6)


def test_nulls():
    found = drift("age", [1, 2, 3, 4] * 250, [1, None, 3, 4] * 250, pa.int64())["nulls"]
    assert (found.before, found.now, found.distance, found.exceeded) == (0.0, 0.25, 0.25, True)


def test_chance_differences_are_no_drift():
    # With 40 rows on either side, shares of one and the same die differ by more than 0.05 nearly always.
    draw = np.random.default_rng(0)
    seen = []
    for _ in range(200):
        before, now = ([str(i) for i in draw.integers(0, 6, 40)] for _ in range(2))
        numbers = [draw.integers(0, 6, 40).tolist() for _ in range(2)]
        seen += [drift("title", before, now, pa.string())["values"], drift("age", *numbers, pa.int64())["values"]]
    assert sum(one.distance > 0.1 for one in seen) > 200
    assert sum(one.exceeded for one in seen) <= 4  # one in a thousand, give or take


def test_times_are_not_compared():
    assert list(drift("timestamp", [1, 2, 3], [7, 8, 9], pa.int64())) == ["nulls"]


def test_a_column_of_nulls_has_only_its_nulls_to_compare():
    assert list(drift("age", [1] * 100, [None] * 100, pa.int64())) == ["nulls"]
    assert list(drift("title", [None] * 100, ["a"] * 100, pa.string())) == ["nulls"]
