"""Data sets in a bucket, as local files for as long as they are read."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from emrys.blocks.errors import DataError
from emrys.components.storage.opening import open_store

_SUFFIXES = (".parquet", ".zip", ".data", ".user", ".item", ".dat", ".genre")


@contextlib.contextmanager
def fetched(uri: str) -> Iterator[Path]:
    """Copies the files of a data set from a bucket.

    Args:
        uri: `gs://bucket/folder`, or one file there.

    Yields:
        The folder, or the file, where it is one.

    Raises:
        DataError: if there is nothing.
        StorageError: if the bucket cannot be read.
    """
    parent, _, last = uri.rstrip("/").rpartition("/")
    with tempfile.TemporaryDirectory(prefix="emrys-data-") as folder:
        root = Path(folder)
        if last.endswith(_SUFFIXES):
            open_store(parent).download(last, root / last)
            yield root / last
            return
        store = open_store(uri)
        names = [name for name in store.names() if name.endswith(_SUFFIXES) and ".." not in PurePosixPath(name).parts]
        if not names:
            raise DataError("there is no data set", path=uri, expected="files of Parquet or a zip archive")
        for name in names:
            store.download(name, root / name)
        yield root / names[0] if len(names) == 1 and names[0].endswith(".zip") else root
