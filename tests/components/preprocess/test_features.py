"""Every operator of a recipe: its fit by hand, and the same values offline and online."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import FillNormalize, FittedWorkflow, OutputColumn
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.contracts.splits import Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.preprocess.offline import OfflineWorkflow
from emrys.components.preprocess.step import PreprocessConfig, run
from emrys.components.recipe.faults import RecipeError
from tests.components.preprocess import shop
from tests.components.preprocess.raw import recipe

#: Operators of every kind; the vectors' file is filled in.
FEATURES: dict[str, list[Any]] = {
    "visitor": ["categorify", {"hash": 20}, {"target_encoding": {"target": "bought", "folds": 2, "smoothing": 1}}],
    "sku": [
        {"categorify": {"domain": "skus"}},
        "count_by",
        {"mean_by": "price"},
        {"target_encoding": "stay"},
        {"cross": {"with": ["plan", "visitor"], "buckets": 50}},
    ],
    "last_sku": [{"categorify": {"domain": "skus"}}],
    "ts": ["hour", "weekday", "day", "month", "year"],
    "plan": [{"hash": {"buckets": 7}}, "count_by"],
    "price": [{"clip": {"min": 0, "max": 1e6}}, "log", "normalize", {"bucketize": [5, 10, 20]}],
    "stock": [{"fill": "median"}, "min_max", {"bucketize": [0, 2**20]}],
    "tags": [{"slice": {"first": 2}}, "categorify", "length"],
    "codes": [{"hash": 9}, {"slice": {"last": 2}}],
    "prices": ["log", "normalize", {"slice": {"last": 3}}],
    "image": [{"fill": 0}, {"clip": {"min": -10, "max": 10}}],
    "recent": ["categorify"],
}
OUTPUTS = [
    *("visitor", "visitor_hash", "TE_visitor_bought"),
    *("sku", "sku_count", "sku_mean_price", "TE_sku_stay", "sku_x_plan_x_visitor"),
    *("ts_hour", "ts_weekday", "ts_day", "ts_month", "ts_year", "last_sku"),
    *("plan", "plan_count", "price", "price_bucket", "stock", "stock_bucket"),
    *("tags", "tags_length", "codes", "prices", "image", "recent"),
]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Transformed, FittedWorkflow]:
    folder = tmp_path_factory.mktemp("shop")
    other = shop.rows(80, 1, skus=20)
    data, workflow = shop.fit(folder, FEATURES, shop.SCHEMA, shop.rows(300, 0), other, other.slice(0, 30))
    return folder, data, workflow.workflow


def test_names_of_the_outputs(fitted: tuple[Path, Transformed, FittedWorkflow]) -> None:
    _, data, workflow = fitted
    assert [column.name for column in workflow.output_columns] == OUTPUTS
    assert data.columns == (*OUTPUTS, "bought", "stayed", "stars", "stay", "trust")
    assert workflow.targets == ("bought", "stayed", "stars", "stay")
    assert (data.metadata["weight"], data.data_schema) == ("trust", shop.SCHEMA)


@pytest.fixture(scope="module")
def both(fitted: tuple[Path, Transformed, FittedWorkflow]) -> list[tuple[pa.Table, pa.Table]]:
    """Offline and online results of random rows, of all rows and of one by one."""
    with OfflineWorkflow(fitted[2]) as offline:
        tables = [shop.rows(number, seed, skus=25) for seed, number in ((2, 150), (3, 1), (4, 0), (5, 40))]
        return [(offline.transform(table), fitted[2].transform_table(table)) for table in tables]


@pytest.mark.parametrize("name", OUTPUTS)
def test_offline_and_online_agree(
    fitted: tuple[Path, Transformed, FittedWorkflow], both: list[tuple[pa.Table, pa.Table]], name: str
) -> None:
    for offline, online in both:
        assert offline.schema.field(name).type.equals(online.schema.field(name).type)
        _assert_equal(offline[name], online[name])
    folder, data, workflow = fitted
    for split in ("valid", "test"):
        rows = pq.read_table(folder / "splits" / f"{split}.parquet")
        _assert_equal(data.read(split)[name], workflow.transform_table(rows)[name])
        assert not np.isnan(_flat(data.read(split)[name])).any()


def _flat(values: pa.ChunkedArray) -> np.ndarray:
    flat = pa.compute.list_flatten(values) if pa.types.is_list(values.type) else values
    return flat.to_numpy().astype(np.float64)


def _assert_equal(offline: pa.ChunkedArray, online: pa.ChunkedArray) -> None:
    if pa.types.is_list(offline.type):
        assert pa.compute.list_value_length(offline).to_pylist() == pa.compute.list_value_length(online).to_pylist()
    np.testing.assert_allclose(_flat(offline), _flat(online), rtol=1e-6, atol=1e-6)


def test_a_row_online_does_not_depend_on_the_others(fitted: tuple[Path, Transformed, FittedWorkflow]) -> None:
    table = shop.rows(30, 6)
    together = fitted[2].transform_table(table).to_pylist()
    for number, row in enumerate(together):
        assert fitted[2].transform_table(table.slice(number, 1)).to_pylist() == [row]


def small(folder: Path, features: dict[str, Any], name: str, dtype: Any, values: list[Any], **options: Any) -> Any:
    """Fits features of one column, and returns the transformed train rows and the workflow."""
    schema = DataSchema(
        (DataColumn(name, dtype, options.pop("role", Role.CONTEXT), **options), DataColumn("x", "float32", Role.ITEM)),
        (Target("y", TargetKind.BINARY),),
    )
    columns = {name: values, "x": [float(i) for i in range(len(values))], "y": [i % 2 for i in range(len(values))]}
    data, workflow = shop.fit(folder, features, schema, shop.table(columns, schema))
    return data.read("train"), workflow.workflow


def test_a_chain_by_hand(tmp_path: Path) -> None:
    features = {"price": ["log", "normalize"]}
    # The logarithms of what is there are 0, 1 and 2; a missing number is the mean.
    values = [0.0, math.e - 1, None, math.e**2 - 1, math.nan, -1.0]
    rows, workflow = small(tmp_path, features, "price", "float32", values)
    np.testing.assert_allclose(rows["price"], [-1, 0, 0, 1, 0, 0], atol=1e-6)
    assert workflow.output_columns == (OutputColumn("price", "float32", False, None, "price", "number_chain"),)


def test_medians_and_ranges(tmp_path: Path) -> None:
    # The median of 1, 3, 4 and 9 is 3.5; the range is 1 to 9.
    rows, _ = small(tmp_path, {"stock": [{"fill": "median"}, "min_max"]}, "stock", "int64", [1, 9, None, 3, 4])
    np.testing.assert_allclose(rows["stock"], [0, 1, 2.5 / 8, 0.25, 0.375], rtol=1e-6)


def test_the_mean_after_other_steps_and_two_scales(tmp_path: Path) -> None:
    # Clipped to 0 and 4: 0, 4, 2, mean 2; so 0, 4, 2, 2 is scaled to 0, 1, 0.5, 0.5 and then standardized.
    steps = [{"clip": {"min": 0, "max": 4}}, {"fill": "mean"}, "min_max", "normalize"]
    rows, _ = small(tmp_path, {"price": steps}, "price", "float32", [-5.0, 100.0, 2.0, None])
    std = statistics.stdev([0, 1, 0.5, 0.5])
    np.testing.assert_allclose(rows["price"], [-0.5 / std, 0.5 / std, 0, 0], atol=1e-6)


def test_missing_numbers_without_a_fill_are_the_mean_of_the_output(tmp_path: Path) -> None:
    rows, _ = small(tmp_path, {"price": ["min_max"]}, "price", "float32", [0.0, 10.0, 2.0, None])
    np.testing.assert_allclose(rows["price"], [0, 1, 0.2, 0.4], rtol=1e-6)


def test_filled_and_normalised_floats_are_the_step_of_before(tmp_path: Path) -> None:
    _, workflow = small(tmp_path, {"price": [{"fill": 1}, "normalize"]}, "price", "float32", [1.0, None, 3.0])
    assert workflow.ops == (FillNormalize("price", 1.0, workflow.ops[0].mean, workflow.ops[0].std),)


def test_lists_of_numbers(tmp_path: Path) -> None:
    # The elements are 1, 3 and 5: mean 3 and deviation 2.
    values = [[1.0, None, 3.0], None, [5.0], []]
    rows, _ = small(tmp_path, {"prices": ["normalize"]}, "prices", "float32", values, is_list=True)
    assert rows["prices"].to_pylist() == [[-1.0, 0.0], [], [1.0], []]
    rows, _ = small(tmp_path, {"prices": ["normalize", {"slice": 1}]}, "prices", "float32", values, is_list=True)
    assert rows["prices"].to_pylist() == [[-1.0], [], [1.0], []]


def test_vectors_of_the_data(tmp_path: Path) -> None:
    values = [[1.0, None], None, [3.0, 4.0]]
    rows, workflow = small(tmp_path, {"image": [{"fill": 0}]}, "image", "float32", values, is_list=True, length=2)
    assert rows["image"].to_pylist() == [[1.0, 0.0], [0.0, 0.0], [3.0, 4.0]]
    assert workflow.output_columns[0].length == 2


def test_counts_and_means_by_value(tmp_path: Path) -> None:
    features = {"plan": ["count_by", {"mean_by": "x"}]}
    rows, workflow = small(tmp_path, features, "plan", "string", ["a", "a", "b", None, "a", ""])
    # log 4 three times, log 2 once, and log 3 twice for null
    logs = [math.log(n) for n in (4, 4, 2, 3, 4, 3)]
    mean, std = statistics.mean(logs), statistics.stdev(logs)
    np.testing.assert_allclose(rows["plan_count"], [(value - mean) / std for value in logs], rtol=1e-5)
    # x is the number of the row: a has rows 0, 1 and 4, b row 2, null rows 3 and 5
    means = [5 / 3, 5 / 3, 2, 4, 5 / 3, 4]
    mean, std = statistics.mean(means), statistics.stdev(means)
    np.testing.assert_allclose(rows["plan_mean_x"], [(value - mean) / std for value in means], rtol=1e-5)
    unseen = workflow.transform({"plan": np.array(["?"], dtype=object)})
    np.testing.assert_allclose(unseen["plan_mean_x"], [[(15 / 6 - mean) / std]], rtol=1e-5)


def test_means_leave_out_what_is_missing(tmp_path: Path) -> None:
    schema = DataSchema(
        (DataColumn("shop", "int64", Role.ITEM), DataColumn("price", "float32", Role.ITEM)),
        (Target("y", TargetKind.BINARY),),
    )
    columns = {"shop": [1, 1, 1, 2, 3], "price": [1.0, None, 5.0, 9.0, None], "y": [0, 1, 0, 1, 0]}
    _, artifact = shop.fit(tmp_path, {"shop": [{"mean_by": "price"}]}, schema, shop.table(columns, schema))
    op = artifact.workflow.ops[0]
    assert op.table is not None
    assert op.table.to_pydict() == {"value": [1, 2], "mean": [3.0, 9.0]}
    assert op.definition()["overall"] == 5.0  # of 1, 5 and 9


def test_ids_that_columns_share(tmp_path: Path) -> None:
    schema = DataSchema(
        (
            DataColumn("before", "int64", Role.CONTEXT),
            DataColumn("sku", "int64", Role.ITEM_ID),
            DataColumn("recent", "int64", Role.HISTORY, is_list=True, history_of="before"),
        ),
        (Target("y", TargetKind.BINARY),),
    )
    shared = [{"categorify": {"domain": "skus"}}]
    features = {"before": shared, "sku": shared, "recent": {"history_of": "before"}}
    columns = {"before": [1, 1, None, 2], "sku": [2, 3, 2, 4], "recent": [[9], [1, 2], [], [4]], "y": [0, 1, 0, 1]}
    data, artifact = shop.fit(tmp_path, features, schema, shop.table(columns, schema))
    rows = data.read("train")
    # 2 stands three times, 1 twice, then 3 and 4; the values of the history do not count.
    assert rows["before"].to_pylist() == [4, 4, 1, 3]
    assert rows["sku"].to_pylist() == [3, 5, 3, 6]
    assert rows["recent"].to_pylist() == [[2], [4, 3], [], [6]]
    outputs = {column.name: (column.domain, column.cardinality) for column in artifact.workflow.output_columns}
    assert outputs == {"before": ("sku", 7), "sku": ("", 7), "recent": ("sku", 7)}


def test_lengths_and_years(tmp_path: Path) -> None:
    rows, _ = small(tmp_path, {"tags": ["length"]}, "tags", "string", [["a"], [None, "b", "c", ""], None], is_list=True)
    np.testing.assert_allclose(rows["tags_length"], [0, 1, -1], atol=1e-6)  # lengths 1, 2 and 0
    times = [0, 366 * 86_400, None, 800 * 86_400]
    rows, workflow = small(tmp_path, {"day": ["year", "weekday"]}, "day", "int64", times, unit="s")
    assert rows["day_year"].to_pylist() == [3, 4, 1, 5]
    assert rows["day_weekday"].to_pylist() == [6, 8, 1, 8]  # Thursday, Saturday, none, Saturday
    later = workflow.transform({"day": np.array([9999 * 86_400, -1])})
    assert later["day_year"].ravel().tolist() == [2, 2]


def test_pretrained_vectors(tmp_path: Path) -> None:
    known = pa.table({"code": [7, 8, None], "image": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]})
    pq.write_table(known, tmp_path / "vectors.parquet")
    options = {"path": str(tmp_path / "vectors.parquet"), "key": "code", "column": "image"}
    rows, _ = small(tmp_path, {"sku": [{"vectors": options}]}, "sku", "int64", [8, 7, 9, None])
    assert rows["sku_image"].to_pylist() == [[3, 4], [1, 2], [0, 0], [0, 0]]
    for change, message in (
        ({"path": "nowhere.parquet"}, "nowhere.parquet: column 'image': the vectors cannot be read"),
        ({"column": "img"}, "column 'img'"),
        ({"column": "code"}, "the vectors are of the wrong type"),
    ):
        with pytest.raises(DataError, match=message):
            small(tmp_path, {"sku": [{"vectors": {**options, **change}}]}, "sku", "int64", [8, 7])
    pq.write_table(pa.table({"code": [7, 8], "image": [[1.0], [3.0, 4.0]]}), tmp_path / "vectors.parquet")
    with pytest.raises(DataError, match=r"the vectors have the lengths \[1, 2\]; expected one length"):
        small(tmp_path, {"sku": [{"vectors": options}]}, "sku", "int64", [8, 7])


@pytest.mark.parametrize(
    ("features", "dtype", "values", "options", "message"),
    [
        ({"c": ["log", "normalize"]}, "float32", [-1.0, -2.0], {}, "column 'c': no number of the column is left; expe"),
        ({"c": ["normalize"]}, "float32", [None, math.inf], {}, "column 'c': every value of the column is null"),
        ({"c": ["year"]}, "int64", [0, 10**12], {"unit": "s"}, "the times span too many years; expected at most 200"),
    ],
)
def test_columns_of_which_nothing_can_be_made(
    tmp_path: Path, features: dict[str, Any], dtype: str, values: list[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        small(tmp_path, features, "c", dtype, values, **options)
    assert not (tmp_path / "data").exists()


def test_faults_of_the_recipe_are_told_together(tmp_path: Path) -> None:
    features = {"Price": ["log"], "plan": ["normalise", "log"]}
    with pytest.raises(RecipeError) as caught:
        shop.fit(tmp_path, features, shop.SCHEMA, shop.rows(20, 0))
    assert [fault.key for fault in caught.value.faults] == ["features.Price", "features.plan.0", "features.plan.1.log"]
    assert "Did you mean 'normalize'?" in str(caught.value)


def test_rows_without_a_weight(tmp_path: Path) -> None:
    rows = shop.rows(20, 0)
    place = rows.column_names.index("trust")
    rows = rows.set_column(place, "trust", pa.array([None] + [1.0] * 19, pa.float32()))
    message = "column 'trust': the weight holds nulls; expected a value in every row, got 1 nulls. Remove the rows"
    with pytest.raises(DataError, match=message):
        shop.fit(tmp_path, {"plan": ["categorify"]}, shop.SCHEMA, rows)


def test_a_recipe_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"split\.by: the value cannot be used"):
        shop.fit(tmp_path, {"plan": ["categorify"]}, shop.SCHEMA, shop.rows(20, 0), split={"by": "times"})


def test_settings_override_the_recipe(tmp_path: Path) -> None:
    features = {"plan": [{"categorify": {"min_count": 1}}, {"target_encoding": {"target": "stay", "folds": 2}}]}
    Splits.write(tmp_path / "s", dict.fromkeys(("train", "valid", "test"), shop.rows(50, 0)), {}, shop.SCHEMA)
    config = PreprocessConfig(recipe(dict(features)), folds=3, smoothing=9.0, freq_threshold=10**6)
    _, artifact = run(tmp_path / "s", config, data=tmp_path / "d", workflow=tmp_path / "w")
    ids, encoding = (op.definition() for op in artifact.workflow.ops)
    assert (ids["freq_threshold"], artifact.workflow.output_columns[0].cardinality) == (10**6, 3)
    assert (encoding["folds"], encoding["smoothing"]) == (3, 9.0)


def test_suggested_features(tmp_path: Path) -> None:
    data, _ = shop.fit(tmp_path, None, shop.SCHEMA, shop.rows(60, 0))
    assert data.columns[:-5] == (
        *("visitor", "sku", "last_sku", "plan", "price", "stock", "tags", "codes", "prices", "image", "recent"),
    )
