"""Assignment of events to train, valid and test."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emrys.blocks.errors import DataError
from emrys.components.contracts.splits import SPLITS
from emrys.components.recipe.recipe import Split

Ints = npt.NDArray[np.int64]


def split_by_time(time: Ints, split: Split) -> Ints:
    """Part (0, 1 or 2 for train, valid and test) of each row of a log in time order.

    Rows of the same time are in the same part.
    """
    rows = len(time)
    starts = [_between_times(time, start) for start in _starts(rows, split)]
    return np.searchsorted(starts, np.arange(rows), side="right")


def split_at_random(rows: int, split: Split, seed: int) -> Ints:
    """Part of each row at random."""
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(rows)
    return np.searchsorted(_starts(rows, split), shuffled, side="right")


def split_per_user(user: Ints, split: Split) -> Ints:
    """Part of each row of a log in time order; the last share of each user's rows is test."""
    index, count = _places(user)
    test = np.floor(count * split.test + 0.5).astype(np.int64)
    valid = np.floor(count * split.valid + 0.5).astype(np.int64)
    return (index >= count - test - valid).astype(np.int64) + (index >= count - test)


def split_last_per_user(user: Ints, split: Split) -> Ints:
    """Part of each row of a log in time order; the last rows of each user are test, those before them valid.

    Users without a row for train are in train.
    """
    valid, test = (max(1, int(share)) for share in (split.valid, split.test))
    index, count = _places(user)
    part = (index >= count - test - valid).astype(np.int64) + (index >= count - test)
    return np.where(count > valid + test, part, 0)


def split_groups_in_order(group: Ints, split: Split) -> Ints:
    """Part of each row of a log in time order; the groups, such as sessions, that begin last are test."""
    names, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    place = np.empty(len(names), np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(names))
    return np.searchsorted(_starts(len(names), split), place, side="right")[inverse]


def split_groups_at_random(group: Ints, split: Split, seed: int) -> Ints:
    """Part of each row; the groups, such as users, are assigned at random."""
    names, inverse = np.unique(group, return_inverse=True)
    return split_at_random(len(names), split, seed)[inverse]


def split_by_column(values: pa.ChunkedArray, name: str, path: str) -> Ints:
    """Part of each row as a column says."""
    texts = values.cast(pa.string())
    part = pc.index_in(texts, value_set=pa.array(SPLITS))
    if part.null_count:
        others = texts.filter(pc.is_null(part)).unique().to_pylist()
        raise DataError(
            "a row is in no split",
            path=path,
            column=name,
            expected=", ".join(SPLITS),
            got=", ".join("null" if other is None else repr(other) for other in others[:5]),
            fix="Write one of these into the column, or choose another method in split.by.",
        )
    return np.asarray(part.to_numpy(), np.int64)


def _between_times(time: Ints, start: int) -> int:
    """Index nearest to `start` at which the time changes."""
    if start >= len(time):
        return len(time)
    before = int(np.searchsorted(time, time[start], side="left"))
    after = int(np.searchsorted(time, time[start], side="right"))
    return before if start - before <= after - start else after


def _places(user: Ints) -> tuple[Ints, Ints]:
    """Place of each row among the rows of its user, and their number."""
    by_user = np.argsort(user, kind="stable")
    _, first, inverse, count = np.unique(user[by_user], return_index=True, return_inverse=True, return_counts=True)
    index, counts = np.empty(len(user), np.int64), np.empty(len(user), np.int64)
    index[by_user] = np.arange(len(user)) - first[inverse]
    counts[by_user] = count[inverse]
    return index, counts


def _starts(rows: int, split: Split) -> tuple[int, int]:
    """First row of valid and of test."""
    test = rows - math.floor(rows * split.test + 0.5)
    return test - math.floor(rows * split.valid + 0.5), test
