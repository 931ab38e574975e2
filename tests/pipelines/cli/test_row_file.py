"""Rows from files of every kind that `emrys predict` takes."""

import dataclasses
import datetime
import decimal
import gzip
import io
import json
import math
import uuid

import pandas as pd
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
FRAME = pd.DataFrame(ROWS)
LINES = "\n".join(json.dumps(row) for row in ROWS) + "\n\n"
CSV = "userId,release_year,zipcode,genres\n1,1995,02138,Comedy|Drama\n2,,,\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.json", json.dumps(ROWS)),
        ("columns.json", json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]})),
        ("rows.jsonl", LINES),
        ("rows.ndjson", LINES),
        ("lines.json", LINES),
        ("records.json", FRAME.to_json(orient="records")),
        ("columns.json", FRAME.to_json()),
        ("index.json", FRAME.to_json(orient="index")),
        ("split.json", FRAME.to_json(orient="split")),
        ("pandas.ndjson", FRAME.to_json(orient="records", lines=True)),
        ("rows.csv", CSV),
        ("rows.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("rows.json", "\ufeff" + json.dumps(ROWS)),
        ("rows.csv", CSV.replace(",", ";")),
        ("rows.csv", CSV.replace(",", "\t")),
        ("rows.tsv", CSV.replace(",", "\t")),
        ("pandas.csv", ",userId,release_year,zipcode,genres\n0,1.0,1995.0,02138,Comedy|Drama\n1,2.0,NaN,,\n"),
        ("ROWS.CSV", '"genres","zipcode","release_year","userId"\n"Comedy|Drama","02138","1995.0","1"\n,,,2\n'),
    ],
)
def test_text_files_give_the_rows(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    rows = read_rows(tmp_path / name, COLUMNS)
    assert [{column.name: row[column.name] for column in COLUMNS} for row in rows] == ROWS


@pytest.mark.parametrize(("name", "text"), [("rows.csv.gz", CSV), ("rows.JSON.GZ", json.dumps(ROWS))])
def test_compressed_files_give_the_rows(tmp_path, name, text):
    (tmp_path / name.lower()).write_bytes(gzip.compress(text.encode()))
    assert read_rows(tmp_path / name.lower(), COLUMNS) == ROWS


def test_one_json_object_is_one_row(tmp_path):
    (tmp_path / "row.json").write_text(json.dumps(ROWS[0]))
    assert read_rows(tmp_path / "row.json", COLUMNS) == ROWS[:1]


def test_the_lists_of_one_row_are_no_columns(tmp_path):
    """A session model reads nothing but a list."""
    recent = [Column("recent", "int64", is_list=True)]
    (tmp_path / "row.json").write_text('{"recent": [3, 4]}')
    assert read_rows(tmp_path / "row.json", recent) == [{"recent": [3, 4]}]
    (tmp_path / "row.json").write_text('{"recent": [[3], [4, 5]]}')
    assert read_rows(tmp_path / "row.json", recent) == [{"recent": [3]}, {"recent": [4, 5]}]


def test_a_parquet_file_gives_the_rows(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    assert read_rows(tmp_path / "rows.parquet", COLUMNS) == ROWS


def test_a_csv_column_that_nobody_asked_for_stays_text(tmp_path):
    (tmp_path / "rows.csv").write_text("userId,note\n7,12\n")
    assert read_rows(tmp_path / "rows.csv", COLUMNS) == [{"userId": 7, "note": "12"}]


def test_a_key_that_a_row_lacks_is_null(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"userId": 7, "zipcode": "1"}\n{"userId": 8}\n')
    assert read_rows(tmp_path / "rows.jsonl", COLUMNS) == [
        {"userId": 7, "zipcode": "1"},
        {"userId": 8, "zipcode": None},
    ]


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("int64", 35.0, 35),
        ("int64", "35", 35),
        ("int64", " 35.0 ", 35),
        ("int64", "9223372036854775807", 2**63 - 1),
        ("int64", -(2**63), -(2**63)),
        ("int64", True, 1),
        ("int64", "False", 0),
        ("int64", "NaN", None),
        ("int64", math.nan, None),
        ("int64", decimal.Decimal("7.00"), 7),
        ("float32", "1e3", 1000.0),
        ("float32", 3, 3.0),
        ("float32", "", None),
        ("float32", decimal.Decimal("0.5"), 0.5),
        ("string", 2138, "2138"),
        ("string", 2**64 - 1, "18446744073709551615"),
        ("string", "NA", "NA"),
        ("string", b"caf\xc3\xa9", "café"),
        ("string", uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_value_is_converted_exactly(tmp_path, monkeypatch, dtype, value, expected):
    assert converted(tmp_path, monkeypatch, dtype, value) == expected


def converted(tmp_path, monkeypatch, dtype, value, time_units=None):
    (tmp_path / "rows.parquet").touch()
    monkeypatch.setattr(pq, "read_table", lambda _: FakeTable([{"x": value}]))
    return read_rows(tmp_path / "rows.parquet", [Column("x", dtype)], time_units)[0]["x"]


#: 2026-01-02 03:04:05 UTC, in seconds since 1970, by `date -u -d "2026-01-02 03:04:05" +%s`.
SECONDS = 1_767_323_045


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("s", "2026-01-02 03:04:05", SECONDS),
        ("s", "2026-01-02T03:04:05Z", SECONDS),
        ("s", " 2026-01-02T05:04:05.999+02:00 ", SECONDS),
        ("ms", "2026-01-02 03:04:05.25", SECONDS * 1000 + 250),
        ("ns", "2026-01-02 03:04:05.25", SECONDS * 10**9 + 250_000_000),
        ("us", datetime.datetime(2026, 1, 2, 3, 4, 5, 7), SECONDS * 10**6 + 7),
        ("s", pd.Timestamp("2026-01-02 04:04:05", tz="Europe/Paris"), SECONDS),
        ("s", datetime.date(1969, 12, 31), -86_400),
        ("s", SECONDS, SECONDS),
        ("s", str(SECONDS), SECONDS),
        ("s", "20260102", 20_260_102),
        ("s", None, None),
    ],
)
def test_a_time_may_be_a_date(tmp_path, monkeypatch, unit, value, expected):
    assert converted(tmp_path, monkeypatch, "int64", value, {"x": unit}) == expected


def test_a_date_without_a_unit_is_no_number(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="got '2026-01-02'"):
        converted(tmp_path, monkeypatch, "int64", "2026-01-02", {"y": "s"})
    with pytest.raises(DataError, match="got '2026-13-02'"):
        converted(tmp_path, monkeypatch, "int64", "2026-13-02", {"x": "s"})


class FakeTable(list):
    def to_pylist(self):
        return list(self)


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        ("int64", 35.5, r"column 'x': row 1.* expected int64, got 35\.5"),
        ("int64", "35.5", r"expected int64, got '35\.5'"),
        ("int64", "1e3", "expected int64, got '1e3'"),
        ("int64", 1e18, "expected int64, got 1e\\+18. .* has lost digits"),
        ("int64", 2**63, "expected int64, got 9223372036854775808"),
        ("int64", [3], r"expected int64, got \[3\]"),
        ("int64", math.inf, "expected int64, got inf"),
        ("int64", datetime.datetime(2026, 1, 2), r"expected int64, got datetime.* numbers that the training data has"),
        ("float32", "12,5", "expected float32, got '12,5'. Write a point"),
        ("float32", "many", "expected float32, got 'many'$"),
        ("string", 35.0, r"expected string, got 35\.0"),
        ("string", True, "expected string, got True"),
        ("string", b"\xff", "expected string, got b"),
    ],
)
def test_a_value_of_another_type_is_refused(tmp_path, monkeypatch, dtype, value, message):
    with pytest.raises(DataError, match=message):
        converted(tmp_path, monkeypatch, dtype, value)


def test_the_first_wrong_value_of_each_column_is_named(tmp_path):
    (tmp_path / "rows.csv").write_text("userId,release_year\n1,1990\n2.5,early\nx,y\n")
    with pytest.raises(DataError) as caught:
        read_rows(tmp_path / "rows.csv", COLUMNS)
    assert str(caught.value) == (
        f"{tmp_path / 'rows.csv'}: column 'userId': row 2, counted from 1, has a value of the wrong type; "
        "expected int64, got '2.5'; column 'release_year', row 2: expected float32, got 'early'"
    )


@pytest.mark.parametrize("lists", [[["Comedy", "Drama"]], [[1, 2]], [("Comedy",)]])
def test_a_list_that_to_csv_made_text_is_refused(tmp_path, lists):
    text = io.StringIO()
    pd.DataFrame({"userId": [1], "genres": lists}).to_csv(text, index=False)
    (tmp_path / "rows.csv").write_text(text.getvalue())
    with pytest.raises(DataError, match=r"column 'genres': row 1.* a list of string, got .* separated by '\|' in CSV"):
        read_rows(tmp_path / "rows.csv", COLUMNS)
    (tmp_path / "rows.json").write_text(json.dumps([{"userId": 1, "genres": str(lists[0])}]))
    with pytest.raises(DataError, match=r"column 'genres': row 1.* a list of string"):
        read_rows(tmp_path / "rows.json", COLUMNS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "rows.txt",
            b"",
            r"rows\.txt: the rows cannot be read; expected a file in \.json, \.jsonl, .*\.parquet, .*\.gz",
        ),
        ("rows.json", b"[", r"rows\.json: the rows cannot be read \(Expecting value"),
        ("rows.json", b"3", r"rows\.json: not a list of rows; expected \[\{\"userId\": …"),
        ("rows.json", b"[1]", r"rows\.json: not a list of rows"),
        ("rows.json", b"[]", r"rows\.json: the file contains no rows"),
        ("rows.json", b"{}", r"rows\.json: not a list of rows"),
        ("rows.json", b'{"userId": [1, 2], "zipcode": ["a"]}', r"the columns differ in length"),
        ("rows.csv", b"userId\nx\n", r"rows\.csv: column 'userId': row 1"),
        ("rows.csv", b"userId,zipcode\n1,2,3\n", r"rows\.csv: the rows cannot be read \(.*Expected 2 columns, got 3"),
        ("rows.csv", b"userId,userId\n1,2\n", r"the column 'userId' stands twice"),
        ("rows.csv", b"", r"rows\.csv: the rows cannot be read"),
        ("rows.csv", b"userId\n", r"rows\.csv: the file contains no rows"),
        ("rows.csv", b"\xff\xfe", r"rows\.csv: the rows cannot be read \('utf-8' codec"),
        ("rows.csv.gz", b"userId\n1\n", r"rows\.csv\.gz: the rows cannot be read"),
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
