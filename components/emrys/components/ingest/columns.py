"""Selection and conversion of the columns of a user's Parquet file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.datasets import LOG_SCHEMA, REQUIRED_COLUMNS
from emrys.blocks.errors import DataError
from emrys.components.contracts.splits import TARGET

#: Seconds from 1970 to the year 3000; larger values are milliseconds.
_LATEST = 32_503_680_000


def choose_columns(names: Sequence[str], path: Path) -> tuple[list[str], list[str]]:
    """Selects the columns of `LOG_SCHEMA`.

    Returns:
        The known columns in the order of `LOG_SCHEMA`, and the unknown columns.

    Raises:
        DataError: if a column occurs twice, if a required one is missing, or if an unknown column has a name similar to
            a missing one.
    """
    chosen = [name for name in LOG_SCHEMA.names if name in names]
    others = [name for name in names if name not in LOG_SCHEMA.names and name != TARGET]
    for name in chosen:
        if names.count(name) > 1:
            raise DataError("the column occurs twice", path=path, column=name, fix="Keep one of them.")
    for name in LOG_SCHEMA.names:
        if name in chosen:
            continue
        # For an optional column the name must be almost equal to count as misspelt.
        similar = _most_like(name, others, 0.7 if name in REQUIRED_COLUMNS else 0.87)
        if similar is not None:
            raise DataError(
                "the column is missing",
                path=path,
                column=name,
                got=repr(similar),
                fix=f"Rename {similar!r} to {name!r}.",
            )
        if name in REQUIRED_COLUMNS:
            raise DataError(
                "the column is missing",
                path=path,
                column=name,
                expected=f"the columns {', '.join(REQUIRED_COLUMNS)}",
                got=", ".join(names) or "none",
            )
    return chosen, others


def convert_columns(table: pa.Table, path: Path) -> pa.Table:
    """Converts every column to its type in `LOG_SCHEMA`.

    Numbers may have any width, timestamps may also be Arrow timestamps. NaN and empty texts become null.

    Args:
        table: Columns of `LOG_SCHEMA`.
        path: File of the table, for error messages.

    Raises:
        DataError: if a column has the wrong type or values that are not allowed.
    """
    columns = {name: _convert(table[name], LOG_SCHEMA.field(name), path) for name in table.column_names}
    for name in REQUIRED_COLUMNS:
        if columns[name].null_count:
            raise DataError(
                "values are missing",
                path=path,
                column=name,
                expected="a value in every row",
                got=f"{columns[name].null_count} nulls in {table.num_rows} rows",
                fix="Drop these rows.",
            )
    if not pc.all(pc.is_finite(columns["rating"])).as_py():
        raise DataError("a rating is infinite", path=path, column="rating", expected="finite numbers")
    latest = pc.max(columns["timestamp"]).as_py()
    if latest is not None and latest > _LATEST:
        raise DataError(
            "a time is past the year 3000",
            path=path,
            column="timestamp",
            expected="seconds since 1970",
            got=str(latest),
            fix="Divide milliseconds by 1,000.",
        )
    fields = [LOG_SCHEMA.field(name) for name in columns]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def _most_like(name: str, others: Sequence[str], cutoff: float) -> str | None:
    """Name among `others` that equals `name` except for case, separators or a typing error."""
    plain = {other.lower().replace("_", "").replace("-", "").replace(" ", ""): other for other in others}
    close = difflib.get_close_matches(name.lower().replace("_", ""), plain, n=1, cutoff=cutoff)
    return plain[close[0]] if close else None


def _convert(column: pa.ChunkedArray, field: pa.Field, path: Path) -> pa.ChunkedArray:
    try:
        column.validate(full=True)  # for example texts that are not UTF-8
    except (pa.ArrowInvalid, IndexError) as error:
        raise DataError(
            f"the column is damaged ({error})", path=path, column=field.name, fix="Write it again."
        ) from None
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return column.cast(field.type)
    if not _fits(column.type, field):
        raise DataError(
            "the column has the wrong type", path=path, column=field.name, expected=_KINDS[field.type][1],
            got=str(column.type), fix=f"Convert it to {field.type}.",
        )  # fmt: skip
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s", column.type.tz), safe=False)
    try:
        column = column.cast(field.type)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"a value does not fit ({error})", path=path, column=field.name, expected=_KINDS[field.type][1]
        ) from None
    if pa.types.is_string(field.type):
        return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    return _without_empty_elements(column) if pa.types.is_list(field.type) else column


def _is_text(dtype: pa.DataType) -> bool:
    return pa.types.is_string(dtype) or pa.types.is_large_string(dtype)


def _is_text_list(dtype: pa.DataType) -> bool:
    return (pa.types.is_list(dtype) or pa.types.is_large_list(dtype)) and (
        _is_text(dtype.value_type) or pa.types.is_null(dtype.value_type)
    )


def _is_number(dtype: pa.DataType) -> bool:
    return pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)


#: For each type in `LOG_SCHEMA`: the predicate for convertible types, and its name in messages.
_KINDS: dict[pa.DataType, tuple[Callable[[pa.DataType], bool], str]] = {
    pa.int64(): (_is_number, "whole numbers"),
    pa.float32(): (_is_number, "numbers"),
    pa.string(): (_is_text, "texts"),
    pa.list_(pa.string()): (_is_text_list, "lists of texts"),
}


def _fits(dtype: pa.DataType, field: pa.Field) -> bool:
    return _KINDS[field.type][0](dtype) or (field.name == "timestamp" and pa.types.is_timestamp(dtype))


def _without_empty_elements(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Removes nulls and empty texts from lists of texts; a null list stays null."""
    lists = column.combine_chunks()
    elements = lists.flatten()
    kept = pc.fill_null(pc.not_equal(elements, ""), False)
    if pc.all(kept, min_count=0).as_py():
        return column
    parents = pc.list_parent_indices(lists).filter(kept).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(np.bincount(parents, minlength=len(lists)))])
    cleaned = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), elements.filter(kept), mask=lists.is_null())
    return pa.chunked_array([cleaned])
