"""The raw rows that the parity gate sends: held-out rows, and made ones at the edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from emrys.blocks.errors import DataError
from emrys.components.export_ensemble.columns import Column

#: Values that no data set holds.
UNSEEN: dict[str, Any] = {"int64": 2**53 + 1, "string": "~ unseen ~"}


def held_out_rows(table: pa.Table, columns: Sequence[Column], rows: int, seed: int) -> pa.Table:
    """Chooses rows at random and adds made ones.

    Args:
        table: Raw rows that the model was not trained on.
        columns: What the ensemble takes.
        rows: How many rows to choose; all of them when there are fewer.
        seed: Seed of the choice.

    Returns:
        The chosen rows in their order, then the made ones, with the columns of `table`.

    Raises:
        DataError: if the table is empty or lacks a column.
    """
    missing = [column.name for column in columns if column.name not in table.column_names]
    if missing:
        raise DataError("a column is missing", column=missing[0], got=", ".join(table.column_names))
    if not table.num_rows:
        raise DataError("there are no held-out rows", fix="Split the data so that the test split has rows.")
    chosen = np.random.default_rng(seed).permutation(table.num_rows)[:rows]
    sample = table.take(pa.array(np.sort(chosen)))
    made = list(_edge_rows(sample.slice(0, 1).to_pylist()[0], columns))
    return pa.concat_tables([sample, pa.Table.from_pylist(made, schema=table.schema)])


def _edge_rows(row: dict[str, Any], columns: Sequence[Column]) -> Iterator[dict[str, Any]]:
    """Rows that differ from `row` in one column, then some that differ in all."""
    for column in columns:
        for value in _edges(column, row[column.name]):
            yield {**row, column.name: value}
    yield {**row, **{column.name: [] if column.is_list else None for column in columns}}
    yield {**row, **{column.name: _edges(column, row[column.name])[-1] for column in columns}}


def _edges(column: Column, value: Any) -> list[Any]:
    if not column.is_list:
        return [None, UNSEEN.get(column.dtype, 0.0)]
    unseen = UNSEEN.get(column.dtype, 0.0)
    return [None, [], [unseen], [*(value or []), unseen, *(value or [])]]
