"""Rows from files of every kind that `emrys predict` takes."""

import dataclasses
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import DataError
from emrys.pipelines.cli.row_file import read_rows


@dataclasses.dataclass(frozen=True)
class Column:
    name: str
    dtype: str
    is_list: bool = False


COLUMNS = (
    Column("userId", "int64"),
    Column("release_year", "float32"),
    Column("zipcode", "string"),
    Column("genres", "string", is_list=True),
)
ROWS = [
    {"userId": 1, "release_year": 1995.0, "zipcode": "02138", "genres": ["Comedy", "Drama"]},
    {"userId": 2, "release_year": None, "zipcode": None, "genres": []},
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.json", json.dumps(ROWS)),
        ("columns.json", json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]})),
        ("rows.jsonl", "\n".join(json.dumps(row) for row in ROWS) + "\n\n"),
        ("rows.csv", "userId,release_year,zipcode,genres\n1,1995,02138,Comedy|Drama\n2,,,\n"),
        ("ROWS.CSV", '"genres","zipcode","release_year","userId"\n"Comedy|Drama","02138","1995.0","1"\n,,,2\n'),
    ],
)
def test_text_files_give_the_rows(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_rows(tmp_path / name, COLUMNS) == ROWS


def test_one_json_object_is_one_row(tmp_path):
    (tmp_path / "row.json").write_text(json.dumps(ROWS[0]))
    assert read_rows(tmp_path / "row.json", COLUMNS) == ROWS[:1]


def test_a_parquet_file_gives_the_rows(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    assert read_rows(tmp_path / "rows.parquet", COLUMNS) == ROWS


def test_a_csv_column_that_nobody_asked_for_stays_text(tmp_path):
    (tmp_path / "rows.csv").write_text("userId,note\n7,12\n")
    assert read_rows(tmp_path / "rows.csv", COLUMNS) == [{"userId": 7, "note": "12"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.txt", b"", r"rows\.txt: the rows cannot be read; expected a file in \.json, \.jsonl, \.csv, \.parquet"),
        ("rows.json", b"[", r"rows\.json: the rows cannot be read \(Expecting value"),
        ("rows.json", b"3", r"rows\.json: not a list of rows; expected \[\{"),
        ("rows.json", b"[1]", r"rows\.json: not a list of rows"),
        ("rows.json", b"[]", r"rows\.json: the file contains no rows"),
        ("rows.csv", b"userId\nx\n", r"rows\.csv: the rows cannot be read \(invalid literal for int"),
        ("rows.csv", b"\xff\xfe", r"rows\.csv: the rows cannot be read \('utf-8' codec"),
        ("rows.parquet", b"PAR1 and no more", r"rows\.parquet: the rows cannot be read"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / name, COLUMNS)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"rows\.json: the file of rows is missing"):
        read_rows(tmp_path / "rows.json", COLUMNS)
