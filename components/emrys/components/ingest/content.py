"""Fingerprint of the values of tables, independent of the file format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.ingest.split_table import SplitTable

_ROWS = 1 << 18


def fingerprint(tables: Mapping[str, SplitTable]) -> str:
    """SHA-256 over names, types, order, nulls and values of the tables.

    Chunks, row groups, compression and the version of the Parquet writer have no effect.

    Args:
        tables: Tables by name, with columns of numbers, texts and lists of both.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, table in tables.items():
        digest.update(f"{name}\0{table.num_rows}\0".encode())
        for column in table.names:
            digest.update(f"{column}\0{_type_name(table.type_of(column))}\0".encode())
            for start in range(0, table.num_rows, _ROWS):
                _add(digest.update, table.slice(column, start, _ROWS))
    return digest.hexdigest()


def _type_name(dtype: pa.DataType) -> str:
    return f"list<{dtype.value_type}>" if pa.types.is_list(dtype) else str(dtype)


def _add(update: Callable[[bytes], None], array: pa.Array) -> None:
    if pa.types.is_list(array.type):
        _add_numbers(update, pc.fill_null(pc.list_value_length(array), -1))
        _add(update, array.flatten())
    elif pa.types.is_string(array.type):
        _add_numbers(update, pc.fill_null(pc.binary_length(array), -1))
        update("".join(pc.drop_null(array).to_pylist()).encode())
    else:
        update(np.packbits(array.is_null().to_numpy(zero_copy_only=False)).tobytes())
        _add_numbers(update, pc.fill_null(array, 0))


def _add_numbers(update: Callable[[bytes], None], array: pa.Array) -> None:
    values = array.to_numpy(zero_copy_only=False)
    update(values.astype(values.dtype.newbyteorder("<")).tobytes())
