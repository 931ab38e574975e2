import hashlib
import zipfile

import pytest

from emrys.blocks.datasets import fetch_movielens, load_movielens
from emrys.blocks.datasets.movielens_archive import MovieLensArchive
from emrys.blocks.errors import ConfigError, EmrysError
from tests import real_data
from tests.blocks.datasets.small_movielens import HUNDRED_K, write_zip


def digest(text):
    return hashlib.md5(text.encode("latin-1"), usedforsecurity=False).hexdigest()


def test_an_archive_is_known_by_its_checksum_or_by_that_of_its_files(tmp_path):
    path = write_zip(tmp_path / "a.zip", HUNDRED_K)
    whole = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    members = {f"ml/{name}": digest(text) for name, text in HUNDRED_K.items()}
    MovieLensArchive("a.zip", whole).verify(path)
    MovieLensArchive("a.zip", "0" * 32, members).verify(path)
    for wrong in ({}, {**members, "ml/u.user": "0" * 32}, {**members, "ml/u.info": "0" * 32}):
        with pytest.raises(EmrysError) as error:
            MovieLensArchive("a.zip", "0" * 32, wrong).verify(path)
        assert str(error.value) == (
            f"{path}: the checksum of the file differs; expected MD5 {'0' * 32}, got {whole}. Run again; if it fails "
            "again, download the file in another way and pass its path."
        )


def test_a_file_that_is_no_archive(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"abc")
    with pytest.raises(EmrysError, match=r"the checksum of the file differs; .* got 900150983cd24fb0d6963f7d28e17f72"):
        MovieLensArchive("a.zip", "0" * 32, {"ml/u.data": "0" * 32}).verify(tmp_path / "a.zip")


def test_a_download_must_be_the_published_archive(tmp_path):
    (tmp_path / "server").mkdir()
    write_zip(tmp_path / "server" / "ml-1m.zip", HUNDRED_K)
    with pytest.raises(EmrysError, match="differs; expected MD5 c4d9eecfca2ab87c1945afe126590906, got") as error:
        fetch_movielens("ml-1m", tmp_path / "cache", server=(tmp_path / "server").as_uri())
    assert error.value.exit_status == 1
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_unknown_variant(tmp_path):
    with pytest.raises(ConfigError) as error:
        fetch_movielens("ml-20m", tmp_path)
    assert str(error.value) == "unknown MovieLens data set; expected ml-100k or ml-1m, got 'ml-20m'"


def test_the_archive_is_fetched_once(tmp_path):
    published = real_data.path("ml-100k.zip")
    server, cache = tmp_path / "server", tmp_path / "cache"
    server.mkdir()
    (server / "ml-100k.zip").symlink_to(published)
    path = fetch_movielens("ml-100k", cache, server=server.as_uri())
    assert path == cache / "ml-100k.zip"
    assert path.read_bytes() == published.read_bytes()
    # Now from the cache: the server has nothing any more.
    (server / "ml-100k.zip").unlink()
    assert fetch_movielens("ml-100k", cache, server=server.as_uri()) == path
    assert load_movielens(path).num_rows == 100_000


def test_a_damaged_archive_in_the_cache_is_replaced(tmp_path, monkeypatch):
    published = real_data.path("ml-100k.zip")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "emrys").mkdir()
    with zipfile.ZipFile(tmp_path / "emrys" / "ml-100k.zip", "w") as archive:
        archive.writestr("ml-100k/u.data", "1\t1\t5\t1\n")
    assert fetch_movielens("ml-100k", server=published.parent.as_uri()) == tmp_path / "emrys" / "ml-100k.zip"
    assert (tmp_path / "emrys" / "ml-100k.zip").read_bytes() == published.read_bytes()
