"""Items that each query has seen, which evaluation and serving exclude from its results."""

from __future__ import annotations

import functools
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from emrys.blocks.errors import ArtifactError, ConfigError, DataError
from emrys.blocks.io import atomic_file

#: Name of the list feature of a batch, or a request, with the ids of the items to exclude.
SEEN_ITEMS = "seen_items"

_KIND = {b"emrys": b"seen-items", b"emrys-version": b"1"}


class SeenItems:
    """Lists of item ids by query id, such as the purchases of each user.

    It is an Arrow table, stored as one Parquet file, with two columns: unique query ids, integers or strings, and item
    ids as lists of integers. It works without TensorFlow.

    Args:
        table: The table: the first column holds the query ids, the second the lists.

    Raises:
        DataError: if the table is not as described; the message names the column.

    Example:
        >>> import pyarrow as pa
        >>> seen = SeenItems(pa.table({"user_id": [7, 3], "item_id": [[10, 20], [30]]}))
        >>> values, offsets = seen.lookup([3, 4, 7])
        >>> values.tolist(), offsets.tolist()
        ([30, 10, 20], [0, 1, 1, 3])
    """

    def __init__(self, table: pa.Table) -> None:
        if not isinstance(table, pa.Table) or table.num_columns != 2:
            got = f"{table.num_columns} columns" if isinstance(table, pa.Table) else type(table).__name__
            raise DataError("seen items must be a table", expected="two columns, query ids and lists of items", got=got)
        self.query_column, self.item_column = table.column_names
        queries, lists = (table.column(name).combine_chunks() for name in table.column_names)
        _check(self.query_column, queries, "integers or strings", _is_id(queries.type))
        lists_fit = (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)) and pa.types.is_integer(
            lists.type.value_type
        )
        _check(self.item_column, lists, "lists of integers", lists_fit)
        _check(self.item_column, lists.flatten(), "lists of integers", True)
        if pc.count_distinct(queries).as_py() != len(queries):
            counts = pc.value_counts(queries).to_pylist()
            twice = next(count["values"] for count in counts if count["counts"] > 1)
            raise DataError(
                "a query id occurs more than once", column=self.query_column, expected="unique ids", got=repr(twice)
            )
        self._lock = threading.Lock()
        self._queries = queries
        self._values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
        self._offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum(pc.list_value_length(lists).to_numpy(zero_copy_only=False), out=self._offsets[1:])

    @classmethod
    def from_interactions(
        cls,
        log: pa.Table | pd.DataFrame | str | os.PathLike[str],
        query_column: str = "user_id",
        item_column: str = "item_id",
    ) -> SeenItems:
        """Collects the items of each query from a log of interactions.

        Args:
            log: A `pyarrow.Table`, a data frame, or the path of a Parquet file or of a folder of them, with one row per
                interaction. Rows without a query or an item are ignored.
            query_column: Column of the query ids. Default: `"user_id"`.
            item_column: Column of the item ids, integers. Default: `"item_id"`.

        Returns:
            The lists, each of distinct items in ascending order.

        Raises:
            DataError: if a column is missing or has another type.
        """
        if isinstance(log, (str, os.PathLike)):
            log = _read(Path(log), [query_column, item_column])
        table = log if isinstance(log, pa.Table) else pa.Table.from_pandas(log, preserve_index=False)
        for name in (query_column, item_column):
            if name not in table.column_names:
                raise DataError("the log misses a column", column=name, got=", ".join(table.column_names))
        if not pa.types.is_integer(table.schema.field(item_column).type):
            got = str(table.schema.field(item_column).type)
            raise DataError("item ids must be integers", column=item_column, expected="integers", got=got)
        pairs = table.select([query_column, item_column]).drop_null()
        pairs = pairs.group_by([query_column, item_column]).aggregate([])
        pairs = pairs.select([query_column, item_column])
        pairs = pairs.sort_by([(query_column, "ascending"), (item_column, "ascending")]).combine_chunks()
        queries = pc.value_counts(pairs.column(query_column))
        offsets = np.concatenate([[0], np.cumsum(queries.field("counts").to_numpy(zero_copy_only=False))])
        items = pairs.column(item_column).cast(pa.int64()).combine_chunks()
        lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), items)
        return cls(pa.table({query_column: queries.field("values"), item_column: lists}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SeenItems:
        """Reads a file of `save`, or any Parquet file with the same two columns.

        Raises:
            ArtifactError: if the file is missing or corrupt, or is another kind or version of artifact.
        """
        table = _read(Path(path))
        kind = {key: value for key, value in (table.schema.metadata or {}).items() if key in _KIND}
        if kind and kind != _KIND:
            raise ArtifactError("the file is no seen-items artifact", path=path, expected=str(_KIND), got=str(kind))
        try:
            return cls(table)
        except DataError as error:
            raise ArtifactError(f"the file is no seen-items artifact ({error})", path=path) from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the table as one Parquet file, atomically."""
        with atomic_file(path) as work:
            pq.write_table(self.table.replace_schema_metadata(_KIND), work, compression="zstd")

    @property
    def table(self) -> pa.Table:
        """The query ids and the lists of items."""
        lists = pa.LargeListArray.from_arrays(pa.array(self._offsets), pa.array(self._values))
        return pa.table({self.query_column: self._queries, self.item_column: lists})

    def __len__(self) -> int:
        """Number of queries."""
        return len(self._queries)

    def lookup(self, query_ids: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Looks up the lists of a batch of queries.

        Args:
            query_ids: (B,) or (B, 1), ids; strings as str or bytes. An unknown query has seen nothing.

        Returns:
            The concatenated item ids of all lists, and offsets (B + 1,): the items of query `i` are those from
            `offsets[i]` to `offsets[i + 1]`.

        Raises:
            DataError: if the ids are not of the type of the query column.
        """
        rows = self._find(self._as_keys(np.asarray(query_ids).reshape(-1)))
        known = rows >= 0
        starts = np.where(known, self._offsets[rows], 0)
        lengths = np.where(known, self._offsets[rows + 1] - starts, 0)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return self._values[np.repeat(starts, lengths) + within], offsets

    @functools.cached_property
    def _row_index(self) -> pd.Index:
        if pa.types.is_integer(self._queries.type):
            return pd.Index(self._queries.to_numpy(zero_copy_only=False).astype(np.int64))
        return pd.Index(np.array(self._queries.to_pylist(), dtype=object))

    def _find(self, keys: NDArray[Any]) -> NDArray[np.intp]:
        # Pandas creates the hash table at the first call, and several threads look up batches.
        with self._lock:
            find: Any = self._row_index.get_indexer
            return np.asarray(find(keys))

    def _as_keys(self, ids: NDArray[Any]) -> NDArray[Any]:
        integers = pa.types.is_integer(self._queries.type)
        if integers and (ids.dtype.kind in "iu" or not len(ids)):
            return ids.astype(np.int64)
        if not integers and ids.dtype.kind in "OSU":
            texts = [text.decode() if isinstance(text, bytes) else text for text in ids.tolist()]
            return np.array(texts, dtype=object)
        expected = "integers" if integers else "strings"
        raise DataError(
            "query ids must have the type of the query column",
            column=self.query_column,
            expected=expected,
            got=str(ids.dtype),
        )


def _is_id(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check(column: str, values: pa.Array, expected: str, fits: bool) -> None:
    if not fits:
        raise DataError(
            "a column of seen items has another type", column=column, expected=expected, got=str(values.type)
        )
    if values.null_count:
        raise DataError(
            "a column of seen items has nulls", column=column, expected=expected, got=f"{values.null_count} nulls"
        )


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except FileNotFoundError:
        raise ArtifactError("the file is missing", path=path, expected="a Parquet file") from None
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(f"the Parquet file cannot be read ({error})", path=path) from None


def as_seen_items(value: SeenItems | pa.Table | str | os.PathLike[str]) -> SeenItems:
    """Converts an Arrow table or the path of a file to `SeenItems`.

    Raises:
        ConfigError: if the value is of another type.
    """
    if isinstance(value, SeenItems):
        return value
    if isinstance(value, pa.Table):
        return SeenItems(value)
    if isinstance(value, (str, os.PathLike)):
        return SeenItems.load(value)
    raise ConfigError("seen_items", expected="SeenItems, a table or the path of a file", got=type(value).__name__)
