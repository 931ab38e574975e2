import numpy as np
import pyarrow as pa
import pytest

from emrys.components.contracts.column_statistics import ColumnKind
from emrys.components.validate.counting import count_column, counts_on
from tests.components.validate.logs import kind_of


def count(name, values, dtype, bins=30, top=10):
    return count_column(name, pa.chunked_array([values[:3], values[3:]], dtype), kind_of(name), bins=bins, top=top)


def test_numbers():
    # Without the null, NaN and infinity: 0, 2, 2, 4. Mean 2, variance (4 + 0 + 0 + 4) / 4 = 2.
    found = count("age", [0.0, None, 2.0, float("nan"), 4.0, float("inf"), 2.0], pa.float32())
    assert (found.type, found.kind, found.rows, found.nulls, found.infinite) == ("float", ColumnKind.NUMBER, 7, 2, 1)
    assert found.distinct == 3
    numbers = found.numbers
    assert (numbers.count, numbers.min, numbers.max, numbers.mean, numbers.zeros) == (4, 0.0, 4.0, 2.0, 1)
    assert numbers.std == pytest.approx(2**0.5)
    # The place of the quartile is 0.25 * 3 = 0.75: three quarters of the way from 0 to 2.
    assert numbers.quantiles["25"] == 1.5
    assert numbers.quantiles["50"] == 2.0
    # Three values: a bin around each.
    assert (numbers.edges, numbers.counts) == ((-1.0, 1.0, 3.0, 5.0), (1, 2, 1))
    assert found.null_share == 2 / 7


def test_many_numbers_are_binned_by_their_quantiles():
    # An outlier does not stretch the bins: 0 to 99 and a million, in 4 bins of about 25.
    found = count("age", [*range(100), 1_000_000], pa.int64(), bins=4).numbers
    assert found.edges == (0.0, 25.0, 50.0, 75.0, 1_000_000.0)
    assert found.counts == (25, 25, 25, 26)


def test_one_value_has_a_bin():
    found = count("age", [7, 7, 7, 7], pa.int64()).numbers
    assert (found.edges, found.counts, found.std) == ((6.5, 7.5), (4,), 0.0)


def test_counts_outside_the_bins():
    # Below 1: one; [1, 2): one; [2, 3], with its upper end: two; above: one.
    assert counts_on((1.0, 2.0, 3.0), np.array([0.0, 1.0, 2.0, 3.0, 3.5])).tolist() == [1, 1, 2, 1]


def test_texts():
    found = count("occupation", ["b", "a", None, "b", "c", "a", "b"], pa.string(), top=2)
    assert (found.kind, found.nulls, found.distinct) == (ColumnKind.TEXT, 1, 3)
    assert (found.values.count, found.values.top) == (6, (("b", 3), ("a", 2)))
    assert found.numbers is None


def test_equally_frequent_values_are_in_their_order():
    assert count("occupation", ["b", "c", "a", "c"], pa.string()).values.top == (("c", 2), ("a", 1), ("b", 1))


def test_identifiers_are_counted_and_keep_their_digits():
    found = count("userId", [2**53 + 1, 2**53 + 1, 5, 5, 5], pa.int64())
    assert (found.kind, found.values.top) == (ColumnKind.IDENTIFIER, ((5, 3), (2**53 + 1, 2)))


def test_lists():
    found = count("genres", [["a", "b"], [], None, ["a", None]], pa.list_(pa.string()))
    assert (found.kind, found.rows, found.nulls, found.distinct) == (ColumnKind.LIST, 4, 1, 2)
    assert (found.values.count, found.values.top) == (3, (("a", 2), ("b", 1)))
    # Lengths 2, 0 and 2; the null has none.
    assert (found.lengths.count, found.lengths.zeros, found.lengths.max) == (3, 1, 2.0)


@pytest.mark.parametrize(
    ("name", "dtype"), [("age", pa.int64()), ("title", pa.string()), ("genres", pa.list_(pa.string()))]
)
def test_nothing_but_nulls(name, dtype):
    found = count(name, [None] * 4, dtype)
    assert (found.rows, found.nulls, found.distinct, found.numbers, found.lengths) == (4, 4, 0, None, None)
