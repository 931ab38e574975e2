"""Conversion of Arrow tables to pandas and dask frames for NVTabular."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence

import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa

from emrys.blocks.workflow import NULL_INT, RawColumn
from emrys.components.preprocess.raw_split import RawSplit


def to_frame(table: pa.Table, columns: Iterable[RawColumn], targets: Iterable[str] = ()) -> pd.DataFrame:
    """Converts a table to a frame without null keys.

    NVTabular 23.8 miscounts null keys in target encodings, converts integers with nulls to floats, and fails on a
    partition with only null keys. So null keys are replaced by the null value of requests: -2**63 or "".

    Args:
        table: Cleaned columns: missing keys are null, elements of lists are not null.
        columns: The columns to take.
        targets: Columns to take as float64.

    Returns:
        int64, objects (str), arrays for lists, and float64 with NaN for numbers.
    """
    series = {}
    for column in columns:
        values = table[column.name]
        if column.is_list:
            pass
        elif column.dtype == "float32":
            values = values.cast(pa.float64())
        else:
            values = values.fill_null(NULL_INT if column.dtype == "int64" else "")
        series[column.name] = values.to_pandas()
    for name in targets:
        series[name] = table[name].cast(pa.float64()).to_pandas()
    return pd.DataFrame(series)


def to_collection(split: RawSplit, columns: tuple[RawColumn, ...], targets: tuple[str, ...]) -> dd.DataFrame:
    """Dask frame with one lazily read partition per part of the split.

    Args:
        split: The split.
        columns: The columns to take.
        targets: The targets to take.
    """
    names = [*(column.name for column in columns), *targets]
    return collect(split, names, lambda table: to_frame(table, columns, targets), f"{columns}-{targets}")


def collect(
    split: RawSplit, names: Sequence[str], convert: Callable[[pa.Table], pd.DataFrame], token: str
) -> dd.DataFrame:
    """Dask frame with one lazily read partition per part of the split.

    Args:
        split: The split.
        names: Columns that are read.
        convert: Makes the frame of a part.
        token: Text that differs for frames of different content.
    """
    empty = convert(split.read(0, names).slice(0, 0))
    parts = range(len(split.parts))
    return dd.from_map(lambda part: convert(split.read(part, names)), parts, meta=empty, token=f"{split.path}-{token}")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Context that runs dask in the current thread and ignores the warnings of dask and NVTabular."""
    with dask.config.set(scheduler="synchronous"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
