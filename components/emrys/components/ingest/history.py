"""What each user liked before: the history of every row, from the rows of train alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.components.contracts.splits import HISTORY, TARGET

Ints = npt.NDArray[np.int64]

#: Elements that are worked on at once.
_BLOCK = 5_000_000


def with_histories(tables: Mapping[str, pa.Table], length: int) -> dict[str, pa.Table]:
    """Adds a column with the last items that the row's user rated well in train, in the order of time.

    A row of train does not have its own item in its history, which would tell the label. The rows of valid and test
    have the history at the end of train, which is what a request brings once the model is served.

    Args:
        tables: The splits, each in the order of time.
        length: Most items of a history; the latest are kept.

    Returns:
        The splits, with `history` as their last column.
    """
    train = tables["train"]
    liked = train.filter(pc.equal(train[TARGET], 1))
    users, items = liked["userId"].to_numpy(), liked["movieId"].to_numpy()
    by_user = np.argsort(users, kind="stable")
    users, items = users[by_user], items[by_user]
    made = {}
    for name, table in tables.items():
        lists = _histories(users, items, table, length, leave_out=name == "train")
        made[name] = table.append_column(HISTORY, pa.chunked_array(lists, HISTORY.type))
    return made


def _histories(users: Ints, items: Ints, table: pa.Table, length: int, leave_out: bool) -> list[pa.Array]:
    """The histories of the rows of a table.

    Args:
        users: User of every row of train with a good rating, sorted; (P,).
        items: Their items, those of a user in the order of time; (P,).
        table: The rows.
        length: Most items of a history.
        leave_out: Whether a row's own item is left out.
    """
    of, own = table["userId"].to_numpy(), table["movieId"].to_numpy()
    stops = np.searchsorted(users, of, side="right")
    # One more than are kept, of which one may be left out. No user is expected to rate an item twice; one who does
    # has a shorter history.
    starts = np.maximum(np.searchsorted(users, of, side="left"), stops - length - 1)
    step = max(1, _BLOCK // (length + 1))
    parts = []
    for first in range(0, len(of), step):
        rows = slice(first, first + step)
        lengths = stops[rows] - starts[rows]
        row = np.repeat(np.arange(len(lengths)), lengths)
        ends = np.cumsum(lengths)
        within = np.arange(len(row)) - np.repeat(ends - lengths, lengths)
        found = items[np.repeat(starts[rows], lengths) + within]
        kept = found != own[rows][row] if leave_out else np.ones(len(found), bool)
        # Counted from the end, so that the latest are kept.
        later = np.concatenate([[0], np.cumsum(kept)])
        kept &= later[ends][row] - later[1:] < length
        offsets = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=len(lengths)))])
        parts.append(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(found[kept])))
    return parts
