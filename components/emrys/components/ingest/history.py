"""Histories: for each row, the items with a positive rating of the user in train."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.contracts.splits import HISTORY, TARGET

Ints = npt.NDArray[np.int64]

#: Maximum number of elements in memory at once.
_BLOCK = 5_000_000


def with_histories(tables: Mapping[str, pa.Table], length: int) -> dict[str, pa.Table]:
    """Adds a column with the last items that the user of the row rated positively in train, in the order of time.

    The history of a train row does not contain the item of the row itself, which would reveal its label. Rows of valid
    and test have the history at the end of train, like a request at serving time.

    Args:
        tables: The splits, each in the order of time.
        length: Maximum length of a history; the latest items are kept.

    Returns:
        The splits, with `history` as their last column.
    """
    train = tables["train"]
    positives = train.filter(pc.equal(train[TARGET], 1))
    users, items = positives["userId"].to_numpy(), positives["movieId"].to_numpy()
    by_user = np.argsort(users, kind="stable")
    users, items = users[by_user], items[by_user]
    result = {}
    for name, table in tables.items():
        lists = _histories(users, items, table, length, leave_out=name == "train")
        result[name] = table.append_column(HISTORY, pa.chunked_array(lists, HISTORY.type))
    return result


def _histories(users: Ints, items: Ints, table: pa.Table, length: int, leave_out: bool) -> list[pa.Array]:
    """Histories of the rows of a table.

    Args:
        users: (P,) user of each positive row of train, sorted.
        items: (P,) items of these rows; those of a user in the order of time.
        table: The rows.
        length: Maximum length of a history.
        leave_out: Whether to leave out the item of the row itself.
    """
    row_users, own = table["userId"].to_numpy(), table["movieId"].to_numpy()
    stops = np.searchsorted(users, row_users, side="right")
    # One more than `length`, because one may be left out. If a user rated an item twice, the history is shorter.
    starts = np.maximum(np.searchsorted(users, row_users, side="left"), stops - length - 1)
    step = max(1, _BLOCK // (length + 1))
    parts = []
    for first in range(0, len(row_users), step):
        rows = slice(first, first + step)
        lengths = stops[rows] - starts[rows]
        row = np.repeat(np.arange(len(lengths)), lengths)
        ends = np.cumsum(lengths)
        within = np.arange(len(row)) - np.repeat(ends - lengths, lengths)
        candidates = items[np.repeat(starts[rows], lengths) + within]
        kept = candidates != own[rows][row] if leave_out else np.ones(len(candidates), bool)
        # Count from the end to keep the latest.
        later = np.concatenate([[0], np.cumsum(kept)])
        kept &= later[ends][row] - later[1:] < length
        offsets = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=len(lengths)))])
        parts.append(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(candidates[kept])))
    return parts
