"""MovieLens 100K and 1M."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa

from emrys.blocks.datasets import LOG_SCHEMA, fetch_movielens, load_movielens
from emrys.blocks.errors import DataError
from emrys.components.events import emit
from emrys.components.sources.listing import SourceFile, list_files
from emrys.components.sources.source import Source

#: Names of the releases that are downloaded.
RELEASES = ("ml-100k", "ml-1m")
#: Files by which a folder is known as a release.
FILES = ("u.data", "u.item", "u.user", "ratings.dat", "movies.dat", "users.dat")


class MovieLensSource(Source):
    """A release of MovieLens as one log: each rating with the columns of its movie and its user.

    Args:
        path: A name in `RELEASES`, or a zip archive or folder of a release.
        cache_dir: Folder of downloads. Default: the user's cache folder.
    """

    def __init__(self, path: str, cache_dir: str = "") -> None:
        self.path = path
        self._cache_dir = cache_dir
        self._table: pa.Table | None = None

    @property
    def schema(self) -> pa.Schema:
        """Columns of the log."""
        return LOG_SCHEMA

    def head(self, rows: int) -> pa.Table:
        """The first rows."""
        return self._whole().slice(0, rows)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows."""
        return self._whole() if columns is None else self._whole().select(list(columns))

    def _whole(self) -> pa.Table:
        if self._table is None:
            if self.path in RELEASES:
                progress = _Percent(self.path)
                self._table = load_movielens(fetch_movielens(self.path, self._cache_dir or None, progress=progress))
            elif "://" in self.path:
                self._table = _load_copy(self.path)
            else:
                path = Path(self.path).expanduser()
                if path.is_file() and not path.stat().st_size:
                    raise DataError("the file is empty", path=path, expected="a zip archive of MovieLens")
                self._table = load_movielens(path)
        return self._table


def _load_copy(uri: str) -> pa.Table:
    """Copies the files of a release from a bucket to a temporary folder, and reads them."""
    with tempfile.TemporaryDirectory(prefix="emrys-data-") as folder:
        files = list_files(uri)
        for file in files:
            _copy(file, Path(folder) / PurePosixPath(file.path).relative_to(file.base))
        archives = list(Path(folder).glob("*.zip"))
        return load_movielens(archives[0] if len(archives) == len(files) == 1 else folder)


def _copy(file: SourceFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.system.open_input_stream(file.path) as stream, target.open("wb") as copy:
        shutil.copyfileobj(stream, copy)


class _Percent:
    """Reports the progress of a download, at most once per cent."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._last = -1

    def __call__(self, done: int, total: int | None) -> None:
        percent = 0 if not total else 100 * done // total
        if percent > self._last:
            self._last = percent
            emit("ingest", "progress", done=done, total=total or done, text=f"fetching {self._what}")
