import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from emrys.components.validate.leaks import fit_single_column, repeated_events, shared_events
from tests.components.validate.logs import kind_of

DRAW = np.random.default_rng(3)
LABEL = (DRAW.random(4000) < 0.4).astype(float)


def of(name, values, dtype, label=LABEL):
    return fit_single_column(pa.chunked_array([pa.array(values, dtype)]), kind_of(name), label, seed=0)


def test_a_column_without_relation():
    for name, values, dtype in (
        ("age", DRAW.integers(0, 60, 4000), pa.int64()),
        ("userId", DRAW.integers(0, 1000, 4000), pa.int64()),
        ("title", DRAW.integers(0, 4000, 4000).astype(str), pa.string()),
        ("genres", [["a", "b"][: i % 3] for i in range(4000)], pa.list_(pa.string())),
    ):
        found = of(name, values, dtype)
        assert found.auc == pytest.approx(0.5, abs=0.035)
        assert not found.decides


def test_the_auc_of_a_number_is_that_of_its_order():
    values = LABEL + DRAW.normal(0, 1, 4000)
    assert of("age", values, pa.float64()).auc == pytest.approx(roc_auc_score(LABEL, values))
    assert of("age", -values, pa.float64()).auc == pytest.approx(roc_auc_score(LABEL, values))


def test_a_number_that_is_extreme_for_one_class_has_no_order_and_is_found():
    values = np.where(LABEL == 1, DRAW.uniform(-1, 1, 4000), DRAW.choice([-1, 1], 4000) * DRAW.uniform(2, 3, 4000))
    assert roc_auc_score(LABEL, values) == pytest.approx(0.5, abs=0.03)
    assert of("age", values, pa.float64()).auc > 0.98


def test_nulls_that_know_the_label():
    ages = np.where(LABEL == 1, None, 30 + DRAW.integers(0, 5, 4000))
    assert of("age", ages.tolist(), pa.int64()).auc == pytest.approx(1.0)
    lists = [None if one else ["a"] for one in LABEL]
    assert of("genres", lists, pa.list_(pa.string())).auc == pytest.approx(1.0)


def test_an_element_of_a_list_that_knows_the_label():
    lists = [["Drama", "liked"] if one else ["Drama", "War"] for one in LABEL]
    assert of("genres", lists, pa.list_(pa.string())).auc == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "values", "dtype"),
    [
        ("age", LABEL, pa.int64()),
        ("age", 10 - 3 * LABEL, pa.int64()),
        ("release_year", LABEL * 10 + DRAW.random(4000), pa.float32()),  # each value once, but a step
        ("gender", ["F" if one else "M" for one in LABEL], pa.string()),
        ("occupation", [f"{int(one)}-{i % 20}" for i, one in enumerate(LABEL)], pa.string()),
    ],
)
def test_functions_of_the_label(name, values, dtype):
    found = of(name, values, dtype)
    assert found.decides
    assert found.auc == pytest.approx(1.0)


def test_values_that_come_once_decide_nothing():
    assert not of("title", [f"{i}" for i in range(4000)], pa.string()).decides


def test_one_class_says_nothing():
    assert of("age", LABEL, pa.int64(), np.ones(4000)) == (0.5, False)


def test_events():
    columns = ("userId", "timestamp")

    def table(*rows):
        return pa.table({name: [row[i] for row in rows] for i, name in enumerate(columns)})

    train = table((1, 10), (1, 10), (1, 11), (2, 10), (1, 10))
    # (1, 10) is there twice more than once.
    assert repeated_events(train) == 2
    # Both rows of (1, 10) are known; (2, 11) is not.
    assert shared_events(train, table((1, 10), (1, 10), (2, 11))) == 2
    assert shared_events(train, table((3, 10))) == 0
