"""Finds the Parquet files that a path, a pattern or an address stands for."""

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

#: How long Cloud Storage is asked again before it counts as an error; Arrow's own limit is a quarter of an hour.
RETRY_SECONDS = 60


def parquet_files(path: str, system: fs.FileSystem | None = None) -> list[tuple[fs.FileSystem, str]]:
    """Finds files, `part_2` before `part_10`.

    Args:
        path: A file, a folder, a pattern for names in one folder (or, on this machine, for folders too), or an address
            that `pyarrow.fs` knows. `gs://` goes to the emulator at STORAGE_EMULATOR_HOST, where that is set.
        system: Where the path is. By default the address says so, or it is on this machine.

    Returns:
        File system and path of each.

    Raises:
        DataError: Nothing is there, or it cannot be asked.
    """
    address = path
    try:
        if system is None and "://" in path:
            system, path = _opened(path)
        system = system or fs.LocalFileSystem()
        return [(system, file) for file in _found(path, system, address)]
    except FileNotFoundError:
        raise DataError(
            "the path does not exist", path=address, expected="a Parquet file, or a folder of them"
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise DataError("the address cannot be opened", path=address, got=str(error)) from error


def _opened(address: str) -> tuple[fs.FileSystem, str]:
    scheme, _, rest = address.partition("://")
    if scheme not in ("gs", "gcs"):
        opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(address)
        return opened
    retries = timedelta(seconds=RETRY_SECONDS)
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        host = urlsplit(emulator if "://" in emulator else f"http://{emulator}")
        system = fs.GcsFileSystem(
            anonymous=True, scheme=host.scheme, endpoint_override=host.netloc, retry_time_limit=retries
        )
    else:
        # "gs://anonymous@bucket" reads what is public.
        system = fs.GcsFileSystem(anonymous=rest.startswith("anonymous@"), retry_time_limit=retries)
    return system, rest.removeprefix("anonymous@").rstrip("/")


def _found(path: str, system: fs.FileSystem, address: str) -> list[str]:
    if any(sign in path for sign in "*?[") and system.get_file_info(path).type == fs.FileType.NotFound:
        found = sorted(_matching(path, system), key=_natural)
        if not found:
            raise DataError("no file matches", path=address, expected="Parquet files")
        return [file for one in found for file in _found(one, system, one)]
    info = system.get_file_info(path)
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError(path)
    if info.type != fs.FileType.Directory:
        return [path]
    inside = [file.path for file in system.get_file_info(fs.FileSelector(path)) if file.type == fs.FileType.File]
    kept = [file for file in inside if _is_parquet_name(file.rsplit("/", 1)[-1])]
    if not kept:
        raise DataError("the folder has no Parquet file", path=address, expected="files ending in .parquet")
    return sorted(kept, key=_natural)


def _matching(pattern: str, system: fs.FileSystem) -> list[str]:
    if isinstance(system, fs.LocalFileSystem):
        return glob.glob(pattern)
    folder, _, name = pattern.rpartition("/")
    inside = system.get_file_info(fs.FileSelector(folder))
    return [file.path for file in inside if fnmatch.fnmatchcase(file.base_name, name)]


def _is_parquet_name(name: str) -> bool:
    return name.endswith((".parquet", ".parq")) and not name.startswith(("_", "."))


def _natural(path: str) -> list[tuple[int, str]]:
    """Sorts part_2 before part_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]
