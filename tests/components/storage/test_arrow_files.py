from __future__ import annotations

import pytest
from pyarrow import fs

from emrys.blocks.errors import ConfigError
from emrys.components.storage.arrow_files import bucket_errors, open_files
from emrys.components.storage.store import StorageError


def test_paths_of_the_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert [open_files(uri)[1] for uri in ("a/*.csv", "~/b", "/c", "file:///d%20e", "file://localhost/f")] == [
        f"{tmp_path}/a/*.csv",
        "/home/someone/b",
        "/c",
        "/d e",
        "/f",
    ]
    assert all(isinstance(open_files(uri)[0], fs.LocalFileSystem) for uri in ("a", "file:///d"))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        (
            "hdfs://a/b",
            "the storage is not supported; expected a path, or file://, gs:// or s3:// and a path, got 'hdfs://a/b'",
        ),
        ("gs://", "the URI has no bucket; expected gs://bucket/folder, got gs://"),
        ("file://other/a", "the URI points to another machine; expected file:///folder, got file://other/a"),
    ],
)
def test_uris_that_cannot_be_opened(uri, message):
    with pytest.raises(ConfigError) as error:
        open_files(uri)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (FileNotFoundError(2, "no"), "gs://a/b: the file or the bucket is missing. Check the name."),
        (
            OSError("google::cloud::Status(PERMISSION_DENIED: no)"),
            "gs://a/b: access is denied. Give the account a role that may list and read the bucket.",
        ),
        (OSError("timed out"), "gs://a/b: the bucket does not answer (timed out)"),
    ],
)
def test_errors_of_buckets_name_the_uri(raised, message):
    with pytest.raises(StorageError) as error, bucket_errors("gs://a/b"):
        raise raised
    assert str(error.value) == message


def test_errors_of_local_files_pass():
    with pytest.raises(FileNotFoundError), bucket_errors("/a"):
        raise FileNotFoundError(2, "no")
