"""Reading a data set by name, path or URI."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.datasets import fetch_movielens, load_movielens, movielens_like
from emrys.blocks.errors import DataError
from emrys.components.contracts.splits import SPLITS
from emrys.components.events import emit
from emrys.components.ingest.columns import choose_columns, convert_columns
from emrys.components.ingest.config import DATASET_NAMES, IngestConfig
from emrys.components.storage.open_store import open_store


@dataclasses.dataclass(frozen=True)
class RatingLog:
    """A data set that is not split yet.

    Attributes:
        table: Columns of `LOG_SCHEMA`; feature columns are optional.
        probability: True P(rating > 3) of each row; None if it is not known.
        split_rows: Rows of each split; None if the data set is not split yet.
    """

    table: pa.Table
    probability: npt.NDArray[np.float64] | None = None
    split_rows: dict[str, npt.NDArray[np.int64]] | None = None


def read_log(config: IngestConfig) -> RatingLog:
    """Reads the data set of a configuration.

    Raises:
        DataError: if it does not exist or cannot be used.
        EmrysError: if it cannot be downloaded.
    """
    if config.dataset == "synthetic":
        drawn = movielens_like(config.synthetic_rows, seed=config.seed)
        return RatingLog(drawn.table, drawn.probability)
    if config.dataset in DATASET_NAMES:
        archive = fetch_movielens(config.dataset, config.cache_dir or None, progress=_Percent(config.dataset))
        return RatingLog(load_movielens(archive))
    if "://" in config.dataset:
        with _downloaded(config.dataset) as folder:
            return _read_path(folder, config.dataset)
    return _read_path(Path(config.dataset).expanduser(), config.dataset)


def _read_path(path: Path, dataset: str) -> RatingLog:
    if not path.exists():
        raise DataError(
            "there is no such data set", path=dataset, expected=f"{', '.join(DATASET_NAMES)} or the path of a data set"
        )
    if path.is_dir():
        files = sorted(file for file in path.glob("*.parquet") if file.is_file() and file.name[0] not in "._")
        return _read_parquet(files) if files else RatingLog(load_movielens(path))
    if path.stat().st_size == 0:
        raise DataError("the file is empty", path=path, expected="a zip archive or a Parquet file")
    if path.suffix.lower() == ".parquet":
        return _read_parquet([path])
    if path.suffix.lower() == ".zip":
        return RatingLog(load_movielens(path))
    raise DataError(
        "not a data set", path=path, expected="a .zip archive of MovieLens, a .parquet file, or a folder of either"
    )


def _read_parquet(files: list[Path]) -> RatingLog:
    tables = [_read_file(file) for file in files]
    names = tables[0].column_names
    for file, table in zip(files, tables, strict=True):
        if table.column_names != names:
            raise DataError(
                "the columns of the file differ from those of the other files",
                path=file,
                expected=f"those of {files[0].name}: {', '.join(names)}",
                got=", ".join(table.column_names),
            )
    by_name = {file.stem: table.num_rows for file, table in zip(files, tables, strict=True)}
    split_rows = None
    if set(by_name) == set(SPLITS):
        ends = np.cumsum(list(by_name.values()))
        split_rows = {name: np.arange(end - by_name[name], end) for name, end in zip(by_name, ends, strict=True)}
        _report("the data set is already split into train, valid and test")
    return RatingLog(pa.concat_tables(tables), split_rows=split_rows)


def _read_file(file: Path) -> pa.Table:
    if file.stat().st_size == 0:
        raise DataError("the file is empty", path=file, expected="a Parquet file", fix="Write it again.")
    try:
        with pq.ParquetFile(file) as parquet:
            names, ignored = choose_columns(parquet.schema_arrow.names, file)
            table = parquet.read(columns=names)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"not a whole Parquet file ({error})", path=file, fix="Write it again, or remove it.") from None
    if not table.num_rows:
        raise DataError("the file has no rows", path=file, expected="at least one rating")
    if ignored:
        _report(f"{file.name}: ignoring unknown columns: {', '.join(ignored)}")
    return convert_columns(table.select(names), file)


def _report(text: str) -> None:
    emit("ingest", "message", text=text)


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


_SUFFIXES = (".parquet", ".zip", ".data", ".user", ".item", ".dat", ".genre")


@contextlib.contextmanager
def _downloaded(uri: str) -> Iterator[Path]:
    """Downloads the files of a data set from a bucket to a temporary folder.

    Args:
        uri: `gs://bucket/folder`, or one file in it.

    Yields:
        The folder, or the file.

    Raises:
        DataError: if there are no files.
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
