"""From what a caller has (paths, folders, data sets) to a `DataSource`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.loader.data_source import DataSource
from emrys.blocks.loader.parquet_files import parquet_files
from emrys.blocks.loader.parquet_source import ParquetSource
from emrys.blocks.loader.table_source import TableSource

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
    files = [file for path in paths for file in parquet_files(os.fspath(path), system)]
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
