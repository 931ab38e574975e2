"""Data that cannot be read: the error says which file, which column, what was expected, on one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from merlin.schema import ColumnSchema, Schema

from emrys.blocks.errors import DataError, SchemaError
from emrys.blocks.loader import Loader
from tests.blocks.loader.conftest import Write


def refused(match: str, *arguments: object, **options: object) -> None:
    with pytest.raises(DataError, match=re.escape(match)) as caught:
        Loader(*arguments, **{"batch_size": 4, **options})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    path.touch()
    refused(f"{path}: the file is not a complete Parquet file", path)


def test_a_file_that_was_cut_short(numbered: Path) -> None:
    numbered.write_bytes(numbered.read_bytes()[:-20])
    refused(f"{numbered}: the file is not a complete Parquet file", numbered)


def test_a_file_without_rows(write: Write) -> None:
    path = write({"id": pa.array([], pa.int64())})
    refused(f"{path}: the data has no rows; expected at least one", path)


def test_an_empty_file_among_others_is_passed_over(write: Write) -> None:
    empty = write({"id": pa.array([], pa.int64())}, "a.parquet")
    full = write({"id": [1, 2]}, "b.parquet")
    assert len(list(Loader([empty, full], 1))) == 2


def test_a_missing_column(numbered: Path, write: Write) -> None:
    refused(f"{numbered}: column 'user': the column is missing; expected one of id, x, y", numbered,
            feature_columns=["user"])  # fmt: skip
    schema = Schema([ColumnSchema("id", dtype=np.int64), ColumnSchema("age", dtype=np.int64)])
    refused(f"{numbered}: column 'age': the column is missing; expected one of id, x, y", numbered, schema=schema)
    other = write({"id": [1]}, "other.parquet")
    refused(f"{other}: column 'x': the column is missing; expected one of id", [numbered, other])
    with pytest.raises(SchemaError, match="column 'x': the column is not in the schema; expected one of id, age"):
        Loader(numbered, 4, schema=schema, label_names=["x"])


def test_a_type_that_does_not_fit(write: Write) -> None:
    path = write({"i": [1], "f": [0.5], "s": ["a"], "l": [[1]]})

    def one(name: str, **arguments: object) -> Schema:
        return Schema([ColumnSchema(name, **arguments)])

    refused(f"{path}: column 's': the type does not fit; expected integers, got string", path)
    refused("column 'f': the type does not fit; expected integers, got double", path, schema=one("f", dtype=np.int64))
    refused("column 's': the type does not fit; expected floats or integers, got string", path,
            schema=one("s", dtype=np.float32))  # fmt: skip
    refused("column 'l': the type does not fit; expected integers, got list<", path, schema=one("l", dtype=np.int64))
    refused("column 'i': the type does not fit; expected lists of integers, got int64", path,
            schema=one("i", dtype=np.int64, is_list=True, is_ragged=True))  # fmt: skip


def test_nulls_that_the_footer_tells_of(write: Write) -> None:
    path = write({"id": [1, 2, 3, None, None]}, rows_per_group=2)
    refused(f"{path}: column 'id': the column has nulls; expected a value in every row, got 1 nulls in row group 1. "
            "Fill the nulls", path)  # fmt: skip


def fails_when_read(loader: Loader, match: str) -> None:
    with pytest.raises(DataError, match=re.escape(match)):
        list(loader)
    with pytest.raises(DataError, match=re.escape(match)), loader.reading_errors():
        list(loader.to_tf_dataset())


def test_nulls_that_the_footer_does_not_tell_of(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": [1, 2, None]}), path, write_statistics=False)
    fails_when_read(Loader(path, 2), f"{path}: column 'id': the column has nulls; expected a value in every row, got "
                    "1 nulls in row group 0")  # fmt: skip


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([[1], None], "the column has nulls; expected a list, possibly an empty one, in every row, got 1 nulls"),
        ([[1], [2, None]], "the column has nulls; expected a value at every position of every list, got 1 nulls"),
    ],
)
def test_nulls_in_lists(write: Write, lists: list, message: str) -> None:
    fails_when_read(Loader(write({"ids": pa.array(lists)}), 2), message)


def test_lists_of_another_length_than_the_schema_says(write: Write) -> None:
    schema = Schema([ColumnSchema("ids", dtype=np.int64, properties={"value_count": {"min": 2, "max": 2}})])
    loader = Loader(write({"ids": [[1, 2], [3]]}), 2, schema=schema)
    fails_when_read(loader, "column 'ids': the lists differ in length; expected lists of 2, got one of 1")


def test_a_number_out_of_range(write: Write) -> None:
    loader = Loader(write({"id": [1, 2**40]}), 2, schema=Schema([ColumnSchema("id", dtype=np.int32)]))
    fails_when_read(loader, "column 'id': a number is out of range; expected int32")


def test_a_damaged_page(write: Write) -> None:
    path = write({"id": np.random.default_rng(0).integers(0, 2**60, 1000)}, rows_per_group=1000)
    content = bytearray(path.read_bytes())
    content[4:1000] = bytes(996)
    path.write_bytes(bytes(content))
    fails_when_read(Loader(path, 10), f"{path}: row group 0 cannot be read")


def test_errors_of_others_pass_through(numbered: Path) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError), Loader(numbered, 10).reading_errors():
        raise tf.errors.InvalidArgumentError(None, None, "not about the data")
