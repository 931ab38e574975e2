from __future__ import annotations

import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.storage.gcs_store import CHUNK, GcsStore
from emrys.components.storage.open_store import open_store
from emrys.components.storage.store import ConflictError, StorageError


def test_files_come_back(root, tmp_path):
    store = open_store(root)
    assert store.names() == []
    assert store.read("a/b.json") is None
    store.create("a/b.json", b"one")
    (tmp_path / "local").write_bytes(b"\0" * 1000)
    store.upload(tmp_path / "local", "a/c")
    store.download("a/c", tmp_path / "new" / "copy")
    assert store.read("a/b.json").content == b"one"
    assert (tmp_path / "new" / "copy").read_bytes() == b"\0" * 1000
    assert open_store(root).names("a/") == ["a/b.json", "a/c"]
    store.remove("a/c")
    store.remove("a/c")
    assert store.names() == ["a/b.json"]


def test_two_writers(root, tmp_path):
    first, second = open_store(root), open_store(root)
    first.create("pointer", b"1")
    second.create("pointer", b"1")  # the same bytes are no conflict: a request that was sent twice
    with pytest.raises(ConflictError, match="pointer"):
        second.create("pointer", b"2")
    read = second.read("pointer")
    first.replace("pointer", b"3", first.read("pointer").token)
    with pytest.raises(ConflictError, match=r"pointer.*Try again"):
        second.replace("pointer", b"4", read.token)
    with pytest.raises(ConflictError, match="pointer"):
        second.replace("pointer", b"5", None)
    assert first.read("pointer").content == b"3"
    second.replace("other", b"6", None)
    (tmp_path / "local").write_bytes(b"7")
    with pytest.raises(ConflictError, match="a different file of this name exists already"):
        first.upload(tmp_path / "local", "pointer")


def test_a_version_is_downloaded_or_nothing(root, tmp_path):
    store = open_store(root)
    store.create("a/b", b"one")
    store.create("c", b"other")
    (name, token), (_, other) = store.versions()
    assert (name, token) == ("a/b", store.read("a/b").token)
    assert token != other
    store.download("a/b", tmp_path / "copy", token)
    assert (tmp_path / "copy").read_bytes() == b"one"
    store.replace("a/b", b"two", token)
    with pytest.raises(ConflictError, match=r"a/b: .*another writer changed the file"):
        store.download("a/b", tmp_path / "later", token)
    assert not (tmp_path / "later").exists()
    assert store.versions("a/") == [("a/b", store.read("a/b").token)]


def test_a_missing_file(root, tmp_path):
    with pytest.raises(StorageError, match=r"nowhere: .*is missing"):
        open_store(root).download("nowhere", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("uri", "text"),
    [("s3://bucket", "not supported"), ("gs:///a", "has no bucket"), ("file://host/a", "another machine")],
)
def test_other_uris(uri, text):
    with pytest.raises(ConfigError, match=text):
        open_store(uri)


class TestBadNetwork:
    @pytest.mark.parametrize("failure", ["503", "cut", "lost"])
    @pytest.mark.slow
    def test_nothing_is_lost(self, gcs, tmp_path, failure):
        store = open_store("gs://models/a")
        (tmp_path / "small").write_bytes(b"small")
        gcs.only, gcs.failures = "POST", [failure, failure]
        store.upload(tmp_path / "small", "small")
        gcs.failures = [failure]
        store.create("created", b"1")
        gcs.failures = [failure]
        store.replace("created", b"2", store.read("created").token)
        gcs.only, gcs.failures = "GET", [failure]
        assert store.read("created").content == b"2"
        gcs.failures = [failure]
        store.download("small", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"small"
        assert gcs.failures == []

    @pytest.mark.slow
    def test_a_large_upload_goes_on(self, gcs, tmp_path):
        content = bytes(range(256)) * (2 * CHUNK // 256) + b"end"
        (tmp_path / "large").write_bytes(content)
        gcs.only, gcs.failures = "upload_id", ["", "503"]
        store = open_store("gs://models")
        store.upload(tmp_path / "large", "large")
        parts = [line for line in gcs.requests if "upload_id" in line]
        assert len(parts) == 4, "three parts, one of them twice"
        store.download("large", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content

    def test_a_bucket_that_is_not_there(self, gcs, tmp_path):
        with pytest.raises(StorageError, match=r"gs://none/a: .*bucket is missing"):
            GcsStore("gs://none").create("a", b"")
