"""Data sources of the loader."""

from __future__ import annotations

from pathlib import Path

import merlin.io
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema, Tags
from pyarrow import fs

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.loader import Loader
from tests.blocks.loader.conftest import Write


def ids(loader: Loader) -> list[int]:
    return [int(number) for features, _ in loader for number in features["id"].numpy()[:, 0]]


@pytest.fixture
def folder(write: Write) -> Path:
    """Three parts, whose order by number is not that of the alphabet, and what a loader must pass over."""
    for part, first in (("part_1", 0), ("part_2", 10), ("part_10", 20)):
        path = write({"id": list(range(first, first + 10))}, f"data/{part}.parquet", rows_per_group=3)
    write({"id": [99]}, "data/_temporary.parquet")
    (path.parent / "notes.txt").write_text("nothing to read")
    return path.parent


def test_paths_of_every_kind(folder: Path) -> None:
    everything = list(range(30))
    assert ids(Loader(folder, 4, shuffle=False)) == everything
    assert ids(Loader(str(folder), 4, shuffle=False)) == everything
    assert ids(Loader(f"{folder}/part_*.parquet", 4, shuffle=False)) == everything
    assert ids(Loader(folder.as_uri(), 4, shuffle=False)) == everything
    assert ids(Loader("data", 4, shuffle=False, reader_kwargs={
        "filesystem": fs.SubTreeFileSystem(str(folder.parent), fs.LocalFileSystem())})) == everything  # fmt: skip
    assert ids(Loader([folder / "part_10.parquet", folder / "part_1.parquet"], 4, shuffle=False)) == [
        *range(20, 30), *range(10)]  # fmt: skip


def test_reader_options_reach_the_reader(numbered: Path) -> None:
    options = {"memory_map": True, "pre_buffer": True}
    assert ids(Loader(numbered, 30, shuffle=False, reader_kwargs=options)) == list(range(100))


def test_an_arrow_table(numbered: Path) -> None:
    table = pa.table({"id": [3, 1, 2]})
    assert ids(Loader(table, 2, shuffle=False)) == [3, 1, 2]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_data_set_of_files_with_its_schema(folder: Path) -> None:
    schema = Schema([ColumnSchema("id", dtype="int32", tags=[Tags.ITEM_ID])])
    dataset = merlin.io.Dataset(str(folder / "part_2.parquet"), engine="parquet", schema=schema)
    loader = Loader(dataset, 4, shuffle=False)
    assert ids(loader) == list(range(10, 20))
    assert loader.schema == schema
    assert next(iter(loader))[0]["id"].dtype == tf.int32


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_filtered_data_set_gives_what_is_left(folder: Path) -> None:
    dataset = merlin.io.Dataset(str(folder / "part_2.parquet"), engine="parquet", filters=[("id", ">", 14)])
    kept = set(dataset.to_ddf().compute()["id"])
    assert len(kept) < 10
    assert set(ids(Loader(dataset, 4, shuffle=False))) == kept


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_data_set_in_memory() -> None:
    frame = pd.DataFrame({"id": range(20), "tags": [[i, i + 1] for i in range(20)], "y": [i % 2 for i in range(20)]})
    dataset = merlin.io.Dataset(frame, npartitions=3)
    dataset.schema = Schema([
        ColumnSchema("id", dtype="int64"), ColumnSchema("tags", dtype="int64", is_list=True, is_ragged=True),
        ColumnSchema("y", dtype="int64", tags=[Tags.BINARY_CLASSIFICATION]),
    ])  # fmt: skip
    batches = list(Loader(dataset, 8, shuffle=False))
    assert [len(features["id"]) for features, _ in batches] == [8, 8, 4]
    features, targets = batches[1]
    assert features["id"].numpy()[:, 0].tolist() == list(range(8, 16))
    assert features["tags"].to_list() == [[i, i + 1] for i in range(8, 16)]
    assert targets["y"].numpy()[:, 0].tolist() == [i % 2 for i in range(8, 16)]
    assert sorted(ids(Loader(dataset, 8))) == list(range(20))


def test_missing_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}/no.parquet: the path does not exist; expected a Parquet file"):
        Loader(tmp_path / "no.parquet", 4)
    with pytest.raises(DataError, match=f"{tmp_path}: the folder has no Parquet file"):
        Loader(tmp_path, 4)
    with pytest.raises(DataError, match="no file matches; expected Parquet files"):
        Loader(f"{tmp_path}/*.parquet", 4)
    with pytest.raises(DataError, match="there is nothing to read"):
        Loader([], 4)
    with pytest.raises(DataError, match="the address cannot be opened"):
        Loader("nowhere://bucket/data", 4)
    with pytest.raises(ConfigError, match=r"paths_or_dataset must be paths or a merlin\.io\.Dataset; got int"):
        Loader(3, 4)  # type: ignore[arg-type]
