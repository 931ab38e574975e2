"""Listing data files, and opening them as a data set."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from emrys.blocks.errors import ConfigError, DataError, SchemaError

if TYPE_CHECKING:
    from merlin.io import Dataset

PathLike: TypeAlias = str | os.PathLike[str]


class TimeWindows(Protocol):
    """Location of data in time windows: `<data_path>/<index, padded with zeros>/train.parquet`."""

    data_path: str
    time_window_folder_pad_digits: int


def get_filenames(data_paths: PathLike | Iterable[PathLike], files_filter_pattern: str = "*") -> list[str]:
    """Lists the files and folders in folders.

    Args:
        data_paths: One folder or several.
        files_filter_pattern: Shell pattern of the names; `**/` matches subfolders.

    Returns:
        Paths, in the order of the folders, sorted by name within each.

    Raises:
        DataError: if a folder is missing.
    """
    folders = [data_paths] if isinstance(data_paths, (str, os.PathLike)) else list(data_paths)
    paths: list[str] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise DataError("the folder is missing", path=folder)
        paths.extend(sorted(str(path) for path in folder.glob(files_filter_pattern) if path != folder))
    return paths


def get_label_feature_name(feature_map: Mapping[str, Mapping[str, object]]) -> str:
    """Name of the label, the only feature with `is_label`: true.

    Args:
        feature_map: Properties of each feature, by name.

    Raises:
        SchemaError: if there is not exactly one label.
    """
    names = [name for name, feature in feature_map.items() if feature.get("is_label")]
    if len(names) != 1:
        raise SchemaError(
            "the label is not clear",
            expected="one feature with is_label = True",
            got=", ".join(names) or f"none among {', '.join(feature_map) or 'no features'}",
        )
    return names[0]


def get_timestamp_feature_name(feature_map: Mapping[str, Mapping[str, object]]) -> str:
    """Name of the first feature with `dtype`: "timestamp".

    Args:
        feature_map: Properties of each feature, by name.

    Raises:
        SchemaError: if there is no timestamp feature.
    """
    for name, feature in feature_map.items():
        if feature.get("dtype") == "timestamp":
            return name
    raise SchemaError(
        "there is no timestamp feature",
        expected='a feature with dtype = "timestamp"',
        got=f"none among {', '.join(feature_map) or 'no features'}",
    )


def get_parquet_files_names(
    data_args: TimeWindows, time_indices: int | Sequence[int], is_train: bool, eval_on_test_set: bool = False
) -> list[str]:
    """Paths of the Parquet files of time windows.

    Args:
        data_args: Location of the windows.
        time_indices: One window or several, by number.
        is_train: Whether to use `train.parquet`.
        eval_on_test_set: Otherwise, whether to use `test.parquet` instead of `valid.parquet`.

    Returns:
        One path per window; the files need not exist.
    """
    indices = [time_indices] if isinstance(time_indices, int) else time_indices
    name = "train" if is_train else "test" if eval_on_test_set else "valid"
    digits = data_args.time_window_folder_pad_digits
    return [os.path.join(data_args.data_path, str(index).zfill(digits), f"{name}.parquet") for index in indices]


def validate_dataset(
    paths_or_dataset: object,
    batch_size: int | None,
    buffer_size: float,
    engine: str | None,
    reader_kwargs: Mapping[str, object] | None,
) -> Dataset:
    """Converts data to a `merlin.io.Dataset`.

    Args:
        paths_or_dataset: A data set, which is returned unchanged; a data frame; or paths of files or folders, whose
            files with the suffix of the engine (default Parquet) are read.
        batch_size: Rows of a batch.
        buffer_size: Size of the partitions. Below 1, a fraction of the (GPU) memory; from 1 to `batch_size`, a number
            of batches; above, a number of rows.
        engine: "parquet", "csv", ...; None to infer it from the suffix.
        reader_kwargs: Further arguments of `merlin.io.Dataset`; a partition size in them overrides `buffer_size`.

    Raises:
        DataError: if there is no data.
        ConfigError: if `buffer_size` is negative.
    """
    from merlin.io import Dataset  # imports Dask, an optional dependency

    if isinstance(paths_or_dataset, Dataset):
        return paths_or_dataset
    if not buffer_size >= 0:
        raise ConfigError("buffer_size is invalid", expected="a fraction, or a number of rows", got=str(buffer_size))
    kwargs = dict(reader_kwargs or {})
    sized = bool(kwargs.keys() & {"part_size", "part_mem_fraction", "npartitions", "row_groups_per_part"})
    if hasattr(paths_or_dataset, "columns"):
        dataset = Dataset(paths_or_dataset, **kwargs)
    else:
        if buffer_size < 1 and not sized:
            kwargs["part_mem_fraction"] = buffer_size
        dataset = Dataset(_list_files(paths_or_dataset, engine), engine=engine, **kwargs)
    if buffer_size >= 1 and not sized:
        rows = int(buffer_size * batch_size) if batch_size and buffer_size < batch_size else int(buffer_size)
        dataset = dataset.repartition(max(1, math.ceil(_number_of_rows(dataset) / rows)))
    return dataset


def _number_of_rows(dataset: Dataset) -> int:
    try:
        return int(dataset.num_rows)
    except NotImplementedError:  # a CSV file has to be read for it
        return len(dataset.to_ddf())


def _list_files(paths: Any, engine: str | None) -> list[str]:
    """Paths as a list, with folders replaced by their files."""
    items = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    if not isinstance(items, Iterable):
        raise DataError(
            "the type of the data is not supported",
            expected="a Dataset, a data frame or paths of files",
            got=repr(paths),
        )
    files: list[str] = []
    for path in map(os.fspath, items):
        files.extend(get_filenames(path, f"*.{engine or 'parquet'}") if os.path.isdir(path) else [path])
    if not files:
        raise DataError("there are no files to read", expected="a Dataset or paths of files", got=repr(paths))
    for path in files:
        if "://" not in path and not any(sign in path for sign in "*?[") and not os.path.exists(path):
            raise DataError("the file is missing", path=path)
    return files
