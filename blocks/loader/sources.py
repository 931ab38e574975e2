"""From what a caller has (paths, folders, data sets) to a `DataSource`."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
from pyarrow import fs

from blocks.errors import ConfigError, DataError
from blocks.loader.data_source import DataSource
from blocks.loader.parquet_source import ParquetSource
from blocks.loader.table_source import TableSource

if TYPE_CHECKING:
    from merlin.io import Dataset

PathLike: TypeAlias = "str | os.PathLike[str]"
#: What a loader reads from.
Readable: TypeAlias = "PathLike | Iterable[PathLike] | Dataset | pa.Table"


def open_source(data: Readable, reader_options: Mapping[str, Any] | None = None) -> DataSource:
    """Opens whatever a loader can read.

    Args:
        data: A Parquet file, a folder of them, a pattern (`part-*.parquet`), a list of these, an address that
            `pyarrow.fs` knows (`gs://bucket/folder`), a `merlin.io.Dataset`, or an Arrow table.
        reader_options: Options of `pyarrow.parquet.ParquetFile`; `filesystem` is a `pyarrow.fs.FileSystem` to use for
            all paths.

    Raises:
        DataError: Nothing readable is there.
        ConfigError: `data` is something else.
    """
    if isinstance(data, pa.Table):
        table = data
        return TableSource("the table", [(table.num_rows, lambda: table)])
    if _is_dataset(data):
        return _from_dataset(data, reader_options)
    paths = [data] if isinstance(data, str | os.PathLike) else data
    if not isinstance(paths, Iterable):
        raise ConfigError(f"paths_or_dataset must be paths or a merlin.io.Dataset; got {type(data).__name__}")
    options = dict(reader_options or {})
    system = options.pop("filesystem", None)
    files = [file for path in paths for file in _files(os.fspath(path), system)]
    if not files:
        raise DataError("there is nothing to read", expected="at least one Parquet file")
    return ParquetSource(files, options)


def _is_dataset(data: object) -> bool:
    # Told by its shape: importing merlin.io to ask takes seconds.
    return hasattr(data, "to_ddf") and hasattr(data, "engine")


def _from_dataset(dataset: Any, reader_options: Mapping[str, Any] | None) -> DataSource:
    engine = dataset.engine
    paths = getattr(engine, "paths", None)
    plain = not (getattr(engine, "filters", None) or getattr(engine, "read_parquet_kwargs", None) or dataset.dtypes)
    if type(engine).__name__ == "ParquetDatasetEngine" and paths and plain:
        return open_source(list(paths), reader_options)
    # In memory, in another format, or changed on the way: partition by partition, as Dask makes them.
    frame = dataset.to_ddf()
    counts = frame.map_partitions(len, meta=("rows", "int64")).compute(scheduler="synchronous")

    def partition(number: int) -> Callable[[], pa.Table]:
        def make() -> pa.Table:
            made = frame.get_partition(number).compute(scheduler="synchronous")
            return pa.Table.from_pandas(made, preserve_index=False)

        return make

    return TableSource("the data set", [(int(rows), partition(number)) for number, rows in enumerate(counts)])


def _files(path: str, system: fs.FileSystem | None) -> list[tuple[fs.FileSystem, str]]:
    if system is None and "://" in path:
        try:
            system, path = fs.FileSystem.from_uri(path)
        except (OSError, pa.ArrowException) as error:
            raise DataError("the address cannot be opened", path=path, got=str(error)) from error
    elif system is None:
        system = fs.LocalFileSystem()
        if any(sign in path for sign in "*?[") and not Path(path).exists():
            found = sorted(glob.glob(path), key=_natural)
            if not found:
                raise DataError("no file matches", path=path, expected="Parquet files")
            return [file for one in found for file in _files(one, system)]
    info = system.get_file_info(path)
    if info.type == fs.FileType.NotFound:
        raise DataError("the path does not exist", path=path, expected="a Parquet file, or a folder of them")
    if info.type != fs.FileType.Directory:
        return [(system, path)]
    inside = [file.path for file in system.get_file_info(fs.FileSelector(path)) if file.type == fs.FileType.File]
    kept = [file for file in inside if _is_parquet_name(file.rsplit("/", 1)[-1])]
    if not kept:
        raise DataError("the folder has no Parquet file", path=path, expected="files ending in .parquet")
    return [(system, file) for file in sorted(kept, key=_natural)]


def _is_parquet_name(name: str) -> bool:
    return name.endswith((".parquet", ".parq")) and not name.startswith(("_", "."))


def _natural(path: str) -> list[tuple[int, str]]:
    """Sorts part_2 before part_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]
