"""Readers of files: formats, folders, globs, partitions, buckets, and what each says when it cannot read."""

from __future__ import annotations

import bz2
import datetime
import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import storage

from emrys.blocks.errors import ConfigError, DataError
from emrys.components.recipe.recipe import DataSource
from emrys.components.sources.open_source import open_source
from tests.components.sources.small_s3 import small_s3
from tests.components.storage.conftest import gcs  # noqa: F401

NOVEMBER = [datetime.date(2026, 11, day) for day in (1, 2, 3)]


def source(path, **settings):
    return open_source(DataSource(path=path if isinstance(path, tuple) else str(path), **settings))


def rows(path, **settings):
    return source(path, **settings).read().to_pylist()


def types(path, **settings):
    return {field.name: str(field.type) for field in source(path, **settings).read().schema}


def error_of(path, **settings):
    with pytest.raises(DataError) as error:
        source(path, **settings).read()
    return str(error.value)


def parquet(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


# CSV.


def test_a_csv_file(tmp_path):
    (tmp_path / "shop.csv").write_text('visitor,note,price,bought\n7,"a, ""b""\nc",2.5,true\n8,,,false\n')
    assert rows(tmp_path / "shop.csv") == [
        {"visitor": 7, "note": 'a, "b"\nc', "price": 2.5, "bought": True},
        {"visitor": 8, "note": "", "price": None, "bought": False},
    ]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("bom.csv", "\ufeffsku,price\n1,2\n", {"sku": 1, "price": 2}),
        ("semicolons.csv", "sku;price;name\n1;2,5;a,b\n", {"sku": 1, "price": 2.5, "name": "a,b"}),
        ("tabs.tsv", "sku\tname\n1\ta, b; c\n", {"sku": 1, "name": "a, b; c"}),
        ("tabs.csv", "sku\tname\n1\ta, b\n", {"sku": 1, "name": "a, b"}),
        ("bars.txt", "sku|name\n1|a, b\n", {"sku": 1, "name": "a, b"}),
        ("one.csv", "sku\n5\n", {"sku": 5}),
        ("lines.csv", "sku,price\r\n1,2\r\n", {"sku": 1, "price": 2}),
        ("zeros.csv", "sku,zip,zero\n1,00501,0\n", {"sku": 1, "zip": "00501", "zero": 0}),
    ],
)
def test_csv_files_as_people_have_them(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text, newline="")
    assert rows(tmp_path / name) == [expected]
    assert source(tmp_path / name).head(5).to_pylist() == [expected]


def test_a_csv_file_in_utf16(tmp_path):
    (tmp_path / "a.csv").write_text("sku,name\n1,é\n", encoding="utf-16")
    assert rows(tmp_path / "a.csv") == [{"sku": 1, "name": "é"}]


def test_a_csv_file_without_names(tmp_path):
    (tmp_path / "a.csv").write_text("1,x\n2,y\n")
    assert rows(tmp_path / "a.csv", header=("sku", "name")) == [{"sku": 1, "name": "x"}, {"sku": 2, "name": "y"}]
    assert rows(tmp_path / "a.csv", header=False)[0] == {"f0": 1, "f1": "x"}
    (tmp_path / "b.csv").write_text("1;2\n3;4\n")
    assert rows(tmp_path / "b.csv", header=("p,q",), delimiter="#") == [{"p,q": "1;2"}, {"p,q": "3;4"}]


def test_compressed_text_files(tmp_path):
    text = b"sku,price\n1,2.5\n"
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    (tmp_path / "b.csv.bz2").write_bytes(bz2.compress(text))
    (tmp_path / "c.csv.zst").write_bytes(pa.Codec("zstd").compress(text, asbytes=True))
    for name in ("a.csv.gz", "b.csv.bz2", "c.csv.zst"):
        assert rows(tmp_path / name) == [{"sku": 1, "price": 2.5}], name
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(b'{"sku": 1}\n'))
    assert rows(tmp_path / "d.jsonl.gz") == [{"sku": 1}]


def test_integers_of_any_width(tmp_path):
    (tmp_path / "a.csv").write_text("sku,long,big\n18446744073709551615,184467440737095516150,1e20\n3,4,2e20\n")
    (tmp_path / "a.jsonl").write_text('{"sku": 18446744073709551615, "big": 1e20}\n')
    expected = {"sku": 18446744073709551615, "long": "184467440737095516150", "big": 1e20}
    assert rows(tmp_path / "a.csv")[0] == expected
    assert source(tmp_path / "a.csv").head(1).to_pylist() == [expected]
    assert rows(tmp_path / "a.jsonl") == [{"sku": 18446744073709551615, "big": 1e20}]


def test_a_type_that_shows_late_in_a_csv_file(tmp_path):
    (tmp_path / "a.csv").write_text("sku\n" + "1\n" * 600_000 + "A7\n")
    table = source(tmp_path / "a.csv").read()
    assert (table["sku"][0].as_py(), table["sku"][-1].as_py(), len(table)) == ("1", "A7", 600_001)


def test_csv_files_of_a_folder_share_their_types(tmp_path):
    (tmp_path / "1.csv").write_text("sku,price\n7,1\n")
    (tmp_path / "2.csv").write_text("sku,price,late\nA7,1.5,x\n")
    (tmp_path / "3.csv").write_text("sku,price\n")
    found = source(tmp_path)
    assert found.read().to_pylist() == [
        {"sku": "7", "price": 1.0, "late": None},
        {"sku": "A7", "price": 1.5, "late": "x"},
    ]
    assert found.skipped == (str(tmp_path / "3.csv"),)
    assert found.parts == (("1", 1), ("2", 1))
    assert found.head(1).to_pylist() == [{"sku": "7", "price": 1.0, "late": None}]


def test_csv_files_that_cannot_be_read(tmp_path):
    (tmp_path / "a.csv").write_text("sku,price\n1,2\n1,2,3\n")
    assert error_of(tmp_path / "a.csv") == (
        f"{tmp_path}/a.csv: the CSV file cannot be read (CSV parse error: Expected 2 columns, got 3: 1,2,3). "
        "Check data.delimiter and data.header, or write the file again."
    )
    (tmp_path / "b.csv").write_bytes("sku,name\n1,é\n".encode("latin-1"))
    assert error_of(tmp_path / "b.csv").endswith("Save the file as UTF-8.")
    (tmp_path / "c.csv").write_text("sku,sku\n1,2\n")
    assert error_of(tmp_path / "c.csv") == (
        f"{tmp_path}/c.csv: column 'sku': the column occurs twice. Keep one of them; if the first line holds values, "
        "name the columns in data.header."
    )
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"sku\n1\n" * 1000)[:-20])
    assert error_of(tmp_path / "d.csv.gz").startswith(f"{tmp_path}/d.csv.gz: the CSV file cannot be read (")
    with pytest.raises(ConfigError, match=r"data\.delimiter has several signs; expected one sign, got '::'"):
        source(tmp_path / "a.csv", delimiter="::")


# JSON lines.


def test_json_lines(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"sku": "7", "tags": ["x", "y"], "price": 2}\n{"sku": "8", "price": 2.5}\n')
    (tmp_path / "b.ndjson").write_text('\ufeff{"sku": "9", "new": true}\n')
    assert rows(tmp_path) == [
        {"sku": "7", "tags": ["x", "y"], "price": 2.0, "new": None},
        {"sku": "8", "tags": None, "price": 2.5, "new": None},
        {"sku": "9", "tags": None, "price": None, "new": True},
    ]


def test_json_files_that_cannot_be_read(tmp_path):
    (tmp_path / "a.json").write_text('[{"sku": 1}]')
    assert error_of(tmp_path / "a.json") == (
        f"{tmp_path}/a.json: the file holds one JSON array; expected JSON lines, one object a line. "
        "Write it with DataFrame.to_json(..., orient='records', lines=True)."
    )
    (tmp_path / "b.jsonl").write_text('{"sku": 1}\n{"sku": "x"}\n')
    assert error_of(tmp_path / "b.jsonl") == (
        f"{tmp_path}/b.jsonl: the file cannot be read as JSON lines (JSON parse error: Column(/sku) changed from "
        "number to string in row 1). Write one JSON object a line, each column with values of one type."
    )


# Parquet, folders and globs.


def test_types_of_parquet_files_are_unified(tmp_path):
    parquet(
        tmp_path / "a.parquet",
        sku=pa.array([1], pa.int32()),
        size=pa.array([1], pa.int8()),
        name=["x"],
        kind=pa.array(["k"]).dictionary_encode(),
        blank=pa.nulls(1),
        tags=pa.array([["p"]], pa.large_list(pa.large_string())),
    )
    parquet(
        tmp_path / "b.parquet",
        sku=pa.array([2], pa.int64()),
        size=pa.array([1.5], pa.float64()),
        name=pa.array(["y"], pa.large_string()),
        kind=["l"],
        blank=pa.array([3], pa.int64()),
        tags=[["q"]],
    )
    assert types(tmp_path) == {
        "sku": "int64",
        "size": "double",
        "name": "string",
        "kind": "string",
        "blank": "int64",
        "tags": "list<item: string>",
    }
    assert rows(tmp_path) == [
        {"sku": 1, "size": 1.0, "name": "x", "kind": "k", "blank": None, "tags": ["p"]},
        {"sku": 2, "size": 1.5, "name": "y", "kind": "l", "blank": 3, "tags": ["q"]},
    ]


def test_types_that_cannot_be_unified(tmp_path):
    parquet(tmp_path / "a.parquet", sku=[1])
    parquet(tmp_path / "b.parquet", sku=["x"])
    assert error_of(tmp_path) == (
        f"{tmp_path}/b.parquet: column 'sku': the type of the column differs between files; expected int64 as in "
        f"{tmp_path}/a.parquet, got string. Write the files with one type, or choose files by a glob in data.path."
    )


@pytest.fixture
def days(tmp_path):
    """Three days, the second of them empty, the third with a column more."""
    folder = tmp_path / "events"
    parquet(folder / "day=2026-11-01" / "part-0.parquet", sku=pa.array([1, 2], pa.int32()))
    parquet(folder / "day=2026-11-02" / "part-0.parquet", sku=pa.array([], pa.int32()))
    parquet(folder / "day=2026-11-03" / "part-0.parquet", sku=[3], late=["x"])
    (folder / "day=2026-11-03" / "_SUCCESS").touch()
    (folder / "day=2026-11-03" / ".part-0.parquet.crc").write_bytes(b"1")
    return folder


DAYS = [
    {"sku": 1, "late": None, "day": NOVEMBER[0]},
    {"sku": 2, "late": None, "day": NOVEMBER[0]},
    {"sku": 3, "late": "x", "day": NOVEMBER[2]},
]


@pytest.mark.parametrize("pattern", ["", "/day=*/", "/day=*", "/*/*.parquet", "/**/*.parquet", "/**"])
def test_a_partitioned_folder_with_an_empty_part_and_a_late_column(days, pattern):
    found = source(f"{days}{pattern}")
    assert found.read().to_pylist() == DAYS
    assert found.skipped == (f"{days}/day=2026-11-02/part-0.parquet",)
    assert found.head(2).to_pylist() == DAYS[:2]
    assert found.head(10).to_pylist() == DAYS
    assert found.schema.names == ["sku", "late", "day"]


def test_only_the_columns_that_are_asked_for(days):
    assert source(days).read(["day", "sku"]).to_pylist()[2] == {"day": NOVEMBER[2], "sku": 3}
    with pytest.raises(DataError, match=r"events: column 'price': the column is missing; got sku, late, day"):
        source(days).read(["price"])


def test_partitions_of_other_types(tmp_path):
    for name, sku in (("hour=9/shop=a%20b", 1), ("hour=10/shop=__HIVE_DEFAULT_PARTITION__", 2), ("code=007", 3)):
        parquet(tmp_path / name / "a.parquet", sku=[sku])
    found = sorted(rows(tmp_path), key=lambda row: row["sku"])
    assert found == [
        {"sku": 1, "hour": 9, "shop": "a b", "code": None},
        {"sku": 2, "hour": 10, "shop": None, "code": None},
        {"sku": 3, "hour": None, "shop": None, "code": "007"},
    ]


def test_a_list_of_paths_and_a_glob(tmp_path):
    for name in "abc":
        parquet(tmp_path / f"{name}.parquet", name=[name])
    paths = (str(tmp_path / "c.parquet"), f"{tmp_path}/[ab].parquet", (tmp_path / "c.parquet").as_uri())
    # A file that two paths name by one name is read once.
    assert [row["name"] for row in rows(paths[:2])] == ["c", "a", "b"]
    assert [row["name"] for row in rows((paths[1], str(tmp_path)))] == ["a", "b", "c"]
    assert [row["name"] for row in rows(paths[2])] == ["c"]


def test_paths_relative_to_the_home_and_the_working_folder(tmp_path, monkeypatch):
    parquet(tmp_path / "a.parquet", sku=[1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert rows("a.parquet") == rows("~/a.parquet") == rows("*.parquet") == [{"sku": 1}]


def test_folders_with_other_files(tmp_path):
    parquet(tmp_path / "a.parquet", sku=[1])
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "schema.json").write_text("{}")
    assert rows(tmp_path) == [{"sku": 1}]
    (tmp_path / "b.csv").write_text("sku\n2\n")
    assert error_of(tmp_path) == (
        f"{tmp_path}: the files are of several formats; expected files of one, got 1 of Parquet, 1 of CSV. "
        "Choose files by a glob in data.path, or set data.reader."
    )
    (tmp_path / "export").write_text("sku\n2\n")
    assert rows(tmp_path / "export", reader="csv") == [{"sku": 2}]


def test_nothing_to_read(tmp_path):
    parquet(tmp_path / "a.parquet", sku=pa.array([], pa.int64()))
    (tmp_path / "b.parquet").touch()
    assert error_of(tmp_path) == (
        f"{tmp_path}: none of the 2 files has rows; expected at least one. Write it again, or correct the path."
    )
    assert error_of(tmp_path / "*.csv") == (
        f"{tmp_path}/*.csv: there is no such file; expected a file, a folder with files, or a glob that matches some. "
        "Correct the path."
    )
    with pytest.raises(ConfigError, match=r"the storage is not supported; expected .*, got 'ftp://a/b'"):
        source("ftp://a/b")


# Buckets.


@pytest.mark.slow
def test_a_partitioned_folder_in_google_cloud_storage(gcs, days):  # noqa: F811
    bucket = storage.Client().bucket("models")
    for file in days.rglob("*"):
        if file.is_file():
            bucket.blob(f"shop/{file.relative_to(days)}").upload_from_filename(str(file))
    bucket.blob("shop/text/a.csv.gz").upload_from_string(gzip.compress(b"sku;name\n1;x\n"))
    bucket.blob("shop/text/b.jsonl").upload_from_string(b'{"sku": 2}\n')
    for path in ("gs://models/shop/day=*/", "gs://models/shop/**/*.parquet"):
        found = source(path)
        assert found.read().to_pylist() == DAYS
        assert found.skipped == ("gs://models/shop/day=2026-11-02/part-0.parquet",)
    assert rows("gs://models/shop/text/a.csv.gz") == [{"sku": 1, "name": "x"}]
    assert rows("gs://models/shop/text/b.jsonl") == [{"sku": 2}]
    assert error_of("gs://models/none") == (
        "gs://models/none: there is no such file; expected a file, a folder with files, or a glob that matches some. "
        "Correct the path."
    )


@pytest.mark.slow
def test_a_partitioned_folder_in_s3(monkeypatch, days):
    objects = {f"logs/shop/{file.relative_to(days)}": file.read_bytes() for file in days.rglob("*") if file.is_file()}
    with small_s3(monkeypatch, {**objects, "logs/a.csv": b"sku\n1\n"}):
        for path in ("s3://logs/shop", "s3://logs/shop/day=*/"):
            assert rows(path) == DAYS
        assert rows("s3://logs/a.csv") == [{"sku": 1}]


# Readers of data sets.


def test_movielens_by_its_files_and_synthetic_by_its_name(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("u.data", "1\t5\t4\t900\n")
        archive.writestr(
            "u.item", "5|Café Nord (1995)|01-Jan-1995||http://x|" + "|".join(["0"] * 5 + ["1"] + ["0"] * 13)
        )
        archive.writestr("u.user", "1|30|F|artist|00501\n")
    (tmp_path / "release.zip").write_bytes(content.getvalue())
    row = rows(tmp_path / "release.zip")[0]
    assert (row["userId"], row["rating"], row["zipcode"], row["genres"]) == (1, 4.0, "00501", ["Comedy"])
    drawn = source("synthetic", reader="synthetic", rows=50)
    assert drawn.read().num_rows == len(drawn.probability) == 50
    assert drawn.head(3).to_pylist() == drawn.read().slice(0, 3).to_pylist()
