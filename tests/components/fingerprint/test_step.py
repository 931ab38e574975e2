from __future__ import annotations

import re

import pytest
from google.cloud import storage

from emrys.blocks.errors import DataError
from emrys.components.fingerprint.step import run
from tests.components.sources.small_s3 import small_s3
from tests.components.storage.conftest import gcs  # noqa: F401


def test_names_stand_for_themselves():
    assert [run(name) for name in ("synthetic", "ml-100k", "ml-1m")] == ["synthetic", "ml-100k", "ml-1m"]


def test_equal_content_has_an_equal_fingerprint(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.parquet").write_bytes(b"rows")
        (tmp_path / folder / ".hidden").write_text(folder)
    found = run(str(tmp_path / "one"))
    assert re.fullmatch("[0-9a-f]{16}", found)
    assert run(str(tmp_path / "two")) == found
    (tmp_path / "two" / "a.parquet").write_bytes(b"rowz")
    assert run(str(tmp_path / "two")) != found, "one byte has changed"
    (tmp_path / "one" / "b.parquet").write_bytes(b"")
    assert run(str(tmp_path / "one")) != found, "there is one file more"


def test_a_file(tmp_path):
    (tmp_path / "log.zip").write_bytes(b"1")
    before = run(str(tmp_path / "log.zip"))
    (tmp_path / "log.zip").write_bytes(b"2")
    assert run(str(tmp_path / "log.zip")) != before


def test_a_bucket(gcs):  # noqa: F811
    bucket = storage.Client().bucket("models")
    bucket.blob("data/a.parquet").upload_from_string(b"rows")
    folder, file = run("gs://models/data"), run("gs://models/data/a.parquet")
    gcs.requests.clear()
    assert run("gs://models/data/") == folder
    assert not [line for line in gcs.requests if "/download/" in line or "alt=media" in line], "nothing is read"
    bucket.blob("data/a.parquet").upload_from_string(b"rowz")
    assert run("gs://models/data") != folder
    assert run("gs://models/data/a.parquet") != file


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match=r"fingerprint: .*nope: there is no such file"):
        run(str(tmp_path / "nope"))


def recipe(path, **tables):
    said = {name: {"path": str(table), "key": "sku"} for name, table in tables.items()}
    return {"version": 1, "data": {"path": path}, "tables": said, "model": {"name": "mlp"}}


def test_the_data_and_the_side_tables_of_a_recipe(tmp_path):
    for name in ("a.csv", "b.csv", "items.parquet"):
        (tmp_path / name).write_bytes(name.encode())
    log = f"{tmp_path}/*.csv"
    plain, joined = run("", recipe(log)), run("", recipe(log, items=tmp_path / "items.parquet"))
    assert run("synthetic", recipe([f"{tmp_path}/a.csv", f"{tmp_path}/b.csv"])) == plain
    assert joined != plain
    (tmp_path / "items.parquet").write_bytes(b"changed")
    assert run("", recipe(log, items=tmp_path / "items.parquet")) != joined
    assert run("", recipe(log)) == plain
    (tmp_path / "b.csv").write_bytes(b"changed")
    assert run("", recipe(log)) != plain
    assert run("", recipe("ml-1m")) == "ml-1m"
    assert run("", recipe("ml-1m", items=tmp_path / "items.parquet")) != "ml-1m"


def test_a_partitioned_folder_by_its_folders(tmp_path):
    for folder, day in (("one", 1), ("two", 2)):
        (tmp_path / folder / f"day={day}").mkdir(parents=True)
        (tmp_path / folder / f"day={day}" / "a.csv").write_bytes(b"rows")
    assert run(str(tmp_path / "one")) != run(str(tmp_path / "two"))


@pytest.mark.slow
def test_files_in_s3_by_size_and_time(monkeypatch):
    objects = {"logs/shop/a.csv": b"sku\n1\n"}
    with small_s3(monkeypatch, objects):
        before = run("s3://logs/shop")
        assert run("s3://logs/shop") == before
        objects["logs/shop/a.csv"] = b"sku\n10\n"
        assert run("s3://logs/shop") != before
