"""Contents of the batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError
from emrys.blocks.loader import Loader
from tests import golden
from tests.blocks.loader.conftest import Write


def both_ways(loader: Loader) -> list[list[tuple[dict, dict]]]:
    """One epoch by direct iteration, one through tf.data."""
    return [list(loader), list(loader.to_tf_dataset())]


def test_scalars_come_as_columns_in_the_order_of_the_file(numbered: Path) -> None:
    for batches in both_ways(Loader(numbered, 40, shuffle=False, label_names=["y"])):
        assert [len(features["id"]) for features, _ in batches] == [40, 40, 20]
        features, targets = batches[1]  # rows 40 to 79
        assert features["id"].dtype == tf.int64
        assert features["id"].numpy().tolist() == [[i] for i in range(40, 80)]
        assert features["x"].dtype == tf.float32
        assert features["x"].numpy().tolist() == [[i / 2] for i in range(40, 80)]
        assert targets["y"].dtype == tf.float32
        assert targets["y"].numpy().tolist() == [[i % 2] for i in range(40, 80)]
        assert list(features) == ["id", "x"]
        assert list(targets) == ["y"]


def test_lists_of_any_length_are_ragged(write: Write) -> None:
    path = write({"ids": pa.array([[1, 2], [], [3], [4, 5, 6], [7]]), "n": [1, 2, 3, 4, 5]}, rows_per_group=2)
    for batches in both_ways(Loader(path, 2, shuffle=False)):
        lists = [features["ids"] for features, _ in batches]
        assert all(isinstance(rows, tf.RaggedTensor) for rows in lists)
        assert [rows.to_list() for rows in lists] == [[[1, 2], []], [[3], [4, 5, 6]], [[7]]]
        assert lists[0].shape.as_list() == [2, None]


@pytest.mark.parametrize("kind", [pa.list_(pa.int32()), pa.large_list(pa.int64()), pa.list_(pa.int64(), 2)])
def test_lists_stay_with_their_row_when_shuffled(write: Write, kind: pa.DataType) -> None:
    path = write({"id": list(range(50)), "ids": pa.array([[i, -i] for i in range(50)], kind)}, rows_per_group=7)
    for batches in both_ways(Loader(path, 8, buffer_size=20)):
        pairs = [pair for features, _ in batches for pair in zip(features["id"].numpy()[:, 0], features["ids"].to_list(), strict=True)]  # noqa: E501  # fmt: skip
        assert sorted(number for number, _ in pairs) == list(range(50))
        assert all(ids == [number, -number] for number, ids in pairs)


def test_lists_of_one_length_are_dense(write: Write) -> None:
    path = write({"ids": pa.array([[1, 2], [3, 4], [5, 6]])})
    schema = Schema([ColumnSchema("ids", dtype=np.int64, properties={"value_count": {"min": 2, "max": 2}})])
    for batches in both_ways(Loader(path, 3, shuffle=False, schema=schema)):
        assert batches[0][0]["ids"].numpy().tolist() == [[1, 2], [3, 4], [5, 6]]


def test_sparse_max_cuts_at_the_end_and_pads_on_the_right(write: Write) -> None:
    lists = pa.array([[1, 2, 3], [], [4]])
    path = write({"a": lists, "b": lists})
    features, _ = next(iter(Loader(path, 3, shuffle=False, sparse_max={"a": 2})))
    assert features["a"].numpy().tolist() == [[1, 2], [0, 0], [4, 0]]
    assert features["b"].to_list() == [[1, 2, 3], [], [4]]
    features, _ = next(iter(Loader(path, 3, shuffle=False, sparse_max=4, sparse_names=["b"])))
    assert features["a"].to_list() == [[1, 2, 3], [], [4]]
    assert features["b"].numpy().tolist() == [[1, 2, 3, 0], [0, 0, 0, 0], [4, 0, 0, 0]]


def test_sparse_as_dense_takes_the_length_of_the_schema(write: Write) -> None:
    path = write({"ids": pa.array([[1, 2, 3], [], [4]])})
    schema = Schema([ColumnSchema("ids", dtype=np.int64, properties={"value_count": {"min": 0, "max": 3}})])
    features, _ = next(iter(Loader(path, 3, shuffle=False, schema=schema, sparse_as_dense=True)))
    assert features["ids"].numpy().tolist() == [[1, 2, 3], [0, 0, 0], [4, 0, 0]]
    with pytest.raises(ConfigError, match="sparse_as_dense=True needs a length for 'ids'"):
        Loader(path, 3, sparse_as_dense=True)


def test_types_follow_the_schema(write: Write) -> None:
    path = write({"small": pa.array([1, 2], pa.int64()), "wide": pa.array([3, 4], pa.int8()), "f": [0.5, 1.5],
                  "item": pa.array([2**24 + 1, 7])})  # fmt: skip
    schema = Schema([
        ColumnSchema("small", dtype=np.int32),
        ColumnSchema("wide", dtype=np.int64),
        ColumnSchema("f", dtype=np.float64),
        ColumnSchema("item", dtype=np.int64, tags=[Tags.ITEM_ID, Tags.CATEGORICAL, Tags.TARGET]),
    ])  # fmt: skip
    loader = Loader(path, 2, shuffle=False, schema=schema)
    features, targets = next(iter(loader))
    assert {name: tensor.dtype for name, tensor in features.items()} == {
        "small": tf.int32, "wide": tf.int64, "f": tf.float32}  # fmt: skip
    # float32 would make 2**24 + 1 even: ids stay integers.
    assert targets["item"].numpy().tolist() == [[2**24 + 1], [7]]
    assert loader.input_schema == loader.schema
    assert [(column.name, column.dtype.name) for column in loader.output_schema] == [
        ("small", "int32"), ("wide", "int64"), ("f", "float32"), ("item", "int64")]  # fmt: skip
    assert loader.schema["f"].dtype.name == "float64"


def test_columns_are_chosen_by_name(numbered: Path) -> None:
    features, targets = next(iter(Loader(numbered, 4, shuffle=False, cat_names=["y"], cont_names=["id"])))
    assert features["id"].dtype == tf.float32
    assert features["y"].numpy().tolist() == [[0], [1], [0], [1]]
    assert "x" not in features
    assert targets == {}
    features, targets = next(iter(Loader(numbered, 4, feature_columns=[ColumnSchema("x")], label_names=["y", "id"])))
    assert (list(features), list(targets)) == (["x"], ["y", "id"])


def test_a_target_that_is_not_asked_for_is_no_feature(numbered: Path) -> None:
    schema = Schema([ColumnSchema("id", dtype="int64"), ColumnSchema("x", dtype="float64", tags=[Tags.REGRESSION]),
                     ColumnSchema("y", dtype="int8", tags=[Tags.BINARY_CLASSIFICATION])])  # fmt: skip

    def names(**arguments: list[str]) -> tuple[list[str], list[str]]:
        features, targets = next(iter(Loader(numbered, 4, schema=schema, **arguments)))
        return list(features), list(targets)

    assert names() == (["id"], ["x", "y"])
    assert names(label_names=["y"]) == (["id"], ["y"])
    assert names(label_names=[]) == (["id"], [])
    assert names(feature_columns=["id", "x"]) == (["id", "x"], ["y"])


def test_golden_loader_of_the_small_schema(write: Write) -> None:
    cases = {case.name: case for case in golden.read("conventions")}
    columns = cases["small schema"].outputs["SMALL"]["columns"]
    expected = cases["Loader"].outputs
    path = write({name: pa.array([1] * 24, column["dtype"].replace("float32", "float")) for name, column in columns.items()})  # noqa: E501  # fmt: skip
    schema = Schema([ColumnSchema(name, tags=column["tags"], dtype=column["dtype"]) for name, column in columns.items()])  # noqa: E501  # fmt: skip
    loader = Loader(path, 8, shuffle=False, schema=schema)
    assert len(loader) == len(list(loader)) == expected["number_of_batches"]
    nine = Loader(path, 9, schema=schema)
    assert len(nine) == len(list(nine)) == expected["with_batch_size_9"]
    dropping = Loader(path, 9, schema=schema, drop_last=True)
    assert len(dropping) == len(list(dropping)) == expected["with_batch_size_9_drop_last"]
    assert loader.output_schema.column_names == expected["output_schema_columns"]
    assert [type(part).__name__ for part in next(iter(loader))] == expected["first_batch_types"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an integer of at least 1; got 0"),
        ({"engine": "csv"}, "engine must be None or 'parquet'; got 'csv'"),
        ({"nonsense": 1}, "Loader has no argument 'nonsense'"),
        ({"device": "tpu"}, "device must be None, 'cpu' or the number of a GPU; got 'tpu'"),
        ({"buffer_size": 0}, "buffer_size must be a fraction up to 1.0 or a number of rows; got 0"),
        ({"parts_per_chunk": 0}, "parts_per_chunk must be an integer of at least 1; got 0"),
        ({"sparse_max": {"id": -1}}, "sparse_max must be an integer of at least 1; got -1"),
        ({"global_size": 2}, "global_size and global_rank must be passed together; got 2 and None"),
        ({"global_size": 2, "global_rank": 2}, "global_rank must be at least 0 and below global_size=2; got 2"),
        ({"feature_columns": ["x"], "cat_names": ["id"]}, "pass feature_columns, or cat_names and cont_names"),
        ({"cat_names": ["x"]}, "cat_names has 'x', which is float64; expected integers"),
        ({"feature_columns": ["y"], "label_names": ["y"]}, "requested as a feature and as a target: y"),
        ({"label_names": ["id", "x", "y"]}, "no feature column is left"),
        ({"reader_kwargs": {"columns": []}}, "reader_kwargs has an unknown option 'columns'"),
        ({"batch_size": 101, "drop_last": True}, "drop_last=True leaves no batch: batch_size=101, 100 rows"),
    ],
)
def test_bad_arguments_are_named(numbered: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        Loader(numbered, **{"batch_size": 10, **arguments})
