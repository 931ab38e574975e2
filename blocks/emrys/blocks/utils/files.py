"""Finding files, and reading them as a data set."""

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
    """Where data that is split into time windows lies: `<data_path>/<index, padded with zeros>/train.parquet`."""

    data_path: str
    time_window_folder_pad_digits: int


def get_filenames(data_paths: PathLike | Iterable[PathLike], files_filter_pattern: str = "*") -> list[str]:
    """Lists what lies in folders.

    Args:
        data_paths: One folder or several.
        files_filter_pattern: Shell pattern that a name has to fit; `**/` stands for folders below.

    Returns:
        Paths, in the order of the folders, sorted by name within each.

    Raises:
        DataError: if a folder is missing.
    """
    folders = [data_paths] if isinstance(data_paths, (str, os.PathLike)) else list(data_paths)
    found: list[str] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise DataError("the folder is missing", path=folder)
        found.extend(sorted(str(path) for path in folder.glob(files_filter_pattern) if path != folder))
    return found


def get_label_feature_name(feature_map: Mapping[str, Mapping[str, Any]]) -> str:
    """Finds the one feature that is marked as label.

    Args:
        feature_map: What is said of each feature, by name; the label says `is_label`: true.

    Raises:
        SchemaError: if no feature is marked, or more than one.
    """
    names = [name for name, feature in feature_map.items() if feature.get("is_label")]
    if len(names) != 1:
        raise SchemaError(
            "the label is not clear",
            expected="one feature with is_label = True",
            got=", ".join(names) or f"none among {', '.join(feature_map) or 'no features'}",
        )
    return names[0]


def get_timestamp_feature_name(feature_map: Mapping[str, Mapping[str, Any]]) -> str:
    """Finds the first feature that is a time.

    Args:
        feature_map: What is said of each feature, by name; a time says `dtype`: "timestamp".

    Raises:
        SchemaError: if no feature is a time.
    """
    for name, feature in feature_map.items():
        if feature.get("dtype") == "timestamp":
            return name
    raise SchemaError(
        "there is no time",
        expected='a feature with dtype = "timestamp"',
        got=f"none among {', '.join(feature_map) or 'no features'}",
    )


def get_parquet_files_names(
    data_args: TimeWindows, time_indices: int | Sequence[int], is_train: bool, eval_on_test_set: bool = False
) -> list[str]:
    """Paths of the Parquet files of time windows.

    Args:
        data_args: Where the windows lie.
        time_indices: One window or several, by number.
        is_train: Whether to take their `train.parquet`.
        eval_on_test_set: Otherwise, whether to take `test.parquet` in place of `valid.parquet`.

    Returns:
        One path a window. Nothing is looked up on disk.
    """
    indices = [time_indices] if isinstance(time_indices, int) else time_indices
    name = "train" if is_train else "test" if eval_on_test_set else "valid"
    digits = data_args.time_window_folder_pad_digits
    return [os.path.join(data_args.data_path, str(index).zfill(digits), f"{name}.parquet") for index in indices]


def validate_dataset(
    paths_or_dataset: Any,
    batch_size: int | None,
    buffer_size: float,
    engine: str | None,
    reader_kwargs: Mapping[str, Any] | None,
) -> Dataset:
    """Gives a `merlin.io.Dataset` for what a user passed as data.

    Args:
        paths_or_dataset: A data set, which comes back as it is; a data frame; or the path of a file, several, or a
            folder, which stands for the files in it whose suffix is the engine's (Parquet without an engine).
        batch_size: Rows of a batch.
        buffer_size: Size of the parts that are read at once. Below 1, the share of the (GPU's) memory. From 1 to
            `batch_size`, the number of batches. From `batch_size` on, the number of rows.
        engine: "parquet", "csv", ...; None to tell by the suffix.
        reader_kwargs: Further arguments of `merlin.io.Dataset`; a size of parts among them wins over `buffer_size`.

    Raises:
        DataError: if there is nothing to read.
        ConfigError: if `buffer_size` is negative.
    """
    from merlin.io import Dataset  # starts Dask, which is not everybody's

    if isinstance(paths_or_dataset, Dataset):
        return paths_or_dataset
    if not buffer_size >= 0:
        raise ConfigError("buffer_size cannot be that", expected="a share, or a number of rows", got=str(buffer_size))
    kwargs = dict(reader_kwargs or {})
    sized = bool(kwargs.keys() & {"part_size", "part_mem_fraction", "npartitions", "row_groups_per_part"})
    if hasattr(paths_or_dataset, "columns"):
        dataset = Dataset(paths_or_dataset, **kwargs)
    else:
        if buffer_size < 1 and not sized:
            kwargs["part_mem_fraction"] = buffer_size
        dataset = Dataset(_existing(paths_or_dataset, engine), engine=engine, **kwargs)
    if buffer_size >= 1 and not sized:
        rows = int(buffer_size * batch_size) if batch_size and buffer_size < batch_size else int(buffer_size)
        dataset = dataset.repartition(max(1, math.ceil(_number_of_rows(dataset) / rows)))
    return dataset


def _number_of_rows(dataset: Dataset) -> int:
    try:
        return int(dataset.num_rows)
    except NotImplementedError:  # a CSV file says so nowhere, it has to be read
        return len(dataset.to_ddf())


def _existing(paths: Any, engine: str | None) -> list[str]:
    """Paths as a list, folders replaced by what is in them."""
    given = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    if not isinstance(given, Iterable):
        raise DataError("this is no data", expected="a Dataset, a data frame or paths of files", got=repr(paths))
    found: list[str] = []
    for path in map(os.fspath, given):
        found.extend(get_filenames(path, f"*.{engine or 'parquet'}") if os.path.isdir(path) else [path])
    if not found:
        raise DataError("there are no files to read", expected="a Dataset or paths of files", got=repr(paths))
    for path in found:
        if "://" not in path and not any(sign in path for sign in "*?[") and not os.path.exists(path):
            raise DataError("the file is missing", path=path)
    return found
