from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest
from merlin.io import Dataset

from emrys.blocks.errors import ConfigError, DataError, SchemaError
from emrys.blocks.utils.files import (
    get_filenames,
    get_label_feature_name,
    get_parquet_files_names,
    get_timestamp_feature_name,
    validate_dataset,
)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.parquet", "a.parquet", "c.txt", "sub/d.parquet", "other/e.parquet"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_get_filenames(folder):
    def relative(*args):
        return [path.removeprefix(f"{folder}/") for path in get_filenames(*args)]

    assert relative([folder / "other", folder], "*.parquet") == ["other/e.parquet", "a.parquet", "b.parquet"]
    assert relative(str(folder)) == ["a.parquet", "b.parquet", "c.txt", "other", "sub"]
    assert relative(folder, "*/*.parquet") == ["other/e.parquet", "sub/d.parquet"]
    assert relative(folder / "sub", "*.csv") == []
    assert relative([]) == []


def test_get_filenames_of_a_missing_folder(folder):
    with pytest.raises(DataError) as error:
        get_filenames([folder, folder / "none"])
    assert str(error.value) == f"{folder / 'none'}: the folder is missing"


def test_label():
    assert get_label_feature_name({"a": {"dtype": "int"}, "l": {"is_label": True}, "b": {"is_label": False}}) == "l"
    with pytest.raises(SchemaError) as error:
        get_label_feature_name({"a": {}, "b": {"is_label": False}})
    assert str(error.value) == "the label is not clear; expected one feature with is_label = True, got none among a, b"
    with pytest.raises(SchemaError, match=r"expected one feature with is_label = True, got a, b$"):
        get_label_feature_name({"a": {"is_label": True}, "b": {"is_label": True}})


def test_timestamp():
    features = {"a": {}, "b": {"dtype": "int"}, "t": {"dtype": "timestamp"}, "u": {"dtype": "timestamp"}}
    assert get_timestamp_feature_name(features) == "t"
    with pytest.raises(SchemaError) as error:
        get_timestamp_feature_name({})
    assert str(error.value) == (
        'there is no timestamp feature; expected a feature with dtype = "timestamp", got none among no features'
    )


@pytest.mark.parametrize(
    ("is_train", "eval_on_test_set", "name"),
    [(True, False, "train"), (True, True, "train"), (False, False, "valid"), (False, True, "test")],
)
def test_parquet_files_of_time_windows(is_train, eval_on_test_set, name):
    where = SimpleNamespace(data_path="/data", time_window_folder_pad_digits=3)
    assert get_parquet_files_names(where, [1, 20], is_train, eval_on_test_set) == [
        f"/data/001/{name}.parquet",
        f"/data/020/{name}.parquet",
    ]
    assert get_parquet_files_names(where, 1234, is_train, eval_on_test_set) == [f"/data/1234/{name}.parquet"]


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "table"
    path.mkdir()
    pd.DataFrame({"a": range(0, 60)}).to_parquet(path / "0.parquet")
    pd.DataFrame({"a": range(60, 100)}).to_parquet(path / "1.parquet")
    pd.DataFrame({"a": range(5)}).to_csv(path / "2.csv", index=False)
    return path


def _values(dataset):
    return dataset.to_ddf().compute()["a"].tolist()


def _rows_of_parts(dataset):
    return dataset.to_ddf().map_partitions(len).compute().tolist()


def test_a_dataset_passes(parquet):
    dataset = Dataset(str(parquet / "0.parquet"))
    assert validate_dataset(dataset, 10, 0.1, None, None) is dataset


def test_read_columns(parquet):
    for paths in (
        parquet,
        str(parquet),
        [parquet / "0.parquet", str(parquet / "1.parquet")],
        str(parquet / "*.parquet"),
        pd.DataFrame({"a": range(100)}),
    ):
        dataset = validate_dataset(paths, 10, 0.1, None, None)
        assert isinstance(dataset, Dataset)
        assert _values(dataset) == list(range(100))
    assert _values(validate_dataset(parquet, 10, 0.1, "csv", {"sep": ","})) == [0, 1, 2, 3, 4]
    assert _values(validate_dataset(parquet / "2.csv", 10, 5, "csv", None)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("batch_size", "buffer_size", "parts"),
    [
        (10, 50, [50, 50]),  # 50 rows at once
        (10, 2, [20, 20, 20, 20, 20]),  # 2 batches of 10 rows
        (10, 2.5, [25, 25, 25, 25]),
        (None, 50, [50, 50]),
        (10, 1000, [100]),
    ],
)
def test_rows_that_are_read_at_once(parquet, batch_size, buffer_size, parts):
    dataset = validate_dataset(pd.DataFrame({"a": range(100)}), batch_size, buffer_size, None, None)
    assert _rows_of_parts(dataset) == parts
    dataset = validate_dataset(parquet, batch_size, buffer_size, "parquet", {})
    assert len(_rows_of_parts(dataset)) == len(parts)
    assert _values(dataset) == list(range(100))


def test_a_size_of_parts_among_the_arguments_wins(parquet):
    dataset = validate_dataset(parquet, 10, 20, "parquet", {"row_groups_per_part": 1})
    assert _rows_of_parts(dataset) == [60, 40]


def test_unreadable_files(parquet):
    with pytest.raises(DataError) as error:
        validate_dataset(parquet / "none.parquet", 10, 0.1, None, None)
    assert str(error.value) == f"{parquet / 'none.parquet'}: the file is missing"
    with pytest.raises(
        DataError, match=r"^there are no files to read; expected a Dataset or paths of files, got \[\]$"
    ):
        validate_dataset([], 10, 0.1, None, None)
    with pytest.raises(DataError, match=r"^there are no files to read"):
        validate_dataset(parquet, 10, 0.1, "avro", None)
    with pytest.raises(DataError) as error:
        validate_dataset(5, 10, 0.1, None, None)
    assert (
        str(error.value)
        == "the type of the data is not supported; expected a Dataset, a data frame or paths of files, got 5"
    )
    with pytest.raises(ConfigError) as error:
        validate_dataset(parquet, 10, -1, None, None)
    assert str(error.value) == "buffer_size is invalid; expected a fraction, or a number of rows, got -1"
