import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role
from emrys.components.contracts.measured_rows import MeasuredRows
from emrys.components.evaluation.slices import Slice, column_slices, slice_metrics

NAN = float("nan")


def test_means_of_a_metric():
    rows = MeasuredRows(
        units=np.array([0, 0, 1, 2, 3]),
        values={
            ("ndcg", "model"): np.array([1.0, NAN, 0.5, 0.0, 0.25]),  # once a user
            ("ndcg", "popularity"): np.array([0.5, NAN, 0.5, NAN, NAN]),
        },
        slices={
            "user": np.array(["new", "new", "known", "known", None], object),
            "age": np.array([None, None, None, None, "18"], object),
        },
    )
    # age 18 is the last row alone; known is the mean of 0.5 and 0, of popularity 0.5 alone.
    assert slice_metrics(rows, "ndcg", ["model", "popularity"]) == [
        Slice("age", "18", 1, 1, {"model": 0.25, "popularity": None}),
        Slice("user", "known", 2, 2, {"model": 0.25, "popularity": 0.5}),
        Slice("user", "new", 2, 1, {"model": 1.0, "popularity": 0.5}),
    ]


def test_the_auc_where_there_are_both_classes():
    rows = MeasuredRows(
        units=np.arange(6),
        scores={"model": np.array([0.1, 0.4, 0.3, 0.8, 0.5, 0.6])},
        labels=np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0]),
        slices={"kind": np.array(["a", "a", "a", "a", "b", "b"], object)},
    )
    # Of the pairs of a: (0.3 over 0.1), not (0.3 over 0.4), (0.8 over both): 3 of 4. b has no negative.
    assert slice_metrics(rows, "auc", ["model"]) == [Slice("kind", "a", 4, 4, {"model": 0.75})]


def test_rows_of_a_sample_space_alone_are_counted():
    rows = MeasuredRows(
        units=np.arange(5),
        scores={"buy/model": np.array([0.1, 0.4, 0.3, NAN, NAN])},
        target_labels={"buy": np.array([0.0, 1.0, 1.0, NAN, NAN])},
        slices={"kind": np.array(["a"] * 5, object)},
    )
    assert slice_metrics(rows, "buy/auc", ["model"]) == [Slice("kind", "a", 3, 3, {"model": 1.0})]


def test_a_metric_that_nobody_measured():
    rows = MeasuredRows(units=np.arange(2), slices={"user": np.array(["new", "known"], object)})
    assert slice_metrics(rows, "ndcg", ["model"]) == []


SCHEMA = DataSchema(
    (
        DataColumn("visitor", "string", Role.USER_ID),
        DataColumn("channel", "string", Role.CONTEXT),
        DataColumn("hour", "int64", Role.CONTEXT),
        DataColumn("page", "string", Role.CONTEXT),
        DataColumn("price", "float32", Role.ITEM, continuous=True),
        DataColumn("tags", "string", Role.ITEM, is_list=True),
    )
)


@pytest.fixture
def raw(tmp_path):
    number = np.arange(60)
    table = pa.table(
        {
            "visitor": [f"v{each % 3}" for each in number],
            "channel": ["web" if each % 2 else None for each in number],
            "hour": number % 24,
            # Thirty pages: the first ones twice as often.
            "page": [f"p{each % 20 if each < 40 else each - 20}" for each in number],
            "price": pa.array(number % 2, pa.float32()),
            "tags": [["a"] for _ in number],
        }
    )
    pq.write_table(table, tmp_path / "test.parquet")
    return tmp_path / "test.parquet"


def test_columns_of_few_values_are_slices(raw):
    slices = column_slices(raw, SCHEMA)
    assert set(slices) == {"channel", "hour"}  # pages have too many values, prices are amounts, visitors are people
    assert slices["channel"][:3].tolist() == [None, "web", None]
    assert slices["hour"][23:25].tolist() == ["23", "0"]
    assert set(column_slices(raw, SCHEMA, roles=(Role.ITEM,))) == set()


def test_the_most_frequent_values_of_columns_that_a_recipe_names(raw):
    slices = column_slices(raw, SCHEMA, ["page", "price", "visitor"])
    assert set(slices) == {"page", "price"}
    levels = {text for text in slices["page"] if text is not None}
    assert len(levels) == 25
    assert {f"p{number}" for number in range(20)} < levels


def test_people_are_slices_where_their_ids_may_be_shown(raw):
    assert column_slices(raw, SCHEMA, ["visitor"]) == {}
    assert set(column_slices(raw, SCHEMA, ["visitor"], show_ids=True)["visitor"]) == {"v0", "v1", "v2"}
