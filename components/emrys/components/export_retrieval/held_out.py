"""The raw rows that the parity gate of a retrieval ensemble sends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from emrys.blocks.errors import DataError
from emrys.components.export_ensemble.columns import Column
from emrys.components.export_ensemble.held_out import UNSEEN, held_out_rows
from emrys.components.export_retrieval.recommender import Recommender

#: Most items of a made history.
_LONGEST = 2000


def held_out_queries(table: pa.Table, columns: Sequence[Column], rows: int, seed: int, made: Recommender) -> pa.Table:
    """Chooses rows at random, and adds made ones: those of `held_out_rows`, and users who have seen much.

    The latter are the user of whom most seen items are known, and, where a history is read, a new user whose history
    is the whole catalogue, or all of it but one item.

    Args:
        table: Raw rows that the model was not trained on.
        columns: What the ensemble takes.
        rows: How many rows to choose; all of them when there are fewer.
        seed: Seed of the choice.
        made: What recommends.

    Returns:
        The chosen rows in their order, then the made ones, with the columns of `table`.

    Raises:
        DataError: if the table is empty or lacks a column.
    """
    chosen = held_out_rows(table, columns, rows, seed)
    more = list(_who_have_seen_much(chosen.slice(0, 1).to_pylist()[0], columns, made))
    try:
        return pa.concat_tables([chosen, pa.Table.from_pylist(more, schema=table.schema)])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"the rows and the items do not go together ({error})", column=made.user) from None


def _who_have_seen_much(row: dict[str, Any], columns: Sequence[Column], made: Recommender) -> Iterator[dict[str, Any]]:
    users, lists = (made.seen.table.column(place) for place in (0, 1))
    if len(users):
        most = int(np.argmax([len(one) for one in lists]))
        yield {**row, made.user: users[most].as_py()}
    keys = made.items["key"].to_pylist()[:_LONGEST]
    nobody = {column.name: UNSEEN[column.dtype] for column in columns if column.name == made.user}
    for history in made.histories:
        for seen in (keys, keys[1:]):
            yield {**row, **nobody, history: seen}
