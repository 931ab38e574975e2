"""Listing Parquet files: paths, folders, patterns and remote addresses to files."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from datetime import timedelta
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from emrys.blocks.errors import DataError

#: Time limit of retries of Cloud Storage; Arrow's default is 15 minutes.
RETRY_SECONDS = 60


def parquet_files(path: str, system: fs.FileSystem | None = None) -> list[tuple[fs.FileSystem, str]]:
    """Lists the Parquet files of a path, in natural order: `part_2` before `part_10`.

    Args:
        path: A file, a folder, a pattern for file names in one folder (locally for folders too), or an address that
            `pyarrow.fs` supports. `gs://` uses the emulator at STORAGE_EMULATOR_HOST, if that is set.
        system: File system of the path. By default that of the address, or the local one.

    Returns:
        File system and path of each file.

    Raises:
        DataError: if there is no such file, or the file system cannot be accessed.
    """
    address = path
    try:
        if system is None and "://" in path:
            system, path = _open_file_system(path)
        system = system or fs.LocalFileSystem()
        return [(system, file) for file in _list_files(path, system, address)]
    except FileNotFoundError:
        raise DataError(
            "the path does not exist", path=address, expected="a Parquet file, or a folder of them"
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise DataError("the address cannot be opened", path=address, got=str(error)) from error


def _open_file_system(address: str) -> tuple[fs.FileSystem, str]:
    scheme, _, rest = address.partition("://")
    if scheme not in ("gs", "gcs"):
        system_and_path: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(address)
        return system_and_path
    retries = timedelta(seconds=RETRY_SECONDS)
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        host = urlsplit(emulator if "://" in emulator else f"http://{emulator}")
        system = fs.GcsFileSystem(
            anonymous=True, scheme=host.scheme, endpoint_override=host.netloc, retry_time_limit=retries
        )
    else:
        # "gs://anonymous@bucket" reads public objects without credentials.
        system = fs.GcsFileSystem(anonymous=rest.startswith("anonymous@"), retry_time_limit=retries)
    return system, rest.removeprefix("anonymous@").rstrip("/")


def _list_files(path: str, system: fs.FileSystem, address: str) -> list[str]:
    if any(sign in path for sign in "*?[") and system.get_file_info(path).type == fs.FileType.NotFound:
        matches = sorted(_matching(path, system), key=_natural_order)
        if not matches:
            raise DataError("no file matches", path=address, expected="Parquet files")
        return [file for match in matches for file in _list_files(match, system, match)]
    info = system.get_file_info(path)
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError(path)
    if info.type != fs.FileType.Directory:
        return [path]
    inside = [file.path for file in system.get_file_info(fs.FileSelector(path)) if file.type == fs.FileType.File]
    kept = [file for file in inside if _is_parquet_name(file.rsplit("/", 1)[-1])]
    if not kept:
        raise DataError("the folder has no Parquet files", path=address, expected="files ending in .parquet")
    return sorted(kept, key=_natural_order)


def _matching(pattern: str, system: fs.FileSystem) -> list[str]:
    if isinstance(system, fs.LocalFileSystem):
        return glob.glob(pattern)
    folder, _, name = pattern.rpartition("/")
    inside = system.get_file_info(fs.FileSelector(folder))
    return [file.path for file in inside if fnmatch.fnmatchcase(file.base_name, name)]


def _is_parquet_name(name: str) -> bool:
    return name.endswith((".parquet", ".parq")) and not name.startswith(("_", "."))


def _natural_order(path: str) -> list[tuple[int, str]]:
    """Sorts part_2 before part_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]
