"""Files of a source: one file, a list, a glob, a folder, or a partitioned folder."""

from __future__ import annotations

import dataclasses
import fnmatch
import glob
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs

from emrys.blocks.errors import DataError
from emrys.components.storage.arrow_files import bucket_errors, open_files

_GLOB = "*?["


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """A file of a source.

    Args:
        system: File system that it is in.
        path: Path in the file system.
        name: Name in messages: the path, with the scheme of the URI.
        base: Folder whose subfolders may be partitions.
        size: Size in bytes.
        version: What changes with the content: size and time of the last change.
    """

    system: fs.FileSystem = dataclasses.field(hash=False)
    path: str
    name: str
    base: str
    size: int
    version: str

    @property
    def stem(self) -> str:
        """The file's name without its endings."""
        return PurePosixPath(self.path).name.partition(".")[0]

    @property
    def suffix(self) -> str:
        """Ending of the name in lower case, without that of a compression."""
        suffixes = [each.lower() for each in PurePosixPath(self.path).suffixes]
        while suffixes and suffixes[-1] in COMPRESSIONS:
            suffixes.pop()
        return suffixes[-1] if suffixes else ""

    @property
    def compression(self) -> str | None:
        """Codec of a compressed text file, by its ending."""
        return COMPRESSIONS.get(PurePosixPath(self.path).suffix.lower())

    @property
    def keys(self) -> tuple[str, ...]:
        """The folders `name=value` below the base."""
        below = PurePosixPath(self.path).relative_to(self.base).parent.parts
        return tuple(unquote(part) for part in below if "=" in part)


#: Codecs of Arrow by the ending of a file.
COMPRESSIONS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2", ".lz4": "lz4"}


def list_files(paths: str | Sequence[str]) -> list[SourceFile]:
    """The files that paths stand for, those of each path sorted by name.

    Files and folders whose names begin with a dot or an underscore are left out, as in Spark and Hive.

    Args:
        paths: File, folder or glob, or several: local paths, `file://`, `gs://` or `s3://`.

    Raises:
        DataError: if there is no file.
        StorageError: if a bucket cannot be read.
    """
    found: dict[str, SourceFile] = {}
    for path in [paths] if isinstance(paths, str) else paths:
        files = list(_files_of(path))
        if not files:
            raise DataError(
                "there is no such file",
                path=path,
                expected="a file, a folder with files, or a glob that matches some",
                fix="Correct the path.",
            )
        for file in sorted(files, key=lambda each: each.path):
            found.setdefault(file.name, file)
    return list(found.values())


def partition_columns(files: Sequence[SourceFile]) -> dict[str, pa.Array]:
    """Values of the partition columns, one for each file; null where the file's path lacks the column.

    The values are int64, dates or strings, whichever all of them are.
    """
    paths = ["/".join(file.keys) + "/f" for file in files]
    names = list(dict.fromkeys(key.partition("=")[0] for file in files for key in file.keys))
    if not names:
        return {}
    scheme = ds.HivePartitioning(pa.schema([(name, pa.string()) for name in names]))
    rows: list[Mapping[str, str]] = [ds.get_partition_keys(scheme.parse(path)) for path in paths]
    return {name: _typed(pa.array([row.get(name) for row in rows], pa.string())) for name in names}


def _typed(values: pa.Array) -> pa.Array:
    texts = values.drop_null().to_pylist()
    if not any(text != "0" and text.startswith("0") for text in texts):  # 007 is no number
        try:
            return values.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    try:
        return values.cast(pa.date32())
    except pa.ArrowInvalid:
        return values


def _files_of(path: str) -> Iterator[SourceFile]:
    system, inside = open_files(path)
    prefix = f"{path.partition('://')[0]}://" if "://" in path else ""
    inside = inside.rstrip("/") or "/"
    with bucket_errors(path):
        info = system.get_file_info(inside)
        if info.type == fs.FileType.File:
            found, base = [info], str(PurePosixPath(inside).parent)
        elif info.type == fs.FileType.Directory:
            found, base = list(_below(system, inside)), inside
        else:
            parts = inside.split("/")
            fixed = next((i for i, part in enumerate(parts) if any(sign in part for sign in _GLOB)), len(parts))
            base = "/".join(parts[:fixed]) or "/"
            found = list(_matching(system, base, parts[fixed:])) if fixed < len(parts) else []
    for each in found:
        version = f"{each.size} {each.mtime_ns}"
        yield SourceFile(system, each.path, prefix + each.path, base, each.size or 0, version)


def _below(system: fs.FileSystem, folder: str) -> Iterator[fs.FileInfo]:
    """Files below a folder."""
    for info in system.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True)):
        parts = PurePosixPath(info.path).relative_to(folder).parts
        if info.type == fs.FileType.File and not any(part[0] in "._" for part in parts):
            yield info


def _matching(system: fs.FileSystem, folder: str, pattern: Sequence[str]) -> Iterator[fs.FileInfo]:
    """Files that a pattern matches below a folder, and those in folders that it matches."""
    if not isinstance(system, fs.LocalFileSystem):  # a bucket has no folders, only names
        for info in _below(system, folder):
            if _matches(PurePosixPath(info.path).relative_to(folder).parts, pattern):
                yield info
        return
    seen = set()
    for path in glob.iglob("/".join([folder.rstrip("/"), *pattern]), recursive=True):
        info = system.get_file_info(path)
        for each in [info] if info.type == fs.FileType.File else _below(system, path.rstrip("/")):
            if each.path not in seen and PurePosixPath(each.path).name[0] not in "._":
                seen.add(each.path)
                yield each


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a pattern matches a name or one of the folders that it is in."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_matches(parts[i:], pattern[1:]) for i in range(len(parts)))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
